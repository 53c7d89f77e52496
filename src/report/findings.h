/* What a reader should know first, in sentences. */
#ifndef KENNING_REPORT_FINDINGS_H
#define KENNING_REPORT_FINDINGS_H

#include "report/model.h"

typedef enum kn_finding_kind {
  KN_FINDING_RESULT = 1, /* how a run compares with the reference */
  KN_FINDING_NOTE,       /* how to read the figures */
  KN_FINDING_WARNING     /* figures that should not be trusted as they stand */
} kn_finding_kind;

typedef struct kn_finding {
  kn_finding_kind kind;
  size_t run; /* of a result */
  char *text;
} kn_finding;

typedef struct kn_findings {
  kn_finding *items;
  size_t count;
} kn_findings;

kn_status kn_findings_of(const kn_report_model *model, kn_findings *out_findings) KN_MUST_USE;
void kn_findings_clear(kn_findings *findings);

#endif
