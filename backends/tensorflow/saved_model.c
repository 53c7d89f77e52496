#include "saved_model.h"
#include "api.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char *copy_text(kn_protobuf bytes) {
  return kn_strndup(bytes.at ? (const char *)bytes.at : "", kn_protobuf_length(bytes));
}

static kn_status damaged(const char *name) {
  return kn_status_make(KN_BAD_DATA, "%s is damaged: it is not a protobuf message", name);
}

/* ---- messages ---- */

static void clear_tensors(saved_model_tensors *list) {
  for (size_t i = 0; i < list->count; i++) {
    kn_free(list->items[i].name);
    kn_free(list->items[i].operation);
  }
  kn_free(list->items);
  *list = (saved_model_tensors){0};
}

void saved_model_clear(saved_model *model) {
  kn_free(model->signature);
  clear_tensors(&model->inputs);
  clear_tensors(&model->outputs);
  *model = (saved_model){0};
}

/* TensorShapeProto: dim = 2 {size = 1}, unknown_rank = 3 */
static kn_status parse_shape(kn_protobuf w, const char *name, saved_model_tensor *out) {
  kn_protobuf_field field, part;
  out->rank_known = true;
  while (kn_protobuf_next(&w, &field)) {
    if (field.number == 3 && field.value) out->rank_known = false;
    if (field.number != 2) continue;
    if (out->rank == KN_MAX_RANK)
      return kn_status_make(KN_INCOMPATIBLE, "%s: tensor '%s' has more than %d dimensions", name, out->name,
                            KN_MAX_RANK);
    int64_t size = 0; /* proto3 leaves zeros out */
    while (kn_protobuf_next(&field.bytes, &part))
      if (part.number == 1) size = (int64_t)part.value;
    if (!kn_protobuf_ended(&field.bytes)) return damaged(name);
    out->shape[out->rank++] = size < 0 ? -1 : size;
  }
  return kn_protobuf_ended(&w) ? NULL : damaged(name);
}

/* "operation:index" */
static kn_status parse_tensor_name(kn_protobuf bytes, const char *name, saved_model_tensor *out) {
  char *text = copy_text(bytes);
  if (!text) return kn_status_out_of_memory();
  char *colon = strrchr(text, ':');
  long index = colon ? strtol(colon + 1, NULL, 10) : 0;
  if (colon) *colon = '\0';
  kn_free(out->operation);
  out->operation = text;
  out->index = (int)index;
  if (index < 0 || index > 4096)
    return kn_status_make(KN_BAD_DATA, "%s: tensor '%s' is output %ld of '%s'", name, out->name, index, text);
  return NULL;
}

/* TensorInfo: name = 1, dtype = 2, tensor_shape = 3 */
static kn_status parse_tensor(kn_protobuf w, const char *name, saved_model_tensor *out) {
  kn_protobuf_field field;
  while (kn_protobuf_next(&w, &field)) {
    if (field.number == 1) KN_TRY(parse_tensor_name(field.bytes, name, out));
    if (field.number == 2) out->dtype = tf_dtype_of((TF_DataType)(field.value & 0xffff));
    if (field.number == 3) KN_TRY(parse_shape(field.bytes, name, out));
  }
  if (!kn_protobuf_ended(&w)) return damaged(name);
  if (!out->operation) return kn_status_make(KN_INCOMPATIBLE, "%s: '%s' is not one dense tensor", name, out->name);
  return NULL;
}

/* An entry of map<string, TensorInfo>: key = 1, value = 2 */
static kn_status add_tensor(kn_protobuf w, const char *name, saved_model_tensors *list) {
  saved_model_tensor *grown = kn_realloc(list->items, (list->count + 1) * sizeof *grown);
  if (!grown) return kn_status_out_of_memory();
  list->items = grown;
  saved_model_tensor *out = &grown[list->count++];
  *out = (saved_model_tensor){0};
  kn_protobuf_field field;
  kn_protobuf info = {0};
  while (kn_protobuf_next(&w, &field)) {
    if (field.number == 1) {
      kn_free(out->name);
      out->name = copy_text(field.bytes);
      if (!out->name) return kn_status_out_of_memory();
    }
    if (field.number == 2) info = field.bytes;
  }
  if (!kn_protobuf_ended(&w) || !out->name) return damaged(name);
  return parse_tensor(info, name, out);
}

static int by_name(const void *a, const void *b) {
  return strcmp(((const saved_model_tensor *)a)->name, ((const saved_model_tensor *)b)->name);
}

/* SignatureDef: inputs = 1, outputs = 2. Maps have no order in the file; names give one. */
static kn_status parse_signature(kn_protobuf w, const char *name, saved_model *out) {
  kn_protobuf_field field;
  while (kn_protobuf_next(&w, &field)) {
    if (field.number == 1) KN_TRY(add_tensor(field.bytes, name, &out->inputs));
    if (field.number == 2) KN_TRY(add_tensor(field.bytes, name, &out->outputs));
  }
  if (!kn_protobuf_ended(&w)) return damaged(name);
  if (out->inputs.count == 0 || out->outputs.count == 0)
    return kn_status_make(KN_INCOMPATIBLE, "%s: signature '%s' has no inputs or no outputs", name, out->signature);
  qsort(out->inputs.items, out->inputs.count, sizeof *out->inputs.items, by_name);
  qsort(out->outputs.items, out->outputs.count, sizeof *out->outputs.items, by_name);
  return NULL;
}

/* MetaInfoDef: tags = 4 */
static kn_status has_tag(kn_protobuf w, const char *tag, const char *name, bool *out_has) {
  kn_protobuf_field field;
  while (kn_protobuf_next(&w, &field))
    if (field.number == 4 && kn_protobuf_is(field.bytes, tag)) *out_has = true;
  return kn_protobuf_ended(&w) ? NULL : damaged(name);
}

/* MetaGraphDef: meta_info_def = 1, signature_def = 5 (map<string, SignatureDef>). Takes the signature
 * "serving_default", or the only one besides TensorFlow's own, whose names begin with "__". */
static kn_status find_signature(kn_protobuf w, const char *name, kn_protobuf *out_signature, kn_protobuf *out_key,
                                size_t *out_count, bool *out_serves) {
  kn_protobuf_field field, part;
  while (kn_protobuf_next(&w, &field)) {
    if (field.number == 1) KN_TRY(has_tag(field.bytes, "serve", name, out_serves));
    if (field.number != 5) continue;
    kn_protobuf key = {0}, value = {0};
    while (kn_protobuf_next(&field.bytes, &part)) {
      if (part.number == 1) key = part.bytes;
      if (part.number == 2) value = part.bytes;
    }
    if (!kn_protobuf_ended(&field.bytes)) return damaged(name);
    if (!key.at || (kn_protobuf_length(key) >= 2 && memcmp(key.at, "__", 2) == 0)) continue;
    (*out_count)++;
    if (out_signature->at && !kn_protobuf_is(key, "serving_default")) continue;
    *out_key = key;
    *out_signature = value;
  }
  return kn_protobuf_ended(&w) ? NULL : damaged(name);
}

kn_status saved_model_parse(const void *data, size_t bytes, const char *name, saved_model *out_model) {
  *out_model = (saved_model){0};
  kn_protobuf w = kn_protobuf_of(data, bytes);
  kn_protobuf signature = {0}, key = {0};
  kn_protobuf_field field;
  bool serves = false;
  size_t count = 0;
  while (!serves && kn_protobuf_next(&w, &field)) {
    if (field.number != 2) continue; /* SavedModel: meta_graphs = 2 */
    signature = key = (kn_protobuf){0};
    count = 0;
    KN_TRY(find_signature(field.bytes, name, &signature, &key, &count, &serves));
  }
  if (!serves && !kn_protobuf_ended(&w)) return damaged(name);
  if (!serves) return kn_status_make(KN_INCOMPATIBLE, "%s holds no graph for inference (tag 'serve')", name);
  if (!signature.at || (count > 1 && !kn_protobuf_is(key, "serving_default")))
    return kn_status_make(KN_INCOMPATIBLE, "%s has %zu signatures, but none called 'serving_default'", name, count);
  out_model->signature = copy_text(key);
  kn_status status = out_model->signature ? parse_signature(signature, name, out_model) : kn_status_out_of_memory();
  if (status) saved_model_clear(out_model);
  return status;
}

static char *graph_file(const char *directory) { return kn_format("%s/saved_model.pb", directory); }

bool saved_model_is_at(const char *path) {
  struct stat info;
  char *file = graph_file(path);
  bool found = file && stat(file, &info) == 0 && S_ISREG(info.st_mode);
  kn_free(file);
  return found;
}

kn_status saved_model_read(const char *directory, saved_model *out_model) {
  *out_model = (saved_model){0};
  char *file = graph_file(directory), *data = NULL;
  size_t bytes = 0;
  kn_status status = file ? kn_file_read(file, 0, &data, &bytes) : kn_status_out_of_memory();
  if (!status) status = saved_model_parse(data, bytes, file, out_model);
  kn_free(data);
  kn_free(file);
  return status;
}
