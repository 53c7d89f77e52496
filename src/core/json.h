/* JSON text with positions: every value of a document knows its "file:line:column". Comments, trailing commas and a
 * byte order mark in front are accepted; duplicate keys are reported by the users of objects. Nesting is limited to 64,
 * size to 64 MiB. */
#ifndef KENNING_CORE_JSON_H
#define KENNING_CORE_JSON_H

#include <kenning/status.h>
#include <yyjson.h>

typedef struct kn_json {
  char *name; /* shown in messages */
  char *text; /* as read */
  size_t length;
  size_t *lines; /* offsets of the lines after the first */
  size_t line_count;
  char *buffer;    /* parsed in place: strings and raw numbers of the values point into it */
  yyjson_doc *doc; /* numbers are kept raw: use kn_json_int / kn_json_number */
  yyjson_val *root;
} kn_json;

kn_status kn_json_read(const char *path, kn_json *out_json) KN_MUST_USE;
/* Copies `text`. */
kn_status kn_json_parse(const char *name, const char *text, size_t length, kn_json *out_json) KN_MUST_USE;
void kn_json_clear(kn_json *json);

enum { KN_JSON_WHERE_SIZE = 512 };
/* "file:line:column" of a value (of its key where the value is a container; NULL key allowed). Writes into `out` and
 * returns it. */
const char *kn_json_where(const kn_json *json, yyjson_val *key, yyjson_val *value, char out[KN_JSON_WHERE_SIZE]);

/* The name of a member of an object, which is always a string. */
static inline const char *kn_json_key(yyjson_val *key) { return unsafe_yyjson_get_str(key); }

/* Value of a number (raw); false when it is none or does not fit. */
bool kn_json_int(yyjson_val *value, int64_t *out);
bool kn_json_number(yyjson_val *value, double *out);

/* Measurement-sized files (up to 4 GiB) without positions: numbers are parsed. Free with yyjson_doc_free. */
kn_status kn_json_read_plain(const char *path, yyjson_doc **out_doc) KN_MUST_USE;

#endif
