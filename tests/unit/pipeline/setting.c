#include "setting.h"

#include <kenning/services.h>

#include "support/directory.h"
#include "support/status.h"

fake_dataset *dataset_of(setting *s) { return s->scenario.dataset.self; }
fake_wrapper *wrapper_of(setting *s) { return s->scenario.model_wrapper.self; }
fake_runtime *runtime_of(setting *s) { return s->scenario.runtime.self; }
fake_optimizer *optimizer_of(setting *s, size_t i) { return s->scenario.optimizers[i].self; }

int set_up(void **state) {
  setting *s = calloc(1, sizeof *s);
  *state = s;
  s->options = kn_run_options_default();
  s->directory = kt_directory_make();
  s->model = kt_path(s->directory, "model.fake");
  kt_file_write_text(s->model, "seven b");
  kt_assert_ok(kn_instance_create(&fake_dataset_class, &s->scenario.dataset));
  kt_assert_ok(kn_instance_create(&fake_wrapper_class, &s->scenario.model_wrapper));
  wrapper_of(s)->base.model_path = kn_strdup(s->model);
  kn_dataset_options *options = &dataset_of(s)->base;
  options->split_fraction_test = options->split_fraction_val = options->split_fraction_calibration = 0;
  return 0;
}

void add_runtime(setting *s) { kt_assert_ok(kn_instance_create(&fake_runtime_class, &s->scenario.runtime)); }

void add_optimizers(setting *s, size_t count) {
  static const char *const names[] = {"first.faked", "second.faked"}, *const marks[] = {"from first", "from second"};
  s->scenario.optimizers = kn_alloc_array(count, sizeof *s->scenario.optimizers);
  s->scenario.optimizer_count = count;
  for (size_t i = 0; i < count; i++) {
    s->compiled[i] = kt_path(s->directory, names[i]);
    kt_assert_ok(kn_instance_create(&fake_optimizer_class, &s->scenario.optimizers[i]));
    optimizer_of(s, i)->base.compiled_model_path = kn_strdup(s->compiled[i]);
    optimizer_of(s, i)->mark = marks[i];
  }
}

kn_status run(setting *s, unsigned steps) {
  return kn_pipeline_execute(&s->scenario, &s->options, steps, &s->measurements);
}

void forget(setting *s) {
  kn_results_clear(&s->results);
  kn_measurements_destroy(s->measurements);
  s->measurements = NULL;
}

int tear_down(void **state) {
  setting *s = *state;
  forget(s);
  if (s->scenario.runtime.cls == &fake_runtime_class) {
    fake_runtime_forget(runtime_of(s));
    assert_false(runtime_of(s)->open || runtime_of(s)->loaded);
  }
  /* What was opened was closed, in every test. */
  if (s->scenario.dataset.cls == &fake_dataset_class) assert_false(dataset_of(s)->open);
  if (s->scenario.model_wrapper.cls == &fake_wrapper_class) {
    assert_false(wrapper_of(s)->open || wrapper_of(s)->loaded);
  }
  for (size_t i = 0; i < s->scenario.optimizer_count; i++) {
    assert_false(optimizer_of(s, i)->open);
    free(s->compiled[i]);
  }
  kn_scenario_clear(&s->scenario);
  free(s->model);
  kt_directory_remove(s->directory);
  free(s);
  return 0;
}

void read_back(setting *s) {
  char *text;
  size_t bytes;
  assert_non_null(s->measurements);
  kt_assert_ok(kn_measurements_text(s->measurements, &text, &bytes));
  kt_assert_ok(kn_results_parse("m.json", text, bytes, &s->results));
  kn_free(text);
}

yyjson_val *at(const setting *s, const char *pointer) { return yyjson_ptr_get(s->results.root, pointer); }
const char *text_at(const setting *s, const char *pointer) { return yyjson_get_str(at(s, pointer)); }
int64_t int_at(const setting *s, const char *pointer) { return yyjson_get_sint(at(s, pointer)); }
