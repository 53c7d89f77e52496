/* What files are, by their content. */
#include "support/unit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kenning/services.h>

#include "openvino/ir_file.h"
#include "openvino/model_file.h"
#include "support/directory.h"
#include "support/status.h"

static char *directory;

static int make_directory(void **state) {
  (void)state;
  directory = kt_directory_make();
  return 0;
}

static int remove_directory(void **state) {
  (void)state;
  kt_directory_remove(directory);
  return 0;
}

static char *write_file(const char *name, const char *data, size_t bytes) {
  char *path = kt_path(directory, name);
  kt_file_write(path, data, bytes);
  return path;
}

#define TFLITE "\x1c\0\0\0TFL3\x14\0"
#define ONNX "\x08\x08\x12\x04test"
#define IR "<?xml version=\"1.0\"?>\n<net name=\"a\" version=\"11\">"

static void formats_are_told_by_content(void **state) {
  (void)state;
  static const struct {
    const char *name, *data;
    size_t bytes;
    kn_vino_format format;
  } cases[] = {
      {"a", TFLITE, 10, KN_VINO_TFLITE}, {"b.tar", ONNX, 8, KN_VINO_ONNX}, {"c.xml", IR, sizeof IR, KN_VINO_IR}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char *path = write_file(cases[i].name, cases[i].data, cases[i].bytes);
    kn_vino_format format;
    kt_assert_ok(kn_vino_format_of(path, &format));
    assert_int_equal(format, cases[i].format);
    free(path);
  }
}

static void refuse(const char *name, const char *data, size_t bytes, kn_code code, const char *part) {
  char *path = write_file(name, data, bytes);
  kn_vino_format format;
  kt_assert_fault(kn_vino_format_of(path, &format), code, part);
  free(path);
}

#define CONSTANT(offset, size) "<layer><data element_type=\"f32\" offset=\"" offset "\" size=\"" size "\" /></layer>"

/* An IR is whole when its layers end and its weights hold what they refer to. */
static void an_ir_is_whole_or_refused(void **state) {
  (void)state;
  static const struct {
    const char *text;
    kn_code code;
    const char *part;
  } cases[] = {
      {IR CONSTANT("0", "8") CONSTANT("8", "4") "</net>", KN_OK, ""},
      {IR "<layer><data value=\"<\" axis=\"1\"/></layer></net>", KN_OK, ""},
      {IR CONSTANT("0", "8") CONSTANT("8", "5") "</net>", KN_BAD_DATA, "need 13; copy or make both files again"},
      {IR CONSTANT("18446744073709551615", "5") "</net>", KN_BAD_DATA, "ends beyond all files"},
      {IR CONSTANT("0", "8"), KN_BAD_DATA, "cut off: it ends after"},
      {"<html></net>", KN_BAD_DATA, "it has no <net>"},
  };
  free(write_file("whole.bin", "twelve bytes", 12));
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char *path = write_file("whole.xml", cases[i].text, strlen(cases[i].text));
    if (cases[i].code == KN_OK)
      kt_assert_ok(kn_vino_ir_check(path));
    else
      kt_assert_fault(kn_vino_ir_check(path), cases[i].code, cases[i].part);
    free(path);
  }
  char *path = write_file("lonely.xml", IR "</net>", sizeof IR + 5);
  kt_assert_fault(kn_vino_ir_check(path), KN_NOT_FOUND, "two files side by side");
  free(path);
  path = write_file("lonely.xml", IR "\0</net>", sizeof IR + 6);
  kt_assert_fault(kn_vino_ir_check(path), KN_BAD_DATA, "is damaged at byte");
  free(path);
}

static void other_files_are_refused(void **state) {
  (void)state;
  refuse("a.onnx", "\x89HDF\r\n\x1a\n", 8, KN_INCOMPATIBLE, "HDF5 file, as Keras");
  refuse("a.onnx", "PK\x03\x04 and so on", 12, KN_INCOMPATIBLE, "as Keras and PyTorch");
  refuse("a.so",
         "\x7f"
         "ELF\2\1\1",
         7, KN_INCOMPATIBLE, "as TVM makes them");
  refuse("a.onnx", "", 0, KN_BAD_DATA, "no model that OpenVINO reads");
  refuse("a.onnx", "Some text", 9, KN_BAD_DATA, "no model that OpenVINO reads");
  /* ir_version 8; opset_import: of another domain 99, of ONNX's own 27 or 28. */
  static const char older[] = "\x08\x08\x42\x06\x0a\x02me\x10\x63\x42\x02\x10\x1b",
                    newer[] = "\x08\x08\x42\x02\x10\x1c\x42\x06\x0a\x02me\x10\x01";
  kn_vino_format found;
  char *known = write_file("old.onnx", older, sizeof older - 1);
  kt_assert_ok(kn_vino_format_of(known, &found));
  assert_int_equal(found, KN_VINO_ONNX);
  free(known);
  refuse("new.onnx", newer, sizeof newer - 1, KN_INCOMPATIBLE, "operator set 28; OpenVINO 2026.4 knows up to 27");
  kn_vino_format format;
  char *path = kt_path(directory, "nothing");
  kt_assert_fault(kn_vino_format_of(path, &format), KN_NOT_FOUND, "nothing");
  assert_int_equal(mkdir(path, 0700), 0);
  kt_assert_fault(kn_vino_format_of(path, &format), KN_BAD_DATA, "without saved_model.pb");
  char *pipe = kt_path(directory, "pipe");
  assert_int_equal(mkfifo(pipe, 0600), 0);
  kt_assert_fault(kn_vino_format_of(pipe, &format), KN_BAD_DATA, "neither a file nor a directory");
  free(pipe);
  free(path);
}

static void names_are_lent(void **state) {
  (void)state;
  char *path = write_file("model.tar", ONNX, 8), *name;
  setenv("TMPDIR", directory, 1);
  kt_assert_ok(kn_vino_name_make(KN_VINO_ONNX, path, &name));
  assert_string_equal(name + strlen(name) - 11, "/model.onnx");
  char *data = kt_file_read(name, NULL), *link = strdup(name);
  assert_memory_equal(data, ONNX, 8);
  free(data);
  kn_vino_name_free(path, name);
  assert_int_equal(access(link, F_OK), -1);
  *strrchr(link, '/') = '\0';
  assert_int_equal(access(link, F_OK), -1);
  free(link);
  /* Its own is good enough. */
  kt_assert_ok(kn_vino_name_make(KN_VINO_IR, path, &name));
  assert_string_equal(name, path);
  kn_vino_name_free(path, name);
  assert_int_equal(access(path, F_OK), 0);
  setenv("TMPDIR", path, 1); /* a file */
  kt_assert_fault(kn_vino_name_make(KN_VINO_TFLITE, path, &name), KN_IO_ERROR, path);
  unsetenv("TMPDIR");
  free(path);
}

static void weights_lie_beside(void **state) {
  (void)state;
  char *path = kn_vino_weights_path("a/b.xml");
  assert_string_equal(path, "a/b.bin");
  kn_free(path);
  path = kn_vino_weights_path("a.d/b");
  assert_string_equal(path, "a.d/b.bin");
  kn_free(path);
}

static void assert_holds(const char *name, const char *text) {
  char *path = kt_path(directory, name), *data;
  size_t bytes;
  kt_assert_ok(kn_file_read(path, 1024, &data, &bytes));
  assert_string_equal(data, text);
  kn_free(data);
  free(path);
}

static void an_old_model_stays_until_the_new_one_is_there(void **state) {
  (void)state;
  char *link = kt_path(directory, "link.xml"), *next = kt_path(directory, "next.xml");
  free(write_file("real.xml", "old layers", 10));
  free(write_file("link.bin", "old weights", 11));
  assert_int_equal(symlink("real.xml", link), 0);
  free(write_file("next.bin", "weights", 7)); /* without its layers */
  kt_assert_fault(kn_vino_ir_publish(next, link), KN_NOT_FOUND, "next.xml");
  assert_holds("real.xml", "old layers");
  assert_holds("link.bin", "old weights");
  free(write_file("next.bin", "weights", 7));
  free(write_file("next.xml", "layers", 6));
  kt_assert_ok(kn_vino_ir_publish(next, link));
  assert_holds("real.xml", "layers");
  assert_holds("link.bin", "weights");
  struct stat found;
  assert_int_equal(lstat(link, &found), 0);
  assert_true(S_ISLNK(found.st_mode));
  char *aside = kt_path(directory, "real.xml.replaced");
  assert_int_equal(access(aside, F_OK), -1);
  free(aside);
  free(link);
  free(next);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_directory, remove_directory)

int main(void) {
  const struct CMUnitTest tests[] = {TEST(an_old_model_stays_until_the_new_one_is_there),
                                     TEST(formats_are_told_by_content),
                                     TEST(an_ir_is_whole_or_refused),
                                     TEST(other_files_are_refused),
                                     TEST(names_are_lent),
                                     TEST(weights_lie_beside)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
