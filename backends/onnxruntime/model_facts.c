/* What is told of an .onnx file that was read. */
#include "model_file.h"

#include <string.h>

size_t kn_onnx_model_count(const kn_onnx_model *model, const char *type) {
  const kn_onnx_operator *kinds = model->kinds.items;
  size_t count = 0;
  for (size_t i = 0; i < model->kinds.count; i++)
    if ((!kinds[i].domain.length || kn_onnx_text_is(kinds[i].domain, "com.microsoft")) &&
        kn_onnx_text_is(kinds[i].type, type))
      count += kinds[i].count;
  return count;
}

int64_t kn_onnx_model_opset(const kn_onnx_model *model) {
  const kn_onnx_opset *opsets = model->opsets.items;
  for (size_t i = 0; i < model->opsets.count; i++)
    if (!opsets[i].domain.length || kn_onnx_text_is(opsets[i].domain, "ai.onnx")) return opsets[i].version;
  return 1;
}

static bool defined(const kn_onnx_model *model, const kn_onnx_operator *kind) {
  static const char *const domains[] = {
      "ai.onnx.ml",          "ai.onnx.training",     "ai.onnx.preview.training",  "com.microsoft",
      "com.microsoft.nchwc", "com.ms.internal.nhwc", "com.microsoft.experimental"};
  if (!kind->domain.length) return true;
  for (size_t i = 0; i < sizeof domains / sizeof *domains; i++)
    if (kn_onnx_text_is(kind->domain, domains[i])) return true;
  const kn_onnx_operator *functions = model->functions.items;
  for (size_t i = 0; i < model->functions.count; i++)
    if (kn_onnx_text_equal(functions[i].domain, kind->domain) && kn_onnx_text_equal(functions[i].type, kind->type))
      return true;
  return false;
}

const kn_onnx_operator *kn_onnx_model_foreign(const kn_onnx_model *model) {
  const kn_onnx_operator *kinds = model->kinds.items;
  for (size_t i = 0; i < model->kinds.count; i++)
    if (!defined(model, &kinds[i])) return &kinds[i];
  return NULL;
}

static kn_status add_entries(const kn_onnx_list *values, kn_iolist *out_list) {
  const kn_onnx_value *items = values->items;
  for (size_t i = 0; i < values->count; i++) {
    kn_ioentry entry = {.dtype = items[i].dtype, .rank = items[i].rank, .order = (int64_t)i};
    memcpy(entry.shape, items[i].shape, sizeof entry.shape);
    entry.name = kn_strndup(items[i].name.data, items[i].name.length);
    kn_status status = entry.name ? kn_iolist_add(out_list, &entry) : kn_status_out_of_memory();
    kn_free(entry.name);
    KN_TRY(status);
  }
  return NULL;
}

kn_status kn_onnx_model_iospec(const kn_onnx_model *model, kn_iospec *out_spec) {
  *out_spec = (kn_iospec){0};
  kn_status status = add_entries(&model->inputs, &out_spec->input);
  if (!status) status = add_entries(&model->outputs, &out_spec->output);
  if (status) kn_iospec_clear(out_spec);
  return status;
}

char *kn_onnx_census_text(const size_t counts[KN_ONNX_TYPES]) {
  char *text = kn_strdup("");
  for (int type = 0; text && type < KN_ONNX_TYPES; type++) {
    if (!counts[type]) continue;
    char *longer =
        kn_format("%s%s%zu %s", text, *text ? ", " : "", counts[type], type ? kn_onnx_type_name(type) : "other");
    kn_free(text);
    text = longer;
  }
  return text;
}
