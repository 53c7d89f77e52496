#include "report/outline.h"

#include "report/findings.h"
#include "report/provenance.h"

#include <string.h>

typedef struct kn_outline {
  const kn_report_model *model;
  const kn_figures *figures;
  const kn_provenance *provenance;
  const kn_markup *markup;
  kn_text *out;
} kn_outline;

static void headed(const kn_outline *outline, kn_heading level, const char *text, const char *name) {
  kn_text heading = {0};
  kn_text_format(&heading, "%s%s%s", text, name ? " " : "", name ? name : "");
  if (heading.failure)
    outline->out->failure = heading.failure;
  else
    outline->markup->heading(outline->out, level, heading.data);
  kn_text_clear(&heading);
}

static void put_figure(const kn_outline *outline, kn_figure_kind kind, size_t run) {
  const kn_figure *figure = kn_figures_find(outline->figures, kind, run);
  if (figure) outline->markup->figure(outline->out, &(kn_markup_figure){figure->image, figure->label, figure->caption});
}

/* The facts of a section that the run knows; their number. */
static size_t put_facts(const kn_outline *outline, const kn_run *run, kn_fact_section section) {
  size_t count = 0;
  char sentence[KN_VALUE_SIZE];
  for (kn_fact fact = 0; fact < KN_FACT_COUNT; fact++) {
    if (kn_fact_rows[fact].section != section || !kn_value_known(run->facts[fact])) continue;
    outline->markup->item(outline->out, kn_fact_rows[fact].label, kn_value_sentence(fact, run->facts[fact], sentence));
    count++;
  }
  if (count) outline->markup->end_items(outline->out);
  return count;
}

/* A table of runs and facts; facts that no run knows are left out, and so are tables without any. */
static kn_status put_fact_table(const kn_outline *outline, const kn_fact *facts, size_t fact_count) {
  const kn_report_model *model = outline->model;
  size_t columns = 1, rows = model->run_count + 1;
  for (size_t i = 0; i < fact_count; i++) columns += kn_report_model_knows(model, facts[i]);
  if (columns == 1) return NULL;
  const char **cells = kn_alloc_array(rows * columns, sizeof *cells);
  char(*texts)[KN_VALUE_SIZE] = kn_alloc_array(rows * columns, sizeof *texts);
  if (cells && texts) {
    cells[0] = "Model";
    for (size_t r = 0; r < model->run_count; r++) cells[(r + 1) * columns] = model->runs[r].name;
    size_t column = 0;
    for (size_t i = 0; i < fact_count; i++) {
      if (!kn_report_model_knows(model, facts[i])) continue;
      column++;
      cells[column] = kn_fact_title(facts[i]);
      for (size_t r = 0; r < model->run_count; r++) {
        size_t at = (r + 1) * columns + column;
        cells[at] = kn_value_known(model->runs[r].facts[facts[i]])
                        ? kn_value_sentence(facts[i], model->runs[r].facts[facts[i]], texts[at])
                        : "\xe2\x80\x93";
      }
    }
    outline->markup->table(outline->out, cells, rows, columns);
  }
  kn_status status = cells && texts ? NULL : kn_status_out_of_memory();
  kn_free(cells);
  kn_free(texts);
  return status;
}

/* ---- front ---- */

static void put_findings(const kn_outline *outline, const kn_findings *findings, kn_finding_kind kind) {
  for (size_t i = 0; i < findings->count; i++) {
    if (findings->items[i].kind != kind) continue;
    if (kind == KN_FINDING_RESULT)
      outline->markup->paragraph(outline->out, findings->items[i].text);
    else
      outline->markup->note(outline->out, kind == KN_FINDING_WARNING, findings->items[i].text);
  }
}

static kn_status put_summary(const kn_outline *outline) {
  static const kn_fact seeds_table[] = {KN_FACT_SPEED_BOOST, KN_FACT_ACCURACY, KN_FACT_SIZE_REDUCTION};
  static const kn_fact sizes[] = {KN_FACT_FILE_BYTES, KN_FACT_WEIGHTS_BYTES, KN_FACT_OTHER_BYTES};
  static const kn_fact paired[] = {KN_FACT_ACCURACY_CHANGE,  KN_FACT_AGREEMENT,      KN_FACT_OUTPUT_DIFFERENCE,
                                   KN_FACT_OUTPUTS_COMPARED, KN_FACT_ONLY_REFERENCE, KN_FACT_ONLY_THIS,
                                   KN_FACT_P_VALUE};
  kn_findings findings;
  KN_TRY(kn_findings_of(outline->model, &findings));
  put_findings(outline, &findings, KN_FINDING_WARNING);
  kn_status status = NULL;
  if (outline->model->run_count > 1) {
    outline->markup->heading(outline->out, KN_HEADING_FRONT, "Summary");
    status = put_fact_table(outline, seeds_table, sizeof seeds_table / sizeof *seeds_table);
    if (!status) status = put_fact_table(outline, kn_side_by_side, KN_SIDE_BY_SIDE);
    put_findings(outline, &findings, KN_FINDING_RESULT);
    if (!status) status = put_fact_table(outline, sizes, sizeof sizes / sizeof *sizes);
    if (!status && kn_report_model_knows(outline->model, KN_FACT_ACCURACY_CHANGE))
      status = put_fact_table(outline, paired, sizeof paired / sizeof *paired);
  }
  put_findings(outline, &findings, KN_FINDING_NOTE);
  kn_findings_clear(&findings);
  return status;
}

/* The Bash lexer of Sphinx warns about what it cannot take apart: only plain commands are called Bash. */
static void put_command(const kn_outline *outline, const char *command) {
  outline->markup->code(outline->out, strpbrk(command, "'\"`$<>(){}&;|!*?[]#~") ? "text" : "bash", command);
}

static kn_status put_commands(const kn_outline *outline, const char *command) {
  bool any = command != NULL;
  for (size_t i = 0; i < outline->model->run_count; i++) any = any || outline->model->runs[i].results.command_count;
  if (!any) return NULL;
  outline->markup->heading(outline->out, KN_HEADING_FRONT, "Commands");
  outline->markup->paragraph(outline->out, "The figures of this report come from:");
  for (size_t i = 0; i < outline->model->run_count; i++) {
    char *text;
    KN_TRY(kn_run_command(&outline->model->runs[i], &text));
    if (text) put_command(outline, text);
    kn_free(text);
  }
  if (command) {
    outline->markup->paragraph(outline->out, "The report itself was rendered by:");
    put_command(outline, command);
  }
  return NULL;
}

static kn_status put_general(const kn_outline *outline, size_t index) {
  const kn_run *run = &outline->model->runs[index];
  headed(outline, KN_HEADING_FRONT, "How this was measured:", run->name);
  for (size_t i = 0; i < outline->provenance->count; i++) {
    const kn_provenance_row *row = &outline->provenance->rows[i];
    if (row->values[index]) outline->markup->field(outline->out, row->label, row->values[index]);
  }
  outline->markup->end_items(outline->out);
  put_facts(outline, run, KN_FACTS_SIZE);
  char *json;
  KN_TRY(kn_run_configuration(run, &json));
  if (json) {
    outline->markup->paragraph(outline->out, "Scenario:");
    outline->markup->code(outline->out, "json", json);
  }
  kn_free(json);
  return NULL;
}

/* ---- performance ---- */

static void put_phases(const kn_outline *outline, const kn_run *run) {
  if (!run->phase_count) return;
  outline->markup->heading(outline->out, KN_HEADING_SECTION, "Where the time went");
  char number[KN_NUMBER_SIZE];
  for (size_t i = 0; i < run->phase_count; i++)
    outline->markup->field(outline->out, run->phases[i].name,
                           kn_number_text(KN_NUMBER_SECONDS, run->phases[i].seconds, number));
  outline->markup->end_items(outline->out);
}

static void put_performance(const kn_outline *outline, size_t index) {
  const kn_run *run = &outline->model->runs[index];
  headed(outline, KN_HEADING_PART, "Performance of", run->name);
  if (!run->results.steps.count && !run->results.session.count) {
    outline->markup->note(outline->out, true,
                          "The measurement file holds neither inference times nor use of CPU and memory.");
    return;
  }
  if (run->results.steps.count) {
    outline->markup->heading(outline->out, KN_HEADING_SECTION, "Inference time");
    put_figure(outline, KN_FIGURE_TIME, index);
    if (run->results.step_key && strcmp(run->results.step_key, "protocol_inference_step") == 0)
      outline->markup->note(outline->out, false, "The times were taken on the host, around the request to the target.");
    put_facts(outline, run, KN_FACTS_TIME);
  }
  if (kn_value_known(run->facts[KN_FACT_CPU_MEAN]) || kn_value_known(run->facts[KN_FACT_PROCESS_CPU])) {
    outline->markup->heading(outline->out, KN_HEADING_SECTION, "CPU usage");
    put_figure(outline, KN_FIGURE_CPU, index);
    put_facts(outline, run, KN_FACTS_CPU);
  }
  if (kn_value_known(run->facts[KN_FACT_MEMORY_MEAN]) || kn_value_known(run->facts[KN_FACT_PROCESS_MEMORY])) {
    outline->markup->heading(outline->out, KN_HEADING_SECTION, "Memory usage");
    put_figure(outline, KN_FIGURE_MEMORY, index);
    put_facts(outline, run, KN_FACTS_MEMORY);
  }
  put_phases(outline, run);
}

static void put_performance_comparison(const kn_outline *outline) {
  outline->markup->heading(outline->out, KN_HEADING_PART, "Performance compared");
  outline->markup->heading(outline->out, KN_HEADING_SECTION, "Over the run");
  put_figure(outline, KN_FIGURE_TIMES, 0);
  put_figure(outline, KN_FIGURE_CPUS, 0);
  put_figure(outline, KN_FIGURE_MEMORIES, 0);
  outline->markup->heading(outline->out, KN_HEADING_SECTION, "Spread of the inference time");
  put_figure(outline, KN_FIGURE_SPREADS, 0);
  outline->markup->heading(outline->out, KN_HEADING_SECTION, "Use of the machine");
  put_figure(outline, KN_FIGURE_USAGES, 0);
}

/* ---- classification ---- */

static kn_status put_classes(const kn_outline *outline, const kn_run *run) {
  enum { COLUMNS = 5 };
  static const char *const header[COLUMNS] = {"Class", "Samples", "Precision", "Sensitivity", "F1"};
  size_t classes = run->results.classes, rows = classes + 1;
  const char **cells = kn_alloc_array(rows * COLUMNS, sizeof *cells);
  char(*texts)[KN_NUMBER_SIZE] = kn_alloc_array(rows * COLUMNS, sizeof *texts);
  if (cells && texts) {
    memcpy(cells, header, sizeof header);
    for (size_t i = 0; i < classes; i++) {
      kn_class_scores scores = kn_class_scores_of(run->results.confusion, classes, i);
      const char **row = cells + (i + 1) * COLUMNS;
      char(*text)[KN_NUMBER_SIZE] = texts + (i + 1) * COLUMNS;
      row[0] = run->class_names[i];
      row[1] = kn_number_text(KN_NUMBER_COUNT, scores.support, text[1]);
      row[2] = kn_number_text(KN_NUMBER_FRACTION, scores.precision, text[2]);
      row[3] = kn_number_text(KN_NUMBER_FRACTION, scores.sensitivity, text[3]);
      row[4] = kn_number_text(KN_NUMBER_FRACTION, scores.f1, text[4]);
    }
    outline->markup->table(outline->out, cells, rows, COLUMNS);
  }
  kn_status status = cells && texts ? NULL : kn_status_out_of_memory();
  kn_free(cells);
  kn_free(texts);
  return status;
}

static kn_status put_quality(const kn_outline *outline, size_t index) {
  const kn_run *run = &outline->model->runs[index];
  headed(outline, KN_HEADING_PART, "Classification quality of", run->name);
  if (!run->summary.has_classification) {
    outline->markup->note(outline->out, true, "The measurement file holds no confusion matrix.");
    return NULL;
  }
  put_figure(outline, KN_FIGURE_CONFUSION, index);
  put_facts(outline, run, KN_FACTS_QUALITY);
  outline->markup->heading(outline->out, KN_HEADING_SECTION, "Classes");
  return put_classes(outline, run);
}

static kn_status put_quality_comparison(const kn_outline *outline) {
  static const kn_fact facts[] = {KN_FACT_ACCURACY, KN_FACT_TOP_5, KN_FACT_PRECISION, KN_FACT_SENSITIVITY,
                                  KN_FACT_G_MEAN};
  outline->markup->heading(outline->out, KN_HEADING_PART, "Classification quality compared");
  put_figure(outline, KN_FIGURE_TRADEOFF, 0);
  outline->markup->heading(outline->out, KN_HEADING_SECTION, "Metrics");
  put_figure(outline, KN_FIGURE_METRICS, 0);
  return put_fact_table(outline, facts, sizeof facts / sizeof *facts);
}

static kn_status put_all(const kn_outline *outline, const char *command) {
  const kn_report_model *model = outline->model;
  outline->markup->heading(outline->out, KN_HEADING_TITLE, model->name);
  KN_TRY(put_summary(outline));
  KN_TRY(put_commands(outline, command));
  for (size_t i = 0; i < model->run_count; i++) KN_TRY(put_general(outline, i));
  if (model->types & KN_REPORT_PERFORMANCE) {
    for (size_t i = 0; i < model->run_count; i++) put_performance(outline, i);
    if (model->run_count > 1) put_performance_comparison(outline);
  }
  if (model->types & KN_REPORT_CLASSIFICATION) {
    for (size_t i = 0; i < model->run_count; i++) KN_TRY(put_quality(outline, i));
    if (model->run_count > 1) KN_TRY(put_quality_comparison(outline));
  }
  return NULL;
}

kn_status kn_outline_write(const kn_report_model *model, const kn_figures *figures, const char *command,
                           const kn_markup *markup, kn_text *out) {
  kn_provenance provenance;
  KN_TRY(kn_provenance_of(model, &provenance));
  kn_outline outline = {model, figures, &provenance, markup, out};
  kn_status status = put_all(&outline, command);
  kn_provenance_clear(&provenance);
  return status ? status : kn_text_status(out);
}
