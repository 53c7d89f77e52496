/* What a report is about: runs as read from their measurement files, and every figure derived from them. */
#ifndef KENNING_REPORT_MODEL_H
#define KENNING_REPORT_MODEL_H

#include "measurements/results.h"
#include "metrics/classification.h"
#include "report/facts.h"

#include <kenning/option.h>

typedef enum kn_report_type { KN_REPORT_PERFORMANCE = 1, KN_REPORT_CLASSIFICATION = 2 } kn_report_type;

/* Part of the wall time of a run. */
typedef struct kn_phase {
  const char *name; /* points into the document or is static */
  double seconds;
} kn_phase;

typedef struct kn_run {
  kn_results results;
  kn_summary summary;
  char *name;
  char *slug; /* the name for file names, labels and anchors: letters, digits, '.', '_', '-'; unique */
  kn_value facts[KN_FACT_COUNT];
  double *sorted; /* inference times after warm-up, ascending, seconds; NULL without any */
  size_t sorted_count;
  double batch;              /* samples per inference */
  double deployed_bytes;     /* what size reduction compares: compiled file, or weights alone; NaN: unknown */
  bool compiled;             /* not the model in its own framework */
  bool weights_known;        /* deployed_bytes counts the weights alone (native run) */
  bool reference_constant;   /* the reference's outputs do not depend on the sample: they are not compared */
  const char *file_contents; /* what else the model file holds; or NULL */
  kn_phase *phases;
  size_t phase_count;
  bool phases_summed; /* from the spans of single inferences, because the file has no phases */
  char **class_names; /* results.classes of them; never NULL where there is a confusion matrix */
} kn_run;

typedef struct kn_report_model {
  char *name;
  char *slug;
  kn_run *runs; /* the first is the reference */
  size_t run_count;
  unsigned types;           /* of kn_report_type */
  bool same_classes;        /* every run has a confusion matrix over the same class names */
  const char **phase_names; /* of all runs, in the order in which they first appear */
  size_t phase_name_count;
} kn_report_model;

typedef struct kn_report_sources {
  const char *name; /* title; NULL: the first run's name */
  kn_string_list measurements;
  kn_string_list model_names; /* none: from the file names */
  kn_string_list types;       /* none: what the measurements allow */
} kn_report_sources;

/* Names and types as far as they can be judged without the files. KN_INVALID_ARGUMENT, all faults at once. */
kn_status kn_report_model_check(const kn_report_sources *sources) KN_MUST_USE;
/* Reads and derives all. KN_INVALID_ARGUMENT for faulty names or types; KN_BAD_DATA, KN_NOT_FOUND, ... of the files. */
kn_status kn_report_model_read(const kn_report_sources *sources, kn_report_model *out_model) KN_MUST_USE;
/* A zeroed model is allowed. */
void kn_report_model_clear(kn_report_model *model);

/* True when any run knows the fact. */
bool kn_report_model_knows(const kn_report_model *model, kn_fact fact);
/* Index of a phase's name in phase_names. */
size_t kn_report_phase(const kn_report_model *model, const char *name);
/* Member `member` of the object `object` in a run's file (object NULL: of the file itself); NULL when absent or null.
 */
yyjson_val *kn_run_member(const kn_run *run, const char *object, const char *member);
/* The same as a string or NULL. */
const char *kn_run_string(const kn_run *run, const char *object, const char *member);
/* Entry of "models" with this role ("input", "compiled"), the last one; NULL when absent. */
yyjson_val *kn_run_model_file(const kn_run *run, const char *role);

#endif
