/* Compiler attributes and the memory functions every other header builds on. */
#ifndef KENNING_BASE_H
#define KENNING_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* KN_API marks what libkenning exports; in plug-ins the same functions are private forwards to the host. */
#if defined(__GNUC__)
#ifdef KN_BUILDING_LIBRARY
#define KN_API __attribute__((visibility("default")))
#else
#define KN_API
#endif
#define KN_EXPORT __attribute__((visibility("default")))
#define KN_MUST_USE __attribute__((warn_unused_result))
#define KN_NEVER_NULL __attribute__((returns_nonnull))
#define KN_PRINTF(format_index, first_argument) __attribute__((format(printf, format_index, first_argument)))
#else
#define KN_API
#define KN_EXPORT
#define KN_MUST_USE
#define KN_NEVER_NULL
#define KN_PRINTF(format_index, first_argument)
#endif

/* Memory. Whoever allocates frees; memory that crosses between the host and a plug-in is allocated and freed with
 * these functions on both sides. All are thread-safe. kn_alloc returns zeroed memory; every one returns NULL when
 * memory is exhausted (or when a test makes it fail) and never aborts. A size of 0 yields a valid 1-byte block. */
KN_API void *kn_alloc(size_t size) KN_MUST_USE;
/* Resizes `pointer` (NULL allowed); added bytes are not zeroed. On failure the old block stays valid. */
KN_API void *kn_realloc(void *pointer, size_t size) KN_MUST_USE;
/* `count * size` bytes, zeroed; NULL also when the product overflows. */
KN_API void *kn_alloc_array(size_t count, size_t size) KN_MUST_USE;
KN_API void kn_free(void *pointer);
KN_API char *kn_strdup(const char *text) KN_MUST_USE;
KN_API char *kn_strndup(const char *text, size_t length) KN_MUST_USE;
KN_API char *kn_vformat(const char *format, va_list arguments) KN_MUST_USE KN_PRINTF(1, 0);
KN_API char *kn_format(const char *format, ...) KN_MUST_USE KN_PRINTF(1, 2);

/* Checked size arithmetic: false when the result does not fit. */
static inline bool kn_mul_size(size_t a, size_t b, size_t *out) { return !__builtin_mul_overflow(a, b, out); }
static inline bool kn_add_size(size_t a, size_t b, size_t *out) { return !__builtin_add_overflow(a, b, out); }

#ifdef __cplusplus
}
#endif
#endif
