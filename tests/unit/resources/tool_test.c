#include "core/log.h"
#include "core/record_json.h"
#include "resources/installation.h"
#include "resources/tool_log.h"
#include "support/directory.h"
#include "support/status.h"
#include "unit/resources/data_directories.h"

#include <kenning/process.h>
#include <kenning/services.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static kt_world world;

/* An environment whose interpreter is the system's. */
static void install_fake(const char *lock_sha256) {
  char directory[600], environment[700], lock[65];
  snprintf(directory, sizeof directory, "%s/fake/1.0", world.data);
  snprintf(environment, sizeof environment, "%s/environments/tools", world.data);
  snprintf(lock, sizeof lock, "%s", lock_sha256);
  kn_installed_file file = {.key = (char[]){"library"},
                            .path = directory,
                            .sha256 = (char[]){"00"},
                            .version = (char[]){"1"},
                            .client = (char[]){"pip"},
                            .package = (char[]){"a==1"}};
  kn_installation installation = {.framework = (char[]){"fake"},
                                  .version = (char[]){"1.0"},
                                  .license = (char[]){"MIT"},
                                  .date = (char[]){"now"},
                                  .directory = directory,
                                  .files = &file,
                                  .file_count = 1,
                                  .environment = {.name = (char[]){"tools"},
                                                  .directory = environment,
                                                  .definition_sha256 = (char[]){"1"},
                                                  .lock_sha256 = lock,
                                                  .python = (char[]){"3"}}};
  kt_assert_ok(kn_installation_write(&installation));
}

static int make_world(void **state) {
  (void)state;
  world = kt_world_make();
  install_fake("22");
  char *python, *link = kt_world_path(&world, "data/environments/tools/bin/python3");
  kt_assert_ok(kn_process_output((const char *const[]){"python3", "-c", "import sys; print(sys.executable)", NULL}, 60,
                                 &python));
  python[strcspn(python, "\n")] = '\0';
  kt_world_write(&world, "data/environments/tools/bin/here", "");
  if (symlink(python, link) != 0) fail_msg("symlink %s", link);
  kn_free(python);
  free(link);
  return 0;
}

static int remove_world(void **state) {
  (void)state;
  kt_world_remove(&world);
  return 0;
}

/* Writes the tool and runs it with two arguments. */
static kn_status run_tool(const char *text, const kn_tool_request *more, kn_record *result) {
  kt_world_write(&world, "share/backends/fake/tool/tool.py", text);
  kn_tool_request request = more ? *more : (kn_tool_request){0};
  request.framework = "fake";
  request.script = "tool.py";
  request.arguments = (const char *const[]){"first argument", "--second", NULL};
  return kn_tool_run(&request, result);
}

static void assert_result(const kn_record *record, const char *key, const char *expected) {
  const char *text = yyjson_mut_get_str(yyjson_mut_obj_get(kn_record_value(record), key));
  assert_non_null(text);
  assert_string_equal(text, expected);
}

static void results_reach_the_record(void **state) {
  (void)state;
  kn_record *record;
  kt_assert_ok(kn_record_create(&record));
  kt_assert_ok(
      run_tool("import sys\n"
               "print('RESULT arguments', *sys.argv[1:])\n"
               "print('RESULT empty')\nprint('RESULT twice 1')\nprint('RESULT twice 2  3')\n"
               "print('RESULT ')\nprint('RESULT')\nprint('RESULTS x y')\nprint(' RESULT x y')\n"
               "print('PROGRESS 1 2 half')\nprint('PROGRESS')\nprint('PROGRESS x y')\nprint('PROGRESS nan 1')\n"
               "print('RESULT error x', file=sys.stderr)\nprint('ERROR invalid not fatal')\n",
               &(kn_tool_request){.progress = "working"}, record));
  assert_result(record, "arguments", "first argument --second");
  assert_result(record, "empty", "");
  assert_result(record, "twice", "2  3");
  assert_int_equal(yyjson_mut_obj_size(kn_record_value(record)), 3);
  kn_record_destroy(record);
  kt_assert_ok(run_tool("print('RESULT nobody listens')\n", NULL, NULL));
}

/* A stage that takes long is shown again with the time: off a terminal every five seconds. */
static void a_long_stage_shows_the_time(void **state) {
  (void)state;
  int file = memfd_create("stderr", 0), before = dup(STDERR_FILENO);
  assert_true(file >= 0 && before >= 0);
  fflush(stderr);
  dup2(file, STDERR_FILENO);
  kn_status status = run_tool("import time\nprint('PROGRESS 2 5 half way')\ntime.sleep(6.5)\n",
                              &(kn_tool_request){.progress = "working"}, NULL);
  fflush(stderr);
  dup2(before, STDERR_FILENO);
  close(before);
  char text[512] = "";
  assert_true(pread(file, text, sizeof text - 1, 0) > 0);
  close(file);
  kt_assert_ok(status);
  const char *at = strstr(text, "kenning: working  40%  half way\n");
  assert_non_null(at);
  assert_non_null(at = strstr(at, "kenning: working  40%  half way, "));
  assert_non_null(strstr(at, " s\nkenning: working 100%"));
}

static void specifications_go_by_a_file_of_their_own(void **state) {
  (void)state;
  kn_record *record;
  kn_iospec spec;
  static const char text[] =
      "{\"input\": [{\"name\": \"x\", \"shape\": [1, 2], \"dtype\": \"float32\"}], \"output\": [{\"name\": \"y\", "
      "\"shape\": [1], \"dtype\": \"float32\"}]}";
  kt_assert_ok(kn_record_create(&record));
  kt_assert_ok(kn_iospec_parse(text, sizeof text - 1, "text", &spec));
  kt_assert_ok(
      run_tool("import json, sys\n"
               "print('RESULT others', *sys.argv[1:4])\n"
               "print('RESULT file', sys.argv[4])\n"
               "print('RESULT name', json.load(open(sys.argv[4]))['input'][0]['name'])\n",
               &(kn_tool_request){.specification = &spec}, record));
  assert_result(record, "others", "first argument --second --specification");
  assert_result(record, "name", "x");
  assert_int_not_equal(access(yyjson_mut_get_str(yyjson_mut_obj_get(kn_record_value(record), "file")), F_OK), 0);
  kn_record_destroy(record);
  kn_iospec_clear(&spec);
}

/* The user's Python settings stay outside; frameworks are told to be quiet. */
static void tools_have_an_environment_of_their_own(void **state) {
  (void)state;
  kn_record *record;
  kt_assert_ok(kn_record_create(&record));
  kt_world_write(&world, "share/backends/fake/tool/beside.py", "value = 'imported'\n");
  setenv("PYTHONPATH", "/somewhere", 1);
  kt_assert_ok(
      run_tool("import os, sys, site, beside\n"
               "print('RESULT path', os.environ.get('PYTHONPATH', 'none'))\n"
               "print('RESULT site', site.ENABLE_USER_SITE)\n"
               "print('RESULT tf', os.environ['TF_CPP_MIN_LOG_LEVEL'])\n"
               "print('RESULT ort', os.environ['ORT_DISABLE_TELEMETRY'])\n"
               "print('RESULT beside', beside.value)\n",
               NULL, record));
  unsetenv("PYTHONPATH");
  assert_result(record, "path", "none");
  assert_result(record, "site", "False");
  assert_result(record, "tf", "2");
  assert_result(record, "ort", "1");
  assert_result(record, "beside", "imported");
  assert_int_equal(kt_world_entries(&world, "share/backends/fake/tool"), 2); /* no __pycache__ */
  kn_record_destroy(record);
}

static void failures_are_told(void **state) {
  (void)state;
  static const struct {
    const char *text;
    kn_code code;
    const char *part;
  } cases[] = {
      {"import sys; print('deep trouble', file=sys.stderr); sys.exit(4)", KN_BACKEND_FAILED, "deep trouble"},
      {"raise ValueError('no good')", KN_BACKEND_FAILED, "ValueError: no good"},
      {"print('ERROR invalid bad shape'); raise SystemExit(1)", KN_INVALID_ARGUMENT, "bad shape"},
      {"print('ERROR incompatible layer X'); raise SystemExit(1)", KN_INCOMPATIBLE, "layer X"},
      {"print('ERROR baddata a'); print('ERROR baddata b'); raise SystemExit(1)", KN_BAD_DATA, "b"},
      {"print('ERROR other kind'); raise SystemExit(1)", KN_BACKEND_FAILED, "exit code 1"},
      {"import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", KN_BACKEND_FAILED, "signal 11"},
      {"import no_such_module_anywhere", KN_NOT_INSTALLED,
       "damaged: No module named 'no_such_module_anywhere'; run: kenning install --force "},
      {"import os, signal; os.kill(os.getpid(), signal.SIGKILL)", KN_BACKEND_FAILED, "when memory runs out"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    kn_status status = run_tool(cases[i].text, NULL, NULL);
    char text[8192];
    kt_status_text(status, text, sizeof text);
    assert_non_null(strstr(text, "everything tool.py said is in "));
    kt_assert_fault(status, cases[i].code, cases[i].part);
  }
}

/* What libraries leave in their directory for temporary files goes with the tool. */
static void temporary_files_go_with_the_tool(void **state) {
  (void)state;
  char *place = kt_world_path(&world, "temporary");
  kt_world_write(&world, "temporary/kept", "");
  const char *before = getenv("TMPDIR");
  char *old = before ? kn_strdup(before) : NULL;
  setenv("TMPDIR", place, 1);
  kn_record *record;
  kt_assert_ok(kn_record_create(&record));
  kt_assert_ok(
      run_tool("import os, tempfile\n"
               "directory = tempfile.mkdtemp()\nopen(directory + '/left', 'w').write('x')\n"
               "print('RESULT where', os.path.dirname(os.path.dirname(directory)))\n",
               NULL, record));
  assert_result(record, "where", place);
  kn_record_destroy(record);
  kt_assert_fault(run_tool("import tempfile\ntempfile.mkdtemp()\nraise SystemExit(1)\n", NULL, NULL), KN_BACKEND_FAILED,
                  "exit code 1");
  if (old)
    setenv("TMPDIR", old, 1);
  else
    unsetenv("TMPDIR");
  kn_free(old);
  char *kept = kt_path(place, "kept");
  assert_int_equal(unlink(kept), 0);
  assert_int_equal(rmdir(place), 0); /* nothing else was in it */
  free(kept);
  free(place);
}

/* /dev/full is a disk without room: Python's own words of it are not for users. */
static void a_full_disk_is_one_line(void **state) {
  (void)state;
  static const char tool[] = "with open('/dev/full', 'w') as file:\n    file.write('x' * 100000)\n";
  kn_status status = run_tool(tool, NULL, NULL);
  assert_int_equal(kn_status_count(status), 1);
  const char *message = kn_status_message(status, 0);
  assert_non_null(strstr(message, "the disk is full: no space left on device for what tool.py writes, in /"));
  assert_non_null(strstr(message, "free some space or choose another place"));
  assert_null(strstr(message, "Traceback"));
  assert_null(strchr(message, '\n'));
  assert_int_equal(kn_status_code(status), KN_IO_ERROR);
  kn_status_free(status);
}

static void limits_are_kept(void **state) {
  (void)state;
  kt_assert_fault(run_tool("import time; time.sleep(100)", &(kn_tool_request){.timeout_s = 0.5}, NULL), KN_TIMEOUT,
                  "took longer than 0.5 s");
  kt_assert_fault(run_tool("x = bytearray(1 << 30)", &(kn_tool_request){.memory_limit_bytes = (size_t)100 << 20}, NULL),
                  KN_BACKEND_FAILED, NULL);
  kn_cancel();
  kt_assert_fault(run_tool("pass", NULL, NULL), KN_CANCELLED, NULL);
  kn_cancel_reset();
}

static void what_is_missing_is_named(void **state) {
  (void)state;
  kn_tool_request request = {.framework = "fake", .script = "none.py"};
  kt_assert_fault(kn_tool_run(&request, NULL), KN_NOT_FOUND, "tool/none.py");
  request.script = "../escape.py";
  kt_assert_fault(kn_tool_run(&request, NULL), KN_INTERNAL, "no plain file name");
  kt_world_write(&world, "share/backends/other/tool/none.py", "");
  request = (kn_tool_request){.framework = "other", .script = "none.py"};
  kt_assert_fault(kn_tool_run(&request, NULL), KN_NOT_INSTALLED, "run: kenning install other");
}

static void the_newest_logs_are_kept(void **state) {
  (void)state;
  for (int i = 0; i < KN_TOOL_LOGS_KEPT + 5; i++) {
    FILE *file;
    char *path;
    kt_assert_ok(kn_tool_log_open("tool.py", &file, &path));
    fprintf(file, "run %d\n", i);
    fclose(file);
    kn_free(path);
  }
  assert_int_equal(kt_world_entries(&world, "state/log"), KN_TOOL_LOGS_KEPT);
  kn_status status =
      run_tool("print('on stdout'); import sys; print('on stderr', file=sys.stderr); sys.exit(1)", NULL, NULL);
  char *log = strdup(strstr(kn_status_context(status, 0), world.state));
  kn_status_free(status);
  char *text = kt_file_read(log, NULL);
  assert_non_null(strstr(text, "on stdout\n"));
  assert_non_null(strstr(text, "on stderr\n"));
  free(text);
  free(log);
  assert_int_equal(kt_world_entries(&world, "state/log"), KN_TOOL_LOGS_KEPT);
}

static char *identity(void) {
  char *text;
  kt_assert_ok(kn_tool_identity("fake", "tool.py", &text));
  assert_int_equal(strlen(text), 64);
  return text;
}

static void the_identity_follows_scripts_and_environment(void **state) {
  (void)state;
  kt_world_write(&world, "share/backends/fake/tool/tool.py", "print(1)\n");
  char *first = identity(), *again = identity();
  assert_string_equal(first, again);
  kt_world_write(&world, "share/backends/fake/tool/beside.py", "x = 1\n");
  char *second = identity();
  assert_string_not_equal(first, second);
  kt_world_write(&world, "share/backends/fake/tool/beside.py", "x = 2\n");
  char *third = identity();
  assert_string_not_equal(second, third);
  install_fake("33");
  char *fourth = identity();
  assert_string_not_equal(third, fourth);
  kn_free(first);
  kn_free(again);
  kn_free(second);
  kn_free(third);
  kn_free(fourth);
  char *none;
  kt_assert_fault(kn_tool_identity("fake", "none.py", &none), KN_NOT_FOUND, "none.py");
  assert_null(none);
}

#define test(function) cmocka_unit_test_setup_teardown(function, make_world, remove_world)

int main(void) {
  const struct CMUnitTest tests[] = {
      test(results_reach_the_record),
      test(a_long_stage_shows_the_time),
      test(specifications_go_by_a_file_of_their_own),
      test(tools_have_an_environment_of_their_own),
      test(failures_are_told),
      test(temporary_files_go_with_the_tool),
      test(a_full_disk_is_one_line),
      test(limits_are_kept),
      test(what_is_missing_is_named),
      test(the_newest_logs_are_kept),
      test(the_identity_follows_scripts_and_environment),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
