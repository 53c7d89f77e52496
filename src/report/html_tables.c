#include "report/html_parts.h"

#include <math.h>
#include <string.h>

enum { RUN_COLORS = 7, RUN_SIGNS = 3, PHASE_COLORS = 12, CLASS_METRICS = 3 };

void kn_html_text(kn_text *out, const char *text) {
  for (const char *c = text; c && *c;) {
    size_t plain = strcspn(c, "&<>\"'");
    kn_text_add_bytes(out, c, plain);
    c += plain;
    switch (*c) {
      case '&':
        kn_text_add(out, "&amp;");
        break;
      case '<':
        kn_text_add(out, "&lt;");
        break;
      case '>':
        kn_text_add(out, "&gt;");
        break;
      case '"':
        kn_text_add(out, "&quot;");
        break;
      case '\'':
        kn_text_add(out, "&#39;");
        break;
      default:
        return;
    }
    c++;
  }
}

static void run_color(kn_text *out, size_t run) { kn_text_format(out, "--c:var(--run-%zu)", run % RUN_COLORS); }

/* Where colours come round again the sign is another. */
void kn_html_dot(kn_text *out, size_t run) {
  kn_text_format(out, "<i class=\"dot\" data-sign=\"%zu\" style=\"", run / RUN_COLORS % RUN_SIGNS);
  run_color(out, run);
  kn_text_add(out, "\"></i>");
}

/* ---- headline ---- */

static double largest(const kn_report_model *model, kn_fact fact) {
  double most = 0;
  for (size_t i = 0; i < model->run_count; i++) {
    kn_value value = model->runs[i].facts[fact];
    if (kn_value_known(value)) most = fmax(most, value.value);
  }
  return most;
}

/* A bar from 0 to the value, as long as the column for the largest. */
static void bar(const kn_report_model *model, kn_fact fact, size_t run, kn_text *out) {
  double most = largest(model, fact), value = model->runs[run].facts[fact].value;
  if (!(most > 0)) return;
  kn_text_add(out, "<span class=\"meter\" style=\"");
  run_color(out, run);
  kn_text_format(out, ";--w:%.2f%%\"><b></b></span>", value / most * 100);
}

/* The value as a dot on its interval, on an axis that all runs share. */
static void interval_bar(const kn_report_model *model, kn_fact fact, size_t run, kn_text *out) {
  double low = INFINITY, high = -INFINITY;
  for (size_t i = 0; i < model->run_count; i++) {
    kn_value value = model->runs[i].facts[fact];
    if (!kn_value_known(value)) continue;
    low = fmin(low, kn_value_bounded(value) ? value.low : value.value);
    high = fmax(high, kn_value_bounded(value) ? value.high : value.value);
  }
  double pad = (high - low) * 0.06 + 1e-9, from = low - pad, width = high - low + 2 * pad;
  kn_value value = model->runs[run].facts[fact];
  kn_text_add(out, "<span class=\"meter span\" style=\"");
  run_color(out, run);
  if (kn_value_bounded(value))
    kn_text_format(out, ";--from:%.2f%%;--w:%.2f%%", (value.low - from) / width * 100,
                   (value.high - value.low) / width * 100);
  else
    kn_text_add(out, ";--w:0%");
  kn_text_format(out, ";--at:%.2f%%\"><b></b><i></i></span>", (value.value - from) / width * 100);
}

static void value_cell(kn_fact fact, kn_value value, kn_text *out) {
  char number[KN_NUMBER_SIZE];
  kn_text_format(out, "<span class=\"big\" data-fact=\"%s\">", kn_fact_rows[fact].key);
  kn_html_text(out, kn_value_known(value) ? kn_value_text(fact, value, number) : "\xe2\x80\x93");
  kn_text_add(out, "</span>");
  if (!kn_value_bounded(value)) return;
  kn_text_add(out, "<small class=\"soft\" title=\"95% interval\">");
  kn_html_text(out, kn_value_interval(fact, value, number));
  kn_text_add(out, "</small>");
}

static void size_note(const kn_report_model *model, size_t index, kn_text *out) {
  const kn_run *run = &model->runs[index];
  char number[KN_NUMBER_SIZE];
  if (!isfinite(run->deployed_bytes)) return;
  kn_text_add(out, "<small class=\"soft\">");
  kn_html_text(out, kn_number_text(KN_NUMBER_BYTES, run->deployed_bytes, number));
  if (run->weights_known) {
    kn_text_add(out, " of weights; file ");
    kn_html_text(out, kn_value_text(KN_FACT_FILE_BYTES, run->facts[KN_FACT_FILE_BYTES], number));
  } else if (!run->compiled) {
    kn_text_add(out, ", the whole file");
  }
  kn_text_add(out, "</small>");
}

static void headline_row(const kn_report_model *model, const kn_fact *facts, size_t count, size_t index, kn_text *out) {
  const kn_run *run = &model->runs[index];
  kn_text_add(out, "<tr><th scope=\"row\">");
  kn_html_dot(out, index);
  kn_text_add(out, "\xc2\xa0");
  kn_html_text(out, run->name);
  if (!run->results.complete) kn_text_add(out, "<small class=\"soft\">incomplete</small>");
  if (index == 0) kn_text_add(out, "<small class=\"soft\">reference</small>");
  kn_text_add(out, "</th>");
  for (size_t i = 0; i < count; i++) {
    if (!kn_report_model_knows(model, facts[i])) continue;
    kn_text_format(out, "<td data-run=\"%zu\" data-label=\"%s\">", index, kn_fact_title(facts[i]));
    value_cell(facts[i], run->facts[facts[i]], out);
    if (facts[i] == KN_FACT_SIZE_REDUCTION) size_note(model, index, out);
    if (kn_value_known(run->facts[facts[i]])) {
      if (facts[i] == KN_FACT_ACCURACY)
        interval_bar(model, facts[i], index, out);
      else
        bar(model, facts[i], index, out);
    }
    kn_text_add(out, "</td>");
  }
  kn_text_add(out, "</tr>\n");
}

static void tiles(const kn_report_model *model, kn_text *out) {
  static const kn_fact facts[] = {KN_FACT_ACCURACY,   KN_FACT_TOP_5,        KN_FACT_MEDIAN,    KN_FACT_P99,
                                  KN_FACT_THROUGHPUT, KN_FACT_PROCESS_PEAK, KN_FACT_FILE_BYTES};
  kn_text_add(out, "<dl class=\"tiles\">");
  for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
    if (!kn_value_known(model->runs[0].facts[facts[i]])) continue;
    kn_text_format(out, "<div data-run=\"0\"><dt>%s</dt><dd>", kn_fact_title(facts[i]));
    value_cell(facts[i], model->runs[0].facts[facts[i]], out);
    kn_text_add(out, "</dd></div>");
  }
  kn_text_add(out, "</dl>\n");
}

void kn_html_headline(const kn_report_model *model, kn_text *out) {
  static const kn_fact facts[] = {KN_FACT_SPEED_BOOST, KN_FACT_ACCURACY, KN_FACT_SIZE_REDUCTION, KN_FACT_MEDIAN};
  size_t count = sizeof facts / sizeof *facts;
  if (model->run_count == 1) {
    tiles(model, out);
    return;
  }
  kn_text_add(out, "<div class=\"scroll\"><table class=\"headline\"><thead><tr><th scope=\"col\">Model</th>");
  for (size_t i = 0; i < count; i++)
    if (kn_report_model_knows(model, facts[i]))
      kn_text_format(out, "<th scope=\"col\">%s</th>", kn_fact_title(facts[i]));
  kn_text_add(out, "</tr></thead><tbody>\n");
  for (size_t i = 0; i < model->run_count; i++) headline_row(model, facts, count, i, out);
  kn_text_add(out, "</tbody></table></div>\n");
}

void kn_html_side_by_side(const kn_report_model *model, kn_text *out) {
  kn_text_add(out,
              "<div class=\"scroll\"><table class=\"figures board\"><thead><tr><th scope=\"col\">Side by side</th>");
  for (size_t i = 0; i < KN_SIDE_BY_SIDE; i++)
    if (kn_report_model_knows(model, kn_side_by_side[i]))
      kn_text_format(out, "<th scope=\"col\">%s</th>", kn_fact_title(kn_side_by_side[i]));
  kn_text_add(out, "</tr></thead><tbody>\n");
  for (size_t r = 0; r < model->run_count; r++) {
    kn_text_add(out, "<tr><th scope=\"row\">");
    kn_html_dot(out, r);
    kn_text_add(out, "\xc2\xa0");
    kn_html_text(out, model->runs[r].name);
    kn_text_add(out, "</th>");
    for (size_t i = 0; i < KN_SIDE_BY_SIDE; i++) {
      kn_value value = model->runs[r].facts[kn_side_by_side[i]];
      char number[KN_NUMBER_SIZE];
      if (!kn_report_model_knows(model, kn_side_by_side[i])) continue;
      kn_text_add(out, "<td>");
      kn_html_text(out, kn_value_known(value) ? kn_value_text(kn_side_by_side[i], value, number) : "\xe2\x80\x93");
      if (kn_value_bounded(value)) {
        kn_text_add(out, "<small class=\"soft\">");
        kn_html_text(out, kn_value_interval(kn_side_by_side[i], value, number));
        kn_text_add(out, "</small>");
      }
      kn_text_add(out, "</td>");
    }
    kn_text_add(out, "</tr>\n");
  }
  kn_text_add(out, "</tbody></table></div>\n");
}

/* ---- tables of facts ---- */

static bool knows_any(const kn_run *run, kn_fact_section section) {
  for (kn_fact fact = 0; fact < KN_FACT_COUNT; fact++)
    if (kn_fact_rows[fact].section == section && kn_value_known(run->facts[fact])) return true;
  return false;
}

/* Of the runs that know any fact of the section; section 0: of all. */
static void run_headers(const kn_report_model *model, kn_fact_section section, bool sortable, kn_text *out) {
  for (size_t i = 0; i < model->run_count; i++) {
    if (section && !knows_any(&model->runs[i], section)) continue;
    kn_text_add(out, sortable ? "<th scope=\"col\"><button type=\"button\">" : "<th scope=\"col\">");
    kn_html_dot(out, i);
    kn_text_add(out, "\xc2\xa0");
    kn_html_text(out, model->runs[i].name);
    kn_text_add(out, sortable ? "</button></th>" : "</th>");
  }
}

bool kn_html_facts(const kn_report_model *model, kn_fact_section section, const char *caption, kn_text *out) {
  bool any = false;
  size_t columns = 0;
  for (size_t i = 0; i < model->run_count; i++) columns += knows_any(&model->runs[i], section);
  for (kn_fact fact = 0; fact < KN_FACT_COUNT; fact++) {
    if (kn_fact_rows[fact].section != section || !kn_report_model_knows(model, fact)) continue;
    if (!any) {
      kn_text_format(out, "<div class=\"scroll\"><table class=\"figures%s\">", columns == 1 ? " single" : "");
      if (caption) kn_text_format(out, "<caption>%s</caption>", caption);
      kn_text_add(out, "<thead><tr><th></th>");
      run_headers(model, section, false, out);
      kn_text_add(out, "</tr></thead><tbody>\n");
    }
    any = true;
    kn_text_add(out, "<tr><th scope=\"row\">");
    kn_html_text(out, kn_fact_rows[fact].label);
    kn_text_add(out, "</th>");
    for (size_t i = 0; i < model->run_count; i++) {
      if (!knows_any(&model->runs[i], section)) continue;
      kn_value value = model->runs[i].facts[fact];
      char number[KN_NUMBER_SIZE];
      kn_text_format(out, "<td data-run=\"%zu\" data-fact=\"%s\">", i, kn_fact_rows[fact].key);
      kn_html_text(out, kn_value_known(value) ? kn_value_text(fact, value, number) : "\xe2\x80\x93");
      if (kn_value_bounded(value)) {
        kn_text_add(out, "<small class=\"soft\">");
        kn_html_text(out, kn_value_interval(fact, value, number));
        kn_text_add(out, "</small>");
      }
      kn_text_add(out, "</td>");
    }
    kn_text_add(out, "</tr>\n");
  }
  if (any) kn_text_add(out, "</tbody></table></div>\n");
  return any;
}

/* ---- classes ---- */

static const char *const class_metrics[CLASS_METRICS] = {"Sensitivity", "Precision", "F1"};

static double class_metric(const kn_class_scores *scores, size_t metric) {
  return metric == 0 ? scores->sensitivity : metric == 1 ? scores->precision : scores->f1;
}

static void score_cell(double score, size_t run, kn_text *out) {
  char number[KN_NUMBER_SIZE];
  kn_text_add(out, "<td style=\"");
  run_color(out, run);
  kn_text_format(out, ";--w:%.1f%%\" data-value=\"%.6g\">", score * 100, score);
  kn_html_text(out, kn_number_text(KN_NUMBER_FRACTION, score, number));
  kn_text_add(out, "</td>");
}

static void class_row_head(const kn_run *run, size_t index, double support, kn_text *out) {
  char number[KN_NUMBER_SIZE];
  kn_text_add(out, "<tr><th scope=\"row\">");
  kn_html_text(out, run->class_names[index]);
  kn_text_format(out, "</th><td data-value=\"%.6g\">%s</td>", support,
                 kn_number_text(KN_NUMBER_COUNT, support, number));
}

static void class_table_head(kn_text *out) {
  kn_text_add(out,
              "<div class=\"scroll tall\"><table class=\"classes figures\" data-sortable><thead><tr>"
              "<th scope=\"col\"><button type=\"button\">Class</button></th>"
              "<th scope=\"col\"><button type=\"button\">Samples</button></th>");
}

/* One metric of all runs side by side. */
static void classes_compared(const kn_report_model *model, size_t metric, kn_text *out) {
  const kn_run *first = &model->runs[0];
  kn_text_format(out, "<div class=\"variant\" data-variant=\"%s\"><h4 class=\"variant-name\">%s</h4>",
                 class_metrics[metric], class_metrics[metric]);
  class_table_head(out);
  run_headers(model, 0, true, out);
  kn_text_add(out, "</tr></thead><tbody>\n");
  for (size_t k = 0; k < first->results.classes; k++) {
    class_row_head(first, k, kn_class_scores_of(first->results.confusion, first->results.classes, k).support, out);
    for (size_t i = 0; i < model->run_count; i++) {
      kn_class_scores scores = kn_class_scores_of(model->runs[i].results.confusion, first->results.classes, k);
      score_cell(class_metric(&scores, metric), i, out);
    }
    kn_text_add(out, "</tr>\n");
  }
  kn_text_add(out, "</tbody></table></div></div>\n");
}

/* All metrics of one run. */
static void classes_of_run(const kn_report_model *model, size_t index, kn_text *out) {
  const kn_run *run = &model->runs[index];
  if (!run->results.confusion) return;
  kn_text_add(out, "<div class=\"variant\" data-variant=\"");
  kn_html_text(out, run->name);
  kn_text_add(out, "\"><h4 class=\"variant-name\">");
  kn_html_text(out, run->name);
  kn_text_add(out, "</h4>");
  class_table_head(out);
  for (size_t metric = 0; metric < CLASS_METRICS; metric++)
    kn_text_format(out, "<th scope=\"col\"><button type=\"button\">%s</button></th>", class_metrics[metric]);
  kn_text_add(out, "</tr></thead><tbody>\n");
  for (size_t k = 0; k < run->results.classes; k++) {
    kn_class_scores scores = kn_class_scores_of(run->results.confusion, run->results.classes, k);
    class_row_head(run, k, scores.support, out);
    for (size_t metric = 0; metric < CLASS_METRICS; metric++) score_cell(class_metric(&scores, metric), index, out);
    kn_text_add(out, "</tr>\n");
  }
  kn_text_add(out, "</tbody></table></div></div>\n");
}

void kn_html_classes(const kn_report_model *model, kn_text *out) {
  kn_text_add(out, "<div class=\"variants\" data-label=\"Per-class results\">\n");
  if (model->same_classes && model->run_count > 1)
    for (size_t metric = 0; metric < CLASS_METRICS; metric++) classes_compared(model, metric, out);
  else
    for (size_t i = 0; i < model->run_count; i++) classes_of_run(model, i, out);
  kn_text_add(out, "</div>\n");
}

/* ---- phases ---- */

static double phases_total(const kn_run *run) {
  double total = 0;
  for (size_t i = 0; i < run->phase_count; i++) total += run->phases[i].seconds;
  return total;
}

static void phase_bar(const kn_report_model *model, size_t index, double longest, kn_text *out) {
  const kn_run *run = &model->runs[index];
  char number[KN_NUMBER_SIZE];
  double total = phases_total(run);
  kn_text_format(out, "<div class=\"phase\" data-run=\"%zu\">", index);
  kn_html_dot(out, index);
  kn_text_add(out, " ");
  kn_html_text(out, run->name);
  kn_text_add(out, " <span class=\"soft\">");
  kn_html_text(out, kn_number_text(KN_NUMBER_SECONDS, total, number));
  kn_text_add(out, "</span><div>");
  for (size_t i = 0; longest > 0 && i < run->phase_count; i++) {
    if (!(run->phases[i].seconds > 0)) continue;
    kn_text_format(out, "<b style=\"--c:var(--part-%zu);--w:%.3f%%\" title=\"",
                   kn_report_phase(model, run->phases[i].name) % PHASE_COLORS, run->phases[i].seconds / longest * 100);
    kn_html_text(out, run->phases[i].name);
    kn_text_add(out, ": ");
    kn_html_text(out, kn_number_text(KN_NUMBER_SECONDS, run->phases[i].seconds, number));
    kn_text_add(out, "\"></b>");
  }
  kn_text_add(out, "</div></div>\n");
}

static void phase_table(const kn_report_model *model, kn_text *out) {
  char number[KN_NUMBER_SIZE];
  kn_text_add(out, "<div class=\"scroll\"><table class=\"figures\"><thead><tr><th></th>");
  run_headers(model, 0, false, out);
  kn_text_add(out, "</tr></thead><tbody>\n");
  for (size_t i = 0; i < model->phase_name_count; i++) {
    kn_text_format(out, "<tr><th scope=\"row\"><span class=\"swatch\" style=\"--c:var(--part-%zu)\"></span>",
                   i % PHASE_COLORS);
    kn_html_text(out, model->phase_names[i]);
    kn_text_add(out, "</th>");
    for (size_t r = 0; r < model->run_count; r++) {
      const kn_run *run = &model->runs[r];
      const char *text = "\xe2\x80\x93";
      for (size_t k = 0; k < run->phase_count; k++)
        if (strcmp(run->phases[k].name, model->phase_names[i]) == 0)
          text = kn_number_text(KN_NUMBER_SECONDS, run->phases[k].seconds, number);
      kn_text_format(out, "<td data-run=\"%zu\" data-phase>", r);
      kn_html_text(out, text);
      kn_text_add(out, "</td>");
    }
    kn_text_add(out, "</tr>\n");
  }
  kn_text_add(out, "</tbody></table></div>\n");
}

void kn_html_phases(const kn_report_model *model, kn_text *out) {
  double longest = 0;
  for (size_t i = 0; i < model->run_count; i++) longest = fmax(longest, phases_total(&model->runs[i]));
  for (size_t i = 0; i < model->run_count; i++)
    if (model->runs[i].phase_count) phase_bar(model, i, longest, out);
  phase_table(model, out);
}
