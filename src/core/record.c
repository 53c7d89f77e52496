#include "core/record_json.h"

#include <math.h>

struct kn_record {
  yyjson_mut_doc *doc; /* owned by the root record */
  yyjson_mut_val *value;
  struct kn_record *root;
  struct kn_record *next; /* list of the root's children, freed with it */
};

static void *allocate(void *context, size_t size) {
  (void)context;
  return kn_alloc(size);
}

static void *reallocate(void *context, void *pointer, size_t old_size, size_t size) {
  (void)context;
  (void)old_size;
  return kn_realloc(pointer, size);
}

static void release(void *context, void *pointer) {
  (void)context;
  kn_free(pointer);
}

const yyjson_alc kn_json_allocator = {.malloc = allocate, .realloc = reallocate, .free = release, .ctx = NULL};

kn_status kn_record_create(kn_record **out_record) {
  *out_record = NULL;
  kn_record *record = kn_alloc(sizeof *record);
  if (!record) return kn_status_out_of_memory();
  record->doc = yyjson_mut_doc_new(&kn_json_allocator);
  record->value = record->doc ? yyjson_mut_obj(record->doc) : NULL;
  record->root = record;
  if (!record->value) {
    kn_record_destroy(record);
    return kn_status_out_of_memory();
  }
  yyjson_mut_doc_set_root(record->doc, record->value);
  *out_record = record;
  return NULL;
}

void kn_record_destroy(kn_record *record) {
  if (!record) return;
  yyjson_mut_doc_free(record->doc);
  while (record) {
    kn_record *next = record->next;
    kn_free(record);
    record = next;
  }
}

yyjson_mut_val *kn_record_value(const kn_record *record) { return record->value; }
yyjson_mut_doc *kn_record_document(const kn_record *record) { return record->root->doc; }

kn_status kn_record_set_value(kn_record *record, const char *key, yyjson_mut_val *value) {
  yyjson_mut_val *name = yyjson_mut_strcpy(record->root->doc, key);
  if (!name || !value || !yyjson_mut_obj_put(record->value, name, value)) return kn_status_out_of_memory();
  return NULL;
}

kn_status kn_record_set_string(kn_record *record, const char *key, const char *value) {
  return kn_record_set_value(record, key, yyjson_mut_strcpy(record->root->doc, value));
}

kn_status kn_record_set_int(kn_record *record, const char *key, int64_t value) {
  return kn_record_set_value(record, key, yyjson_mut_sint(record->root->doc, value));
}

kn_status kn_record_set_number(kn_record *record, const char *key, double value) {
  yyjson_mut_doc *doc = record->root->doc;
  return kn_record_set_value(record, key, isfinite(value) ? yyjson_mut_real(doc, value) : yyjson_mut_null(doc));
}

kn_status kn_record_set_bool(kn_record *record, const char *key, bool value) {
  return kn_record_set_value(record, key, yyjson_mut_bool(record->root->doc, value));
}

kn_status kn_record_set_numbers(kn_record *record, const char *key, const double *values, size_t count) {
  yyjson_mut_doc *doc = record->root->doc;
  yyjson_mut_val *list = yyjson_mut_arr(doc);
  for (size_t i = 0; list && i < count; i++) {
    yyjson_mut_val *value = isfinite(values[i]) ? yyjson_mut_real(doc, values[i]) : yyjson_mut_null(doc);
    if (!value || !yyjson_mut_arr_append(list, value)) list = NULL;
  }
  return kn_record_set_value(record, key, list);
}

kn_status kn_record_set_strings(kn_record *record, const char *key, const char *const *values, size_t count) {
  yyjson_mut_doc *doc = record->root->doc;
  yyjson_mut_val *list = yyjson_mut_arr(doc);
  for (size_t i = 0; list && i < count; i++)
    if (!yyjson_mut_arr_add_strcpy(doc, list, values[i])) list = NULL;
  return kn_record_set_value(record, key, list);
}

/* A record for `value`, which lives in the document of `parent`'s root. */
static kn_status wrap(kn_record *parent, yyjson_mut_val *value, kn_record **out_child) {
  kn_record *child = kn_alloc(sizeof *child);
  if (!child) return kn_status_out_of_memory();
  child->value = value;
  child->root = parent->root;
  child->next = parent->root->next;
  parent->root->next = child;
  *out_child = child;
  return NULL;
}

kn_status kn_record_object(kn_record *record, const char *key, kn_record **out_child) {
  *out_child = NULL;
  yyjson_mut_val *value = yyjson_mut_obj_get(record->value, key);
  if (!yyjson_mut_is_obj(value)) {
    value = yyjson_mut_obj(record->root->doc);
    KN_TRY(kn_record_set_value(record, key, value));
  }
  return wrap(record, value, out_child);
}

kn_status kn_record_append_object(kn_record *record, const char *key, kn_record **out_child) {
  *out_child = NULL;
  yyjson_mut_val *list = yyjson_mut_obj_get(record->value, key);
  if (!yyjson_mut_is_arr(list)) {
    list = yyjson_mut_arr(record->root->doc);
    KN_TRY(kn_record_set_value(record, key, list));
  }
  yyjson_mut_val *value = yyjson_mut_obj(record->root->doc);
  if (!value || !yyjson_mut_arr_append(list, value)) return kn_status_out_of_memory();
  return wrap(record, value, out_child);
}

kn_status kn_record_parse(const char *json, size_t length, kn_record **out_record) {
  *out_record = NULL;
  yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)json, length, 0, &kn_json_allocator, NULL);
  if (!doc || !yyjson_is_obj(yyjson_doc_get_root(doc))) {
    yyjson_doc_free(doc);
    return kn_status_make(KN_BAD_DATA, "this is not a JSON object");
  }
  kn_record *record;
  kn_status status = kn_record_create(&record);
  if (!status) {
    yyjson_mut_val *value = yyjson_val_mut_copy(record->doc, yyjson_doc_get_root(doc));
    if (value) {
      record->value = value;
      yyjson_mut_doc_set_root(record->doc, value);
      *out_record = record;
    } else {
      kn_record_destroy(record);
      status = kn_status_out_of_memory();
    }
  }
  yyjson_doc_free(doc);
  return status;
}
