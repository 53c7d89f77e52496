#include "measurements/timeline.h"

#include "core/record_json.h"

#include <stdio.h>

/* Divided, not multiplied: the quotient is the double nearest to the decimal fraction and prints as such. */
static double seconds(int64_t ns) { return (double)ns / 1e9; }

static bool add_tag(yyjson_mut_doc *doc, yyjson_mut_val *tags, const char *name, int64_t start, int64_t end) {
  yyjson_mut_val *tag = yyjson_mut_arr_add_obj(doc, tags);
  return tag && yyjson_mut_obj_add_str(doc, tag, "name", name) &&
         yyjson_mut_obj_add_real(doc, tag, "start", seconds(start)) &&
         yyjson_mut_obj_add_real(doc, tag, "end", seconds(end));
}

static kn_status put_tags(const kn_inference_times *times, size_t count, kn_record *record) {
  yyjson_mut_doc *doc = kn_record_document(record);
  yyjson_mut_val *tags = yyjson_mut_arr(doc);
  if (!tags) return kn_status_out_of_memory();
  for (size_t i = 0; i < count; i++) {
    const kn_inference_times *t = &times[i];
    if (!add_tag(doc, tags, "preprocessing", t->load_start, t->load_end) ||
        !add_tag(doc, tags, "inference", t->run_start, t->run_end) ||
        !add_tag(doc, tags, "postprocessing", t->run_end, t->output_end))
      return kn_status_out_of_memory();
  }
  return kn_record_set_value(record, "tags", tags);
}

typedef enum kn_step { STEP_LOAD, STEP_RUN, STEP_OUTPUT } kn_step;

static void step_span(const kn_inference_times *t, kn_step step, int64_t *out_start, int64_t *out_end) {
  *out_start = step == STEP_LOAD ? t->load_start : step == STEP_RUN ? t->run_start : t->run_end;
  *out_end = step == STEP_LOAD ? t->load_end : step == STEP_RUN ? t->run_end : t->output_end;
}

static kn_status put_step(const kn_inference_times *times, size_t count, kn_step step, const char *key,
                          kn_record *record) {
  yyjson_mut_doc *doc = kn_record_document(record);
  yyjson_mut_val *durations = yyjson_mut_arr(doc), *ends = yyjson_mut_arr(doc);
  if (!durations || !ends) return kn_status_out_of_memory();
  for (size_t i = 0; i < count; i++) {
    int64_t start, end;
    step_span(&times[i], step, &start, &end);
    if (!yyjson_mut_arr_add_real(doc, durations, seconds(end - start)) ||
        !yyjson_mut_arr_add_real(doc, ends, seconds(end)))
      return kn_status_out_of_memory();
  }
  char timestamp[128];
  snprintf(timestamp, sizeof timestamp, "%s_timestamp", key);
  KN_TRY(kn_record_set_value(record, key, durations));
  return kn_record_set_value(record, timestamp, ends);
}

kn_status kn_timeline_put(const kn_inference_times *times, size_t count, const char *step, kn_record *record) {
  KN_TRY(put_tags(times, count, record));
  KN_TRY(put_step(times, count, STEP_RUN, step, record));
  KN_TRY(put_step(times, count, STEP_LOAD, "input_preprocess_step", record));
  return put_step(times, count, STEP_OUTPUT, "output_postprocess_step", record);
}

kn_status kn_timeline_steps(const kn_inference_times *times, size_t count, double **out_steps) {
  *out_steps = kn_alloc_array(count, sizeof **out_steps);
  if (!*out_steps) return kn_status_out_of_memory();
  for (size_t i = 0; i < count; i++) (*out_steps)[i] = seconds(times[i].run_end - times[i].run_start);
  return NULL;
}
