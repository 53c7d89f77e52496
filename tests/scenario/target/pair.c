#include "scenario/target/pair.h"

#include "support/directory.h"
#include "support/unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int free_port(void) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
  assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
  close(fd);
  return ntohs(address.sin_port);
}

void write_in(const pair *p, const char *name, const char *text) {
  char *path = kt_path(p->directory, name);
  kt_file_write_text(path, text);
  free(path);
}

char *read_in(const pair *p, const char *name) {
  char *path = kt_path(p->directory, name), *text = kt_file_read(path, NULL);
  free(path);
  return text;
}

yyjson_doc *measured(const pair *p, const char *name) {
  char *text = read_in(p, name);
  yyjson_doc *doc = yyjson_read(text, strlen(text), 0);
  assert_non_null(doc);
  free(text);
  return doc;
}

/* s.json of the server and c.json of the client. `protocol` has one %d, the port. */
pair make_pair(const char *protocol, const char *runtime, int samples) {
  pair p = {.directory = kt_directory_make(), .port = free_port()};
  p.options.directory = p.directory;
  p.options.timeout_s = 60;
  char link[1024], text[4096];
  const char *at = strstr(protocol, "%d");
  assert_non_null(at);
  snprintf(link, sizeof link, "%.*s%d%s", (int)(at - protocol), protocol, p.port, at + 2);
  snprintf(text, sizeof text, "{\"runtime_protocol\": %s, \"runtime\": %s}", link, runtime);
  write_in(&p, "s.json", text);
  snprintf(text, sizeof text,
           "{\"runtime_protocol\": %s, \"runtime\": %s, \"model_wrapper\": {\"type\": \"NullModelWrapper\", "
           "\"parameters\": {\"model_path\": \"model.bin\"}}, \"dataset\": {\"type\": "
           "\"RandomizedClassificationDataset\", \"parameters\": {\"split\": \"all\", \"num_samples\": %d, "
           "\"input_dims\": [4, 4, 3]}}}",
           link, runtime, samples);
  write_in(&p, "c.json", text);
  write_in(&p, "model.bin", "a model");
  return p;
}

pair make_isolated(const char *runtime, const char *dims, int samples) {
  pair p = {.directory = kt_directory_make()};
  p.options.directory = p.directory;
  p.options.timeout_s = 60;
  char text[2048];
  snprintf(text, sizeof text,
           "{\"runtime\": %s, \"model_wrapper\": {\"type\": \"NullModelWrapper\", \"parameters\": {\"model_path\": "
           "\"model.bin\"}}, \"dataset\": {\"type\": \"RandomizedClassificationDataset\", \"parameters\": "
           "{\"split\": \"all\", \"num_samples\": %d, \"input_dims\": [%s]}}}",
           runtime, samples, dims);
  write_in(&p, "c.json", text);
  write_in(&p, "model.bin", "a model");
  write_in(&p, "faulty.bin", "a model");
  snprintf(text, sizeof text,
           "{\"input\": [{\"name\": \"x\", \"shape\": [1, %s], \"dtype\": \"float32\"}], \"output\": "
           "[{\"name\": \"y\", \"shape\": [1, 3], \"dtype\": \"float32\"}]}",
           dims);
  write_in(&p, "faulty.bin.json", text);
  return p;
}

void start_server(pair *p) {
  const char *arguments[] = {kt_kenning(), "json_inference_server", "s.json", NULL};
  p->server = kt_start(arguments, &p->options);
  assert_true(kt_wait_output(p->server, "serving on", 30));
}

void stop_server(pair *p) {
  kt_signal(p->server, SIGTERM);
  kt_run run = kt_finish(p->server);
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
}

void drop_pair(pair *p) { kt_directory_remove(p->directory); }

kt_run run_client(pair *p, const char *output) {
  return kt_run_kenning(&p->options, "json_inference_tester", "c.json", output);
}

void expect_incomplete(pair *p, const char *name, size_t least) {
  yyjson_doc *doc = measured(p, name);
  yyjson_val *root = yyjson_doc_get_root(doc);
  assert_true(yyjson_is_false(yyjson_obj_get(root, "complete")));
  size_t count = yyjson_arr_size(yyjson_obj_get(root, "protocol_inference_step"));
  assert_true(count >= least);
  /* each came with its outputs, so that the target need not be asked any more */
  bool told = yyjson_get_bool(yyjson_ptr_get(root, "/wire/one_message"));
  if (told) assert_int_equal(yyjson_arr_size(yyjson_obj_get(root, "target_inference_step")), count);
  yyjson_doc_free(doc);
}
