/* JSON is UTF-8; file names and command lines are any bytes. */
#ifndef KENNING_MEASUREMENTS_UNICODE_H
#define KENNING_MEASUREMENTS_UNICODE_H

#include <kenning/status.h>
#include <yyjson.h>

/* Bytes of the valid UTF-8 character that `text` begins with, 0 when there is none. */
size_t kn_utf8_length(const char *text, size_t bytes);
/* Replaces every byte that belongs to no valid character by U+FFFD, in all strings and keys below `value`. */
kn_status kn_utf8_repair(yyjson_mut_doc *doc, yyjson_mut_val *value) KN_MUST_USE;

#endif
