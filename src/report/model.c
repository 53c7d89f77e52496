#include "report/model.h"

#include "measurements/unicode.h"
#include "report/derive.h"

#include <ctype.h>
#include <math.h>
#include <string.h>
#include <strings.h>

enum { NAME_LIMIT = 200, SLUG_LIMIT = 100, MAXIMUM_RUNS = 64 };

/* ---- names ---- */

static kn_status check_name(const char *name, const char *what) {
  size_t length = strlen(name);
  if (!length) return kn_status_make(KN_INVALID_ARGUMENT, "the %s is empty", what);
  if (length > NAME_LIMIT)
    return kn_status_make(KN_INVALID_ARGUMENT, "the %s has %zu bytes, more than %d: %.40s...", what, length, NAME_LIMIT,
                          name);
  for (size_t i = 0; i < length;) {
    size_t bytes = kn_utf8_length(name + i, length - i);
    if (!bytes || (unsigned char)name[i] < ' ' || name[i] == 0x7f)
      return kn_status_make(KN_INVALID_ARGUMENT, "the %s is not plain UTF-8 text in one line", what);
    i += bytes;
  }
  return NULL;
}

/* "out/tflite-int8.json" -> "tflite-int8"; whole: "out.tflite-int8", as the original does to tell files apart. */
static char *name_of_file(const char *path, bool whole) {
  const char *slash = strrchr(path, '/');
  const char *start = whole || !slash ? path : slash + 1;
  if (whole)
    while (*start == '/' || (start[0] == '.' && start[1] == '/')) start += *start == '/' ? 1 : 2;
  size_t length = strlen(start);
  if (length > 5 && strcmp(start + length - 5, ".json") == 0) length -= 5;
  char *name = kn_strndup(start, length);
  for (char *c = name; c && *c; c++)
    if (*c == '/') *c = '.';
  return name;
}

static char *slug_of(const char *name) {
  char *slug = kn_strndup(name, SLUG_LIMIT);
  for (char *c = slug; c && *c; c++)
    if (!isalnum((unsigned char)*c) && !strchr("._-", *c)) *c = '-';
  if (slug && (*slug == '.' || *slug == '-')) *slug = '_';
  return slug;
}

/* Neither file systems nor labels of RST can be trusted to tell cases apart. */
static bool slug_taken(const kn_report_model *model, size_t index, const char *slug) {
  for (size_t i = 0; i < index; i++)
    if (strcasecmp(model->runs[i].slug, slug) == 0) return true;
  return false;
}

static kn_status set_slug(kn_report_model *model, size_t index) {
  kn_run *run = &model->runs[index];
  run->slug = slug_of(run->name);
  for (size_t i = 2; run->slug && slug_taken(model, index, run->slug); i++) {
    char *base = slug_of(run->name);
    kn_free(run->slug);
    run->slug = base ? kn_format("%s-%zu", base, i) : NULL;
    kn_free(base);
  }
  return run->slug ? NULL : kn_status_out_of_memory();
}

static bool name_taken(const kn_report_model *model, size_t index) {
  for (size_t i = 0; i < index; i++)
    if (strcmp(model->runs[i].name, model->runs[index].name) == 0) return true;
  return false;
}

static kn_status name_from_files(kn_report_model *model, const kn_string_list *paths, bool whole) {
  for (size_t i = 0; i < model->run_count; i++) {
    kn_free(model->runs[i].name);
    model->runs[i].name = name_of_file(paths->items[i], whole);
    if (!model->runs[i].name) return kn_status_out_of_memory();
  }
  for (size_t i = 0; i < model->run_count; i++)
    if (!whole && name_taken(model, i)) return name_from_files(model, paths, true);
  return NULL;
}

static kn_status set_names(kn_report_model *model, const kn_report_sources *sources) {
  if (!sources->model_names.count) {
    KN_TRY(name_from_files(model, &sources->measurements, false));
  } else {
    for (size_t i = 0; i < model->run_count; i++) {
      model->runs[i].name = kn_strdup(sources->model_names.items[i]);
      if (!model->runs[i].name) return kn_status_out_of_memory();
    }
  }
  for (size_t i = 0; i < model->run_count; i++) {
    KN_TRY(check_name(model->runs[i].name, "name of a model"));
    if (name_taken(model, i))
      return kn_status_make(KN_INVALID_ARGUMENT,
                            "two of the models are called \"%s\": tell them apart with --model-names",
                            model->runs[i].name);
    KN_TRY(set_slug(model, i));
  }
  model->name = kn_strdup(sources->name ? sources->name : model->runs[0].name);
  if (!model->name) return kn_status_out_of_memory();
  KN_TRY(check_name(model->name, "name of the report"));
  model->slug = slug_of(model->name);
  return model->slug ? NULL : kn_status_out_of_memory();
}

/* ---- types ---- */

static kn_status type_of(const char *word, unsigned *types) {
  if (strcmp(word, "performance") == 0)
    *types |= KN_REPORT_PERFORMANCE;
  else if (strcmp(word, "classification") == 0)
    *types |= KN_REPORT_CLASSIFICATION;
  else
    return kn_status_make(KN_INVALID_ARGUMENT,
                          "unknown report type \"%.64s\": there are performance and classification", word);
  return NULL;
}

static kn_status nothing_of(const kn_report_model *model, const char *type, const char *keys) {
  return kn_status_make(KN_BAD_DATA, "%s%s no %s: %s missing", model->runs[0].results.path,
                        model->run_count > 1 ? " and the others hold" : " holds", type, keys);
}

/* A type without a measurement behind it would be a report of nothing. */
static kn_status set_types(kn_report_model *model, const kn_string_list *types) {
  unsigned there = 0;
  for (size_t i = 0; i < model->run_count; i++) {
    if (model->runs[i].results.steps.count || model->runs[i].results.session.count) there |= KN_REPORT_PERFORMANCE;
    if (model->runs[i].results.confusion) there |= KN_REPORT_CLASSIFICATION;
  }
  for (size_t i = 0; i < types->count; i++) KN_TRY(type_of(types->items[i], &model->types));
  if (!there)
    return nothing_of(model, "measurement that a report shows",
                      "target_inference_step, session_utilization_cpus_percent and eval_confusion_matrix are");
  if (!model->types) model->types = there;
  kn_status faults = NULL;
  if (model->types & ~there & KN_REPORT_PERFORMANCE)
    faults = nothing_of(model, "measurement of performance",
                        "target_inference_step and session_utilization_cpus_percent are");
  if (model->types & ~there & KN_REPORT_CLASSIFICATION)
    faults = kn_status_join(faults, nothing_of(model, "classification result", "eval_confusion_matrix is"));
  return faults;
}

kn_status kn_report_model_check(const kn_report_sources *sources) {
  kn_status faults = NULL;
  unsigned types = 0;
  size_t files = sources->measurements.count, names = sources->model_names.count;
  for (size_t i = 0; i < sources->types.count; i++)
    faults = kn_status_join(faults, type_of(sources->types.items[i], &types));
  if (!files)
    faults =
        kn_status_join(faults, kn_status_make(KN_INVALID_ARGUMENT, "a report needs at least one measurement file"));
  if (files > MAXIMUM_RUNS)
    faults = kn_status_join(
        faults, kn_status_make(KN_INVALID_ARGUMENT, "a report compares at most %d measurement files, not %zu",
                               MAXIMUM_RUNS, files));
  if (names && names != files)
    faults = kn_status_join(
        faults,
        kn_status_make(KN_INVALID_ARGUMENT, "there are %zu model names for %zu measurement files", names, files));
  for (size_t i = 0; i < names; i++) {
    faults = kn_status_join(faults, check_name(sources->model_names.items[i], "name of a model"));
    for (size_t k = 0; k < i; k++)
      if (strcmp(sources->model_names.items[i], sources->model_names.items[k]) == 0)
        faults = kn_status_join(faults, kn_status_make(KN_INVALID_ARGUMENT,
                                                       "two of the models are called \"%s\": tell them apart with "
                                                       "--model-names",
                                                       sources->model_names.items[i]));
  }
  if (sources->name) faults = kn_status_join(faults, check_name(sources->name, "name of the report"));
  return faults;
}

/* ---- runs ---- */

static kn_status set_class_names(kn_run *run) {
  const kn_results *results = &run->results;
  if (!results->confusion) return NULL;
  run->class_names = kn_alloc_array(results->classes, sizeof *run->class_names);
  if (!run->class_names) return kn_status_out_of_memory();
  for (size_t i = 0; i < results->classes; i++) {
    run->class_names[i] = results->class_names ? kn_strdup(results->class_names[i]) : kn_format("class %zu", i);
    if (!run->class_names[i]) return kn_status_out_of_memory();
  }
  return NULL;
}

static bool classes_equal(const kn_run *a, const kn_run *b) {
  if (!a->class_names || !b->class_names || a->results.classes != b->results.classes) return false;
  for (size_t i = 0; i < a->results.classes; i++)
    if (strcmp(a->class_names[i], b->class_names[i]) != 0) return false;
  return true;
}

/* Any JSON object would do as one without a single measurement. */
static kn_status check_measured(const kn_results *results) {
  if (results->own || results->steps.count || results->session.count || results->full_run.count || results->confusion)
    return NULL;
  bool scenario = yyjson_obj_get(results->root, "model_wrapper");
  return kn_status_make_at(KN_BAD_DATA, results->path,
                           "this is no measurement file%s: it has none of target_inference_step, "
                           "protocol_inference_step, session_utilization_cpus_percent and eval_confusion_matrix",
                           scenario ? " but a scenario" : "");
}

static kn_status read_run(const char *path, kn_run *run) {
  KN_TRY(kn_results_read(path, &run->results));
  kn_status status = check_measured(&run->results);
  if (!status) status = kn_results_summary(&run->results, &run->summary);
  if (!status) status = set_class_names(run);
  if (!status) status = kn_derive_run(run);
  return kn_status_annotate(status, "while reading the measurements in %s", path);
}

static kn_status collect_phases(kn_report_model *model) {
  size_t most = 0;
  for (size_t i = 0; i < model->run_count; i++) most += model->runs[i].phase_count;
  model->phase_names = kn_alloc_array(most, sizeof *model->phase_names);
  if (!model->phase_names) return kn_status_out_of_memory();
  for (size_t i = 0; i < model->run_count; i++) {
    for (size_t k = 0; k < model->runs[i].phase_count; k++) {
      const char *name = model->runs[i].phases[k].name;
      if (kn_report_phase(model, name) == model->phase_name_count) model->phase_names[model->phase_name_count++] = name;
    }
  }
  return NULL;
}

static kn_status read_all(const kn_report_sources *sources, kn_report_model *model) {
  size_t count = sources->measurements.count;
  KN_TRY(kn_report_model_check(sources));
  model->runs = kn_alloc_array(count, sizeof *model->runs);
  if (!model->runs) return kn_status_out_of_memory();
  model->run_count = count;
  KN_TRY(set_names(model, sources));
  /* Every faulty file is reported, not only the first. */
  kn_status status = NULL;
  for (size_t i = 0; i < count; i++)
    status = kn_status_join(status, read_run(sources->measurements.items[i], &model->runs[i]));
  KN_TRY(status);
  model->same_classes = true;
  for (size_t i = 0; i < count; i++) {
    KN_TRY(kn_derive_comparison(&model->runs[0], &model->runs[i]));
    model->same_classes = model->same_classes && classes_equal(&model->runs[0], &model->runs[i]);
  }
  KN_TRY(collect_phases(model));
  return set_types(model, &sources->types);
}

kn_status kn_report_model_read(const kn_report_sources *sources, kn_report_model *out_model) {
  *out_model = (kn_report_model){0};
  kn_status status = read_all(sources, out_model);
  if (status) kn_report_model_clear(out_model);
  return status;
}

void kn_report_model_clear(kn_report_model *model) {
  for (size_t i = 0; i < model->run_count; i++) {
    kn_run *run = &model->runs[i];
    if (run->class_names)
      for (size_t k = 0; k < run->results.classes; k++) kn_free(run->class_names[k]);
    kn_free(run->class_names);
    kn_free(run->phases);
    kn_free(run->sorted);
    kn_free(run->slug);
    kn_free(run->name);
    kn_results_clear(&run->results);
  }
  kn_free(model->phase_names);
  kn_free(model->runs);
  kn_free(model->slug);
  kn_free(model->name);
  *model = (kn_report_model){0};
}

/* ---- looking things up ---- */

bool kn_report_model_knows(const kn_report_model *model, kn_fact fact) {
  for (size_t i = 0; i < model->run_count; i++)
    if (kn_value_known(model->runs[i].facts[fact])) return true;
  return false;
}

size_t kn_report_phase(const kn_report_model *model, const char *name) {
  size_t i = 0;
  while (i < model->phase_name_count && strcmp(model->phase_names[i], name) != 0) i++;
  return i;
}

yyjson_val *kn_run_member(const kn_run *run, const char *object, const char *member) {
  yyjson_val *value = run->results.root;
  if (object) value = yyjson_obj_get(value, object);
  value = yyjson_obj_get(value, member);
  return yyjson_is_null(value) ? NULL : value;
}

const char *kn_run_string(const kn_run *run, const char *object, const char *member) {
  return yyjson_get_str(kn_run_member(run, object, member));
}

yyjson_val *kn_run_model_file(const kn_run *run, const char *role) {
  yyjson_val *models = kn_run_member(run, NULL, "models"), *model, *found = NULL;
  size_t i, count;
  yyjson_arr_foreach(models, i, count, model) {
    const char *its = yyjson_get_str(yyjson_obj_get(model, "role"));
    if (its && strcmp(its, role) == 0) found = model;
  }
  return found;
}
