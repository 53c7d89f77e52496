/* The fixed layouts that bare-metal targets use in place of JSON: little-endian, packed. */
#ifndef KENNING_WIRE_PACKED_H
#define KENNING_WIRE_PACKED_H

#include <kenning/iospec.h>

/* IO_SPEC: u32 inputs; u32 dimensions[2]; u32 shapes[2][4]; {u8 code, u8 bits} types[2]; u32 outputs;
 * u32 dimensions[12]; u32 shapes[12][4]; {u8 code, u8 bits} types[12]; char entry_func[20]; char model_name[20].
 * Codes are DLPack's: 0 int, 1 uint, 2 float, 4 bfloat, 6 bool. */
enum { KN_PACKED_INPUTS = 2, KN_PACKED_OUTPUTS = 12, KN_PACKED_RANK = 4, KN_PACKED_NAME = 20, KN_PACKED_IOSPEC = 356 };

/* KN_INCOMPATIBLE for what the layout cannot hold: more tensors or dimensions, open dimensions. Types are those of the
 * compiled model. `model_name` is cut to 19 bytes; the entry function is "module.main". */
kn_status kn_packed_iospec_write(const kn_iospec *spec, const char *model_name,
                                 uint8_t out[KN_PACKED_IOSPEC]) KN_MUST_USE;
/* Inputs and outputs are named "input_0", ... */
kn_status kn_packed_iospec_read(const uint8_t *bytes, size_t count, kn_iospec *out_spec) KN_MUST_USE;

/* STATS: one of two forms. 24 bytes: six u32 of an allocator on a device without an operating system. Otherwise rows of
 * 48 bytes: char name[32]; u64 kind; u64 value. */
typedef enum kn_packed_kind {
  KN_PACKED_PLAIN = 0,
  KN_PACKED_ALLOCATION = 1, /* bytes */
  KN_PACKED_TIME = 2        /* nanoseconds */
} kn_packed_kind;

enum { KN_PACKED_ALLOCATOR = 24, KN_PACKED_ROW = 48, KN_PACKED_ROW_NAME = 32 };

typedef struct kn_packed_row {
  char name[KN_PACKED_ROW_NAME + 1]; /* printable ASCII; other bytes have become '?' */
  kn_packed_kind kind;
  uint64_t value;
} kn_packed_row;

/* Rows in `count` bytes; 0 when they have neither form. */
size_t kn_packed_statistics_count(size_t count);
/* Row `index`; false when its kind is unknown or its name empty. */
bool kn_packed_statistics_row(const uint8_t *bytes, size_t count, size_t index, kn_packed_row *out_row) KN_MUST_USE;

/* Writes a row of KN_PACKED_ROW bytes. */
void kn_packed_statistics_write(const kn_packed_row *row, uint8_t *out);

#endif
