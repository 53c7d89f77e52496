#include "drawing/plot.h"
#include "drawing/script.h"

#include <kenning/process.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/directory.h"
#include "support/status.h"

static void quoted(const char *text, size_t limit, const char *expected) {
  kn_text out = {0};
  kn_script_quote(&out, text, limit);
  assert_string_equal(out.data, expected);
  kn_text_clear(&out);
}

static void text_cannot_leave_its_quotes(void **state) {
  (void)state;
  quoted("plain", 0, "'plain'");
  quoted("it's", 0, "'it''s'");
  quoted("a\nset output 'x'\n", 0, "'a set output ''x'' '");
  quoted("`touch x`", 0, "'‘touch x‘'");
  quoted("", 0, "''");
  quoted("ééé", 2, "'éé…'");
  quoted("ab", 2, "'ab'");
}

/* A drawing test needs gnuplot; cmocka counts those that are skipped. */
static void need_gnuplot(void) {
  char *path;
  kn_status status = kn_process_find("gnuplot", &path);
  if (status) {
    kn_status_free(status);
    kt_skip("gnuplot, scripts/bootstrap demo");
  }
  kn_free(path);
}

static void assert_png(const char *path) {
  size_t bytes;
  char *data = kt_file_read(path, &bytes);
  assert_true(bytes > 100 && memcmp(data, "\x89PNG\r\n\x1a\n", 8) == 0);
  free(data);
}

/* Every kind, with ordinary data and with none that can be drawn. */
static void every_kind_is_drawn(void **state) {
  (void)state;
  need_gnuplot();
  char *directory = kt_directory_make(), *mark = kt_path(directory, "mark");
  char name[256];
  snprintf(name, sizeof name, "5%% %%n x' `touch %s` \"`touch %s`\" @x {/=99 y} 100%% %%s", mark, mark);
  double x[] = {0, 1, 2, 3, 4}, y[] = {1, 2, 5, 9, 20}, none[] = {NAN, INFINITY, -INFINITY, NAN, NAN}, zero[5] = {0};
  const char *const classes[] = {name, "b"};
  double cells[] = {5, 1, 0, 0}, one[] = {7}, empty[4] = {0};
  const double *const values[] = {y, none, zero};
  kn_plot plots[64];
  kn_plot_series series[64];
  char *paths[64];
  size_t count = 0;
  for (kn_plot_kind kind = KN_PLOT_SERIES; kind <= KN_PLOT_SCATTER; kind++)
    for (size_t v = 0; v < 3; v++)
      for (int log_y = 0; log_y < 2; log_y++, count++) {
        series[count] =
            (kn_plot_series){.name = name, .x = x, .y = values[v], .low = zero, .high = y, .count = 5, .color = count};
        plots[count] = (kn_plot){.kind = kind,
                                 .x_label = name,
                                 .y_label = name,
                                 .log_y = log_y,
                                 .series = &series[count],
                                 .series_count = 1,
                                 .categories = classes,
                                 .category_count = 2};
      }
  plots[count++] = (kn_plot){.kind = KN_PLOT_HEAT_MAP, .categories = classes, .category_count = 2, .cells = cells};
  plots[count++] = (kn_plot){.kind = KN_PLOT_HEAT_MAP, .categories = classes, .category_count = 2, .cells = empty};
  plots[count++] = (kn_plot){.kind = KN_PLOT_HEAT_MAP, .categories = classes, .category_count = 1, .cells = one};
  for (size_t i = 0; i < count; i++) {
    char file[64];
    snprintf(file, sizeof file, "it's a plot %zu.png", i);
    plots[i].path = paths[i] = kt_path(directory, file);
  }
  kt_assert_ok(kn_plot_draw(plots, count));
  for (size_t i = 0; i < count; i++) {
    assert_png(paths[i]);
    free(paths[i]);
  }
  assert_int_not_equal(access(mark, F_OK), 0); /* no text became a command */
  free(mark);
  kt_directory_remove(directory);
}

static void large_heat_maps_are_drawn(void **state) {
  (void)state;
  need_gnuplot();
  enum { CLASSES = 130 };
  char *directory = kt_directory_make(), *path = kt_path(directory, "m.png");
  static double cells[CLASSES * CLASSES];
  static const char *names[CLASSES];
  for (size_t i = 0; i < CLASSES; i++) {
    names[i] = "class";
    cells[i * CLASSES + i] = 10;
  }
  kn_plot plot = {
      .kind = KN_PLOT_HEAT_MAP, .path = path, .categories = names, .category_count = CLASSES, .cells = cells};
  kt_assert_ok(kn_plot_draw(&plot, 1));
  assert_png(path);
  free(path);
  kt_directory_remove(directory);
}

static void without_gnuplot_the_package_is_named(void **state) {
  (void)state;
  char *directory = kt_directory_make(), *path = kt_path(directory, "img/m.png");
  double cells[] = {1};
  const char *const names[] = {"a"};
  kn_plot plot = {.kind = KN_PLOT_HEAT_MAP, .path = path, .categories = names, .category_count = 1, .cells = cells};
  char *before = strdup(getenv("PATH") ? getenv("PATH") : "");
  setenv("PATH", directory, 1);
  kn_status status = kn_plot_draw(&plot, 1);
  setenv("PATH", before, 1);
  free(before);
  kt_assert_fault(status, KN_NOT_INSTALLED, "apt-get install gnuplot-nox");
  assert_int_not_equal(access(path, F_OK), 0);
  free(path);
  kt_directory_remove(directory);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(text_cannot_leave_its_quotes),
      cmocka_unit_test(every_kind_is_drawn),
      cmocka_unit_test(large_heat_maps_are_drawn),
      cmocka_unit_test(without_gnuplot_the_package_is_named),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
