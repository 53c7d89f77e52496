/* Bounded reading of a FlatBuffer: tables, vectors and strings by offset, each checked against the end of the data.
 * Format: "FlatBuffers internals" (little-endian; offsets are unsigned 32 bit, relative to where they stand).
 *
 * The first fault is kept in the reader and every later call returns nothing (0, an absent table, an empty vector), so
 * callers read on and look at `fault` where it matters. Nothing is allocated; nothing outside the data is read. */
#ifndef KN_SHARED_FLATBUFFER_H
#define KN_SHARED_FLATBUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct kn_flat {
  const uint8_t *data;
  size_t bytes;
  /* Elements that may still be visited. Tables may share their parts, so that a small file can describe an endless
   * walk; honest files share next to nothing. */
  uint64_t budget;
  const char *fault; /* NULL: none yet */
  size_t fault_at;   /* offset in the data */
} kn_flat;

typedef struct kn_flat_table {
  size_t at; /* 0: absent */
  size_t vtable;
  uint16_t vtable_bytes, table_bytes;
} kn_flat_table;

typedef struct kn_flat_vector {
  size_t at; /* of the first element; meaningless when count is 0 */
  size_t count;
} kn_flat_vector;

void kn_flat_init(kn_flat *flat, const void *data, size_t bytes);
void kn_flat_fail(kn_flat *flat, size_t at, const char *fault);
/* Charges the budget with work of the caller's; false, with a fault, when it is used up. */
bool kn_flat_spend(kn_flat *flat, size_t at, uint64_t elements);

/* The table at the start; faults when the four letters of the file identifier differ (NULL: not looked at). */
kn_flat_table kn_flat_root(kn_flat *flat, const char identifier[4]);

/* Fields by their number. A field that is not there gives `missing`, an absent table, an empty vector or NULL. */
uint8_t kn_flat_u8(kn_flat *flat, kn_flat_table table, unsigned field, uint8_t missing);
int32_t kn_flat_i32(kn_flat *flat, kn_flat_table table, unsigned field, int32_t missing);
uint32_t kn_flat_u32(kn_flat *flat, kn_flat_table table, unsigned field, uint32_t missing);
uint64_t kn_flat_u64(kn_flat *flat, kn_flat_table table, unsigned field, uint64_t missing);
kn_flat_table kn_flat_table_field(kn_flat *flat, kn_flat_table table, unsigned field);
/* NUL-terminated text inside the data. */
const char *kn_flat_string(kn_flat *flat, kn_flat_table table, unsigned field);
/* A vector whose elements are `element_bytes` long and visited one by one (it is charged to the budget). */
kn_flat_vector kn_flat_vector_field(kn_flat *flat, kn_flat_table table, unsigned field, size_t element_bytes);
/* A vector of bytes that are not looked at: only its bounds are checked. */
kn_flat_vector kn_flat_bytes_field(kn_flat *flat, kn_flat_table table, unsigned field);
/* A vector of tables. */
kn_flat_vector kn_flat_tables_field(kn_flat *flat, kn_flat_table table, unsigned field);

/* Elements; `index` < count. */
kn_flat_table kn_flat_table_at(kn_flat *flat, kn_flat_vector vector, size_t index);
int32_t kn_flat_i32_at(const kn_flat *flat, kn_flat_vector vector, size_t index);
uint32_t kn_flat_u32_at(const kn_flat *flat, kn_flat_vector vector, size_t index);
int64_t kn_flat_i64_at(const kn_flat *flat, kn_flat_vector vector, size_t index);
float kn_flat_f32_at(const kn_flat *flat, kn_flat_vector vector, size_t index);

#endif
