#include "resources/transfer.h"

#include "support/directory.h"
#include "support/http_server.h"
#include "support/status.h"
#include "support/unit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BYTES = 300000 };

static char *served, *work, *content;
static kt_http_server *server;

static int start(void **state) {
  (void)state;
  served = kt_directory_make();
  content = malloc(BYTES);
  if (!content) return 1;
  for (unsigned i = 0, x = 1; i < BYTES; i++) content[i] = (char)((x = x * 1103515245u + 12345u) >> 16);
  char *path = kt_path(served, "file.bin");
  kt_file_write(path, content, BYTES);
  free(path);
  path = kt_path(served, "empty.bin");
  kt_file_write(path, "", 0);
  free(path);
  server = kt_http_server_start(served);
  return 0;
}

static int stop(void **state) {
  (void)state;
  kt_http_server_stop(server);
  kt_directory_remove(served);
  free(content);
  return 0;
}

static int make_work(void **state) {
  (void)state;
  work = kt_directory_make();
  free(kt_http_server_requests(server));
  return 0;
}

static int remove_work(void **state) {
  (void)state;
  kt_directory_remove(work);
  return 0;
}

static kn_status fetch(const char *name, uint64_t limit, double stall_s) {
  char *uri = kt_http_server_uri(server, name), *path = kt_path(work, "partial");
  kn_status status = kn_transfer_run(&(kn_transfer){.uri = uri,
                                                    .path = path,
                                                    .what = "downloading",
                                                    .limit_bytes = limit,
                                                    .attempts = 3,
                                                    .first_delay_s = 0.01,
                                                    .stall_s = stall_s});
  free(path);
  free(uri);
  return status;
}

static void assert_whole(void) {
  char *path = kt_path(work, "partial");
  size_t bytes;
  char *text = kt_file_read(path, &bytes);
  assert_int_equal(bytes, BYTES);
  assert_memory_equal(text, content, BYTES);
  free(text);
  free(path);
}

static void assert_requests(const char *expected) {
  char *text = kt_http_server_requests(server);
  assert_string_equal(text, expected);
  free(text);
}

static void a_file_arrives(void **state) {
  (void)state;
  kt_assert_ok(fetch("file.bin", BYTES, 5));
  assert_whole();
  assert_requests("/file.bin -\n");
}

static void an_empty_file_arrives(void **state) {
  (void)state;
  kt_assert_ok(fetch("empty.bin", BYTES, 5));
  char *path = kt_path(work, "partial");
  size_t bytes;
  free(kt_file_read(path, &bytes));
  assert_int_equal(bytes, 0);
  free(path);
}

static void a_cut_connection_is_continued(void **state) {
  (void)state;
  kt_assert_ok(fetch("file.bin?cut=120000", BYTES, 5));
  assert_whole();
  assert_requests("/file.bin -\n/file.bin bytes=120000-\n/file.bin bytes=240000-\n");
}

static void a_later_call_continues(void **state) {
  (void)state;
  kt_assert_fault(fetch("file.bin?cut=100000&norange=1", BYTES, 5), KN_IO_ERROR, "also by trying again");
  free(kt_http_server_requests(server));
  kt_assert_ok(fetch("file.bin", BYTES, 5));
  assert_whole();
  assert_requests("/file.bin bytes=100000-\n");
}

static void a_wrong_length_is_found_out(void **state) {
  (void)state;
  kt_assert_ok(fetch("file.bin?lie=1000", BYTES + 1000, 5)); /* asked for the rest, the server says there is none */
  assert_whole();
  assert_requests("/file.bin -\n/file.bin bytes=300000-\n");
}

static void a_changed_file_is_begun_anew(void **state) {
  (void)state;
  char *path = kt_path(work, "partial"), *validator = kt_path(work, "partial.validator");
  kt_file_write_text(path, "the beginning of another file");
  kt_file_write_text(validator, "\"another\"");
  kt_assert_ok(fetch("file.bin", BYTES, 5));
  assert_whole();
  assert_requests("/file.bin bytes=29-\n");
  kt_file_write_text(path, "a part that nothing is known about");
  (void)unlink(validator);
  kt_assert_ok(fetch("file.bin", BYTES, 5));
  assert_whole();
  assert_requests("/file.bin -\n");
  free(validator);
  free(path);
}

/* Whatever the server makes of If-Range. */
static void two_versions_are_not_joined(void **state) {
  (void)state;
  char *path = kt_path(work, "partial"), *validator = kt_path(work, "partial.validator");
  kt_file_write_text(path, "the beginning of another file");
  kt_file_write_text(validator, "\"another\"");
  kt_assert_ok(fetch("file.bin?always=1", BYTES, 5));
  assert_whole();
  assert_requests("/file.bin bytes=29-\n/file.bin -\n");
  free(validator);
  free(path);
}

static void a_part_without_bytes_is_not_the_rest(void **state) {
  (void)state;
  kt_assert_fault(fetch("file.bin?cut=100000&norange=1", BYTES, 5), KN_IO_ERROR, NULL);
  kt_assert_fault(fetch("file.bin?hollow=1", BYTES, 5), KN_IO_ERROR, "the answer ended after 100000 of 300000 bytes");
  kt_assert_ok(fetch("file.bin", BYTES, 5));
  assert_whole();
}

static void what_cannot_be_continued_is_begun_anew(void **state) {
  (void)state;
  kt_assert_fault(fetch("file.bin?cut=100000&norange=1", BYTES, 5), KN_IO_ERROR, NULL);
  assert_requests("/file.bin -\n/file.bin bytes=100000-\n/file.bin bytes=100000-\n");
  kt_assert_ok(fetch("file.bin?norange=1", BYTES, 5));
  assert_whole();
}

static void without_validator_nothing_is_continued(void **state) {
  (void)state;
  kt_assert_fault(fetch("file.bin?cut=100000&noetag=1", BYTES, 5), KN_IO_ERROR, NULL);
  assert_requests("/file.bin -\n/file.bin -\n/file.bin -\n");
}

static void failures_of_the_server_are_tried_again(void **state) {
  (void)state;
  kt_assert_ok(fetch("file.bin?fail=2", BYTES, 5));
  assert_whole();
  assert_requests("/file.bin -\n/file.bin -\n/file.bin -\n");
  kt_assert_fault(fetch("file.bin?fail=9", BYTES, 5), KN_IO_ERROR, NULL);
}

static void a_stalled_connection_is_given_up(void **state) {
  (void)state;
  kt_assert_ok(fetch("file.bin?stall=100000", BYTES, 1));
  assert_whole();
  assert_requests("/file.bin -\n/file.bin bytes=100000-\n");
}

static void refusals_are_final(void **state) {
  (void)state;
  kt_assert_fault(fetch("missing.bin", BYTES, 5), KN_NOT_FOUND, NULL);
  assert_requests("/missing.bin -\n");
  kt_assert_fault(fetch("file.bin?code=403", BYTES, 5), KN_IO_ERROR, NULL);
  assert_requests("/file.bin -\n");
}

static void redirects_end(void **state) {
  (void)state;
  kt_assert_ok(fetch("file.bin?redirect=3", BYTES, 5));
  assert_whole();
  kt_assert_fault(fetch("file.bin?redirect=loop", BYTES, 5), KN_IO_ERROR, NULL);
}

static void the_limit_holds(void **state) {
  (void)state;
  kt_assert_fault(fetch("file.bin", BYTES - 1, 5), KN_BAD_DATA, NULL);
}

static void nobody_answers(void **state) {
  (void)state;
  char *path = kt_path(work, "partial");
  kn_transfer transfer = {.uri = "http://127.0.0.1:1/x",
                          .path = path,
                          .what = "downloading",
                          .limit_bytes = 1,
                          .attempts = 2,
                          .first_delay_s = 0.01,
                          .stall_s = 2};
  kt_assert_fault(kn_transfer_run(&transfer), KN_IO_ERROR, NULL);
  transfer.uri = "ftp://127.0.0.1/x";
  kt_assert_fault(kn_transfer_run(&transfer), KN_INVALID_ARGUMENT, NULL);
  free(path);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_work, remove_work)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(a_file_arrives),
      TEST(an_empty_file_arrives),
      TEST(a_cut_connection_is_continued),
      TEST(a_later_call_continues),
      TEST(a_wrong_length_is_found_out),
      TEST(without_validator_nothing_is_continued),
      TEST(a_changed_file_is_begun_anew),
      TEST(two_versions_are_not_joined),
      TEST(a_part_without_bytes_is_not_the_rest),
      TEST(what_cannot_be_continued_is_begun_anew),
      TEST(failures_of_the_server_are_tried_again),
      TEST(a_stalled_connection_is_given_up),
      TEST(refusals_are_final),
      TEST(redirects_end),
      TEST(the_limit_holds),
      TEST(nobody_answers),
  };
  return cmocka_run_group_tests(tests, start, stop);
}
