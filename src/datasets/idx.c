#include "datasets/idx.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <zlib.h>

#include "core/file.h"
#include "core/library.h"

#define FUNCTIONS(X) X(gzdopen) X(gzread) X(gzerror) X(gzclose)

static struct { FUNCTIONS(KN_LIBRARY_POINTER) } zlib;

static const char *const names[] = {FUNCTIONS(KN_LIBRARY_NAME)};

static kn_library library = {
    .file = "libz.so.1", .package = "zlib1g", .names = names, .count = sizeof names / sizeof *names, .table = &zlib};

/* Type code of unsigned bytes in the third byte of the header. */
enum { TYPE_UINT8 = 0x08, PIECE_BYTES = 1 << 20 };

/* Reads up to `bytes`; fewer only at the end of the file. */
static kn_status read_bytes(gzFile file, const char *path, uint8_t *out, size_t bytes, size_t *out_read) {
  *out_read = 0;
  while (*out_read < bytes) {
    size_t left = bytes - *out_read;
    int got = zlib.gzread(file, out + *out_read, (unsigned)(left < PIECE_BYTES ? left : PIECE_BYTES));
    int code = Z_OK;
    const char *reason = zlib.gzerror(file, &code);
    if (code == Z_ERRNO) return kn_status_make_at(KN_IO_ERROR, path, "cannot be read: %s", reason);
    if (code == Z_MEM_ERROR) return kn_status_out_of_memory();
    /* A stream that ends early shows as Z_BUF_ERROR beside what could be read. */
    if (got < 0 || code < 0) return kn_status_make_at(KN_BAD_DATA, path, "damaged compression: %s", reason);
    if (!got) return NULL;
    *out_read += (size_t)got;
  }
  return NULL;
}

static uint32_t big_endian(const uint8_t *at) {
  return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static kn_status read_header(gzFile file, const char *path, kn_idx *idx, uint8_t header[4 + 4 * KN_IDX_MAX_RANK],
                             size_t *out_values) {
  size_t size = 4 + 4 * (size_t)idx->rank, got;
  KN_TRY(read_bytes(file, path, header, size, &got));
  if (got < 4) return kn_status_make_at(KN_BAD_DATA, path, "the file ends inside its header");
  if (header[0] || header[1] || header[2] != TYPE_UINT8 || header[3] != idx->rank)
    return kn_status_make_at(KN_BAD_DATA, path,
                             "this is not an IDX file of bytes with %u dimensions: it starts with %02x %02x %02x %02x "
                             "instead of 00 00 08 %02x",
                             idx->rank, header[0], header[1], header[2], header[3], idx->rank);
  if (got < size) return kn_status_make_at(KN_BAD_DATA, path, "the file ends inside its header");
  *out_values = 1;
  for (uint32_t i = 0; i < idx->rank; i++) {
    idx->shape[i] = big_endian(header + 4 + 4 * (size_t)i);
    if (!kn_mul_size(*out_values, idx->shape[i], out_values) || *out_values > KN_IDX_LIMIT_BYTES)
      return kn_status_make_at(KN_BAD_DATA, path, "the header asks for more than %d MiB of values",
                               KN_IDX_LIMIT_BYTES >> 20);
  }
  if (!*out_values) return kn_status_make_at(KN_BAD_DATA, path, "the file holds no values");
  return NULL;
}

static kn_status read_file(gzFile file, const char *path, kn_idx *idx) {
  uint8_t header[4 + 4 * KN_IDX_MAX_RANK], behind;
  size_t values = 0, got, header_bytes = 4 + 4 * (size_t)idx->rank;
  KN_TRY(read_header(file, path, idx, header, &values));
  idx->bytes = header_bytes + values;
  idx->content = kn_alloc(idx->bytes);
  if (!idx->content) return kn_status_out_of_memory();
  memcpy(idx->content, header, header_bytes);
  idx->values = idx->content + header_bytes;
  KN_TRY(read_bytes(file, path, idx->values, values, &got));
  if (got < values)
    return kn_status_make_at(KN_BAD_DATA, path, "the file ends early: its header says %zu values, there are %zu",
                             values, got);
  /* Also makes zlib check the sum at the end of the stream. */
  KN_TRY(read_bytes(file, path, &behind, 1, &got));
  if (got) return kn_status_make_at(KN_BAD_DATA, path, "the file goes on behind the %zu values of its header", values);
  return NULL;
}

kn_status kn_idx_read(const char *path, uint32_t rank, kn_idx *out_idx) {
  *out_idx = (kn_idx){.rank = rank};
  if (rank < 1 || rank > KN_IDX_MAX_RANK)
    return kn_status_make(KN_INVALID_ARGUMENT, "IDX files of %u dimensions cannot be read", rank);
  KN_TRY(kn_library_use(&library));
  int descriptor;
  KN_TRY(kn_file_open(path, &descriptor));
  gzFile file = zlib.gzdopen(descriptor, "rb");
  if (!file) {
    close(descriptor);
    return kn_status_out_of_memory();
  }
  kn_status status = read_file(file, path, out_idx);
  (void)zlib.gzclose(file);
  if (status) kn_idx_clear(out_idx);
  return status;
}

void kn_idx_clear(kn_idx *idx) {
  kn_free(idx->content);
  *idx = (kn_idx){0};
}
