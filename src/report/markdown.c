/* Markdown as CommonMark, GitHub and MyST read it. */
#include "report/markup.h"

static void escape(kn_text *out, const char *text) { kn_markup_escape(out, text, "\\*`_[]{}<>|&~$", "-+#=:!.()%^"); }

static void heading(kn_text *out, kn_heading level, const char *text) {
  static const char *const marks[] = {"# ", "\n## ", "\n## ", "\n### "};
  kn_text_add(out, marks[level]);
  escape(out, text);
  kn_text_add(out, "\n\n");
}

static void paragraph(kn_text *out, const char *text) {
  escape(out, text);
  kn_text_add(out, "\n\n");
}

static void item(kn_text *out, const char *label, const char *value) {
  kn_text_add(out, "- *");
  escape(out, label);
  kn_text_add(out, "*: **");
  escape(out, value);
  kn_text_add(out, "**\n");
}

static void field(kn_text *out, const char *label, const char *text) {
  kn_text_add(out, "- ");
  escape(out, label);
  kn_text_add(out, ": ");
  escape(out, text);
  kn_text_add(out, "\n");
}

static void end_items(kn_text *out) { kn_text_add(out, "\n"); }

static void note(kn_text *out, bool warning, const char *text) {
  kn_text_format(out, "> **%s:** ", warning ? "Warning" : "Note");
  escape(out, text);
  kn_text_add(out, "\n\n");
}

/* The fence is longer than any run of backquotes in the text. */
static void code(kn_text *out, const char *language, const char *text) {
  size_t longest = 2, run = 0;
  for (const char *c = text; *c; c++) {
    run = *c == '`' ? run + 1 : 0;
    if (run > longest) longest = run;
  }
  for (size_t i = 0; i <= longest; i++) kn_text_add(out, "`");
  kn_text_format(out, "%s\n", language);
  kn_markup_clean(out, text, true, 0);
  kn_text_add(out, "\n");
  for (size_t i = 0; i <= longest; i++) kn_text_add(out, "`");
  kn_text_add(out, "\n\n");
}

static void figure(kn_text *out, const kn_markup_figure *figure_) {
  kn_text_add(out, "![");
  escape(out, figure_->caption);
  kn_text_add(out, "](<");
  for (const char *c = figure_->image; *c; c++) {
    if (*c == '<' || *c == '>' || *c == '\\') kn_text_add(out, "\\");
    kn_text_add_bytes(out, c, 1);
  }
  kn_text_add(out, ">)\n\n");
}

static void table(kn_text *out, const char *const *cells, size_t rows, size_t columns) {
  for (size_t row = 0; row < rows; row++) {
    for (size_t column = 0; column < columns; column++) {
      kn_text_add(out, "| ");
      escape(out, cells[row * columns + column]);
      kn_text_add(out, " ");
    }
    kn_text_add(out, "|\n");
    for (size_t column = 0; row == 0 && column < columns; column++) kn_text_add(out, column ? "|---:" : "|---");
    if (row == 0) kn_text_add(out, "|\n");
  }
  kn_text_add(out, "\n");
}

const kn_markup kn_markup_markdown = {.heading = heading,
                                      .paragraph = paragraph,
                                      .item = item,
                                      .field = field,
                                      .end_items = end_items,
                                      .note = note,
                                      .code = code,
                                      .figure = figure,
                                      .table = table};
