#include "layers.h"

#include <stdlib.h>
#include <string.h>

/* Where a value of the graph comes from. */
typedef struct origin {
  kn_onnx_text name;
  int64_t type;           /* of an initializer; 0: made by a node */
  kn_onnx_text quantized; /* by DequantizeLinear: the name of its input */
} origin;

typedef struct node {
  kn_onnx_text type, name, inputs[2];
} node;

typedef struct reader {
  kn_onnx_list origins; /* sorted by name once all are there */
  kn_onnx_layers *layers;
} reader;

static int by_name(const void *a, const void *b) {
  const kn_onnx_text *x = &((const origin *)a)->name, *y = &((const origin *)b)->name;
  size_t shorter = x->length < y->length ? x->length : y->length;
  int order = shorter ? memcmp(x->data, y->data, shorter) : 0;
  return order ? order : (x->length > y->length) - (x->length < y->length);
}

static const origin *find(const reader *r, kn_onnx_text name) {
  const origin wanted = {.name = name};
  return r->origins.count ? bsearch(&wanted, r->origins.items, r->origins.count, sizeof wanted, by_name) : NULL;
}

static kn_status read_node(kn_protobuf message, node *out_node, kn_onnx_text *out_output) {
  kn_protobuf_field field;
  size_t inputs = 0;
  *out_node = (node){0};
  *out_output = (kn_onnx_text){0};
  while (kn_protobuf_next(&message, &field)) {
    kn_onnx_text text = kn_onnx_text_of(field.bytes);
    if (field.number == 1 && inputs < 2) out_node->inputs[inputs++] = text;
    if (field.number == 2 && !out_output->length) *out_output = text;
    if (field.number == 3) out_node->name = text;
    if (field.number == 4) out_node->type = text;
  }
  return kn_onnx_whole(&message);
}

static kn_status read_initializer(kn_protobuf message, origin *out_origin) {
  kn_protobuf_field field;
  while (kn_protobuf_next(&message, &field)) {
    if (field.number == 2) out_origin->type = (int64_t)field.value;
    if (field.number == 8) out_origin->name = kn_onnx_text_of(field.bytes);
  }
  return kn_onnx_whole(&message);
}

static kn_status add_origin(reader *r, const kn_protobuf_field *field) {
  if (field->number != 1 && field->number != 5) return NULL;
  origin *added = kn_onnx_list_add(&r->origins, sizeof *added);
  if (!added) return kn_status_out_of_memory();
  if (field->number == 5) return read_initializer(field->bytes, added);
  node found;
  KN_TRY(read_node(field->bytes, &found, &added->name));
  if (kn_onnx_text_is(found.type, "DequantizeLinear")) added->quantized = found.inputs[0];
  return NULL;
}

static kn_status count_layer(reader *r, const kn_protobuf_field *field) {
  static const char *const types[] = {"Conv", "ConvTranspose", "Gemm", "MatMul"};
  node found;
  kn_onnx_text output;
  if (field->number != 1) return NULL;
  KN_TRY(read_node(field->bytes, &found, &output));
  bool layer = false;
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) layer |= kn_onnx_text_is(found.type, types[i]);
  const origin *weight = layer ? find(r, found.inputs[1]) : NULL, *value = layer ? find(r, found.inputs[0]) : NULL;
  bool behind = weight && weight->quantized.length;
  if (behind) weight = find(r, weight->quantized);
  if (!weight || !weight->type) return NULL; /* no layer, or one that multiplies values with values */
  r->layers->count++;
  r->layers->weights[weight->type > 0 && weight->type < KN_ONNX_TYPES ? weight->type : 0]++;
  bool quantized = value && value->quantized.length;
  r->layers->quantized_values += quantized;
  if ((!behind || !quantized) && !r->layers->plain.length) r->layers->plain = found.name.length ? found.name : output;
  return NULL;
}

static kn_status for_each(reader *r, kn_protobuf graph, kn_status (*visit)(reader *, const kn_protobuf_field *)) {
  kn_protobuf_field field;
  while (kn_protobuf_next(&graph, &field)) {
    KN_TRY(visit(r, &field));
  }
  return kn_onnx_whole(&graph);
}

static kn_status read_graph(reader *r, kn_protobuf message) {
  kn_protobuf_field field;
  do {
    if (kn_protobuf_next(&message, &field)) continue;
    KN_TRY(kn_onnx_whole(&message));
    return kn_status_make(KN_BAD_DATA, "the model has no graph");
  } while (field.number != 7);
  KN_TRY(for_each(r, field.bytes, add_origin));
  if (r->origins.count) qsort(r->origins.items, r->origins.count, sizeof(origin), by_name);
  return for_each(r, field.bytes, count_layer);
}

kn_status kn_onnx_layers_read(const void *data, size_t bytes, kn_onnx_layers *out_layers) {
  *out_layers = (kn_onnx_layers){0};
  reader r = {.layers = out_layers};
  kn_status status = read_graph(&r, kn_protobuf_of(data, bytes));
  kn_free(r.origins.items);
  return status;
}
