/* Text under construction. The first failure (memory, or more than KN_TEXT_LIMIT bytes) is kept and later additions do
 * nothing, so that a writer can be read line by line and asks once, at the end, with kn_text_status. */
#ifndef KENNING_CORE_TEXT_H
#define KENNING_CORE_TEXT_H

#include <kenning/status.h>

enum { KN_TEXT_LIMIT = 1 << 30 };

typedef struct kn_text {
  char *data; /* NUL-terminated; NULL while nothing was added */
  size_t length;
  size_t capacity;
  kn_code failure; /* KN_OK, KN_OUT_OF_MEMORY or KN_BAD_DATA (too long) */
} kn_text;         /* {0} is an empty text */

/* NULL adds nothing. */
void kn_text_add(kn_text *text, const char *part);
void kn_text_add_bytes(kn_text *text, const char *part, size_t bytes);
void kn_text_format(kn_text *text, const char *format, ...) KN_PRINTF(2, 3);
kn_status kn_text_status(const kn_text *text) KN_MUST_USE;
/* Frees and zeroes. */
void kn_text_clear(kn_text *text);

#endif
