#include "core/number.h"
#include "core/record_json.h"
#include "report/html_parts.h"
#include "report/series.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { RAW_POINTS = 3000, TREND_POINTS = 300, USAGE_POINTS = 2000, DISTRIBUTION_BINS = 160 };

/* A JSON document under construction; the first failure, always of memory, is kept. */
typedef struct kn_chart_json {
  yyjson_mut_doc *doc;
  bool failed;
} kn_chart_json;

static yyjson_mut_val *check(kn_chart_json *json, yyjson_mut_val *value) {
  if (!value) json->failed = true;
  return value;
}

/* Five significant digits: more than a plot shows, and half the size. */
static yyjson_mut_val *number(kn_chart_json *json, double value) {
  char digits[32];
  if (!isfinite(value)) return check(json, yyjson_mut_null(json->doc));
  kn_number_print(digits, sizeof digits, "%.5g", value);
  double rounded = kn_number_read(digits, NULL);
  if (rounded == floor(rounded) && fabs(rounded) < 1e15)
    return check(json, yyjson_mut_sint(json->doc, (int64_t)rounded));
  return check(json, yyjson_mut_real(json->doc, rounded));
}

/* A count, as it is. */
static yyjson_mut_val *exact(kn_chart_json *json, double value) {
  if (value == floor(value) && value < 1e15) return check(json, yyjson_mut_sint(json->doc, (int64_t)value));
  return check(json, yyjson_mut_real(json->doc, value));
}

static yyjson_mut_val *object(kn_chart_json *json) { return check(json, yyjson_mut_obj(json->doc)); }
static yyjson_mut_val *array(kn_chart_json *json) { return check(json, yyjson_mut_arr(json->doc)); }

static void put(kn_chart_json *json, yyjson_mut_val *into, const char *key, yyjson_mut_val *value) {
  if (!json->failed && !yyjson_mut_obj_add_val(json->doc, into, key, value)) json->failed = true;
}

static void append(kn_chart_json *json, yyjson_mut_val *list, yyjson_mut_val *value) {
  if (!json->failed && !yyjson_mut_arr_append(list, value)) json->failed = true;
}

static yyjson_mut_val *numbers(kn_chart_json *json, const double *values, size_t count) {
  yyjson_mut_val *list = array(json);
  for (size_t i = 0; i < count && !json->failed; i++) append(json, list, number(json, values[i]));
  return list;
}

static yyjson_mut_val *strings(kn_chart_json *json, char *const *values, size_t count) {
  yyjson_mut_val *list = array(json);
  for (size_t i = 0; i < count && !json->failed; i++)
    append(json, list, check(json, yyjson_mut_str(json->doc, values[i])));
  return list;
}

/* {"x": [...], "y": [...]}, or null for no points; takes the points. */
static yyjson_mut_val *line(kn_chart_json *json, kn_points points) {
  yyjson_mut_val *value = points.count ? object(json) : check(json, yyjson_mut_null(json->doc));
  if (points.count) {
    put(json, value, "x", numbers(json, points.x, points.count));
    put(json, value, "y", numbers(json, points.y, points.count));
  }
  kn_points_clear(&points);
  return value;
}

/* ---- the parts ---- */

static kn_status put_times(const kn_report_model *model, kn_chart_json *json, yyjson_mut_val *root) {
  yyjson_mut_val *raw = array(json), *trend = array(json);
  for (size_t i = 0; i < model->run_count; i++) {
    kn_points points;
    KN_TRY(kn_points_steps(&model->runs[i], &points));
    kn_points_thin(&points, RAW_POINTS);
    append(json, raw, line(json, points));
    KN_TRY(kn_points_trend(&model->runs[i], TREND_POINTS, &points));
    append(json, trend, line(json, points));
  }
  put(json, root, "times", raw);
  put(json, root, "trends", trend);
  return NULL;
}

static kn_status put_distribution(const kn_report_model *model, kn_chart_json *json, yyjson_mut_val *root) {
  kn_distribution distribution;
  KN_TRY(kn_distribution_of(model, DISTRIBUTION_BINS, &distribution));
  if (distribution.bins) {
    yyjson_mut_val *value = object(json), *shares = array(json), *cumulative = array(json);
    size_t bins = distribution.bins;
    for (size_t i = 0; i < model->run_count; i++) {
      bool any = model->runs[i].sorted_count > 0;
      append(json, shares, numbers(json, distribution.shares + i * bins, any ? bins : 0));
      append(json, cumulative, numbers(json, distribution.cumulative + i * (bins + 1), any ? bins + 1 : 0));
    }
    put(json, value, "edges", numbers(json, distribution.edges, bins + 1));
    put(json, value, "shares", shares);
    put(json, value, "cumulative", cumulative);
    put(json, root, "distribution", value);
  }
  kn_distribution_clear(&distribution);
  return NULL;
}

static kn_status put_usage(const kn_report_model *model, kn_chart_json *json, yyjson_mut_val *root, const char *key,
                           kn_usage usage) {
  yyjson_mut_val *list = array(json);
  bool any = false;
  for (size_t i = 0; i < model->run_count; i++) {
    kn_points points;
    KN_TRY(kn_points_usage(&model->runs[i], usage, &points));
    kn_points_thin(&points, USAGE_POINTS);
    any = any || points.count;
    append(json, list, line(json, points));
  }
  if (any) put(json, root, key, list);
  return NULL;
}

/* Rows as [column, count, column, count, ...] of the cells that are not 0: large matrices are mostly empty. */
static yyjson_mut_val *matrix(kn_chart_json *json, const kn_run *run) {
  yyjson_mut_val *rows = array(json);
  size_t classes = run->results.classes;
  for (size_t row = 0; row < classes && !json->failed; row++) {
    yyjson_mut_val *cells = array(json);
    for (size_t column = 0; column < classes && !json->failed; column++) {
      double count = run->results.confusion[row * classes + column];
      if (!(count > 0)) continue;
      append(json, cells, exact(json, (double)column));
      append(json, cells, exact(json, count));
    }
    append(json, rows, cells);
  }
  return rows;
}

static void put_matrices(const kn_report_model *model, kn_chart_json *json, yyjson_mut_val *root) {
  yyjson_mut_val *list = array(json);
  for (size_t i = 0; i < model->run_count; i++) {
    const kn_run *run = &model->runs[i];
    if (!run->results.confusion) {
      append(json, list, check(json, yyjson_mut_null(json->doc)));
      continue;
    }
    yyjson_mut_val *value = object(json);
    put(json, value, "rows", matrix(json, run));
    if (i == 0 || !model->same_classes)
      put(json, value, "classes", strings(json, run->class_names, run->results.classes));
    append(json, list, value);
  }
  put(json, root, "matrices", list);
  put(json, root, "sameClasses", check(json, yyjson_mut_bool(json->doc, model->same_classes)));
}

static void put_tradeoff(const kn_report_model *model, kn_chart_json *json, yyjson_mut_val *root) {
  yyjson_mut_val *list = array(json);
  for (size_t i = 0; i < model->run_count; i++) {
    const kn_run *run = &model->runs[i];
    yyjson_mut_val *value = object(json);
    put(json, value, "time", number(json, run->facts[KN_FACT_MEDIAN].value / run->batch));
    put(json, value, "accuracy", number(json, run->facts[KN_FACT_ACCURACY].value));
    put(json, value, "low", number(json, run->facts[KN_FACT_ACCURACY].low));
    put(json, value, "high", number(json, run->facts[KN_FACT_ACCURACY].high));
    put(json, value, "bytes", number(json, run->deployed_bytes));
    append(json, list, value);
  }
  put(json, root, "tradeoff", list);
}

static kn_status fill(const kn_report_model *model, kn_chart_json *json, yyjson_mut_val *root) {
  yyjson_mut_val *names = array(json);
  for (size_t i = 0; i < model->run_count; i++)
    append(json, names, check(json, yyjson_mut_str(json->doc, model->runs[i].name)));
  put(json, root, "runs", names);
  if (model->types & KN_REPORT_PERFORMANCE) {
    KN_TRY(put_times(model, json, root));
    KN_TRY(put_distribution(model, json, root));
    KN_TRY(put_usage(model, json, root, "cpu", KN_USAGE_CPU));
    KN_TRY(put_usage(model, json, root, "processCpu", KN_USAGE_PROCESS_CPU));
    KN_TRY(put_usage(model, json, root, "memory", KN_USAGE_MEMORY));
    KN_TRY(put_usage(model, json, root, "processMemory", KN_USAGE_PROCESS_MEMORY));
  }
  if (model->types & KN_REPORT_CLASSIFICATION) put_matrices(model, json, root);
  put_tradeoff(model, json, root);
  return json->failed ? kn_status_out_of_memory() : NULL;
}

/* In JSON '<', '>' and '&' stand in strings only, where their escapes mean the same: no string ends the element. */
static void add_safely(const char *text, size_t length, kn_text *out) {
  size_t from = 0;
  for (size_t i = 0; i < length; i++) {
    if (text[i] != '<' && text[i] != '>' && text[i] != '&') continue;
    kn_text_add_bytes(out, text + from, i - from);
    kn_text_format(out, "\\u%04x", (unsigned)text[i]);
    from = i + 1;
  }
  kn_text_add_bytes(out, text + from, length - from);
}

kn_status kn_html_chart_data(const kn_report_model *model, kn_text *out) {
  kn_chart_json json = {.doc = yyjson_mut_doc_new(&kn_json_allocator)};
  if (!json.doc) return kn_status_out_of_memory();
  yyjson_mut_val *root = object(&json);
  yyjson_mut_doc_set_root(json.doc, root);
  kn_status status = fill(model, &json, root);
  if (!status) {
    size_t length;
    yyjson_write_err error;
    char *text = yyjson_mut_write_opts(json.doc, YYJSON_WRITE_NOFLAG, &kn_json_allocator, &length, &error);
    if (text) add_safely(text, length, out);
    if (!text)
      status = error.code == YYJSON_WRITE_ERROR_MEMORY_ALLOCATION
                   ? kn_status_out_of_memory()
                   : kn_status_make(KN_INTERNAL, "the data of the plots cannot be written: %s", error.msg);
    if (text) kn_json_allocator.free(kn_json_allocator.ctx, text);
  }
  yyjson_mut_doc_free(json.doc);
  return status;
}
