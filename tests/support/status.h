/* Asserts about statuses. Each takes the status over. */
#ifndef TESTS_SUPPORT_STATUS_H
#define TESTS_SUPPORT_STATUS_H

#include <kenning/status.h>
#include <stdio.h>
#include <string.h>

#include "support/unit.h"

/* Every fault as "place: message", a line each, with its context behind it. */
static inline const char *kt_status_text(kn_status status, char *out, size_t size) {
  size_t used = 0;
  out[0] = '\0';
  for (size_t i = 0; i < kn_status_count(status) && used < size; i++) {
    const char *where = kn_status_where(status, i);
    used += (size_t)snprintf(out + used, size - used, "%s%s%s\n%s", where ? where : "", where ? ": " : "",
                             kn_status_message(status, i), kn_status_context(status, i));
  }
  return out;
}

static inline void kt_assert_status_at(kn_status status, kn_code code, const char *part, const char *file, int line) {
  char text[8192];
  kt_status_text(status, text, sizeof text);
  kn_code got = kn_status_code(status);
  kn_status_free(status);
  if (got == code && (!part || strstr(text, part))) return;
  print_error("%s:%d: expected %s%s%s; got %s: %s\n", file, line, kn_code_name(code), part ? " with " : "",
              part ? part : "", kn_code_name(got), text);
  _fail(file, line);
}

#define kt_assert_ok(status) kt_assert_status_at(status, KN_OK, NULL, __FILE__, __LINE__)
/* `part` stands in the text of the faults (places, messages, context). */
#define kt_assert_fault(status, code, part) kt_assert_status_at(status, code, part, __FILE__, __LINE__)

#endif
