/* Two programs at the ends of a serial line of 115200 baud. */
#include "scenario/target/pair.h"
#include "support/directory.h"
#include "support/unit.h"
#include "unit/target/line.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void write_scenario(const pair *p, const char *name, const char *device, bool whole) {
  char text[2048];
  int used = snprintf(text, sizeof text,
                      "{\"runtime_protocol\": {\"type\": \"kenning.protocols.uart.UARTProtocol\", \"parameters\": "
                      "{\"port\": \"%s\", \"baudrate\": 115200, \"timeout\": 20}}, \"runtime\": %s",
                      device, ECHO);
  snprintf(text + used, sizeof text - (size_t)used, "%s}",
           whole ? ", \"model_wrapper\": {\"type\": \"NullModelWrapper\", \"parameters\": {\"model_path\": "
                   "\"model.bin\"}}, \"dataset\": {\"type\": \"RandomizedClassificationDataset\", \"parameters\": "
                   "{\"split\": \"all\", \"num_samples\": 10, \"input_dims\": [4, 4, 3]}}"
                 : "");
  write_in(p, name, text);
}

/* The server takes one host after the other, and one that comes after garbage. */
static void a_server_serves_a_line(void **state) {
  (void)state;
  line l;
  open_line(&l, 0, 0);
  pair p = {.directory = kt_directory_make()};
  p.options.directory = p.directory;
  p.options.timeout_s = 60;
  write_scenario(&p, "s.json", l.names[1], false);
  write_scenario(&p, "c.json", l.names[0], true);
  write_in(&p, "model.bin", "a model");
  start_server(&p);
  for (int i = 0; i < 2; i++) {
    kt_run run = run_client(&p, "out.json");
    kt_assert_exit(&run, 0);
    kt_run_free(&run);
    yyjson_doc *doc = measured(&p, "out.json");
    yyjson_val *root = yyjson_doc_get_root(doc);
    assert_int_equal(yyjson_arr_size(yyjson_obj_get(root, "target_inference_step")), 11);
    assert_int_equal(yyjson_arr_size(yyjson_obj_get(root, "session_utilization_timestamp")) >= 1, 1);
    yyjson_doc_free(doc);
    if (i) break;
    /* What comes while the first host's process ends is thrown away. */
    assert_true(kt_wait_output(p.server, "the client is gone", 30));
    usleep(500000);
    FILE *noise = fopen(l.names[0], "wb");
    assert_non_null(noise);
    fputs("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff noise that is no message", noise);
    fclose(noise);
    assert_true(kt_wait_output(p.server, "too large", 30));
  }
  stop_server(&p);
  close_line(&l);
  kt_directory_remove(p.directory);
}

/* A pseudo-terminal whose name is "device". Its other end, which keeps it alive. */
static int plug_in(const pair *p) {
  char name[64], *device = kt_path(p->directory, "device");
  int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  assert_true(master >= 0);
  assert_int_equal(grantpt(master), 0);
  assert_int_equal(unlockpt(master), 0);
  assert_int_equal(ptsname_r(master, name, sizeof name), 0);
  unlink(device);
  assert_int_equal(symlink(name, device), 0);
  free(device);
  return master;
}

/* It is told once, no client is made up, and the line that is plugged in later is served. */
static void an_unplugged_line_is_waited_for(void **state) {
  (void)state;
  pair p = {.directory = kt_directory_make()};
  p.options.directory = p.directory;
  p.options.timeout_s = 60;
  write_scenario(&p, "s.json", "device", false);
  int master = plug_in(&p);
  start_server(&p);
  close(master);
  assert_true(kt_wait_output(p.server, "the line hung up", 30));
  sleep(3);
  master = plug_in(&p);
  sleep(3);
  static const char noise[] = "x";
  assert_int_equal(write(master, noise, 1), 1);
  assert_true(kt_wait_output(p.server, "a client is served", 30));
  kt_signal(p.server, SIGTERM);
  kt_run run = kt_finish(p.server);
  const char *told = strstr(run.err, "the line hung up"), *served = strstr(run.err, "a client is served");
  assert_null(strstr(told + 1, "the line hung up"));
  assert_true(served > told);
  assert_null(strstr(served + 1, "a client is served"));
  kt_run_free(&run);
  close(master);
  kt_directory_remove(p.directory);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(a_server_serves_a_line),
                                     cmocka_unit_test(an_unplugged_line_is_waited_for)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
