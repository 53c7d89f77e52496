#include "model_reader.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

enum {
  MODEL_VERSION,
  MODEL_OPERATOR_CODES,
  MODEL_SUBGRAPHS,
  MODEL_DESCRIPTION,
  MODEL_BUFFERS,
  MODEL_METADATA = 6,
  MODEL_SIGNATURES
};
enum { CODE_DEPRECATED_BUILTIN, CODE_CUSTOM, CODE_BUILTIN = 3 };
enum { BUFFER_DATA, BUFFER_OFFSET, BUFFER_SIZE };
enum { SUBGRAPH_TENSORS, SUBGRAPH_INPUTS, SUBGRAPH_OUTPUTS, SUBGRAPH_OPERATORS, SUBGRAPH_NAME };
enum { METADATA_NAME, METADATA_BUFFER };
enum { SIGNATURE_INPUTS, SIGNATURE_OUTPUTS, SIGNATURE_KEY, SIGNATURE_SUBGRAPH = 4 };
enum { TENSOR_MAP_NAME, TENSOR_MAP_INDEX };
enum { SCHEMA_VERSION = 3, DEEPEST_CALLS = 64 };

void kn_tflite_unsupported(kn_tflite_reader *reader, size_t at, const char *fault) {
  if (!reader->flat.fault) reader->unsupported = true;
  kn_flat_fail(&reader->flat, at, fault);
}

/* ---- parts beside the graph ---- */

static void read_operator_codes(kn_tflite_reader *reader, kn_flat_vector codes) {
  kn_tflite_model *model = reader->model;
  model->kinds = kn_alloc_array(codes.count, sizeof *model->kinds);
  reader->codes = kn_alloc_array(codes.count, sizeof *reader->codes);
  if (!model->kinds || !reader->codes) {
    reader->out_of_memory = true;
    return;
  }
  model->kind_count = codes.count;
  for (size_t i = 0; i < codes.count && kn_tflite_good(reader); i++) {
    reader->part = "operator code", reader->index = i;
    kn_flat_table entry = kn_flat_table_at(&reader->flat, codes, i);
    /* Numbers above 127 did not fit the first field; the larger of the two counts. */
    int32_t old_code = kn_flat_u8(&reader->flat, entry, CODE_DEPRECATED_BUILTIN, 0);
    if (old_code > INT8_MAX) old_code -= 1 << CHAR_BIT;
    int32_t code = kn_flat_i32(&reader->flat, entry, CODE_BUILTIN, 0);
    const char *custom = kn_flat_string(&reader->flat, entry, CODE_CUSTOM);
    if (old_code > code) code = old_code;
    const char *name = kn_tflite_operator_name(code);
    if (code == KN_TFLITE_OP_DELEGATE || code < 0)
      kn_flat_fail(&reader->flat, entry.at, "it is none that a file may hold");
    reader->codes[i] = code;
    model->kinds[i].known = name != NULL;
    model->kinds[i].custom = code == KN_TFLITE_OP_CUSTOM;
    model->kinds[i].name = model->kinds[i].custom && custom ? custom : name ? name : "unknown operator";
  }
}

static void read_buffers(kn_tflite_reader *reader, kn_flat_vector buffers) {
  kn_flat *flat = &reader->flat;
  reader->buffers = kn_alloc_array(buffers.count, sizeof *reader->buffers);
  if (!reader->buffers) {
    reader->out_of_memory = true;
    return;
  }
  reader->buffer_count = buffers.count;
  for (size_t i = 0; i < buffers.count && kn_tflite_good(reader); i++) {
    reader->part = "buffer", reader->index = i;
    kn_flat_table entry = kn_flat_table_at(flat, buffers, i);
    kn_flat_vector data = kn_flat_bytes_field(flat, entry, BUFFER_DATA);
    uint64_t offset = kn_flat_u64(flat, entry, BUFFER_OFFSET, 0), size = kn_flat_u64(flat, entry, BUFFER_SIZE, 0);
    reader->buffers[i] = (kn_tflite_buffer){.at = data.at, .bytes = data.count};
    /* Models above 2 GiB: the data stands behind the FlatBuffer. Offset 1 means that there is none. */
    if (offset > 1 && size) {
      if (offset > flat->bytes || size > flat->bytes - offset)
        kn_flat_fail(flat, entry.at, "its data lies behind the end of the file");
      reader->buffers[i] = (kn_tflite_buffer){.at = (size_t)offset, .bytes = size};
    }
  }
}

/* The converter's note, a FlatBuffer in itself: ConversionMetadata { environment: { tensorflow_version }, ... }. A
 * damaged note is no fault of the model. */
static const char *read_conversion_note(const kn_tflite_reader *reader, const kn_tflite_buffer *buffer) {
  kn_flat note;
  kn_flat_init(&note, reader->flat.data + buffer->at, (size_t)buffer->bytes);
  return kn_flat_string(&note, kn_flat_table_field(&note, kn_flat_root(&note, NULL), 0), 0);
}

static void read_metadata(kn_tflite_reader *reader, kn_flat_vector metadata) {
  for (size_t i = 0; i < metadata.count && kn_tflite_good(reader); i++) {
    reader->part = "metadata", reader->index = i;
    kn_flat_table entry = kn_flat_table_at(&reader->flat, metadata, i);
    const char *name = kn_flat_string(&reader->flat, entry, METADATA_NAME);
    uint32_t buffer = kn_flat_u32(&reader->flat, entry, METADATA_BUFFER, 0);
    if (buffer >= reader->buffer_count)
      kn_flat_fail(&reader->flat, entry.at, "its buffer does not exist");
    else if (name && !strcmp(name, "CONVERSION_METADATA"))
      reader->model->converter_version = read_conversion_note(reader, &reader->buffers[buffer]);
  }
}

/* ---- the graph ---- */

static void read_subgraph(kn_tflite_reader *reader, kn_flat_table subgraph) {
  kn_flat *flat = &reader->flat;
  kn_tflite_model *model = reader->model;
  kn_flat_vector tensors = kn_flat_tables_field(flat, subgraph, SUBGRAPH_TENSORS);
  kn_flat_vector inputs = kn_flat_vector_field(flat, subgraph, SUBGRAPH_INPUTS, 4);
  kn_flat_vector outputs = kn_flat_vector_field(flat, subgraph, SUBGRAPH_OUTPUTS, 4);
  kn_flat_string(flat, subgraph, SUBGRAPH_NAME);
  kn_tflite_read_tensors(reader, tensors);
  if (!kn_tflite_good(reader)) return;
  reader->part = NULL;
  for (size_t i = 0; i < inputs.count; i++) {
    size_t index = kn_flat_u32_at(flat, inputs, i);
    if (index < tensors.count)
      reader->values[index].written = true;
    else
      kn_flat_fail(flat, inputs.at + 4 * i, "one of its inputs does not exist");
  }
  kn_tflite_read_operators(reader, kn_flat_tables_field(flat, subgraph, SUBGRAPH_OPERATORS));
  if (!kn_tflite_good(reader)) return;

  reader->part = NULL;
  for (size_t i = 0; i < outputs.count && !flat->fault; i++) {
    size_t index = kn_flat_u32_at(flat, outputs, i);
    if (index >= tensors.count)
      kn_flat_fail(flat, outputs.at + 4 * i, "one of its outputs does not exist");
    else if (!reader->values[index].written)
      kn_flat_fail(
          flat, outputs.at + 4 * i,
          reader->values[index].elements ? "nothing writes one of its outputs" : "one of its outputs is empty");
  }
  if (reader->subgraph > 0) return;
  model->inputs = kn_tflite_read_interface(reader, tensors, inputs);
  model->outputs = kn_tflite_read_interface(reader, tensors, outputs);
  model->input_count = model->inputs ? inputs.count : 0;
  model->output_count = model->outputs ? outputs.count : 0;
}

/* `list`: inputs or outputs of the main subgraph that get their names, or NULL. */
static void read_tensor_maps(kn_tflite_reader *reader, kn_flat_vector maps, size_t tensors, kn_tflite_tensor *list,
                             size_t count) {
  kn_flat *flat = &reader->flat;
  for (size_t i = 0; i < maps.count && kn_tflite_good(reader); i++) {
    kn_flat_table map = kn_flat_table_at(flat, maps, i);
    const char *name = kn_flat_string(flat, map, TENSOR_MAP_NAME);
    size_t index = kn_flat_u32(flat, map, TENSOR_MAP_INDEX, 0);
    if (index >= tensors) kn_flat_fail(flat, map.at, "it names a tensor that does not exist");
    if (!list || !kn_flat_spend(flat, map.at, count)) continue;
    for (size_t k = 0; k < count; k++)
      if (list[k].index == index && !list[k].signature_name) list[k].signature_name = name;
  }
}

static void read_signatures(kn_tflite_reader *reader, kn_flat_vector signatures, kn_flat_vector subgraphs) {
  kn_flat *flat = &reader->flat;
  kn_tflite_model *model = reader->model;
  bool named = false;
  for (size_t i = 0; i < signatures.count && kn_tflite_good(reader); i++) {
    reader->part = "signature", reader->index = i;
    kn_flat_table signature = kn_flat_table_at(flat, signatures, i);
    size_t subgraph = kn_flat_u32(flat, signature, SIGNATURE_SUBGRAPH, 0);
    kn_flat_string(flat, signature, SIGNATURE_KEY);
    if (subgraph >= subgraphs.count) {
      kn_flat_fail(flat, signature.at, "its subgraph does not exist");
      return;
    }
    size_t tensors = kn_flat_tables_field(flat, kn_flat_table_at(flat, subgraphs, subgraph), SUBGRAPH_TENSORS).count;
    bool names = subgraph == 0 && !named;
    named |= names;
    read_tensor_maps(reader, kn_flat_tables_field(flat, signature, SIGNATURE_INPUTS), tensors,
                     names ? model->inputs : NULL, model->input_count);
    read_tensor_maps(reader, kn_flat_tables_field(flat, signature, SIGNATURE_OUTPUTS), tensors,
                     names ? model->outputs : NULL, model->output_count);
  }
}

/* Depth-first walk; `state` per subgraph: 0 new, 1 on the way down, 2 done. */
static void check_calls(kn_tflite_reader *reader, size_t subgraph, unsigned depth, uint8_t *state) {
  state[subgraph] = 1;
  for (size_t i = reader->first_call[subgraph]; i < reader->first_call[subgraph + 1]; i++) {
    size_t callee = reader->calls[i];
    if (state[callee] == 1 || depth == DEEPEST_CALLS) {
      reader->part = "subgraph", reader->index = callee;
      kn_flat_fail(&reader->flat, 0, "it calls itself, or calls go deeper than 64");
    }
    if (reader->flat.fault) return;
    if (!state[callee]) check_calls(reader, callee, depth + 1, state);
  }
  state[subgraph] = 2;
}

static void read_subgraphs(kn_tflite_reader *reader, kn_flat_vector subgraphs) {
  reader->model->subgraphs = subgraphs.count;
  reader->first_call = kn_alloc_array(subgraphs.count + 1, sizeof *reader->first_call);
  uint8_t *state = kn_alloc_array(subgraphs.count, sizeof *state);
  reader->out_of_memory |= !reader->first_call || !state;
  for (size_t i = 0; i < subgraphs.count && kn_tflite_good(reader); i++) {
    reader->part = NULL, reader->subgraph = i;
    read_subgraph(reader, kn_flat_table_at(&reader->flat, subgraphs, i));
    reader->first_call[i + 1] = reader->call_count;
  }
  if (kn_tflite_good(reader)) reader->subgraph = KN_TFLITE_NO_SUBGRAPH;
  for (size_t i = 0; i < subgraphs.count && kn_tflite_good(reader); i++)
    if (!state[i]) check_calls(reader, i, 0, state);
  kn_free(state);
}

static void read_model(kn_tflite_reader *reader) {
  kn_flat *flat = &reader->flat;
  kn_flat_table model = kn_flat_root(flat, "TFL3");
  kn_flat_string(flat, model, MODEL_DESCRIPTION);
  kn_flat_vector subgraphs = kn_flat_tables_field(flat, model, MODEL_SUBGRAPHS);
  if (kn_flat_u32(flat, model, MODEL_VERSION, 0) != SCHEMA_VERSION)
    kn_flat_fail(flat, model.at, "its schema is not version 3, the only one that there is");
  if (!subgraphs.count) kn_flat_fail(flat, model.at, "it holds no subgraph");
  if (kn_tflite_good(reader)) read_operator_codes(reader, kn_flat_tables_field(flat, model, MODEL_OPERATOR_CODES));
  if (kn_tflite_good(reader)) read_buffers(reader, kn_flat_tables_field(flat, model, MODEL_BUFFERS));
  if (kn_tflite_good(reader)) read_subgraphs(reader, subgraphs);
  if (kn_tflite_good(reader)) read_metadata(reader, kn_flat_tables_field(flat, model, MODEL_METADATA));
  if (kn_tflite_good(reader)) read_signatures(reader, kn_flat_tables_field(flat, model, MODEL_SIGNATURES), subgraphs);
}

/* ---- results ---- */

static kn_status fault_status(const kn_tflite_reader *reader) {
  kn_code code = reader->unsupported ? KN_INCOMPATIBLE : KN_BAD_DATA;
  const kn_flat *flat = &reader->flat;
  char graph[48] = "", part[64] = "";
  if (reader->subgraph != KN_TFLITE_NO_SUBGRAPH) snprintf(graph, sizeof graph, "subgraph %zu: ", reader->subgraph);
  if (reader->part) snprintf(part, sizeof part, "%s %zu: ", reader->part, reader->index);
  return kn_status_make(code, "not a %s TensorFlow Lite model: %s%s%s (at byte %zu of %zu)",
                        reader->unsupported ? "supported" : "valid", graph, part, flat->fault, flat->fault_at,
                        flat->bytes);
}

kn_status kn_tflite_model_read(const void *data, size_t bytes, kn_tflite_model *out_model) {
  *out_model = (kn_tflite_model){0};
  kn_tflite_reader reader = {.model = out_model, .subgraph = KN_TFLITE_NO_SUBGRAPH};
  kn_flat_init(&reader.flat, data, bytes);
  read_model(&reader);
  kn_free(reader.buffers);
  kn_free(reader.codes);
  kn_free(reader.values);
  kn_free(reader.calls);
  kn_free(reader.first_call);
  if (kn_tflite_good(&reader)) return NULL;
  kn_tflite_model_clear(out_model);
  return reader.out_of_memory ? kn_status_out_of_memory() : fault_status(&reader);
}

void kn_tflite_model_clear(kn_tflite_model *model) {
  kn_free(model->inputs);
  kn_free(model->outputs);
  kn_free(model->kinds);
  *model = (kn_tflite_model){0};
}

static bool has_name(const kn_iolist *list, const char *name) {
  for (size_t i = 0; i < list->count; i++)
    if (list->entries[i].name && !strcmp(list->entries[i].name, name)) return true;
  return false;
}

const char *kn_tflite_tensor_name(const kn_tflite_tensor *tensor, const kn_iolist *given) {
  const char *signature = tensor->signature_name;
  return given && signature && has_name(given, signature) && !has_name(given, tensor->name) ? signature : tensor->name;
}

char *kn_tflite_suspect_text(const kn_tflite_model *model, const char *words) {
  const kn_tflite_operator_count *suspect = NULL;
  for (size_t i = 0; i < model->kind_count; i++) {
    const kn_tflite_operator_count *kind = &model->kinds[i];
    if (!kind->count || (!suspect && !kind->custom && kind->known && !strstr(words, kind->name))) continue;
    if (!suspect || strstr(words, kind->name)) suspect = kind;
  }
  if (!suspect) return kn_strdup("");
  return kn_format(" (%s%s%s%s%s)",
                   suspect->known && !suspect->custom ? "operator "
                   : suspect->custom                  ? "custom operator "
                                                      : "",
                   suspect->name, suspect->layer ? ", which makes '" : "", suspect->layer ? suspect->layer : "",
                   suspect->layer ? "'" : "");
}

char *kn_tflite_census_text(const size_t counts[KN_TFLITE_TYPES]) {
  char text[KN_TFLITE_TYPES * 36] = "none";
  size_t length = 0;
  for (int i = 0; i < KN_TFLITE_TYPES; i++)
    if (counts[i])
      length += (size_t)snprintf(text + length, sizeof text - length, "%s%zu %s", length ? ", " : "", counts[i],
                                 kn_tflite_type_name(i));
  return kn_strdup(text);
}
