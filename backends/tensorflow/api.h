/* The functions of the TensorFlow C API that this plug-in calls, with prototypes of our own: nothing is linked and no
 * header of TensorFlow is needed. One table makes the struct, the loading and the "symbol missing" message. */
#ifndef TENSORFLOW_API_H
#define TENSORFLOW_API_H

#include <kenning/plugin.h>

typedef struct TF_Status TF_Status;
typedef struct TF_Tensor TF_Tensor;
typedef struct TF_Graph TF_Graph;
typedef struct TF_Operation TF_Operation;
typedef struct TF_OperationDescription TF_OperationDescription;
typedef struct TF_Session TF_Session;
typedef struct TF_SessionOptions TF_SessionOptions;

typedef struct TF_Output {
  TF_Operation *oper;
  int index;
} TF_Output;

typedef struct TF_Buffer TF_Buffer;

/* Numbers of tensorflow/core/framework/types.proto. */
typedef enum TF_DataType {
  TF_FLOAT = 1,
  TF_DOUBLE = 2,
  TF_INT32 = 3,
  TF_UINT8 = 4,
  TF_INT16 = 5,
  TF_INT8 = 6,
  TF_INT64 = 9,
  TF_BOOL = 10,
  TF_BFLOAT16 = 14,
  TF_UINT16 = 17,
  TF_HALF = 19,
  TF_UINT32 = 22,
  TF_UINT64 = 23
} TF_DataType;

enum { TF_OK = 0, TF_INVALID_ARGUMENT = 3, TF_NOT_FOUND = 5, TF_RESOURCE_EXHAUSTED = 8, TF_UNIMPLEMENTED = 12 };

/* Result, name, parameters. */
#define TF_FUNCTIONS(X)                                                                                               \
  X(const char *, TF_Version, (void))                                                                                 \
  X(TF_Status *, TF_NewStatus, (void))                                                                                \
  X(void, TF_DeleteStatus, (TF_Status * status))                                                                      \
  X(int, TF_GetCode, (const TF_Status *status))                                                                       \
  X(const char *, TF_Message, (const TF_Status *status))                                                              \
  X(TF_Tensor *, TF_AllocateTensor, (TF_DataType type, const int64_t *dims, int num_dims, size_t bytes))              \
  X(void, TF_DeleteTensor, (TF_Tensor * tensor))                                                                      \
  X(TF_DataType, TF_TensorType, (const TF_Tensor *tensor))                                                            \
  X(int, TF_NumDims, (const TF_Tensor *tensor))                                                                       \
  X(int64_t, TF_Dim, (const TF_Tensor *tensor, int index))                                                            \
  X(size_t, TF_TensorByteSize, (const TF_Tensor *tensor))                                                             \
  X(void *, TF_TensorData, (const TF_Tensor *tensor))                                                                 \
  X(TF_Graph *, TF_NewGraph, (void))                                                                                  \
  X(void, TF_DeleteGraph, (TF_Graph * graph))                                                                         \
  X(TF_OperationDescription *, TF_NewOperation, (TF_Graph * graph, const char *type, const char *name))               \
  X(void, TF_AddInput, (TF_OperationDescription * op, TF_Output input))                                               \
  X(void, TF_AddInputList, (TF_OperationDescription * op, const TF_Output *inputs, int count))                        \
  X(void, TF_SetAttrString, (TF_OperationDescription * op, const char *name, const void *value, size_t length))       \
  X(void, TF_SetAttrInt, (TF_OperationDescription * op, const char *name, int64_t value))                             \
  X(void, TF_SetAttrIntList, (TF_OperationDescription * op, const char *name, const int64_t *values, int count))      \
  X(void, TF_SetAttrFloat, (TF_OperationDescription * op, const char *name, float value))                             \
  X(void, TF_SetAttrBool, (TF_OperationDescription * op, const char *name, unsigned char value))                      \
  X(void, TF_SetAttrType, (TF_OperationDescription * op, const char *name, TF_DataType value))                        \
  X(void, TF_SetAttrShape, (TF_OperationDescription * op, const char *name, const int64_t *dims, int num_dims))       \
  X(void, TF_SetAttrTensor, (TF_OperationDescription * op, const char *name, TF_Tensor *value, TF_Status *status))    \
  X(TF_Operation *, TF_FinishOperation, (TF_OperationDescription * op, TF_Status * status))                           \
  X(TF_Operation *, TF_GraphOperationByName, (TF_Graph * graph, const char *name))                                    \
  X(TF_Operation *, TF_GraphNextOperation, (TF_Graph * graph, size_t * position))                                     \
  X(int, TF_OperationNumOutputs, (TF_Operation * operation))                                                          \
  X(TF_DataType, TF_OperationOutputType, (TF_Output output))                                                          \
  X(int, TF_GraphGetTensorNumDims, (TF_Graph * graph, TF_Output output, TF_Status * status))                          \
  X(void, TF_GraphGetTensorShape,                                                                                     \
    (TF_Graph * graph, TF_Output output, int64_t * dims, int num_dims, TF_Status *status))                            \
  X(void, TF_AddGradients,                                                                                            \
    (TF_Graph * graph, TF_Output * y, int ny, TF_Output *x, int nx, TF_Output *dx, TF_Status *status, TF_Output *dy)) \
  X(TF_SessionOptions *, TF_NewSessionOptions, (void))                                                                \
  X(void, TF_DeleteSessionOptions, (TF_SessionOptions * options))                                                     \
  X(void, TF_SetConfig, (TF_SessionOptions * options, const void *proto, size_t length, TF_Status *status))           \
  X(TF_Session *, TF_NewSession, (TF_Graph * graph, const TF_SessionOptions *options, TF_Status *status))             \
  X(TF_Session *, TF_LoadSessionFromSavedModel,                                                                       \
    (const TF_SessionOptions *options, const TF_Buffer *run_options, const char *directory, const char *const *tags,  \
     int tag_count, TF_Graph *graph, TF_Buffer *meta_graph, TF_Status *status))                                       \
  X(void, TF_CloseSession, (TF_Session * session, TF_Status * status))                                                \
  X(void, TF_DeleteSession, (TF_Session * session, TF_Status * status))                                               \
  X(void, TF_SessionRun,                                                                                              \
    (TF_Session * session, const TF_Buffer *run_options, const TF_Output *inputs, TF_Tensor *const *input_values,     \
     int input_count, const TF_Output *outputs, TF_Tensor **output_values, int output_count,                          \
     const TF_Operation *const *targets, int target_count, TF_Buffer *run_metadata, TF_Status *status))

typedef struct tf_api {
#define TF_SLOT(type, name, parameters) type(*name) parameters;
  TF_FUNCTIONS(TF_SLOT)
#undef TF_SLOT
  const char *path; /* of the library */
  bool onednn;      /* its kernels are used where oneDNN has one */
} tf_api;

/* Lets TensorFlow use oneDNN's kernels when it is opened after this, unless the user has set TF_ENABLE_ONEDNN_OPTS: by
 * itself it does so only on processors with AVX-512 or its like, but a training step is 1.7 times as fast with them on
 * those with AVX2 as well (`TF_ENABLE_ONEDNN_OPTS=0 bench/training` shows it), while a small network's inference is
 * slower. Call it before the process has other threads that read the environment. */
void tf_api_prefer_onednn(void);

/* Opens libtensorflow_cc.so.2, which finds libtensorflow_framework.so.2 beside it, once per process; `library` is the
 * block's own option and may be NULL. KN_NOT_INSTALLED without the library, KN_INCOMPATIBLE when a function is missing
 * or another copy is already open. Any thread. */
kn_status tf_api_open(const char *library, const tf_api **out_api) KN_MUST_USE;

/* Turns a TensorFlow status into ours; `what` says what was tried ("run the model"). NULL when it is TF_OK. */
kn_status tf_status_take(const tf_api *tf, const TF_Status *status, const char *what) KN_MUST_USE;

/* Element type of TensorFlow and ours, both ways; 0 / KN_DTYPE_NONE for types that Kenning does not carry. */
TF_DataType tf_type_of(kn_dtype dtype);
kn_dtype tf_dtype_of(TF_DataType type);

#endif
