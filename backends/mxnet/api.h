/* The functions of MXNet's C interface that this plug-in calls, with prototypes of our own: nothing is linked and no
 * header of MXNet is needed. All of them return 0 or leave their words in MXGetLastError. */
#ifndef MXNET_API_H
#define MXNET_API_H

#include <kenning/plugin.h>

/* Handles are pointers to nothing we know. */
typedef struct mx_predictor mx_predictor;
typedef struct mx_ndarray mx_ndarray;
typedef struct mx_symbol mx_symbol;
typedef struct mx_executor mx_executor;
typedef const struct mx_operator mx_operator;

enum { MX_CPU = 1, MX_FLOAT32 = 0, MX_UINT8 = 3 };
/* What becomes of a gradient: OpReqType. */
enum { MX_GRADIENT_NONE = 0, MX_GRADIENT_WRITE = 1 };

/* Result, name, parameters. */
#define MX_FUNCTIONS(X)                                                                                                \
  X(const char *, MXGetLastError, (void))                                                                              \
  X(int, MXGetVersion, (int *out_version))                                                                             \
  X(int, MXRandomSeed, (int seed))                                                                                     \
  X(int, MXSetNumOMPThreads, (int threads))                                                                            \
  X(int, MXPredCreate,                                                                                                 \
    (const char *symbol, const void *params, int params_bytes, int device_type, int device, uint32_t inputs,           \
     const char **names, const uint32_t *shape_offsets, const uint32_t *shapes, mx_predictor **out))                   \
  X(int, MXPredGetOutputShape, (mx_predictor * predictor, uint32_t index, uint32_t * *out_shape, uint32_t * out_rank)) \
  X(int, MXPredGetOutputType, (mx_predictor * predictor, uint32_t index, int *out_dtype))                              \
  X(int, MXPredSetInput, (mx_predictor * predictor, const char *name, const float *data, uint32_t elements))           \
  X(int, MXPredForward, (mx_predictor * predictor))                                                                    \
  X(int, MXPredGetOutput, (mx_predictor * predictor, uint32_t index, float *data, uint32_t elements))                  \
  X(int, MXPredFree, (mx_predictor * predictor))                                                                       \
  X(int, MXNDArrayCreateEx,                                                                                            \
    (const uint32_t *shape, uint32_t rank, int device_type, int device, int delay, int dtype, mx_ndarray **out))       \
  X(int, MXNDArrayFree, (mx_ndarray * array))                                                                          \
  X(int, MXNDArraySyncCopyFromCPU, (mx_ndarray * array, const void *data, size_t elements))                            \
  X(int, MXNDArraySyncCopyToCPU, (mx_ndarray * array, void *data, size_t elements))                                    \
  X(int, MXNDArrayGetData, (mx_ndarray * array, void **out_data))                                                      \
  X(int, MXNDArraySave, (const char *path, uint32_t count, mx_ndarray **arrays, const char **names))                   \
  X(int, MXNDArrayWaitAll, (void))                                                                                     \
  X(int, MXSymbolListAtomicSymbolCreators, (uint32_t * out_count, mx_operator * **out_operators))                      \
  X(int, MXSymbolGetAtomicSymbolName, (mx_operator * operator_, const char **out_name))                                \
  X(int, MXSymbolCreateFromJSON, (const char *json, mx_symbol **out))                                                  \
  X(int, MXSymbolFree, (mx_symbol * symbol))                                                                           \
  X(int, MXSymbolListArguments, (mx_symbol * symbol, uint32_t * out_count, const char ***out_names))                   \
  X(int, MXSymbolListAuxiliaryStates, (mx_symbol * symbol, uint32_t * out_count, const char ***out_names))             \
  X(int, MXSymbolInferShape,                                                                                           \
    (mx_symbol * symbol, uint32_t known, const char **names, const uint32_t *shape_offsets, const uint32_t *shapes,    \
     uint32_t *argument_count, const uint32_t **argument_ranks, const uint32_t ***argument_shapes,                     \
     uint32_t *output_count, const uint32_t **output_ranks, const uint32_t ***output_shapes, uint32_t *state_count,    \
     const uint32_t **state_ranks, const uint32_t ***state_shapes, int *out_complete))                                 \
  X(int, MXExecutorBind,                                                                                               \
    (mx_symbol * symbol, int device_type, int device, uint32_t count, mx_ndarray **arguments, mx_ndarray **gradients,  \
     uint32_t *requests, uint32_t state_count, mx_ndarray **states, mx_executor **out))                                \
  X(int, MXExecutorForward, (mx_executor * executor, int training))                                                    \
  X(int, MXExecutorBackward, (mx_executor * executor, uint32_t count, mx_ndarray * *gradients))                        \
  X(int, MXExecutorOutputs, (mx_executor * executor, uint32_t * out_count, mx_ndarray * **out_arrays))                 \
  X(int, MXExecutorFree, (mx_executor * executor))                                                                     \
  X(int, MXImperativeInvoke,                                                                                           \
    (mx_operator * operator_, int input_count, mx_ndarray **inputs, int *output_count, mx_ndarray ***outputs,          \
     int parameter_count, const char **names, const char **values))

typedef struct mx_api {
#define MX_SLOT(type, name, parameters) type(*name) parameters;
  MX_FUNCTIONS(MX_SLOT)
#undef MX_SLOT
  const char *path; /* of the library */
  char version[24];
} mx_api;

/* Opens libmxnet.so, once per process; `library` is the block's own option and may be NULL. KN_NOT_INSTALLED without
 * the library, KN_INCOMPATIBLE when a function is missing, the version is not 1.9, or another copy is open. Any thread.
 */
kn_status mx_api_open(const char *library, const mx_api **out_api) KN_MUST_USE;

/* NULL for 0, else MXNet's own words; `what` says what was tried ("run the model"). */
kn_status mx_result(const mx_api *mx, int result, const char *what) KN_MUST_USE;

/* Sets the number of threads of one operator for the whole process; 0: as many as there are cores. Returns it. */
int64_t mx_threads(const mx_api *mx, int64_t threads);

#endif
