/* What an OpenVINO IR holds, read off its .xml. */
#ifndef KN_VINO_IR_FILE_H
#define KN_VINO_IR_FILE_H

#include <kenning/services.h>

typedef struct kn_vino_ir_census {
  size_t layers;            /* but constants, parameters and results */
  size_t fake_quantize;     /* layers that round values to a grid: what an integer kernel is made of */
  size_t weighted;          /* convolutions and matrix products */
  size_t integer_constants; /* of 8 bits */
} kn_vino_ir_census;

/* Whether layers and weights are whole: KN_BAD_DATA with what is cut off, KN_NOT_FOUND without weights. */
kn_status kn_vino_ir_check(const char *path) KN_MUST_USE;

/* KN_BAD_DATA when the file is no IR. */
kn_status kn_vino_ir_count(const char *path, kn_vino_ir_census *out_census) KN_MUST_USE;

/* Puts the IR `temporary` (.xml, with its weights beside it) in the place of `path`: both files or none. The old model
 * goes first, so that never one's layers stand beside another's weights. Removes `temporary` when it fails. */
kn_status kn_vino_ir_publish(const char *temporary, const char *path) KN_MUST_USE;
/* Removes both files; missing ones are fine. */
void kn_vino_ir_remove(const char *path);

#endif
