#include "drawing/script.h"

#include <math.h>
#include <string.h>

/* Colours of Okabe and Ito, told apart with every kind of colour vision; the yellow, too light on white, left out. */
static const char *const palette[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#555555"};
enum {
  PALETTE = sizeof palette / sizeof *palette,
  LABEL_LIMIT = 28,
  CELL_TEXT_CLASSES = 24,
  CELL_LABEL_CLASSES = 60,
  SHARP_CLASSES = 120
};

static const char *color_of(const kn_plot_series *series) { return palette[series->color % PALETTE]; }

/* In the labels of tics '%' begins a format. */
static void quote(kn_text *script, const char *text, size_t limit, bool tic) {
  kn_text_add(script, "'");
  size_t shown = 0;
  for (const char *c = text; *c; c++) {
    unsigned char byte = (unsigned char)*c;
    bool begins_character = (byte & 0xc0) != 0x80;
    if (limit && begins_character && shown++ == limit) {
      kn_text_add(script, "\xe2\x80\xa6");
      break;
    }
    if (byte < ' ' || byte == 0x7f)
      kn_text_add(script, " ");
    else if (byte == '\'')
      kn_text_add(script, "''");
    else if (byte == '`')
      kn_text_add(script, "\xe2\x80\x98");
    else if (byte == '%' && tic)
      kn_text_add(script, "%%");
    else
      kn_text_add_bytes(script, c, 1);
  }
  kn_text_add(script, "'");
}

void kn_script_quote(kn_text *script, const char *text, size_t limit) { quote(script, text, limit, false); }

static bool drawable(const kn_plot *plot, double x, double y) {
  return isfinite(x) && isfinite(y) && !(plot->log_y && y <= 0);
}

static void set_label(kn_text *script, const char *axis, const char *label) {
  kn_text_format(script, "set %slabel ", axis);
  kn_script_quote(script, label ? label : "", 0);
  kn_text_add(script, "\n");
}

static void named_tics(kn_text *script, const char *axis, const char *options, const char *const *names, size_t count) {
  kn_text_format(script, "set %stics %s (", axis, options);
  for (size_t i = 0; i < count; i++) {
    if (i) kn_text_add(script, ", ");
    quote(script, names[i], LABEL_LIMIT, true);
    kn_text_format(script, " %zu", i);
  }
  kn_text_add(script, ")\n");
}

/* Range of a logarithmic axis around the data and its tics at 1, 2 and 5 times the powers of ten. */
static void logarithmic(kn_text *script, const kn_plot *plot) {
  double low = INFINITY, high = 0;
  for (size_t s = 0; s < plot->series_count; s++) {
    for (size_t i = 0; i < plot->series[s].count; i++) {
      double y = plot->series[s].y[i];
      if (!drawable(plot, 0, y)) continue;
      low = fmin(low, y);
      high = fmax(high, y);
    }
  }
  if (!(low <= high)) return;
  low /= 1.25;
  high *= 1.25;
  kn_text_format(script, "set logscale y\nset yrange [%.6g:%.6g]\nset ytics (", low, high);
  static const double steps[] = {1, 2, 5};
  bool sparse = high / low > 1e4; /* more than four decades: powers of ten alone */
  size_t written = 0;
  for (int exponent = (int)floor(log10(low)); exponent <= (int)ceil(log10(high)); exponent++)
    for (size_t i = 0; i < (sparse ? 1 : 3); i++)
      kn_text_format(script, "%s'%g' %g", written++ ? ", " : "", steps[i] * pow(10, exponent),
                     steps[i] * pow(10, exponent));
  kn_text_add(script, ")\n");
}

/* gnuplot refuses a data block without a line. */
static void empty_data(kn_text *script) { kn_text_add(script, "NaN NaN NaN NaN NaN NaN\n"); }

static bool has_point(const kn_plot *plot) {
  if (plot->kind == KN_PLOT_HEAT_MAP) return true;
  for (size_t s = 0; s < plot->series_count; s++) {
    const kn_plot_series *series = &plot->series[s];
    for (size_t i = 0; i < series->count; i++)
      if (drawable(plot, series->x ? series->x[i] : 0, series->y[i])) return true;
  }
  return false;
}

/* ---- kinds ---- */

static void series_data(kn_text *script, const kn_plot *plot) {
  for (size_t s = 0; s < plot->series_count; s++) {
    const kn_plot_series *series = &plot->series[s];
    kn_text_format(script, "$d%zu << END\n", s);
    size_t points = 0;
    for (size_t i = 0; i < series->count; i++) {
      if (!drawable(plot, series->x[i], series->y[i])) continue;
      kn_text_format(script, "%.9g %.9g\n", series->x[i], series->y[i]);
      points++;
    }
    if (!points) empty_data(script);
    kn_text_add(script, "END\n");
  }
}

static void series_plot(kn_text *script, const kn_plot *plot) {
  series_data(script, plot);
  kn_text_add(script, plot->series_count > 1 ? "set key above left horizontal\n" : "unset key\n");
  kn_text_add(script, "plot ");
  for (size_t s = 0; s < plot->series_count; s++) {
    const kn_plot_series *series = &plot->series[s];
    kn_text_format(script, "%s$d%zu using 1:2 ", s ? ", " : "", s);
    if (series->dots) {
      kn_text_format(script, "with points pt 7 ps 0.25 lc rgb '#90%s' notitle", color_of(series) + 1);
    } else {
      /* A single point is no line. */
      kn_text_format(script, "with %s lw 1.6 lc rgb '%s' title ", series->count == 1 ? "points pt 7 ps 1.2" : "lines",
                     color_of(series));
      kn_script_quote(script, series->name, LABEL_LIMIT);
    }
  }
  kn_text_add(script, "\n");
}

static void boxes_plot(kn_text *script, const kn_plot *plot) {
  for (size_t s = 0; s < plot->series_count; s++) {
    const double *y = plot->series[s].y;
    kn_text_format(script, "$d%zu << END\n", s);
    if (plot->series[s].count == 5 && drawable(plot, 0, y[0]) && isfinite(y[4]))
      kn_text_format(script, "%zu %.9g %.9g %.9g %.9g %.9g\n", s, y[0], y[1], y[2], y[3], y[4]);
    else
      empty_data(script);
    kn_text_add(script, "END\n");
  }
  kn_text_add(script, "unset key\nset boxwidth 0.4\nset style fill solid 0.35\nset xtics (");
  for (size_t s = 0; s < plot->series_count; s++) {
    if (s) kn_text_add(script, ", ");
    quote(script, plot->series[s].name, LABEL_LIMIT, true);
    kn_text_format(script, " %zu", s);
  }
  kn_text_format(script, ")\nset xrange [-0.6:%g]\nplot ", (double)plot->series_count - 0.4);
  for (size_t s = 0; s < plot->series_count; s++)
    kn_text_format(script,
                   "%s$d%zu using 1:3:2:6:5 with candlesticks lw 1.4 lc rgb '%s' notitle whiskerbars 0.5, "
                   "$d%zu using 1:4:4:4:4 with candlesticks lw 2.4 lc rgb '%s' notitle",
                   s ? ", " : "", s, color_of(&plot->series[s]), s, color_of(&plot->series[s]));
  kn_text_add(script, "\n");
}

static void dots_plot(kn_text *script, const kn_plot *plot) {
  double step = 0.7 / (double)(plot->series_count ? plot->series_count : 1);
  for (size_t s = 0; s < plot->series_count; s++) {
    const kn_plot_series *series = &plot->series[s];
    kn_text_format(script, "$d%zu << END\n", s);
    size_t points = 0;
    for (size_t i = 0; i < series->count && i < plot->category_count; i++) {
      double y = series->y[i];
      if (!drawable(plot, 0, y)) continue;
      bool interval = series->low && series->high && isfinite(series->low[i]) && isfinite(series->high[i]);
      double x = (double)i + ((double)s - (double)(plot->series_count - 1) / 2) * step;
      kn_text_format(script, "%.6g %.9g %.9g %.9g\n", x, y, interval ? series->low[i] : y,
                     interval ? series->high[i] : y);
      points++;
    }
    if (!points) empty_data(script);
    kn_text_add(script, "END\n");
  }
  named_tics(script, "x", "", plot->categories, plot->category_count);
  kn_text_format(script, "set xrange [-0.6:%g]\nset key above left horizontal\nplot ",
                 (double)plot->category_count - 0.4);
  for (size_t s = 0; s < plot->series_count; s++) {
    kn_text_format(script, "%s$d%zu using 1:2:3:4 with yerrorbars lw 1.6 pt 7 ps 1.1 lc rgb '%s' title ", s ? ", " : "",
                   s, color_of(&plot->series[s]));
    kn_script_quote(script, plot->series[s].name, LABEL_LIMIT);
  }
  kn_text_add(script, "\n");
}

static void scatter_plot(kn_text *script, const kn_plot *plot) {
  kn_text_add(script, "set key above left horizontal\nset offsets graph 0.08, graph 0.08, graph 0.12, graph 0.12\n");
  for (size_t s = 0; s < plot->series_count; s++) {
    const kn_plot_series *series = &plot->series[s];
    kn_text_format(script, "$d%zu << END\n", s);
    if (series->count && drawable(plot, series->x[0], series->y[0])) {
      bool interval = series->low && series->high && isfinite(series->low[0]) && isfinite(series->high[0]);
      kn_text_format(script, "%.9g %.9g %.9g %.9g\n", series->x[0], series->y[0],
                     interval ? series->low[0] : series->y[0], interval ? series->high[0] : series->y[0]);
    } else {
      empty_data(script);
    }
    kn_text_add(script, "END\n");
  }
  kn_text_add(script, "plot ");
  for (size_t s = 0; s < plot->series_count; s++) {
    kn_text_format(script, "%s$d%zu using 1:2:3:4 with yerrorbars lw 1.6 pt 7 ps 1.8 lc rgb '%s' title ", s ? ", " : "",
                   s, color_of(&plot->series[s]));
    kn_script_quote(script, plot->series[s].name, LABEL_LIMIT);
  }
  kn_text_add(script, "\n");
}

static double row_sum(const double *cells, size_t columns) {
  double sum = 0;
  for (size_t i = 0; i < columns; i++) sum += cells[i];
  return sum;
}

/* Counts of the cells that have any, with a colour that stands out from the shade; false when there are none to show.
 */
static bool cell_texts(kn_text *script, const kn_plot *plot) {
  size_t count = plot->category_count, written = 0;
  if (count > CELL_TEXT_CLASSES) return false;
  kn_text_add(script, "$counts << END\n");
  for (size_t row = 0; row < count; row++) {
    double sum = row_sum(plot->cells + row * count, count);
    for (size_t column = 0; column < count; column++) {
      double cell = plot->cells[row * count + column];
      if (!(cell > 0)) continue;
      kn_text_format(script, "%zu %zu %.0f %s\n", column, row, cell, cell / sum > 0.45 ? "0xffffff" : "0x1b2733");
      written++;
    }
  }
  if (!written) empty_data(script);
  kn_text_add(script, "END\n");
  return written > 0;
}

static void heat_map(kn_text *script, const kn_plot *plot) {
  size_t count = plot->category_count;
  /* gnuplot wants at least 2 x 2: a single class is repeated outside the ranges. */
  size_t rows = count < 2 ? 2 : count;
  kn_text_add(script, "$shares << END\n");
  for (size_t row = 0; row < rows; row++) {
    const double *cells = plot->cells + (row < count ? row : 0) * count;
    double sum = row_sum(cells, count);
    for (size_t column = 0; column < rows; column++)
      kn_text_format(script, "%.5g ", sum > 0 ? cells[column < count ? column : 0] / sum : 0.0);
    kn_text_add(script, "\n");
  }
  kn_text_add(script, "END\n");
  bool texts = cell_texts(script, plot);
  kn_text_add(
      script,
      "unset rmargin\nunset grid\nunset key\nset border 0\nset tics scale 0\n"
      "set palette defined (0 '#f7fafc', 0.02 '#dbe8f4', 0.1 '#b3d0e8', 0.35 '#6aa6d3', 0.7 '#2b7bba', 1 '#08468b')\n"
      "set cbrange [0:1]\nset cblabel 'Share of the true class'\n");
  if (count <= CELL_LABEL_CLASSES) {
    named_tics(script, "x", "rotate by 60 right", plot->categories, count);
    named_tics(script, "y", "", plot->categories, count);
  }
  /* "pixels" draws sharp rectangles one by one, which takes long where they are too small to see. */
  kn_text_format(script,
                 "set xrange [-0.5:%zu.5]\nset yrange [%zu.5:-0.5]\n"
                 "plot $shares matrix using 1:2:3 with image%s%s\n",
                 count - 1, count - 1, count <= SHARP_CLASSES ? " pixels" : "",
                 texts ? ", $counts using 1:2:(sprintf('%d', $3)):4 with labels font ',9' textcolor rgb variable" : "");
}

/* ---- images ---- */

void kn_script_begin(kn_text *script) { kn_text_add(script, "set encoding utf8\nset datafile missing 'NaN'\n"); }

void kn_script_plot(kn_text *script, const kn_plot *plot, const char *output) {
  unsigned width = 1000, height = 440;
  if (plot->kind == KN_PLOT_HEAT_MAP) {
    /* 40 pixels a class where counts are written into the cells. */
    size_t count = plot->category_count;
    unsigned cells = count <= CELL_TEXT_CLASSES ? (unsigned)count * 40 : 960;
    if (cells < 280) cells = 280;
    width = cells + 300;
    height = cells + 170;
  }
  kn_text_format(script, "reset\nset terminal pngcairo size %u,%u font 'sans,11' noenhanced background rgb 'white'\n",
                 width, height);
  kn_text_add(script, "set output ");
  kn_script_quote(script, output, 0);
  kn_text_add(script,
              "\nset border 3 lw 0.8 lc rgb '#8895a1'\nset tics nomirror textcolor rgb '#33414e'\n"
              "set grid lc rgb '#e3e8ed' lt 1 lw 0.8\nset rmargin 4\n");
  set_label(script, "x", plot->x_label);
  set_label(script, "y", plot->y_label);
  if (plot->log_y) logarithmic(script, plot);
  if (plot->y_min < plot->y_max) kn_text_format(script, "set yrange [%.9g:%.9g]\n", plot->y_min, plot->y_max);
  /* Without a point gnuplot has nothing to choose the ranges by and gives up. */
  if (!has_point(plot)) kn_text_add(script, "unset logscale\nset xrange [0:1]\nset yrange [0:1]\n");
  switch (plot->kind) {
    case KN_PLOT_SERIES:
      series_plot(script, plot);
      break;
    case KN_PLOT_BOXES:
      boxes_plot(script, plot);
      break;
    case KN_PLOT_DOTS:
      dots_plot(script, plot);
      break;
    case KN_PLOT_SCATTER:
      scatter_plot(script, plot);
      break;
    case KN_PLOT_HEAT_MAP:
      heat_map(script, plot);
      break;
  }
  kn_text_add(script, "unset output\n");
}
