#include "archive.h"

#include <string.h>

/* POSIX.1-1988 (ustar) header: name, mode, uid, gid, size, mtime, checksum, type, ... */
enum {
  BLOCK = 512,
  NAME = 100,
  SIZE_AT = 124,
  SIZE_DIGITS = 12,
  SUM_AT = 148,
  SUM_DIGITS = 8,
  TYPE_AT = 156,
  MAGIC_AT = 257
};

static bool octal(const char *text, size_t digits, uint64_t *out_value) {
  uint64_t value = 0;
  size_t i = 0;
  while (i < digits && text[i] == ' ') i++;
  size_t first = i;
  for (; i < digits && text[i] >= '0' && text[i] <= '7'; i++) value = value * 8 + (uint64_t)(text[i] - '0');
  *out_value = value;
  return i > first && (i == digits || text[i] == '\0' || text[i] == ' ');
}

bool kn_tvm_archive_is(const char *bytes, size_t count) {
  return count >= BLOCK && !memcmp(bytes + MAGIC_AT, "ustar", 5);
}

static bool blank(const char *block) {
  for (size_t i = 0; i < BLOCK; i++)
    if (block[i]) return false;
  return true;
}

static bool sum_is_right(const char *header) {
  uint64_t wanted, sum = 0;
  if (!octal(header + SUM_AT, SUM_DIGITS, &wanted)) return false;
  for (size_t i = 0; i < BLOCK; i++) sum += i >= SUM_AT && i < SUM_AT + SUM_DIGITS ? ' ' : (unsigned char)header[i];
  return sum == wanted;
}

kn_status kn_tvm_archive_next(const char *bytes, size_t count, size_t *at, kn_tvm_member *out_member) {
  *out_member = (kn_tvm_member){0};
  for (;;) {
    if (*at > count || count - *at < BLOCK) return kn_status_make(KN_BAD_DATA, "the archive is cut off");
    const char *header = bytes + *at;
    if (blank(header)) {
      if (count - *at < 2 * (size_t)BLOCK || !blank(header + BLOCK))
        return kn_status_make(KN_BAD_DATA, "the archive is cut off");
      return NULL;
    }
    uint64_t size;
    if (!sum_is_right(header) || !octal(header + SIZE_AT, SIZE_DIGITS, &size))
      return kn_status_make(KN_BAD_DATA, "the archive is damaged at byte %zu", *at);
    size_t left = count - *at - BLOCK;
    if (size > left) return kn_status_make(KN_BAD_DATA, "the archive is cut off");
    size_t padded = ((size_t)size + BLOCK - 1) / BLOCK * BLOCK;
    *at += BLOCK + (padded > left ? left : padded);
    char type = header[TYPE_AT];
    if (type != '0' && type != '\0') continue;
    memcpy(out_member->name, header, NAME);
    out_member->data = header + BLOCK;
    out_member->bytes = (size_t)size;
    return NULL;
  }
}

kn_status kn_tvm_archive_find(const char *bytes, size_t count, const char *name, kn_tvm_member *out_member) {
  kn_tvm_member found = {0};
  size_t at = 0;
  for (;;) {
    KN_TRY(kn_tvm_archive_next(bytes, count, &at, out_member));
    if (!out_member->data) break;
    if (!strcmp(out_member->name, name)) found = *out_member;
  }
  *out_member = found;
  return NULL;
}
