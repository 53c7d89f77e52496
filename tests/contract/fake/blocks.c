/* Model wrapper, optimizer and runtime. */
#include <stdio.h>
#include <string.h>

#include "fake.h"

#define FORMATS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* What wrapper and runtime have in common, behind the options of their kind. */
typedef struct fake_model_block {
  union {
    kn_modelwrapper_options wrapper;
    kn_runtime_options runtime;
  } base;
  fake_calls calls;
  fake_engine engine;
  const char *content; /* of the files that are loaded */
  char *save_model_path;
} fake_model_block;

static kn_status load(void *self, const kn_load_request *request) {
  fake_model_block *at = self;
  KN_TRY(fake_call(&at->calls, FAKE_LOAD));
  return fake_engine_load(&at->engine, request, at->content);
}
static void unload(void *self) { fake_engine_unload(&((fake_model_block *)self)->engine); }
static kn_status loaded_spec(void *self, kn_iospec *out_spec) {
  fake_model_block *at = self;
  KN_TRY(fake_engine_loaded(&at->engine));
  KN_TRY(fake_call(&at->calls, FAKE_LOADED_SPEC));
  return fake_spec(at->engine.batch, out_spec);
}
static kn_status set_input(void *self, const kn_tensor_view *inputs, size_t count) {
  fake_model_block *at = self;
  KN_TRY(fake_call(&at->calls, FAKE_SET_INPUT));
  return fake_engine_set_input(&at->engine, inputs, count);
}
static kn_status invoke(void *self) {
  fake_model_block *at = self;
  KN_TRY(fake_call(&at->calls, FAKE_INVOKE));
  return fake_engine_invoke(&at->engine);
}
static kn_status output(void *self, const kn_tensor_view *outputs, size_t count) {
  fake_model_block *at = self;
  KN_TRY(fake_call(&at->calls, FAKE_OUTPUT));
  return fake_engine_output(&at->engine, outputs, count);
}
static kn_status statistics(void *self, kn_record *out_record) {
  fake_model_block *at = self;
  KN_TRY(fake_call(&at->calls, FAKE_STATISTICS));
  KN_TRY(kn_record_set_string(out_record, "library", "fake"));
  return kn_record_set_int(out_record, "threads", 1);
}
static const kn_inference_ops inference = {.struct_size = sizeof inference,
                                           .load = load,
                                           .unload = unload,
                                           .iospec = loaded_spec,
                                           .set_input = set_input,
                                           .invoke = invoke,
                                           .output = output,
                                           .statistics = statistics};

static void close_model_block(void *self) {
  unload(self);
  fake_close(&((fake_model_block *)self)->calls);
}

/* ---- model wrapper ---- */

static kn_status open_wrapper(void *self, const kn_dataset_info *info) {
  fake_model_block *at = self;
  at->content = FAKE_MODEL;
  KN_TRY(fake_open(&at->calls));
  if (info->rank != 1 || info->shape[0] != FAKE_FEATURES)
    return kn_status_make(KN_INCOMPATIBLE, "the fake model takes %d values", FAKE_FEATURES);
  return NULL;
}
static kn_status framework(void *self, const char **out_name, const char **out_version) {
  *out_name = "fake";
  *out_version = "1.0";
  return fake_call(&((fake_model_block *)self)->calls, FAKE_FRAMEWORK);
}
static kn_status format(void *self, const char **out_format) {
  *out_format = "fake";
  return fake_call(&((fake_model_block *)self)->calls, FAKE_FORMAT);
}
static kn_status wrapper_spec(void *self, kn_iospec *out_spec) {
  fake_model_block *at = self;
  *out_spec = (kn_iospec){0};
  KN_TRY(fake_model_check(at->base.wrapper.model_path, FAKE_MODEL));
  KN_TRY(fake_call(&at->calls, FAKE_SPEC));
  return fake_spec(-1, out_spec);
}
static kn_status weights_bytes(void *self, uint64_t *out_bytes) {
  fake_model_block *at = self;
  KN_TRY(fake_model_check(at->base.wrapper.model_path, FAKE_MODEL));
  *out_bytes = 12;
  return fake_call(&at->calls, FAKE_WEIGHTS);
}
static kn_status train(void *self, const kn_train_request *request, kn_record *out_history) {
  fake_model_block *at = self;
  KN_TRY(fake_call(&at->calls, FAKE_TRAIN));
  KN_TRY(kn_record_set_int(out_history, "samples", (int64_t)request->train->count));
  return kn_file_write(request->model_path, FAKE_MODEL, sizeof FAKE_MODEL - 1);
}

static const kn_option wrapper_options[] = {FAKE_FAIL_ROW(fake_model_block), {0}};
static const kn_modelwrapper_ops wrapper_ops = {.struct_size = sizeof wrapper_ops,
                                                .open = open_wrapper,
                                                .close = close_model_block,
                                                .framework = framework,
                                                .format = format,
                                                .iospec = wrapper_spec,
                                                .inference = &inference,
                                                .train = train,
                                                .weights_bytes = weights_bytes};
const kn_class fake_wrapper_class = {.struct_size = sizeof(kn_class),
                                     .name = "tests.fake.FakeModelWrapper",
                                     .kind = KN_KIND_MODELWRAPPER,
                                     .summary = "A model that gives back its input",
                                     .options = wrapper_options,
                                     .instance_size = sizeof(fake_model_block),
                                     .ops = &wrapper_ops,
                                     .output_formats = FORMATS("fake")};

/* ---- runtime ---- */

static kn_status open_runtime(void *self) {
  fake_model_block *at = self;
  at->content = FAKE_COMPILED;
  return fake_open(&at->calls);
}
static const char *model_path(void *self) { return ((fake_model_block *)self)->save_model_path; }

static const kn_option runtime_options[] = {
    FAKE_FAIL_ROW(fake_model_block),
    {"save_model_path", "Path of the compiled model", KN_OPTION_PATH, 0, KN_FIELD(fake_model_block, save_model_path)},
    {0}};
static const kn_runtime_ops runtime_ops = {.struct_size = sizeof runtime_ops,
                                           .open = open_runtime,
                                           .close = close_model_block,
                                           .model_path = model_path,
                                           .inference = &inference};
const kn_class fake_runtime_class = {.struct_size = sizeof(kn_class),
                                     .name = "tests.fake.FakeRuntime",
                                     .kind = KN_KIND_RUNTIME,
                                     .summary = "Runs compiled fake models",
                                     .options = runtime_options,
                                     .instance_size = sizeof(fake_model_block),
                                     .ops = &runtime_ops,
                                     .input_formats = FORMATS("fake_compiled")};

/* ---- optimizer ---- */

typedef struct fake_optimizer {
  kn_optimizer_options base;
  fake_calls calls;
  bool fast, small;
  int target;
} fake_optimizer;

static kn_status open_optimizer(void *self) {
  fake_optimizer *at = self;
  KN_TRY(fake_open(&at->calls));
  if (at->fast && at->small) return kn_status_make(KN_INVALID_ARGUMENT, "a model is either 'fast' or 'small'");
  return NULL;
}
static void close_optimizer(void *self) { fake_close(&((fake_optimizer *)self)->calls); }

static kn_status compile(void *self, const kn_compile_request *request, kn_iospec *out_spec, kn_record *out_record) {
  fake_optimizer *at = self;
  *out_spec = (kn_iospec){0};
  const char *path = at->base.compiled_model_path;
  if (IS_BROKEN(HALF_WRITTEN)) KN_TRY(kn_file_write(path, FAKE_COMPILED, 10));
  KN_TRY(fake_model_check(request->input_path, FAKE_MODEL));
  KN_TRY(fake_call(&at->calls, FAKE_COMPILE));
  KN_TRY(kn_record_set_string(out_record, "compiler_framework", "fake"));
  KN_TRY(kn_record_set_string(out_record, "compiler_version", "1.0"));
  if (IS_BROKEN(LEFTOVER)) {
    char leftover[4096];
    snprintf(leftover, sizeof leftover, "%s.tmp", path);
    KN_TRY(kn_file_write(leftover, "", 0));
  }
  KN_TRY(kn_file_write(path, FAKE_COMPILED, sizeof FAKE_COMPILED - 1));
  return fake_spec(1, out_spec);
}

static const kn_choice targets[] = {
    {"default", 0, "as it comes"}, {"other", 1, "another"}, {"third", 2, "a third"}, {0}};
static const kn_option optimizer_options[] = {
    FAKE_FAIL_ROW(fake_optimizer),
    {"fast", "Make it fast", KN_OPTION_BOOL, 0, KN_FIELD(fake_optimizer, fast)},
    {"small", "Make it small", KN_OPTION_BOOL, 0, KN_FIELD(fake_optimizer, small)},
    {"target", "What it is made for", KN_OPTION_ENUM, 0, KN_FIELD(fake_optimizer, target), .choices = targets},
    {0}};
static const kn_optimizer_ops optimizer_ops = {
    .struct_size = sizeof optimizer_ops, .open = open_optimizer, .close = close_optimizer, .compile = compile};
const kn_class fake_optimizer_class = {.struct_size = sizeof(kn_class),
                                       .name = "tests.fake.FakeOptimizer",
                                       .kind = KN_KIND_OPTIMIZER,
                                       .summary = "Compiles fake models",
                                       .options = optimizer_options,
                                       .instance_size = sizeof(fake_optimizer),
                                       .ops = &optimizer_ops,
                                       .input_formats = FORMATS("fake"),
                                       .output_formats = FORMATS("fake_compiled")};
