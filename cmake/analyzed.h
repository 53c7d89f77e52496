/* Included before every file that an analyzer reads (`make analyze`, clang-tidy in `make lint`). They take no heed of
 * returns_nonnull, and without it every call that fails might be a success with no result. They do heed bodies; no code
 * is made of these. */
#if __has_include(<kenning/status.h>) /* third-party code goes without */
#include <kenning/status.h>

extern struct kn_status_s kn_analyzed_status;
#ifdef __clang__
/* It does not look into functions of "...". Their definitions have (their names) in parentheses. */
#define KN_ANALYZED extern inline __attribute__((gnu_inline))
#define kn_status_make(...) (kn_status_make(__VA_ARGS__) ?: &kn_analyzed_status)
#define kn_status_make_at(...) (kn_status_make_at(__VA_ARGS__) ?: &kn_analyzed_status)
#else
/* A level of optimization of its own keeps a function from being inlined. */
#define KN_ANALYZED extern inline __attribute__((gnu_inline, optimize("O1")))

KN_ANALYZED kn_status kn_status_make(kn_code code, const char *format, ...) {
  (void)code, (void)format;
  return &kn_analyzed_status;
}
KN_ANALYZED kn_status kn_status_make_at(kn_code code, const char *where, const char *format, ...) {
  (void)code, (void)where, (void)format;
  return &kn_analyzed_status;
}
#endif
KN_ANALYZED kn_status kn_status_vmake_at(kn_code code, const char *where, const char *format, va_list arguments) {
  (void)code, (void)where, (void)format, (void)arguments;
  return &kn_analyzed_status;
}
KN_ANALYZED kn_status kn_status_out_of_memory(void) { return &kn_analyzed_status; }
#endif
