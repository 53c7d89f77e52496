#include "support/unit.h"

#include "core/record_json.h"
#include "core/registry.h"
#include "support/directory.h"
#include "support/instance.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct place {
  char *directory, *inserted, *compiled;
  kn_instance block;
  kn_record *record;
  kn_iospec before, spec;
} place;

static void add_input(kn_iospec *spec, const char *name) {
  const kn_ioentry entry = {.name = (char *)(uintptr_t)name, .dtype = KN_FLOAT32, .rank = 2, .shape = {1, 4}};
  kt_assert_ok(kn_iolist_add(&spec->input, &entry));
  kt_assert_ok(kn_iolist_add(&spec->output, &entry));
}

static int set_up(void **state) {
  place *at = calloc(1, sizeof *at);
  const kn_class *cls;
  at->directory = kt_directory_make();
  at->inserted = kt_path(at->directory, "inserted.tflite");
  at->compiled = kt_path(at->directory, "out/compiled.tflite");
  kt_assert_ok(kn_registry_find("kenning.optimizers.model_inserter.ModelInserter", KN_KIND_OPTIMIZER, &cls));
  at->block = kt_instance_make(cls, KT_SETTINGS("model_framework", "tflite", "input_model_path", at->inserted,
                                                "compiled_model_path", at->compiled));
  kt_assert_ok(kn_record_create(&at->record));
  add_input(&at->before, "of the model before");
  *state = at;
  return 0;
}

static int tear_down(void **state) {
  place *at = *state;
  kn_iospec_clear(&at->before);
  kn_iospec_clear(&at->spec);
  kn_record_destroy(at->record);
  kn_instance_destroy(&at->block);
  kn_registry_unload();
  kt_directory_remove(at->directory);
  free(at->inserted);
  free(at->compiled);
  free(at);
  return 0;
}

static kn_status compile(place *at) {
  const kn_optimizer_ops *ops = at->block.cls->ops;
  assert_string_equal(ops->output_format(at->block.self), "tflite");
  const kn_compile_request request = {.input_path = "before.h5", .input_format = "keras", .input_spec = &at->before};
  return ops->compile(at->block.self, &request, &at->spec, at->record);
}

static const char model[] = "\x1c\0\0\0TFL3 the rest of a model";

static void test_inserts_the_model_with_its_specification(void **state) {
  place *at = *state;
  kt_file_write(at->inserted, model, sizeof model);
  kn_iospec own = {0};
  add_input(&own, "own");
  char *path = kn_format("%s.json", at->inserted);
  kt_assert_ok(kn_iospec_write(&own, path));
  kn_free(path);
  kn_iospec_clear(&own);
  kt_assert_ok(compile(at));
  size_t bytes;
  char *copied = kt_file_read(at->compiled, &bytes);
  assert_int_equal(bytes, sizeof model);
  assert_memory_equal(copied, model, bytes);
  free(copied);
  assert_string_equal(at->spec.input.entries[0].name, "own");
  const char *inserted = yyjson_mut_get_str(yyjson_mut_obj_get(kn_record_value(at->record), "inserted"));
  assert_string_equal(inserted, at->inserted);
}

static void test_takes_the_specification_before_it_where_there_is_none(void **state) {
  place *at = *state;
  kt_file_write(at->inserted, model, sizeof model);
  kt_assert_ok(compile(at));
  assert_string_equal(at->spec.input.entries[0].name, "of the model before");
}

static void test_refuses_another_format(void **state) {
  place *at = *state;
  kt_file_write(at->inserted, "\x89HDF\r\n\x1a\n", 8);
  kt_assert_fault(compile(at), KN_BAD_DATA, NULL);
  assert_int_not_equal(access(at->compiled, F_OK), 0);
}

static void test_refuses_a_missing_model(void **state) {
  place *at = *state;
  kt_assert_fault(compile(at), KN_NOT_FOUND, NULL);
  assert_int_not_equal(access(at->compiled, F_OK), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_inserts_the_model_with_its_specification, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_takes_the_specification_before_it_where_there_is_none, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_refuses_another_format, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_refuses_a_missing_model, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
