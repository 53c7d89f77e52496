#include "core/json.h"
#include "core/record_json.h"

#include <errno.h>
#include <kenning/services.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAXIMUM_BYTES = 64 << 20, MAXIMUM_DEPTH = 64 };

/* Line and column (from 1) of a byte offset in the text. */
static const char *place(const kn_json *json, size_t offset, char out[KN_JSON_WHERE_SIZE]) {
  size_t line = 1, column = 1, characters = 0;
  if (offset > json->length) offset = json->length;
  yyjson_locate_pos(json->text, json->length, offset, &line, &column, &characters);
  snprintf(out, KN_JSON_WHERE_SIZE, "%s:%zu:%zu", json->name, line, column);
  return out;
}

/* Depth of brackets outside strings and comments, so that deep nesting is refused before anything recurses. */
static bool too_deep(const char *text, size_t length) {
  size_t depth = 0;
  for (size_t i = 0; i < length; i++) {
    char c = text[i];
    if (c == '"') {
      for (i++; i < length && text[i] != '"'; i++)
        if (text[i] == '\\') i++;
    } else if (c == '/' && i + 1 < length && text[i + 1] == '/') {
      while (i < length && text[i] != '\n') i++;
    } else if (c == '/' && i + 1 < length && text[i + 1] == '*') {
      for (i += 2; i + 1 < length && !(text[i] == '*' && text[i + 1] == '/'); i++) continue;
      i++;
    } else if (c == '{' || c == '[') {
      if (++depth > MAXIMUM_DEPTH) return true;
    } else if ((c == '}' || c == ']') && depth) {
      depth--;
    }
  }
  return false;
}

kn_status kn_json_parse(const char *name, const char *text, size_t length, kn_json *out_json) {
  *out_json = (kn_json){0};
  if (length > MAXIMUM_BYTES)
    return kn_status_make_at(KN_BAD_DATA, name, "the file has %zu bytes; a configuration has at most %d", length,
                             MAXIMUM_BYTES);
  if (too_deep(text, length))
    return kn_status_make_at(KN_BAD_DATA, name, "brackets are nested more than %d deep", MAXIMUM_DEPTH);
  kn_json json = {.name = kn_strdup(name), .length = length};
  json.text = kn_alloc(length + 1);
  json.buffer = kn_alloc(length + YYJSON_PADDING_SIZE);
  if (!json.name || !json.text || !json.buffer) {
    kn_json_clear(&json);
    return kn_status_out_of_memory();
  }
  memcpy(json.text, text, length);
  memcpy(json.buffer, text, length);
  yyjson_read_err error;
  json.doc = yyjson_read_opts(json.buffer, length,
                              YYJSON_READ_INSITU | YYJSON_READ_ALLOW_TRAILING_COMMAS | YYJSON_READ_ALLOW_COMMENTS |
                                  YYJSON_READ_NUMBER_AS_RAW,
                              &kn_json_allocator, &error);
  if (!json.doc) {
    char where[KN_JSON_WHERE_SIZE];
    kn_status status = error.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION
                           ? kn_status_out_of_memory()
                           : kn_status_make_at(KN_BAD_DATA, place(&json, error.pos, where), "not valid JSON: %s",
                                               length ? error.msg : "the file is empty");
    kn_json_clear(&json);
    return status;
  }
  json.root = yyjson_doc_get_root(json.doc);
  *out_json = json;
  return NULL;
}

kn_status kn_json_read(const char *path, kn_json *out_json) {
  *out_json = (kn_json){0};
  char *text;
  size_t length;
  KN_TRY(kn_file_read(path, MAXIMUM_BYTES, &text, &length));
  kn_status status = kn_json_parse(path, text, length, out_json);
  kn_free(text);
  return status;
}

void kn_json_clear(kn_json *json) {
  yyjson_doc_free(json->doc);
  kn_free(json->buffer);
  kn_free(json->text);
  kn_free(json->name);
  *json = (kn_json){0};
}

const char *kn_json_where(const kn_json *json, yyjson_val *key, yyjson_val *value, char out[KN_JSON_WHERE_SIZE]) {
  /* Strings and raw numbers point into the buffer; the quote stands one byte before a string. */
  const char *position = NULL;
  if (value && yyjson_is_raw(value))
    position = yyjson_get_raw(value);
  else if (value && yyjson_is_str(value))
    position = yyjson_get_str(value) - 1;
  else if (key)
    position = yyjson_get_str(key) - 1;
  if (!position || position < json->buffer || position > json->buffer + json->length) {
    snprintf(out, KN_JSON_WHERE_SIZE, "%s", json->name);
    return out;
  }
  return place(json, (size_t)(position - json->buffer), out);
}

bool kn_json_int(yyjson_val *value, int64_t *out) {
  if (!yyjson_is_raw(value)) return false;
  const char *text = yyjson_get_raw(value);
  char *end;
  errno = 0;
  long long number = strtoll(text, &end, 10);
  if (errno || end == text) return false;
  if (end != text + yyjson_get_len(value)) { /* "1e3" and "3.0" are integers too when they are whole */
    double real;
    if (!kn_json_number(value, &real) || real != floor(real) || fabs(real) > 9007199254740992.0) return false;
    number = (long long)real;
  }
  *out = number;
  return true;
}

bool kn_json_number(yyjson_val *value, double *out) {
  if (!yyjson_is_raw(value)) return false;
  const char *text = yyjson_get_raw(value);
  char *end;
  double number = strtod(text, &end);
  if (end != text + yyjson_get_len(value) || !isfinite(number)) return false;
  *out = number;
  return true;
}

kn_status kn_json_read_plain(const char *path, yyjson_doc **out_doc) {
  *out_doc = NULL;
  char *text;
  size_t length;
  KN_TRY(kn_file_read(path, (size_t)4 << 30, &text, &length));
  if (too_deep(text, length)) {
    kn_free(text);
    return kn_status_make_at(KN_BAD_DATA, path, "brackets are nested more than %d deep", MAXIMUM_DEPTH);
  }
  yyjson_read_err error;
  yyjson_doc *doc =
      yyjson_read_opts(text, length, YYJSON_READ_ALLOW_INF_AND_NAN, &kn_json_allocator, &error);
  kn_status status = NULL;
  if (!doc) {
    kn_json json = {.name = (char *)(uintptr_t)path, .text = text, .length = length};
    char where[KN_JSON_WHERE_SIZE];
    status = error.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION
                 ? kn_status_out_of_memory()
                 : kn_status_make_at(KN_BAD_DATA, place(&json, error.pos, where), "not valid JSON: %s",
                                     length ? error.msg : "the file is empty");
  }
  kn_free(text);
  *out_doc = doc;
  return status;
}
