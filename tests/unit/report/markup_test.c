#include "report/html_parts.h"
#include "report/markup.h"

#include <string.h>

#include "support/unit.h"

/* What a writer makes of a paragraph. */
static void check_paragraph(const kn_markup *markup, const char *text, const char *expected) {
  kn_text out = {0};
  markup->paragraph(&out, text);
  assert_int_equal(out.failure, KN_OK);
  char line[512];
  snprintf(line, sizeof line, "%s\n\n", expected);
  assert_string_equal(out.data, line);
  kn_text_clear(&out);
}

static void rst_escapes_markup(void **state) {
  (void)state;
  const kn_markup *rst = &kn_markup_rst;
  check_paragraph(rst, "plain text, 0.92 (95% interval 0.90 – 0.94)", "plain text, 0.92 (95% interval 0.90 – 0.94)");
  check_paragraph(rst, "a*b*c `x` |y| z_ <u>", "a\\*b\\*c \\`x\\` \\|y\\| z\\_ \\<u\\>");
  check_paragraph(rst, ".. raw:: html", "\\.. raw\\:: html");
  check_paragraph(rst, "- item", "\\- item");
  check_paragraph(rst, "1. item", "1\\. item");
  check_paragraph(rst, "(a) item", "\\(a) item");
  check_paragraph(rst, "0.9284", "0.9284");
  check_paragraph(rst, "http://x.y me@x.y", "http\\://x.y me\\@x.y");
  check_paragraph(rst, "  spaces  ", "spaces");
  check_paragraph(rst, "no literal block::", "no literal block\\::");
}

static void markdown_escapes_markup(void **state) {
  (void)state;
  const kn_markup *markdown = &kn_markup_markdown;
  check_paragraph(markdown, "a*b_c`d`[e](f)<g>|h", "a\\*b\\_c\\`d\\`\\[e\\](f)\\<g\\>\\|h");
  check_paragraph(markdown, "# no heading", "\\# no heading");
  check_paragraph(markdown, "1. item", "1\\. item");
  check_paragraph(markdown, "&amp; ${x}", "\\&amp; \\$\\{x\\}");
}

static void no_text_ends_its_line(void **state) {
  (void)state;
  static const char *const breaks[] = {"\n",   "\r",       "\r\n",         "\v",           "\f",   "\x1c", "\x1d",
                                       "\x1e", "\xc2\x85", "\xe2\x80\xa8", "\xe2\x80\xa9", "\x7f", "\x1b"};
  for (size_t i = 0; i < sizeof breaks / sizeof *breaks; i++) {
    char text[32];
    snprintf(text, sizeof text, "a%sb", breaks[i]);
    kn_text out = {0};
    kn_markup_clean(&out, text, false, 0);
    assert_true(strcmp(out.data, "a b") == 0 || strcmp(out.data, "a  b") == 0);
    kn_text_clear(&out);
  }
  /* Ordinary characters of the same first bytes stay. */
  kn_text out = {0};
  kn_markup_clean(&out, "é – ©", false, 0);
  assert_string_equal(out.data, "é – ©");
  kn_text_clear(&out);
}

static void code_stays_inside_its_block(void **state) {
  (void)state;
  kn_text out = {0};
  kn_markup_rst.code(&out, "json", "{\n\"a\": 1\r.. raw:: html\n}");
  assert_string_equal(out.data, ".. code-block:: json\n\n    {\n    \"a\": 1 .. raw:: html\n    }\n\n");
  kn_text_clear(&out);
  kn_markup_markdown.code(&out, "text", "a\n```\nb");
  assert_string_equal(out.data, "````text\na\n```\nb\n````\n\n");
  kn_text_clear(&out);
}

static void headings_are_underlined_as_wide_as_they_are(void **state) {
  (void)state;
  kn_text out = {0};
  kn_markup_rst.heading(&out, KN_HEADING_TITLE, "模型 *x*");
  const char *line = out.data + 1, *next = strchr(line, '\n');
  assert_non_null(next);
  assert_true(strspn(next + 1, "-") >= 8); /* two wide characters, a space, three narrow ones */
  kn_text_clear(&out);
}

static void html_escapes_all_that_means_something(void **state) {
  (void)state;
  kn_text out = {0};
  kn_html_text(&out, "<script>alert('1' & \"2\")</script>é");
  assert_string_equal(out.data, "&lt;script&gt;alert(&#39;1&#39; &amp; &quot;2&quot;)&lt;/script&gt;é");
  kn_text_clear(&out);
  kn_html_text(&out, NULL);
  assert_null(out.data);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rst_escapes_markup),
      cmocka_unit_test(markdown_escapes_markup),
      cmocka_unit_test(no_text_ends_its_line),
      cmocka_unit_test(code_stays_inside_its_block),
      cmocka_unit_test(headings_are_underlined_as_wide_as_they_are),
      cmocka_unit_test(html_escapes_all_that_means_something),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
