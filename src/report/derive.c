#include "report/derive.h"

#include "metrics/outputs.h"

#include <math.h>
#include <string.h>

/* Streams of the bootstraps; any number does, fixed so that a report comes out the same again. */
enum { SEED_UTILIZATION = 11, SEED_SPEED = 12, MAXIMUM_PHASES = 64 };

static void set(kn_run *run, kn_fact fact, double value) { run->facts[fact] = (kn_value){value, NAN, NAN}; }

static void set_bounded(kn_run *run, kn_fact fact, double value, const double interval[2]) {
  run->facts[fact] = (kn_value){value, interval[0], interval[1]};
}

static kn_status derive_time(kn_run *run) {
  const kn_results *results = &run->results;
  if (results->steps.count) set(run, KN_FACT_FIRST, results->steps.values[0]);
  if (!run->summary.has_inference) return NULL;
  const kn_statistics *time = &run->summary.inference;
  set(run, KN_FACT_MEASURED, (double)time->count);
  set(run, KN_FACT_WARMUP, (double)results->warmup);
  set(run, KN_FACT_MEAN, time->mean);
  set(run, KN_FACT_STD, time->std);
  set_bounded(run, KN_FACT_MEDIAN, time->median, time->median_ci95);
  set(run, KN_FACT_MINIMUM, time->min);
  set(run, KN_FACT_P90, time->p90);
  set(run, KN_FACT_P95, time->p95);
  set(run, KN_FACT_P99, time->p99);
  set(run, KN_FACT_MAXIMUM, time->max);
  if (time->mean > 0) set(run, KN_FACT_THROUGHPUT, run->batch / time->mean);
  run->sorted_count = results->steps.count - results->warmup;
  return kn_sorted_copy(results->steps.values + results->warmup, run->sorted_count, &run->sorted);
}

typedef struct spread {
  kn_fact mean, std, median;
} spread;

static kn_status derive_spread(kn_run *run, const double *values, size_t count, spread facts) {
  if (!count) return NULL;
  kn_statistics statistics;
  KN_TRY(kn_statistics_of(values, count, SEED_UTILIZATION, &statistics));
  set(run, facts.mean, statistics.mean);
  set(run, facts.std, statistics.std);
  set(run, facts.median, statistics.median);
  return NULL;
}

static double mean_of(const double *values, size_t count) {
  double sum = 0;
  for (size_t i = 0; i < count; i++) sum += values[i];
  return count ? sum / (double)count : NAN;
}

static double extreme_of(const kn_numbers *numbers, bool largest) {
  double found = numbers->count ? numbers->values[0] : NAN;
  for (size_t i = 1; i < numbers->count; i++)
    if (largest ? numbers->values[i] > found : numbers->values[i] < found) found = numbers->values[i];
  return found;
}

static void derive_sensors(kn_run *run) {
  const kn_numbers *temperatures = &run->results.temperatures, *frequencies = &run->results.frequencies;
  set(run, KN_FACT_TEMPERATURE, mean_of(temperatures->values, temperatures->count));
  set(run, KN_FACT_TEMPERATURE_MAX, extreme_of(temperatures, true));
  set(run, KN_FACT_FREQUENCY, mean_of(frequencies->values, frequencies->count));
  set(run, KN_FACT_FREQUENCY_MIN, extreme_of(frequencies, false));
}

/* Seconds of the object `wire`, or NaN. */
static double wire_seconds(yyjson_val *wire, const char *key) {
  yyjson_val *value = yyjson_obj_get(wire, key);
  double seconds = yyjson_is_num(value) ? yyjson_get_num(value) : NAN;
  return seconds >= 0 && seconds < KN_LARGEST_MEASUREMENT ? seconds : NAN;
}

/* Where the time of a run on a target went, per inference. */
static void derive_wire(kn_run *run) {
  yyjson_val *wire = yyjson_obj_get(run->results.root, "wire");
  const kn_results *results = &run->results;
  if (!wire || results->steps.count <= results->warmup) return;
  double count = (double)(results->steps.count - results->warmup);
  double all = wire_seconds(wire, "input_transfer_seconds") + wire_seconds(wire, "inference_exchange_seconds") +
               wire_seconds(wire, "output_transfer_seconds");
  double target = wire_seconds(wire, "target_inference_seconds");
  set(run, KN_FACT_END_TO_END, all / count);
  set(run, KN_FACT_WIRE, (all - target) / count);
  if (all > 0) set(run, KN_FACT_WIRE_SHARE, 100 * (all - target) / all);
}

static kn_status derive_utilization(kn_run *run) {
  const kn_utilization *use = &run->results.session;
  size_t skip = kn_results_utilization_skip(&run->results);
  size_t count = use->count > skip ? use->count - skip : 0;
  double *cores = kn_alloc_array(count, sizeof *cores);
  if (!cores) return kn_status_out_of_memory();
  for (size_t i = 0; i < count; i++) cores[i] = mean_of(use->cpus + (skip + i) * use->cores, use->cores);
  kn_status status = NULL;
  if (use->cores)
    status = derive_spread(run, cores, count, (spread){KN_FACT_CPU_MEAN, KN_FACT_CPU_STD, KN_FACT_CPU_MEDIAN});
  kn_free(cores);
  KN_TRY(status);
  if (count)
    KN_TRY(derive_spread(run, use->memory + skip, count,
                         (spread){KN_FACT_MEMORY_MEAN, KN_FACT_MEMORY_STD, KN_FACT_MEMORY_MEDIAN}));
  const kn_results *results = &run->results;
  set(run, KN_FACT_PROCESS_CPU, mean_of(results->process_cpu_percent.values, results->process_cpu_percent.count));
  set(run, KN_FACT_PROCESS_MEMORY, mean_of(results->process_rss_bytes.values, results->process_rss_bytes.count));
  derive_sensors(run);
  derive_wire(run);
  if (results->process_peak_rss_bytes > 0) set(run, KN_FACT_PROCESS_PEAK, results->process_peak_rss_bytes);
  return NULL;
}

static void derive_quality(kn_run *run) {
  const kn_summary *summary = &run->summary;
  if (summary->has_accuracy) set_bounded(run, KN_FACT_ACCURACY, summary->accuracy, summary->accuracy_ci95);
  if (!summary->has_classification) return;
  set(run, KN_FACT_SAMPLES, kn_confusion_total(run->results.confusion, run->results.classes));
  if (summary->has_top_5) set_bounded(run, KN_FACT_TOP_5, summary->top_5_accuracy, summary->top_5_accuracy_ci95);
  set(run, KN_FACT_PRECISION, summary->mean_precision);
  set(run, KN_FACT_SENSITIVITY, summary->mean_sensitivity);
  set(run, KN_FACT_G_MEAN, summary->g_mean);
  set(run, KN_FACT_F1, summary->mean_f1);
}

/* A positive number of bytes under `key`, or NaN. */
static double bytes_of(yyjson_val *model, const char *key) {
  yyjson_val *value = yyjson_obj_get(model, key);
  double bytes = yyjson_is_num(value) ? yyjson_get_num(value) : NAN;
  return bytes > 0 && isfinite(bytes) ? bytes : NAN;
}

static void derive_sizes(kn_run *run) {
  yyjson_val *compiled = kn_run_model_file(run, "compiled");
  yyjson_val *file = compiled ? compiled : kn_run_model_file(run, "input");
  run->compiled = compiled || run->results.compiler_count > 0;
  double bytes = bytes_of(file, "bytes"), weights = bytes_of(file, "weights_bytes");
  if (!isfinite(bytes) && run->results.compiled_model_size > 0) bytes = run->results.compiled_model_size;
  double other = bytes_of(file, "other_bytes");
  if (!isfinite(other) && weights < bytes) other = bytes - weights;
  set(run, KN_FACT_FILE_BYTES, bytes);
  set(run, KN_FACT_WEIGHTS_BYTES, weights);
  set(run, KN_FACT_OTHER_BYTES, other);
  run->file_contents = yyjson_get_str(yyjson_obj_get(file, "contents"));
  run->weights_known = !run->compiled && isfinite(weights);
  run->deployed_bytes = run->weights_known ? weights : bytes;
}

/* ---- where the time went ---- */

static kn_status add_phase(kn_run *run, const char *name, double seconds) {
  for (size_t i = 0; i < run->phase_count; i++) {
    if (strcmp(run->phases[i].name, name) != 0) continue;
    run->phases[i].seconds += seconds;
    return NULL;
  }
  if (run->phase_count == MAXIMUM_PHASES)
    return kn_status_make_at(KN_BAD_DATA, run->results.path, "there are more than %d kinds of phases or tags",
                             MAXIMUM_PHASES);
  if (!run->phases) run->phases = kn_alloc_array(MAXIMUM_PHASES, sizeof *run->phases);
  if (!run->phases) return kn_status_out_of_memory();
  run->phases[run->phase_count++] = (kn_phase){name, seconds};
  return NULL;
}

static kn_status bad_list(const kn_run *run, const char *key, const char *members) {
  return kn_status_make_at(KN_BAD_DATA, run->results.path, "measurement '%s' must be a list of objects with %s", key,
                           members);
}

/* The original marks spans, some inside others: those that begin before the last counted one ended are its parts. */
static kn_status sum_tags(kn_run *run, yyjson_val *tags) {
  size_t i, count;
  yyjson_val *tag;
  double counted_until = -INFINITY;
  if (!yyjson_is_arr(tags)) return bad_list(run, "tags", "'name', 'start' and 'end'");
  yyjson_arr_foreach(tags, i, count, tag) {
    yyjson_val *name = yyjson_obj_get(tag, "name"), *start = yyjson_obj_get(tag, "start"),
               *end = yyjson_obj_get(tag, "end");
    double from = yyjson_get_num(start), to = yyjson_get_num(end);
    if (!yyjson_is_str(name) || !yyjson_is_num(start) || !yyjson_is_num(end) ||
        !(fabs(from) <= KN_LARGEST_MEASUREMENT) || !(fabs(to) <= KN_LARGEST_MEASUREMENT))
      return bad_list(run, "tags", "'name', 'start' and 'end'");
    if (from < counted_until || to < from) continue;
    counted_until = to;
    KN_TRY(add_phase(run, yyjson_get_str(name), to - from));
  }
  run->phases_summed = run->phase_count > 0;
  return NULL;
}

static kn_status derive_phases(kn_run *run) {
  yyjson_val *phases = kn_run_member(run, NULL, "phases"), *phase;
  if (!phases) {
    yyjson_val *tags = kn_run_member(run, NULL, "tags");
    return tags ? sum_tags(run, tags) : NULL;
  }
  if (!yyjson_is_arr(phases)) return bad_list(run, "phases", "'name' and 'seconds'");
  size_t i, count;
  yyjson_arr_foreach(phases, i, count, phase) {
    yyjson_val *name = yyjson_obj_get(phase, "name"), *value = yyjson_obj_get(phase, "seconds");
    double seconds = yyjson_get_num(value);
    if (!yyjson_is_str(name) || !yyjson_is_num(value) || !(seconds >= 0 && seconds <= KN_LARGEST_MEASUREMENT))
      return bad_list(run, "phases", "'name' and 'seconds'");
    KN_TRY(add_phase(run, yyjson_get_str(name), seconds));
  }
  return NULL;
}

static void derive_loading(kn_run *run) {
  for (size_t i = 0; i < run->phase_count; i++)
    if (strcmp(run->phases[i].name, "load model") == 0) set(run, KN_FACT_LOADING, run->phases[i].seconds);
}

kn_status kn_derive_run(kn_run *run) {
  for (size_t i = 0; i < KN_FACT_COUNT; i++) run->facts[i] = (kn_value){NAN, NAN, NAN};
  yyjson_val *batch = kn_run_member(run, "run", "batch_size");
  run->batch = yyjson_is_num(batch) && yyjson_get_num(batch) >= 1 ? yyjson_get_num(batch) : 1;
  KN_TRY(derive_time(run));
  KN_TRY(derive_utilization(run));
  derive_quality(run);
  derive_sizes(run);
  KN_TRY(derive_phases(run));
  derive_loading(run);
  return NULL;
}

/* ---- comparison ---- */

/* By the hash of their names, where both files have it: a split of another seed may have the same labels. */
static bool same_samples(const kn_run *one, const kn_run *other) {
  const kn_results *a = &one->results, *b = &other->results;
  const char *names = kn_run_string(one, "run", "samples_sha256");
  const char *others = kn_run_string(other, "run", "samples_sha256");
  if (names && others && strcmp(names, others) != 0) return false;
  return a->prediction_count && a->prediction_count == b->prediction_count &&
         memcmp(a->targets, b->targets, a->prediction_count * sizeof *a->targets) == 0;
}

static kn_status derive_speed(const kn_run *reference, kn_run *run) {
  if (!reference->sorted_count || !run->sorted_count || !(run->summary.inference.median > 0)) return NULL;
  /* Per sample, so that runs with different batches compare. */
  double samples = run->batch / reference->batch;
  double boost = samples * reference->summary.inference.median / run->summary.inference.median;
  if (run == reference) {
    set(run, KN_FACT_SPEED_BOOST, 1);
    return NULL;
  }
  double interval[2];
  KN_TRY(kn_bootstrap_median_ratio(reference->sorted, reference->sorted_count, run->sorted, run->sorted_count,
                                   SEED_SPEED, interval));
  interval[0] *= samples;
  interval[1] *= samples;
  set_bounded(run, KN_FACT_SPEED_BOOST, boost, interval);
  return NULL;
}

static bool all_finite(const double *values, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (!isfinite(values[i])) return false;
  return true;
}

/* Of as many samples as both files hold the outputs of. */
static void derive_outputs(const kn_run *reference, kn_run *run) {
  const kn_results *first = &reference->results, *second = &run->results;
  size_t rows = first->output_rows < second->output_rows ? first->output_rows : second->output_rows;
  if (!rows || first->output_columns != second->output_columns) return;
  /* One sample alone cannot tell; values that are not finite have a warning of their own. */
  if (!all_finite(first->outputs, rows * first->output_columns)) return;
  run->reference_constant = rows > 1 && !kn_outputs_vary(first->outputs, rows, first->output_columns);
  if (run->reference_constant) return;
  set(run, KN_FACT_OUTPUT_DIFFERENCE,
      kn_outputs_difference(first->outputs, second->outputs, rows * first->output_columns));
  set(run, KN_FACT_OUTPUTS_COMPARED, (double)rows);
}

kn_status kn_derive_comparison(const kn_run *reference, kn_run *run) {
  KN_TRY(derive_speed(reference, run));
  if (isfinite(reference->deployed_bytes) && isfinite(run->deployed_bytes))
    set(run, KN_FACT_SIZE_REDUCTION, reference->deployed_bytes / run->deployed_bytes);
  if (run == reference) return NULL;
  if (reference->summary.has_accuracy && run->summary.has_accuracy)
    set(run, KN_FACT_ACCURACY_CHANGE, run->summary.accuracy - reference->summary.accuracy);
  const kn_results *first = &reference->results, *second = &run->results;
  if (!same_samples(reference, run)) return NULL;
  derive_outputs(reference, run);
  kn_paired_test test;
  kn_paired_test_run(first->targets, first->predictions, second->predictions, first->prediction_count, &test);
  if (!test.count) return NULL;
  double interval[2];
  kn_wilson95((double)test.agree, (double)test.count, interval);
  set_bounded(run, KN_FACT_AGREEMENT, (double)test.agree / (double)test.count, interval);
  set(run, KN_FACT_ONLY_REFERENCE, (double)test.only_first);
  set(run, KN_FACT_ONLY_THIS, (double)test.only_second);
  set(run, KN_FACT_P_VALUE, test.p_mid);
  if (test.count == first->prediction_count && kn_value_known(run->facts[KN_FACT_ACCURACY_CHANGE]))
    set_bounded(run, KN_FACT_ACCURACY_CHANGE, run->facts[KN_FACT_ACCURACY_CHANGE].value, test.difference_ci95);
  return NULL;
}
