/* TVM's C run time API (c_runtime_api.h of TVM 0.8 to 0.16): the functions used, under prototypes of our own. */
#ifndef KN_TVM_RELAY_API_H
#define KN_TVM_RELAY_API_H

#include <kenning/status.h>

#include "dlpack.h"

typedef union kn_relay_value {
  int64_t integer;
  double number;
  void *handle;
  const char *text;
  kn_dl_device device;
} kn_relay_value;

/* TVMArgTypeCode and its extensions. */
enum {
  KN_RELAY_INT = 0,
  KN_RELAY_DEVICE = 6,
  KN_RELAY_TENSOR = 7, /* DLTensor * */
  KN_RELAY_MODULE = 9,
  KN_RELAY_STRING = 11,
  KN_RELAY_ARRAY = 13 /* NDArray: its handle is a DLTensor * */
};

/* TVMParallelGroupEnv: those that run one loop together. */
typedef struct kn_relay_team {
  void *barrier;
  int32_t count;
} kn_relay_team;

typedef int kn_relay_task(int number, kn_relay_team *team, void *context);

/* X(result, name without "TVM", parameters) */
#define KN_RELAY_FUNCTIONS(X)                                                                                  \
  X(const char *, GetLastError, (void))                                                                        \
  X(int, ModLoadFromFile, (const char *path, const char *format, void **out_module))                           \
  X(int, ModGetFunction, (void *module, const char *name, int imports, void **out_function))                   \
  X(int, ModFree, (void *module))                                                                              \
  X(int, FuncFree, (void *function))                                                                           \
  X(int, FuncGetGlobal, (const char *name, void **out_function))                                               \
  X(int, FuncCall,                                                                                             \
    (void *function, kn_relay_value *values, int *codes, int count, kn_relay_value *out_value, int *out_code)) \
  X(int, ArrayAlloc,                                                                                           \
    (const int64_t *shape, int rank, int code, int bits, int lanes, int device_type, int device,               \
     kn_dl_tensor **out_array))                                                                                \
  X(int, ArrayFree, (kn_dl_tensor * array))                                                                    \
  X(int, BackendParallelLaunch, (kn_relay_task * task, void *context, int count))

typedef struct kn_relay_api {
  char *path; /* of the opened library; NULL: not open */
#define KN_RELAY_SLOT(result, name, parameters) result(*name) parameters;
  KN_RELAY_FUNCTIONS(KN_RELAY_SLOT)
#undef KN_RELAY_SLOT
} kn_relay_api;

/* Opens the library (the block's parameter or NULL) unless it is open. KN_NOT_INSTALLED, KN_INCOMPATIBLE. */
kn_status kn_relay_api_open(kn_relay_api *api, const char *library) KN_MUST_USE;
void kn_relay_api_clear(kn_relay_api *api);

#endif
