#include "core/memory.h"
#include "support/directory.h"
#include "support/status.h"

#include <kenning/iospec.h>
#include <math.h>
#include <unistd.h>

/* Both eras: numbers and lists of one, "order", entries the reader does not know. */
static const char full[] =
    "{\n"
    " \"input\": [{\"name\": \"input_1\", \"shape\": [1, 224, 224, 3], \"dtype\": \"int8\", \"order\": 0,\n"
    "            \"scale\": 0.0078125, \"zero_point\": -1, \"prequantized_dtype\": \"float32\"}],\n"
    " \"processed_input\": [{\"name\": \"p\", \"shape\": [-1, null], \"dtype\": \"float32\", \"scale\": null}],\n"
    " \"output\": [\n"
    "  {\"name\": \"a\", \"shape\": [], \"dtype\": \"uint8\", \"scale\": [0.5], \"zero_point\": [128]},\n"
    "  {\"name\": \"b\", \"shape\": [1, 37], \"dtype\": \"float16\", \"class_name\": \"boxes\", \"unknown\": {}}],\n"
    " \"processed_output\": [{\"name\": \"c\", \"shape\": [5], \"dtype\": \"int64\"}],\n"
    " \"entry_func\": \"module.main\"\n"
    "}\n";

static kn_status parse(const char *text, kn_iospec *spec) {
  return kn_iospec_parse(text, strlen(text), "model.json", spec);
}

static void assert_full(const kn_iospec *spec) {
  assert_int_equal(spec->input.count, 1);
  const kn_ioentry *input = &spec->input.entries[0];
  assert_string_equal(input->name, "input_1");
  assert_int_equal(input->rank, 4);
  assert_int_equal(input->shape[1], 224);
  assert_int_equal(input->dtype, KN_INT8);
  assert_int_equal(input->prequantized_dtype, KN_FLOAT32);
  assert_int_equal(input->order, 0);
  assert_true(input->quantized);
  assert_true(input->scale == 0.0078125);
  assert_int_equal(input->zero_point, -1);
  assert_null(input->class_name);

  assert_int_equal(spec->processed_input.count, 1);
  const kn_ioentry *processed = &spec->processed_input.entries[0];
  assert_int_equal(processed->rank, 2);
  assert_int_equal(processed->shape[0], -1);
  assert_int_equal(processed->shape[1], -1);
  assert_int_equal(processed->order, -1);
  assert_false(processed->quantized);

  assert_int_equal(spec->output.count, 2);
  assert_int_equal(spec->output.entries[0].rank, 0);
  assert_true(spec->output.entries[0].quantized);
  assert_int_equal(spec->output.entries[0].zero_point, 128);
  assert_string_equal(spec->output.entries[1].class_name, "boxes");
  assert_int_equal(spec->output.entries[1].prequantized_dtype, KN_DTYPE_NONE);
  assert_int_equal(spec->processed_output.count, 1);
  assert_int_equal(spec->processed_output.entries[0].dtype, KN_INT64);
}

static void specifications_are_read(void **state) {
  (void)state;
  kn_iospec spec;
  kt_assert_ok(parse(full, &spec));
  assert_full(&spec);
  kn_iospec copy;
  kt_assert_ok(kn_iospec_copy(&spec, &copy));
  kn_iospec_clear(&spec);
  assert_null(spec.input.entries);
  assert_full(&copy); /* shares nothing with what it was copied from */
  kn_iospec_clear(&copy);
  kn_iospec_clear(&copy);
}

static void what_is_written_is_read_again(void **state) {
  (void)state;
  char *directory = kt_directory_make(), *path = kt_path(directory, "sub/model.tflite.json");
  kn_iospec spec, again;
  kt_assert_ok(parse(full, &spec));
  spec.input.entries[0].scale = 0.1 + 0.2; /* every bit counts */
  kt_assert_ok(kn_iospec_write(&spec, path));
  kt_assert_ok(kn_iospec_read(path, &again));
  assert_true(again.input.entries[0].scale == 0.1 + 0.2);
  again.input.entries[0].scale = 0.0078125;
  assert_full(&again);
  kn_iospec_clear(&again);
  kn_iospec_clear(&spec);
  free(path);
  kt_directory_remove(directory);
}

static void faults_are_placed(void **state) {
  (void)state;
  static const struct {
    const char *entry, *part;
  } cases[] = {
      {"{\"dtype\": \"int8\"}", "lacks its 'shape'"},
      {"{\"shape\": [1]}", "lacks its 'dtype'"},
      {"{\"shape\": 5, \"dtype\": \"int8\"}", "model.json:1:22: io specification: 'shape' must be a list"},
      {"{\"shape\": [1, 2.5], \"dtype\": \"int8\"}",
       "model.json:1:26: io specification: a dimension must be an integer"},
      {"{\"shape\": [-2], \"dtype\": \"int8\"}", "a dimension must be"},
      {"{\"shape\": [2147483648], \"dtype\": \"int8\"}", "a dimension must be"},
      {"{\"shape\": [\"1\"], \"dtype\": \"int8\"}", "a dimension must be"},
      {"{\"shape\": [1,1,1,1,1,1,1,1,1], \"dtype\": \"int8\"}", "more than 8 dimensions"},
      {"{\"shape\": [1], \"dtype\": \"int9\"}", "unknown data type"},
      {"{\"shape\": [1], \"dtype\": 8}", "unknown data type"},
      {"{\"shape\": [1], \"dtype\": \"int8\", \"prequantized_dtype\": \"x\"}", "unknown data type"},
      {"{\"shape\": [1], \"dtype\": \"int8\", \"order\": -1}", "'order' must be"},
      {"{\"shape\": [1], \"dtype\": \"int8\", \"order\": 1.5}", "'order' must be"},
      {"{\"shape\": [1], \"dtype\": \"int8\", \"scale\": 0.5}", "go together"},
      {"{\"shape\": [1], \"dtype\": \"int8\", \"zero_point\": 1}", "go together"},
      {"{\"shape\": [1], \"dtype\": \"int8\", \"scale\": 0, \"zero_point\": 1}", "'scale' must be a positive number"},
      {"{\"shape\": [1], \"dtype\": \"int8\", \"scale\": -1, \"zero_point\": 1}", "'scale' must be a positive number"},
      {"{\"shape\": [1], \"dtype\": \"int8\", \"scale\": \"1\", \"zero_point\": 1}",
       "'scale' must be a positive number"},
      {"{\"shape\": [1], \"dtype\": \"int8\", \"scale\": [1, 2], \"zero_point\": 1}",
       "'scale' must be a positive number"},
      {"{\"shape\": [1], \"dtype\": \"int8\", \"scale\": 1e400, \"zero_point\": 1}",
       "'scale' must be a positive number"},
      {"{\"shape\": [1], \"dtype\": \"int8\", \"scale\": 1, \"zero_point\": 0.5}", "'zero_point' must be an integer"},
      {"{\"shape\": [1], \"dtype\": \"int8\", \"name\": 5}", "'name' must be a string"},
      {"{\"shape\": [1], \"dtype\": \"int8\", \"class_name\": [5]}", "'class_name' must be a string"},
      {"[1]", "an entry must be an object"},
      {"5", "model.json:1:12: io specification: an entry must be an object"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char text[512];
    snprintf(text, sizeof text, "{\"input\": [%s], \"output\": [{\"shape\": [1], \"dtype\": \"int8\"}]}",
             cases[i].entry);
    kn_iospec spec;
    kt_assert_fault(parse(text, &spec), KN_BAD_DATA, cases[i].part);
    assert_null(spec.input.entries);
    assert_int_equal(spec.output.count, 0);
  }
}

static void whole_files_are_judged(void **state) {
  (void)state;
  kn_iospec spec;
  kt_assert_fault(parse("[]", &spec), KN_BAD_DATA, "must be an object");
  kt_assert_fault(parse("{}", &spec), KN_BAD_DATA, "need an entry each");
  kt_assert_fault(parse("{\"input\": [], \"output\": []}", &spec), KN_BAD_DATA, "need an entry each");
  kt_assert_fault(parse("{\"input\": [{\"shape\": [1], \"dtype\": \"int8\"}]}", &spec), KN_BAD_DATA,
                  "need an entry each");
  kt_assert_fault(parse("{\n\"input\": {}}", &spec), KN_BAD_DATA, "model.json:2:1: io specification: the lists");
  kt_assert_fault(parse("{\"input\": 1}", &spec), KN_BAD_DATA, "model.json:1:11");
  char *long_text = malloc(400000);
  assert_non_null(long_text);
  size_t used = (size_t)snprintf(long_text, 100, "{\"output\": [],\"input\": [");
  for (int i = 0; i < 257; i++)
    used += (size_t)snprintf(long_text + used, 100, "{\"shape\": [1], \"dtype\": \"int8\"},");
  snprintf(long_text + used, 100, "]}");
  kt_assert_fault(parse(long_text, &spec), KN_BAD_DATA, "more than 256");
  free(long_text);
  kt_assert_fault(kn_iospec_read("/nonexistent/model.json", &spec), KN_NOT_FOUND, "/nonexistent/model.json");
}

static void every_truncation_is_refused(void **state) {
  (void)state;
  size_t whole = strlen(full) - 2; /* the closing brace */
  for (size_t length = 0; length <= whole; length++) {
    char *text = malloc(length ? length : 1); /* as long as it says, so that a read beyond is seen */
    assert_non_null(text);
    memcpy(text, full, length);
    kn_iospec spec;
    kt_assert_fault(kn_iospec_parse(text, length, "model.json", &spec), KN_BAD_DATA, "model.json");
    assert_null(spec.input.entries);
    assert_null(spec.output.entries);
    free(text);
  }
}

/* One byte turned into another: read or refused, never more. */
static void changed_bytes_do_no_harm(void **state) {
  (void)state;
  static const char replacements[] = "\"{}[],:-0e.\\/*\x80\xff";
  char text[sizeof full];
  for (size_t at = 0; at < sizeof full - 1; at++) {
    for (size_t r = 0; r < sizeof replacements - 1; r++) {
      memcpy(text, full, sizeof full);
      text[at] = replacements[r];
      kn_iospec spec;
      kn_status status = kn_iospec_parse(text, sizeof full - 1, "model.json", &spec);
      if (status) assert_int_equal(kn_status_code(status), KN_BAD_DATA);
      kn_status_free(status);
      kn_iospec_clear(&spec);
    }
  }
}

static void names_that_json_cannot_hold_are_not_written(void **state) {
  (void)state;
  char *directory = kt_directory_make(), *path = kt_path(directory, "model.json");
  kn_iospec spec = {0};
  kt_assert_ok(
      kn_iolist_add(&spec.input, &(kn_ioentry){.name = (char *)(uintptr_t) "bad\xff", .dtype = KN_INT8, .order = -1}));
  kt_assert_ok(kn_iolist_add(&spec.output, &(kn_ioentry){.dtype = KN_INT8, .order = -1}));
  kt_assert_fault(kn_iospec_write(&spec, path), KN_BAD_DATA, "model.json");
  assert_int_not_equal(access(path, F_OK), 0);
  kn_iospec_clear(&spec);
  kt_assert_ok(kn_iolist_add(&spec.input, &(kn_ioentry){.dtype = KN_INT8, .quantized = true, .scale = INFINITY}));
  kt_assert_fault(kn_iospec_write(&spec, path), KN_BAD_DATA, "model.json");
  kn_iospec_clear(&spec);
  free(path);
  kt_directory_remove(directory);
}

static void unwritable_places_are_reported(void **state) {
  (void)state;
  kn_iospec spec;
  kt_assert_ok(parse(full, &spec));
  kt_assert_fault(kn_iospec_write(&spec, "/dev/full"), KN_IO_ERROR, "/dev/full");
  kt_assert_fault(kn_iospec_write(&spec, "/proc/none/model.json"), KN_IO_ERROR, "/proc/none");
  kn_iospec_clear(&spec);
}

static kn_status read_copy_write(const char *path) {
  kn_iospec spec, copy = {0};
  KN_TRY(parse(full, &spec));
  kn_status status = kn_iospec_copy(&spec, &copy);
  if (!status) status = kn_iospec_write(&copy, path);
  kn_iospec_clear(&copy);
  kn_iospec_clear(&spec);
  return status;
}

static void memory_may_run_out(void **state) {
  (void)state;
  char *directory = kt_directory_make(), *path = kt_path(directory, "model.json");
  uint64_t n = 0;
  for (kn_status status = NULL;; n++) {
    kn_memory_fail_after(n);
    status = read_copy_write(path);
    kn_memory_fail_after(UINT64_MAX);
    if (!status) break;
    kt_assert_fault(status, KN_OUT_OF_MEMORY, NULL);
  }
  assert_true(n > 20);
  kn_iospec spec;
  kt_assert_ok(kn_iospec_read(path, &spec));
  assert_full(&spec);
  kn_iospec_clear(&spec);
  free(path);
  kt_directory_remove(directory);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(specifications_are_read),
      cmocka_unit_test(what_is_written_is_read_again),
      cmocka_unit_test(faults_are_placed),
      cmocka_unit_test(whole_files_are_judged),
      cmocka_unit_test(every_truncation_is_refused),
      cmocka_unit_test(changed_bytes_do_no_harm),
      cmocka_unit_test(names_that_json_cannot_hold_are_not_written),
      cmocka_unit_test(unwritable_places_are_reported),
      cmocka_unit_test(memory_may_run_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
