/* Whether a converted model is what was asked for. A converter that falls back to something else says
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
