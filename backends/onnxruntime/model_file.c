#include "model_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  MOST_KINDS = 4096, /* of operators: they are searched one by one */
  MOST_VALUES = 4096,
  DEEPEST = 32 /* subgraphs inside subgraphs */
};

/* ---- the encoding ---- */

kn_status kn_onnx_whole(const kn_protobuf *message) {
  if (kn_protobuf_ended(message)) return NULL;
  return kn_status_make(KN_BAD_DATA, "the file is cut or damaged at byte %zu", kn_protobuf_offset(*message));
}

kn_status kn_onnx_expect(const kn_protobuf_field *field, kn_protobuf_type type, const char *what) {
  if (field->type == type) return NULL;
  return kn_status_make(KN_BAD_DATA, "%s near byte %zu is not encoded as in ONNX", what,
                        kn_protobuf_offset(field->bytes));
}

/* ---- lists and texts ---- */

void *kn_onnx_list_add(kn_onnx_list *list, size_t item_size) {
  if (list->count == list->room) {
    size_t room = list->room ? list->room * 2 : 16;
    void *grown = kn_alloc_array(room, item_size);
    if (!grown) return NULL;
    if (list->count) memcpy(grown, list->items, list->count * item_size);
    kn_free(list->items);
    list->items = grown;
    list->room = room;
  }
  void *item = (char *)list->items + list->count++ * item_size;
  memset(item, 0, item_size);
  return item;
}

kn_onnx_text kn_onnx_text_of(kn_protobuf bytes) {
  return (kn_onnx_text){(const char *)bytes.at, kn_protobuf_length(bytes)};
}

bool kn_onnx_text_equal(kn_onnx_text a, kn_onnx_text b) {
  return a.length == b.length && (!a.length || !memcmp(a.data, b.data, a.length));
}

bool kn_onnx_text_is(kn_onnx_text text, const char *wanted) {
  return text.length == strlen(wanted) && (!text.length || !memcmp(text.data, wanted, text.length));
}

static int compare_texts(const void *a, const void *b) {
  const kn_onnx_text *x = a, *y = b;
  size_t shorter = x->length < y->length ? x->length : y->length;
  int order = shorter ? memcmp(x->data, y->data, shorter) : 0;
  return order ? order : (x->length > y->length) - (x->length < y->length);
}

/* ---- nodes ---- */

typedef struct reader {
  kn_onnx_model *model;
  unsigned depth;
} reader;

static kn_status read_graph(reader *r, kn_protobuf message, bool main);

static bool is_onnx_domain(kn_onnx_text domain) { return !domain.length || kn_onnx_text_is(domain, "ai.onnx"); }

static kn_status count_operator(kn_onnx_model *model, const kn_onnx_operator *found) {
  kn_onnx_operator *kinds = model->kinds.items;
  model->operators++;
  for (size_t i = 0; i < model->kinds.count; i++)
    if (kn_onnx_text_equal(kinds[i].type, found->type) && kn_onnx_text_equal(kinds[i].domain, found->domain)) {
      kinds[i].count++;
      return NULL;
    }
  if (model->kinds.count == MOST_KINDS)
    return kn_status_make(KN_INCOMPATIBLE, "the model has more than %d kinds of operators", MOST_KINDS);
  kn_onnx_operator *kind = kn_onnx_list_add(&model->kinds, sizeof *kind);
  if (!kind) return kn_status_out_of_memory();
  *kind = *found;
  kind->count = 1;
  return NULL;
}

/* Attributes hold subgraphs and the values of constants. */
static kn_status read_attribute(reader *r, kn_protobuf message) {
  kn_protobuf_field field;
  while (kn_protobuf_next(&message, &field)) {
    bool tensor = field.number == 5 || field.number == 10, graph = field.number == 6 || field.number == 11;
    if (tensor || graph) KN_TRY(kn_onnx_expect(&field, KN_PROTOBUF_BYTES, "an attribute"));
    if (tensor) KN_TRY(kn_onnx_tensor_read(field.bytes, r->model, NULL));
    if (graph) KN_TRY(read_graph(r, field.bytes, false));
  }
  return kn_onnx_whole(&message);
}

static kn_status read_node(reader *r, kn_protobuf message) {
  kn_protobuf_field field;
  kn_onnx_operator found = {0};
  kn_onnx_text output = {0};
  while (kn_protobuf_next(&message, &field)) {
    if (field.number >= 1 && field.number <= 7) KN_TRY(kn_onnx_expect(&field, KN_PROTOBUF_BYTES, "a node"));
    if (field.number == 2 && !output.length) output = kn_onnx_text_of(field.bytes); /* output */
    if (field.number == 3) found.layer = kn_onnx_text_of(field.bytes);              /* name */
    if (field.number == 4) found.type = kn_onnx_text_of(field.bytes);               /* op_type */
    if (field.number == 5) KN_TRY(read_attribute(r, field.bytes));                  /* attribute */
    if (field.number == 7) found.domain = kn_onnx_text_of(field.bytes);             /* domain */
  }
  KN_TRY(kn_onnx_whole(&message));
  if (!found.type.length)
    return kn_status_make(KN_BAD_DATA, "a node that makes '%.*s' has no operator", KN_ONNX_TEXT(output));
  if (!found.layer.length) found.layer = output;
  if (is_onnx_domain(found.domain)) found.domain = (kn_onnx_text){0};
  return count_operator(r->model, &found);
}

/* ---- graphs ---- */

static kn_status add_value(kn_onnx_list *list, kn_protobuf message, const char *what, const kn_onnx_list *names) {
  kn_onnx_value value;
  bool shaped;
  kn_status status = kn_onnx_value_read(message, &value, &shaped);
  bool initialized =
      names && names->count && bsearch(&value.name, names->items, names->count, sizeof(kn_onnx_text), compare_texts);
  if (initialized) { /* a weight that is listed as an input too; of whatever type it is */
    kn_status_free(status);
    return NULL;
  }
  KN_TRY(status);
  if (!value.name.length) return kn_status_make(KN_BAD_DATA, "an %s of the model has no name", what);
  if (!shaped && names)
    return kn_status_make(KN_INCOMPATIBLE, "the input '%.*s' may have any number of dimensions, which is not supported",
                          KN_ONNX_TEXT(value.name));
  if (list->count == MOST_VALUES)
    return kn_status_make(KN_INCOMPATIBLE, "the model has more than %d %ss", MOST_VALUES, what);
  kn_onnx_value *item = kn_onnx_list_add(list, sizeof *item);
  if (!item) return kn_status_out_of_memory();
  *item = value;
  return NULL;
}

static kn_status read_initializer(reader *r, const kn_protobuf_field *field, kn_onnx_list *names) {
  kn_protobuf message = field->bytes;
  kn_protobuf_field inner;
  KN_TRY(kn_onnx_expect(field, KN_PROTOBUF_BYTES, "a tensor"));
  if (field->number == 5) return kn_onnx_tensor_read(message, r->model, names); /* initializer */
  while (kn_protobuf_next(&message, &inner)) { /* sparse_initializer: values, indices */
    if (inner.number == 1 || inner.number == 2)
      KN_TRY(kn_onnx_tensor_read(inner.bytes, r->model, inner.number == 1 ? names : NULL));
  }
  return kn_onnx_whole(&message);
}

static kn_status read_contents(reader *r, kn_protobuf message, bool main, kn_onnx_list *names) {
  kn_protobuf values = message;
  kn_protobuf_field field;
  while (kn_protobuf_next(&message, &field)) {
    if (field.number == 1) KN_TRY(kn_onnx_expect(&field, KN_PROTOBUF_BYTES, "a node"));
    if (field.number == 1) KN_TRY(read_node(r, field.bytes)); /* node */
    if (field.number == 5 || field.number == 15) KN_TRY(read_initializer(r, &field, names));
  }
  KN_TRY(kn_onnx_whole(&message));
  if (!main) return NULL;
  if (names->count) qsort(names->items, names->count, sizeof(kn_onnx_text), compare_texts);
  while (kn_protobuf_next(&values, &field)) {
    if (field.number == 11) KN_TRY(add_value(&r->model->inputs, field.bytes, "input", names));  /* input */
    if (field.number == 12) KN_TRY(add_value(&r->model->outputs, field.bytes, "output", NULL)); /* output */
  }
  return kn_onnx_whole(&values);
}

static kn_status read_graph(reader *r, kn_protobuf message, bool main) {
  if (++r->depth > DEEPEST)
    return kn_status_make(KN_INCOMPATIBLE, "the model has subgraphs inside each other, deeper than %d", DEEPEST);
  kn_onnx_list names = {0};
  kn_status status = read_contents(r, message, main, &names);
  kn_free(names.items);
  r->depth--;
  return status;
}

/* ---- the model ---- */

static kn_status read_opset(kn_onnx_model *model, kn_protobuf message) {
  kn_onnx_opset *opset = kn_onnx_list_add(&model->opsets, sizeof *opset);
  kn_protobuf_field field;
  if (!opset) return kn_status_out_of_memory();
  while (kn_protobuf_next(&message, &field)) {
    if (field.number == 1) opset->domain = kn_onnx_text_of(field.bytes);
    if (field.number == 2) opset->version = (int64_t)field.value;
  }
  return kn_onnx_whole(&message);
}

/* A FunctionProto: an operator that the file itself defines. */
static kn_status read_function(reader *r, kn_protobuf message) {
  if (r->model->functions.count == MOST_KINDS)
    return kn_status_make(KN_INCOMPATIBLE, "the model defines more than %d operators", MOST_KINDS);
  kn_onnx_operator *function = kn_onnx_list_add(&r->model->functions, sizeof *function);
  kn_protobuf_field field;
  if (!function) return kn_status_out_of_memory();
  while (kn_protobuf_next(&message, &field)) {
    if (field.number == 1) function->type = kn_onnx_text_of(field.bytes);
    if (field.number == 7) KN_TRY(read_node(r, field.bytes));
    if (field.number == 10) function->domain = kn_onnx_text_of(field.bytes);
  }
  return kn_onnx_whole(&message);
}

static kn_status read_model(reader *r, kn_protobuf message, size_t *out_graphs) {
  kn_onnx_model *model = r->model;
  kn_protobuf_field field;
  while (kn_protobuf_next(&message, &field)) {
    switch (field.number) {
      case 1: /* ir_version */
        KN_TRY(kn_onnx_expect(&field, KN_PROTOBUF_VARINT, "the version"));
        model->ir_version = (int64_t)field.value;
        break;
      case 2: /* producer_name */
        KN_TRY(kn_onnx_expect(&field, KN_PROTOBUF_BYTES, "the producer"));
        model->producer = kn_onnx_text_of(field.bytes);
        break;
      case 3: /* producer_version */
        KN_TRY(kn_onnx_expect(&field, KN_PROTOBUF_BYTES, "the producer's version"));
        model->producer_version = kn_onnx_text_of(field.bytes);
        break;
      case 7: /* graph */
        KN_TRY(kn_onnx_expect(&field, KN_PROTOBUF_BYTES, "the graph"));
        ++*out_graphs;
        KN_TRY(read_graph(r, field.bytes, true));
        break;
      case 8: /* opset_import */
        KN_TRY(kn_onnx_expect(&field, KN_PROTOBUF_BYTES, "an operator set"));
        KN_TRY(read_opset(model, field.bytes));
        break;
      case 25: /* functions */
        KN_TRY(kn_onnx_expect(&field, KN_PROTOBUF_BYTES, "a function"));
        KN_TRY(read_function(r, field.bytes));
        break;
      default:
        break;
    }
  }
  return kn_onnx_whole(&message);
}

static kn_status check(const kn_onnx_model *model, size_t graphs) {
  if (graphs != 1 || model->ir_version < 1)
    return kn_status_make(KN_BAD_DATA, "it is no ONNX model: %s",
                          graphs > 1 ? "it has several graphs"
                          : graphs   ? "it tells no version of its format"
                                     : "it has no graph");
  /* The operator sets stand behind the graph. Versions 1 and 2 of the format had none. */
  if (!model->opsets.count && model->ir_version >= 3)
    return kn_status_make(KN_BAD_DATA, "the file is cut: its operator sets are missing");
  if (!model->inputs.count || !model->outputs.count)
    return kn_status_make(KN_INCOMPATIBLE, "the model has no %s", model->inputs.count ? "output" : "input");
  return NULL;
}

kn_status kn_onnx_model_read(const void *data, size_t bytes, kn_onnx_model *out_model) {
  *out_model = (kn_onnx_model){0};
  reader r = {.model = out_model};
  size_t graphs = 0;
  kn_status status =
      bytes ? read_model(&r, kn_protobuf_of(data, bytes), &graphs) : kn_status_make(KN_BAD_DATA, "the file is empty");
  if (!status) status = check(out_model, graphs);
  if (status) kn_onnx_model_clear(out_model);
  return status;
}

void kn_onnx_model_clear(kn_onnx_model *model) {
  kn_free(model->inputs.items);
  kn_free(model->outputs.items);
  kn_free(model->opsets.items);
  kn_free(model->kinds.items);
  kn_free(model->functions.items);
  *model = (kn_onnx_model){0};
}
