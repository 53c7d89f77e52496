#include "core/log.h"
#include "support/directory.h"
#include "support/status.h"

#include <fcntl.h>
#include <unistd.h>

/* What `say` writes to stderr; free with free(). */
static char *said(void (*say)(void)) {
  char *directory = kt_directory_make(), *path = kt_path(directory, "said");
  int before = dup(STDERR_FILENO), file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  fflush(stderr);
  if (file < 0 || dup2(file, STDERR_FILENO) < 0) kt_fail("stderr cannot be kept");
  say();
  fflush(stderr);
  if (dup2(before, STDERR_FILENO) < 0) kt_fail("stderr cannot be given back");
  close(file);
  close(before);
  char *text = kt_file_read(path, NULL);
  free(path);
  kt_directory_remove(directory);
  return text;
}

static void log_odd_names(void) {
  kn_log(KN_LOG_WARNING, "%s: cannot\nread it",
         "a\033]0;title\007b\xc2\x9b"
         "1mc\x7f\td \xc2\xb5s");
}

static void log_long_name(void) {
  char name[5000];
  memset(name, 'x', sizeof name - 1);
  name[0] = '\033';
  name[sizeof name - 1] = '\0';
  kn_log(KN_LOG_ERROR, "%s", name);
}

static void show_odd_progress(void) { kn_progress("un\033[2Jpacking\nx", 1, 2, "\033[31m2 MB"); }

static void names_do_not_command_the_terminal(void **state) {
  (void)state;
  char *text = said(log_odd_names);
  assert_string_equal(text, "kenning: warning: a?]0;title?b?1mc?\td \xc2\xb5s: cannot\nread it\n");
  free(text);
  text = said(show_odd_progress);
  assert_string_equal(text, "kenning: un?[2Jpacking?x  50%  ?[31m2 MB\n");
  free(text);
  text = said(log_long_name);
  assert_int_equal(strlen(text), strlen("kenning: error: ") + 4999 + 1);
  assert_int_equal(text[strlen("kenning: error: ")], '?');
  free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(names_do_not_command_the_terminal),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
