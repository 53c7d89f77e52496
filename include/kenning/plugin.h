/* Plug-ins. A plug-in is a shared object with one exported function, kenning_plugin_query, which the macro KN_PLUGIN
 * writes. It includes this header only, links nothing of Kenning, and never links its framework.
 *
 * The functions of the other headers are reached through the host's table; plugin.h provides them under their own
 * names when exactly one file of the plug-in defines KN_PLUGIN_MAIN before including it. */
#ifndef KENNING_PLUGIN_H
#define KENNING_PLUGIN_H

#include <kenning/block.h>
#include <kenning/process.h>
#include <kenning/production.h>
#include <kenning/protobuf.h>
#include <kenning/services.h>
#include <kenning/training.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KN_PLUGIN_MAGIC 0x4b4e504cu /* "KNPL" */
/* Until release 1.0 the major number is 0 and both numbers must match the host's exactly. */
#define KN_ABI_MAJOR 0
#define KN_ABI_MINOR 9

typedef enum kn_sanitizer { KN_SANITIZER_NONE = 0, KN_SANITIZER_ADDRESS = 1, KN_SANITIZER_THREAD = 2 } kn_sanitizer;
/* gcc says it by macros, clang by __has_feature. */
#if defined(__has_feature)
#define KN_HAS_FEATURE(feature) __has_feature(feature)
#else
#define KN_HAS_FEATURE(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || KN_HAS_FEATURE(address_sanitizer)
#define KN_SANITIZER_KIND KN_SANITIZER_ADDRESS
#elif defined(__SANITIZE_THREAD__) || KN_HAS_FEATURE(thread_sanitizer)
#define KN_SANITIZER_KIND KN_SANITIZER_THREAD
#else
#define KN_SANITIZER_KIND KN_SANITIZER_NONE
#endif

typedef struct kn_plugin {
  uint32_t magic;
  uint16_t abi_major, abi_minor;
  uint32_t struct_size;
  uint32_t sanitizer;
  const char *name; /* "tflite"; also the framework's name for `kenning install` */
  const char *version;
  const char *license;            /* SPDX */
  const char *framework_version;  /* versions it was written for, e.g. "2.17 - 2.21", or NULL */
  const kn_class *const *classes; /* NULL-terminated */
} kn_plugin;

/* The host's functions: return type, name, parameters, arguments. Append only; the order is the ABI. */
#define KN_HOST_FUNCTIONS(X)                                                                                           \
  X(void *, kn_alloc, (size_t size), (size))                                                                           \
  X(void *, kn_realloc, (void *pointer, size_t size), (pointer, size))                                                 \
  X(void *, kn_alloc_array, (size_t count, size_t size), (count, size))                                                \
  X(char *, kn_strdup, (const char *text), (text))                                                                     \
  X(char *, kn_strndup, (const char *text, size_t length), (text, length))                                             \
  X(char *, kn_vformat, (const char *format, va_list arguments), (format, arguments))                                  \
  X(kn_status, kn_status_vmake_at, (kn_code code, const char *where, const char *format, va_list arguments),           \
    (code, where, format, arguments))                                                                                  \
  X(kn_status, kn_status_out_of_memory, (void), ())                                                                    \
  X(kn_status, kn_status_vannotate, (kn_status status, const char *format, va_list arguments),                         \
    (status, format, arguments))                                                                                       \
  X(kn_status, kn_status_join, (kn_status first, kn_status second), (first, second))                                   \
  X(kn_code, kn_status_code, (kn_status status), (status))                                                             \
  X(size_t, kn_status_count, (kn_status status), (status))                                                             \
  X(const char *, kn_status_message, (kn_status status, size_t index), (status, index))                                \
  X(const char *, kn_code_name, (kn_code code), (code))                                                                \
  X(size_t, kn_dtype_size, (kn_dtype dtype), (dtype))                                                                  \
  X(const char *, kn_dtype_name, (kn_dtype dtype), (dtype))                                                            \
  X(kn_dtype, kn_dtype_from_name, (const char *name), (name))                                                          \
  X(kn_status, kn_tensor_bytes, (kn_dtype dtype, uint32_t rank, const int64_t *shape, size_t *out_bytes),              \
    (dtype, rank, shape, out_bytes))                                                                                   \
  X(size_t, kn_tensor_elements, (const kn_tensor_view *view), (view))                                                  \
  X(char *, kn_shape_text, (uint32_t rank, const int64_t *shape), (rank, shape))                                       \
  X(kn_status, kn_tensor_create, (kn_dtype dtype, uint32_t rank, const int64_t *shape, kn_tensor_view *out_tensor),    \
    (dtype, rank, shape, out_tensor))                                                                                  \
  X(kn_status, kn_quantize,                                                                                            \
    (const float *values, size_t count, double scale, int64_t zero_point, kn_dtype dtype, void *out),                  \
    (values, count, scale, zero_point, dtype, out))                                                                    \
  X(kn_status, kn_dequantize,                                                                                          \
    (const void *values, size_t count, double scale, int64_t zero_point, kn_dtype dtype, float *out),                  \
    (values, count, scale, zero_point, dtype, out))                                                                    \
  X(kn_status, kn_iolist_add, (kn_iolist * list, const kn_ioentry *entry), (list, entry))                              \
  X(kn_status, kn_iospec_copy, (const kn_iospec *from, kn_iospec *out_spec), (from, out_spec))                         \
  X(kn_status, kn_iospec_parse, (const char *json, size_t length, const char *name, kn_iospec *out_spec),              \
    (json, length, name, out_spec))                                                                                    \
  X(kn_status, kn_iospec_read, (const char *path, kn_iospec *out_spec), (path, out_spec))                              \
  X(kn_status, kn_iospec_write, (const kn_iospec *spec, const char *path), (spec, path))                               \
  X(kn_status, kn_iospec_text, (const kn_iospec *spec, char **out_json, size_t *out_bytes),                            \
    (spec, out_json, out_bytes))                                                                                       \
  X(kn_status, kn_record_set_string, (kn_record * record, const char *key, const char *value), (record, key, value))   \
  X(kn_status, kn_record_set_int, (kn_record * record, const char *key, int64_t value), (record, key, value))          \
  X(kn_status, kn_record_set_number, (kn_record * record, const char *key, double value), (record, key, value))        \
  X(kn_status, kn_record_set_bool, (kn_record * record, const char *key, bool value), (record, key, value))            \
  X(kn_status, kn_record_set_numbers, (kn_record * record, const char *key, const double *values, size_t count),       \
    (record, key, values, count))                                                                                      \
  X(kn_status, kn_record_set_strings, (kn_record * record, const char *key, const char *const *values, size_t count),  \
    (record, key, values, count))                                                                                      \
  X(kn_status, kn_record_object, (kn_record * record, const char *key, kn_record **out_child),                         \
    (record, key, out_child))                                                                                          \
  X(kn_status, kn_record_append_object, (kn_record * record, const char *key, kn_record **out_child),                  \
    (record, key, out_child))                                                                                          \
  X(bool, kn_cancelled, (void), ())                                                                                    \
  X(int64_t, kn_now_ns, (void), ())                                                                                    \
  X(int64_t, kn_thread_count, (int64_t wanted), (wanted))                                                              \
  X(kn_status, kn_framework_file, (const char *framework, const char *key, const char *parameter, char **out_path),    \
    (framework, key, parameter, out_path))                                                                             \
  X(kn_status, kn_library_open, (const char *path, void **out_handle), (path, out_handle))                             \
  X(kn_status, kn_library_open_once,                                                                                   \
    (const char *framework, const char *parameter, kn_status (*opener)(const char *path)),                             \
    (framework, parameter, opener))                                                                                    \
  X(kn_status, kn_tool_run, (const kn_tool_request *request, kn_record *result), (request, result))                    \
  X(kn_status, kn_tool_identity, (const char *framework, const char *script, char **out_identity),                     \
    (framework, script, out_identity))                                                                                 \
  X(kn_status, kn_sha256_file, (const char *path, char out_hex[65]), (path, out_hex))                                  \
  X(kn_status, kn_sha256, (const void *data, size_t bytes, char out_hex[65]), (data, bytes, out_hex))                  \
  X(kn_status, kn_sha256_path, (const char *path, char out_hex[65]), (path, out_hex))                                  \
  X(kn_status, kn_cache_lookup, (const char *key, const char *path, bool *out_hit), (key, path, out_hit))              \
  X(kn_status, kn_cache_store, (const char *key, const char *path), (key, path))                                       \
  X(kn_status, kn_production_run, (const kn_production *production, kn_record *record), (production, record))          \
  X(kn_status, kn_file_write, (const char *path, const void *data, size_t bytes), (path, data, bytes))                 \
  X(kn_status, kn_file_read, (const char *path, size_t limit, char **out_data, size_t *out_bytes),                     \
    (path, limit, out_data, out_bytes))                                                                                \
  X(kn_status, kn_file_temporary, (const char *path, char **out_temporary), (path, out_temporary))                     \
  X(kn_status, kn_file_publish, (const char *temporary, const char *path), (temporary, path))                          \
  X(kn_status, kn_directory_temporary, (const char *beside, const char *name, char **out_directory),                   \
    (beside, name, out_directory))                                                                                     \
  X(kn_status, kn_samples_write,                                                                                       \
    (const kn_samples *samples, size_t count, const char *what, const char *path, const char *labels_path),            \
    (samples, count, what, path, labels_path))                                                                         \
  X(kn_status, kn_samples_write_beside,                                                                                \
    (const kn_samples *samples, size_t count, const char *path, const char *name, char **out_file, char **out_labels), \
    (samples, count, path, name, out_file, out_labels))                                                                \
  X(kn_status, kn_samples_record, (const kn_samples *samples, size_t count, const char *key, kn_record *record),       \
    (samples, count, key, record))                                                                                     \
  X(kn_status, kn_process_run, (const kn_process_request *request, kn_process_result *out_result),                     \
    (request, out_result))                                                                                             \
  X(kn_status, kn_process_output, (const char *const *arguments, double timeout_s, char **out_text),                   \
    (arguments, timeout_s, out_text))                                                                                  \
  X(kn_status, kn_process_find, (const char *program, char **out_path), (program, out_path))                           \
  X(kn_status, kn_iolist_bind,                                                                                         \
    (const kn_iolist *given, const kn_iolist *found, const char *what, kn_iolist *out_list, size_t *out_places),       \
    (given, found, what, out_list, out_places))                                                                        \
  X(kn_status, kn_iolist_inherit, (kn_iolist * list, const kn_iolist *before), (list, before))                         \
  X(kn_status, kn_ioentry_store, (const kn_ioentry *entry, const kn_tensor_view *view, void *out), (entry, view, out)) \
  X(kn_status, kn_ioentry_fetch, (const kn_ioentry *entry, const void *from, const kn_tensor_view *out),               \
    (entry, from, out))                                                                                                \
  X(kn_status, kn_training_check, (const kn_training_options *options), (options))                                     \
  X(kn_status, kn_training_batch_size, (const kn_train_request *request, size_t *out_size), (request, out_size))       \
  X(kn_status, kn_training_run,                                                                                        \
    (const kn_training_options *options, const kn_train_request *request, const kn_trainer *trainer,                   \
     kn_record *out_history),                                                                                          \
    (options, request, trainer, out_history))                                                                          \
  X(bool, kn_protobuf_next, (kn_protobuf * message, kn_protobuf_field * out_field), (message, out_field))              \
  X(bool, kn_protobuf_varint, (kn_protobuf * list, uint64_t * out_value), (list, out_value))                           \
  X(kn_status, kn_file_map, (const char *path, const void **out_data, size_t *out_bytes), (path, out_data, out_bytes)) \
  X(kn_status, kn_library_functions,                                                                                   \
    (void *handle, const char *path, const kn_symbol *symbols, size_t count, const char *meaning, void *table),        \
    (handle, path, symbols, count, meaning, table))

/* Functions without result (C has no `return` of void expressions in strict mode). */
#define KN_HOST_PROCEDURES(X)                                                                                    \
  X(kn_free, (void *pointer), (pointer))                                                                         \
  X(kn_status_free, (kn_status status), (status))                                                                \
  X(kn_directory_discard, (char *directory), (directory))                                                        \
  X(kn_tensor_free, (kn_tensor_view * tensor), (tensor))                                                         \
  X(kn_iospec_clear, (kn_iospec * spec), (spec))                                                                 \
  X(kn_vlog, (kn_log_level level, const char *format, va_list arguments), (level, format, arguments))            \
  X(kn_progress, (const char *what, double done, double total, const char *detail), (what, done, total, detail)) \
  X(kn_file_unmap, (const void *data, size_t bytes), (data, bytes))

typedef struct kn_host {
  size_t struct_size;
  uint16_t abi_major, abi_minor;
#define KN_HOST_SLOT(type, name, parameters, arguments) type(*name) parameters;
  KN_HOST_FUNCTIONS(KN_HOST_SLOT)
#undef KN_HOST_SLOT
#define KN_HOST_SLOT(name, parameters, arguments) void(*name) parameters;
  KN_HOST_PROCEDURES(KN_HOST_SLOT)
#undef KN_HOST_SLOT
} kn_host;

/* As kn_status_annotate. */
KN_API kn_status kn_status_vannotate(kn_status status, const char *format, va_list arguments) KN_MUST_USE
    KN_PRINTF(2, 0);

typedef const kn_plugin *(*kn_plugin_query_fn)(const kn_host *host);

#ifdef KN_PLUGIN_MAIN
#define KN_HIDDEN __attribute__((visibility("hidden")))
static const kn_host *kn_host_;
#define KN_HOST_FORWARD(type, name, parameters, arguments) \
  KN_HIDDEN type name parameters { return kn_host_->name arguments; }
KN_HOST_FUNCTIONS(KN_HOST_FORWARD)
#undef KN_HOST_FORWARD
#define KN_HOST_FORWARD(name, parameters, arguments) \
  KN_HIDDEN void name parameters { kn_host_->name arguments; }
KN_HOST_PROCEDURES(KN_HOST_FORWARD)
#undef KN_HOST_FORWARD

KN_HIDDEN char *kn_format(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  char *text = kn_host_->kn_vformat(format, arguments);
  va_end(arguments);
  return text;
}
KN_HIDDEN kn_status(kn_status_make)(kn_code code, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  kn_status status = kn_host_->kn_status_vmake_at(code, NULL, format, arguments);
  va_end(arguments);
  return status;
}
KN_HIDDEN kn_status(kn_status_make_at)(kn_code code, const char *where, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  kn_status status = kn_host_->kn_status_vmake_at(code, where, format, arguments);
  va_end(arguments);
  return status;
}
KN_HIDDEN kn_status kn_status_annotate(kn_status status, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  kn_status annotated = kn_host_->kn_status_vannotate(status, format, arguments);
  va_end(arguments);
  return annotated;
}
KN_HIDDEN void kn_log(kn_log_level level, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  kn_host_->kn_vlog(level, format, arguments);
  va_end(arguments);
}

/* KN_PLUGIN(name, version, licence, framework version, &class, ...): the whole entry point. */
#define KN_PLUGIN(plugin_name, plugin_version, plugin_license, plugin_framework_version, ...)        \
  static const kn_class *const kn_plugin_classes_[] = {__VA_ARGS__, NULL};                           \
  static const kn_plugin kn_plugin_ = {.magic = KN_PLUGIN_MAGIC,                                     \
                                       .abi_major = KN_ABI_MAJOR,                                    \
                                       .abi_minor = KN_ABI_MINOR,                                    \
                                       .struct_size = sizeof(kn_plugin),                             \
                                       .sanitizer = KN_SANITIZER_KIND,                               \
                                       .name = plugin_name,                                          \
                                       .version = plugin_version,                                    \
                                       .license = plugin_license,                                    \
                                       .framework_version = plugin_framework_version,                \
                                       .classes = kn_plugin_classes_};                               \
  KN_EXPORT const kn_plugin *kenning_plugin_query(const kn_host *host);                              \
  KN_EXPORT const kn_plugin *kenning_plugin_query(const kn_host *host) {                             \
    if (host && host->abi_major == KN_ABI_MAJOR && host->abi_minor == KN_ABI_MINOR) kn_host_ = host; \
    return &kn_plugin_;                                                                              \
  }
#endif

#ifdef __cplusplus
}
#endif
#endif
