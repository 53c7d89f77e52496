/* Models of more than one file. */
#include "core/model_file.h"
#include "pipeline/held_model.h"
#include "support/directory.h"
#include "support/status.h"

#include <string.h>
#include <sys/stat.h>

static void put(const char *directory, const char *name, size_t bytes) {
  char *path = kt_path(directory, name), *zeros = calloc(bytes + 1, 1);
  assert_non_null(zeros);
  kt_file_write(path, zeros, bytes);
  free(zeros);
  free(path);
}

static void a_model_is_counted_whole(void **state) {
  (void)state;
  static const struct {
    const char *name;
    size_t bytes;
  } files[] = {{"m.xml", 10},         {"m.bin", 100},          {"lonely.xml", 11},
               {"n-symbol.json", 20}, {"n-0001.params", 1000}, {"n-0003.params", 300},
               {"n-best.params", 7},  {"nn-0009.params", 9},   {"d.cfg", 5},
               {"d.weights", 50},     {"t.tflite", 12},        {"s/saved_model.pb", 30},
               {"s/variables/v", 400}};
  static const struct {
    const char *name, *companion; /* NULL: none */
    uint64_t bytes;
  } cases[] = {{"m.xml", "m.bin", 110},
               {"lonely.xml", NULL, 11},
               {"m.bin", NULL, 100},
               {"n-symbol.json", "n-0003.params", 320},
               {"n-0001.params", "n-symbol.json", 1020},
               {"d.cfg", "d.weights", 55},
               {"d.weights", "d.cfg", 55},
               {"t.tflite", NULL, 12},
               {"s", NULL, 430},
               {"nothing", NULL, 0}};
  char *directory = kt_directory_make(), *inner = kt_path(directory, "s"),
       *variables = kt_path(directory, "s/variables");
  assert_int_equal(mkdir(inner, 0700), 0);
  assert_int_equal(mkdir(variables, 0700), 0);
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) put(directory, files[i].name, files[i].bytes);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char *path = kt_path(directory, cases[i].name);
    kn_companions companions;
    kn_held_model held;
    kt_assert_ok(kn_held_model_open("input", path, NULL, -1, &held));
    if (kn_held_model_bytes(&held) != cases[i].bytes)
      kt_fail("%s has %llu bytes", cases[i].name, (unsigned long long)kn_held_model_bytes(&held));
    kn_held_model_close(&held);
    kt_assert_ok(kn_model_file_companions(path, &companions));
    char *expected = cases[i].companion ? kt_path(directory, cases[i].companion) : NULL;
    assert_int_equal(companions.count, expected != NULL);
    if (expected) assert_string_equal(companions.paths[0], expected);
    kn_companions_clear(&companions);
    free(expected);
    free(path);
  }
  free(inner);
  free(variables);
  kt_directory_remove(directory);
}

/* Nothing is asked of models of formats that only names tell, and of blocks that take everything. */
static void formats_are_judged_where_content_tells(void **state) {
  (void)state;
  static const struct {
    const char *formats[3];
    kn_code code;
    const char *part;
  } cases[] = {{{"keras", "saved_model"}, KN_BAD_DATA, "is no model of format keras or saved_model: it does not begin"},
               {{"tvm"}, KN_OK, NULL},
               {{"keras", "torch"}, KN_OK, NULL},
               {{"any"}, KN_OK, NULL},
               {{"none"}, KN_OK, NULL}};
  char *directory = kt_directory_make(), *path = kt_path(directory, "m.h5");
  const char *format;
  kt_file_write_text(path, "Some text.");
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    kn_status status = kn_model_file_recognize(path, cases[i].formats, &format);
    if (cases[i].code == KN_OK)
      kt_assert_ok(status);
    else
      kt_assert_fault(status, cases[i].code, cases[i].part);
    assert_null(format);
  }
  /* an archive that somebody packed again: its reader knows */
  kt_file_write(path, "PK\x03\x04", 4);
  kt_assert_ok(kn_model_file_recognize(path, (const char *const[]){"keras", NULL}, &format));
  kt_file_write(path, "\x1c\0\0\0TFL3", 8);
  kt_assert_ok(kn_model_file_recognize(path, (const char *const[]){"tvm", "tflite", NULL}, &format));
  assert_string_equal(format, "tflite");
  kt_assert_fault(kn_model_file_recognize(path, (const char *const[]){"tvm", NULL}, &format), KN_BAD_DATA,
                  "is a TensorFlow Lite model, whatever its name says, where a model of format tvm is wanted");
  /* PyTorch's archives begin alike */
  static const char script[] = "PK\x03\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x0e\0\0\0model/data.pkl";
  kt_file_write(path, script, sizeof script - 1);
  kt_assert_ok(kn_model_file_recognize(path, (const char *const[]){"torchscript", NULL}, &format));
  assert_string_equal(format, "torchscript");
  kt_assert_ok(kn_model_file_recognize(path, (const char *const[]){"torchscript", "torch", NULL}, &format));
  assert_string_equal(format, "torch");
  /* what no model of these formats begins like, also where not all of theirs begin alike */
  kt_file_write_text(path, "%PDF-1.7");
  kt_assert_fault(kn_model_file_recognize(path, (const char *const[]){"onnx", "mxnet", NULL}, &format), KN_BAD_DATA,
                  "is a PDF document, no model of format onnx or mxnet");
  kt_assert_ok(kn_model_file_recognize(path, (const char *const[]){"darknet", NULL}, &format));
  free(path);
  kt_directory_remove(directory);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(a_model_is_counted_whole),
                                     cmocka_unit_test(formats_are_judged_where_content_tells)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
