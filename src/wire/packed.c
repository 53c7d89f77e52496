#include "wire/packed.h"

#include <assert.h>
#include <string.h>

enum {
  INPUT_RANKS = 4,
  INPUT_SHAPES = INPUT_RANKS + 4 * KN_PACKED_INPUTS,
  INPUT_TYPES = INPUT_SHAPES + 4 * KN_PACKED_INPUTS * KN_PACKED_RANK,
  OUTPUTS = INPUT_TYPES + 2 * KN_PACKED_INPUTS,
  OUTPUT_RANKS = OUTPUTS + 4,
  OUTPUT_SHAPES = OUTPUT_RANKS + 4 * KN_PACKED_OUTPUTS,
  OUTPUT_TYPES = OUTPUT_SHAPES + 4 * KN_PACKED_OUTPUTS * KN_PACKED_RANK,
  ENTRY = OUTPUT_TYPES + 2 * KN_PACKED_OUTPUTS,
  MODEL_NAME = ENTRY + KN_PACKED_NAME
};
static_assert(MODEL_NAME + KN_PACKED_NAME == KN_PACKED_IOSPEC, "the layout that targets have");

static void put_u32(uint8_t *out, uint32_t value) {
  for (int i = 0; i < 4; i++) out[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get(const uint8_t *in, int bytes) {
  uint64_t value = 0;
  for (int i = 0; i < bytes; i++) value |= (uint64_t)in[i] << (8 * i);
  return value;
}

/* ---- io specification ---- */

static const struct {
  kn_dtype dtype;
  uint8_t code, bits;
} types[] = {{KN_INT8, 0, 8},     {KN_INT16, 0, 16},    {KN_INT32, 0, 32},  {KN_INT64, 0, 64},   {KN_UINT8, 1, 8},
             {KN_UINT16, 1, 16},  {KN_UINT32, 1, 32},   {KN_UINT64, 1, 64}, {KN_FLOAT16, 2, 16}, {KN_FLOAT32, 2, 32},
             {KN_FLOAT64, 2, 64}, {KN_BFLOAT16, 4, 16}, {KN_BOOL8, 6, 8}};
enum { TYPES = sizeof types / sizeof types[0] };

/* Where the fields of a list lie. */
typedef struct kn_packed_list {
  const char *what;
  size_t count, ranks, shapes, types, limit;
} kn_packed_list;

static const kn_packed_list inputs = {"input", 0, INPUT_RANKS, INPUT_SHAPES, INPUT_TYPES, KN_PACKED_INPUTS};
static const kn_packed_list outputs = {"output", OUTPUTS, OUTPUT_RANKS, OUTPUT_SHAPES, OUTPUT_TYPES, KN_PACKED_OUTPUTS};

static kn_status write_list(const kn_packed_list *at, const kn_iolist *list, uint8_t *out) {
  if (list->count > at->limit)
    return kn_status_make(KN_INCOMPATIBLE, "a target without JSON takes at most %zu %ss; the model has %zu", at->limit,
                          at->what, list->count);
  put_u32(out + at->count, (uint32_t)list->count);
  for (size_t i = 0; i < list->count; i++) {
    const kn_ioentry *entry = &list->entries[i];
    if (entry->rank > KN_PACKED_RANK)
      return kn_status_make(KN_INCOMPATIBLE, "'%s' has %u dimensions; a target without JSON takes at most %d",
                            entry->name, (unsigned)entry->rank, KN_PACKED_RANK);
    put_u32(out + at->ranks + 4 * i, entry->rank);
    for (uint32_t k = 0; k < entry->rank; k++) {
      if (entry->shape[k] < 0 || entry->shape[k] > INT32_MAX)
        return kn_status_make(KN_INCOMPATIBLE, "dimension %u of '%s' is open: a target needs the size", (unsigned)k,
                              entry->name);
      put_u32(out + at->shapes + 4 * (i * KN_PACKED_RANK + k), (uint32_t)entry->shape[k]);
    }
    size_t type = 0;
    while (type < TYPES && types[type].dtype != entry->dtype) type++;
    if (type == TYPES)
      return kn_status_make(KN_INCOMPATIBLE, "'%s' has a type that a target without JSON does not know", entry->name);
    out[at->types + 2 * i] = types[type].code;
    out[at->types + 2 * i + 1] = types[type].bits;
  }
  return NULL;
}

static void put_name(uint8_t *out, const char *name) {
  size_t length = strlen(name);
  memcpy(out, name, length < KN_PACKED_NAME ? length : KN_PACKED_NAME - 1);
}

kn_status kn_packed_iospec_write(const kn_iospec *spec, const char *model_name, uint8_t out[KN_PACKED_IOSPEC]) {
  memset(out, 0, KN_PACKED_IOSPEC);
  KN_TRY(write_list(&inputs, &spec->input, out));
  KN_TRY(write_list(&outputs, &spec->output, out));
  put_name(out + ENTRY, "module.main");
  put_name(out + MODEL_NAME, model_name);
  return NULL;
}

static kn_status read_list(const kn_packed_list *at, const uint8_t *bytes, kn_iolist *list) {
  uint64_t count = get(bytes + at->count, 4);
  if (!count || count > at->limit)
    return kn_status_make(KN_BAD_DATA, "a packed io specification has 1 to %zu %ss, not %llu", at->limit, at->what,
                          (unsigned long long)count);
  for (size_t i = 0; i < count; i++) {
    char name[] = "output_00";
    size_t length = strlen(at->what);
    memcpy(name, at->what, length);
    name[length] = '_';
    name[length + 1] = (char)('0' + i / 10);
    name[length + 2] = (char)('0' + i % 10);
    name[length + 3] = '\0';
    kn_ioentry entry = {.name = name, .order = (int64_t)i, .rank = (uint32_t)get(bytes + at->ranks + 4 * i, 4)};
    if (entry.rank > KN_PACKED_RANK)
      return kn_status_make(KN_BAD_DATA, "a packed io specification has at most %d dimensions", KN_PACKED_RANK);
    for (uint32_t k = 0; k < entry.rank; k++) {
      entry.shape[k] = (int64_t)get(bytes + at->shapes + 4 * (i * KN_PACKED_RANK + k), 4);
      if (entry.shape[k] > INT32_MAX) return kn_status_make(KN_BAD_DATA, "a dimension above 2147483647");
    }
    const uint8_t *type = bytes + at->types + 2 * i;
    for (size_t k = 0; k < TYPES; k++)
      if (types[k].code == type[0] && types[k].bits == type[1]) entry.dtype = types[k].dtype;
    if (!entry.dtype)
      return kn_status_make(KN_BAD_DATA, "an unknown data type: code %u of %u bits", (unsigned)type[0],
                            (unsigned)type[1]);
    KN_TRY(kn_iolist_add(list, &entry));
  }
  return NULL;
}

kn_status kn_packed_iospec_read(const uint8_t *bytes, size_t count, kn_iospec *out_spec) {
  *out_spec = (kn_iospec){0};
  if (count != KN_PACKED_IOSPEC)
    return kn_status_make(KN_BAD_DATA, "a packed io specification has %d bytes, not %zu", KN_PACKED_IOSPEC, count);
  kn_status status = read_list(&inputs, bytes, &out_spec->input);
  if (!status) status = read_list(&outputs, bytes, &out_spec->output);
  if (status) kn_iospec_clear(out_spec);
  return status;
}

/* ---- statistics ---- */

static const char *const allocator[] = {"host_bytes_peak",   "host_bytes_allocated",   "host_bytes_freed",
                                        "device_bytes_peak", "device_bytes_allocated", "device_bytes_freed"};
enum { ALLOCATOR_ROWS = sizeof allocator / sizeof allocator[0] };
static_assert(ALLOCATOR_ROWS * 4 == KN_PACKED_ALLOCATOR, "six numbers");

size_t kn_packed_statistics_count(size_t count) {
  if (count == KN_PACKED_ALLOCATOR) return ALLOCATOR_ROWS;
  return count % KN_PACKED_ROW ? 0 : count / KN_PACKED_ROW;
}

bool kn_packed_statistics_row(const uint8_t *bytes, size_t count, size_t index, kn_packed_row *out_row) {
  *out_row = (kn_packed_row){0};
  if (index >= kn_packed_statistics_count(count)) return false;
  if (count == KN_PACKED_ALLOCATOR) {
    memcpy(out_row->name, allocator[index], strlen(allocator[index]));
    out_row->kind = KN_PACKED_ALLOCATION;
    out_row->value = get(bytes + 4 * index, 4);
    return true;
  }
  const uint8_t *row = bytes + KN_PACKED_ROW * index;
  for (size_t i = 0; i < KN_PACKED_ROW_NAME && row[i]; i++)
    out_row->name[i] = row[i] >= 0x20 && row[i] < 0x7F ? (char)row[i] : '?';
  uint64_t kind = get(row + KN_PACKED_ROW_NAME, 8);
  out_row->value = get(row + KN_PACKED_ROW_NAME + 8, 8);
  if (kind > KN_PACKED_TIME || !out_row->name[0]) return false;
  out_row->kind = (kn_packed_kind)kind;
  return true;
}

void kn_packed_statistics_write(const kn_packed_row *row, uint8_t *out) {
  memset(out, 0, KN_PACKED_ROW);
  memcpy(out, row->name, strnlen(row->name, KN_PACKED_ROW_NAME));
  for (int i = 0; i < 8; i++) {
    out[KN_PACKED_ROW_NAME + i] = (uint8_t)((uint64_t)row->kind >> (8 * i));
    out[KN_PACKED_ROW_NAME + 8 + i] = (uint8_t)(row->value >> (8 * i));
  }
}
