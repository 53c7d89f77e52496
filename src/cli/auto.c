#include "cli/auto.h"
#include "core/class.h"
#include "core/file.h"
#include "core/formats.h"
#include "core/home.h"
#include "core/log.h"
#include "core/record_json.h"
#include "core/registry.h"
#include "core/runtime_choice.h"
#include "pipeline/files.h"
#include "pipeline/pipeline.h"
#include "resources/installation.h"

#include <kenning/process.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST = 32 };
static const double deadline_s = 3600;

typedef struct candidate {
  const kn_class *cls;
  double median_s;  /* NaN: not measured */
  char reason[300]; /* why not; empty: it was */
  bool missing;     /* its framework is not installed */
} candidate;

typedef struct trial_terms {
  bool reuse;
  const kn_common_options *common;
} trial_terms;

static candidate tried[MOST];
static size_t tried_count;
static size_t chosen;

/* ---- who can ---- */

/* What the last block before the runtime gives. */
static const char *const *formats_of(const kn_scenario *scenario, const char *given[2]) {
  size_t count = scenario->optimizer_count;
  return kn_formats_given(count ? &scenario->optimizers[count - 1] : &scenario->model_wrapper, given);
}

/* Frameworks that stand between the model and the runtime, the runtime's included. */
static const char *missing_framework(const kn_class *cls, const kn_conversion_path *path) {
  if (cls->framework && !kn_installation_there(cls->framework)) return cls->framework;
  for (size_t i = 0; i < path->count; i++)
    if (path->steps[i].cls->framework && !kn_installation_there(path->steps[i].cls->framework))
      return path->steps[i].cls->framework;
  return NULL;
}

static void find_candidates(const kn_scenario *scenario) {
  const char *given[2];
  const char *const *formats = formats_of(scenario, given);
  tried_count = 0;
  for (size_t i = 0; formats && i < kn_registry_count() && tried_count < MOST; i++) {
    const kn_class *cls = kn_registry_at(i)->cls;
    kn_conversion_path path;
    if (!kn_runtime_choice_has(cls) || !kn_conversion_find(formats, cls->input_formats, &path)) continue;
    candidate *added = &tried[tried_count++];
    *added = (candidate){.cls = cls, .median_s = NAN};
    const char *missing = missing_framework(cls, &path);
    added->missing = missing != NULL;
    if (missing) snprintf(added->reason, sizeof added->reason, "kenning install %s", missing);
  }
}

/* ---- its scenario ---- */

/* The user's parameters of the runtime that this one has too. `own_model`: it gets the path of its model from here. */
static bool copy_parameters(const kn_class *cls, bool own_model, yyjson_mut_doc *doc, yyjson_mut_val *from,
                            yyjson_mut_val *to) {
  size_t i, count;
  yyjson_mut_val *key, *value;
  yyjson_mut_obj_foreach(from, i, count, key, value) {
    const kn_option *row = kn_option_find(cls, yyjson_mut_get_str(key), NULL);
    if (!row || (own_model && !strcmp(row->name, "save_model_path"))) continue;
    if (!yyjson_mut_obj_add(to, yyjson_mut_val_mut_copy(doc, key), yyjson_mut_val_mut_copy(doc, value))) return false;
  }
  return true;
}

/* The same of a command line. */
static bool copy_flags(const kn_scenario *scenario, const kn_class *cls, bool own_model, yyjson_mut_doc *doc,
                       yyjson_mut_val *to) {
  for (size_t i = 0; i < scenario->candidate_count; i++) {
    const kn_instance *one = &scenario->candidates[i];
    const kn_option *row;
    if (one->cls != cls) continue;
    yyjson_mut_val *all = kn_instance_to_json(one, doc);
    if (!all) return false;
    for (size_t k = 0; (row = kn_option_at(cls, k)); k++) {
      if (!kn_instance_was_given(one, k) || (own_model && !strcmp(row->name, "save_model_path"))) continue;
      if (!yyjson_mut_obj_add_val(doc, to, row->name, yyjson_mut_obj_remove_str(all, row->name))) return false;
    }
  }
  return true;
}

/* Without optimizers a runtime loads its own model: the first step of the way to it becomes the optimizer, the others
 * are inserted when the scenario is read. */
static bool add_model(const kn_scenario *scenario, const kn_class *cls, const char *directory, yyjson_mut_doc *doc,
                      yyjson_mut_val *root, yyjson_mut_val *parameters) {
  const char *given[2];
  kn_conversion_path path;
  if (scenario->optimizer_count) return true;
  const kn_instance *wrapper = &scenario->model_wrapper;
  if (!kn_conversion_find(formats_of(scenario, given), cls->input_formats, &path)) return false;
  if (!path.count) {
    const char *model = ((const kn_modelwrapper_options *)wrapper->self)->model_path;
    return yyjson_mut_obj_add_strcpy(doc, parameters, "save_model_path", model ? model : "");
  }
  yyjson_mut_obj_remove_str(root, "optimizers");
  yyjson_mut_val *list = yyjson_mut_obj_add_arr(doc, root, "optimizers"), *block = yyjson_mut_arr_add_obj(doc, list);
  yyjson_mut_val *options = block ? yyjson_mut_obj(doc) : NULL;
  char *file = kn_format("%s/%s%s", directory, kn_class_short_name(cls), kn_format_ending(path.steps[0].to));
  bool ok = file && options && yyjson_mut_obj_add_str(doc, block, "type", path.steps[0].cls->name) &&
            yyjson_mut_obj_add_strcpy(doc, options, "compiled_model_path", file) &&
            yyjson_mut_obj_add_val(doc, block, "parameters", options);
  kn_free(file);
  return ok;
}

/* `trial`: with the samples of the calibration split. */
static bool fill(const kn_scenario *scenario, const kn_class *cls, const char *directory, bool trial,
                 yyjson_mut_doc *doc, yyjson_mut_val *root) {
  yyjson_mut_val *old = yyjson_mut_obj_get(root, "runtime"), *dataset = yyjson_mut_obj_get(root, "dataset");
  yyjson_mut_val *runtime = yyjson_mut_obj(doc), *parameters = yyjson_mut_obj(doc);
  bool own_model = !scenario->optimizer_count;
  bool ok = runtime && parameters &&
            copy_parameters(cls, own_model, doc, yyjson_mut_obj_get(old, "parameters"), parameters) &&
            copy_flags(scenario, cls, own_model, doc, parameters) &&
            add_model(scenario, cls, directory, doc, root, parameters);
  yyjson_mut_obj_remove_str(root, "runtime");
  ok = ok && yyjson_mut_obj_add_str(doc, runtime, "type", cls->name) &&
       yyjson_mut_obj_add_val(doc, runtime, "parameters", parameters) &&
       yyjson_mut_obj_add_val(doc, root, "runtime", runtime);
  if (!ok || !trial || !dataset) return ok;
  yyjson_mut_val *options = yyjson_mut_obj_get(dataset, "parameters");
  if (!options) {
    options = yyjson_mut_obj(doc);
    if (!options || !yyjson_mut_obj_add_val(doc, dataset, "parameters", options)) return false;
  }
  yyjson_mut_obj_remove_str(options, "split");
  return yyjson_mut_obj_add_str(doc, options, "split", "calibration");
}

static kn_status write_scenario(const kn_scenario *scenario, const kn_class *cls, const char *directory, bool trial,
                                const char *path) {
  yyjson_mut_doc *doc = yyjson_mut_doc_new(&kn_json_allocator);
  if (!doc) return kn_status_out_of_memory();
  yyjson_mut_val *root = kn_scenario_to_json(scenario, doc);
  size_t length = 0;
  char *text = NULL;
  if (root && fill(scenario, cls, directory, trial, doc, root))
    text = yyjson_mut_val_write_opts(root, YYJSON_WRITE_PRETTY, &kn_json_allocator, &length, NULL);
  kn_status status = text ? kn_file_write(path, text, length) : kn_status_out_of_memory();
  kn_free(text);
  yyjson_mut_doc_free(doc);
  return status;
}

/* ---- its measurement ---- */

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static kn_status read_median(const char *path, double *out_median) {
  yyjson_doc *doc;
  KN_TRY(kn_json_read_plain(path, &doc));
  yyjson_val *root = yyjson_doc_get_root(doc), *times = yyjson_obj_get(root, "target_inference_step");
  size_t count = yyjson_arr_size(times), skip = (size_t)yyjson_get_int(yyjson_obj_get(root, "warmup_inferences"));
  size_t left = count > skip ? count - skip : 0, i, all;
  double *values = kn_alloc_array(left, sizeof *values);
  yyjson_val *value;
  kn_status status = values ? NULL : kn_status_out_of_memory();
  yyjson_arr_foreach(times, i, all, value) if (!status && i >= skip) values[i - skip] = yyjson_get_num(value);
  if (!status && !left) status = kn_status_make(KN_BAD_DATA, "nothing was measured");
  if (!status) {
    qsort(values, left, sizeof *values, ascending);
    *out_median = (values[(left - 1) / 2] + values[left / 2]) / 2;
  }
  kn_free(values);
  yyjson_doc_free(doc);
  return status;
}

/* What the process says last is why it failed: errors alone. */
static kn_status run_trial(const char *scenario, const char *result, const trial_terms *terms, double *out_median) {
  const char *resources = terms->common->resources_uri;
  char *program = kn_format("%s/kenning", kn_home_directory());
  char *uri = kn_format("--resources-uri=%s", resources ? resources : "");
  const char *arguments[10] = {program, "json_inference_tester", scenario, result, "--verbosity", "ERROR"};
  size_t count = 6;
  if (terms->reuse) arguments[count++] = "--run-benchmarks-only";
  if (terms->common->offline) arguments[count++] = "--offline";
  if (resources) arguments[count++] = uri;
  const kn_process_request request = {.arguments = arguments, .timeout_s = deadline_s};
  kn_status status = program && uri ? kn_process_run(&request, NULL) : kn_status_out_of_memory();
  kn_free(uri);
  kn_free(program);
  return status ? status : read_median(result, out_median);
}

static kn_status measure(const kn_scenario *scenario, candidate *one, const char *directory, const trial_terms *terms) {
  const char *name = kn_class_short_name(one->cls);
  char *trial = kn_format("%s/%s.trial.json", directory, name),
       *result = kn_format("%s/%s.measured.json", directory, name);
  kn_status status =
      trial && result ? write_scenario(scenario, one->cls, directory, true, trial) : kn_status_out_of_memory();
  if (!status) status = run_trial(trial, result, terms, &one->median_s);
  kn_code code = kn_status_code(status);
  if (status && code != KN_OUT_OF_MEMORY && code != KN_CANCELLED) { /* it cannot, which is an answer */
    snprintf(one->reason, sizeof one->reason, "%s", kn_status_message(status, 0));
    one->median_s = NAN;
    kn_status_free(status);
    status = NULL;
  }
  kn_free(trial);
  kn_free(result);
  return status;
}

/* ---- the choice ---- */

static kn_status nobody(void) {
  char *text = kn_strdup("");
  bool missing = tried_count > 0;
  for (size_t i = 0; text && i < tried_count; i++) {
    char *longer = kn_format("%s%s%s: %s", text, i ? "; " : "", kn_class_short_name(tried[i].cls), tried[i].reason);
    kn_free(text);
    text = longer;
    missing = missing && tried[i].missing;
  }
  if (!text) return kn_status_out_of_memory();
  kn_status status = kn_status_make(missing ? KN_NOT_INSTALLED : KN_BACKEND_FAILED,
                                    "no runtime can run the model here: %s", *text ? text : "none takes its format");
  kn_free(text);
  return status;
}

static void tell(void) {
  for (size_t i = 0; i < tried_count; i++) {
    const candidate *one = &tried[i];
    const char *name = kn_class_short_name(one->cls);
    if (one->reason[0])
      kn_log(KN_LOG_INFO, "runtime auto: %s: %s%s", name,
             one->missing ? "not tried, needs: " : "cannot: ", one->reason);
    else
      kn_log(KN_LOG_INFO, "runtime auto: %s: median %.4g ms%s", name, one->median_s * 1e3,
             i == chosen ? ", which is taken" : "");
  }
}

static kn_status try_all(const kn_scenario *scenario, const char *directory, const trial_terms *terms) {
  bool any = false;
  for (size_t i = 0; i < tried_count; i++) {
    if (kn_cancelled()) return kn_status_make(KN_CANCELLED, "stopped while choosing a runtime");
    if (!tried[i].missing) {
      kn_log(KN_LOG_INFO, "runtime auto: trying %s", kn_class_short_name(tried[i].cls));
      KN_TRY(measure(scenario, &tried[i], directory, terms));
    }
    if (isnan(tried[i].median_s)) continue;
    if (!any || tried[i].median_s < tried[chosen].median_s) chosen = i;
    any = true;
  }
  return any ? NULL : nobody();
}

kn_status kn_auto_choose(kn_scenario *scenario, const char *output, bool reuse, const kn_common_options *common) {
  const trial_terms terms = {reuse, common};
  if (!output)
    return kn_status_make(KN_INVALID_ARGUMENT, "a runtime is chosen by measuring: name a file for the measurements");
  /* What is wrong for every runtime is told once. */
  KN_TRY(kn_files_check(scenario, reuse ? KN_STEP_TEST : KN_STEP_OPTIMIZE | KN_STEP_TEST));
  if (!reuse) KN_TRY(kn_files_check_model(scenario, true));
  char *directory = kn_format("%s.auto", output);
  if (!directory) return kn_status_out_of_memory();
  find_candidates(scenario);
  kn_status status = kn_directory_make(directory);
  if (!status) status = try_all(scenario, directory, &terms);
  if (status) (void)rmdir(directory); /* empty: nothing was tried */
  if (!status) tell();
  char *path = status ? NULL : kn_format("%s/chosen.json", directory);
  if (!status && !path) status = kn_status_out_of_memory();
  if (!status) status = write_scenario(scenario, tried[chosen].cls, directory, false, path);
  if (!status) {
    kn_scenario_clear(scenario);
    status = kn_scenario_read(path, scenario);
  }
  kn_free(path);
  kn_free(directory);
  return status;
}

kn_status kn_auto_record(kn_record *record) {
  for (size_t i = 0; i < tried_count; i++) {
    const candidate *one = &tried[i];
    kn_record *entry;
    KN_TRY(kn_record_append_object(record, "runtime_selection", &entry));
    KN_TRY(kn_record_set_string(entry, "runtime", one->cls->name));
    if (one->reason[0]) {
      KN_TRY(kn_record_set_string(entry, one->missing ? "needs" : "failed", one->reason));
      continue;
    }
    KN_TRY(kn_record_set_number(entry, "median_s", one->median_s));
    KN_TRY(kn_record_set_bool(entry, "chosen", i == chosen));
  }
  return NULL;
}
