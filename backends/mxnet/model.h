/* MXNet models as files: a graph and named arrays.
 *
 * MXNet writes two files, X-symbol.json and X-NNNN.params; either names the model. What Kenning trains is one .params
 * file that holds the graph too, as bytes under the name "symbol:json", which MXNet's own readers of parameters skip.
 */
#ifndef MXNET_MODEL_H
#define MXNET_MODEL_H

#include "ndarray_file.h"
#include "symbol_file.h"

#define MODEL_SYMBOL_NAME "symbol:json"

typedef struct model {
  char *symbol; /* JSON, NUL-terminated */
  char *params; /* contents of the file */
  size_t params_bytes;
  ndarray_list arrays;
  symbol_graph graph;
  const symbol_variable **inputs; /* neither parameters nor labels */
  size_t input_count;
  uint64_t weights_bytes;
} model;

/* Reads both files and checks them against each other. KN_NOT_FOUND, KN_BAD_DATA, KN_INCOMPATIBLE. */
kn_status model_open(const char *path, model *out_model) KN_MUST_USE;
void model_clear(model *opened);
/* The parameter or state of a variable, or NULL. */
const ndarray *model_array(const model *opened, const char *variable);

#endif
