/* The syntax of a plain-text report. All texts are raw: from files, with any character; the syntax escapes them, and
 * what could end a line becomes a space. */
#ifndef KENNING_REPORT_MARKUP_H
#define KENNING_REPORT_MARKUP_H

#include "core/text.h"

typedef struct kn_markup_figure {
  const char *image; /* relative path with '/' */
  const char *label; /* for cross-references; letters, digits, '.', '_', '-' */
  const char *caption;
} kn_markup_figure;

/* RST follows the original, whose parts stand at the level of the title, so that a report can be included anywhere;
 * Markdown nests them. */
typedef enum kn_heading {
  KN_HEADING_TITLE = 0,
  KN_HEADING_FRONT, /* in front of the first part */
  KN_HEADING_PART,
  KN_HEADING_SECTION /* inside a part */
} kn_heading;

typedef struct kn_markup {
  void (*heading)(kn_text *out, kn_heading level, const char *text);
  void (*paragraph)(kn_text *out, const char *text);
  /* A list item with a figure. */
  void (*item)(kn_text *out, const char *label, const char *value);
  /* A list item with a text. */
  void (*field)(kn_text *out, const char *label, const char *text);
  void (*end_items)(kn_text *out);
  void (*note)(kn_text *out, bool warning, const char *text);
  void (*code)(kn_text *out, const char *language, const char *text);
  void (*figure)(kn_text *out, const kn_markup_figure *figure);
  /* `cells` row by row; the first row is the header. */
  void (*table)(kn_text *out, const char *const *cells, size_t rows, size_t columns);
} kn_markup;

extern const kn_markup kn_markup_rst;
extern const kn_markup kn_markup_markdown;

/* Copies `text`; control characters and all that some reader takes for the end of a line (U+0085, U+2028, U+2029, ...)
 * become spaces. With `keep_lines`, '\n' stays and every line is indented by `indent` spaces. */
void kn_markup_clean(kn_text *out, const char *text, bool keep_lines, unsigned indent);

/* Copies `text` as one line, with a backslash before every character of `anywhere`, before a first character of
 * `at_start`, and before what would make of the line an item of an enumeration ("1.", "(a)") or the head of a literal
 * block ("::"), or of a part of it a link. */
void kn_markup_escape(kn_text *out, const char *text, const char *anywhere, const char *at_start);

#endif
