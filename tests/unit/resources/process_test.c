#include "core/log.h"
#include "core/memory.h"
#include "core/text.h"
#include "support/directory.h"
#include "support/status.h"

#include <errno.h>
#include <fcntl.h>
#include <kenning/process.h>
#include <kenning/services.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a child said, line by line: "1:text" of stdout, "2:text" of stderr. */
typedef struct said {
  kn_text text;
  size_t lines, longest;
  size_t stop_after; /* lines; 0: never */
  int ticks;
  bool cancel;
} said;

static kn_status hear(void *context, kn_stream stream, const char *line) {
  said *s = context;
  s->lines++;
  if (strlen(line) > s->longest) s->longest = strlen(line);
  if (s->text.length < 100000) kn_text_format(&s->text, "%d:%s\n", (int)stream, line);
  if (s->stop_after && s->lines == s->stop_after) return kn_status_make(KN_BUSY, "enough was said");
  return NULL;
}

static void count_tick(void *context, double elapsed_s) {
  said *s = context;
  assert_true(elapsed_s >= 0);
  s->ticks++;
  if (s->cancel) kn_cancel();
}

static kn_status run_sh(const char *script, said *s, kn_process_result *result) {
  return kn_process_run(
      &(kn_process_request){
          .arguments = (const char *const[]){"sh", "-c", script, NULL}, .line = hear, .tick = count_tick, .context = s},
      result);
}

static void assert_said(const char *script, const char *expected) {
  said s = {0};
  kt_assert_ok(run_sh(script, &s, NULL));
  assert_string_equal(s.text.data ? s.text.data : "", expected);
  kn_text_clear(&s.text);
}

static void streams_are_told_apart(void **state) {
  (void)state;
  assert_said("echo one; echo two >&2", "1:one\n2:two\n");
  assert_said("true", "");
  assert_said("printf 'no end'", "1:no end\n");
}

static void line_ends_and_bytes_that_are_no_text(void **state) {
  (void)state;
  assert_said("printf 'a\\r\\nb\\rc\\n\\nd'", "1:a\n1:b\n1:c\n1:\n1:d\n");
  assert_said("printf 'x\\000y\\001z\\tt\\177\\n'", "1:x?y?z\tt?\n");
  assert_said("printf '\\033[1mbold\\033[0;31m red\\033[m\\n'", "1:bold red\n");
  assert_said("printf '\\303\\244\\377\\n'", "1:\303\244\377\n");
}

static void exit_codes_and_signals_are_told(void **state) {
  (void)state;
  said s = {0};
  kn_process_result result;
  kt_assert_ok(run_sh("exit 0", &s, &result));
  assert_int_equal(result.exit_code, 0);
  assert_true(result.seconds > 0);
  kt_assert_fault(run_sh("echo the reason >&2; exit 3", &s, &result), KN_BACKEND_FAILED,
                  "sh failed with exit code 3; its last lines:\nthe reason");
  assert_int_equal(result.exit_code, 3);
  kt_assert_fault(run_sh("kill -SEGV $$", &s, &result), KN_BACKEND_FAILED, "ended by signal 11");
  assert_int_equal(result.exit_code, -1);
  assert_int_equal(result.signal, SIGSEGV);
  /* Of many lines the last are shown. */
  kt_assert_fault(run_sh("seq 1 100; exit 1", &s, &result), KN_BACKEND_FAILED, "lines:\n93\n94");
  kn_text_clear(&s.text);
}

static void programs_that_cannot_be_started(void **state) {
  (void)state;
  char *directory = kt_directory_make(), *script = kt_path(directory, "plain.txt"), *odd = kt_path(directory, "odd");
  kt_file_write_text(script, "echo\n");
  kt_file_write_text(odd, "#!/no/such/interpreter\n");
  assert_int_equal(chmod(odd, 0755), 0);
  const struct {
    const char *program;
    kn_code code;
    const char *part;
  } cases[] = {{"no-such-program-here", KN_NOT_INSTALLED, "no-such-program-here is not on PATH"},
               {"/no/such/program", KN_NOT_INSTALLED, "there is no such program"},
               {script, KN_NOT_INSTALLED, "not a program that may be run"},
               {directory, KN_NOT_INSTALLED, "not a program that may be run"},
               {odd, KN_BACKEND_FAILED, "failed with exit code"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    kn_process_result result = {.exit_code = 77};
    kn_process_request request = {.arguments = (const char *const[]){cases[i].program, NULL}};
    kt_assert_fault(kn_process_run(&request, &result), cases[i].code, cases[i].part);
    assert_int_not_equal(result.exit_code, 77);
  }
  kt_assert_fault(kn_process_run(&(kn_process_request){.arguments = (const char *const[]){NULL}}, NULL), KN_INTERNAL,
                  "no program");
  free(odd);
  free(script);
  kt_directory_remove(directory);
}

static void environment_directory_and_stdin(void **state) {
  (void)state;
  char *directory = kt_directory_make();
  said s = {0};
  setenv("KN_TEST_KEPT", "kept", 1);
  setenv("KN_TEST_GONE", "here", 1);
  setenv("KN_TEST_CHANGED", "old", 1);
  kn_process_request request = {
      .arguments = (const char *const[]){"sh", "-c",
                                         "echo $KN_TEST_KEPT ${KN_TEST_GONE-gone} $KN_TEST_CHANGED $KN_TEST_NEW; "
                                         "pwd -P; cat; echo end",
                                         NULL},
      .environment = (const char *const[]){"KN_TEST_GONE", "KN_TEST_CHANGED=a=b", "KN_TEST_NEW=new", NULL},
      .directory = directory,
      .line = hear,
      .context = &s};
  kt_assert_ok(kn_process_run(&request, NULL));
  char expected[4200], *real = realpath(directory, NULL);
  snprintf(expected, sizeof expected, "1:kept gone a=b new\n1:%s\n1:end\n", real);
  assert_string_equal(s.text.data, expected);
  assert_string_equal(getenv("KN_TEST_CHANGED"), "old");
  free(real);
  kn_text_clear(&s.text);
  kt_directory_remove(directory);
}

static void a_relative_program_starts_from_here(void **state) {
  (void)state;
  char *directory = kt_directory_make(), *script = kt_path(directory, "script"), here[4096];
  kt_file_write_text(script, "#!/bin/sh\necho started\n");
  assert_int_equal(chmod(script, 0755), 0);
  assert_non_null(getcwd(here, sizeof here));
  assert_int_equal(chdir(directory), 0);
  said s = {0};
  kn_process_request request = {
      .arguments = (const char *const[]){"./script", NULL}, .directory = "/", .line = hear, .context = &s};
  kt_assert_ok(kn_process_run(&request, NULL));
  assert_string_equal(s.text.data, "1:started\n");
  assert_int_equal(chdir(here), 0);
  kn_text_clear(&s.text);
  free(script);
  kt_directory_remove(directory);
}

static void big_output_on_both_streams(void **state) {
  (void)state;
  said s = {0};
  kt_assert_ok(run_sh("seq 1 300000 & seq 1 300000 >&2; wait", &s, NULL));
  assert_int_equal(s.lines, 600000);
  kn_text_clear(&s.text);
  s = (said){0};
  kt_assert_ok(run_sh("head -c 50000 /dev/zero | tr '\\0' x; echo; echo next", &s, NULL));
  assert_int_equal(s.longest, 16384);
  assert_int_equal(s.lines, 5);
  kn_text_clear(&s.text);
}

/* True when process `pid` ends within 5 s. A zombie that nobody waits for has ended. */
static bool ends(long pid) {
  for (int i = 0; i < 500; i++) {
    char path[64], text[512] = "";
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    FILE *file = fopen(path, "r");
    if (!file) return true;
    size_t got = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[got] = '\0';
    char *state = strrchr(text, ')');
    if (!state || state[2] == 'Z' || state[2] == 'X') return true;
    usleep(10000);
  }
  return false;
}

static long first_number(const said *s) {
  assert_non_null(s->text.data);
  long pid = strtol(s->text.data + 2, NULL, 10);
  assert_true(pid > 1);
  return pid;
}

static void a_deadline_ends_the_whole_group(void **state) {
  (void)state;
  said s = {0};
  kn_process_request request = {.arguments = (const char *const[]){"sh", "-c", "sleep 1000 & echo $!; wait", NULL},
                                .timeout_s = 0.3,
                                .line = hear,
                                .tick = count_tick,
                                .context = &s};
  int64_t start_ns = kn_now_ns();
  kt_assert_fault(kn_process_run(&request, NULL), KN_TIMEOUT, "sh took longer than 0.3 s");
  assert_true(kn_now_ns() - start_ns < 1500000000);
  assert_true(ends(first_number(&s)));
  assert_true(s.ticks >= 2 && s.ticks <= 6);
  kn_text_clear(&s.text);
}

static void a_child_that_ignores_sigterm_is_killed(void **state) {
  (void)state;
  said s = {0};
  kn_process_request request = {
      .arguments = (const char *const[]){"sh", "-c", "trap '' TERM; echo $$; while :; do sleep 0.05; done", NULL},
      .timeout_s = 0.2,
      .line = hear,
      .context = &s};
  int64_t start_ns = kn_now_ns();
  kn_process_result result;
  kt_assert_fault(kn_process_run(&request, &result), KN_TIMEOUT, NULL);
  assert_int_equal(result.signal, SIGKILL);
  assert_true(kn_now_ns() - start_ns > 2000000000);
  assert_true(ends(first_number(&s)));
  kn_text_clear(&s.text);
}

static void what_an_ended_child_leaves_behind_is_killed(void **state) {
  (void)state;
  said s = {0};
  int64_t start_ns = kn_now_ns();
  kt_assert_ok(run_sh("sleep 1000 & echo $!", &s, NULL));
  assert_true(kn_now_ns() - start_ns < 2000000000);
  assert_true(ends(first_number(&s)));
  kn_text_clear(&s.text);
}

static void cancelling_stops_the_child(void **state) {
  (void)state;
  said s = {.cancel = true};
  kt_assert_fault(run_sh("echo $$; sleep 1000", &s, NULL), KN_CANCELLED, "sh was stopped");
  kt_assert_fault(run_sh("true", &s, NULL), KN_CANCELLED, "sh was not started");
  kn_cancel_reset();
  kn_text_clear(&s.text);
}

static void a_status_of_the_callback_stops_the_child(void **state) {
  (void)state;
  said s = {.stop_after = 2};
  kt_assert_fault(run_sh("echo 1; echo 2; echo 3; sleep 1000", &s, NULL), KN_BUSY, "enough was said");
  assert_int_equal(s.lines, 2);
  kn_text_clear(&s.text);
}

static void memory_is_limited(void **state) {
  (void)state;
  /* Little by little, so that the limit of the system, which is twice as high, is not met first. */
  static const char grow[] =
      "import time\nx = []\nfor i in range(150):\n  x.append(b'x' * (1 << 20))\n"
      "  if i == 120: time.sleep(10)\n";
  static const char burst[] = "x = bytearray(1 << 30)";
  kn_process_request request = {.arguments = (const char *const[]){"python3", "-c", grow, NULL},
                                .memory_limit_bytes = (size_t)100 << 20};
  int64_t start_ns = kn_now_ns();
  kt_assert_fault(kn_process_run(&request, NULL), KN_BACKEND_FAILED,
                  "MB of memory and was stopped; 100 MB are allowed");
  assert_true(kn_now_ns() - start_ns < 8000000000);
  request.arguments = (const char *const[]){"python3", "-c", burst, NULL};
  kt_assert_fault(kn_process_run(&request, NULL), KN_BACKEND_FAILED, "MemoryError");
}

static void the_child_gets_no_descriptor_or_signal_setting_of_ours(void **state) {
  (void)state;
  int file = open("/dev/null", O_RDONLY);
  assert_int_equal(dup2(file, 57), 57); /* without close-on-exec */
  void (*before)(int) = signal(SIGPIPE, SIG_IGN);
  said s = {0};
  kn_process_result result;
  kt_assert_ok(run_sh("[ -e /proc/$$/fd/2 ] && echo open; [ -e /proc/$$/fd/57 ] || echo closed", &s, NULL));
  assert_string_equal(s.text.data, "1:open\n1:closed\n");
  kt_assert_fault(run_sh("kill -PIPE $$; echo alive", &s, &result), KN_BACKEND_FAILED, "signal 13");
  signal(SIGPIPE, before);
  close(57);
  close(file);
  kn_text_clear(&s.text);
}

/* With SIGCHLD ignored the kernel forgets how children end. */
static void an_end_that_cannot_be_seen_is_no_success(void **state) {
  (void)state;
  void (*before)(int) = signal(SIGCHLD, SIG_IGN);
  said s = {0};
  kn_process_result result;
  kn_status status = run_sh("echo said; exit 3", &s, &result);
  signal(SIGCHLD, before);
  kt_assert_fault(status, KN_BACKEND_FAILED, "its end could not be observed");
  assert_int_equal(result.exit_code, -1);
  assert_string_equal(s.text.data, "1:said\n");
  kn_text_clear(&s.text);
}

static void works_without_standard_descriptors(void **state) {
  (void)state;
  fflush(NULL);
  pid_t pid = fork();
  if (pid == 0) {
    close(0);
    close(1);
    close(2);
    said s = {0};
    kn_status status = run_sh("echo out; echo err >&2", &s, NULL);
    bool good = !status && s.text.data && !strcmp(s.text.data, "1:out\n2:err\n");
    kn_status_free(status);
    kn_text_clear(&s.text);
    _exit(good ? 0 : 1);
  }
  int status;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static kn_status pass_number(void *context, kn_stream stream, const char *line) {
  (void)stream;
  int *pipe_end = context;
  return write(*pipe_end, line, strlen(line)) < 0 ? kn_status_make(KN_IO_ERROR, "pipe") : NULL;
}

static void the_child_dies_with_its_parent(void **state) {
  (void)state;
  char *setpriv = NULL;
  kn_status status = kn_process_find("setpriv", &setpriv);
  kn_free(setpriv);
  if (status) { /* without it nothing is promised */
    kn_status_free(status);
    kt_skip("setpriv, without which nothing is promised");
  }
  int ends_of_pipe[2];
  assert_int_equal(pipe(ends_of_pipe), 0);
  fflush(NULL);
  pid_t parent = fork();
  if (parent == 0) {
    kn_process_request request = {.arguments = (const char *const[]){"sh", "-c", "echo $$; exec sleep 1000", NULL},
                                  .line = pass_number,
                                  .context = &ends_of_pipe[1]};
    kn_status_free(kn_process_run(&request, NULL));
    _exit(0);
  }
  close(ends_of_pipe[1]);
  char text[32] = "";
  assert_true(read(ends_of_pipe[0], text, sizeof text - 1) > 0);
  kill(parent, SIGKILL);
  waitpid(parent, NULL, 0);
  close(ends_of_pipe[0]);
  assert_true(ends(strtol(text, NULL, 10)));
}

static void output_is_collected_up_to_a_limit(void **state) {
  (void)state;
  char *text = NULL;
  kt_assert_ok(kn_process_output((const char *const[]){"sh", "-c", "echo a; echo x >&2; printf b", NULL}, 10, &text));
  assert_string_equal(text, "a\nb\n");
  kn_free(text);
  kt_assert_ok(kn_process_output((const char *const[]){"true", NULL}, 10, &text));
  assert_string_equal(text, "");
  kn_free(text);
  kt_assert_fault(kn_process_output((const char *const[]){"seq", "1", "1000000", NULL}, 10, &text), KN_BAD_DATA,
                  "more than 1048576 bytes");
  assert_null(text);
}

static void programs_are_found_on_path(void **state) {
  (void)state;
  char *path = NULL, *old = strdup(getenv("PATH"));
  kt_assert_ok(kn_process_find("sh", &path));
  assert_true(path[0] == '/' && !strcmp(strrchr(path, '/'), "/sh"));
  kn_free(path);
  setenv("PATH", ":/no/such/directory:", 1);
  kt_assert_fault(kn_process_find("sh", &path), KN_NOT_INSTALLED, "sh is not on PATH");
  assert_null(path);
  setenv("PATH", old, 1);
  free(old);
}

/* Every allocation of a run fails once: the status tells, nothing leaks, nothing keeps running. */
static void failing_allocations(void **state) {
  (void)state;
  kn_status status = NULL;
  uint64_t allowed = 0;
  do {
    kn_status_free(status);
    char *text = NULL;
    kn_memory_fail_after(allowed++);
    status = kn_process_output((const char *const[]){"sh", "-c", "echo some; echo words", NULL}, 10, &text);
    kn_memory_fail_after(UINT64_MAX);
    if (!status) assert_string_equal(text, "some\nwords\n");
    kn_free(text);
    assert_true(!status || kn_status_code(status) == KN_OUT_OF_MEMORY);
  } while (status);
  assert_true(allowed > 5);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(streams_are_told_apart),
      cmocka_unit_test(line_ends_and_bytes_that_are_no_text),
      cmocka_unit_test(exit_codes_and_signals_are_told),
      cmocka_unit_test(programs_that_cannot_be_started),
      cmocka_unit_test(environment_directory_and_stdin),
      cmocka_unit_test(a_relative_program_starts_from_here),
      cmocka_unit_test(big_output_on_both_streams),
      cmocka_unit_test(a_deadline_ends_the_whole_group),
      cmocka_unit_test(a_child_that_ignores_sigterm_is_killed),
      cmocka_unit_test(what_an_ended_child_leaves_behind_is_killed),
      cmocka_unit_test(cancelling_stops_the_child),
      cmocka_unit_test(a_status_of_the_callback_stops_the_child),
      cmocka_unit_test(memory_is_limited),
      cmocka_unit_test(the_child_gets_no_descriptor_or_signal_setting_of_ours),
      cmocka_unit_test(an_end_that_cannot_be_seen_is_no_success),
      cmocka_unit_test(works_without_standard_descriptors),
      cmocka_unit_test(the_child_dies_with_its_parent),
      cmocka_unit_test(output_is_collected_up_to_a_limit),
      cmocka_unit_test(programs_are_found_on_path),
      cmocka_unit_test(failing_allocations),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
