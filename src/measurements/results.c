#include "measurements/results.h"

#include "core/json.h"
#include "core/record_json.h"
#include "measurements/consistency.h"

#include <math.h>
#include <string.h>

enum { SCHEMA_MAJOR = 1, MAXIMUM_CLASSES = 65536 };

static const double LARGEST = KN_LARGEST_MEASUREMENT;

/* One reading under way: all faults are gathered. */
typedef struct kn_reading {
  kn_results *results;
  kn_status faults;
} kn_reading;

static void fail(kn_reading *reading, const char *key, const char *what) {
  reading->faults = kn_status_join(
      reading->faults, kn_status_make_at(KN_BAD_DATA, reading->results->path, "measurement '%s' %s", key, what));
}

static void fail_memory(kn_reading *reading) {
  reading->faults = kn_status_join(reading->faults, kn_status_out_of_memory());
}

static size_t fault_count(const kn_reading *reading) { return kn_status_count(reading->faults); }

/* Value of a key; NULL when it is absent or null. */
static yyjson_val *member(const kn_reading *reading, const char *key) {
  yyjson_val *value = yyjson_obj_get(reading->results->root, key);
  return yyjson_is_null(value) ? NULL : value;
}

static const char *read_string(kn_reading *reading, const char *key) {
  yyjson_val *value = member(reading, key);
  if (value && !yyjson_is_str(value)) fail(reading, key, "must be a string");
  return yyjson_get_str(value);
}

/* `absent` where the key is not there. */
static double read_amount(kn_reading *reading, const char *key, double absent) {
  yyjson_val *value = member(reading, key);
  if (!value) return absent;
  double number = yyjson_get_num(value);
  if (yyjson_is_num(value) && number >= 0 && number <= LARGEST) return number;
  fail(reading, key, "must be a number from 0 to 1e18");
  return absent;
}

static bool read_bool(kn_reading *reading, const char *key, bool absent) {
  yyjson_val *value = member(reading, key);
  if (!value) return absent;
  if (!yyjson_is_bool(value)) fail(reading, key, "must be true or false");
  return yyjson_get_bool(value);
}

static size_t read_strings(kn_reading *reading, const char *key, const char ***out_strings) {
  yyjson_val *list = member(reading, key), *item;
  if (!list) return 0;
  if (!yyjson_is_arr(list)) return fail(reading, key, "must be a list of strings"), 0;
  size_t i, count = yyjson_arr_size(list);
  *out_strings = kn_alloc_array(count, sizeof **out_strings);
  if (!*out_strings) return fail_memory(reading), 0;
  yyjson_arr_foreach(list, i, count, item) {
    (*out_strings)[i] = yyjson_get_str(item);
    if (!yyjson_is_str(item)) return fail(reading, key, "must be a list of strings"), 0;
  }
  return count;
}

/* A list of numbers of at least `lowest`. */
static kn_numbers read_numbers(kn_reading *reading, const char *key, double lowest) {
  kn_numbers numbers = {0};
  yyjson_val *list = member(reading, key), *item;
  if (!list) return numbers;
  if (!yyjson_is_arr(list)) return fail(reading, key, "must be a list of numbers"), numbers;
  size_t i, count = yyjson_arr_size(list);
  numbers.values = kn_alloc_array(count, sizeof *numbers.values);
  if (!numbers.values) return fail_memory(reading), numbers;
  numbers.count = count;
  yyjson_arr_foreach(list, i, count, item) {
    double number = yyjson_get_num(item);
    if (!yyjson_is_num(item) || !(number >= lowest && number <= LARGEST)) {
      fail(reading, key,
           lowest < 0 ? "must be a list of numbers from -1e18 to 1e18" : "must be a list of numbers from 0 to 1e18");
      break;
    }
    numbers.values[i] = number;
  }
  return numbers;
}

static void same_length(kn_reading *reading, const char *key, size_t count, const char *other, size_t other_count) {
  if (count != other_count)
    reading->faults =
        kn_status_join(reading->faults, kn_status_make_at(KN_BAD_DATA, reading->results->path,
                                                          "measurement '%s' has %zu entries, but '%s' has %zu", key,
                                                          count, other, other_count));
}

/* A list of equally long rows of numbers from 0 up, into one block. */
static double *read_rows(kn_reading *reading, const char *key, size_t *out_rows, size_t *out_columns) {
  yyjson_val *list = member(reading, key), *row, *item;
  *out_rows = *out_columns = 0;
  if (!list) return NULL;
  const char *what = "must be a list of equally long lists of numbers from 0 to 1e18";
  if (!yyjson_is_arr(list)) return fail(reading, key, what), NULL;
  size_t rows = yyjson_arr_size(list), columns = yyjson_arr_size(yyjson_arr_get_first(list)), i, j, count, total;
  if (rows && !columns) return fail(reading, key, what), NULL;
  double *values = kn_mul_size(rows, columns, &total) ? kn_alloc_array(total, sizeof *values) : NULL;
  if (!values) return fail_memory(reading), NULL;
  bool good = true;
  yyjson_arr_foreach(list, i, count, row) {
    good = good && yyjson_is_arr(row) && yyjson_arr_size(row) == columns;
    if (!good) break;
    size_t width;
    yyjson_arr_foreach(row, j, width, item) {
      double value = values[i * columns + j] = yyjson_get_num(item);
      good = good && yyjson_is_num(item) && value >= 0 && value <= LARGEST;
    }
  }
  if (!good) fail(reading, key, what);
  *out_rows = rows;
  *out_columns = columns;
  return values;
}

static void read_utilization(kn_reading *reading, const char *cpus, const char *memory, const char *timestamps,
                             kn_utilization *out) {
  size_t before = fault_count(reading);
  out->cpus = read_rows(reading, cpus, &out->count, &out->cores);
  kn_numbers memories = read_numbers(reading, memory, 0), times = read_numbers(reading, timestamps, -LARGEST);
  out->memory = memories.values;
  out->timestamps = times.values;
  if (fault_count(reading) != before) return;
  same_length(reading, memory, memories.count, cpus, out->count);
  same_length(reading, timestamps, times.count, cpus, out->count);
}

static void read_process(kn_reading *reading) {
  kn_results *results = reading->results;
  size_t before = fault_count(reading);
  results->process_rss_bytes = read_numbers(reading, "process_rss_bytes", 0);
  results->process_cpu_percent = read_numbers(reading, "process_cpu_percent", 0);
  results->process_timestamps = read_numbers(reading, "process_timestamp", -LARGEST);
  if (fault_count(reading) != before) return;
  same_length(reading, "process_cpu_percent", results->process_cpu_percent.count, "process_rss_bytes",
              results->process_rss_bytes.count);
  same_length(reading, "process_timestamp", results->process_timestamps.count, "process_rss_bytes",
              results->process_rss_bytes.count);
}

/* Lists of several sensors become one: of their largest values, or of their means. */
static void read_sensors(kn_reading *reading, const char *key, bool largest, kn_numbers *out) {
  yyjson_val *group = member(reading, key), *name, *list, *item;
  const size_t samples = reading->results->session.count;
  if (!group) return;
  size_t i, members, k, count;
  if (!yyjson_is_obj(group)) return fail(reading, key, "must be an object of lists of numbers");
  if (!yyjson_obj_size(group)) return;
  double *values = kn_alloc_array(samples, sizeof *values);
  if (!values) return fail_memory(reading);
  *out = (kn_numbers){values, samples};
  yyjson_obj_foreach(group, i, members, name, list) {
    if (!yyjson_is_arr(list) || yyjson_arr_size(list) != samples)
      return fail(reading, key, "must have a list per sensor, as long as session_utilization_timestamp");
    yyjson_arr_foreach(list, k, count, item) {
      double value = yyjson_get_num(item);
      if (!yyjson_is_num(item) || !isfinite(value) || fabs(value) > LARGEST)
        return fail(reading, key, "must be an object of lists of numbers");
      if (!largest)
        values[k] += value / (double)members;
      else if (!i || value > values[k])
        values[k] = value;
    }
  }
}

static void read_confusion(kn_reading *reading) {
  static const char key[] = "eval_confusion_matrix";
  kn_results *results = reading->results;
  size_t columns, before = fault_count(reading);
  results->class_name_count = read_strings(reading, "class_names", &results->class_names);
  bool names = results->class_names && fault_count(reading) == before;
  before = fault_count(reading);
  results->confusion = read_rows(reading, key, &results->classes, &columns);
  if (!results->confusion || fault_count(reading) != before) return;
  if (results->classes != columns || !columns || columns > MAXIMUM_CLASSES)
    fail(reading, key, "must be square, with at least one class");
  else if (names)
    same_length(reading, "class_names", results->class_name_count, key, results->classes);
}

static void read_predictions(kn_reading *reading) {
  static const char key[] = "predictions";
  kn_results *results = reading->results;
  yyjson_val *list = member(reading, key), *item;
  /* Other tasks of the original keep texts and boxes here: those are left to the document. */
  bool none = results->own && yyjson_is_arr(list) && !yyjson_arr_size(list);
  if (!none && !yyjson_is_int(yyjson_obj_get(yyjson_arr_get_first(list), "prediction"))) return;
  size_t i, count = yyjson_arr_size(list);
  results->targets = kn_alloc_array(count, sizeof *results->targets);
  results->predictions = kn_alloc_array(count, sizeof *results->predictions);
  if (!results->targets || !results->predictions) return fail_memory(reading);
  results->prediction_count = count;
  yyjson_arr_foreach(list, i, count, item) {
    yyjson_val *target = yyjson_obj_get(item, "target"), *prediction = yyjson_obj_get(item, "prediction");
    if (!yyjson_is_int(target) || !yyjson_is_int(prediction))
      return fail(reading, key, "must be a list of objects with integers 'target' and 'prediction'");
    results->targets[i] = yyjson_get_sint(target);
    results->predictions[i] = yyjson_get_sint(prediction);
  }
}

static void read_outputs(kn_reading *reading) {
  static const char key[] = "model_outputs", what[] = "must be a list of equally long lists of numbers or null";
  kn_results *results = reading->results;
  yyjson_val *list = member(reading, key), *row, *item;
  size_t i, j, count, total;
  if (!list) return;
  if (!yyjson_is_arr(list)) return fail(reading, key, what);
  size_t rows = yyjson_arr_size(list), columns = yyjson_arr_size(yyjson_arr_get_first(list));
  results->outputs = kn_mul_size(rows, columns, &total) ? kn_alloc_array(total, sizeof *results->outputs) : NULL;
  if (!results->outputs) return fail_memory(reading);
  results->output_rows = rows;
  results->output_columns = columns;
  yyjson_arr_foreach(list, i, count, row) {
    if (yyjson_arr_size(row) != columns || !columns) return fail(reading, key, what);
    yyjson_arr_foreach(row, j, total, item) {
      double value = yyjson_is_num(item) ? yyjson_get_num(item) : NAN;
      if (!yyjson_is_num(item) && !yyjson_is_null(item)) return fail(reading, key, what);
      results->outputs[i * columns + j] = isfinite(value) ? value : NAN;
    }
  }
}

static void read_quality(kn_reading *reading) {
  kn_results *results = reading->results;
  size_t before = fault_count(reading);
  read_confusion(reading);
  results->top_5_count = read_amount(reading, "top_5_count", -1);
  results->total = read_amount(reading, "total", -1);
  if (results->top_5_count > results->total && results->total >= 0)
    fail(reading, "top_5_count", "is larger than 'total'");
  yyjson_val *samples = yyjson_obj_get(member(reading, "run"), "samples");
  results->samples = yyjson_is_num(samples) ? yyjson_get_num(samples) : -1;
  read_predictions(reading);
  read_outputs(reading);
  if (fault_count(reading) == before) reading->faults = kn_status_join(reading->faults, kn_results_check(results));
}

static void read_compilers(kn_reading *reading) {
  kn_results *results = reading->results;
  const char *key = member(reading, "optimizers") ? "optimizers" : "compilers";
  yyjson_val *list = member(reading, key), *item;
  if (!list) return;
  if (!yyjson_is_arr(list)) return fail(reading, key, "must be a list of objects");
  size_t i, count = yyjson_arr_size(list);
  results->compilers = kn_alloc_array(count, sizeof *results->compilers);
  if (!results->compilers) return fail_memory(reading);
  yyjson_arr_foreach(list, i, count, item) {
    yyjson_val *framework = yyjson_obj_get(item, "compiler_framework");
    yyjson_val *version = yyjson_obj_get(item, "compiler_version");
    if (!yyjson_is_obj(item) || (framework && !yyjson_is_str(framework) && !yyjson_is_null(framework)) ||
        (version && !yyjson_is_str(version) && !yyjson_is_null(version)))
      return fail(reading, key, "must be a list of objects with strings 'compiler_framework' and 'compiler_version'");
    results->compilers[i] = (kn_compiler){.framework = yyjson_is_str(framework) ? yyjson_get_str(framework) : "",
                                          .version = yyjson_is_str(version) ? yyjson_get_str(version) : ""};
  }
  results->compiler_count = count;
}

static void read_steps(kn_reading *reading) {
  kn_results *results = reading->results;
  static const char *const keys[][2] = {{"target_inference_step", "target_inference_step_timestamp"},
                                        {"protocol_inference_step", "protocol_inference_step_timestamp"}};
  size_t before = fault_count(reading);
  for (size_t i = 0; i < 2 && !results->step_key; i++) {
    if (!member(reading, keys[i][0])) continue;
    results->step_key = keys[i][0];
    results->steps = read_numbers(reading, keys[i][0], 0);
    results->step_timestamps = read_numbers(reading, keys[i][1], -LARGEST);
    if (results->step_timestamps.values && fault_count(reading) == before)
      same_length(reading, keys[i][1], results->step_timestamps.count, keys[i][0], results->steps.count);
  }
  double warmup = read_amount(reading, "warmup_inferences", 0);
  bool fits = !results->step_key || fault_count(reading) != before || warmup <= (double)results->steps.count;
  if (warmup != floor(warmup) || !fits)
    fail(reading, "warmup_inferences", "must be a whole number, at most that of the inferences");
  else
    results->warmup = (size_t)fmin(warmup, (double)results->steps.count);
  results->preprocess_steps = read_numbers(reading, "input_preprocess_step", 0);
  results->postprocess_steps = read_numbers(reading, "output_postprocess_step", 0);
}

static void read_schema(kn_reading *reading) {
  const char *schema = read_string(reading, "kenning_schema");
  if (!schema) return;
  reading->results->own = true;
  size_t digits = strspn(schema, "0123456789");
  if (!digits || digits > 6 || (schema[digits] && schema[digits] != '.'))
    return fail(reading, "kenning_schema", "must be a version such as \"1.0\"");
  int major = 0;
  for (size_t i = 0; i < digits; i++) major = major * 10 + (schema[i] - '0');
  if (major > SCHEMA_MAJOR)
    reading->faults =
        kn_status_make_at(KN_INCOMPATIBLE, reading->results->path,
                          "the measurements have schema %.32s, this version of kenning reads schemas up to "
                          "%d: use the version that wrote them or a newer one",
                          schema, SCHEMA_MAJOR);
}

static kn_status unpack(kn_results *results) {
  kn_reading reading = {.results = results};
  read_schema(&reading);
  if (reading.faults) return reading.faults; /* the rest may mean something else */
  results->complete = read_bool(&reading, "complete", true);
  results->incomplete_reason = read_string(&reading, "incomplete_reason");
  results->date = read_string(&reading, "date");
  results->cfg_path = read_string(&reading, "cfg_path");
  results->model_framework = read_string(&reading, "model_framework");
  results->model_version = read_string(&reading, "model_version");
  read_compilers(&reading);
  results->command_count = read_strings(&reading, "command", &results->command);
  read_steps(&reading);
  read_utilization(&reading, "session_utilization_cpus_percent", "session_utilization_mem_percent",
                   "session_utilization_timestamp", &results->session);
  read_utilization(&reading, "full_run_statistics_cpus_percent", "full_run_statistics_mem_percent",
                   "full_run_statistics_timestamp", &results->full_run);
  read_process(&reading);
  read_sensors(&reading, "session_utilization_temperature_celsius", true, &results->temperatures);
  read_sensors(&reading, "session_utilization_frequency_hz", false, &results->frequencies);
  results->process_peak_rss_bytes = read_amount(&reading, "process_peak_rss_bytes", 0);
  read_quality(&reading);
  results->compiled_model_size = read_amount(&reading, "compiled_model_size", 0);
  return reading.faults;
}

/* Takes `doc`. */
static kn_status take(const char *name, yyjson_doc *doc, kn_results *out_results) {
  *out_results = (kn_results){.doc = doc, .root = yyjson_doc_get_root(doc), .path = kn_strdup(name)};
  kn_status status = NULL;
  if (!out_results->path)
    status = kn_status_out_of_memory();
  else if (!yyjson_is_obj(out_results->root))
    status = kn_status_make_at(KN_BAD_DATA, name, "a measurement file holds a JSON object");
  else
    status = unpack(out_results);
  if (status) kn_results_clear(out_results);
  return status;
}

kn_status kn_results_read(const char *path, kn_results *out_results) {
  *out_results = (kn_results){0};
  yyjson_doc *doc;
  KN_TRY(kn_json_read_plain(path, &doc));
  return take(path, doc, out_results);
}

kn_status kn_results_parse(const char *name, const char *json, size_t length, kn_results *out_results) {
  *out_results = (kn_results){0};
  yyjson_read_err error;
  /* Without the in-place flag the text is not written to. */
  yyjson_doc *doc =
      yyjson_read_opts((char *)(uintptr_t)json, length, YYJSON_READ_ALLOW_INF_AND_NAN, &kn_json_allocator, &error);
  if (!doc && error.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION) return kn_status_out_of_memory();
  if (!doc) return kn_status_make_at(KN_BAD_DATA, name, "not valid JSON at byte %zu: %s", error.pos, error.msg);
  return take(name, doc, out_results);
}

void kn_results_clear(kn_results *results) {
  kn_free(results->compilers);
  kn_free(results->command);
  kn_free(results->class_names);
  kn_numbers *lists[] = {&results->steps,
                         &results->step_timestamps,
                         &results->preprocess_steps,
                         &results->postprocess_steps,
                         &results->process_rss_bytes,
                         &results->process_cpu_percent,
                         &results->process_timestamps,
                         &results->temperatures,
                         &results->frequencies};
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) kn_free(lists[i]->values);
  kn_utilization *utilizations[] = {&results->session, &results->full_run};
  for (size_t i = 0; i < 2; i++) {
    kn_free(utilizations[i]->cpus);
    kn_free(utilizations[i]->memory);
    kn_free(utilizations[i]->timestamps);
  }
  kn_free(results->confusion);
  kn_free(results->targets);
  kn_free(results->predictions);
  kn_free(results->outputs);
  kn_free(results->path);
  yyjson_doc_free(results->doc);
  *results = (kn_results){0};
}

bool kn_results_recognize(yyjson_val *root) {
  static const char *const keys[] = {"target_inference_step", "protocol_inference_step",
                                     "session_utilization_cpus_percent", "full_run_statistics_cpus_percent",
                                     "eval_confusion_matrix"};
  if (yyjson_is_str(yyjson_obj_get(root, "kenning_schema"))) return true;
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
    if (yyjson_is_arr(yyjson_obj_get(root, keys[i]))) return true;
  return false;
}

size_t kn_results_utilization_skip(const kn_results *results) { return results->own ? 0 : 1; }

/* Negative: the file holds no predictions. */
static double count_correct(const kn_results *results) {
  double correct = results->prediction_count ? 0 : -1;
  for (size_t i = 0; i < results->prediction_count; i++) correct += results->targets[i] == results->predictions[i];
  return correct;
}

kn_status kn_results_summary(const kn_results *results, kn_summary *out_summary) {
  return kn_summary_of(&(kn_summary_input){.steps = results->steps.values,
                                           .step_count = results->steps.count,
                                           .warmup = results->warmup,
                                           .confusion = results->confusion,
                                           .classes = results->classes,
                                           .correct_count = count_correct(results),
                                           .top_5_count = results->top_5_count,
                                           .total = results->total},
                       out_summary);
}
