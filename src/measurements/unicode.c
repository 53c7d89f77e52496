#include "measurements/unicode.h"

#include <string.h>

size_t kn_utf8_length(const char *text, size_t bytes) {
  const unsigned char *c = (const unsigned char *)text;
  if (!bytes) return 0;
  if (c[0] < 0x80) return 1;
  size_t length = c[0] >= 0xc2 && c[0] < 0xe0   ? 2
                  : c[0] >= 0xe0 && c[0] < 0xf0 ? 3
                  : c[0] >= 0xf0 && c[0] < 0xf5 ? 4
                                                : 0;
  if (!length || bytes < length) return 0;
  for (size_t i = 1; i < length; i++)
    if ((c[i] & 0xc0) != 0x80) return 0;
  /* Overlong forms, surrogates, beyond U+10FFFF (RFC 3629, section 4). */
  if ((c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xed && c[1] > 0x9f) || (c[0] == 0xf0 && c[1] < 0x90) ||
      (c[0] == 0xf4 && c[1] > 0x8f))
    return 0;
  return length;
}

static kn_status repair_string(yyjson_mut_doc *doc, yyjson_mut_val *value) {
  const char *text = yyjson_mut_get_str(value);
  size_t bytes = yyjson_mut_get_len(value), valid = 0, room;
  while (valid < bytes && kn_utf8_length(text + valid, bytes - valid))
    valid += kn_utf8_length(text + valid, bytes - valid);
  if (valid == bytes) return NULL;
  char *fixed = kn_mul_size(bytes, 3, &room) ? kn_alloc(room) : NULL;
  if (!fixed) return kn_status_out_of_memory();
  size_t used = 0;
  for (size_t i = 0; i < bytes;) {
    size_t length = kn_utf8_length(text + i, bytes - i);
    memcpy(fixed + used, length ? text + i : "\xef\xbf\xbd", length ? length : 3);
    used += length ? length : 3;
    i += length ? length : 1;
  }
  yyjson_mut_val *copy = yyjson_mut_strncpy(doc, fixed, used);
  kn_free(fixed);
  if (!copy) return kn_status_out_of_memory();
  yyjson_mut_set_strn(value, yyjson_mut_get_str(copy), used);
  return NULL;
}

/* Recursion: the documents come from this program and from JSON files of limited depth. */
kn_status kn_utf8_repair(yyjson_mut_doc *doc, yyjson_mut_val *value) {
  if (yyjson_mut_is_str(value)) return repair_string(doc, value);
  size_t i, count;
  yyjson_mut_val *key, *item;
  if (yyjson_mut_is_arr(value)) {
    yyjson_mut_arr_foreach(value, i, count, item) KN_TRY(kn_utf8_repair(doc, item));
  } else if (yyjson_mut_is_obj(value)) {
    yyjson_mut_obj_foreach(value, i, count, key, item) {
      KN_TRY(repair_string(doc, key));
      KN_TRY(kn_utf8_repair(doc, item));
    }
  }
  return NULL;
}
