/* What a model file is, by its content: OpenVINO goes by the names of files, and says little when they mislead it. */
#ifndef KN_VINO_MODEL_FILE_H
#define KN_VINO_MODEL_FILE_H

#include <kenning/services.h>

typedef enum kn_vino_format { KN_VINO_IR = 1, KN_VINO_ONNX, KN_VINO_TFLITE, KN_VINO_SAVED_MODEL } kn_vino_format;

/* "openvino", "onnx", "tflite", "saved_model". */
const char *kn_vino_format_name(kn_vino_format format);

/* By its first bytes, an ONNX model also by its operator sets. KN_NOT_FOUND, KN_IO_ERROR, KN_BAD_DATA, KN_INCOMPATIBLE
 * for models of other frameworks and ONNX operator sets that are newer than OpenVINO. */
kn_status kn_vino_format_of(const char *path, kn_vino_format *out_format) KN_MUST_USE;

/* A name under which OpenVINO takes the file for what it is: the path itself, or a link to it that ends in ".onnx" or
 * ".tflite" in a directory made for it. Give it back with kn_vino_name_free, which removes the link. */
kn_status kn_vino_name_make(kn_vino_format format, const char *path, char **out_name) KN_MUST_USE;
void kn_vino_name_free(const char *path, char *name);

/* Path of the weights of the IR `path`, "model.xml" -> "model.bin"; free with kn_free. NULL: out of memory. */
char *kn_vino_weights_path(const char *path);

#endif
