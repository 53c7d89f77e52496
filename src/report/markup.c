#include "report/markup.h"

#include <ctype.h>
#include <string.h>

/* Bytes of the character at `c` when it ends a line for some reader or controls something, else 0. */
static size_t control_bytes(const unsigned char *c) {
  if (*c < ' ' || *c == 0x7f) return 1;
  if (c[0] == 0xc2 && c[1] >= 0x80 && c[1] <= 0x9f) return 2;                   /* U+0080 to U+009F */
  if (c[0] == 0xe2 && c[1] == 0x80 && (c[2] == 0xa8 || c[2] == 0xa9)) return 3; /* line, paragraph separator */
  if (c[0] == 0xe2 && c[1] == 0x80 && c[2] >= 0xaa && c[2] <= 0xae) return 3;   /* direction overrides */
  if (c[0] == 0xe2 && c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9) return 3;   /* direction isolates */
  return 0;
}

void kn_markup_clean(kn_text *out, const char *text, bool keep_lines, unsigned indent) {
  bool at_start = true;
  for (const unsigned char *c = (const unsigned char *)text; *c;) {
    if (keep_lines && *c == '\n') {
      kn_text_add(out, "\n");
      at_start = true;
      c++;
      continue;
    }
    if (keep_lines && at_start) kn_text_format(out, "%*s", (int)indent, "");
    at_start = false;
    size_t control = control_bytes(c);
    if (control) {
      kn_text_add(out, " ");
      c += control;
    } else {
      kn_text_add_bytes(out, (const char *)c++, 1);
    }
  }
}

void kn_markup_escape(kn_text *out, const char *text, const char *anywhere, const char *at_start) {
  kn_text clean = {0};
  kn_markup_clean(&clean, text, false, 0);
  const char *start = clean.data ? clean.data : "";
  while (*start == ' ') start++;
  size_t length = strlen(start);
  while (length && start[length - 1] == ' ') length--;
  bool enumerator = true;
  for (const char *c = start; c < start + length; c++) {
    bool link = *c == '@' || (*c == ':' && (c[1] == '/' || c[1] == ':'));
    bool special = strchr(anywhere, *c) || (c == start && strchr(at_start, *c)) ||
                   (enumerator && c != start && (*c == '.' || *c == ')') && (c[1] == ' ' || c[1] == '\0'));
    if (!isalnum((unsigned char)*c)) enumerator = false;
    if (special || link) kn_text_add(out, "\\");
    kn_text_add_bytes(out, c, 1);
  }
  if (clean.failure) out->failure = clean.failure;
  kn_text_clear(&clean);
}
