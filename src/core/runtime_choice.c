#include "core/runtime_choice.h"
#include "core/registry.h"

#include <string.h>

enum { NAMES = 256 };

bool kn_runtime_choice_has(const kn_class *cls) {
  if (cls->kind != KN_KIND_RUNTIME || !cls->ops || !cls->input_formats) return false;
  for (const char *const *format = cls->input_formats; *format; format++)
    if (!strcmp(*format, "any")) return false;
  return true;
}

static kn_status unknown(const kn_json *json, yyjson_val *key) {
  const char *names[NAMES], *name = kn_json_key(key);
  size_t count = 0;
  for (size_t i = 0; i < kn_registry_count(); i++) {
    const kn_class *cls = kn_registry_at(i)->cls;
    const kn_option *row;
    for (size_t k = 0; kn_runtime_choice_has(cls) && count < NAMES && (row = kn_option_at(cls, k)); k++)
      names[count++] = row->name;
  }
  const char *near = kn_closest_name(name, names, count);
  char where[KN_JSON_WHERE_SIZE];
  kn_json_where(json, key, NULL, where);
  return kn_status_make_at(KN_NOT_FOUND, where, "no runtime that could be chosen has a parameter '%.96s'%s%s%s", name,
                           near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static kn_status try(const kn_class *cls, const kn_json *json, yyjson_val *key, yyjson_val *value) {
  kn_instance instance;
  KN_TRY(kn_instance_create(cls, &instance));
  kn_status status = kn_instance_set_member(&instance, json, key, value);
  kn_instance_destroy(&instance);
  return status;
}

/* One runtime that takes it will do: the others are told to be unable to when they are tried. */
static kn_status check_one(const kn_json *json, yyjson_val *key, yyjson_val *value) {
  bool known = false;
  kn_status first = NULL;
  for (size_t i = 0; i < kn_registry_count(); i++) {
    const kn_class *cls = kn_registry_at(i)->cls;
    if (!kn_runtime_choice_has(cls) || !kn_option_find(cls, kn_json_key(key), NULL)) continue;
    known = true;
    kn_status fault = try(cls, json, key, value);
    if (!fault) {
      kn_status_free(first);
      return NULL;
    }
    if (first)
      kn_status_free(fault);
    else
      first = fault;
  }
  return known ? first : unknown(json, key);
}

kn_status kn_runtime_choice_check(const kn_json *json, yyjson_val *parameters) {
  kn_status faults = NULL;
  size_t i, count, told = 0;
  yyjson_val *key, *value;
  yyjson_obj_foreach(parameters, i, count, key, value) {
    char where[KN_JSON_WHERE_SIZE];
    const char *name = kn_json_key(key);
    kn_status fault = check_one(json, key, value);
    if (!fault && yyjson_obj_get(parameters, name) != value)
      fault =
          kn_status_make_at(KN_INVALID_ARGUMENT, kn_json_where(json, key, NULL, where), "'%.96s' is given twice", name);
    faults = kn_status_join(faults, fault);
    if (fault && ++told == KN_MEMBER_FAULTS)
      return kn_status_join(faults, kn_instance_more_faults(kn_json_where(json, key, NULL, where), count - i - 1));
  }
  return faults;
}
