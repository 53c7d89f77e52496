/* ONNX models whose weights lie in other files: what belongs to a model, its size and hash, and what is refused. */
#include "core/external_data.h"
#include "core/file.h"
#include "core/model_file.h"
#include "pipeline/held_model.h"
#include "support/directory.h"
#include "support/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- a writer of Protocol Buffers ---- */

typedef struct message {
  uint8_t bytes[2048];
  size_t length;
} message;

static void put_number(message *m, uint64_t value) {
  for (; value >= 0x80; value >>= 7) m->bytes[m->length++] = (uint8_t)(value | 0x80);
  m->bytes[m->length++] = (uint8_t)value;
}

static void put_int(message *m, unsigned field, uint64_t value) {
  put_number(m, (uint64_t)field << 3);
  put_number(m, value);
}

static void put_bytes(message *m, unsigned field, const void *bytes, size_t length) {
  put_number(m, (uint64_t)field << 3 | 2);
  put_number(m, length);
  assert_true(m->length + length <= sizeof m->bytes);
  memcpy(m->bytes + m->length, bytes, length);
  m->length += length;
}

static void put_text(message *m, unsigned field, const char *text) { put_bytes(m, field, text, strlen(text)); }

static void put_message(message *m, unsigned field, const message *inner) {
  put_bytes(m, field, inner->bytes, inner->length);
}

static void put_entry(message *tensor, const char *key, const char *value) {
  message entry = {0};
  put_text(&entry, 1, key);
  put_text(&entry, 2, value);
  put_message(tensor, 13, &entry);
}

/* 2 x 3 values of float32. NULL: not given. */
static message tensor_in(const char *name, const char *location, const char *offset, const char *length) {
  message tensor = {0};
  put_int(&tensor, 1, 2);
  put_int(&tensor, 1, 3);
  put_int(&tensor, 2, 1);
  put_text(&tensor, 8, name);
  put_entry(&tensor, "location", location);
  if (offset) put_entry(&tensor, "offset", offset);
  if (length) put_entry(&tensor, "length", length);
  put_int(&tensor, 14, 1);
  return tensor;
}

static message model_of(const message *graph) {
  message model = {0}, opset = {0};
  put_int(&model, 1, 8);
  put_message(&model, 7, graph);
  put_int(&opset, 2, 17);
  put_message(&model, 8, &opset);
  return model;
}

static char *directory, *model_path, *weights_path;

static void write_model(const message *graph) {
  message model = model_of(graph);
  kt_file_write(model_path, model.bytes, model.length);
}

static void write_one(const char *location, const char *offset, const char *length) {
  message graph = {0}, tensor = tensor_in("w", location, offset, length);
  put_message(&graph, 5, &tensor);
  write_model(&graph);
}

static void write_zeros(const char *path, size_t bytes) {
  static const char zeros[128];
  assert_true(bytes <= sizeof zeros);
  kt_file_write(path, zeros, bytes);
}

static int make_directory(void **state) {
  (void)state;
  directory = kt_directory_make();
  model_path = kt_path(directory, "m.onnx");
  weights_path = kt_path(directory, "w.bin");
  return 0;
}

static int remove_directory(void **state) {
  (void)state;
  free(model_path);
  free(weights_path);
  kt_directory_remove(directory);
  return 0;
}

/* ---- tests ---- */

/* Initializers, and a constant inside a branch of a node. */
static void write_several(void) {
  message graph = {0}, node = {0}, attribute = {0}, branch = {0}, constant = {0}, value = {0};
  message first = tensor_in("first", "w.bin", NULL, "16"), second = tensor_in("second", "w.bin", "16", NULL);
  message deep = tensor_in("deep", "sub/v.bin", "0", "24");
  put_message(&value, 5, &deep);
  put_message(&constant, 5, &value);
  put_message(&branch, 1, &constant);
  put_message(&attribute, 6, &branch);
  put_message(&node, 5, &attribute);
  put_message(&graph, 5, &first);
  put_message(&graph, 5, &second);
  put_message(&graph, 1, &node);
  write_model(&graph);
}

static void all_files_belong_to_the_model(void **state) {
  (void)state;
  char *sub = kt_path(directory, "sub"), *deep = kt_path(directory, "sub/v.bin"), before[65], after[65], file[65];
  assert_int_equal(mkdir(sub, 0700), 0);
  write_several();
  write_zeros(weights_path, 40);
  write_zeros(deep, 24);
  kt_assert_ok(kn_external_data_check(model_path));
  kn_external_data data;
  kt_assert_ok(kn_external_data_read(model_path, &data));
  assert_int_equal(data.count, 2);
  assert_string_equal(data.files[0].path, weights_path);
  assert_string_equal(data.files[0].tensor, "second"); /* 16 + 2 * 3 * 4 */
  assert_int_equal(data.files[0].needed, 40);
  assert_string_equal(data.files[1].path, deep);
  kn_external_data_clear(&data);
  uint64_t alone;
  assert_true(kn_file_exists(model_path, &alone));
  kn_held_model held;
  kt_assert_ok(kn_held_model_open("input", model_path, "onnx", -1, &held));
  assert_int_equal(kn_held_model_bytes(&held), alone + 64);
  assert_null(kn_held_model_change(&held));
  /* The weights are the model's: another content is another model. */
  kt_assert_ok(kn_sha256_path(model_path, before));
  kt_assert_ok(kn_sha256_file(model_path, file));
  assert_string_not_equal(before, file);
  char other[40] = "other";
  kt_file_write(weights_path, other, sizeof other);
  kt_assert_ok(kn_sha256_path(model_path, after));
  assert_string_not_equal(before, after);
  assert_non_null(kn_held_model_change(&held));
  kn_held_model_close(&held);
  free(deep);
  free(sub);
}

static void what_is_missing_or_cut_is_named(void **state) {
  (void)state;
  static const char *const formats[] = {"onnx", NULL};
  write_one("w.bin", "16", "24");
  kt_assert_fault(kn_model_file_check(model_path, formats), KN_NOT_FOUND, "w.bin: no such file");
  write_zeros(weights_path, 39);
  kt_assert_fault(kn_model_file_check(model_path, formats), KN_BAD_DATA,
                  "w.bin is cut: it has 39 bytes, and the values of the tensor 'w'");
  write_zeros(weights_path, 40);
  kt_assert_ok(kn_external_data_check(model_path));
  /* Ends that no file has. */
  write_one("w.bin", "18446744073709551609", "24"); /* the end does not fit 64 bits */
  kt_assert_fault(kn_external_data_check(model_path), KN_BAD_DATA, "is cut");
  write_one("w.bin", "99999999999999999999", "24");
  kt_assert_fault(kn_external_data_check(model_path), KN_BAD_DATA, "is no number");
  write_one("w.bin", "1844674407370955160", "24");
  kt_assert_fault(kn_external_data_check(model_path), KN_BAD_DATA, "is cut");
  write_one("w.bin", "-1", "24");
  kt_assert_fault(kn_external_data_check(model_path), KN_BAD_DATA, "is no number");
}

static void only_files_below_the_model_are_read(void **state) {
  (void)state;
  static const char *const locations[] = {"/etc/passwd", "../w.bin", "a/../../w.bin", "a/..", "..", ""};
  for (size_t i = 0; i < sizeof locations / sizeof *locations; i++) {
    kn_companions companions;
    write_one(locations[i], NULL, "24");
    kt_assert_fault(kn_external_data_check(model_path), KN_BAD_DATA, "neither absolute paths nor '..'");
    kt_assert_fault(kn_model_file_companions(model_path, &companions), KN_BAD_DATA, "the tensor 'w'");
  }
  write_one("..w.bin", NULL, "24"); /* a name like any other */
  kt_assert_fault(kn_external_data_check(model_path), KN_NOT_FOUND, "..w.bin: no such file");
}

/* A model that is cut anywhere, or has any byte changed, is walked to where it ends. */
static void damaged_models_are_walked_safely(void **state) {
  (void)state;
  size_t bytes;
  write_several();
  char *text = kt_file_read(model_path, &bytes);
  kn_external_data data;
  for (size_t i = 0; i < 2 * bytes; i++) {
    size_t length = i < bytes ? i : bytes;
    if (i >= bytes) text[i - bytes] = (char)~text[i - bytes];
    kt_file_write(model_path, text, length);
    kn_status_free(kn_external_data_read(model_path, &data));
    kn_external_data_clear(&data);
    if (i >= bytes) text[i - bytes] = (char)~text[i - bytes];
  }
  free(text);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_directory, remove_directory)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(all_files_belong_to_the_model),
      TEST(what_is_missing_or_cut_is_named),
      TEST(only_files_below_the_model_are_read),
      TEST(damaged_models_are_walked_safely),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
