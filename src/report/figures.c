#include "report/figures.h"

#include <math.h>
#include <string.h>

typedef struct figure_row {
  bool several;
  const char *file, *label, *caption;
} figure_row;

static const figure_row rows[] = {
#define KN_FIGURE_ENTRY(name, several, file, label, caption) {several, file, label, caption},
    KN_FIGURES(KN_FIGURE_ENTRY)
#undef KN_FIGURE_ENTRY
};

static bool knows(const kn_run *run, kn_fact fact) { return kn_value_known(run->facts[fact]); }

static size_t runs_that_know(const kn_report_model *model, kn_fact fact) {
  size_t count = 0;
  for (size_t i = 0; i < model->run_count; i++) count += knows(&model->runs[i], fact);
  return count;
}

static bool run_allows(const kn_report_model *model, const kn_run *run, kn_figure_kind kind) {
  bool performance = model->types & KN_REPORT_PERFORMANCE, quality = model->types & KN_REPORT_CLASSIFICATION;
  switch (kind) {
    case KN_FIGURE_TIME:
      return performance && run->sorted_count;
    case KN_FIGURE_CPU:
      return performance && (knows(run, KN_FACT_CPU_MEAN) || knows(run, KN_FACT_PROCESS_CPU));
    case KN_FIGURE_MEMORY:
      return performance && (knows(run, KN_FACT_MEMORY_MEAN) || knows(run, KN_FACT_PROCESS_MEMORY));
    case KN_FIGURE_CONFUSION:
      return quality && run->results.confusion;
    default:
      return false;
  }
}

/* A figure of all runs wants at least two that know what it shows. */
static bool model_allows(const kn_report_model *model, kn_figure_kind kind) {
  bool performance = model->types & KN_REPORT_PERFORMANCE, quality = model->types & KN_REPORT_CLASSIFICATION;
  switch (kind) {
    case KN_FIGURE_TIMES:
    case KN_FIGURE_SPREADS:
      return performance && runs_that_know(model, KN_FACT_MEDIAN) > 1;
    case KN_FIGURE_CPUS:
    case KN_FIGURE_USAGES:
      return performance && runs_that_know(model, KN_FACT_CPU_MEAN) > 1;
    case KN_FIGURE_MEMORIES:
      return performance && runs_that_know(model, KN_FACT_MEMORY_MEAN) > 1;
    case KN_FIGURE_TRADEOFF:
      return quality && runs_that_know(model, KN_FACT_ACCURACY) > 1 && runs_that_know(model, KN_FACT_MEDIAN) > 1;
    case KN_FIGURE_METRICS:
      return quality && runs_that_know(model, KN_FACT_ACCURACY) > 1;
    default:
      return false;
  }
}

static kn_status add(const kn_report_model *model, kn_figure_kind kind, size_t run, const char *directory,
                     const char *reference, kn_figures *figures) {
  const figure_row *row = &rows[kind];
  const char *owner = model->run_count > 1 ? model->runs[run].slug : model->slug;
  char *file = row->several ? kn_strdup(row->file) : kn_format("%s_%s", owner, row->file);
  kn_figure figure = {.kind = kind, .run = run, .caption = row->caption};
  figure.path = file ? kn_format("%s/%s", directory, file) : NULL;
  figure.image = file ? kn_format("%s%s", reference, file) : NULL;
  figure.label = row->several ? kn_format("%s%s", model->slug, row->label)
                              : kn_format("%s%s%s", model->slug, model->runs[run].slug, row->label);
  kn_free(file);
  figures->items[figures->count++] = figure;
  return figure.path && figure.image && figure.label ? NULL : kn_status_out_of_memory();
}

kn_status kn_figures_plan(const kn_report_model *model, const char *directory, const char *reference, kn_figures *out) {
  *out = (kn_figures){.items = kn_alloc_array((model->run_count + 1) * KN_FIGURE_KINDS, sizeof *out->items)};
  if (!out->items) return kn_status_out_of_memory();
  kn_status status = NULL;
  for (kn_figure_kind kind = 0; !status && kind < KN_FIGURE_KINDS; kind++) {
    if (rows[kind].several && model_allows(model, kind)) status = add(model, kind, 0, directory, reference, out);
    for (size_t i = 0; !status && !rows[kind].several && i < model->run_count; i++)
      if (run_allows(model, &model->runs[i], kind)) status = add(model, kind, i, directory, reference, out);
  }
  if (status) kn_figures_clear(out);
  return status;
}

void kn_figures_clear(kn_figures *figures) {
  for (size_t i = 0; i < figures->count; i++) {
    kn_free(figures->items[i].path);
    kn_free(figures->items[i].image);
    kn_free(figures->items[i].label);
  }
  kn_free(figures->items);
  *figures = (kn_figures){0};
}

const kn_figure *kn_figures_find(const kn_figures *figures, kn_figure_kind kind, size_t run) {
  for (size_t i = 0; i < figures->count; i++)
    if (figures->items[i].kind == kind && figures->items[i].run == run) return &figures->items[i];
  return NULL;
}
