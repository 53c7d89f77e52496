/* For plug-ins in which a runtime and model wrappers run the same loaded model, an `inference` of the plug-in's own.
 *
 * KN_INFERENCE_FORWARDS defines the functions of kn_inference_ops but `load`, for a block whose instance, `block`, has
 * the loaded model as `member`: they call the plug-in's inference_unload, inference_iospec, ... with it.
 * KN_INFERENCE_OPS is the table of them, with the block's own `load`. */
#ifndef KN_SHARED_INFERENCE_FORWARDS_H
#define KN_SHARED_INFERENCE_FORWARDS_H

#include <kenning/block.h>

#define KN_INFERENCE_FORWARDS(block, member)                                                        \
  static void loaded_unload(void *self) { inference_unload(&((block *)self)->member); }             \
  static kn_status loaded_iospec(void *self, kn_iospec *out_spec) {                                 \
    return inference_iospec(&((block *)self)->member, out_spec);                                    \
  }                                                                                                 \
  static kn_status loaded_set_input(void *self, const kn_tensor_view *inputs, size_t count) {       \
    return inference_set_input(&((block *)self)->member, inputs, count);                            \
  }                                                                                                 \
  static kn_status loaded_invoke(void *self) { return inference_invoke(&((block *)self)->member); } \
  static kn_status loaded_output(void *self, const kn_tensor_view *outputs, size_t count) {         \
    return inference_output(&((block *)self)->member, outputs, count);                              \
  }                                                                                                 \
  static kn_status loaded_statistics(void *self, kn_record *out_record) {                           \
    return inference_statistics(&((block *)self)->member, out_record);                              \
  }

#define KN_INFERENCE_OPS(load_function)                                                                               \
  {                                                                                                                   \
    .struct_size = sizeof(kn_inference_ops), .load = load_function, .unload = loaded_unload, .iospec = loaded_iospec, \
    .set_input = loaded_set_input, .invoke = loaded_invoke, .output = loaded_output, .statistics = loaded_statistics  \
  }

#endif
