/* Bytes that claim to be a file of torch.save. */
#include "pytorch/state_dict.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *copy = kn_alloc(size);
  if (!copy) return 0;
  memcpy(copy, data, size);
  state_dict state;
  kn_status status = state_dict_parse("fuzz", copy, size, &state);
  /* Faults have one of three codes; all of what is accepted can be read. */
  kn_code code = kn_status_code(status);
  if (code != KN_OK && code != KN_BAD_DATA && code != KN_INCOMPATIBLE && code != KN_OUT_OF_MEMORY) abort();
  kn_status_free(status);
  volatile unsigned char sum = 0;
  for (size_t i = 0; i < state.count; i++)
    for (size_t k = 0; k < state.items[i].bytes; k++)
      sum = (unsigned char)(sum + ((const unsigned char *)state.items[i].data)[k]);
  state_dict_clear(&state);
  return 0;
}
