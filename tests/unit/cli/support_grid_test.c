/* The grid of onnx_conversion in its formats. */
#include "support/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kenning/services.h>

#include "cli/support_grid.h"
#include "support/directory.h"
#include "support/status.h"

static const kn_class first = {.name = "kenning.onnxconverters.tensorflow.TensorFlowONNXConversion"};
static const kn_class second = {.name = "kenning.onnxconverters.mxnet.MXNetONNXConversion"};

static void fill(kn_grid *grid) {
  kn_grid_cell *cell;
  kt_assert_ok(kn_grid_add_converter(grid, &first));
  kt_assert_ok(kn_grid_add_converter(grid, &second));
  kt_assert_ok(kn_grid_cell_of(grid, "Net <1>", 0, &cell));
  *cell = (kn_grid_cell){.there = true,
                         .seeded = true,
                         .export_support = KN_SUPPORT_YES,
                         .import_support = KN_SUPPORT_NO,
                         .import_reason = "KeyError: 'a*b'",
                         .version = "2.21.0"};
  kt_assert_ok(kn_grid_cell_of(grid, "Net 2", 1, &cell));
  *cell = (kn_grid_cell){
      .there = true, .export_support = KN_SUPPORT_UNVERIFIED, .import_support = KN_SUPPORT_NOT_INSTALLED};
}

static void assert_written(const char *name, const char *const *parts) {
  kn_grid grid = {0};
  fill(&grid);
  char *directory = kt_directory_make(), *path = kt_path(directory, name);
  kt_assert_ok(kn_grid_write(&grid, path));
  char *text = kt_file_read(path, NULL);
  for (; *parts; parts++)
    if (!strstr(text, *parts)) kt_fail("%s lacks %s:\n%s", name, *parts, text);
  free(text);
  free(path);
  kt_directory_remove(directory);
  kn_grid_clear(&grid);
}

static void cells_are_written_in_every_format(void **state) {
  (void)state;
  assert_written("g.csv", (const char *const[]){
                              "\"Model\",\"TensorFlow (ver. 2.21.0)\",\"MXNet\"\n",
                              "\"Net <1>\",\"supported / unsupported (seeded weights)\","
                              "\"not provided / not provided\"\n",
                              "\"Net 2\",\"not provided / not provided\",\"unverified / not installed\"\n", NULL});
  assert_written("g.rst", (const char *const[]){"   * - Net \\<1\\>\n     - supported / unsupported (seeded weights)\n",
                                                ".. list-table::", "import: KeyError: 'a\\*b'\n", NULL});
  assert_written("g.html",
                 (const char *const[]){"<td>Net &lt;1&gt;</td><td>supported / unsupported (seeded weights)</td>",
                                       "<th>MXNet</th>", "</html>", NULL});
  assert_written("g.md", (const char *const[]){"| Model | TensorFlow (ver. 2.21.0) | MXNet |\n|---|---|---|\n", NULL});
}

static void formats_go_by_endings(void **state) {
  (void)state;
  assert_string_equal(kn_grid_format_of("a/b.rst"), "rst");
  assert_null(kn_grid_format_of("a/rst"));
  assert_null(kn_grid_format_of("a.pdf"));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(cells_are_written_in_every_format),
                                     cmocka_unit_test(formats_go_by_endings)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
