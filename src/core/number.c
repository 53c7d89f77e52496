#include "core/number.h"

#include <stdarg.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static locale_t plain;

static void make(void) { plain = newlocale(LC_ALL_MASK, "C", (locale_t)0); }

locale_t kn_number_locale_enter(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  (void)pthread_once(&once, make);
  return uselocale(plain); /* which changes nothing where there was no memory for one */
}

void kn_number_locale_leave(locale_t before) { (void)uselocale(before); }

double kn_number_read(const char *text, char **out_end) {
  locale_t before = kn_number_locale_enter();
  double number = strtod(text, out_end);
  kn_number_locale_leave(before);
  return number;
}

int kn_number_print(char *out, size_t size, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  locale_t before = kn_number_locale_enter();
  int length = vsnprintf(out, size, format, arguments);
  kn_number_locale_leave(before);
  va_end(arguments);
  return length;
}
