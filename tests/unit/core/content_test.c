/* What files are by their content. */
#include "core/content.h"
#include "support/directory.h"
#include "support/status.h"

#include <string.h>
#include <sys/stat.h>

#define BYTES(text) text, sizeof(text) - 1
#define ZIP(length, name) \
  "PK\x03\x04"            \
  "\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" length "\0\0\0" name

static void first_bytes_tell(void **state) {
  (void)state;
  static const struct {
    const char *data;
    size_t bytes;
    const char *format, *words;
  } cases[] = {
      {BYTES(""), NULL, "empty"},
      {BYTES("\x89HDF\r\n\x1a\n"), "keras", "an HDF5 file"},
      {BYTES("\x1c\0\0\0TFL3"), "tflite", "TensorFlow Lite"},
      {BYTES("TFL3\x1c\0\0\0"), NULL, NULL},
      {BYTES(ZIP("\x0d", "metadata.json")), "keras", "as Keras writes them"},
      {BYTES(ZIP("\x0e", "model/data.pkl")), "torch", "as PyTorch writes them"},
      {BYTES(ZIP("\x09", "module.fb")), "iree", "a module of IREE"},
      {BYTES("{\"nodes\": [{\"op\": \"null\", \"name\": \"data\""), "mxnet", "a graph of MXNet"},
      {BYTES(ZIP("\x09", "notes.txt")), NULL, "a zip archive"},
      {BYTES(ZIP("\xff", "cut")), NULL, "a zip archive"},
      {BYTES("PK\x03\x04"), NULL, "a zip archive"},
      /* ir_version 8, producer_name "test"; graph; a name that is cut; a name that is no text */
      {BYTES("\x08\x08\x12\x04test\x3a"), "onnx", "an ONNX model"},
      {BYTES("\x08\x08\x3a\x10"), "onnx", "an ONNX model"},
      {BYTES("\x08\x08\x12\x40test"), NULL, NULL},
      {BYTES("\x08\x08\x12\x02\x01\x02"), NULL, NULL},
      {BYTES("\x08\x01\x12\xff\xff\x10graph"), NULL, "the graph of a SavedModel"},
      {BYTES("\x08\x01\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), NULL, "the graph of a SavedModel"},
      {BYTES("\x12\x01\0\0\0\0\0\0"), "mxnet", "as MXNet writes them"},
      {BYTES("\xef\xbb\xbf<?xml version=\"1.0\"?>\n<net name=\"a\">"), "openvino", "an OpenVINO IR"},
      {BYTES("<?xml version=\"1.0\"?><other/>"), NULL, "XML"},
      {BYTES(" \n<!DOCTYPE html><title>Not found</title>"), NULL, "an HTML page"},
      {BYTES("version https://git-lfs.github.com/spec/v1\n"), NULL, "a pointer of Git LFS"},
      {BYTES("\x7f"
             "ELF"),
       NULL, "a program or a library"},
      {BYTES("Some text."), NULL, NULL},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    kn_content content = kn_content_of(cases[i].data, cases[i].bytes);
    if (cases[i].format ? !content.format || strcmp(content.format, cases[i].format) : content.format != NULL)
      kt_fail("case %zu is %s", i, content.format ? content.format : "no format");
    if (cases[i].words ? !content.words || !strstr(content.words, cases[i].words) : content.words != NULL)
      kt_fail("case %zu is %s", i, content.words ? content.words : "nothing known");
  }
}

/* Every model of the tests is what its name says. */
static void models_are_what_their_names_say(void **state) {
  (void)state;
  static const struct {
    const char *path, *format;
  } cases[] = {{"tests/unit/onnxruntime/data/fp32.onnx", "onnx"}, {"tests/unit/onnxruntime/data/int8.onnx", "onnx"},
               {"tests/unit/tflite/data/fp32.tflite", "tflite"},  {"tests/unit/openvino/data/fp32.xml", "openvino"},
               {"tests/unit/tensorflow/data/keras2.h5", "keras"}, {"tests/unit/tensorflow/data/keras3.h5", "keras"},
               {"tests/unit/pytorch/data/small.pt", "torch"},     {"tests/unit/pytorch/data/fashion.pth", "torch"},
               {"tests/unit/pytorch/data/legacy.pth", NULL}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    kn_content content;
    char *path = kt_source_path(cases[i].path);
    kt_assert_ok(kn_content_read(path, &content));
    if (cases[i].format ? !content.format || strcmp(content.format, cases[i].format) : content.format != NULL)
      kt_fail("%s is %s", cases[i].path, content.format ? content.format : "no format");
    free(path);
  }
}

static void directories_and_pipes_are_told_apart(void **state) {
  (void)state;
  kn_content content;
  char *directory = kt_directory_make(), *graph = kt_path(directory, "saved_model.pb"), *pipe = kt_path(directory, "p");
  kt_assert_ok(kn_content_read(directory, &content));
  assert_null(content.format);
  assert_non_null(strstr(content.words, "without saved_model.pb"));
  kt_file_write_text(graph, "");
  kt_assert_ok(kn_content_read(directory, &content));
  assert_string_equal(content.format, "saved_model");
  assert_int_equal(mkfifo(pipe, 0600), 0);
  kt_assert_fault(kn_content_read(pipe, &content), KN_BAD_DATA, "is a pipe");
  kt_assert_fault(kn_content_read("/nonexistent/m.h5", &content), KN_NOT_FOUND, "no such file");
  free(graph);
  free(pipe);
  kt_directory_remove(directory);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(first_bytes_tell),
                                     cmocka_unit_test(models_are_what_their_names_say),
                                     cmocka_unit_test(directories_and_pipes_are_told_apart)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
