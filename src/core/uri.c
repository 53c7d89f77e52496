#include "core/uri.h"

#include <string.h>
#include <strings.h>

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

static size_t scheme_length(const char *text) {
  if (!is_letter(*text)) return 0;
  size_t length = 1;
  while (is_letter(text[length]) || (text[length] >= '0' && text[length] <= '9') || strchr("+-.", text[length])) {
    if (!text[length]) return 0;
    length++;
  }
  return strncmp(text + length, "://", 3) ? 0 : length;
}

bool kn_uri_is(const char *text) { return scheme_length(text) > 0; }

bool kn_uri_has_scheme(const char *uri, const char *scheme) {
  size_t length = scheme_length(uri);
  return length && length == strlen(scheme) && !strncasecmp(uri, scheme, length);
}

static int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Decodes in place; false for a '%' without two digits, and for an encoded NUL. */
static bool decode(char *text) {
  char *out = text;
  for (const char *in = text; *in; out++) {
    if (*in != '%') {
      *out = *in++;
      continue;
    }
    int high = digit(in[1]), low = high < 0 ? -1 : digit(in[2]);
    if (low < 0 || !(high | low)) return false;
    *out = (char)(high << 4 | low);
    in += 3;
  }
  *out = '\0';
  return true;
}

kn_status kn_uri_local_path(const char *text, char **out_path) {
  *out_path = NULL;
  bool is_file = kn_uri_has_scheme(text, "file");
  if (!is_file && kn_uri_is(text)) return NULL;
  const char *path = is_file ? text + strlen("file://") : text;
  if (is_file && !strncasecmp(path, "localhost/", 10)) path += strlen("localhost");
  if (is_file && *path != '/')
    return kn_status_make(KN_INVALID_ARGUMENT, "%s: a file URI takes an absolute path: file:///home/me/model.h5", text);
  char *copy = kn_strdup(path);
  if (!copy) return kn_status_out_of_memory();
  if (is_file && !decode(copy)) {
    kn_free(copy);
    return kn_status_make(KN_INVALID_ARGUMENT, "%s: '%%' must be followed by two hexadecimal digits, and not by 00",
                          text);
  }
  *out_path = copy;
  return NULL;
}
