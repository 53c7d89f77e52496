/* Which layers an engine's words are about, in models of all formats. */
#include "shared/named_layers.h"

#include "core/memory.h"
#include "support/directory.h"
#include "support/status.h"
#include "support/unit.h"

#include <string.h>

#define BAD "tests/scenario/badinput/data/"
#define UNIT "tests/unit/"

static void assert_named(const char *file, const char *words, const char *wanted) {
  char *path = kt_source_path(file), *layers = kn_named_layers(path, words);
  assert_non_null(layers);
  assert_string_equal(layers, wanted);
  kn_free(layers);
  free(path);
}

static void layers_of_every_format_are_named(void **state) {
  (void)state;
  assert_named(UNIT "onnxruntime/data/unknown.onnx", "no rule for Frobnicate-13",
               "operator Frobnicate of the layer 'layer7'");
  assert_named(BAD "unknown.savedmodel", "Op type not registered 'Frobnicate'",
               "operator Frobnicate of the layer 'Softmax' in the function '__inference___call___7'");
  assert_named(BAD "custom.tflite", "No translator found for Frobnicate node.",
               "operator Frobnicate, which makes 'mul'");
  assert_named(BAD "custom.tflite", "Custom operators are not supported", "operator Frobnicate, which makes 'mul'");
  assert_named(BAD "unknown.tflite", "code 300 is out of range", "operator 300, which makes 'mul'");
  assert_named(UNIT "openvino/data/fp32.xml", "no operation of type: Convolution",
               "operator Convolution of the layer 'conv/WithoutBiases'");
}

static void several_are_named_once_each(void **state) {
  (void)state;
  char *path = kt_source_path(UNIT "onnxruntime/data/fp32.onnx"), *layers = kn_named_layers(path, "Gemm, Conv, Conv");
  assert_non_null(strstr(layers, "operator Conv of the layer '"));
  assert_non_null(strstr(layers, ", operator Gemm of the layer '"));
  assert_null(strstr(strstr(layers, "operator Conv ") + 1, "operator Conv "));
  kn_free(layers);
  free(path);
}

static void nothing_is_named_where_nothing_is_meant(void **state) {
  (void)state;
  assert_named(UNIT "onnxruntime/data/unknown.onnx", "", "");
  assert_named(UNIT "onnxruntime/data/unknown.onnx", "Frobnicated and UnFrobnicate and Frobnicate_2", "");
  assert_named(UNIT "onnxruntime/data/none.onnx", "Frobnicate", "");
  assert_named(UNIT "pytorch/data/small.pt", "Frobnicate", "");
  assert_named(UNIT "onnxruntime/data", "Frobnicate", "");
}

/* Cut at every byte: read to the end of what is there, and never beyond. */
static void damaged_files_end_the_search(void **state) {
  (void)state;
  const char *const files[] = {UNIT "onnxruntime/data/unknown.onnx", BAD "unknown.savedmodel/saved_model.pb",
                               BAD "custom.tflite", UNIT "openvino/data/fp32.xml"};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    size_t bytes;
    char *path = kt_source_path(files[i]), *content = kt_file_read(path, &bytes);
    for (size_t cut = 0; cut < bytes; cut += 1 + bytes / 400) {
      char *part = malloc(cut + 1);
      assert_non_null(part);
      memcpy(part, content, cut);
      part[cut] = '\0';
      char *layers = kn_named_layers_in(part, cut, i == 1, "Frobnicate");
      assert_non_null(layers);
      kn_free(layers);
      free(part);
    }
    free(content);
    free(path);
  }
}

static void a_failure_keeps_its_code_and_context(void **state) {
  (void)state;
  char *path = kt_source_path(UNIT "onnxruntime/data/unknown.onnx");
  kn_status status = kn_status_annotate(kn_status_make_at(KN_INCOMPATIBLE, "s.json:1:2", "no Frobnicate"), "here");
  status = kn_status_name_layers(kn_status_annotate(status, "there"), path);
  assert_int_equal(kn_status_code(status), KN_INCOMPATIBLE);
  assert_string_equal(kn_status_message(status, 0), "no Frobnicate");
  assert_string_equal(kn_status_where(status, 0), "s.json:1:2");
  assert_string_equal(kn_status_context(status, 0), "here\nthere\nat the operator Frobnicate of the layer 'layer7'");
  kn_status_free(status);
  assert_null(kn_status_name_layers(NULL, path));
  free(path);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(layers_of_every_format_are_named), cmocka_unit_test(several_are_named_once_each),
      cmocka_unit_test(nothing_is_named_where_nothing_is_meant), cmocka_unit_test(damaged_files_end_the_search),
      cmocka_unit_test(a_failure_keeps_its_code_and_context)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
