#include "core/json.h"
#include "core/content.h"
#include "core/number.h"
#include "core/record_json.h"

#include <errno.h>
#include <kenning/services.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAXIMUM_BYTES = 64 << 20, MAXIMUM_DEPTH = 64 };
_Static_assert(MAXIMUM_DEPTH == 64, "the messages say 64");

/* Where the lines after the first begin, so that a place is found without reading all that stands before it. */
static bool find_lines(kn_json *json) {
  size_t count = 0;
  for (size_t i = 0; i < json->length; i++) count += json->text[i] == '\n';
  json->lines = kn_alloc_array(count ? count : 1, sizeof *json->lines);
  if (!json->lines) return false;
  for (size_t i = 0; i < json->length; i++)
    if (json->text[i] == '\n') json->lines[json->line_count++] = i + 1;
  return true;
}

/* Line and column (from 1) of a byte offset in the text. */
static const char *place(const kn_json *json, size_t offset, char out[KN_JSON_WHERE_SIZE]) {
  size_t line = 1, column = 1, characters = 0;
  if (offset > json->length) offset = json->length;
  size_t before = 0, after = json->line_count; /* of the lines, those that begin at or before the offset */
  while (before < after) {
    size_t middle = before + (after - before) / 2;
    if (json->lines[middle] <= offset)
      before = middle + 1;
    else
      after = middle;
  }
  size_t begin = before ? json->lines[before - 1] : 0;
  yyjson_locate_pos(json->text + begin, json->length - begin, offset - begin, &line, &column, &characters);
  snprintf(out, KN_JSON_WHERE_SIZE, "%s:%zu:%zu", json->name, before + line, column);
  return out;
}

/* What is refused before anything is parsed, with its offset, or NULL: nesting that would make readers recurse deeply,
 * and NUL characters, at which C strings would end early. */
static const char *refusal(const char *text, size_t length, size_t *out_offset) {
  size_t depth = 0;
  for (size_t i = 0; i < length; i++) {
    char c = text[i];
    *out_offset = i;
    if (c == '"') {
      for (i++; i < length && text[i] != '"'; i++) {
        if (text[i] != '\\') continue;
        *out_offset = i;
        if (length - i > 5 && !memcmp(text + i, "\\u0000", 6)) return "a string holds a NUL character";
        i++;
      }
    } else if (c == '/' && i + 1 < length && text[i + 1] == '/') {
      while (i < length && text[i] != '\n' && text[i] != '\r') i++;
    } else if (c == '/' && i + 1 < length && text[i + 1] == '*') {
      for (i += 2; i + 1 < length && !(text[i] == '*' && text[i + 1] == '/'); i++) continue;
      i++;
    } else if (c == '{' || c == '[') {
      if (++depth > MAXIMUM_DEPTH) return "brackets are nested more than 64 deep";
    } else if ((c == '}' || c == ']') && depth) {
      depth--;
    }
  }
  return NULL;
}

/* Windows' editors put a byte order mark in front of UTF-8 text, which RFC 8259 lets readers ignore. */
static size_t mark_length(const char *text, size_t length) {
  return length >= 3 && !memcmp(text, "\xef\xbb\xbf", 3) ? 3 : 0;
}

/* Why `text` was not read: `words` and the offset of the fault. */
static kn_status fault_at(const char *name, const char *text, size_t length, size_t offset, const char *words) {
  kn_json json = {.name = (char *)(uintptr_t)name, .text = (char *)(uintptr_t)text, .length = length};
  char where[KN_JSON_WHERE_SIZE];
  return kn_status_make_at(KN_BAD_DATA, place(&json, offset, where), "%s", words);
}

static kn_status parse_fault(const char *name, const char *text, size_t length, const yyjson_read_err *error) {
  if (error->code == YYJSON_READ_ERROR_MEMORY_ALLOCATION) return kn_status_out_of_memory();
  char words[256];
  const char *content = kn_content_of(text, length).words;
  if (!content && memchr(text, '\0', length)) content = "no text";
  bool other = content && error->pos == 0; /* not even the first byte is JSON */
  snprintf(words, sizeof words, "not valid JSON: %s%s", other ? "the file is " : error->msg, other ? content : "");
  return fault_at(name, text, length, error->pos, words);
}

kn_status kn_json_parse(const char *name, const char *text, size_t length, kn_json *out_json) {
  *out_json = (kn_json){0};
  if (length > MAXIMUM_BYTES)
    return kn_status_make_at(KN_BAD_DATA, name, "the file has %zu bytes; a configuration has at most %d", length,
                             MAXIMUM_BYTES);
  size_t offset, mark = mark_length(text, length);
  text += mark;
  length -= mark;
  const char *words = refusal(text, length, &offset);
  if (words) return fault_at(name, text, length, offset, words);
  kn_json json = {.name = kn_strdup(name), .length = length};
  json.text = kn_alloc(length + 1);
  json.buffer = kn_alloc(length + YYJSON_PADDING_SIZE);
  if (!json.name || !json.text || !json.buffer) {
    kn_json_clear(&json);
    return kn_status_out_of_memory();
  }
  memcpy(json.text, text, length);
  memcpy(json.buffer, text, length);
  if (!find_lines(&json)) {
    kn_json_clear(&json);
    return kn_status_out_of_memory();
  }
  yyjson_read_err error;
  json.doc = yyjson_read_opts(
      json.buffer, length,
      YYJSON_READ_INSITU | YYJSON_READ_ALLOW_TRAILING_COMMAS | YYJSON_READ_ALLOW_COMMENTS | YYJSON_READ_NUMBER_AS_RAW,
      &kn_json_allocator, &error);
  if (!json.doc) {
    kn_status status = parse_fault(name, text, length, &error);
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
  kn_free(json->lines);
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
    position = kn_json_key(key) - 1;
  else if (value && value == json->root)
    position = json->buffer + strspn(json->buffer, " \t\r\n");
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
  double number = kn_number_read(text, &end);
  if (end != text + yyjson_get_len(value) || !isfinite(number)) return false;
  *out = number;
  return true;
}

kn_status kn_json_read_plain(const char *path, yyjson_doc **out_doc) {
  *out_doc = NULL;
  char *text;
  size_t length;
  KN_TRY(kn_file_read(path, (size_t)4 << 30, &text, &length));
  size_t offset;
  const char *words = refusal(text, length, &offset);
  kn_status status = words ? fault_at(path, text, length, offset, words) : NULL;
  if (!status) {
    yyjson_read_err error;
    size_t mark = mark_length(text, length);
    *out_doc = yyjson_read_opts(text + mark, length - mark, YYJSON_READ_ALLOW_INF_AND_NAN, &kn_json_allocator, &error);
    if (!*out_doc) status = parse_fault(path, text + mark, length - mark, &error);
  }
  kn_free(text);
  return status;
}
