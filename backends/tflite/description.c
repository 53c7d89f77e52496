/* What a .tflite model is, as a specification and as facts for the measurements. */
#include "compiler.h"

#include <string.h>

/* Entry of the input model's specification that a tensor stands for: by the name in the signature, else by position. */
static const kn_ioentry *counterpart(const kn_iolist *list, const kn_tflite_tensor *tensor, size_t position,
                                     size_t *out_order) {
  *out_order = position;
  for (size_t i = 0; tensor->signature_name && i < list->count; i++)
    if (list->entries[i].name && !strcmp(list->entries[i].name, tensor->signature_name)) {
      *out_order = i;
      return &list->entries[i];
    }
  return position < list->count ? &list->entries[position] : NULL;
}

static kn_status describe_list(const kn_tflite_tensor *tensors, size_t count, const kn_iolist *before,
                               kn_iolist *out_list) {
  for (size_t i = 0; i < count; i++) {
    const kn_tflite_tensor *tensor = &tensors[i];
    size_t order;
    const kn_ioentry *origin = counterpart(before, tensor, i, &order);
    kn_ioentry entry = {.name = (char *)(uintptr_t)tensor->name,
                        .dtype = kn_tflite_type_dtype(tensor->type),
                        .rank = tensor->rank,
                        .order = (int64_t)order,
                        .quantized = tensor->quantized,
                        .scale = (double)tensor->scale,
                        .zero_point = tensor->zero_point,
                        .class_name = origin ? origin->class_name : NULL};
    if (entry.dtype == KN_DTYPE_NONE)
      return kn_status_make(KN_INCOMPATIBLE, "'%s' is of type %s, which is not supported as input or output",
                            tensor->name, kn_tflite_type_name(tensor->type));
    memcpy(entry.shape, tensor->shape, sizeof entry.shape);
    if (tensor->quantized) entry.prequantized_dtype = origin ? origin->dtype : KN_FLOAT32;
    KN_TRY(kn_iolist_add(out_list, &entry));
  }
  return NULL;
}

kn_status kn_tflite_describe_io(const kn_tflite_model *model, const kn_iospec *input_spec, kn_iospec *out_spec) {
  *out_spec = (kn_iospec){0};
  const kn_iolist *inputs = input_spec->processed_input.count ? &input_spec->processed_input : &input_spec->input;
  kn_status status = describe_list(model->inputs, model->input_count, inputs, &out_spec->input);
  if (!status) status = describe_list(model->outputs, model->output_count, &input_spec->output, &out_spec->output);
  if (status) kn_iospec_clear(out_spec);
  return status;
}

static kn_status set_census(kn_record *record, const char *key, const size_t counts[KN_TFLITE_TYPES]) {
  char *text = kn_tflite_census_text(counts);
  if (!text) return kn_status_out_of_memory();
  kn_status status = kn_record_set_string(record, key, text);
  kn_free(text);
  return status;
}

kn_status kn_tflite_describe_contents(const kn_tflite_model *model, kn_record *record) {
  KN_TRY(kn_record_set_int(record, "weights_bytes", (int64_t)model->constant_bytes));
  KN_TRY(kn_record_set_int(record, "operators", (int64_t)model->operators));
  KN_TRY(kn_record_set_int(record, "layers", (int64_t)model->layers));
  KN_TRY(set_census(record, "layer_weights", model->layer_weights));
  KN_TRY(set_census(record, "layer_inputs", model->layer_inputs));
  KN_TRY(set_census(record, "constants", model->constants));
  return set_census(record, "activations", model->activations);
}
