/* The parts of the HTML page. Whatever comes from a file is escaped here. */
#ifndef KENNING_REPORT_HTML_PARTS_H
#define KENNING_REPORT_HTML_PARTS_H

#include "core/text.h"
#include "report/model.h"

/* Text between tags or inside a quoted attribute. */
void kn_html_text(kn_text *out, const char *text);
/* "<i class="dot" ...></i>" in the colour of a run. */
void kn_html_dot(kn_text *out, size_t run);

/* Speed boost, accuracy, size reduction and what stands beside them; tiles for a single run. */
void kn_html_headline(const kn_report_model *model, kn_text *out);
/* A row for each run with what runs are chosen by (kn_side_by_side). */
void kn_html_side_by_side(const kn_report_model *model, kn_text *out);
/* Facts of a section, one row a fact, one column for each run that knows any. False, with nothing written, when no run
 * knows any. */
bool kn_html_facts(const kn_report_model *model, kn_fact_section section, const char *caption, kn_text *out);
/* Per-class results: a table for each metric where the runs have the same classes, else one for each run. */
void kn_html_classes(const kn_report_model *model, kn_text *out);
void kn_html_phases(const kn_report_model *model, kn_text *out);
/* `command`: of the rendering itself, or NULL. */
kn_status kn_html_provenance(const kn_report_model *model, const char *command, kn_text *out) KN_MUST_USE;

/* The numbers behind the plots, as JSON that cannot end the script element it stands in. */
kn_status kn_html_chart_data(const kn_report_model *model, kn_text *out) KN_MUST_USE;

#endif
