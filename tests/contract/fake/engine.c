#include "fake.h"

#include <stdlib.h>
#include <string.h>

kn_status fake_model_check(const char *path, const char *content) {
  char *text;
  size_t bytes, whole = strlen(content);
  KN_TRY(kn_file_read(path, 4096, &text, &bytes));
  bool good = bytes == whole && !memcmp(text, content, whole);
  if (IS_BROKEN(CUT_ACCEPTED)) good = bytes <= whole && !memcmp(text, content, bytes);
  kn_free(text);
  if (good) return NULL;
  return kn_status_make_at(IS_BROKEN(CRASH_AS_STATUS) ? KN_INTERNAL : KN_BAD_DATA, path, "this is no fake model");
}

kn_status fake_spec(int64_t batch, kn_iospec *out_spec) {
  *out_spec = (kn_iospec){0};
  const kn_ioentry input = {
      .name = (char *)(uintptr_t) "input", .dtype = KN_FLOAT32, .rank = 2, .shape = {batch, FAKE_FEATURES}, .order = 0};
  const kn_ioentry output = {
      .name = (char *)(uintptr_t) "output", .dtype = KN_FLOAT32, .rank = 2, .shape = {batch, FAKE_CLASSES}, .order = 0};
  kn_status status = kn_iolist_add(&out_spec->input, &input);
  if (!status) status = kn_iolist_add(&out_spec->output, &output);
  if (status) kn_iospec_clear(out_spec);
  return status;
}

void fake_engine_unload(fake_engine *engine) {
  kn_free(engine->held);
  *engine = (fake_engine){0};
}

kn_status fake_engine_load(fake_engine *engine, const kn_load_request *request, const char *content) {
  if (!IS_BROKEN(STALE)) fake_engine_unload(engine);
  KN_TRY(fake_model_check(request->path, content));
  fake_engine_unload(engine);
  engine->held = kn_alloc_array((size_t)request->batch, FAKE_CLASSES * sizeof(float));
  if (!engine->held && IS_BROKEN(MEMORY_IGNORED)) engine->held = calloc(64, FAKE_CLASSES * sizeof(float));
  if (!engine->held) return kn_status_out_of_memory();
  engine->batch = request->batch;
  return NULL;
}

kn_status fake_engine_loaded(const fake_engine *engine) {
  return engine->batch ? NULL : kn_status_make(KN_INVALID_ARGUMENT, "no model is loaded");
}

static float *last_input; /* for STATE_SHARED */

static kn_status check(const fake_engine *engine, const kn_tensor_view *view, size_t count, int64_t width) {
  KN_TRY(fake_engine_loaded(engine));
  if (IS_BROKEN(INPUT_UNCHECKED)) return NULL;
  if (count != 1 || view->dtype != KN_FLOAT32 || view->bytes != (size_t)(engine->batch * width) * sizeof(float))
    return kn_status_make(KN_INVALID_ARGUMENT, "one float32 tensor of %lld times %lld values is needed",
                          (long long)engine->batch, (long long)width);
  return NULL;
}

kn_status fake_engine_set_input(fake_engine *engine, const kn_tensor_view *inputs, size_t count) {
  KN_TRY(check(engine, inputs, count, FAKE_FEATURES));
  if (!count || inputs->bytes < (size_t)engine->batch * FAKE_FEATURES * sizeof(float))
    return NULL; /* INPUT_UNCHECKED */
  const float *values = inputs->data;
  for (int64_t i = 0; i < engine->batch; i++)
    memcpy(engine->held + i * FAKE_CLASSES, values + i * FAKE_FEATURES, FAKE_CLASSES * sizeof(float));
  last_input = engine->held;
  return NULL;
}

kn_status fake_engine_invoke(fake_engine *engine) {
  KN_TRY(fake_engine_loaded(engine));
  if (IS_BROKEN(ALLOCATES)) kn_free(kn_alloc(16));
  return NULL;
}

kn_status fake_engine_output(fake_engine *engine, const kn_tensor_view *outputs, size_t count) {
  static float drift;
  KN_TRY(check(engine, outputs, count, FAKE_CLASSES));
  if (!count) return NULL; /* INPUT_UNCHECKED */
  const float *from = IS_BROKEN(STATE_SHARED) ? last_input : engine->held;
  size_t bytes = (size_t)engine->batch * FAKE_CLASSES * sizeof(float);
  memcpy(outputs->data, from, bytes < outputs->bytes ? bytes : outputs->bytes);
  if (IS_BROKEN(OUTPUT_DRIFTS)) *(float *)outputs->data += drift++;
  return NULL;
}
