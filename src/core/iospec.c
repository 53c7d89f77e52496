#include "core/json.h"
#include "core/record_json.h"

#include <kenning/iospec.h>
#include <kenning/services.h>
#include <string.h>

static void clear_list(kn_iolist *list) {
  for (size_t i = 0; i < list->count; i++) {
    kn_free(list->entries[i].name);
    kn_free(list->entries[i].class_name);
  }
  kn_free(list->entries);
  *list = (kn_iolist){0};
}

void kn_iospec_clear(kn_iospec *spec) {
  clear_list(&spec->input);
  clear_list(&spec->processed_input);
  clear_list(&spec->output);
  clear_list(&spec->processed_output);
}

kn_status kn_iolist_add(kn_iolist *list, const kn_ioentry *entry) {
  kn_ioentry copy = *entry;
  copy.name = kn_strdup(entry->name ? entry->name : "");
  copy.class_name = entry->class_name ? kn_strdup(entry->class_name) : NULL;
  kn_ioentry *entries = kn_realloc(list->entries, (list->count + 1) * sizeof *entries);
  if (entries) list->entries = entries;
  if (!entries || !copy.name || (entry->class_name && !copy.class_name)) {
    kn_free(copy.name);
    kn_free(copy.class_name);
    return kn_status_out_of_memory();
  }
  entries[list->count++] = copy;
  return NULL;
}

static kn_status copy_list(const kn_iolist *from, kn_iolist *to) {
  for (size_t i = 0; i < from->count; i++) KN_TRY(kn_iolist_add(to, &from->entries[i]));
  return NULL;
}

kn_status kn_iospec_copy(const kn_iospec *from, kn_iospec *out_spec) {
  *out_spec = (kn_iospec){0};
  kn_status status = copy_list(&from->input, &out_spec->input);
  if (!status) status = copy_list(&from->processed_input, &out_spec->processed_input);
  if (!status) status = copy_list(&from->output, &out_spec->output);
  if (!status) status = copy_list(&from->processed_output, &out_spec->processed_output);
  if (status) kn_iospec_clear(out_spec);
  return status;
}

/* ---- reading ---- */

static kn_status fault(const kn_json *json, yyjson_val *key, yyjson_val *value, const char *text) {
  char where[KN_JSON_WHERE_SIZE];
  return kn_status_make_at(KN_BAD_DATA, kn_json_where(json, key, value, where), "io specification: %s", text);
}

static kn_status read_shape(const kn_json *json, yyjson_val *key, yyjson_val *value, kn_ioentry *entry) {
  if (!yyjson_is_arr(value)) return fault(json, key, value, "'shape' must be a list of integers");
  if (yyjson_arr_size(value) > KN_MAX_RANK) return fault(json, key, value, "'shape' has more than 8 dimensions");
  size_t i, count;
  yyjson_val *item;
  yyjson_arr_foreach(value, i, count, item) {
    int64_t size;
    if (yyjson_is_null(item))
      size = -1;
    else if (!kn_json_int(item, &size) || size < -1 || size > INT32_MAX)
      return fault(json, key, item, "a dimension must be an integer from -1 (dynamic) to 2147483647");
    entry->shape[i] = size;
  }
  entry->rank = (uint32_t)count;
  return NULL;
}

static kn_status read_dtype(const kn_json *json, yyjson_val *key, yyjson_val *value, kn_dtype *out_dtype) {
  if (!yyjson_is_str(value) || !(*out_dtype = kn_dtype_from_name(yyjson_get_str(value))))
    return fault(json, key, value, "unknown data type; known are float32, float16, float64, int8, uint8, ...");
  return NULL;
}

/* Scales and zero points come as a number, or as a list of one (today's per-tensor form). */
static yyjson_val *single(yyjson_val *value) {
  return yyjson_is_arr(value) && yyjson_arr_size(value) == 1 ? yyjson_arr_get_first(value) : value;
}

/* Fills `entry` with pointers into the document. */
static kn_status read_entry(const kn_json *json, yyjson_val *list_key, yyjson_val *object, kn_ioentry *entry) {
  *entry = (kn_ioentry){.order = -1};
  if (!yyjson_is_obj(object)) return fault(json, list_key, object, "an entry must be an object");
  size_t i, count;
  yyjson_val *key, *value;
  bool has_scale = false, has_zero = false, has_shape = false;
  yyjson_obj_foreach(object, i, count, key, value) {
    const char *name = kn_json_key(key);
    if (!strcmp(name, "name") && !yyjson_is_null(value)) {
      if (!yyjson_is_str(value)) return fault(json, key, value, "'name' must be a string");
      entry->name = (char *)(uintptr_t)yyjson_get_str(value);
    } else if (!strcmp(name, "class_name") && !yyjson_is_null(value)) {
      if (!yyjson_is_str(value)) return fault(json, key, value, "'class_name' must be a string");
      entry->class_name = (char *)(uintptr_t)yyjson_get_str(value);
    } else if (!strcmp(name, "shape")) {
      KN_TRY(read_shape(json, key, value, entry));
      has_shape = true;
    } else if (!strcmp(name, "dtype")) {
      KN_TRY(read_dtype(json, key, value, &entry->dtype));
    } else if (!strcmp(name, "prequantized_dtype")) {
      KN_TRY(read_dtype(json, key, value, &entry->prequantized_dtype));
    } else if (!strcmp(name, "order") && !yyjson_is_null(value)) {
      if (!kn_json_int(value, &entry->order) || entry->order < 0)
        return fault(json, key, value, "'order' must be a non-negative integer");
    } else if (!strcmp(name, "scale") && !yyjson_is_null(value)) {
      if (!kn_json_number(single(value), &entry->scale) || entry->scale <= 0)
        return fault(json, key, value, "'scale' must be a positive number");
      has_scale = true;
    } else if (!strcmp(name, "zero_point") && !yyjson_is_null(value)) {
      if (!kn_json_int(single(value), &entry->zero_point))
        return fault(json, key, value, "'zero_point' must be an integer");
      has_zero = true;
    }
  }
  if (!has_shape) return fault(json, list_key, NULL, "an entry lacks its 'shape'");
  if (!entry->dtype) return fault(json, list_key, NULL, "an entry lacks its 'dtype'");
  if (has_scale != has_zero) return fault(json, list_key, NULL, "'scale' and 'zero_point' go together");
  entry->quantized = has_scale;
  return NULL;
}

static kn_status read_list(const kn_json *json, const char *name, kn_iolist *list) {
  yyjson_val *key = NULL, *value = NULL, *candidate_key, *candidate;
  size_t i, count;
  yyjson_obj_foreach(json->root, i, count, candidate_key, candidate) {
    if (!strcmp(kn_json_key(candidate_key), name)) key = candidate_key, value = candidate;
  }
  if (!value) return NULL;
  if (!yyjson_is_arr(value)) return fault(json, key, value, "the lists of inputs and outputs must be arrays");
  if (yyjson_arr_size(value) > 256) return fault(json, key, value, "more than 256 entries");
  yyjson_val *item;
  yyjson_arr_foreach(value, i, count, item) {
    kn_ioentry entry;
    KN_TRY(read_entry(json, key, item, &entry));
    KN_TRY(kn_iolist_add(list, &entry));
  }
  return NULL;
}

static kn_status read_spec(const kn_json *json, kn_iospec *spec) {
  if (!yyjson_is_obj(json->root)) return fault(json, NULL, NULL, "it must be an object");
  KN_TRY(read_list(json, "input", &spec->input));
  KN_TRY(read_list(json, "processed_input", &spec->processed_input));
  KN_TRY(read_list(json, "output", &spec->output));
  KN_TRY(read_list(json, "processed_output", &spec->processed_output));
  if (!spec->input.count || !spec->output.count)
    return fault(json, NULL, NULL, "'input' and 'output' need an entry each");
  return NULL;
}

static kn_status read_json(kn_json *json, kn_iospec *out_spec) {
  kn_status status = read_spec(json, out_spec);
  if (status) kn_iospec_clear(out_spec);
  kn_json_clear(json);
  return status;
}

kn_status kn_iospec_parse(const char *text, size_t length, const char *name, kn_iospec *out_spec) {
  *out_spec = (kn_iospec){0};
  kn_json json;
  KN_TRY(kn_json_parse(name, text, length, &json));
  return read_json(&json, out_spec);
}

kn_status kn_iospec_read(const char *path, kn_iospec *out_spec) {
  *out_spec = (kn_iospec){0};
  kn_json json;
  KN_TRY(kn_json_read(path, &json));
  return read_json(&json, out_spec);
}

/* ---- writing ---- */

static bool add_entry(yyjson_mut_doc *doc, yyjson_mut_val *list, const kn_ioentry *entry) {
  yyjson_mut_val *object = yyjson_mut_arr_add_obj(doc, list);
  if (!object || !yyjson_mut_obj_add_str(doc, object, "name", entry->name)) return false;
  yyjson_mut_val *shape = yyjson_mut_obj_add_arr(doc, object, "shape");
  for (uint32_t i = 0; i < entry->rank; i++)
    if (!yyjson_mut_arr_add_sint(doc, shape, entry->shape[i])) return false;
  bool ok = shape && yyjson_mut_obj_add_str(doc, object, "dtype", kn_dtype_name(entry->dtype));
  if (entry->order >= 0) ok = ok && yyjson_mut_obj_add_sint(doc, object, "order", entry->order);
  if (entry->quantized)
    ok = ok && yyjson_mut_obj_add_real(doc, object, "scale", entry->scale) &&
         yyjson_mut_obj_add_sint(doc, object, "zero_point", entry->zero_point);
  if (entry->prequantized_dtype)
    ok = ok && yyjson_mut_obj_add_str(doc, object, "prequantized_dtype", kn_dtype_name(entry->prequantized_dtype));
  if (entry->class_name) ok = ok && yyjson_mut_obj_add_str(doc, object, "class_name", entry->class_name);
  return ok;
}

static bool add_list(yyjson_mut_doc *doc, const char *name, const kn_iolist *list) {
  yyjson_mut_val *array = yyjson_mut_obj_add_arr(doc, yyjson_mut_doc_get_root(doc), name);
  for (size_t i = 0; array && i < list->count; i++)
    if (!add_entry(doc, array, &list->entries[i])) return false;
  return array != NULL;
}

kn_status kn_iospec_text(const kn_iospec *spec, char **out_json, size_t *out_bytes) {
  *out_json = NULL;
  *out_bytes = 0;
  yyjson_mut_doc *doc = yyjson_mut_doc_new(&kn_json_allocator);
  if (!doc) return kn_status_out_of_memory();
  yyjson_mut_doc_set_root(doc, yyjson_mut_obj(doc));
  bool ok = yyjson_mut_doc_get_root(doc) && add_list(doc, "input", &spec->input) &&
            (!spec->processed_input.count || add_list(doc, "processed_input", &spec->processed_input)) &&
            add_list(doc, "output", &spec->output) &&
            (!spec->processed_output.count || add_list(doc, "processed_output", &spec->processed_output));
  yyjson_write_err error = {.code = YYJSON_WRITE_ERROR_MEMORY_ALLOCATION};
  *out_json = ok ? yyjson_mut_write_opts(doc, YYJSON_WRITE_PRETTY, &kn_json_allocator, out_bytes, &error) : NULL;
  yyjson_mut_doc_free(doc);
  if (*out_json) return NULL;
  if (error.code == YYJSON_WRITE_ERROR_MEMORY_ALLOCATION) return kn_status_out_of_memory();
  /* a name that is not UTF-8, an infinite scale */
  return kn_status_make(KN_BAD_DATA, "the io specification cannot be written as JSON: %s", error.msg);
}

kn_status kn_iospec_write(const kn_iospec *spec, const char *path) {
  char *text;
  size_t length;
  kn_status status = kn_iospec_text(spec, &text, &length);
  if (status && kn_status_code(status) == KN_OUT_OF_MEMORY) return status;
  if (status) return kn_status_annotate(status, "while writing %s", path);
  status = kn_file_write(path, text, length);
  kn_free(text);
  return status;
}
