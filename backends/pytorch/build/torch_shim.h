/* A C interface to what this plug-in needs of libtorch, which has none: TorchScript modules, made and run, and steps of
 * training. `kenning install pytorch` compiles torch_shim.cpp on the machine it runs on; the plug-in opens the result.
 *
 * Every function but those that tell something returns 0, or -1 with words in torch_shim_error. No exception gets out.
 * An object is used by one thread at a time. */
#ifndef PYTORCH_TORCH_SHIM_H
#define PYTORCH_TORCH_SHIM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#pragma GCC visibility push(default)
extern "C" {
#endif

enum { TORCH_SHIM_ABI = 1, TORCH_SHIM_MAX_RANK = 8 };

/* Element types: c10::ScalarType. */
enum {
  TORCH_UINT8 = 0,
  TORCH_INT8 = 1,
  TORCH_INT16 = 2,
  TORCH_INT32 = 3,
  TORCH_INT64 = 4,
  TORCH_FLOAT16 = 5,
  TORCH_FLOAT32 = 6,
  TORCH_FLOAT64 = 7,
  TORCH_BOOL = 11,
  TORCH_BFLOAT16 = 15
};

typedef struct torch_shim_tensor {
  void *data; /* compact, row-major */
  int32_t dtype, rank;
  int64_t shape[TORCH_SHIM_MAX_RANK];
} torch_shim_tensor;

typedef struct torch_shim_module torch_shim_module;
typedef struct torch_shim_trainer torch_shim_trainer;

/* When a parameter is trained. */
enum { TORCH_SHIM_ALWAYS = 0, TORCH_SHIM_UNFROZEN = 1, TORCH_SHIM_NEVER = 2 };

typedef struct torch_shim_step {
  int64_t number, unfrozen_number; /* steps made before; and of these, with what was frozen first */
  double learning_rate;
  uint64_t seed;
  int32_t unfrozen;
} torch_shim_step;

/* Result, name, parameters. */
#define TORCH_SHIM_FUNCTIONS(X)                                                                                      \
  X(int32_t, torch_shim_abi, (void))                                                                                 \
  /* "2.7.1" */                                                                                                      \
  X(const char *, torch_shim_version, (void))                                                                        \
  /* Of the last failure in this thread. */                                                                          \
  X(const char *, torch_shim_error, (void))                                                                          \
  X(void, torch_shim_threads, (int32_t threads))                                                                     \
  /* A TorchScript archive; `extra` names a member of it whose text is handed out by torch_shim_extra. */            \
  X(int32_t, torch_shim_load, (const char *path, const char *extra, torch_shim_module **out))                        \
  X(const char *, torch_shim_extra, (const torch_shim_module *module))                                               \
  X(int32_t, torch_shim_create, (const char *name, torch_shim_module **out))                                         \
  /* A parameter (`trained` is one of the above) or, with -1, a buffer, under a dotted name. The data are copied. */ \
  X(int32_t, torch_shim_add,                                                                                         \
    (torch_shim_module * module, const char *name, const torch_shim_tensor *value, int32_t trained))                 \
  /* TorchScript source of the method forward(self, x). */                                                           \
  X(int32_t, torch_shim_define, (torch_shim_module * module, const char *source))                                    \
  /* For inference: frozen, and optimized where that gives a module that still runs. No training afterwards. */      \
  X(int32_t, torch_shim_prepare, (torch_shim_module * module))                                                       \
  X(int32_t, torch_shim_save,                                                                                        \
    (torch_shim_module * module, const char *path, const char *extra, const char *extra_text))                       \
  X(void, torch_shim_free, (torch_shim_module * module))                                                             \
  X(int32_t, torch_shim_parameters, (const torch_shim_module *module, uint64_t *out_bytes, uint64_t *out_operators)) \
  /* Declares the inputs; their data live in the module and are written by the caller. */                            \
  X(int32_t, torch_shim_inputs, (torch_shim_module * module, torch_shim_tensor * inputs, int32_t count))             \
  X(int32_t, torch_shim_run, (torch_shim_module * module))                                                           \
  X(int32_t, torch_shim_output_count, (const torch_shim_module *module))                                             \
  /* The data live until the next run. */                                                                            \
  X(int32_t, torch_shim_output, (torch_shim_module * module, int32_t index, torch_shim_tensor * out))                \
  /* optimizer 0: Adam, 1: SGD. The module must outlive it. */                                                       \
  X(int32_t, torch_shim_trainer_create, (torch_shim_module * module, int32_t optimizer, torch_shim_trainer * *out))  \
  X(void, torch_shim_trainer_free, (torch_shim_trainer * trainer))                                                   \
  X(int32_t, torch_shim_trainer_count, (const torch_shim_trainer *trainer))                                          \
  X(const char *, torch_shim_trainer_tensor,                                                                         \
    (const torch_shim_trainer *trainer, int32_t index, uint64_t *out_elements, int32_t *out_weight))                 \
  X(int32_t, torch_shim_trainer_fetch, (torch_shim_trainer * trainer, int32_t index, float *out_values))             \
  X(int32_t, torch_shim_trainer_store, (torch_shim_trainer * trainer, int32_t index, const float *values))           \
  /* One step on the mean of weight * cross-entropy; `logits` are those before it. */                                \
  X(int32_t, torch_shim_trainer_step,                                                                                \
    (torch_shim_trainer * trainer, const torch_shim_tensor *samples, const int64_t *labels, const float *weights,    \
     const torch_shim_step *step, float *out_logits, uint64_t logits))                                               \
  X(int32_t, torch_shim_trainer_evaluate,                                                                            \
    (torch_shim_trainer * trainer, const torch_shim_tensor *samples, float *out_logits, uint64_t logits))

#ifdef __cplusplus
#define TORCH_SHIM_DECLARE(type, name, parameters) type name parameters;
TORCH_SHIM_FUNCTIONS(TORCH_SHIM_DECLARE)
#undef TORCH_SHIM_DECLARE
}
#pragma GCC visibility pop
#endif
#endif
