/* The image files of an RST or Markdown report. */
#ifndef KENNING_REPORT_FIGURES_H
#define KENNING_REPORT_FIGURES_H

#include "report/model.h"

/* X(name, several, file, label, caption): `several` figures show all runs, the others one. File names and labels are
 * the original's, behind a prefix where there is one per run. */
#define KN_FIGURES(X)                                                                                                \
  X(TIME, 0, "inference_time.png", "_inferencetime", "Inference time")                                               \
  X(CPU, 0, "cpu_usage.png", "_cpuusage", "CPU usage")                                                               \
  X(MEMORY, 0, "cpu_memory_usage.png", "_memusage", "Memory usage")                                                  \
  X(CONFUSION, 0, "confusion_matrix.png", "_confusionmatrix", "Confusion matrix")                                    \
  X(TIMES, 1, "inference_step_comparison.png", "_inference_step_comparison", "Inference time of all runs")           \
  X(CPUS, 1, "session_utilization_cpus_percent_comparison.png", "_cpu_comparison", "CPU usage of all runs")          \
  X(MEMORIES, 1, "session_utilization_mem_percent_comparison.png", "_memory_comparison", "Memory usage of all runs") \
  X(SPREADS, 1, "mean_performance_comparison.png", "_performance_comparison",                                        \
    "Inference time: median, middle half and 5th to 95th percentile")                                                \
  X(USAGES, 1, "hardware_usage_comparison.png", "_hardware_usage_comparison", "Mean use of CPU and memory")          \
  X(TRADEOFF, 1, "accuracy_vs_inference_time.png", "_classification_size_inference",                                 \
    "Accuracy with its 95% interval over the median inference time")                                                 \
  X(METRICS, 1, "classification_metric_comparison.png", "_classification_metrics_radar",                             \
    "Classification metrics; 95% interval of the accuracy")

typedef enum kn_figure_kind {
#define KN_FIGURE_ENTRY(name, several, file, label, caption) KN_FIGURE_##name,
  KN_FIGURES(KN_FIGURE_ENTRY)
#undef KN_FIGURE_ENTRY
      KN_FIGURE_KINDS
} kn_figure_kind;

typedef struct kn_figure {
  kn_figure_kind kind;
  size_t run;  /* 0 for figures of all runs */
  char *path;  /* of the PNG */
  char *image; /* as the report refers to it */
  char *label;
  const char *caption;
} kn_figure;

typedef struct kn_figures {
  kn_figure *items;
  size_t count;
} kn_figures;

/* Which figures the runs allow, and their names. `directory` is where the files go; `reference` what the report puts in
 * front of a file's name ("img/"). */
kn_status kn_figures_plan(const kn_report_model *model, const char *directory, const char *reference,
                          kn_figures *out_figures) KN_MUST_USE;
void kn_figures_clear(kn_figures *figures);
/* NULL when there is none. */
const kn_figure *kn_figures_find(const kn_figures *figures, kn_figure_kind kind, size_t run);
/* Draws all; every file appears whole, or none does. KN_NOT_INSTALLED without gnuplot. */
kn_status kn_figures_draw(const kn_report_model *model, const kn_figures *figures) KN_MUST_USE;

#endif
