/* State dictionaries: named tensors as torch.save writes them, read without executing the pickle and without PyTorch.
 * The archive of PyTorch 1.6 and later, and the format before it. */
#ifndef PYTORCH_STATE_DICT_H
#define PYTORCH_STATE_DICT_H

#include <kenning/plugin.h>

typedef struct state_tensor {
  char *name;
  kn_dtype dtype;
  uint32_t rank;
  int64_t shape[KN_MAX_RANK];
  const void *data; /* compact, row-major */
  size_t bytes;
  void *owned; /* `data` where it had to be brought into order */
} state_tensor;

typedef struct state_dict {
  state_tensor *items;
  size_t count;
  char *file; /* what the data point into */
} state_dict;

/* What a file is, told from its first bytes and, of an archive, its members. */
typedef enum torch_file {
  TORCH_FILE_UNKNOWN = 0,
  TORCH_FILE_SCRIPT, /* TorchScript */
  TORCH_FILE_STATE,  /* torch.save, a state dictionary or a module */
  TORCH_FILE_PACKAGE /* AOTInductor package */
} torch_file;

/* KN_NOT_FOUND, KN_BAD_DATA (damaged, or nothing of PyTorch's), KN_IO_ERROR. */
kn_status torch_file_kind(const char *path, torch_file *out_kind) KN_MUST_USE;

/* Bytes of the tensors of a TorchScript archive: of the members that hold their elements. KN_BAD_DATA. */
kn_status script_weights_bytes(const char *path, uint64_t *out_bytes) KN_MUST_USE;

/* Reads the dictionary, or the one at "state_dict" or "model_state_dict" of a checkpoint. KN_BAD_DATA, and
 * KN_INCOMPATIBLE for a pickled module, whose class is named: nothing of it is loaded. */
kn_status state_dict_read(const char *path, state_dict *out_state) KN_MUST_USE;
/* The same from memory; takes `data` (of kn_alloc) over, also when it fails. */
kn_status state_dict_parse(const char *path, char *data, size_t bytes, state_dict *out_state) KN_MUST_USE;
void state_dict_clear(state_dict *state);
const state_tensor *state_dict_find(const state_dict *state, const char *name);

#endif
