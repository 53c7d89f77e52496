/* The declaration of a function, as IREE's compiler writes it into a module for whom will call it:
 *   sync func @main(%input0: tensor<1x4x4x1xf32>, %input1: tensor<?xi64>) -> (%output0: tensor<1x3xf32>) */
#ifndef KN_IREE_DECLARATION_H
#define KN_IREE_DECLARATION_H

#include "api.h"

typedef struct kn_iree_argument {
  char name[64];              /* without '%', cut where longer */
  kenning_iree_tensor tensor; /* -1: an open dimension */
} kn_iree_argument;

typedef struct kn_iree_declaration {
  kn_iree_argument *inputs, *outputs;
  size_t input_count, output_count;
} kn_iree_declaration;

/* Free with kn_iree_declaration_clear, also after a failure. KN_INCOMPATIBLE for what is no tensor, and for types and
 * ranks that are not supported; KN_BAD_DATA for other text. */
kn_status kn_iree_declaration_parse(const char *text, kn_iree_declaration *out_declaration) KN_MUST_USE;
void kn_iree_declaration_clear(kn_iree_declaration *declaration);

#endif
