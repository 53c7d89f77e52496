#include "report/html.h"

#include "report/findings.h"
#include "report/html_parts.h"
#include "report/page_assets.h"

#include <stdio.h>
#include <string.h>

enum { MANY_RUNS = 5 }; /* more than that are not read one by one */

/* ---- head ---- */

/* Nothing is fetched and no script runs but the page's own, whatever a measurement file holds. */
static void head(const kn_report_model *model, kn_text *out) {
  kn_text_add(out,
              "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
              "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
              "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
              "img-src data:; base-uri 'none'; form-action 'none'; script-src '");
  kn_text_add(out, kn_page_script_digest);
  kn_text_add(out, "'\">\n<meta name=\"generator\" content=\"kenning " KENNING_VERSION
                   "\">\n<link rel=\"icon\" href=\"data:,\">\n<title>");
  kn_html_text(out, model->name);
  kn_text_add(out, "</title>\n<style>\n");
  kn_text_add(out, kn_page_style);
  kn_text_add(out, "</style>\n</head>\n<body>\n");
}

static void about_part(const char *text, bool *first, kn_text *out) {
  if (!text || !*text) return;
  if (!*first) kn_text_add(out, " \xc2\xb7 ");
  *first = false;
  kn_html_text(out, text);
}

/* "2026-11-22T20:53:12Z" as "2026-11-22 20:53 UTC"; other dates as they are. */
static void about_date(const char *date, bool *first, kn_text *out) {
  static const char pattern[] = "0000-00-00T00:00:00Z";
  bool known = date && strlen(date) == sizeof pattern - 1;
  for (size_t i = 0; known && date[i]; i++)
    known = pattern[i] == '0' ? date[i] >= '0' && date[i] <= '9' : date[i] == pattern[i];
  char text[32];
  if (known) snprintf(text, sizeof text, "%.10s %.5s UTC", date, date + 11);
  about_part(known ? text : date, first, out);
}

/* Data, machine and date of the first run: the table of provenance says where others differ. */
static void about(const kn_report_model *model, kn_text *out) {
  const kn_run *run = &model->runs[0];
  bool first = true;
  char number[KN_NUMBER_SIZE];
  kn_text_add(out, "<p class=\"about\">");
  const char *dataset = kn_run_string(run, "run", "dataset"), *dot = dataset ? strrchr(dataset, '.') : NULL;
  about_part(dot ? dot + 1 : dataset, &first, out);
  if (kn_value_known(run->facts[KN_FACT_SAMPLES])) {
    const char *split = kn_run_string(run, "run", "split");
    kn_text text = {0};
    kn_text_format(&text, "%s samples", kn_value_text(KN_FACT_SAMPLES, run->facts[KN_FACT_SAMPLES], number));
    if (split) kn_text_format(&text, " of the %s split", split);
    about_part(text.data, &first, out);
    kn_text_clear(&text);
  }
  about_part(kn_run_string(run, "environment", "cpu_model"), &first, out);
  about_date(run->results.date, &first, out);
  kn_text_add(out, "</p>\n");
}

typedef struct kn_page_section {
  const char *id, *name;
  bool shown;
} kn_page_section;

enum {
  SECTION_SUMMARY,
  SECTION_TIME,
  SECTION_QUALITY,
  SECTION_RESOURCES,
  SECTION_PHASES,
  SECTION_PROVENANCE,
  SECTIONS
};

static void choose_sections(const kn_report_model *model, kn_page_section sections[SECTIONS]) {
  bool performance = model->types & KN_REPORT_PERFORMANCE, quality = model->types & KN_REPORT_CLASSIFICATION;
  bool resources =
      kn_report_model_knows(model, KN_FACT_CPU_MEAN) || kn_report_model_knows(model, KN_FACT_MEMORY_MEAN) ||
      kn_report_model_knows(model, KN_FACT_PROCESS_MEMORY) || kn_report_model_knows(model, KN_FACT_PROCESS_PEAK);
  sections[SECTION_SUMMARY] = (kn_page_section){"summary", "Summary", true};
  sections[SECTION_TIME] = (kn_page_section){"time", "Inference time", performance};
  sections[SECTION_QUALITY] = (kn_page_section){"quality", "Quality", quality};
  sections[SECTION_RESOURCES] = (kn_page_section){"resources", "Memory and CPU", performance && resources};
  sections[SECTION_PHASES] = (kn_page_section){"phases", "Where the time went", performance && model->phase_name_count};
  sections[SECTION_PROVENANCE] = (kn_page_section){"provenance", "Provenance", true};
}

static void top(const kn_report_model *model, const kn_page_section *sections, kn_text *out) {
  kn_text_add(
      out,
      "<header class=\"top\"><div class=\"eyebrow\"><span>Kenning report</span>"
      "<button type=\"button\" class=\"theme\" id=\"theme\" hidden aria-label=\"Switch between light and dark\">"
      "<svg viewBox=\"0 0 24 24\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"2\" aria-hidden=\"true\">"
      "<circle cx=\"12\" cy=\"12\" r=\"9\"/><path d=\"M12 3a9 9 0 0 0 0 18z\" "
      "fill=\"currentColor\"/></svg></button></div>\n<h1>");
  kn_html_text(out, model->name);
  kn_text_add(out, "</h1>\n");
  about(model, out);
  kn_text_add(out, "</header>\n<div class=\"bar\"><div><nav aria-label=\"Sections\">");
  for (size_t i = 0; i < SECTIONS; i++)
    if (sections[i].shown) kn_text_format(out, "<a href=\"#%s\">%s</a>", sections[i].id, sections[i].name);
  kn_text_add(out, "</nav><div class=\"runs\" id=\"runs\" role=\"group\" aria-label=\"Show or hide models\">");
  for (size_t i = 0; model->run_count > 1 && i < model->run_count; i++) {
    kn_text_format(out, "<button type=\"button\" class=\"run-toggle\" aria-pressed=\"true\" data-run=\"%zu\">", i);
    kn_html_dot(out, i);
    kn_html_text(out, model->runs[i].name);
    kn_text_add(out, "</button>");
  }
  kn_text_add(out,
              "</div></div></div>\n<main>\n<noscript><p class=\"warning\">The plots need JavaScript; every figure "
              "stands in the tables.</p></noscript>\n");
}

/* ---- sections ---- */

static void open_section(const kn_page_section *section, kn_text *out) {
  kn_text_format(out, "<section id=\"%s\">\n<h2>%s</h2>\n", section->id, section->name);
}

static void chart(const char *kind, const char *caption, kn_text *out) {
  kn_text_format(out, "<figure class=\"chart\" data-chart=\"%s\"><figcaption>%s</figcaption></figure>\n", kind,
                 caption);
}

static void put_findings(const kn_findings *findings, kn_finding_kind kind, kn_text *out) {
  size_t written = 0;
  for (size_t i = 0; i < findings->count; i++) {
    if (findings->items[i].kind != kind) continue;
    if (kind == KN_FINDING_WARNING) {
      kn_text_add(out, "<p class=\"warning\">");
      kn_html_text(out, findings->items[i].text);
      kn_text_add(out, "</p>\n");
      continue;
    }
    if (!written++)
      kn_text_add(out, kind == KN_FINDING_RESULT ? "<ul class=\"findings\">\n" : "<ul class=\"notes\">\n");
    kn_text_add(out, "<li>");
    if (kind == KN_FINDING_RESULT) kn_html_dot(out, findings->items[i].run);
    kn_html_text(out, findings->items[i].text);
    kn_text_add(out, "</li>\n");
  }
  if (written) kn_text_add(out, "</ul>\n");
}

static kn_status summary(const kn_report_model *model, kn_text *out) {
  kn_findings findings;
  KN_TRY(kn_findings_of(model, &findings));
  kn_text_add(out, "<section id=\"summary\" aria-label=\"Summary\">\n");
  put_findings(&findings, KN_FINDING_WARNING, out);
  kn_html_headline(model, out);
  if (model->run_count > 1) kn_html_side_by_side(model, out);
  bool many = model->run_count > MANY_RUNS;
  if (many) kn_text_add(out, "<details><summary>Each model in words</summary><div>\n");
  put_findings(&findings, KN_FINDING_RESULT, out);
  if (many) kn_text_add(out, "</div></details>\n");
  put_findings(&findings, KN_FINDING_NOTE, out);
  if (model->run_count > 1 && kn_report_model_knows(model, KN_FACT_ACCURACY) &&
      kn_report_model_knows(model, KN_FACT_MEDIAN)) {
    kn_text_add(out, "<h3>Accuracy and speed</h3>\n");
    chart("tradeoff",
          "Accuracy with its 95% interval over the median inference time per sample. The area of a circle is the size "
          "of the "
          "model. Up and to the left is better.",
          out);
  }
  kn_findings_clear(&findings);
  kn_text_add(out, "</section>\n");
  return NULL;
}

static void time_section(const kn_report_model *model, const kn_page_section *section, kn_text *out) {
  open_section(section, out);
  if (kn_report_model_knows(model, KN_FACT_MEDIAN))
    chart("time",
          "The time of the engine\xe2\x80\x99s invoke and nothing else; warm-up is left out. Lines are medians of "
          "consecutive "
          "inferences, dots are single ones. Drag to zoom, double-click to see all again.",
          out);
  if (!kn_html_facts(model, KN_FACTS_TIME, NULL, out))
    kn_text_add(out, "<p>The measurement files hold no inference times.</p>\n");
  for (size_t i = 0; i < model->run_count; i++) {
    const char *key = model->runs[i].results.step_key;
    if (!key || strcmp(key, "protocol_inference_step") != 0) continue;
    kn_text_add(out, "<p class=\"soft\">The times of ");
    kn_html_text(out, model->runs[i].name);
    kn_text_add(out, " were taken on the host, around the request to the target.</p>\n");
  }
  kn_text_add(out, "</section>\n");
}

static void quality_section(const kn_report_model *model, const kn_page_section *section, kn_text *out) {
  open_section(section, out);
  if (!kn_report_model_knows(model, KN_FACT_ACCURACY)) {
    kn_text_add(out, "<p>The measurement files hold no confusion matrix.</p>\n</section>\n");
    return;
  }
  kn_text_add(out, "<div class=\"beside\"><div><h3>All classes</h3>\n");
  kn_html_facts(model, KN_FACTS_QUALITY, NULL, out);
  kn_text_add(out, "</div>");
  if (kn_report_model_knows(model, KN_FACT_AGREEMENT)) {
    kn_text_add(out, "<div><h3>Sample by sample against ");
    kn_html_text(out, model->runs[0].name);
    kn_text_add(out, "</h3>\n");
    kn_html_facts(model, KN_FACTS_PAIRED, NULL, out);
    kn_text_add(out, "</div>");
  }
  kn_text_add(out, "</div>\n");
  bool single = model->run_count == 1; /* then the matrix leaves room for the table beside it */
  kn_text_add(out, single ? "<div class=\"pair\"><div><h3>Confusion matrix</h3>\n" : "<h3>Confusion matrices</h3>\n");
  chart("matrices", "Rows are true classes, columns predicted ones.", out);
  kn_text_add(out, single ? "</div><div><h3>Classes</h3>\n" : "<h3>Classes</h3>\n");
  kn_html_classes(model, out);
  if (single) kn_text_add(out, "</div></div>\n");
  kn_text_add(out, "</section>\n");
}

static void resources_section(const kn_report_model *model, const kn_page_section *section, kn_text *out) {
  open_section(section, out);
  kn_text_add(out, "<h3>Memory</h3>\n");
  chart("memory", "Over the time since measuring began.", out);
  kn_html_facts(model, KN_FACTS_MEMORY, NULL, out);
  kn_text_add(out, "<h3>CPU</h3>\n");
  chart("cpu", "Over the time since measuring began.", out);
  kn_html_facts(model, KN_FACTS_CPU, "Of the machine: the mean of all cores.", out);
  kn_text_add(out, "</section>\n");
}

static void phases_section(const kn_report_model *model, const kn_page_section *section, kn_text *out) {
  open_section(section, out);
  kn_html_phases(model, out);
  for (size_t i = 0; i < model->run_count; i++) {
    if (!model->runs[i].phases_summed) continue;
    kn_text_add(out, "<p class=\"soft\">The file of ");
    kn_html_text(out, model->runs[i].name);
    kn_text_add(out, " has no phases: these are the sums of the spans that it marks.</p>\n");
  }
  kn_text_add(out, "</section>\n");
}

static kn_status provenance_section(const kn_report_model *model, const kn_page_section *section, const char *command,
                                    kn_text *out) {
  open_section(section, out);
  kn_html_facts(model, KN_FACTS_SIZE, "Size of the model", out);
  KN_TRY(kn_html_provenance(model, command, out));
  kn_text_add(out, "</section>\n");
  return NULL;
}

/* How the figures are made: each with its source. */
static void foot(kn_text *out) {
  kn_text_add(
      out,
      "</main>\n<footer><details class=\"methods\"><summary>How the figures are made</summary><div><dl>"
      "<dt>Speed boost</dt><dd>Quotient of the median inference times per sample, first model over this one. The "
      "interval is "
      "the 2.5th to 97.5th percentile of 10,000 bootstrap resamples of both medians (Efron 1979).</dd>"
      "<dt>Accuracy</dt><dd>Correct predictions over all, with the score interval of a proportion (Wilson 1927).</dd>"
      "<dt>Size reduction</dt><dd>Bytes of the first model over the bytes of this one. A model in its own framework "
      "counts "
      "with its weights alone where their size is known, a compiled one with its whole file.</dd>"
      "<dt>Precision, sensitivity, F1, G-mean</dt><dd>Of a class: correct over predicted, correct over true, their "
      "harmonic "
      "mean. The means are over classes, all alike; the G-mean is the geometric mean of the sensitivities.</dd>"
      "<dt>Largest output difference</dt><dd>max |this \xe2\x88\x92 reference| / max |reference| over the outputs that "
      "both "
      "files hold; not computed where the reference\xe2\x80\x99s outputs differ between samples by less than 0.1 % of "
      "the "
      "largest.</dd>"
      "<dt>McNemar test</dt><dd>Two-sided mid-p value of the samples that only one of the two models has right "
      "(Fagerland, "
      "Lydersen, Laake 2013): the probability of such a difference when both are equally good.</dd>"
      "<dt>Percentiles</dt><dd>By linear interpolation between neighbours (definition 7 of Hyndman and Fan 1996). The "
      "standard "
      "deviation is that of the population.</dd></dl></div></details>\n"
      "<p>Made by kenning " KENNING_VERSION ". This page is one file and fetches nothing.</p></footer>\n");
}

kn_status kn_html_write(const kn_report_model *model, const char *command, kn_text *out) {
  kn_page_section sections[SECTIONS];
  choose_sections(model, sections);
  head(model, out);
  top(model, sections, out);
  KN_TRY(summary(model, out));
  if (sections[SECTION_TIME].shown) time_section(model, &sections[SECTION_TIME], out);
  if (sections[SECTION_QUALITY].shown) quality_section(model, &sections[SECTION_QUALITY], out);
  if (sections[SECTION_RESOURCES].shown) resources_section(model, &sections[SECTION_RESOURCES], out);
  if (sections[SECTION_PHASES].shown) phases_section(model, &sections[SECTION_PHASES], out);
  KN_TRY(provenance_section(model, &sections[SECTION_PROVENANCE], command, out));
  foot(out);
  kn_text_add(out, "<script type=\"application/json\" id=\"kenning-data\">");
  KN_TRY(kn_html_chart_data(model, out));
  kn_text_add(out, "</script>\n<script>");
  kn_text_add(out, kn_page_script);
  kn_text_add(out, "</script>\n</body>\n</html>\n");
  return kn_text_status(out);
}
