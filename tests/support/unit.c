#include "support/unit.h"

static size_t skipped;

void kt_skip(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  print_message("    not checked: ");
  vprint_message(format, arguments);
  print_message("\n");
  va_end(arguments);
  skipped++;
  skip();
  abort();
}

int kt_exit_code(int failed) { return failed ? 1 : skipped ? 77 : 0; }
