#include "library/block.h"

#include "core/log.h"
#include "core/registry.h"

#include <string.h>

const char *kn_version(void) { return KENNING_VERSION; }

void kn_shutdown(void) { kn_registry_unload(); }

static kn_status set_parameters(kn_block *block, const char *parameters) {
  if (!parameters) return NULL;
  kn_json json;
  KN_TRY(kn_json_parse(kn_class_short_name(block->instance.cls), parameters, strlen(parameters), &json));
  kn_status status = yyjson_is_obj(json.root)
                         ? kn_instance_set_json(&block->instance, &json, json.root)
                         : kn_status_make(KN_INVALID_ARGUMENT,
                                          "the parameters of %s are not the text of a JSON object, "
                                          "such as {\"seed\": 1}",
                                          json.name);
  kn_json_clear(&json);
  return status;
}

kn_status kn_block_create(kn_kind kind, const char *class_name, const char *parameters, kn_block **out_block) {
  *out_block = NULL;
  const kn_class *cls;
  KN_TRY(kn_registry_find(class_name, kind, &cls));
  kn_block *block = kn_alloc(sizeof *block);
  if (!block) return kn_status_out_of_memory();
  kn_status status = kn_instance_create(cls, &block->instance);
  if (!status) status = set_parameters(block, parameters);
  if (status)
    kn_block_destroy(block);
  else
    *out_block = block;
  return status;
}

kn_status kn_block_set(kn_block *block, const char *key, const char *value) {
  kn_instance *instance = &block->instance;
  size_t index;
  const kn_option *row = kn_option_find(instance->cls, key, &index);
  if (row) return kn_instance_set_text(instance, row, index, value, NULL);
  const char *names[KN_OPTION_LIMIT];
  size_t count = 0;
  for (; count < KN_OPTION_LIMIT && (row = kn_option_at(instance->cls, count)); count++) names[count] = row->name;
  const char *near = kn_closest_name(key, names, count);
  return kn_status_make(KN_NOT_FOUND, "%s has no parameter '%.96s'%s%s%s", kn_class_short_name(instance->cls), key,
                        near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

const char *kn_block_class(const kn_block *block) { return block->instance.cls->name; }

void kn_block_destroy(kn_block *block) {
  if (block) kn_instance_destroy(&block->instance);
  kn_free(block);
}

kn_status kn_block_check_kind(const kn_block *block, kn_kind kind) {
  if (!block || block->instance.cls->kind == kind) return NULL;
  return kn_status_make(KN_INVALID_ARGUMENT, "%s is of the kind %s; here a %s is needed", kn_block_class(block),
                        kn_kind_name(block->instance.cls->kind), kn_kind_name(kind));
}
