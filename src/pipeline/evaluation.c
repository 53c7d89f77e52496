#include "pipeline/evaluation.h"

#include "core/number.h"
#include "core/record_json.h"
#include "measurements/summary.h"

#include <kenning/services.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* A matrix of more classes than this would be larger than everything else in the file. */
enum { MAXIMUM_MATRIX_CLASSES = 2048 };

/* ---- time ---- */

static kn_status put_phases(kn_session *session, const kn_loop_result *result) {
  int64_t warmup = 0, wait = 0, transfer = 0, inference = 0;
  for (size_t i = 0; i < result->inferences; i++) {
    const kn_inference_times *t = &result->times[i];
    wait += t->wait_ns;
    if (i < result->warmup) {
      warmup += t->output_end - t->input_start;
    } else {
      inference += t->run_end - t->run_start;
      transfer += (t->run_start - t->input_start) + (t->output_end - t->run_end);
    }
  }
  int64_t all = result->end_ns - result->start_ns;
  const struct {
    const char *name;
    int64_t ns;
  } phases[] = {{"warm-up", warmup},
                {"preprocessing", wait}, /* as far as inference had to wait for it */
                {"input and output", transfer},
                {"inference", inference},
                {"evaluation", result->evaluation_ns},
                {"run loop", all - warmup - wait - transfer - inference - result->evaluation_ns}};
  for (size_t i = 0; i < sizeof phases / sizeof *phases; i++)
    KN_TRY(kn_measurements_phase(session->measurements, phases[i].name, phases[i].ns));
  return NULL;
}

/* ---- quality ---- */

static kn_status put_predictions(kn_record *record, const int64_t *labels, const kn_loop_result *result) {
  yyjson_mut_doc *doc = kn_record_document(record);
  yyjson_mut_val *list = yyjson_mut_arr(doc);
  if (!list) return kn_status_out_of_memory();
  for (size_t i = 0; i < result->samples; i++) {
    yyjson_mut_val *entry = yyjson_mut_arr_add_obj(doc, list);
    if (!entry || !yyjson_mut_obj_add_sint(doc, entry, "target", labels[i]) ||
        !yyjson_mut_obj_add_sint(doc, entry, "prediction", result->predictions[i]))
      return kn_status_out_of_memory();
  }
  return kn_record_set_value(record, "predictions", list);
}

/* With nine digits, which a float32 is exactly recovered from. */
static yyjson_mut_val *score_value(yyjson_mut_doc *doc, float score) {
  char digits[32];
  if (!isfinite(score)) return yyjson_mut_null(doc);
  kn_number_print(digits, sizeof digits, "%.9g", (double)score);
  return yyjson_mut_real(doc, kn_number_read(digits, NULL));
}

static kn_status put_scores(kn_record *record, size_t classes, const kn_loop_result *result) {
  yyjson_mut_doc *doc = kn_record_document(record);
  yyjson_mut_val *rows = yyjson_mut_arr(doc);
  if (!rows) return kn_status_out_of_memory();
  for (size_t i = 0; i < result->scored; i++) {
    yyjson_mut_val *row = yyjson_mut_arr_add_arr(doc, rows);
    for (size_t j = 0; j < classes; j++) {
      if (!row || !yyjson_mut_arr_append(row, score_value(doc, result->scores[i * classes + j])))
        return kn_status_out_of_memory();
    }
  }
  return kn_record_set_value(record, "model_outputs", rows);
}

static kn_status put_matrix(kn_record *record, const double *cells, size_t classes) {
  yyjson_mut_doc *doc = kn_record_document(record);
  yyjson_mut_val *rows = yyjson_mut_arr(doc);
  for (size_t i = 0; rows && i < classes; i++) {
    yyjson_mut_val *row = yyjson_mut_arr_with_real(doc, cells + i * classes, classes);
    if (!row || !yyjson_mut_arr_append(rows, row)) return kn_status_out_of_memory();
  }
  return kn_record_set_value(record, "eval_confusion_matrix", rows);
}

/* Fills `summary` with what is to be summed up; `*out_cells` is the matrix, to be freed. */
static kn_status put_classification(kn_session *session, const kn_samples *samples, const int64_t *labels,
                                    const kn_loop_result *result, kn_summary_input *summary, double **out_cells) {
  kn_record *record = session->measurements->record;
  size_t classes = (size_t)samples->classes, top_5 = 0, correct = 0;
  for (size_t i = 0; i < result->samples; i++) {
    top_5 += result->in_top_5[i];
    correct += labels[i] == result->predictions[i];
  }
  KN_TRY(put_predictions(record, labels, result));
  KN_TRY(put_scores(record, classes, result));
  KN_TRY(kn_record_set_int(record, "top_5_count", (int64_t)top_5));
  KN_TRY(kn_record_set_int(record, "total", (int64_t)result->samples));
  summary->correct_count = (double)correct;
  summary->top_5_count = (double)top_5;
  summary->total = (double)result->samples;
  if (result->not_finite) {
    kn_log(KN_LOG_WARNING, "%zu of %zu outputs of the model hold values that are infinite or not a number",
           result->not_finite, result->samples);
    KN_TRY(kn_record_set_int(record, "not_finite_outputs", (int64_t)result->not_finite));
  }
  if (classes > MAXIMUM_MATRIX_CLASSES) {
    kn_log(KN_LOG_WARNING, "no confusion matrix is recorded for more than %d classes", MAXIMUM_MATRIX_CLASSES);
    return NULL;
  }
  double *cells = *out_cells = kn_alloc_array(classes * classes, sizeof *cells);
  if (!cells) return kn_status_out_of_memory();
  for (size_t i = 0; i < result->samples; i++) cells[(size_t)labels[i] * classes + (size_t)result->predictions[i]]++;
  summary->confusion = cells;
  summary->classes = classes;
  return put_matrix(record, cells, classes);
}

static kn_status put_quality(kn_session *session, const kn_samples *samples, const kn_loop_result *result,
                             kn_summary_input *summary, double **out_cells) {
  int64_t *labels = kn_alloc_array(result->samples, sizeof *labels);
  if (!labels) return kn_status_out_of_memory();
  kn_status status = NULL;
  for (size_t i = 0; i < result->samples && !status; i++) status = samples->label(samples->context, i, &labels[i]);
  if (!status) status = put_classification(session, samples, labels, result, summary, out_cells);
  kn_free(labels);
  return status;
}

static kn_status put_summary(kn_session *session, const kn_summary_input *input) {
  kn_summary summary;
  kn_record *record;
  KN_TRY(kn_summary_of(input, &summary));
  KN_TRY(kn_record_object(session->measurements->record, "summary", &record));
  return kn_summary_put(&summary, record);
}

/* What the target measured by its own clock, where it did, is the time of an inference. */
static void take_target_steps(const kn_record *record, double *steps, size_t count) {
  yyjson_mut_val *list = yyjson_mut_obj_get(kn_record_value(record), "target_inference_step"), *item;
  size_t i, found;
  if (yyjson_mut_arr_size(list) != count) return;
  yyjson_mut_arr_foreach(list, i, found, item) { steps[i] = yyjson_mut_get_num(item); }
}

kn_status kn_evaluation_put(kn_session *session, const kn_samples *samples, const kn_loop_result *result) {
  kn_record *record = session->measurements->record;
  KN_TRY(put_phases(session, result));
  bool remote = session->on_target;
  const char *step = remote ? "protocol_inference_step" : "target_inference_step";
  KN_TRY(kn_timeline_put(result->times, result->inferences, step, record));
  KN_TRY(kn_record_set_int(record, "warmup_inferences", (int64_t)result->warmup));
  kn_summary_input summary = {
      .step_count = result->inferences, .warmup = result->warmup, .correct_count = -1, .top_5_count = -1};
  double *steps, *cells = NULL;
  KN_TRY(kn_timeline_steps(result->times, result->inferences, &steps));
  if (remote) take_target_steps(record, steps, result->inferences);
  summary.steps = steps;
  kn_status status = result->predictions ? put_quality(session, samples, result, &summary, &cells) : NULL;
  if (!status) status = put_summary(session, &summary);
  kn_free(steps);
  kn_free(cells);
  return status;
}
