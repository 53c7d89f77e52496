/* Where the figures come from: data, models, libraries, machine, as rows of text with one value a run. */
#ifndef KENNING_REPORT_PROVENANCE_H
#define KENNING_REPORT_PROVENANCE_H

#include "report/model.h"

typedef struct kn_provenance_row {
  const char *group; /* "Data", "Model", ... */
  char *label;
  char **values; /* [runs]; NULL: not recorded */
  bool equal;    /* every run has the same value */
} kn_provenance_row;

typedef struct kn_provenance {
  kn_provenance_row *rows; /* only rows that some run has a value for; groups together */
  size_t count;
  size_t run_count;
} kn_provenance;

kn_status kn_provenance_of(const kn_report_model *model, kn_provenance *out_provenance) KN_MUST_USE;
void kn_provenance_clear(kn_provenance *provenance);

/* The scenario as indented JSON, or NULL when the file has none; free with kn_free. */
kn_status kn_run_configuration(const kn_run *run, char **out_json) KN_MUST_USE;
/* The command of the run, one line of a shell per line, or NULL when the file has none; free with kn_free. */
kn_status kn_run_command(const kn_run *run, char **out_text) KN_MUST_USE;

#endif
