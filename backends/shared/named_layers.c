#include "named_layers.h"

#include "flatbuffer.h"
#include "tflite_operators.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <kenning/protobuf.h>
#include <kenning/services.h>

enum { MOST_NAMED = 8, DEEPEST = 32, LONGEST = 200 };

typedef struct text {
  const char *at;
  size_t length;
} text;

typedef struct search {
  const char *words;
  text seen[MOST_NAMED];
  size_t count;
  char *out; /* NULL: none yet */
  bool out_of_memory;
  unsigned depth;
  char numbers[MOST_NAMED][24]; /* of operators without names */
} search;

static text text_of(kn_protobuf bytes) { return (text){(const char *)bytes.at, kn_protobuf_length(bytes)}; }

static bool same(text a, text b) { return a.length == b.length && !memcmp(a.at, b.at, a.length); }

static bool in_word(char c) { return isalnum((unsigned char)c) || c == '_'; }

/* Whether the type stands in the words as a word of its own. */
static bool names(const char *words, text type) {
  if (!type.length) return false;
  for (const char *at = words; (at = memmem(at, strlen(at), type.at, type.length)); at++)
    if ((at == words || !in_word(at[-1])) && !in_word(at[type.length])) return true;
  return false;
}

#define TEXT(t) (int)((t).length < LONGEST ? (t).length : LONGEST), (t).at

/* `meant`: the words are about operators of this type; `how`: what stands between the operator and its layer. */
static void consider(search *s, text type, bool meant, const char *how, text layer, text function) {
  if (s->count == MOST_NAMED || !meant) return;
  for (size_t i = 0; i < s->count; i++)
    if (same(s->seen[i], type)) return;
  s->seen[s->count++] = type;
  char *longer =
      kn_format("%s%soperator %.*s%s'%.*s'%s%.*s%s", s->out ? s->out : "", s->out ? ", " : "", TEXT(type), how,
                TEXT(layer), function.length ? " in the function '" : "", TEXT(function), function.length ? "'" : "");
  if (!longer) s->count = MOST_NAMED;
  s->out_of_memory |= !longer;
  kn_free(s->out);
  s->out = longer;
}

/* ---- ONNX (onnx.proto3) ---- */

static void onnx_graph(search *s, kn_protobuf message, unsigned nodes);

static void onnx_node(search *s, kn_protobuf message) {
  kn_protobuf_field field, inner;
  text name = {0}, output = {0}, type = {0};
  while (kn_protobuf_next(&message, &field)) {
    if (field.number == 2 && !output.length) output = text_of(field.bytes);
    if (field.number == 3) name = text_of(field.bytes);
    if (field.number == 4) type = text_of(field.bytes);
    while (field.number == 5 && kn_protobuf_next(&field.bytes, &inner)) /* attribute: g, graphs */
      if (inner.number == 6 || inner.number == 11) onnx_graph(s, inner.bytes, 1);
  }
  consider(s, type, names(s->words, type), " of the layer ", name.length ? name : output, (text){0});
}

/* A GraphProto, or what else has its nodes in the field `nodes`. */
static void onnx_graph(search *s, kn_protobuf message, unsigned nodes) {
  kn_protobuf_field field;
  if (s->depth == DEEPEST) return;
  s->depth++;
  while (kn_protobuf_next(&message, &field))
    if (field.number == nodes) onnx_node(s, field.bytes);
  s->depth--;
}

static void onnx_model(search *s, kn_protobuf message) {
  kn_protobuf_field field;
  while (kn_protobuf_next(&message, &field)) {
    if (field.number == 7) onnx_graph(s, field.bytes, 1);  /* graph */
    if (field.number == 25) onnx_graph(s, field.bytes, 7); /* functions */
  }
}

/* ---- SavedModel (tensorflow/core/framework/graph.proto, function.proto) ---- */

static void saved_node(search *s, kn_protobuf message, text function) {
  kn_protobuf_field field;
  text name = {0}, type = {0};
  while (kn_protobuf_next(&message, &field)) {
    if (field.number == 1) name = text_of(field.bytes);
    if (field.number == 2) type = text_of(field.bytes);
  }
  consider(s, type, names(s->words, type), " of the layer ", name, function);
}

static void saved_function(search *s, kn_protobuf message) {
  kn_protobuf_field field, inner;
  text name = {0};
  for (kn_protobuf rest = message; kn_protobuf_next(&rest, &field);)
    while (field.number == 1 && kn_protobuf_next(&field.bytes, &inner)) /* signature */
      if (inner.number == 1) name = text_of(inner.bytes);
  while (kn_protobuf_next(&message, &field))
    if (field.number == 3) saved_node(s, field.bytes, name); /* node_def */
}

static void saved_graph(search *s, kn_protobuf message) {
  kn_protobuf_field field, inner;
  while (kn_protobuf_next(&message, &field)) {
    if (field.number == 1) saved_node(s, field.bytes, (text){0});       /* node */
    while (field.number == 2 && kn_protobuf_next(&field.bytes, &inner)) /* library */
      if (inner.number == 1) saved_function(s, inner.bytes);
  }
}

static void saved_model(search *s, kn_protobuf message) {
  kn_protobuf_field field, inner;
  while (kn_protobuf_next(&message, &field))
    while (field.number == 2 && kn_protobuf_next(&field.bytes, &inner)) /* meta_graphs */
      if (inner.number == 2) saved_graph(s, inner.bytes);               /* graph_def */
}

/* ---- TensorFlow Lite (schema.fbs) ---- */

/* Operators that have no name have their number, which goes into `number`. */
static text tflite_type(kn_flat *flat, kn_flat_table code, char number[24], bool *out_custom) {
  int32_t builtin = kn_flat_i32(flat, code, 3, 0);
  if (builtin < kn_flat_u8(flat, code, 0, 0)) builtin = kn_flat_u8(flat, code, 0, 0);
  const char *name = kn_flat_string(flat, code, 1);
  *out_custom = name && *name;
  if (!*out_custom) name = kn_tflite_operator_name(builtin);
  if (!name) (void)snprintf(number, 24, "%d", builtin);
  if (!name) name = number;
  return (text){name, strlen(name)};
}

static void tflite_model(search *s, const void *data, size_t bytes) {
  kn_flat flat;
  kn_flat_init(&flat, data, bytes);
  kn_flat_table root = kn_flat_root(&flat, "TFL3");
  kn_flat_vector codes = kn_flat_tables_field(&flat, root, 1), graphs = kn_flat_tables_field(&flat, root, 2);
  for (size_t g = 0; g < graphs.count && !flat.fault; g++) {
    kn_flat_table graph = kn_flat_table_at(&flat, graphs, g);
    kn_flat_vector tensors = kn_flat_tables_field(&flat, graph, 0), nodes = kn_flat_tables_field(&flat, graph, 3);
    for (size_t i = 0; i < nodes.count && !flat.fault && s->count < MOST_NAMED; i++) {
      kn_flat_table node = kn_flat_table_at(&flat, nodes, i);
      kn_flat_vector outputs = kn_flat_vector_field(&flat, node, 2, 4);
      uint32_t code = kn_flat_u32(&flat, node, 0, 0), made = outputs.count ? kn_flat_u32_at(&flat, outputs, 0) : 0;
      if (code >= codes.count || made >= tensors.count) return;
      const char *value = kn_flat_string(&flat, kn_flat_table_at(&flat, tensors, made), 3);
      bool custom, unknown;
      text type = tflite_type(&flat, kn_flat_table_at(&flat, codes, code), s->numbers[s->count], &custom);
      if (flat.fault || !value) return;
      unknown = type.at == s->numbers[s->count]; /* to everybody */
      bool meant = unknown || names(s->words, type) || (custom && strcasestr(s->words, "custom operator"));
      consider(s, type, meant, ", which makes ", (text){value, strlen(value)}, (text){0});
    }
  }
}

/* ---- OpenVINO IR ---- */

static text attribute(const char *tag, const char *end, const char *name) {
  const char *at = memmem(tag, (size_t)(end - tag), name, strlen(name));
  if (!at) return (text){"", 0};
  at += strlen(name);
  return (text){at, strcspn(at, "\"")};
}

static void ir_model(search *s, const char *data) {
  for (const char *tag = data; (tag = strstr(tag, "<layer ")); tag++) {
    const char *end = strchr(tag, '>');
    if (!end) return;
    text type = attribute(tag, end, " type=\"");
    consider(s, type, names(s->words, type), " of the layer ", attribute(tag, end, " name=\""), (text){0});
  }
}

/* ---- files ---- */

char *kn_named_layers_in(const char *data, size_t bytes, bool saved, const char *words) {
  kn_protobuf message = kn_protobuf_of(data, bytes);
  search s = {.words = words};
  if (saved)
    saved_model(&s, message);
  else if (bytes >= 8 && !memcmp(data + 4, "TFL3", 4))
    tflite_model(&s, data, bytes);
  else if (strstr(data, "<net "))
    ir_model(&s, data);
  else
    onnx_model(&s, message);
  if (!s.out && !s.out_of_memory) s.out = kn_strdup("");
  return s.out;
}

char *kn_named_layers(const char *path, const char *words) {
  char *inner = kn_format("%s/saved_model.pb", path), *data = NULL;
  size_t bytes = 0;
  if (!inner) return NULL;
  kn_status unreadable = kn_file_read(inner, 0, &data, &bytes);
  bool saved = !unreadable;
  kn_status_free(unreadable);
  unreadable = saved ? NULL : kn_file_read(path, 0, &data, &bytes);
  char *out = unreadable ? kn_strdup("") : kn_named_layers_in(data, bytes, saved, words);
  kn_status_free(unreadable);
  kn_free(data);
  kn_free(inner);
  return out;
}

kn_status kn_status_name_layers(kn_status status, const char *path) {
  char *layers = status ? kn_named_layers(path, kn_status_message(status, 0)) : NULL;
  if (layers && *layers) status = kn_status_annotate(status, "at the %s", layers);
  kn_free(layers);
  return status;
}
