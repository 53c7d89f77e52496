#include "report/html_parts.h"
#include "report/provenance.h"

#include <string.h>

static void group_row(const char *group, size_t columns, kn_text *out) {
  kn_text_format(out, "<tr class=\"group\"><th colspan=\"%zu\" scope=\"colgroup\">", columns + 1);
  kn_html_text(out, group);
  kn_text_add(out, "</th></tr>\n");
}

/* A value that all runs share stands once, across the columns. */
static void value_row(const kn_report_model *model, const kn_provenance_row *row, kn_text *out) {
  kn_text_add(out, "<tr><th scope=\"row\">");
  kn_html_text(out, row->label);
  kn_text_add(out, "</th>");
  if (row->equal) {
    kn_text_format(out, "<td colspan=\"%zu\">", model->run_count);
    kn_html_text(out, row->values[0]);
    kn_text_add(out, "</td>");
  } else {
    for (size_t i = 0; i < model->run_count; i++) {
      kn_text_add(out, "<td data-label=\"");
      kn_html_text(out, model->runs[i].name);
      kn_text_add(out, "\">");
      kn_html_text(out, row->values[i] ? row->values[i] : "\xe2\x80\x93");
      kn_text_add(out, "</td>");
    }
  }
  kn_text_add(out, "</tr>\n");
}

static void table(const kn_report_model *model, const kn_provenance *provenance, kn_text *out) {
  kn_text_add(out, "<div class=\"scroll\"><table class=\"facts\"><thead><tr><th></th>");
  for (size_t i = 0; i < model->run_count; i++) {
    kn_text_add(out, "<th scope=\"col\">");
    kn_html_dot(out, i);
    kn_text_add(out, " ");
    kn_html_text(out, model->runs[i].name);
    kn_text_add(out, "</th>");
  }
  kn_text_add(out, "</tr></thead><tbody>\n");
  const char *group = "";
  for (size_t i = 0; i < provenance->count; i++) {
    if (strcmp(group, provenance->rows[i].group) != 0) {
      group = provenance->rows[i].group;
      group_row(group, model->run_count, out);
    }
    value_row(model, &provenance->rows[i], out);
  }
  kn_text_add(out, "</tbody></table></div>\n");
}

static void block(const char *title, const char *name, const char *code, kn_text *out) {
  kn_text_add(out, "<details><summary>");
  kn_html_text(out, title);
  if (name) {
    kn_text_add(out, " <b>");
    kn_html_text(out, name);
    kn_text_add(out, "</b>");
  }
  kn_text_add(out, "</summary><div><pre><code>");
  kn_html_text(out, code);
  kn_text_add(out, "</code></pre></div></details>\n");
}

static kn_status run_blocks(const kn_run *run, kn_text *out) {
  char *text;
  KN_TRY(kn_run_command(run, &text));
  if (text) block("Command of", run->name, text, out);
  kn_free(text);
  KN_TRY(kn_run_configuration(run, &text));
  if (text) block("Scenario of", run->name, text, out);
  kn_free(text);
  return NULL;
}

kn_status kn_html_provenance(const kn_report_model *model, const char *command, kn_text *out) {
  kn_provenance provenance;
  KN_TRY(kn_provenance_of(model, &provenance));
  table(model, &provenance, out);
  kn_provenance_clear(&provenance);
  kn_text_add(out, "<h3>To run it again</h3>\n");
  for (size_t i = 0; i < model->run_count; i++) KN_TRY(run_blocks(&model->runs[i], out));
  if (command) block("Command of this report", NULL, command, out);
  return NULL;
}
