#include "archive.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
  END_BYTES = 22,     /* end of central directory, at the end of the file */
  LOCATOR_BYTES = 20, /* in front of it: where the zip64 end is */
  END64_BYTES = 56,
  ENTRY_BYTES = 46,
  HEADER_BYTES = 30,
  EXTRA_64 = 1,
  SLICES = 8
};

typedef struct archive {
  const char *path;
  const uint8_t *data;
  size_t bytes;
} archive;

static uint64_t integer(const uint8_t *at, unsigned bytes) {
  uint64_t value = 0;
  for (unsigned i = bytes; i--;) value = value << 8 | at[i];
  return value;
}

/* ---- CRC-32 (ISO 3309, reversed polynomial), eight bytes at a time: M. Kounavis, F. Berry, "A Systematic Approach to
 * Building High Performance, Software-based, CRC Generators", 2005 ---- */

static void make_tables(uint32_t tables[SLICES][256]) {
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t rest = i;
    for (int bit = 0; bit < 8; bit++) rest = rest >> 1 ^ (rest & 1 ? 0xEDB88320u : 0);
    tables[0][i] = rest;
  }
  for (int k = 1; k < SLICES; k++)
    for (uint32_t i = 0; i < 256; i++) tables[k][i] = tables[k - 1][i] >> 8 ^ tables[0][tables[k - 1][i] & 255];
}

static uint32_t sum_of(const uint8_t *data, size_t bytes, uint32_t tables[SLICES][256]) {
  uint32_t sum = UINT32_MAX;
  for (; bytes >= SLICES; bytes -= SLICES, data += SLICES) {
    uint32_t low = sum ^ (uint32_t)integer(data, 4);
    sum = tables[3][data[4]] ^ tables[2][data[5]] ^ tables[1][data[6]] ^ tables[0][data[7]];
    for (int i = 0; i < 4; i++) sum ^= tables[7 - i][low >> 8 * i & 255];
  }
  for (; bytes; bytes--) sum = sum >> 8 ^ tables[0][(sum ^ *data++) & 255];
  return ~sum;
}

/* ---- the directory ---- */

static kn_status damaged(const archive *a, const char *what) {
  return kn_status_make(KN_BAD_DATA, "%s is damaged: %s; compile the module again", a->path, what);
}

static const uint8_t *part(const archive *a, uint64_t offset, uint64_t bytes) {
  return offset <= a->bytes && bytes <= a->bytes - offset ? a->data + offset : NULL;
}

/* The directory's place; 32-bit fields that are all ones are told by the zip64 end. */
static kn_status find_directory(const archive *a, uint64_t *out_offset, uint64_t *out_count) {
  const uint8_t *end = a->bytes >= END_BYTES ? a->data + a->bytes - END_BYTES : NULL;
  if (!end || memcmp(end, "PK\5\6", 4) != 0) return damaged(a, "its end is missing");
  *out_count = integer(end + 10, 2);
  *out_offset = integer(end + 16, 4);
  if (*out_offset != UINT32_MAX && *out_count != UINT16_MAX) return NULL;
  const uint8_t *locator = a->bytes >= END_BYTES + LOCATOR_BYTES ? end - LOCATOR_BYTES : NULL;
  if (!locator || memcmp(locator, "PK\6\7", 4) != 0) return damaged(a, "the end of its directory is missing");
  const uint8_t *end64 = part(a, integer(locator + 8, 8), END64_BYTES);
  if (!end64 || memcmp(end64, "PK\6\6", 4) != 0) return damaged(a, "the end of its directory is elsewhere");
  *out_count = integer(end64 + 32, 8);
  *out_offset = integer(end64 + 48, 8);
  return NULL;
}

typedef struct member {
  const uint8_t *name;
  unsigned name_bytes, method;
  uint64_t bytes, offset;
  uint32_t sum;
} member;

/* Takes sizes and place that do not fit into 32 bits from the extra fields, where they stand in this order. */
static void read_extra(const uint8_t *extra, size_t bytes, uint64_t packed, member *m) {
  while (bytes >= 4) {
    size_t length = (size_t)integer(extra + 2, 2);
    const uint8_t *at = extra + 4;
    if (length > bytes - 4) return;
    if (integer(extra, 2) == EXTRA_64) {
      const uint8_t *end = at + length;
      if (m->bytes == UINT32_MAX && end - at >= 8) m->bytes = integer(at, 8), at += 8;
      if (packed == UINT32_MAX && end - at >= 8) at += 8;
      if (m->offset == UINT32_MAX && end - at >= 8) m->offset = integer(at, 8);
    }
    extra += 4 + length;
    bytes -= 4 + length;
  }
}

/* The entry at *at, which moves behind it. */
static kn_status read_entry(const archive *a, uint64_t *at, member *out) {
  const uint8_t *entry = part(a, *at, ENTRY_BYTES);
  if (!entry || memcmp(entry, "PK\1\2", 4) != 0) return damaged(a, "an entry of its directory is missing");
  size_t name = (size_t)integer(entry + 28, 2), extra = (size_t)integer(entry + 30, 2);
  size_t comment = (size_t)integer(entry + 32, 2);
  if (!part(a, *at + ENTRY_BYTES, name + extra + comment)) return damaged(a, "an entry of its directory is cut");
  *out = (member){.name = entry + ENTRY_BYTES,
                  .name_bytes = (unsigned)name,
                  .method = (unsigned)integer(entry + 10, 2),
                  .sum = (uint32_t)integer(entry + 16, 4),
                  .bytes = integer(entry + 24, 4),
                  .offset = integer(entry + 42, 4)};
  read_extra(entry + ENTRY_BYTES + name, extra, integer(entry + 20, 4), out);
  *at += ENTRY_BYTES + name + extra + comment;
  return NULL;
}

static kn_status check_member(const archive *a, const member *m, uint32_t tables[SLICES][256]) {
  const uint8_t *header = part(a, m->offset, HEADER_BYTES), *data = NULL;
  if (header && !memcmp(header, "PK\3\4", 4))
    data = part(a, m->offset + HEADER_BYTES + integer(header + 26, 2) + integer(header + 28, 2), m->bytes);
  int length = (int)(m->name_bytes < 100 ? m->name_bytes : 100);
  if (!data || m->method != 0)
    return kn_status_make(KN_BAD_DATA,
                          "%s is damaged: its member '%.*s' is not where it should be; compile the module "
                          "again",
                          a->path, length, (const char *)m->name);
  if (sum_of(data, (size_t)m->bytes, tables) != m->sum)
    return kn_status_make(KN_BAD_DATA,
                          "%s is damaged: its member '%.*s' is not what was written (its CRC-32 differs); compile the "
                          "module again",
                          a->path, length, (const char *)m->name);
  return NULL;
}

static kn_status check(const archive *a) {
  uint32_t tables[SLICES][256];
  uint64_t at, count;
  member m;
  make_tables(tables);
  KN_TRY(find_directory(a, &at, &count));
  for (uint64_t i = 0; i < count; i++) {
    KN_TRY(read_entry(a, &at, &m));
    KN_TRY(check_member(a, &m, tables));
  }
  return count ? NULL : damaged(a, "it is empty");
}

kn_status kn_iree_archive_check(const char *path) {
  archive a = {.path = path};
  struct stat found;
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return kn_status_make(errno == ENOENT ? KN_NOT_FOUND : KN_IO_ERROR, "%s: %s", path, strerror(errno));
  void *data = MAP_FAILED;
  if (fstat(file, &found) == 0 && found.st_size > 0) {
    a.bytes = (size_t)found.st_size;
    data = mmap(NULL, a.bytes, PROT_READ, MAP_PRIVATE, file, 0);
  }
  close(file);
  if (data == MAP_FAILED) return damaged(&a, "it cannot be mapped");
  a.data = data;
  kn_status status = check(&a);
  munmap(data, a.bytes);
  return status;
}
