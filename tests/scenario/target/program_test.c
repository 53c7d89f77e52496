/* kenning-server, as users run it: small, quick to start, and idle when nobody asks for anything. */
#include "support/directory.h"
#include "support/program.h"
#include "support/unit.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { LARGEST_STRIPPED = 400000, LARGEST_RSS_KIB = 6 * 1024, SLOWEST_START_NS = 20000000 };

static char *server_path(void) {
  const char *program = kt_kenning_release();
  size_t length = strlen(program) + sizeof "-server";
  char *path = malloc(length);
  assert_non_null(path);
  snprintf(path, length, "%s-server", program);
  return path;
}

static void it_is_small(void **state) {
  (void)state;
  char *directory = kt_directory_make(), *copy = kt_path(directory, "stripped"), *server = server_path();
  kt_run run = kt_run_program((const char *const[]){"strip", "-o", copy, server, NULL}, NULL);
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
  struct stat found;
  assert_int_equal(stat(copy, &found), 0);
  if (found.st_size >= LARGEST_STRIPPED) kt_fail("kenning-server has %lld bytes", (long long)found.st_size);
  free(server);
  free(copy);
  kt_directory_remove(directory);
}

/* Resident KiB and CPU ticks of the process whose command line holds `word`. */
static bool look(const char *word, long *out_rss_kib, long *out_ticks) {
  DIR *list = opendir("/proc");
  assert_non_null(list);
  struct dirent *entry;
  bool found = false;
  while (!found && (entry = readdir(list))) {
    char path[300], text[4096] = {0};
    snprintf(path, sizeof path, "/proc/%s/cmdline", entry->d_name);
    FILE *file = strspn(entry->d_name, "0123456789") == strlen(entry->d_name) ? fopen(path, "r") : NULL;
    if (!file) continue;
    size_t count = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    if (!strstr(text, "kenning-server")) continue; /* [0] alone: not the program that launches it */
    for (size_t i = 0; i < count; i++)
      if (!text[i]) text[i] = ' ';
    if (!strstr(text, word)) continue;
    snprintf(path, sizeof path, "/proc/%s/stat", entry->d_name);
    if (!(file = fopen(path, "r"))) continue;
    long user, system, pages;
    int got = fscanf(file,
                     "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld %*d %*d %*d %*d %*d %*d %*u "
                     "%*u %ld",
                     &user, &system, &pages);
    fclose(file);
    found = got == 3;
    *out_ticks = user + system;
    *out_rss_kib = pages * sysconf(_SC_PAGESIZE) / 1024;
  }
  closedir(list);
  return found;
}

static void it_waits_for_clients_in_little_memory_without_work(void **state) {
  (void)state;
  char *directory = kt_directory_make(), *server = server_path(), *path = kt_path(directory, "idle.sock");
  const kt_run_options options = {.directory = directory};
  kt_process *process = kt_start(
      (const char *const[]){server, "UnixSocketProtocol", "NullRuntime", "--socket-path", path, NULL}, &options);
  assert_true(kt_wait_output(process, "serving on", 30));
  long rss, ticks, later;
  assert_true(look(path, &rss, &ticks));
  if (rss >= LARGEST_RSS_KIB) kt_fail("kenning-server has %ld KiB resident", rss);
  sleep(1);
  assert_true(look(path, &rss, &later));
  assert_int_equal(later, ticks);
  kt_signal(process, SIGTERM);
  kt_run run = kt_finish(process);
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
  free(server);
  free(path);
  kt_directory_remove(directory);
}

static int64_t now_ns(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return (int64_t)at.tv_sec * 1000000000 + at.tv_nsec;
}

/* From the command to the first client that gets through; the best of some, for a machine that does other things too.
 */
static void it_starts_quickly(void **state) {
  (void)state;
  char *server = server_path(), *directory = kt_directory_make(), *path = kt_path(directory, "start.sock");
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  assert_true(strlen(path) < sizeof address.sun_path);
  strcpy(address.sun_path, path);
  const kt_run_options options = {.directory = directory};
  int64_t best = INT64_MAX;
  for (int i = 0; i < 10; i++) {
    int64_t start = now_ns();
    kt_process *process = kt_start(
        (const char *const[]){server, "UnixSocketProtocol", "NullRuntime", "--socket-path", path, NULL}, &options);
    bool connected = false;
    while (!connected && now_ns() - start < 10000000000) {
      int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
      connected = connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;
      close(fd);
      if (!connected) usleep(200);
    }
    int64_t took = now_ns() - start;
    assert_true(connected);
    if (took < best) best = took;
    kt_signal(process, SIGTERM);
    kt_run run = kt_finish(process);
    kt_assert_exit(&run, 0);
    kt_run_free(&run);
  }
  print_message("kenning-server took %lld us to be there for a client\n", (long long)best / 1000);
  if (best >= SLOWEST_START_NS) kt_fail("kenning-server took %lld us to start", (long long)best / 1000);
  free(path);
  kt_directory_remove(directory);
  free(server);
}

static void write_in(const char *directory, const char *name, const char *text) {
  char *path = kt_path(directory, name);
  kt_file_write_text(path, text);
  free(path);
}

/* What it opens must not get the numbers of stdout and stderr, where messages would go into it. */
static void it_serves_without_standard_descriptors(void **state) {
  (void)state;
  char *server = server_path(), *directory = kt_directory_make(), command[1024];
  const kt_run_options options = {.directory = directory};
  snprintf(command, sizeof command,
           "exec '%s' UnixSocketProtocol NullRuntime --socket-path bare.sock --verbosity DEBUG 0<&- 1>&- 2>&-", server);
  kt_process *process = kt_start((const char *const[]){"sh", "-c", command, NULL}, &options);
  char *path = kt_path(directory, "bare.sock");
  for (int i = 0; access(path, F_OK) != 0; i++) {
    assert_true(i < 1000);
    usleep(10000);
  }
  write_in(directory, "c.json",
           "{\"runtime_protocol\": {\"type\": \"UnixSocketProtocol\", \"parameters\": {\"socket_path\": "
           "\"bare.sock\"}}, \"runtime\": {\"type\": \"NullRuntime\"}, \"model_wrapper\": {\"type\": "
           "\"NullModelWrapper\", \"parameters\": {\"model_path\": \"model.bin\"}}, \"dataset\": {\"type\": "
           "\"RandomizedClassificationDataset\", \"parameters\": {\"num_samples\": 4}}}");
  write_in(directory, "model.bin", "a model");
  kt_run run = kt_run_program(
      (const char *const[]){kt_kenning_release(), "json_inference_tester", "c.json", "out.json", NULL}, &options);
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
  kt_signal(process, SIGTERM);
  run = kt_finish(process);
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
  free(path);
  free(server);
  kt_directory_remove(directory);
}

static void it_explains_itself(void **state) {
  (void)state;
  char *server = server_path();
  kt_run run = kt_run_program((const char *const[]){server, "--help", NULL}, NULL);
  kt_assert_exit(&run, 0);
  kt_assert_contains(run.out, "--json-cfg");
  assert_null(strstr(run.out, "worker")); /* that is between the server and itself */
  kt_run_free(&run);
  run = kt_run_program((const char *const[]){server, NULL}, NULL);
  kt_assert_exit(&run, 2);
  kt_assert_contains(run.err, "--json-cfg");
  kt_run_free(&run);
  free(server);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(it_is_small),        cmocka_unit_test(it_waits_for_clients_in_little_memory_without_work),
      cmocka_unit_test(it_starts_quickly),  cmocka_unit_test(it_serves_without_standard_descriptors),
      cmocka_unit_test(it_explains_itself),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
