#include "compiled.h"

#include <string.h>

/* ---- the result ---- */

typedef struct compiled {
  char *bytes;
  size_t count;
  kn_onnx_model model;
  kn_onnx_layers layers;
} compiled;

static kn_status read_result(const char *path, compiled *out) {
  *out = (compiled){0};
  KN_TRY(kn_file_read(path, (size_t)1 << 36, &out->bytes, &out->count));
  KN_TRY(kn_onnx_model_read(out->bytes, out->count, &out->model));
  return kn_onnx_layers_read(out->bytes, out->count, &out->layers);
}

static void clear_result(compiled *result) {
  kn_onnx_model_clear(&result->model);
  kn_free(result->bytes);
  *result = (compiled){0};
}

/* ---- description ---- */

static kn_status set_text(kn_record *record, const char *key, char *text) {
  if (!text) return kn_status_out_of_memory();
  kn_status status = kn_record_set_string(record, key, text);
  kn_free(text);
  return status;
}

static kn_status describe_contents(const compiled *result, kn_record *record) {
  const kn_onnx_model *model = &result->model;
  kn_onnx_text version = model->producer_version; /* of which some write more than the number */
  const char *space = version.length ? memchr(version.data, ' ', version.length) : NULL;
  if (space) version.length = (size_t)(space - version.data);
  KN_TRY(kn_record_set_int(record, "weights_bytes", (int64_t)model->weight_bytes));
  KN_TRY(kn_record_set_int(record, "operators", (int64_t)model->operators));
  KN_TRY(kn_record_set_int(record, "operator_set", kn_onnx_model_opset(model)));
  KN_TRY(kn_record_set_int(record, "layers", (int64_t)result->layers.count));
  KN_TRY(kn_record_set_int(record, "layers_on_quantized_values", (int64_t)result->layers.quantized_values));
  KN_TRY(set_text(record, "layer_weights", kn_onnx_census_text(result->layers.weights)));
  KN_TRY(set_text(record, "constants", kn_onnx_census_text(model->weights)));
  return set_text(record, "compiler_version",
                  model->producer.length ? kn_format("%.*s %.*s", KN_ONNX_TEXT(model->producer), KN_ONNX_TEXT(version))
                                         : kn_strdup("unknown"));
}

typedef struct work {
  const kn_onnx_compilation *compilation;
  kn_iospec *spec;
} work;

static kn_status produce(void *context, const char *path, kn_record *record) {
  const kn_onnx_compilation *at = ((const work *)context)->compilation;
  return at->produce(at->context, path, record);
}

static kn_status judge(void *context, const char *path, kn_record *record) {
  const work *w = context;
  const kn_onnx_compilation *at = w->compilation;
  const kn_iolist *inputs = kn_iospec_model_input(at->request->input_spec);
  compiled result;
  kn_status status = read_result(path, &result);
  if (!status) status = at->verify(at->context, &result.model, &result.layers);
  if (!status) status = describe_contents(&result, record);
  if (!status) status = kn_onnx_model_iospec(&result.model, w->spec);
  clear_result(&result);
  if (!status && inputs) status = kn_iolist_inherit(&w->spec->input, inputs);
  if (!status) status = kn_iolist_inherit(&w->spec->output, &at->request->input_spec->output);
  KN_TRY(status);
  KN_TRY(kn_record_set_string(record, "compiler_framework", at->framework));
  return kn_record_set_string(record, "input_format", at->format);
}

kn_status kn_onnx_compile(const kn_onnx_compilation *compilation, kn_iospec *out_spec, kn_record *out_record) {
  *out_spec = (kn_iospec){0};
  work w = {.compilation = compilation, .spec = out_spec};
  kn_status status = kn_production_run(
      &(kn_production){
          .path = compilation->path, .key = compilation->key, .context = &w, .make = produce, .judge = judge},
      out_record);
  if (status) kn_iospec_clear(out_spec);
  return status;
}
