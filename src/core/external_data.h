/* Values of an .onnx model's tensors that lie in files of their own ("external data" of the schema, onnx.proto). */
#ifndef KENNING_CORE_EXTERNAL_DATA_H
#define KENNING_CORE_EXTERNAL_DATA_H

#include <kenning/status.h>

typedef struct kn_external_file {
  char *path;      /* beside the model */
  char *tensor;    /* the one that reaches farthest into it */
  uint64_t needed; /* bytes that the file must have at least */
} kn_external_file;

typedef struct kn_external_data {
  kn_external_file *files; /* each once, in the order of the model */
  size_t count;
} kn_external_data;

/* The files that the .onnx model at `path` names; none for other files and where the bytes are no model, which is told
 * by who reads it. KN_BAD_DATA for a location that is absolute or leads out of the model's directory, KN_INCOMPATIBLE
 * for more than 4096 files. Reads the file's structure, not its weights. */
kn_status kn_external_data_read(const char *path, kn_external_data *out_data) KN_MUST_USE;
void kn_external_data_clear(kn_external_data *data);

/* Whether every file is there and long enough: KN_NOT_FOUND and KN_BAD_DATA with the file and a tensor of it. */
kn_status kn_external_data_check(const char *path) KN_MUST_USE;

#endif
