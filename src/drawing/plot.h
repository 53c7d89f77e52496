/* Plots as PNG files, drawn by gnuplot in a process of its own: one process for all plots of a report. */
#ifndef KENNING_DRAWING_PLOT_H
#define KENNING_DRAWING_PLOT_H

#include <kenning/status.h>

typedef enum kn_plot_kind {
  KN_PLOT_SERIES = 1, /* series over x, as lines or dots */
  KN_PLOT_BOXES,      /* one box per series: y holds the 5th, 25th, 50th, 75th and 95th percentile */
  KN_PLOT_DOTS,       /* series over categories: y[category], with low[]/high[] where those are finite */
  KN_PLOT_SCATTER,    /* one labelled point per series: x[0], y[0], low[0], high[0] */
  KN_PLOT_HEAT_MAP    /* cells[category][category], rows top to bottom; shade: share of the row; text: the count */
} kn_plot_kind;

typedef struct kn_plot_series {
  const char *name; /* UTF-8 from anywhere: it is quoted and shortened */
  const double *x, *y;
  const double *low, *high; /* or NULL */
  size_t count;
  size_t color; /* index into the palette; a run has the same in every plot */
  bool dots;    /* faint dots instead of a line, without a place in the legend */
} kn_plot_series;

typedef struct kn_plot {
  kn_plot_kind kind;
  const char *path;              /* of the PNG */
  const char *x_label, *y_label; /* or NULL */
  bool log_y;
  double y_min, y_max; /* equal: chosen from the data */
  const kn_plot_series *series;
  size_t series_count;
  const char *const *categories;
  size_t category_count;
  const double *cells;
} kn_plot;

/* Draws all; the files appear when every one is done, or none does. Directories are made. KN_NOT_INSTALLED without
 * gnuplot, KN_BACKEND_FAILED with gnuplot's words. Values that are not finite are left out. */
kn_status kn_plot_draw(const kn_plot *plots, size_t count) KN_MUST_USE;

/* Whether there is a gnuplot to draw with: KN_NOT_INSTALLED otherwise. Runs nothing. */
kn_status kn_plot_check(void) KN_MUST_USE;

#endif
