/* How tensors lie in the payload of DATA and OUTPUT: one behind the other in the order of the io specification,
 * compact, row-major, little-endian. A quantized input travels as the values before quantization, an output as the
 * values after dequantization. */
#ifndef KENNING_WIRE_IOLAYOUT_H
#define KENNING_WIRE_IOLAYOUT_H

#include <kenning/iospec.h>

typedef struct kn_iolayout {
  kn_tensor_view
      *views;      /* `data` is NULL; `bytes`, dtype and shape are set; in the order of the specification's list */
  size_t *offsets; /* of each view in the payload, which is sorted by `order` */
  size_t count;
  size_t bytes; /* of the whole payload */
} kn_iolayout;

/* Lays out a list of inputs or outputs; open dimensions are KN_INCOMPATIBLE, as is a payload above `limit` bytes. */
kn_status kn_iolayout_create(const kn_iolist *list, size_t limit, kn_iolayout *out_layout) KN_MUST_USE;
/* A zeroed layout is allowed. */
void kn_iolayout_clear(kn_iolayout *layout);
/* Lets the views point into `payload`, which has `bytes` bytes. */
void kn_iolayout_place(kn_iolayout *layout, void *payload);

#endif
