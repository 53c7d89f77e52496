/* What the image files show: figures as plots. */
#include "drawing/plot.h"
#include "report/figures.h"
#include "report/series.h"

#include <math.h>

enum { RAW_POINTS = 2400, TREND_POINTS = 240, USAGE_POINTS = 1600, SERIES_PER_RUN = 16, SCALARS_PER_RUN = 40 };

/* Everything that the plots point to. */
typedef struct kn_board {
  const kn_report_model *model;
  double unit; /* seconds in one unit of the time axes */
  const char *time_label, *sample_time_label;
  kn_plot *plots;
  size_t plot_count;
  kn_plot_series *series;
  size_t series_count;
  kn_points *points;
  size_t points_count;
  double *scalars;
  size_t scalar_count;
} kn_board;

static void board_clear(kn_board *board) {
  for (size_t i = 0; i < board->points_count; i++) kn_points_clear(&board->points[i]);
  kn_free(board->plots);
  kn_free(board->series);
  kn_free(board->points);
  kn_free(board->scalars);
}

static void choose_unit(kn_board *board) {
  double slowest = 0;
  for (size_t i = 0; i < board->model->run_count; i++)
    if (board->model->runs[i].sorted_count) slowest = fmax(slowest, board->model->runs[i].summary.inference.median);
  board->unit = slowest >= 1 ? 1 : slowest >= 1e-3 ? 1e-3 : 1e-6;
  board->time_label = slowest >= 1      ? "Inference time [s]"
                      : slowest >= 1e-3 ? "Inference time [ms]"
                                        : "Inference time [\xc2\xb5s]";
  board->sample_time_label = slowest >= 1      ? "Inference time per sample [s]"
                             : slowest >= 1e-3 ? "Inference time per sample [ms]"
                                               : "Inference time per sample [\xc2\xb5s]";
}

/* A series of the plot under construction; series of one plot follow each other. */
static kn_plot_series *next_series(kn_board *board, kn_plot *plot, size_t run) {
  kn_plot_series *series = &board->series[board->series_count++];
  *series = (kn_plot_series){.name = board->model->runs[run].name, .color = run};
  if (!plot->series_count) plot->series = series;
  plot->series_count++;
  return series;
}

static double *next_scalars(kn_board *board, size_t count) {
  double *scalars = board->scalars + board->scalar_count;
  board->scalar_count += count;
  return scalars;
}

static void use_points(kn_board *board, kn_plot_series *series, kn_points points, double scale) {
  board->points[board->points_count++] = points;
  for (size_t i = 0; i < points.count; i++) points.y[i] /= scale;
  series->x = points.x;
  series->y = points.y;
  series->count = points.count;
}

/* ---- series ---- */

static kn_status add_times(kn_board *board, kn_plot *plot, size_t run) {
  kn_points points;
  KN_TRY(kn_points_steps(&board->model->runs[run], &points));
  kn_points_thin(&points, RAW_POINTS);
  kn_plot_series *raw = next_series(board, plot, run);
  raw->dots = true;
  use_points(board, raw, points, board->unit);
  KN_TRY(kn_points_trend(&board->model->runs[run], TREND_POINTS, &points));
  use_points(board, next_series(board, plot, run), points, board->unit);
  return NULL;
}

static kn_status add_usage(kn_board *board, kn_plot *plot, size_t run, kn_usage usage, double scale) {
  kn_points points;
  KN_TRY(kn_points_usage(&board->model->runs[run], usage, &points));
  kn_points_thin(&points, USAGE_POINTS);
  use_points(board, next_series(board, plot, run), points, scale);
  return NULL;
}

static bool everyone_knows(const kn_report_model *model, kn_fact fact) {
  for (size_t i = 0; i < model->run_count; i++)
    if (!kn_value_known(model->runs[i].facts[fact])) return false;
  return true;
}

/* Times far apart, or peaks far above the rest, want a logarithmic axis. */
static bool wants_logarithm(const kn_report_model *model, size_t from, size_t to) {
  double low = INFINITY, high = 0;
  for (size_t i = from; i < to; i++) {
    const kn_run *run = &model->runs[i];
    if (!run->sorted_count || !(run->summary.inference.median > 0)) continue;
    low = fmin(low, run->summary.inference.median);
    high = fmax(high, run->summary.inference.max);
  }
  return high > 8 * low;
}

/* ---- plots ---- */

static kn_status plot_run(kn_board *board, kn_plot *plot, const kn_figure *figure) {
  const kn_run *run = &board->model->runs[figure->run];
  bool process_memory = kn_value_known(run->facts[KN_FACT_PROCESS_MEMORY]);
  switch (figure->kind) {
    case KN_FIGURE_TIME:
      plot->x_label = "Inference";
      plot->y_label = board->time_label;
      plot->log_y = wants_logarithm(board->model, figure->run, figure->run + 1);
      return add_times(board, plot, figure->run);
    case KN_FIGURE_CPU:
      plot->x_label = "Time [s]";
      plot->y_label = "CPU usage [%]";
      if (kn_value_known(run->facts[KN_FACT_CPU_MEAN])) {
        KN_TRY(add_usage(board, plot, figure->run, KN_USAGE_CPU, 1));
        board->series[board->series_count - 1].name = "Machine, mean of all cores";
      }
      if (kn_value_known(run->facts[KN_FACT_PROCESS_CPU])) {
        KN_TRY(add_usage(board, plot, figure->run, KN_USAGE_PROCESS_CPU, 1));
        board->series[board->series_count - 1].name = "This process (100 % is one core)";
        board->series[board->series_count - 1].color = figure->run + 1;
      }
      return NULL;
    case KN_FIGURE_MEMORY:
      plot->x_label = "Time [s]";
      plot->y_label = process_memory ? "Memory of the process [MB]" : "Memory of the machine in use [%]";
      return add_usage(board, plot, figure->run, process_memory ? KN_USAGE_PROCESS_MEMORY : KN_USAGE_MEMORY,
                       process_memory ? 1e6 : 1);
    default:
      plot->kind = KN_PLOT_HEAT_MAP;
      plot->x_label = "Predicted class";
      plot->y_label = "True class";
      plot->categories = (const char *const *)run->class_names;
      plot->category_count = run->results.classes;
      plot->cells = run->results.confusion;
      return NULL;
  }
}

static void plot_spreads(kn_board *board, kn_plot *plot) {
  static const double percents[] = {5, 25, 50, 75, 95};
  plot->kind = KN_PLOT_BOXES;
  plot->y_label = board->time_label;
  plot->log_y = wants_logarithm(board->model, 0, board->model->run_count);
  for (size_t i = 0; i < board->model->run_count; i++) {
    const kn_run *run = &board->model->runs[i];
    double *y = next_scalars(board, 5);
    for (size_t k = 0; k < 5; k++)
      y[k] = run->sorted_count ? kn_percentile(run->sorted, run->sorted_count, percents[k]) / board->unit : NAN;
    kn_plot_series *series = next_series(board, plot, i);
    series->y = y;
    series->count = 5;
  }
}

/* Facts as dots over named categories. */
static void plot_facts(kn_board *board, kn_plot *plot, const char *const *names, const kn_fact *facts, size_t count) {
  plot->kind = KN_PLOT_DOTS;
  plot->categories = names;
  plot->category_count = count;
  for (size_t i = 0; i < board->model->run_count; i++) {
    double *y = next_scalars(board, count), *low = next_scalars(board, count), *high = next_scalars(board, count);
    for (size_t k = 0; k < count; k++) {
      kn_value value = board->model->runs[i].facts[facts[k]];
      y[k] = value.value;
      low[k] = value.low;
      high[k] = value.high;
    }
    kn_plot_series *series = next_series(board, plot, i);
    series->y = y;
    series->low = low;
    series->high = high;
    series->count = count;
  }
}

static void plot_tradeoff(kn_board *board, kn_plot *plot) {
  plot->kind = KN_PLOT_SCATTER;
  plot->x_label = board->sample_time_label;
  plot->y_label = "Accuracy";
  for (size_t i = 0; i < board->model->run_count; i++) {
    const kn_run *run = &board->model->runs[i];
    kn_value accuracy = run->facts[KN_FACT_ACCURACY];
    double *scalars = next_scalars(board, 4);
    scalars[0] = run->facts[KN_FACT_MEDIAN].value / run->batch / board->unit;
    scalars[1] = accuracy.value;
    scalars[2] = accuracy.low;
    scalars[3] = accuracy.high;
    kn_plot_series *series = next_series(board, plot, i);
    series->x = scalars;
    series->y = scalars + 1;
    series->low = scalars + 2;
    series->high = scalars + 3;
    series->count = 1;
  }
}

static kn_status plot_all(kn_board *board, kn_plot *plot, kn_figure_kind kind) {
  static const char *const usages[] = {"CPU", "Memory"};
  static const kn_fact usage_facts[] = {KN_FACT_CPU_MEAN, KN_FACT_MEMORY_MEAN};
  static const char *const metrics[] = {"Accuracy", "Mean precision", "Mean sensitivity", "G-mean"};
  static const kn_fact metric_facts[] = {KN_FACT_ACCURACY, KN_FACT_PRECISION, KN_FACT_SENSITIVITY, KN_FACT_G_MEAN};
  const kn_report_model *model = board->model;
  bool process_memory = everyone_knows(model, KN_FACT_PROCESS_MEMORY);
  switch (kind) {
    case KN_FIGURE_TIMES:
      plot->x_label = "Inference";
      plot->y_label = board->time_label;
      plot->log_y = wants_logarithm(model, 0, model->run_count);
      for (size_t i = 0; i < model->run_count; i++) KN_TRY(add_times(board, plot, i));
      return NULL;
    case KN_FIGURE_CPUS:
      plot->x_label = "Time [s]";
      plot->y_label = "CPU usage, mean of all cores [%]";
      for (size_t i = 0; i < model->run_count; i++) KN_TRY(add_usage(board, plot, i, KN_USAGE_CPU, 1));
      return NULL;
    case KN_FIGURE_MEMORIES:
      plot->x_label = "Time [s]";
      plot->y_label = process_memory ? "Memory of the process [MB]" : "Memory of the machine in use [%]";
      for (size_t i = 0; i < model->run_count; i++)
        KN_TRY(add_usage(board, plot, i, process_memory ? KN_USAGE_PROCESS_MEMORY : KN_USAGE_MEMORY,
                         process_memory ? 1e6 : 1));
      return NULL;
    case KN_FIGURE_SPREADS:
      plot_spreads(board, plot);
      return NULL;
    case KN_FIGURE_USAGES:
      plot->y_label = "Mean use of the machine [%]";
      plot->y_max = 100;
      plot_facts(board, plot, usages, usage_facts, 2);
      return NULL;
    case KN_FIGURE_TRADEOFF:
      plot_tradeoff(board, plot);
      return NULL;
    default:
      plot_facts(board, plot, metrics, metric_facts, 4);
      return NULL;
  }
}

kn_status kn_figures_draw(const kn_report_model *model, const kn_figures *figures) {
  kn_board board = {.model = model,
                    .plots = kn_alloc_array(figures->count, sizeof(kn_plot)),
                    .series = kn_alloc_array(model->run_count * SERIES_PER_RUN, sizeof(kn_plot_series)),
                    .points = kn_alloc_array(model->run_count * SERIES_PER_RUN, sizeof(kn_points)),
                    .scalars = kn_alloc_array(model->run_count * SCALARS_PER_RUN, sizeof(double))};
  kn_status status = board.plots && board.series && board.points && board.scalars ? NULL : kn_status_out_of_memory();
  if (!status) choose_unit(&board);
  for (size_t i = 0; !status && i < figures->count; i++) {
    const kn_figure *figure = &figures->items[i];
    kn_plot *plot = &board.plots[board.plot_count++];
    *plot = (kn_plot){.kind = KN_PLOT_SERIES, .path = figure->path};
    status =
        figure->kind <= KN_FIGURE_CONFUSION ? plot_run(&board, plot, figure) : plot_all(&board, plot, figure->kind);
  }
  if (!status) status = kn_plot_draw(board.plots, board.plot_count);
  board_clear(&board);
  return status;
}
