/* reStructuredText as Sphinx and docutils read it. */
#include "report/markup.h"

static void escape(kn_text *out, const char *text) {
  kn_markup_escape(out, text, "\\*`|_<>", "-+.:=~^\"'#([{;,!?/@$%&)]}");
}

static void heading(kn_text *out, kn_heading level, const char *text) {
  kn_text_add(out, "\n");
  size_t before = out->length;
  escape(out, text);
  /* No line is wider than it has bytes, so this many marks underline any script. */
  size_t width = out->length - before;
  kn_text_add(out, "\n");
  for (size_t i = 0; i < (width > 3 ? width : 3); i++)
    kn_text_add(out, level == KN_HEADING_TITLE || level == KN_HEADING_PART ? "-" : "~");
  kn_text_add(out, "\n\n");
}

static void paragraph(kn_text *out, const char *text) {
  escape(out, text);
  kn_text_add(out, "\n\n");
}

static void item(kn_text *out, const char *label, const char *value) {
  kn_text_add(out, "* *");
  escape(out, label);
  kn_text_add(out, "*: **");
  escape(out, value);
  kn_text_add(out, "**\n");
}

static void field(kn_text *out, const char *label, const char *text) {
  kn_text_add(out, "* ");
  escape(out, label);
  kn_text_add(out, ": ");
  escape(out, text);
  kn_text_add(out, "\n");
}

static void end_items(kn_text *out) { kn_text_add(out, "\n"); }

static void note(kn_text *out, bool warning, const char *text) {
  kn_text_format(out, ".. %s::\n\n    ", warning ? "warning" : "note");
  escape(out, text);
  kn_text_add(out, "\n\n");
}

static void code(kn_text *out, const char *language, const char *text) {
  kn_text_format(out, ".. code-block:: %s\n\n", language);
  kn_markup_clean(out, text, true, 4);
  kn_text_add(out, "\n\n");
}

static void figure(kn_text *out, const kn_markup_figure *figure_) {
  kn_text_add(out, ".. figure:: ");
  for (const char *c = figure_->image; *c; c++) {
    if (*c == ' ' || *c == '\\') kn_text_add(out, "\\");
    kn_text_add_bytes(out, c, 1);
  }
  kn_text_format(out, "\n    :name: %s\n    :alt: ", figure_->label);
  escape(out, figure_->caption);
  kn_text_add(out, "\n    :align: center\n\n    ");
  escape(out, figure_->caption);
  kn_text_add(out, "\n\n");
}

static void table(kn_text *out, const char *const *cells, size_t rows, size_t columns) {
  kn_text_add(out, ".. list-table::\n    :header-rows: 1\n\n");
  for (size_t row = 0; row < rows; row++) {
    for (size_t column = 0; column < columns; column++) {
      kn_text_add(out, column ? "      - " : "    * - ");
      escape(out, cells[row * columns + column]);
      kn_text_add(out, "\n");
    }
  }
  kn_text_add(out, "\n");
}

const kn_markup kn_markup_rst = {.heading = heading,
                                 .paragraph = paragraph,
                                 .item = item,
                                 .field = field,
                                 .end_items = end_items,
                                 .note = note,
                                 .code = code,
                                 .figure = figure,
                                 .table = table};
