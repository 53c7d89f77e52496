#include "cli/support_grid.h"
#include "core/instance.h"
#include "core/text.h"

#include <kenning/services.h>
#include <stdio.h>
#include <string.h>

/* ---- the grid ---- */

kn_status kn_grid_add_converter(kn_grid *grid, const kn_class *cls) {
  if (grid->converter_count == KN_GRID_CONVERTERS)
    return kn_status_make(KN_INVALID_ARGUMENT, "more than %d converters", KN_GRID_CONVERTERS);
  grid->converters[grid->converter_count++] = cls;
  return NULL;
}

static kn_status add_row(kn_grid *grid, const char *model) {
  size_t count = grid->model_count;
  const char **models = kn_realloc(grid->models, (count + 1) * sizeof *models);
  if (!models) return kn_status_out_of_memory();
  grid->models = models;
  kn_grid_cell *cells = kn_realloc(grid->cells, (count + 1) * KN_GRID_CONVERTERS * sizeof *cells);
  if (!cells) return kn_status_out_of_memory();
  grid->cells = cells;
  memset(cells + count * KN_GRID_CONVERTERS, 0, KN_GRID_CONVERTERS * sizeof *cells);
  models[count] = model;
  grid->model_count++;
  return NULL;
}

kn_status kn_grid_cell_of(kn_grid *grid, const char *model, size_t converter, kn_grid_cell **out_cell) {
  size_t row = 0;
  while (row < grid->model_count && strcmp(grid->models[row], model)) row++;
  if (row == grid->model_count) KN_TRY(add_row(grid, model));
  *out_cell = &grid->cells[row * KN_GRID_CONVERTERS + converter];
  (*out_cell)->there = true;
  return NULL;
}

void kn_grid_clear(kn_grid *grid) {
  kn_free(grid->models);
  kn_free(grid->cells);
  *grid = (kn_grid){0};
}

/* ---- texts ---- */

static const char *support_text(kn_support support) {
  static const char *const texts[] = {[KN_SUPPORT_UNTRIED] = "not tried",
                                      [KN_SUPPORT_YES] = "supported",
                                      [KN_SUPPORT_NO] = "unsupported",
                                      [KN_SUPPORT_UNVERIFIED] = "unverified",
                                      [KN_SUPPORT_NOT_INSTALLED] = "not installed",
                                      [KN_SUPPORT_NOT_PROVIDED] = "not provided"};
  return texts[support];
}

static const kn_grid_cell *cell_at(const kn_grid *grid, size_t row, size_t converter) {
  return &grid->cells[row * KN_GRID_CONVERTERS + converter];
}

static void cell_text(const kn_grid_cell *cell, char out[128]) {
  if (!cell->there)
    snprintf(out, 128, "not provided / not provided");
  else
    snprintf(out, 128, "%s / %s%s", support_text(cell->export_support), support_text(cell->import_support),
             cell->seeded ? " (seeded weights)" : "");
}

/* "TensorFlow (ver. 2.21.0)": from the class's name, and the version that a script told. */
static void heading(const kn_grid *grid, size_t converter, char out[160]) {
  snprintf(out, 160, "%s", kn_class_short_name(grid->converters[converter]));
  char *tail = strstr(out, "ONNXConversion");
  if (tail) *tail = '\0';
  for (size_t row = 0; row < grid->model_count; row++) {
    const char *version = cell_at(grid, row, converter)->version;
    if (!*version) continue;
    size_t length = strlen(out);
    snprintf(out + length, 160 - length, " (ver. %.40s)", version);
    return;
  }
}

static const char explanation[] =
    "Export / import. Supported: for the same seeded inputs the model in ONNX Runtime gives the outputs of the model "
    "in "
    "its framework (export), and the framework gives those of ONNX Runtime for the ONNX model (import), to 1e-4 of the "
    "largest. Unverified: the outputs are equal, but do not depend on the input. Seeded weights are drawn, not "
    "trained.";

/* ---- formats ---- */

typedef enum format { RST, CSV, HTML, MD, FORMATS } format;
static const char *const names[FORMATS] = {"rst", "csv", "html", "md"};

const char *kn_grid_format_of(const char *path) {
  const char *dot = strrchr(path, '.');
  for (size_t i = 0; dot && i < FORMATS; i++)
    if (!strcmp(dot + 1, names[i])) return names[i];
  return NULL;
}

static void add_html(kn_text *out, const char *text) {
  for (; *text; text++) {
    if (*text == '<' || *text == '>' || *text == '&')
      kn_text_add(out, *text == '<' ? "&lt;" : *text == '>' ? "&gt;" : "&amp;");
    else
      kn_text_add_bytes(out, text, 1);
  }
}

static void add_csv(kn_text *out, const char *text) {
  kn_text_add(out, "\"");
  for (; *text; text++) {
    if (*text == '"') kn_text_add(out, "\"");
    kn_text_add_bytes(out, text, 1);
  }
  kn_text_add(out, "\"");
}

/* Backslashes before what the two languages would take for markup. */
static void add_escaped(kn_text *out, const char *text) {
  for (; *text; text++) {
    if (strchr("*`|_<>\\", *text)) kn_text_add(out, "\\");
    kn_text_add_bytes(out, text, 1);
  }
}

static void add_text(kn_text *out, format as, const char *text) {
  if (as == HTML)
    add_html(out, text);
  else if (as == CSV)
    add_csv(out, text);
  else
    add_escaped(out, text);
}

static void add_field(kn_text *out, format as, bool header, bool first, const char *text) {
  static const char *const before[FORMATS][2] = {{"\n     - ", "   * - "}, {",", ""}, {"<td>", "<td>"}, {" | ", "| "}};
  if (as == HTML && header)
    kn_text_add(out, "<th>");
  else
    kn_text_add(out, before[as][first]);
  add_text(out, as, text);
  if (as == HTML) kn_text_add(out, header ? "</th>" : "</td>");
}

static void end_row(kn_text *out, format as, bool header, size_t columns) {
  kn_text_add(out, as == HTML ? "</tr>\n" : as == MD ? " |\n" : "\n");
  if (as != MD || !header) return;
  for (size_t i = 0; i < columns; i++) kn_text_add(out, i ? "---|" : "|---|");
  kn_text_add(out, "\n");
}

static void add_rows(kn_text *out, const kn_grid *grid, format as) {
  char text[160];
  if (as == HTML) kn_text_add(out, "<tr>");
  add_field(out, as, true, true, "Model");
  for (size_t c = 0; c < grid->converter_count; c++) {
    heading(grid, c, text);
    add_field(out, as, true, false, text);
  }
  end_row(out, as, true, grid->converter_count + 1);
  for (size_t row = 0; row < grid->model_count; row++) {
    if (as == HTML) kn_text_add(out, "<tr>");
    add_field(out, as, false, true, grid->models[row]);
    for (size_t c = 0; c < grid->converter_count; c++) {
      cell_text(cell_at(grid, row, c), text);
      add_field(out, as, false, false, text);
    }
    end_row(out, as, false, 0);
  }
}

/* Why a cell is what it is, one line each. CSV has none: it is for programs. */
static void add_reason(kn_text *out, const kn_grid *grid, size_t row, size_t c, bool import, format as) {
  const kn_grid_cell *cell = cell_at(grid, row, c);
  const char *reason = import ? cell->import_reason : cell->export_reason;
  if (!cell->there || !*reason) return;
  char *line = kn_format("%s, %s, %s: %s", grid->models[row], kn_class_short_name(grid->converters[c]),
                         import ? "import" : "export", reason);
  kn_text_add(out, as == HTML ? "<li>" : "* ");
  if (line) add_text(out, as, line);
  kn_text_add(out, as == HTML ? "</li>\n" : "\n");
  kn_free(line);
}

static void add_reasons(kn_text *out, const kn_grid *grid, format as) {
  kn_text_add(out, as == HTML ? "<ul>\n" : "\n");
  for (size_t row = 0; row < grid->model_count; row++)
    for (size_t c = 0; c < grid->converter_count; c++)
      for (int import = 0; import < 2; import++) add_reason(out, grid, row, c, import, as);
  if (as == HTML) kn_text_add(out, "</ul>\n");
}

static void add_head(kn_text *out, format as) {
  static const char title[] = "ONNX support";
  switch (as) {
    case RST:
      kn_text_format(out, "%s\n============\n\n%s\n\n.. list-table::\n   :header-rows: 1\n\n", title, explanation);
      return;
    case MD:
      kn_text_format(out, "# %s\n\n%s\n\n", title, explanation);
      return;
    case HTML:
      kn_text_format(
          out,
          "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>%s</title>\n<style>"
          "body{font-family:sans-serif;margin:2em;max-width:70em}table{border-collapse:collapse}"
          "td,th{border:1px solid #888;padding:.3em .6em;text-align:left}</style></head>\n<body>\n<h1>%s</h1>\n"
          "<p>%s</p>\n<table>\n",
          title, title, explanation);
      return;
    case CSV:
    case FORMATS:
      return;
  }
}

static void render(kn_text *out, const kn_grid *grid, format as) {
  add_head(out, as);
  add_rows(out, grid, as);
  if (as == HTML) kn_text_add(out, "</table>\n");
  if (as != CSV) add_reasons(out, grid, as);
  if (as == HTML) kn_text_add(out, "</body></html>\n");
}

kn_status kn_grid_write(const kn_grid *grid, const char *path) {
  const char *name = kn_grid_format_of(path);
  kn_text text = {0};
  for (size_t i = 0; i < FORMATS; i++)
    if (name && !strcmp(names[i], name)) render(&text, grid, (format)i);
  kn_status status = kn_text_status(&text);
  if (!status) status = kn_file_write(path, text.data, text.length);
  kn_text_clear(&text);
  return status;
}

kn_status kn_grid_print(const kn_grid *grid) {
  char text[160];
  for (size_t row = 0; row < grid->model_count; row++) {
    printf("%s\n", grid->models[row]);
    for (size_t c = 0; c < grid->converter_count; c++) {
      const kn_grid_cell *cell = cell_at(grid, row, c);
      if (!cell->there) continue;
      heading(grid, c, text);
      printf("  %-28s", text);
      cell_text(cell, text);
      printf(" %s\n", text);
      if (*cell->export_reason) printf("      export: %s\n", cell->export_reason);
      if (*cell->import_reason) printf("      import: %s\n", cell->import_reason);
    }
  }
  return NULL;
}
