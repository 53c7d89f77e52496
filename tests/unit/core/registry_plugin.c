/* A plug-in for the tests of the registry. VARIANT, one of the names below, says what is wrong with it. */
#define KN_PLUGIN_MAIN
#include <kenning/plugin.h>

enum {
  GOOD,
  TWIN, /* has a class of the same name as GOOD */
  NO_SYMBOL,
  NULL_PLUGIN,
  WRONG_MAGIC,
  WRONG_MAJOR,
  WRONG_MINOR,
  WRONG_SIZE,
  WRONG_SANITIZER,
  NO_NAME,
  NO_CLASSES,
  CLASS_SIZE,
  CLASS_NAME,
  CLASS_WITHOUT_NAME,
  CLASS_KIND,
  CLASS_SUMMARY,
  CLASS_FORMATS,
  INSTANCE_SIZE,
  ROW_OUTSIDE,
  ROW_TYPE,
  ROW_HELP,
  ROW_CHOICES,
  DATASET_FUNCTION,
  DATASET_SIZE,
  WRAPPER_FUNCTION,
  OPTIMIZER_FUNCTION,
  RUNTIME_FUNCTION,
  INFERENCE_FUNCTION,
  INFERENCE_MISSING
};
#define IS(variant) (VARIANT == (variant))
#ifndef ENTRY
#define ENTRY kenning_plugin_query
#endif

typedef struct block {
  kn_dataset_options base;
  int choice;
} block;

static kn_status open_block(void *self) {
  (void)self;
  return NULL;
}
static kn_status open_wrapper(void *self, const kn_dataset_info *info) {
  (void)info;
  return open_block(self);
}
static void close_block(void *self) { (void)self; }
static kn_status no(void) { return kn_status_make(KN_INTERNAL, "this block is for the registry alone"); }
static kn_status info(void *self, kn_dataset_info *out) {
  (void)self;
  (void)out;
  return no();
}
static kn_status label(void *self, size_t index, int64_t *out) {
  (void)self;
  (void)index;
  (void)out;
  return no();
}
static kn_status load_sample(void *self, size_t index, const kn_tensor_view *out) {
  (void)self;
  (void)index;
  (void)out;
  return no();
}
static kn_status sample_id(void *self, size_t index, char *out, size_t size) {
  (void)self;
  (void)index;
  (void)out;
  (void)size;
  return no();
}
static kn_status load_model(void *self, const kn_load_request *request) {
  (void)self;
  (void)request;
  return no();
}
static kn_status iospec(void *self, kn_iospec *out) {
  (void)self;
  (void)out;
  return no();
}
static kn_status set_input(void *self, const kn_tensor_view *inputs, size_t count) {
  (void)self;
  (void)inputs;
  (void)count;
  return no();
}
static kn_status framework(void *self, const char **name, const char **version) {
  (void)self;
  (void)name;
  (void)version;
  return no();
}
static kn_status format(void *self, const char **out) {
  (void)self;
  (void)out;
  return no();
}
static kn_status compile(void *self, const kn_compile_request *request, kn_iospec *spec, kn_record *record) {
  (void)self;
  (void)request;
  (void)spec;
  (void)record;
  return no();
}
static kn_status statistics(void *self, kn_record *record) {
  (void)self;
  (void)record;
  return no();
}

static const kn_choice choices[] = {{"only", 1, "the only one"}, {0}};
static const kn_option rows[] = {
    {"choice", IS(ROW_HELP) ? NULL : "A choice", IS(ROW_TYPE) ? (kn_option_type)99 : KN_OPTION_ENUM, 0,
     .offset = IS(ROW_OUTSIDE) ? sizeof(block) - 1 : offsetof(block, choice), .def.i = 1,
     .choices = IS(ROW_CHOICES) ? NULL : choices},
    {0}};
static const char *const formats[] = {"test", NULL};

static const kn_inference_ops inference = {.struct_size = sizeof inference,
                                           .load = load_model,
                                           .unload = close_block,
                                           .iospec = iospec,
                                           .set_input = set_input,
                                           .invoke = IS(INFERENCE_FUNCTION) ? NULL : open_block,
                                           .output = set_input,
                                           .statistics = statistics};
static const kn_dataset_ops dataset_ops = {.struct_size = sizeof dataset_ops - (IS(DATASET_SIZE) ? 8 : 0),
                                           .open = open_block,
                                           .close = close_block,
                                           .info = info,
                                           .label = label,
                                           .load = IS(DATASET_FUNCTION) ? NULL : load_sample,
                                           .sample_id = sample_id};
static const kn_modelwrapper_ops wrapper_ops = {.struct_size = sizeof wrapper_ops,
                                                .open = open_wrapper,
                                                .close = close_block,
                                                .framework = framework,
                                                .format = IS(WRAPPER_FUNCTION) ? NULL : format,
                                                .iospec = iospec,
                                                .inference = &inference};
static const kn_optimizer_ops optimizer_ops = {.struct_size = sizeof optimizer_ops,
                                               .open = open_block,
                                               .close = close_block,
                                               .compile = IS(OPTIMIZER_FUNCTION) ? NULL : compile};
static const kn_runtime_ops runtime_ops = {.struct_size = sizeof runtime_ops,
                                           .open = IS(RUNTIME_FUNCTION) ? NULL : open_block,
                                           .close = close_block,
                                           .inference = IS(INFERENCE_MISSING) ? NULL : &inference};

static const kn_class dataset = {.struct_size = sizeof(kn_class) - (IS(CLASS_SIZE) ? 8 : 0),
                                 .name = IS(CLASS_WITHOUT_NAME) ? NULL
                                         : IS(CLASS_NAME)       ? "NoPath"
                                                                : "tests.registry.GoodDataset",
                                 .kind = IS(CLASS_KIND) ? KN_KIND_COUNT : KN_KIND_DATASET,
                                 .summary = IS(CLASS_SUMMARY) ? NULL : "For tests",
                                 .options = rows,
                                 .instance_size = IS(INSTANCE_SIZE) ? sizeof(kn_dataset_options) - 1 : sizeof(block),
                                 .ops = &dataset_ops};
static const kn_class wrapper = {.struct_size = sizeof(kn_class),
                                 .name = IS(TWIN) ? "tests.registry.TwinWrapper" : "tests.registry.GoodWrapper",
                                 .kind = KN_KIND_MODELWRAPPER,
                                 .summary = "For tests",
                                 .instance_size = sizeof(kn_modelwrapper_options),
                                 .ops = &wrapper_ops,
                                 .output_formats = formats};
/* Named as the original names things today. */
static const kn_class optimizer = {
    .struct_size = sizeof(kn_class),
    .name = IS(TWIN) ? "tests.registry.TwinOptimizer" : "kenning.optimizers.good.GoodOptimizer",
    .kind = KN_KIND_OPTIMIZER,
    .summary = "For tests",
    .instance_size = sizeof(kn_optimizer_options),
    .ops = &optimizer_ops,
    .input_formats = IS(CLASS_FORMATS) ? NULL : formats,
    .output_formats = formats};
/* Named as the original named things in 2022. */
static const kn_class runtime = {.struct_size = sizeof(kn_class),
                                 .name = IS(TWIN) ? "tests.registry.TwinRuntime" : "kenning.runtimes.good.GoodRuntime",
                                 .kind = KN_KIND_RUNTIME,
                                 .summary = "For tests",
                                 .instance_size = sizeof(kn_runtime_options),
                                 .ops = &runtime_ops,
                                 .input_formats = formats};
static const kn_class compiler = {
    .struct_size = sizeof(kn_class),
    .name = IS(TWIN) ? "tests.registry.TwinCompiler" : "kenning.compilers.old.OldCompiler",
    .kind = KN_KIND_OPTIMIZER,
    .summary = "For tests",
    .instance_size = sizeof(kn_optimizer_options)};

static const kn_class *const classes[] = {&dataset, &wrapper, &optimizer, &runtime, &compiler, NULL};
static const kn_plugin plugin = {.magic = KN_PLUGIN_MAGIC + IS(WRONG_MAGIC),
                                 .abi_major = KN_ABI_MAJOR + IS(WRONG_MAJOR),
                                 .abi_minor = KN_ABI_MINOR + IS(WRONG_MINOR),
                                 .struct_size = sizeof plugin + IS(WRONG_SIZE),
                                 .sanitizer = IS(WRONG_SANITIZER) ? 77 : KN_SANITIZER_KIND,
                                 .name = IS(NO_NAME) ? NULL : "registry-test",
                                 .version = "1",
                                 .license = "Apache-2.0",
                                 .classes = IS(NO_CLASSES) ? NULL : classes};

KN_EXPORT const kn_plugin *ENTRY(const kn_host *host);
KN_EXPORT const kn_plugin *ENTRY(const kn_host *host) {
  kn_host_ = host;
  return IS(NULL_PLUGIN) ? NULL : &plugin;
}
