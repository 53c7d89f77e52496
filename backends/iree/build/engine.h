/* What the plug-in asks of IREE's runtime. The library libkenning-iree.so, which `kenning install iree` makes of IREE's
 * source and engine.c, exports exactly this, so that IREE's own types, which change from version to version, stay
 * inside. Includes nothing of Kenning and nothing of IREE. */
#ifndef KENNING_IREE_ENGINE_H
#define KENNING_IREE_ENGINE_H

#include <stddef.h>
#include <stdint.h>

/* Counts up whenever something below changes. */
enum { KENNING_IREE_INTERFACE = 1, KENNING_IREE_MAX_RANK = 8 };

typedef enum kenning_iree_type {
  KENNING_IREE_NONE = 0,
  KENNING_IREE_F32,
  KENNING_IREE_F16,
  KENNING_IREE_BF16,
  KENNING_IREE_F64,
  KENNING_IREE_I8,
  KENNING_IREE_U8,
  KENNING_IREE_I16,
  KENNING_IREE_U16,
  KENNING_IREE_I32,
  KENNING_IREE_U32,
  KENNING_IREE_I64,
  KENNING_IREE_U64,
  KENNING_IREE_BOOL
} kenning_iree_type;

typedef struct kenning_iree_tensor {
  kenning_iree_type type;
  uint32_t rank;
  int64_t shape[KENNING_IREE_MAX_RANK];
} kenning_iree_tensor;

/* Why a call failed; as much as fits. */
typedef struct kenning_iree_words {
  char text[1024];
} kenning_iree_words;

typedef struct kenning_iree_program kenning_iree_program;

/* Functions return 0 when all is well, else they fill `words`. A program is used by one thread at a time; different
 * programs by different threads. X(result, name, parameters) */
#define KENNING_IREE_FUNCTIONS(X)                                                                                      \
  /* Version of IREE's runtime, "3.13.0". */                                                                           \
  X(const char *, version, (void))                                                                                     \
  X(int, interface_number, (void))                                                                                     \
  /* Loads the module at `path`. `driver` is local-sync or local-task; `threads` is for the latter: 0 is one per core. \
   */                                                                                                                  \
  X(int, open,                                                                                                         \
    (const char *driver, int threads, const char *path, kenning_iree_program **out_program,                            \
     kenning_iree_words *words))                                                                                       \
  /* Number of threads that run it. */                                                                                 \
  X(int, threads, (const kenning_iree_program *program))                                                               \
  X(void, close, (kenning_iree_program * program))                                                                     \
  /* Name of the exported function number `index`, NULL beyond the last. Lives as long as the program. */              \
  X(const char *, function_name, (kenning_iree_program * program, size_t index))                                       \
  /* Its declaration as the compiler wrote it, "sync func @main(%input0: tensor<1x4xf32>) -> (%output0: ...)", or "".  \
   */                                                                                                                  \
  X(const char *, declaration, (kenning_iree_program * program, size_t index))                                         \
  /* Chooses the function to call and makes its inputs, filled with zeros. */                                          \
  X(int, prepare,                                                                                                      \
    (kenning_iree_program * program, size_t index, const kenning_iree_tensor *inputs, size_t count,                    \
     kenning_iree_words *words))                                                                                       \
  /* Memory of an input; written before invoke. */                                                                     \
  X(void *, input_data, (kenning_iree_program * program, size_t index))                                                \
  X(int, invoke, (kenning_iree_program * program, kenning_iree_words * words))                                         \
  /* What the last invoke gave. */                                                                                     \
  X(size_t, output_count, (kenning_iree_program * program))                                                            \
  X(int, output_tensor,                                                                                                \
    (kenning_iree_program * program, size_t index, kenning_iree_tensor * out_tensor, kenning_iree_words * words))      \
  /* Copies `bytes` bytes of output `index`, which has exactly that many. */                                           \
  X(int, output_data,                                                                                                  \
    (kenning_iree_program * program, size_t index, void *out, size_t bytes, kenning_iree_words *words))

#endif
