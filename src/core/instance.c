#include "core/instance.h"
#include "core/file.h"
#include "core/number.h"
#include "core/registry.h"
#include "core/uri.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIST_FAULTS = 8 };

static void *member(const kn_instance *instance, const kn_option *option) {
  return (char *)instance->self + option->offset;
}

static void clear_member(const kn_instance *instance, const kn_option *option) {
  switch (option->type) {
    case KN_OPTION_STRING:
    case KN_OPTION_PATH: {
      char **text = member(instance, option);
      kn_free(*text);
      *text = NULL;
      break;
    }
    case KN_OPTION_STRING_LIST: {
      kn_string_list *list = member(instance, option);
      for (size_t i = 0; i < list->count; i++) kn_free(list->items[i]);
      kn_free(list->items);
      *list = (kn_string_list){0};
      break;
    }
    case KN_OPTION_INT_LIST: {
      kn_int_list *list = member(instance, option);
      kn_free(list->items);
      *list = (kn_int_list){0};
      break;
    }
    default:
      break;
  }
}

static kn_status set_string(const kn_instance *instance, const kn_option *option, const char *text) {
  char *copy = kn_strdup(text);
  if (!copy) return kn_status_out_of_memory();
  clear_member(instance, option);
  *(char **)member(instance, option) = copy;
  return NULL;
}

/* An empty path would be the root of the file system in one place and the working directory in another. */
static kn_status set_path(const kn_instance *instance, const kn_option *option, const char *text, const char *where) {
  if (!*text)
    return kn_status_make_at(KN_INVALID_ARGUMENT, where, "'%s' is an empty path: leave it out or name something",
                             option->name);
  return set_string(instance, option, text);
}

static kn_status set_default(const kn_instance *instance, const kn_option *option) {
  switch (option->type) {
    case KN_OPTION_BOOL:
      *(bool *)member(instance, option) = option->def.b;
      break;
    case KN_OPTION_INT:
      *(int64_t *)member(instance, option) = option->def.i;
      break;
    case KN_OPTION_FLOAT:
      *(double *)member(instance, option) = option->def.f;
      break;
    case KN_OPTION_ENUM:
      *(int *)member(instance, option) = (int)option->def.i;
      break;
    case KN_OPTION_STRING:
    case KN_OPTION_PATH:
      if (option->def.s) return set_string(instance, option, option->def.s);
      clear_member(instance, option);
      break;
    case KN_OPTION_STRING_LIST:
      clear_member(instance, option);
      break;
    case KN_OPTION_INT_LIST: /* a default list is written as text: "[1, 2, 3]" */
      clear_member(instance, option);
      for (const char *text = option->def.s; text && *text; text++) {
        if (*text != '-' && (*text < '0' || *text > '9')) continue;
        char number[32];
        size_t length = strspn(text, "-0123456789");
        snprintf(number, sizeof number, "%.*s", (int)(length < 31 ? length : 31), text);
        KN_TRY(kn_instance_append_text((kn_instance *)(uintptr_t)instance, option, SIZE_MAX, number, false, "default"));
        text += length - 1;
      }
      break;
  }
  return NULL;
}

kn_status kn_instance_create(const kn_class *cls, kn_instance *out_instance) {
  *out_instance = (kn_instance){0};
  kn_instance instance = {.cls = cls, .self = kn_alloc(cls->instance_size)};
  if (!instance.self) return kn_status_out_of_memory();
  kn_status status = NULL;
  const kn_option *row;
  for (size_t i = 0; !status && (row = kn_option_at(cls, i)); i++) status = set_default(&instance, row);
  if (status)
    kn_instance_destroy(&instance);
  else
    *out_instance = instance;
  return status;
}

void kn_instance_destroy(kn_instance *instance) {
  const kn_option *row;
  for (size_t i = 0; instance->self && (row = kn_option_at(instance->cls, i)); i++) clear_member(instance, row);
  kn_free(instance->self);
  kn_free(instance->where);
  *instance = (kn_instance){0};
}

/* ---- values ---- */

static void mark_given(kn_instance *instance, size_t index) {
  if (index < KN_OPTION_LIMIT) instance->given |= (uint64_t)1 << index;
  const kn_option *row = kn_option_at(instance->cls, index);
  if (row && row->given) *(bool *)((char *)instance->self + row->given) = true;
}

/* `holds`: "is" for a value, "holds" for an item of a list. */
static kn_status outside(const kn_option *option, const char *where, const char *holds, const char *value) {
  char lowest[32], highest[32];
  if (!kn_option_range_text(option, lowest, highest))
    return kn_status_make_at(KN_INVALID_ARGUMENT, where, "'%s' %s %s, which is no finite number", option->name, holds,
                             value);
  return kn_status_make_at(KN_INVALID_ARGUMENT, where, "'%s' %s %s; %s must lie between %s and %s", option->name, holds,
                           value, *holds == 'h' ? "its items" : "it", lowest, highest);
}

static kn_status int_outside(const kn_option *option, const char *where, const char *holds, int64_t value) {
  char text[32];
  snprintf(text, sizeof text, "%lld", (long long)value);
  return outside(option, where, holds, text);
}

static kn_status set_int(const kn_instance *instance, const kn_option *option, int64_t value, const char *where) {
  if (option->min != option->max && ((double)value < option->min || (double)value > option->max))
    return int_outside(option, where, "is", value);
  *(int64_t *)member(instance, option) = value;
  return NULL;
}

static kn_status set_float(const kn_instance *instance, const kn_option *option, double value, const char *where) {
  if (!isfinite(value) || (option->min != option->max && (value < option->min || value > option->max))) {
    char text[32];
    kn_number_print(text, sizeof text, "%.15g", value);
    return outside(option, where, "is", text);
  }
  *(double *)member(instance, option) = value;
  return NULL;
}

static kn_status set_enum(const kn_instance *instance, const kn_option *option, const char *text, const char *where) {
  const char *names[64];
  size_t count = 0;
  char list[512] = "";
  for (const kn_choice *choice = option->choices; choice->name; choice++) {
    if (!strcmp(choice->name, text)) {
      *(int *)member(instance, option) = choice->value;
      return NULL;
    }
    if (count < 64) names[count++] = choice->name;
    size_t used = strlen(list);
    snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", choice->name);
  }
  const char *near = kn_closest_name(text, names, count);
  return kn_status_make_at(KN_INVALID_ARGUMENT, where, "'%s' is \"%.64s\"; it must be one of: %s%s%s%s", option->name,
                           text, list, near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

static kn_status append_string(const kn_instance *instance, const kn_option *option, const char *text) {
  kn_string_list *list = member(instance, option);
  char **items = kn_realloc(list->items, (list->count + 1) * sizeof *items);
  if (items) list->items = items;
  char *copy = items ? kn_strdup(text) : NULL;
  if (!copy) return kn_status_out_of_memory();
  items[list->count++] = copy;
  return NULL;
}

static kn_status append_int(const kn_instance *instance, const kn_option *option, int64_t value, const char *where) {
  if (option->min != option->max && ((double)value < option->min || (double)value > option->max))
    return int_outside(option, where, "holds", value);
  kn_int_list *list = member(instance, option);
  int64_t *items = kn_realloc(list->items, (list->count + 1) * sizeof *items);
  if (!items) return kn_status_out_of_memory();
  list->items = items;
  items[list->count++] = value;
  return NULL;
}

static bool parse_int(const char *text, int64_t *out) {
  char *end;
  errno = 0;
  long long value = strtoll(text, &end, 10);
  *out = value;
  return !errno && end != text && !*end;
}

kn_status kn_instance_append_text(kn_instance *instance, const kn_option *option, size_t index, const char *text,
                                  bool first, const char *where) {
  if (first) clear_member(instance, option);
  mark_given(instance, index);
  if (option->type == KN_OPTION_STRING_LIST) return append_string(instance, option, text);
  int64_t value;
  if (!parse_int(text, &value))
    return kn_status_make_at(KN_INVALID_ARGUMENT, where, "'%s' takes integers, not \"%.64s\"", option->name, text);
  return append_int(instance, option, value, where);
}

kn_status kn_instance_set_text(kn_instance *instance, const kn_option *option, size_t index, const char *text,
                               const char *where) {
  const bool first = !kn_instance_was_given(instance, index);
  mark_given(instance, index);
  int64_t integer;
  double number;
  char *end;
  switch (option->type) {
    case KN_OPTION_BOOL:
      if (strcmp(text, "true") && strcmp(text, "false") && strcmp(text, "True") && strcmp(text, "False")) break;
      *(bool *)member(instance, option) = text[0] == 't' || text[0] == 'T';
      return NULL;
    case KN_OPTION_INT:
      if (!parse_int(text, &integer)) break;
      return set_int(instance, option, integer, where);
    case KN_OPTION_FLOAT:
      number = kn_number_read(text, &end);
      if (end == text || *end) break;
      return set_float(instance, option, number, where);
    case KN_OPTION_STRING:
      return set_string(instance, option, text);
    case KN_OPTION_PATH:
      return set_path(instance, option, text, where);
    case KN_OPTION_ENUM:
      return set_enum(instance, option, text, where);
    case KN_OPTION_STRING_LIST:
    case KN_OPTION_INT_LIST:
      return kn_instance_append_text(instance, option, index, text, first, where);
  }
  return kn_status_make_at(KN_INVALID_ARGUMENT, where, "'%s' must be %s, not \"%.64s\"", option->name,
                           kn_option_type_name(option), text);
}

/* ---- JSON ---- */

static kn_status wrong_type(const kn_option *option, yyjson_val *value, const char *where) {
  const char *got = yyjson_is_raw(value)    ? "a number"
                    : yyjson_is_str(value)  ? "a string"
                    : yyjson_is_bool(value) ? "true or false"
                    : yyjson_is_arr(value)  ? "a list"
                    : yyjson_is_obj(value)  ? "an object"
                                            : "null";
  return kn_status_make_at(KN_INVALID_ARGUMENT, where, "'%s' must be %s, not %s", option->name,
                           kn_option_type_name(option), got);
}

static kn_status set_list(kn_instance *instance, const kn_json *json, const kn_option *option, yyjson_val *key,
                          yyjson_val *value, const char *where) {
  if (!yyjson_is_arr(value)) return wrong_type(option, value, where);
  clear_member(instance, option);
  kn_status faults = NULL;
  size_t i, count, shown = 0;
  yyjson_val *item;
  yyjson_arr_foreach(value, i, count, item) {
    char place[KN_JSON_WHERE_SIZE];
    kn_json_where(json, key, item, place);
    int64_t integer;
    kn_status fault;
    if (option->type == KN_OPTION_STRING_LIST && yyjson_is_str(item))
      fault = append_string(instance, option, yyjson_get_str(item));
    else if (option->type == KN_OPTION_INT_LIST && kn_json_int(item, &integer))
      fault = append_int(instance, option, integer, place);
    else
      fault = kn_status_make_at(KN_INVALID_ARGUMENT, place, "item %zu of '%s' is not %s", i + 1, option->name,
                                option->type == KN_OPTION_INT_LIST ? "an integer" : "a string");
    faults = kn_status_join(faults, fault);
    if (fault && ++shown == LIST_FAULTS) break; /* a long list of the wrong kind is told by its first items */
  }
  return faults;
}

static kn_status set_value(kn_instance *instance, const kn_json *json, const kn_option *option, yyjson_val *key,
                           yyjson_val *value) {
  char where[KN_JSON_WHERE_SIZE];
  kn_json_where(json, key, value, where);
  int64_t integer;
  double number;
  if (yyjson_is_null(value)) {
    if (!(option->flags & KN_OPTION_NULLABLE)) return wrong_type(option, value, where);
    return set_default(instance, option);
  }
  switch (option->type) {
    case KN_OPTION_BOOL:
      if (!yyjson_is_bool(value)) break;
      *(bool *)member(instance, option) = yyjson_get_bool(value);
      return NULL;
    case KN_OPTION_INT:
      if (!kn_json_int(value, &integer)) break;
      return set_int(instance, option, integer, where);
    case KN_OPTION_FLOAT:
      if (!kn_json_number(value, &number)) break;
      return set_float(instance, option, number, where);
    case KN_OPTION_STRING:
      if (!yyjson_is_str(value)) break;
      return set_string(instance, option, yyjson_get_str(value));
    case KN_OPTION_PATH:
      if (!yyjson_is_str(value)) break;
      return set_path(instance, option, yyjson_get_str(value), where);
    case KN_OPTION_ENUM:
      if (!yyjson_is_str(value)) break;
      return set_enum(instance, option, yyjson_get_str(value), where);
    case KN_OPTION_STRING_LIST:
    case KN_OPTION_INT_LIST:
      return set_list(instance, json, option, key, value, where);
  }
  return wrong_type(option, value, where);
}

kn_status kn_instance_set_member(kn_instance *instance, const kn_json *json, yyjson_val *key, yyjson_val *value) {
  size_t index;
  const kn_option *row = kn_option_find(instance->cls, kn_json_key(key), &index);
  if (!row) return NULL;
  mark_given(instance, index);
  return set_value(instance, json, row, key, value);
}

static kn_status unknown_parameter(const kn_instance *instance, const char *name, const char *where) {
  const char *names[128];
  size_t count = 0;
  const kn_option *row;
  for (size_t i = 0; count < 128 && (row = kn_option_at(instance->cls, i)); i++) names[count++] = row->name;
  const char *near = kn_closest_name(name, names, count);
  const char *short_name = strrchr(instance->cls->name, '.');
  short_name = short_name ? short_name + 1 : instance->cls->name;
  if (near)
    return kn_status_make_at(KN_NOT_FOUND, where, "%s has no parameter '%.96s'; did you mean '%s'?", short_name, name,
                             near);
  return kn_status_make_at(KN_NOT_FOUND, where, "%s has no parameter '%.96s'; `kenning info %s` lists them", short_name,
                           name, short_name);
}

static kn_status given_twice(const kn_json *json, yyjson_val *before, const char *name, const char *where) {
  char first[KN_JSON_WHERE_SIZE];
  kn_json_where(json, before, NULL, first);
  if (!strcmp(kn_json_key(before), name))
    return kn_status_make_at(KN_INVALID_ARGUMENT, where, "'%s' is given twice, first at %s", name, first);
  return kn_status_make_at(KN_INVALID_ARGUMENT, where,
                           "'%s' is another spelling of '%s', which is given at %s: keep one of them", name,
                           kn_json_key(before), first);
}

/* `spelling`: the key that set each row. */
static kn_status set_parameter(kn_instance *instance, const kn_json *json, yyjson_val *key, yyjson_val *value,
                               yyjson_val *spelling[KN_OPTION_LIMIT]) {
  char where[KN_JSON_WHERE_SIZE];
  kn_json_where(json, key, NULL, where);
  const char *name = kn_json_key(key);
  size_t index;
  const kn_option *row = kn_option_find(instance->cls, name, &index);
  if (!row) return unknown_parameter(instance, name, where);
  if (index < KN_OPTION_LIMIT && spelling[index]) return given_twice(json, spelling[index], name, where);
  if (index < KN_OPTION_LIMIT) spelling[index] = key;
  mark_given(instance, index);
  return set_value(instance, json, row, key, value);
}

kn_status kn_instance_more_faults(const char *where, size_t left) {
  if (!left) return NULL;
  return kn_status_make_at(
      KN_INVALID_ARGUMENT, where,
      "there are too many faults to tell all of them: %zu more names behind this are not looked at", left);
}

kn_status kn_instance_set_json(kn_instance *instance, const kn_json *json, yyjson_val *parameters) {
  if (!parameters) return NULL;
  kn_status faults = NULL;
  size_t i, count, told = 0;
  yyjson_val *key, *value;
  yyjson_val *spelling[KN_OPTION_LIMIT] = {0};
  yyjson_obj_foreach(parameters, i, count, key, value) {
    kn_status fault = set_parameter(instance, json, key, value, spelling);
    faults = kn_status_join(faults, fault);
    if (!fault || ++told < KN_MEMBER_FAULTS) continue;
    char where[KN_JSON_WHERE_SIZE];
    return kn_status_join(faults, kn_instance_more_faults(kn_json_where(json, key, NULL, where), count - i - 1));
  }
  return faults;
}

kn_status kn_instance_check_required(const kn_instance *instance) {
  kn_status faults = NULL;
  const kn_option *row;
  for (size_t i = 0; (row = kn_option_at(instance->cls, i)); i++) {
    if (!(row->flags & KN_OPTION_REQUIRED) || (i < KN_OPTION_LIMIT && instance->given >> i & 1)) continue;
    const char *short_name = strrchr(instance->cls->name, '.');
    faults = kn_status_join(faults,
                            kn_status_make_at(KN_INVALID_ARGUMENT, instance->where, "%s needs '%s' (%s)",
                                              short_name ? short_name + 1 : instance->cls->name, row->name, row->help));
  }
  return faults;
}

/* A data set that is not to be downloaded has to be there. */
static bool must_exist(const kn_instance *instance, const kn_option *row) {
  if (row->flags & KN_OPTION_INPUT) return true;
  if (instance->cls->kind != KN_KIND_DATASET || strcmp(row->name, "dataset_root") || !(row->flags & KN_OPTION_RESOURCE))
    return false;
  return !((const kn_dataset_options *)instance->self)->download_dataset;
}

/* Where the value of a row stands in the scenario; else where its block does. */
static const char *place_of(const kn_json *json, const kn_instance *instance, const kn_option *row,
                            char out[KN_JSON_WHERE_SIZE]) {
  size_t i, count;
  yyjson_val *key, *value;
  if (!json->root) return instance->where;
  yyjson_obj_foreach(instance->parameters, i, count, key, value) {
    if (kn_option_find(instance->cls, kn_json_key(key), NULL) == row) return kn_json_where(json, key, value, out);
  }
  return instance->where;
}

kn_status kn_instance_check_files(const kn_json *json, const kn_instance *instance) {
  kn_status faults = NULL;
  const kn_option *row;
  for (size_t i = 0; (row = kn_option_at(instance->cls, i)); i++) {
    if (row->type != KN_OPTION_PATH || !must_exist(instance, row)) continue;
    const char *text = *(char **)member(instance, row);
    char *path = NULL;
    kn_status fault = text && *text ? kn_uri_local_path(text, &path) : NULL;
    if (path) fault = kn_file_check_input(path, true); /* what is to be downloaded is not asked for */
    kn_free(path);
    if (!fault) continue;
    bool download = !(row->flags & KN_OPTION_INPUT);
    char where[KN_JSON_WHERE_SIZE];
    faults = kn_status_join(
        faults, kn_status_make_at(kn_status_code(fault), place_of(json, instance, row, where), "'%s': %s%s", row->name,
                                  kn_status_message(fault, 0),
                                  download ? "; \"download_dataset\": true fetches what can be fetched" : ""));
    kn_status_free(fault);
  }
  return faults;
}

static yyjson_mut_val *member_to_json(const kn_instance *instance, const kn_option *row, yyjson_mut_doc *doc) {
  switch (row->type) {
    case KN_OPTION_BOOL:
      return yyjson_mut_bool(doc, *(bool *)member(instance, row));
    case KN_OPTION_INT:
      return yyjson_mut_sint(doc, *(int64_t *)member(instance, row));
    case KN_OPTION_FLOAT:
      return yyjson_mut_real(doc, *(double *)member(instance, row));
    case KN_OPTION_STRING:
    case KN_OPTION_PATH: {
      const char *text = *(char **)member(instance, row);
      return text ? yyjson_mut_strcpy(doc, text) : yyjson_mut_null(doc);
    }
    case KN_OPTION_ENUM:
      for (const kn_choice *choice = row->choices; choice->name; choice++)
        if (choice->value == *(int *)member(instance, row)) return yyjson_mut_str(doc, choice->name);
      return yyjson_mut_null(doc);
    case KN_OPTION_STRING_LIST: {
      const kn_string_list *list = member(instance, row);
      yyjson_mut_val *array = yyjson_mut_arr(doc);
      for (size_t i = 0; array && i < list->count; i++)
        if (!yyjson_mut_arr_add_strcpy(doc, array, list->items[i])) return NULL;
      return array;
    }
    case KN_OPTION_INT_LIST: {
      const kn_int_list *list = member(instance, row);
      return yyjson_mut_arr_with_sint64(doc, list->items, list->count);
    }
  }
  return NULL;
}

bool kn_instance_was_given(const kn_instance *instance, size_t index) {
  return index < KN_OPTION_LIMIT && instance->given >> index & 1;
}

yyjson_mut_val *kn_instance_to_json(const kn_instance *instance, yyjson_mut_doc *doc) {
  yyjson_mut_val *object = yyjson_mut_obj(doc);
  const kn_option *row;
  for (size_t i = 0; object && (row = kn_option_at(instance->cls, i)); i++) {
    yyjson_mut_val *value = member_to_json(instance, row, doc);
    if (!value || !yyjson_mut_obj_add_val(doc, object, row->name, value)) return NULL;
  }
  return object;
}
