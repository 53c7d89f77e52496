/* The graph of an MXNet model: what `X-symbol.json` says. */
#ifndef MXNET_SYMBOL_FILE_H
#define MXNET_SYMBOL_FILE_H

#include <kenning/plugin.h>

typedef enum symbol_role {
  SYMBOL_VALUE = 0, /* data or parameter: a parameter where the .params file has it */
  SYMBOL_STATE,     /* not trained: running averages */
  SYMBOL_LABEL      /* what a loss compares with; not needed at inference */
} symbol_role;

typedef struct symbol_variable {
  char *name;
  symbol_role role;
  bool has_shape; /* the attribute __shape__ */
  uint32_t rank;
  int64_t shape[KN_MAX_RANK]; /* -1: open */
  int64_t dtype;              /* the attribute __dtype__; -1: not given */
} symbol_variable;

typedef struct symbol_graph {
  symbol_variable *variables; /* in the order of the graph */
  size_t variable_count;
  char **outputs; /* names of the operators whose results are the model's */
  size_t output_count;
  size_t operator_count;
  int64_t version; /* of the MXNet that saved it, 10901 for 1.9.1; 0: not told */
} symbol_graph;

/* Takes the JSON apart and checks that its references lead somewhere; `path` is for messages. KN_BAD_DATA. */
kn_status symbol_graph_parse(const char *path, const char *json, size_t bytes, symbol_graph *out_graph) KN_MUST_USE;
/* The same graph up to the values before its final softmax, as JSON; free with kn_free. KN_INCOMPATIBLE when it has
 * more than one output or ends otherwise. */
kn_status symbol_without_softmax(const char *json, char **out_json) KN_MUST_USE;
/* The name of the first node that is an `operator_`, NULL where none is; free with kn_free. For a graph that was
 * parsed. */
kn_status symbol_find_operator(const char *json, const char *operator_, char **out_name) KN_MUST_USE;
void symbol_graph_clear(symbol_graph *graph);

#endif
