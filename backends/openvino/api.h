/* OpenVINO's C API: the functions used, under prototypes of our own, found by dlsym; nothing here is linked. */
#ifndef KN_VINO_API_H
#define KN_VINO_API_H

#include <kenning/block.h>
#include <kenning/services.h>

typedef struct kn_vino_core kn_vino_core;
typedef struct kn_vino_model kn_vino_model;
typedef struct kn_vino_compiled kn_vino_compiled;
typedef struct kn_vino_request kn_vino_request;
typedef struct kn_vino_tensor kn_vino_tensor;
typedef struct kn_vino_port kn_vino_port; /* ov_output_const_port_t */

enum { KN_VINO_OK = 0 };

/* ov_shape_t */
typedef struct kn_vino_shape {
  int64_t rank;
  int64_t *dims;
} kn_vino_shape;

/* ov_dimension_t: bounds, both inclusive; max is INT64_MAX or -1 where there is none. */
typedef struct kn_vino_dimension {
  int64_t min, max;
} kn_vino_dimension;

/* ov_partial_shape_t; the rank is a dimension too. */
typedef struct kn_vino_partial_shape {
  kn_vino_dimension rank;
  kn_vino_dimension *dims;
} kn_vino_partial_shape;

/* ov_version_t */
typedef struct kn_vino_version {
  const char *build;
  const char *description;
} kn_vino_version;

/* ov_profiling_info_t */
typedef struct kn_vino_profile {
  int status; /* KN_VINO_EXECUTED, ... */
  int64_t real_us, cpu_us;
  const char *node_name;
  const char *exec_type;
  const char *node_type;
} kn_vino_profile;

enum { KN_VINO_EXECUTED = 2 };

typedef struct kn_vino_profiles {
  kn_vino_profile *items;
  size_t count;
} kn_vino_profiles;

/* X(result, name without "ov_", parameters) */
#define KN_VINO_FUNCTIONS(X)                                                                                     \
  X(int, get_openvino_version, (kn_vino_version * out_version))                                                  \
  X(void, version_free, (kn_vino_version * version))                                                             \
  X(const char *, get_error_info, (int status))                                                                  \
  X(const char *, get_last_err_msg, (void))                                                                      \
  X(void, free, (const char *text))                                                                              \
  X(int, core_create, (kn_vino_core * *out_core))                                                                \
  X(void, core_free, (kn_vino_core * core))                                                                      \
  X(int, core_read_model,                                                                                        \
    (const kn_vino_core *core, const char *path, const char *weights, kn_vino_model **out_model))                \
  X(int, core_compile_model,                                                                                     \
    (const kn_vino_core *core, const kn_vino_model *model, const char *device, size_t property_arguments,        \
     kn_vino_compiled **out_compiled, ...))                                                                      \
  X(int, core_get_property, (const kn_vino_core *core, const char *device, const char *key, char **out_value))   \
  X(void, model_free, (kn_vino_model * model))                                                                   \
  X(int, model_inputs_size, (const kn_vino_model *model, size_t *out_size))                                      \
  X(int, model_outputs_size, (const kn_vino_model *model, size_t *out_size))                                     \
  X(int, model_const_input_by_index, (const kn_vino_model *model, size_t index, kn_vino_port **out_port))        \
  X(int, model_const_output_by_index, (const kn_vino_model *model, size_t index, kn_vino_port **out_port))       \
  X(int, model_reshape_by_port_indexes,                                                                          \
    (const kn_vino_model *model, const size_t *indexes, const kn_vino_partial_shape *shapes, size_t size))       \
  X(void, output_const_port_free, (kn_vino_port * port))                                                         \
  X(int, port_get_any_name, (const kn_vino_port *port, char **out_name))                                         \
  X(int, port_get_element_type, (const kn_vino_port *port, int *out_type))                                       \
  X(int, port_get_partial_shape, (const kn_vino_port *port, kn_vino_partial_shape *out_shape))                   \
  X(void, partial_shape_free, (kn_vino_partial_shape * shape))                                                   \
  X(void, shape_free, (kn_vino_shape * shape))                                                                   \
  X(void, compiled_model_free, (kn_vino_compiled * compiled))                                                    \
  X(int, compiled_model_get_property, (const kn_vino_compiled *compiled, const char *key, char **out_value))     \
  X(int, compiled_model_create_infer_request, (const kn_vino_compiled *compiled, kn_vino_request **out_request)) \
  X(void, infer_request_free, (kn_vino_request * request))                                                       \
  X(int, infer_request_infer, (kn_vino_request * request))                                                       \
  X(int, infer_request_get_input_tensor_by_index,                                                                \
    (const kn_vino_request *request, size_t index, kn_vino_tensor **out_tensor))                                 \
  X(int, infer_request_get_output_tensor_by_index,                                                               \
    (const kn_vino_request *request, size_t index, kn_vino_tensor **out_tensor))                                 \
  X(int, infer_request_get_profiling_info, (const kn_vino_request *request, kn_vino_profiles *out_profiles))     \
  X(void, profiling_info_list_free, (kn_vino_profiles * profiles))                                               \
  X(int, tensor_get_element_type, (const kn_vino_tensor *tensor, int *out_type))                                 \
  X(int, tensor_get_shape, (const kn_vino_tensor *tensor, kn_vino_shape *out_shape))                             \
  X(int, tensor_get_byte_size, (const kn_vino_tensor *tensor, size_t *out_bytes))                                \
  X(int, tensor_data, (const kn_vino_tensor *tensor, void **out_data))                                           \
  X(void, tensor_free, (kn_vino_tensor * tensor))

typedef struct kn_vino_api {
#define KN_VINO_SLOT(result, name, parameters) result(*name) parameters;
  KN_VINO_FUNCTIONS(KN_VINO_SLOT)
#undef KN_VINO_SLOT
  char *path; /* of the library; NULL: not opened */
  char *version;
} kn_vino_api;

/* Opens the engine once; a second call does nothing. `library`: path or NULL, see kn_framework_file. KN_NOT_INSTALLED;
 * KN_INCOMPATIBLE for a library that lacks a function or is older than what this was written for. */
kn_status kn_vino_api_open(kn_vino_api *api, const char *library) KN_MUST_USE;
void kn_vino_api_clear(kn_vino_api *api);

/* Status for a call that did not return KN_VINO_OK, in the engine's words, put into one line. Never NULL. */
kn_status kn_vino_fault(const kn_vino_api *api, kn_code code, const char *what, int result) KN_MUST_USE;

/* The kn_dtype of an ov_element_type_e, KN_DTYPE_NONE for those that a tensor view cannot hold. */
kn_dtype kn_vino_dtype(int type);

#endif
