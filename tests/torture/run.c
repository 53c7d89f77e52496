#include "torture/run.h"

#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract/fake/fake.h"
#include "core/scenario.h"
#include "pipeline/pipeline.h"
#include "support/directory.h"
#include "support/status.h"

void run_place_make(run_place *out) {
  setenv("KENNING_PLUGIN_PATH", FAKE_PLUGINS, 1);
  *out = (run_place){.directory = kt_directory_make()};
  out->scenario = kt_path(out->directory, "scenario.json");
  out->model = kt_path(out->directory, "model.fake");
  out->compiled = kt_path(out->directory, "compiled.fake");
  out->measurements = kt_path(out->directory, "measurements.json");
  kt_file_write_text(out->model, FAKE_MODEL);
  run_write_scenario(out, &(run_failures){0});
}

void run_place_remove(run_place *place) {
  free(place->scenario);
  free(place->model);
  free(place->compiled);
  free(place->measurements);
  kt_directory_remove(place->directory);
  *place = (run_place){0};
}

static const char *or_none(const char *calls) { return calls ? calls : ""; }

void run_write_scenario(const run_place *place, const run_failures *failures) {
  char *text = NULL;
  if (asprintf(
          &text,
          "{\"dataset\": {\"type\": \"FakeDataset\", \"parameters\": {\"dataset_root\": \".\", \"samples\": 30,\n"
          "  \"split\": \"all\", \"fail\": [%s]}},\n"
          " \"model_wrapper\": {\"type\": \"FakeModelWrapper\", \"parameters\": {\"model_path\": \"%s\", \"fail\": "
          "[%s]}},\n"
          " \"optimizers\": [{\"type\": \"FakeOptimizer\", \"parameters\": {\"compiled_model_path\": \"%s\",\n"
          "  \"fail\": [%s]}}],\n"
          " \"runtime\": {\"type\": \"FakeRuntime\", \"parameters\": {\"disable_performance_measurements\": true,\n"
          "  \"fail\": [%s]}}}\n",
          or_none(failures->dataset), place->model, or_none(failures->wrapper), place->compiled,
          or_none(failures->optimizer), or_none(failures->runtime)) < 0)
    kt_fail("out of memory");
  kt_file_write_text(place->scenario, text);
  free(text);
}

kn_status run_scenario(const run_place *place, unsigned steps) {
  kn_scenario scenario;
  KN_TRY(kn_scenario_read(place->scenario, &scenario));
  kn_run_options options = kn_run_options_default();
  options.loaders = 2;
  kn_measurements *measurements = NULL;
  kn_status status = kn_pipeline_execute(&scenario, &options, steps, &measurements);
  if (measurements) status = kn_status_join(status, kn_measurements_write(measurements, place->measurements));
  kn_measurements_destroy(measurements);
  kn_scenario_clear(&scenario);
  return status;
}

int run_open_blocks(void) {
  void *handle = dlopen(FAKE_PLUGINS "/kenning-fake.so", RTLD_NOW | RTLD_NOLOAD);
  if (!handle) return 0;
  int count = atomic_load((atomic_int *)dlsym(handle, "fake_open_blocks"));
  dlclose(handle);
  return count;
}

void run_assert_tidy(const run_place *place) {
  static const char *const own[] = {
      ".", "..", "scenario.json", "model.fake", "compiled.fake", "compiled.fake.json", "measurements.json"};
  DIR *listing = opendir(place->directory);
  assert_non_null(listing);
  for (struct dirent *entry; (entry = readdir(listing));) {
    bool known = false;
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) known |= !strcmp(entry->d_name, own[i]);
    if (!known) kt_fail("%s is left behind", entry->d_name);
  }
  closedir(listing);
  assert_int_equal(run_open_blocks(), 0);
}
