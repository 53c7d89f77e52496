/* Bytes that claim to be a file of MXNet's arrays, and then to be a graph. */
#include <stdlib.h>

#include "mxnet/ndarray_file.h"
#include "mxnet/symbol_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(kn_status status) {
  kn_code code = kn_status_code(status);
  if (code != KN_OK && code != KN_BAD_DATA && code != KN_INCOMPATIBLE) abort();
  kn_status_free(status);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  ndarray_list list;
  symbol_graph graph;
  check(ndarray_list_parse("fuzz", data, size, &list));
  volatile unsigned char sum = 0;
  for (size_t i = 0; i < list.count; i++)
    for (size_t k = 0; k < list.items[i].bytes; k++)
      sum = (unsigned char)(sum + ((const unsigned char *)list.items[i].data)[k]);
  ndarray_list_clear(&list);
  check(symbol_graph_parse("fuzz", (const char *)data, size, &graph));
  symbol_graph_clear(&graph);
  return 0;
}
