#include "flatbuffer.h"

#include <string.h>

void kn_flat_init(kn_flat *flat, const void *data, size_t bytes) {
  *flat = (kn_flat){.data = data, .bytes = bytes, .budget = 4096 + 4 * (uint64_t)bytes};
}

void kn_flat_fail(kn_flat *flat, size_t at, const char *fault) {
  if (flat->fault) return;
  flat->fault = fault;
  flat->fault_at = at;
}

/* ---- little-endian numbers; the caller has checked that they lie inside ---- */

static uint64_t load(const kn_flat *flat, size_t at, size_t bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < bytes; i++) value |= (uint64_t)flat->data[at + i] << (8 * i);
  return value;
}

static bool inside(const kn_flat *flat, size_t at, size_t bytes) {
  return at <= flat->bytes && bytes <= flat->bytes - at;
}

bool kn_flat_spend(kn_flat *flat, size_t at, uint64_t elements) {
  if (flat->fault) return false;
  if (elements > flat->budget) {
    kn_flat_fail(flat, at, "the same parts are used over and over");
    return false;
  }
  flat->budget -= elements;
  return true;
}

/* ---- tables ---- */

/* Where the offset at `at` leads, 0 on a fault. */
static size_t follow(kn_flat *flat, size_t at) {
  if (flat->fault) return 0;
  if (!inside(flat, at, 4)) {
    kn_flat_fail(flat, at, "an offset lies behind the end of the file");
    return 0;
  }
  size_t offset = (size_t)load(flat, at, 4);
  if (offset == 0 || offset > flat->bytes - at) {
    kn_flat_fail(flat, at, "an offset leads behind the end of the file");
    return 0;
  }
  if ((at + offset) % 4) {
    kn_flat_fail(flat, at, "an offset leads to a place that is not aligned");
    return 0;
  }
  return at + offset;
}

static kn_flat_table open_table(kn_flat *flat, size_t at) {
  kn_flat_table table = {0};
  if (!at || !kn_flat_spend(flat, at, 1)) return table;
  if (!inside(flat, at, 4)) {
    kn_flat_fail(flat, at, "a table lies behind the end of the file");
    return table;
  }
  /* The distance to the vtable is signed and counted backwards. */
  int64_t vtable = (int64_t)at - (int32_t)(uint32_t)load(flat, at, 4);
  if (vtable < 0 || !inside(flat, (size_t)vtable, 4) || vtable % 2) {
    kn_flat_fail(flat, at, "a table's list of fields lies outside the file");
    return table;
  }
  uint16_t vtable_bytes = (uint16_t)load(flat, (size_t)vtable, 2);
  uint16_t table_bytes = (uint16_t)load(flat, (size_t)vtable + 2, 2);
  if (vtable_bytes < 4 || vtable_bytes % 2 || !inside(flat, (size_t)vtable, vtable_bytes)) {
    kn_flat_fail(flat, (size_t)vtable, "a table's list of fields has an impossible length");
    return table;
  }
  if (table_bytes < 4 || !inside(flat, at, table_bytes)) {
    kn_flat_fail(flat, (size_t)vtable, "a table has an impossible length");
    return table;
  }
  return (kn_flat_table){.at = at, .vtable = (size_t)vtable, .vtable_bytes = vtable_bytes, .table_bytes = table_bytes};
}

kn_flat_table kn_flat_root(kn_flat *flat, const char identifier[4]) {
  if (identifier && (!inside(flat, 0, 8) || memcmp(flat->data + 4, identifier, 4))) {
    kn_flat_fail(flat, 4, "the file identifier is missing");
    return (kn_flat_table){0};
  }
  return open_table(flat, follow(flat, 0));
}

/* Place of a field of `bytes` bytes, 0 when it is not there. */
static size_t place(kn_flat *flat, kn_flat_table table, unsigned field, size_t bytes) {
  if (flat->fault || !table.at || 4 + 2 * (size_t)field + 2 > table.vtable_bytes) return 0;
  size_t offset = (size_t)load(flat, table.vtable + 4 + 2 * (size_t)field, 2);
  if (!offset) return 0;
  if (offset < 4 || offset + bytes > table.table_bytes) {
    kn_flat_fail(flat, table.at, "a field lies outside its table");
    return 0;
  }
  return table.at + offset;
}

uint8_t kn_flat_u8(kn_flat *flat, kn_flat_table table, unsigned field, uint8_t missing) {
  size_t at = place(flat, table, field, 1);
  return at ? (uint8_t)load(flat, at, 1) : missing;
}

int32_t kn_flat_i32(kn_flat *flat, kn_flat_table table, unsigned field, int32_t missing) {
  return (int32_t)kn_flat_u32(flat, table, field, (uint32_t)missing);
}

uint32_t kn_flat_u32(kn_flat *flat, kn_flat_table table, unsigned field, uint32_t missing) {
  size_t at = place(flat, table, field, 4);
  return at ? (uint32_t)load(flat, at, 4) : missing;
}

uint64_t kn_flat_u64(kn_flat *flat, kn_flat_table table, unsigned field, uint64_t missing) {
  size_t at = place(flat, table, field, 8);
  return at ? load(flat, at, 8) : missing;
}

kn_flat_table kn_flat_table_field(kn_flat *flat, kn_flat_table table, unsigned field) {
  size_t at = place(flat, table, field, 4);
  return at ? open_table(flat, follow(flat, at)) : (kn_flat_table){0};
}

/* ---- vectors ---- */

static kn_flat_vector vector_field(kn_flat *flat, kn_flat_table table, unsigned field, size_t element_bytes) {
  kn_flat_vector vector = {0};
  size_t at = place(flat, table, field, 4);
  at = at ? follow(flat, at) : 0;
  if (!at) return vector;
  if (!inside(flat, at, 4)) {
    kn_flat_fail(flat, at, "a vector lies behind the end of the file");
    return vector;
  }
  size_t count = (size_t)load(flat, at, 4);
  if (count > (flat->bytes - at - 4) / element_bytes) {
    kn_flat_fail(flat, at, "a vector runs past the end of the file");
    return vector;
  }
  return (kn_flat_vector){.at = at + 4, .count = count};
}

kn_flat_vector kn_flat_vector_field(kn_flat *flat, kn_flat_table table, unsigned field, size_t element_bytes) {
  kn_flat_vector vector = vector_field(flat, table, field, element_bytes);
  return kn_flat_spend(flat, vector.at, vector.count) ? vector : (kn_flat_vector){0};
}

kn_flat_vector kn_flat_bytes_field(kn_flat *flat, kn_flat_table table, unsigned field) {
  return vector_field(flat, table, field, 1);
}

kn_flat_vector kn_flat_tables_field(kn_flat *flat, kn_flat_table table, unsigned field) {
  return kn_flat_vector_field(flat, table, field, 4);
}

const char *kn_flat_string(kn_flat *flat, kn_flat_table table, unsigned field) {
  kn_flat_vector text = vector_field(flat, table, field, 1);
  if (!text.at) return NULL;
  if (!inside(flat, text.at + text.count, 1) || flat->data[text.at + text.count]) {
    kn_flat_fail(flat, text.at, "a text does not end");
    return NULL;
  }
  return (const char *)flat->data + text.at;
}

kn_flat_table kn_flat_table_at(kn_flat *flat, kn_flat_vector vector, size_t index) {
  return open_table(flat, follow(flat, vector.at + 4 * index));
}

int32_t kn_flat_i32_at(const kn_flat *flat, kn_flat_vector vector, size_t index) {
  return (int32_t)(uint32_t)load(flat, vector.at + 4 * index, 4);
}

uint32_t kn_flat_u32_at(const kn_flat *flat, kn_flat_vector vector, size_t index) {
  return (uint32_t)load(flat, vector.at + 4 * index, 4);
}

int64_t kn_flat_i64_at(const kn_flat *flat, kn_flat_vector vector, size_t index) {
  return (int64_t)load(flat, vector.at + 8 * index, 8);
}

float kn_flat_f32_at(const kn_flat *flat, kn_flat_vector vector, size_t index) {
  uint32_t bits = kn_flat_u32_at(flat, vector, index);
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}
