/* Whether a converted model is what was asked for, and what it is. A converter that falls back to something else says
 * so in passing at most; measurements under a wrong name would follow. */
#include "compiler.h"

#include <string.h>

static kn_status check_interface(const char *side, const kn_tflite_tensor *list, size_t count, int asked) {
  for (size_t i = 0; i < count; i++) {
    bool numeric = list[i].type == KN_TFLITE_FLOAT32 || list[i].type == KN_TFLITE_INT8 ||
                   list[i].type == KN_TFLITE_UINT8 || list[i].type == KN_TFLITE_INT16 ||
                   list[i].type == KN_TFLITE_FLOAT16;
    /* Indices, texts and the like keep their type. */
    if (!numeric || list[i].type == asked) continue;
    return kn_status_make(KN_BACKEND_FAILED, "the converter made %s '%s' of type %s, where %s was asked for", side,
                          list[i].name, kn_tflite_type_name(list[i].type), kn_tflite_io_type_name(asked));
  }
  return NULL;
}

static kn_status wrong_layers(const kn_tflite_model *model, const char *asked) {
  char *weights = kn_tflite_census_text(model->layer_weights), *values = kn_tflite_census_text(model->layer_inputs);
  kn_status status =
      weights && values
          ? kn_status_make(KN_BACKEND_FAILED,
                           "the converter was asked for %s, but of %zu convolutions and fully connected layers the "
                           "weights are %s, computing on %s",
                           asked, model->layers, weights, values)
          : kn_status_out_of_memory();
  kn_free(weights);
  kn_free(values);
  return status;
}

static kn_status check_edgetpu(const kn_tflite_model *model) {
  for (size_t i = 0; i < model->kind_count; i++)
    if (model->kinds[i].custom && model->kinds[i].count && !strcmp(model->kinds[i].name, "edgetpu-custom-op"))
      return NULL;
  return kn_status_make(KN_BACKEND_FAILED, "the Edge TPU's compiler put no part of the model onto the Edge TPU");
}

kn_status kn_tflite_verify(const kn_tflite_compiler *compiler, const kn_tflite_model *model, bool before_edgetpu) {
  KN_TRY(check_interface("input", model->inputs, model->input_count, compiler->inference_input_type));
  KN_TRY(check_interface("output", model->outputs, model->output_count, compiler->inference_output_type));
  size_t layers = model->layers;
  switch ((kn_tflite_target)compiler->target) {
    case KN_TFLITE_TARGET_DEFAULT: {
      static const int quantized[] = {KN_TFLITE_INT8, KN_TFLITE_UINT8, KN_TFLITE_INT16, KN_TFLITE_FLOAT16};
      size_t constants = 0;
      for (size_t i = 0; i < sizeof quantized / sizeof *quantized; i++) constants += model->constants[quantized[i]];
      if (constants || model->layer_weights[KN_TFLITE_FLOAT32] != layers) return wrong_layers(model, "float32");
      return NULL;
    }
    case KN_TFLITE_TARGET_FLOAT16:
      return model->layer_weights[KN_TFLITE_FLOAT16] == layers ? NULL : wrong_layers(model, "float16 weights");
    case KN_TFLITE_TARGET_EDGETPU:
      if (!before_edgetpu) return check_edgetpu(model);
      break;
    case KN_TFLITE_TARGET_INT8:
      break;
  }
  bool integer = model->layer_weights[KN_TFLITE_INT8] == layers && model->layer_inputs[KN_TFLITE_INT8] == layers;
  return integer ? NULL : wrong_layers(model, "int8");
}

/* ---- description ---- */

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
