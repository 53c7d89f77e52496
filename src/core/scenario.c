#include "core/scenario.h"
#include "core/formats.h"
#include "core/registry.h"
#include "core/runtime_choice.h"

#include <stdio.h>
#include <string.h>

/* ---- reading ---- */

static kn_status fault(const kn_json *json, yyjson_val *key, yyjson_val *value, kn_code code, const char *text) {
  char where[KN_JSON_WHERE_SIZE];
  return kn_status_make_at(code, kn_json_where(json, key, value, where), "%s", text);
}

/* The members of a block. */
typedef struct block_parts {
  yyjson_val *type, *type_key, *parameters; /* parameters: NULL where there are none */
} block_parts;

static kn_status take_apart(const kn_json *json, yyjson_val *key, yyjson_val *object, block_parts *out_parts) {
  *out_parts = (block_parts){0};
  if (!yyjson_is_obj(object))
    return fault(json, key, object, KN_INVALID_ARGUMENT, "a block is an object with 'type' and 'parameters'");
  kn_status faults = NULL;
  size_t told = 0;
  yyjson_val *type = NULL, *type_key = NULL, *parameters = NULL, *parameters_key = NULL, *member_key, *member;
  size_t i, count;
  yyjson_obj_foreach(object, i, count, member_key, member) {
    const char *name = kn_json_key(member_key);
    yyjson_val **slot = !strcmp(name, "type") ? &type : !strcmp(name, "parameters") ? &parameters : NULL;
    if (!slot) {
      faults = kn_status_join(
          faults, fault(json, member_key, NULL, KN_NOT_FOUND, "a block has 'type' and 'parameters' and nothing else"));
    } else if (*slot) {
      faults = kn_status_join(faults, fault(json, member_key, NULL, KN_INVALID_ARGUMENT, "this key is given twice"));
    } else {
      *slot = member;
      *(slot == &type ? &type_key : &parameters_key) = member_key;
      continue;
    }
    if (++told == KN_MEMBER_FAULTS) return kn_status_join(faults, kn_instance_more_faults(json->name, count - i - 1));
  }
  if (!type || !yyjson_is_str(type))
    return kn_status_join(faults, fault(json, type ? type_key : key, type, KN_INVALID_ARGUMENT,
                                        "a block needs 'type', the name of its class"));
  if (parameters && !yyjson_is_obj(parameters)) {
    faults = kn_status_join(
        faults, fault(json, parameters_key, parameters, KN_INVALID_ARGUMENT, "'parameters' must be an object"));
    parameters = NULL;
  }
  *out_parts = (block_parts){type, type_key, parameters};
  return faults;
}

/* Finds the class named by "type" of a block; the block's place is kept for later messages. */
static kn_status bind_block(const kn_json *json, yyjson_val *key, yyjson_val *object, kn_kind kind,
                            kn_instance *out_instance) {
  block_parts parts;
  *out_instance = (kn_instance){0};
  kn_status faults = take_apart(json, key, object, &parts);
  if (!parts.type) return faults;
  char where[KN_JSON_WHERE_SIZE];
  kn_json_where(json, parts.type_key, parts.type, where);
  const kn_class *cls;
  kn_status status = kn_registry_find(yyjson_get_str(parts.type), kind, &cls);
  if (status) {
    kn_status placed = kn_status_make_at(kn_status_code(status), where, "%s", kn_status_message(status, 0));
    kn_status_free(status);
    return kn_status_join(faults, placed);
  }
  status = kn_instance_create(cls, out_instance);
  if (status) return kn_status_join(faults, status);
  out_instance->where = kn_strdup(where);
  if (!out_instance->where) return kn_status_join(faults, kn_status_out_of_memory());
  out_instance->parameters = parts.parameters;
  faults = kn_status_join(faults, kn_instance_set_json(out_instance, json, parts.parameters));
  return kn_status_join(faults, kn_instance_check_required(out_instance));
}

static kn_status bind_optimizers(const kn_json *json, yyjson_val *key, yyjson_val *list, kn_scenario *scenario) {
  if (!yyjson_is_arr(list)) return fault(json, key, list, KN_INVALID_ARGUMENT, "'optimizers' must be a list of blocks");
  size_t wanted = yyjson_arr_size(list);
  if (wanted > 64) return fault(json, key, list, KN_INVALID_ARGUMENT, "more than 64 optimizers");
  scenario->optimizers = kn_alloc_array(wanted, sizeof *scenario->optimizers);
  if (!scenario->optimizers) return kn_status_out_of_memory();
  scenario->optimizer_count = wanted;
  kn_status faults = NULL;
  size_t i, count;
  yyjson_val *item;
  yyjson_arr_foreach(list, i, count, item) {
    faults = kn_status_join(faults, bind_block(json, key, item, KN_KIND_OPTIMIZER, &scenario->optimizers[i]));
  }
  return faults;
}

static bool names_auto(yyjson_val *runtime) {
  const char *type = yyjson_get_str(yyjson_obj_get(runtime, "type"));
  return type && !strcmp(type, "auto");
}

/* A runtime that is chosen: its parameters are for those that have them. */
static kn_status bind_auto(const kn_json *json, yyjson_val *key, yyjson_val *runtime) {
  block_parts parts;
  kn_status faults = take_apart(json, key, runtime, &parts);
  return kn_status_join(faults, kn_runtime_choice_check(json, parts.parameters));
}

/* ---- the members of a scenario ---- */

typedef enum member {
  MODEL_WRAPPER,
  DATASET,
  OPTIMIZERS,
  RUNTIME,
  RUNTIME_PROTOCOL,
  BLOCKS, /* how many of these there are */
  PLATFORM = BLOCKS,
  SCHEMA, /* editors' hint */
  UNKNOWN
} member;

static member member_of(const char *name) {
  static const struct {
    const char *name;
    member member;
  } names[] = {{"model_wrapper", MODEL_WRAPPER},
               {"dataset", DATASET},
               {"optimizers", OPTIMIZERS},
               {"runtime", RUNTIME},
               {"runtime_protocol", RUNTIME_PROTOCOL},
               {"protocol", RUNTIME_PROTOCOL}, /* today's name */
               {"platform", PLATFORM},
               {"$schema", SCHEMA}};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (!strcmp(names[i].name, name)) return names[i].member;
  return UNKNOWN;
}

static kn_status refuse_unknown(const kn_json *json, yyjson_val *key) {
  static const char *const names[] = {"model_wrapper", "dataset", "optimizers", "runtime", "runtime_protocol"};
  const char *name = kn_json_key(key), *near = kn_closest_name(name, names, BLOCKS);
  char where[KN_JSON_WHERE_SIZE];
  kn_json_where(json, key, NULL, where);
  if (near) return kn_status_make_at(KN_NOT_FOUND, where, "a scenario has no '%.96s'; did you mean '%s'?", name, near);
  return kn_status_make_at(KN_NOT_FOUND, where,
                           "a scenario has no '%.96s'; it has model_wrapper, dataset, optimizers, runtime and "
                           "runtime_protocol",
                           name);
}

static kn_status bind_runtime(const kn_json *json, yyjson_val *key, yyjson_val *value, kn_scenario *scenario) {
  scenario->runtime_given = true;
  scenario->runtime_auto = names_auto(value);
  return scenario->runtime_auto ? bind_auto(json, key, value)
                                : bind_block(json, key, value, KN_KIND_RUNTIME, &scenario->runtime);
}

static kn_status bind_member(const kn_json *json, member which, yyjson_val *key, yyjson_val *value,
                             kn_scenario *scenario) {
  switch (which) {
    case MODEL_WRAPPER:
      return bind_block(json, key, value, KN_KIND_MODELWRAPPER, &scenario->model_wrapper);
    case DATASET:
      return bind_block(json, key, value, KN_KIND_DATASET, &scenario->dataset);
    case OPTIMIZERS:
      return bind_optimizers(json, key, value, scenario);
    case RUNTIME:
      return bind_runtime(json, key, value, scenario);
    case RUNTIME_PROTOCOL:
      return bind_block(json, key, value, KN_KIND_RUNTIMEPROTOCOL, &scenario->runtime_protocol);
    case PLATFORM:
      return fault(json, key, NULL, KN_NOT_FOUND, "'platform' is not supported: this scenario runs on this machine");
    case SCHEMA:
      return NULL;
    case UNKNOWN:
      break;
  }
  return refuse_unknown(json, key);
}

/* A block that is null is not given. */
static kn_status bind_scenario(kn_scenario *scenario) {
  const kn_json *json = &scenario->json;
  if (!yyjson_is_obj(json->root))
    return fault(json, NULL, json->root, KN_INVALID_ARGUMENT, "a scenario is a JSON object");
  kn_status faults = NULL;
  bool seen[BLOCKS] = {false}, given[BLOCKS] = {false};
  size_t i, count, told = 0;
  yyjson_val *key, *value;
  yyjson_obj_foreach(json->root, i, count, key, value) {
    member which = member_of(kn_json_key(key));
    bool again = which < BLOCKS && seen[which], null = which < BLOCKS && yyjson_is_null(value);
    kn_status status = again  ? fault(json, key, NULL, KN_INVALID_ARGUMENT, "this block is given twice")
                       : null ? NULL
                              : bind_member(json, which, key, value, scenario);
    if (which < BLOCKS && !again) {
      seen[which] = true;
      given[which] = !null;
    }
    faults = kn_status_join(faults, status);
    if (status && ++told == KN_MEMBER_FAULTS)
      return kn_status_join(faults, kn_instance_more_faults(json->name, count - i - 1));
  }
  if (!given[MODEL_WRAPPER])
    faults = kn_status_join(faults, fault(json, NULL, NULL, KN_INVALID_ARGUMENT, "the scenario lacks 'model_wrapper'"));
  if (!given[DATASET])
    faults = kn_status_join(faults, fault(json, NULL, NULL, KN_INVALID_ARGUMENT, "the scenario lacks 'dataset'"));
  return faults;
}

static kn_status read_scenario(const char *path, bool files, kn_scenario *out_scenario) {
  *out_scenario = (kn_scenario){0};
  KN_TRY(kn_registry_load());
  KN_TRY(kn_json_read(path, &out_scenario->json));
  kn_status faults = bind_scenario(out_scenario);
  bool bound = !faults;
  if (bound) faults = kn_scenario_bridge(out_scenario);
  faults = kn_status_join(faults, kn_scenario_check(out_scenario));
  if (bound) faults = kn_status_join(faults, kn_scenario_check_options(out_scenario));
  if (files) faults = kn_status_join(faults, kn_scenario_check_files(out_scenario));
  if (faults) kn_scenario_clear(out_scenario);
  return faults;
}

kn_status kn_scenario_read(const char *path, kn_scenario *out_scenario) {
  return read_scenario(path, false, out_scenario);
}

kn_status kn_scenario_read_with_files(const char *path, kn_scenario *out_scenario) {
  return read_scenario(path, true, out_scenario);
}

static bool is_for_target(yyjson_val *block) {
  const char *location = yyjson_get_str(yyjson_obj_get(yyjson_obj_get(block, "parameters"), "location"));
  return location && !strcmp(location, "target");
}

/* Of a target's own scenario: what it may be asked to do to models. Others are the host's. */
static kn_status bind_target_optimizers(const kn_json *json, yyjson_val *key, yyjson_val *list, kn_scenario *scenario) {
  size_t i, count = yyjson_arr_size(list);
  yyjson_val *item;
  if (!count || scenario->optimizers) return NULL;
  if (count > 64) return fault(json, key, list, KN_INVALID_ARGUMENT, "more than 64 optimizers");
  scenario->optimizers = kn_alloc_array(count, sizeof *scenario->optimizers);
  if (!scenario->optimizers) return kn_status_out_of_memory();
  kn_status faults = NULL;
  yyjson_arr_foreach(list, i, count, item) {
    if (!is_for_target(item)) continue;
    kn_instance *optimizer = &scenario->optimizers[scenario->optimizer_count++];
    faults = kn_status_join(faults, bind_block(json, key, item, KN_KIND_OPTIMIZER, optimizer));
  }
  return faults;
}

static kn_status bind_target(kn_scenario *scenario) {
  const kn_json *json = &scenario->json;
  if (!yyjson_is_obj(json->root))
    return fault(json, NULL, json->root, KN_INVALID_ARGUMENT, "a scenario is a JSON object");
  kn_status faults = NULL;
  size_t i, count;
  yyjson_val *key, *value;
  yyjson_obj_foreach(json->root, i, count, key, value) {
    const char *name = kn_json_key(key);
    bool runtime = !strcmp(name, "runtime"), protocol = !strcmp(name, "runtime_protocol") || !strcmp(name, "protocol");
    kn_instance *instance = runtime ? &scenario->runtime : &scenario->runtime_protocol;
    if (!strcmp(name, "optimizers"))
      faults = kn_status_join(faults, bind_target_optimizers(json, key, value, scenario));
    if (!runtime && !protocol) continue;
    if (instance->cls) {
      faults = kn_status_join(faults, fault(json, key, NULL, KN_INVALID_ARGUMENT, "this block is given twice"));
      continue;
    }
    scenario->runtime_given |= runtime;
    faults = kn_status_join(
        faults, bind_block(json, key, value, runtime ? KN_KIND_RUNTIME : KN_KIND_RUNTIMEPROTOCOL, instance));
  }
  if (!faults && !scenario->runtime.cls)
    faults = fault(json, NULL, NULL, KN_INVALID_ARGUMENT, "a target needs a 'runtime'");
  if (!faults && !scenario->runtime_protocol.cls)
    faults = fault(json, NULL, NULL, KN_INVALID_ARGUMENT, "a target needs a 'runtime_protocol'");
  return faults;
}

kn_status kn_scenario_read_target(const char *path, kn_scenario *out_scenario) {
  *out_scenario = (kn_scenario){0};
  KN_TRY(kn_registry_load());
  KN_TRY(kn_json_read(path, &out_scenario->json));
  kn_status faults = bind_target(out_scenario);
  if (faults) kn_scenario_clear(out_scenario);
  return faults;
}

/* ---- rules between blocks ---- */

static bool has(const char *const *formats, const char *format) {
  for (; formats && *formats; formats++)
    if (!strcmp(*formats, format) || !strcmp(*formats, "any")) return true;
  return false;
}

static bool intersect(const char *const *outputs, const char *const *inputs) {
  for (; outputs && *outputs; outputs++)
    if (has(inputs, *outputs)) return true;
  return false;
}

static void join_names(const char *const *names, char *out, size_t size) {
  out[0] = '\0';
  for (size_t used = 0; names && *names; names++, used = strlen(out))
    snprintf(out + used, size - used, "%s%s", used ? ", " : "", *names);
}

static const char *short_name(const kn_instance *instance) { return strrchr(instance->cls->name, '.') + 1; }

static kn_status check_link(const kn_instance *from, const kn_instance *to) {
  const char *chosen[2];
  const char *const *outputs = kn_formats_given(from, chosen);
  if (!from->cls || !to->cls || !outputs || !to->cls->input_formats || intersect(outputs, to->cls->input_formats))
    return NULL;
  char gives[256], takes[256];
  join_names(outputs, gives, sizeof gives);
  join_names(to->cls->input_formats, takes, sizeof takes);
  return kn_status_make_at(KN_INCOMPATIBLE, to->where, "%s takes %s, but %s before it gives %s", short_name(to), takes,
                           short_name(from), gives);
}

static const char *written_path(const kn_instance *optimizer) {
  return optimizer->cls ? ((const kn_optimizer_options *)optimizer->self)->compiled_model_path : NULL;
}

/* An optimizer's result is the file of no model before it. */
static kn_status check_written(const kn_scenario *scenario, size_t index) {
  const kn_instance *optimizer = &scenario->optimizers[index], *wrapper = &scenario->model_wrapper;
  const char *path = written_path(optimizer);
  const char *model = wrapper->cls ? ((const kn_modelwrapper_options *)wrapper->self)->model_path : NULL;
  if (path && model && !strcmp(path, model))
    return kn_status_make_at(KN_INVALID_ARGUMENT, optimizer->where, "%s writes %s, which is the model of %s",
                             short_name(optimizer), path, short_name(wrapper));
  for (size_t i = 0; path && i < index; i++) {
    const char *before = written_path(&scenario->optimizers[i]);
    if (before && !strcmp(path, before))
      return kn_status_make_at(KN_INVALID_ARGUMENT, optimizer->where, "%s writes %s, which is %sthe result of %s",
                               short_name(optimizer), path, i + 1 == index ? "its own input, " : "",
                               short_name(&scenario->optimizers[i]));
  }
  return NULL;
}

kn_status kn_scenario_check(const kn_scenario *scenario) {
  kn_status faults = NULL;
  const char *where = scenario->json.name;
  bool runtime = scenario->runtime.cls || scenario->runtime_given;
  if (!runtime && scenario->optimizer_count)
    faults =
        kn_status_join(faults, kn_status_make_at(KN_INVALID_ARGUMENT,
                                                 scenario->optimizers[0].where ? scenario->optimizers[0].where : where,
                                                 "an optimizer needs a 'runtime' that runs its result"));
  if (!runtime && scenario->runtime_protocol.cls)
    faults = kn_status_join(faults, kn_status_make_at(KN_INVALID_ARGUMENT, scenario->runtime_protocol.where,
                                                      "a runtime protocol needs a 'runtime' that runs on the target"));
  for (size_t i = 0; i < scenario->optimizer_count; i++) {
    const kn_instance *optimizer = &scenario->optimizers[i];
    bool away = optimizer->cls && ((const kn_optimizer_options *)optimizer->self)->location == KN_ON_TARGET;
    if (away && !scenario->runtime_protocol.cls)
      faults = kn_status_join(faults, kn_status_make_at(KN_INVALID_ARGUMENT, optimizer->where,
                                                        "an optimizer on the target needs a 'runtime_protocol'"));
  }
  const kn_instance *previous = &scenario->model_wrapper;
  for (size_t i = 0; i <= scenario->optimizer_count; i++) {
    bool last = i == scenario->optimizer_count;
    const kn_instance *next = last ? &scenario->runtime : &scenario->optimizers[i];
    if (last && !scenario->optimizer_count) break; /* the runtime loads its own save_model_path */
    if (previous->cls && next->cls) faults = kn_status_join(faults, check_link(previous, next));
    previous = next;
  }
  for (size_t i = 0; i < scenario->optimizer_count; i++) faults = kn_status_join(faults, check_written(scenario, i));
  return faults;
}

/* Calls `check` for every block of the scenario. */
static kn_status for_each(const kn_scenario *scenario, kn_status (*check)(const kn_json *, const kn_instance *)) {
  kn_status faults = NULL;
  const kn_instance *blocks[] = {&scenario->model_wrapper, &scenario->dataset, &scenario->runtime,
                                 &scenario->runtime_protocol};
  for (size_t i = 0; i < 4; i++)
    if (blocks[i]->cls) faults = kn_status_join(faults, check(&scenario->json, blocks[i]));
  for (size_t i = 0; i < scenario->optimizer_count; i++)
    if (scenario->optimizers[i].cls) faults = kn_status_join(faults, check(&scenario->json, &scenario->optimizers[i]));
  return faults;
}

/* The faults of `status` that the options are to blame for, each with the block's place; takes `status`. */
static kn_status placed(const kn_instance *instance, kn_status status) {
  kn_status faults = NULL;
  kn_code code = kn_status_code(status);
  if (code == KN_OUT_OF_MEMORY) return status;
  bool judged = code == KN_INVALID_ARGUMENT || code == KN_INCOMPATIBLE;
  for (size_t i = 0; judged && i < kn_status_count(status); i++)
    faults = kn_status_join(faults, kn_status_make_at(code, instance->where, "%s", kn_status_message(status, i)));
  kn_status_free(status);
  return faults;
}

static kn_status check_options(const kn_json *json, const kn_instance *instance) {
  (void)json;
  const kn_class *cls = instance->cls;
  kn_status faults = kn_kind_check(cls->kind, instance->self);
  if (cls->check) faults = kn_status_join(faults, cls->check(instance->self));
  if (cls->kind == KN_KIND_OPTIMIZER && cls->ops) { /* to open an optimizer is to judge its options, and no more */
    const kn_optimizer_ops *ops = cls->ops;
    faults = kn_status_join(faults, ops->open(instance->self));
    ops->close(instance->self);
  }
  return placed(instance, faults);
}

kn_status kn_scenario_check_options(const kn_scenario *scenario) { return for_each(scenario, check_options); }

kn_status kn_scenario_check_files(const kn_scenario *scenario) { return for_each(scenario, kn_instance_check_files); }

static kn_status check_runnable(const kn_json *json, const kn_instance *instance) {
  (void)json;
  if (instance->cls->ops) return NULL;
  if (instance->cls->kind == KN_KIND_RUNTIME)
    return kn_status_make_at(KN_INVALID_ARGUMENT, instance->where,
                             "%s runs on a target only: add a 'runtime_protocol' that leads to one",
                             short_name(instance));
  return kn_status_make_at(KN_NOT_INSTALLED, instance->where,
                           "%s is known by its parameters only: this program has no functions of it",
                           short_name(instance));
}

kn_status kn_scenario_check_runnable(const kn_scenario *scenario) {
  if (scenario->runtime_auto)
    return kn_status_make_at(
        KN_INVALID_ARGUMENT, scenario->json.name,
        "a runtime is chosen (\"auto\") by the commands that test a scenario; here one must be named");
  kn_scenario here = *scenario;
  if (here.runtime_protocol.cls) here.runtime = (kn_instance){0}; /* it runs on the target, which judges it */
  return for_each(&here, check_runnable);
}

static bool add_block(yyjson_mut_doc *doc, yyjson_mut_val *object, const kn_instance *instance) {
  yyjson_mut_val *parameters = kn_instance_to_json(instance, doc);
  return parameters && yyjson_mut_obj_add_str(doc, object, "type", instance->cls->name) &&
         yyjson_mut_obj_add_val(doc, object, "parameters", parameters);
}

bool kn_scenario_put_block(yyjson_mut_doc *doc, yyjson_mut_val *object, const char *key, const kn_instance *instance) {
  return add_block(doc, yyjson_mut_obj_add_obj(doc, object, key), instance);
}

yyjson_mut_val *kn_scenario_to_json(const kn_scenario *scenario, yyjson_mut_doc *doc) {
  if (scenario->json.root) return yyjson_val_mut_copy(doc, scenario->json.root);
  const struct {
    const char *key;
    const kn_instance *instance;
  } blocks[] = {{"dataset", &scenario->dataset},
                {"model_wrapper", &scenario->model_wrapper},
                {"runtime_protocol", &scenario->runtime_protocol},
                {"runtime", &scenario->runtime}};
  yyjson_mut_val *object = yyjson_mut_obj(doc);
  bool ok = object != NULL;
  for (size_t i = 0; i < 4; i++)
    if (blocks[i].instance->cls) ok = ok && kn_scenario_put_block(doc, object, blocks[i].key, blocks[i].instance);
  yyjson_mut_val *list = scenario->optimizer_count ? yyjson_mut_obj_add_arr(doc, object, "optimizers") : NULL;
  for (size_t i = 0; i < scenario->optimizer_count; i++)
    ok = ok && list && add_block(doc, yyjson_mut_arr_add_obj(doc, list), &scenario->optimizers[i]);
  return ok ? object : NULL;
}

void kn_scenario_clear(kn_scenario *scenario) {
  kn_instance_destroy(&scenario->model_wrapper);
  kn_instance_destroy(&scenario->dataset);
  for (size_t i = 0; i < scenario->optimizer_count; i++) kn_instance_destroy(&scenario->optimizers[i]);
  kn_free(scenario->optimizers);
  for (size_t i = 0; i < scenario->candidate_count; i++) kn_instance_destroy(&scenario->candidates[i]);
  kn_free(scenario->candidates);
  kn_instance_destroy(&scenario->runtime);
  kn_instance_destroy(&scenario->runtime_protocol);
  kn_json_clear(&scenario->json);
  *scenario = (kn_scenario){0};
}
