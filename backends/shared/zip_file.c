#include "zip_file.h"

#include <pthread.h>
#include <string.h>

/* PKWARE's APPNOTE.TXT, sections 4.3.7 to 4.3.16. */
enum { LOCAL = 0x04034b50, CENTRAL = 0x02014b50, END = 0x06054b50, END_64 = 0x06064b50, LOCATOR_64 = 0x07064b50 };
enum {
  LOCAL_BYTES = 30,
  CENTRAL_BYTES = 46,
  END_BYTES = 22,
  END_64_BYTES = 56,
  LOCATOR_64_BYTES = 20,
  COMMENT_MOST = 65535
};

typedef struct archive {
  const char *path;
  const unsigned char *data;
  size_t bytes;
} archive;

static uint64_t number(const unsigned char *at, size_t bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < bytes; i++) value |= (uint64_t)at[i] << (8 * i);
  return value;
}

static kn_status damaged(const archive *a, const char *what) {
  return kn_status_make(KN_BAD_DATA, "%s is a damaged zip archive: %s", a->path, what);
}

bool zip_is(const void *data, size_t bytes) { return bytes >= 4 && number(data, 4) == LOCAL; }

static bool inside(const archive *a, uint64_t place, uint64_t bytes) {
  return place <= a->bytes && bytes <= a->bytes - place;
}

/* Where the list of members is. */
static kn_status find_list(const archive *a, uint64_t *out_place, uint64_t *out_count) {
  if (a->bytes < END_BYTES) return damaged(a, "it is too short");
  size_t place = a->bytes - END_BYTES, least = place > COMMENT_MOST ? place - COMMENT_MOST : 0;
  while (number(a->data + place, 4) != END) {
    if (place == least) return damaged(a, "its end is missing");
    place--;
  }
  *out_count = number(a->data + place + 10, 2);
  *out_place = number(a->data + place + 16, 4);
  if (place < LOCATOR_64_BYTES || number(a->data + place - LOCATOR_64_BYTES, 4) != LOCATOR_64) return NULL;
  uint64_t end = number(a->data + place - LOCATOR_64_BYTES + 8, 8);
  if (!inside(a, end, END_64_BYTES) || number(a->data + end, 4) != END_64)
    return damaged(a, "its 64-bit end is missing");
  *out_count = number(a->data + end + 32, 8);
  *out_place = number(a->data + end + 48, 8);
  return NULL;
}

/* Sizes that do not fit into 32 bits are in an extra field, in this order, each only where it is needed. */
static void widen(const unsigned char *extra, size_t bytes, uint64_t *fields[], size_t count) {
  while (bytes >= 4) {
    size_t kind = (size_t)number(extra, 2), length = (size_t)number(extra + 2, 2);
    if (length > bytes - 4) return;
    if (kind == 1) {
      size_t at = 0;
      for (size_t i = 0; i < count && at + 8 <= length; i++) {
        if (*fields[i] != UINT32_MAX) continue;
        *fields[i] = number(extra + 4 + at, 8);
        at += 8;
      }
    }
    extra += 4 + length;
    bytes -= 4 + length;
  }
}

static kn_status read_member(const archive *a, uint64_t *place, zip_member *out) {
  if (!inside(a, *place, CENTRAL_BYTES) || number(a->data + *place, 4) != CENTRAL)
    return damaged(a, "its list of members is cut");
  const unsigned char *entry = a->data + *place;
  uint64_t whole = number(entry + 24, 4), packed = number(entry + 20, 4), local = number(entry + 42, 4);
  uint64_t name = number(entry + 28, 2), extra = number(entry + 30, 2), comment = number(entry + 32, 2);
  if (!inside(a, *place + CENTRAL_BYTES, name + extra + comment)) return damaged(a, "its list of members is cut");
  out->name = (const char *)entry + CENTRAL_BYTES;
  out->name_length = (size_t)name;
  out->checksum = (uint32_t)number(entry + 16, 4);
  widen(entry + CENTRAL_BYTES + name, (size_t)extra, (uint64_t *[]){&whole, &packed, &local}, 3);
  out->compressed = number(entry + 10, 2) != 0;
  if (!out->compressed && whole != packed) return damaged(a, "a member has two sizes");
  if (number(entry + 8, 2) & 1) return kn_status_make(KN_INCOMPATIBLE, "%s is encrypted", a->path);
  if (!inside(a, local, LOCAL_BYTES) || number(a->data + local, 4) != LOCAL)
    return damaged(a, "a member is not where it should be");
  uint64_t start = local + LOCAL_BYTES + number(a->data + local + 26, 2) + number(a->data + local + 28, 2);
  if (!inside(a, start, packed)) return damaged(a, "a member goes beyond the end");
  out->data = a->data + start;
  out->bytes = (size_t)packed;
  *place += CENTRAL_BYTES + name + extra + comment;
  return NULL;
}

kn_status zip_parse(const char *path, const void *data, size_t bytes, zip_file *out_file) {
  const archive a = {path, data, bytes};
  uint64_t place = 0, count = 0;
  *out_file = (zip_file){0};
  KN_TRY(find_list(&a, &place, &count));
  if (!count) return damaged(&a, "it has no members");
  if (count > bytes / CENTRAL_BYTES) return damaged(&a, "it says that it has more members than fit");
  zip_file file = {.members = kn_alloc_array((size_t)count, sizeof *file.members)};
  if (!file.members) return kn_status_out_of_memory();
  kn_status status = NULL;
  for (; file.count < count && !status; file.count++) status = read_member(&a, &place, &file.members[file.count]);
  if (status)
    zip_clear(&file);
  else
    *out_file = file;
  return status;
}

void zip_clear(zip_file *file) {
  kn_free(file->members);
  *file = (zip_file){0};
}

static const zip_member *find(const zip_file *file, const char *name, bool whole) {
  size_t length = strlen(name);
  for (size_t i = 0; i < file->count; i++) {
    const zip_member *member = &file->members[i];
    if (member->name_length < length || memcmp(member->name + member->name_length - length, name, length) != 0)
      continue;
    size_t rest = member->name_length - length;
    if (!whole || (rest > 0 && memchr(member->name, '/', rest) == member->name + rest - 1)) return member;
  }
  return NULL;
}

const zip_member *zip_find(const zip_file *file, const char *name) { return find(file, name, true); }
const zip_member *zip_find_end(const zip_file *file, const char *end) { return find(file, end, false); }

/* CRC-32 of ISO 3309, eight bytes at a time. */
static uint32_t table[8][256];

static void make_table(void) {
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; bit++) value = value & 1 ? value >> 1 ^ 0xEDB88320u : value >> 1;
    table[0][i] = value;
  }
  for (size_t i = 0; i < 256; i++)
    for (size_t k = 1; k < 8; k++) table[k][i] = table[k - 1][i] >> 8 ^ table[0][table[k - 1][i] & 255];
}

static uint32_t checksum_of(const unsigned char *data, size_t bytes) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  (void)pthread_once(&once, make_table);
  uint32_t sum = UINT32_MAX;
  for (; bytes >= 8; data += 8, bytes -= 8) {
    uint64_t word = number(data, 8) ^ sum;
    sum = 0;
    for (size_t k = 0; k < 8; k++) sum ^= table[7 - k][word >> (8 * k) & 255];
  }
  for (; bytes; bytes--) sum = sum >> 8 ^ table[0][(sum ^ *data++) & 255];
  return ~sum;
}

kn_status zip_verify(const char *path, const zip_member *member) {
  if (member->compressed)
    return kn_status_make(KN_INCOMPATIBLE, "%s: the member %.*s is compressed, which it should not be", path,
                          (int)member->name_length, member->name);
  if (checksum_of(member->data, member->bytes) == member->checksum) return NULL;
  return kn_status_make(KN_BAD_DATA, "%s: the member %.*s is damaged: its checksum is wrong", path,
                        (int)member->name_length, member->name);
}

kn_status zip_verify_all(const char *path, const zip_file *file, bool compressed) {
  for (size_t i = 0; i < file->count; i++)
    if (!compressed || !file->members[i].compressed) KN_TRY(zip_verify(path, &file->members[i]));
  return NULL;
}
