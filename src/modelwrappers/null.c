/* A model wrapper without a model: takes the samples of any data set and gives one value per class. */
#include <kenning/block.h>
#include <string.h>

typedef struct kn_null_modelwrapper {
  kn_modelwrapper_options base;
  kn_dataset_info info; /* of the data set it was opened for */
} kn_null_modelwrapper;

/* In the place of the inherited row, which demands a file. */
static const kn_option options[] = {
    {"model_path", "Not read; may name any file", KN_OPTION_PATH,
     KN_OPTION_NULLABLE | KN_OPTION_RESOURCE | KN_OPTION_MODEL, KN_FIELD(kn_modelwrapper_options, model_path)},
    {0}};

static kn_status open_wrapper(void *self, const kn_dataset_info *info) {
  kn_null_modelwrapper *wrapper = self;
  wrapper->info = *info;
  return NULL;
}

static void close_wrapper(void *self) {
  kn_null_modelwrapper *wrapper = self;
  wrapper->info = (kn_dataset_info){0};
}

static kn_status framework(void *self, const char **out_name, const char **out_version) {
  (void)self;
  *out_name = "null";
  *out_version = "0";
  return NULL;
}

static kn_status format(void *self, const char **out_format) {
  (void)self;
  *out_format = "none";
  return NULL;
}

static kn_status iospec(void *self, kn_iospec *out_spec) {
  const kn_dataset_info *info = &((kn_null_modelwrapper *)self)->info;
  *out_spec = (kn_iospec){0};
  if (info->rank + 1 > KN_MAX_RANK)
    return kn_status_make(KN_INCOMPATIBLE, "samples of rank %u leave no room for a batch dimension", info->rank);
  kn_ioentry input = {
      .name = (char *)(uintptr_t) "input", .dtype = info->dtype, .rank = info->rank + 1, .shape = {-1}, .order = 0};
  memcpy(input.shape + 1, info->shape, info->rank * sizeof *info->shape);
  kn_ioentry output = {.name = (char *)(uintptr_t) "output",
                       .dtype = KN_FLOAT32,
                       .rank = 2,
                       .shape = {-1, info->classes > 0 ? info->classes : 1},
                       .order = 0};
  kn_status status = kn_iolist_add(&out_spec->input, &input);
  if (!status) status = kn_iolist_add(&out_spec->output, &output);
  if (status) kn_iospec_clear(out_spec);
  return status;
}

static const kn_modelwrapper_ops ops = {.struct_size = sizeof(kn_modelwrapper_ops),
                                        .open = open_wrapper,
                                        .close = close_wrapper,
                                        .framework = framework,
                                        .format = format,
                                        .iospec = iospec};

extern const kn_class kn_null_modelwrapper_class;
const kn_class kn_null_modelwrapper_class = {.struct_size = sizeof(kn_class),
                                             .name = "kenning.modelwrappers.null.NullModelWrapper",
                                             .kind = KN_KIND_MODELWRAPPER,
                                             .summary = "No model: takes any data set, for the null runtime",
                                             .options = options,
                                             .instance_size = sizeof(kn_null_modelwrapper),
                                             .ops = &ops,
                                             .output_formats = (const char *const[]){"none", NULL}};
