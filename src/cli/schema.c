/* schema: the JSON Schema (2020-12) of a whole scenario, from the option tables. */
#include "cli/command.h"
#include "core/record_json.h"
#include "core/registry.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef yyjson_mut_val val;
typedef yyjson_mut_doc document;

/* Every function returns NULL when memory is exhausted; additions to NULL fail, so one check at the end suffices. */

static val *string(document *doc, const char *text) { return yyjson_mut_strcpy(doc, text); }

static val *typed(document *doc, const kn_option *row, const char *type) {
  if (!(row->flags & KN_OPTION_NULLABLE)) return string(doc, type);
  val *types = yyjson_mut_arr(doc);
  yyjson_mut_arr_append(types, string(doc, type));
  yyjson_mut_arr_append(types, string(doc, "null"));
  return types;
}

static val *default_value(document *doc, const kn_option *row) {
  switch (row->type) {
    case KN_OPTION_BOOL:
      return yyjson_mut_bool(doc, row->def.b);
    case KN_OPTION_INT:
      return yyjson_mut_sint(doc, row->def.i);
    case KN_OPTION_FLOAT:
      return yyjson_mut_real(doc, row->def.f);
    case KN_OPTION_STRING:
    case KN_OPTION_PATH:
      return row->def.s ? string(doc, row->def.s) : NULL;
    case KN_OPTION_ENUM:
      for (const kn_choice *choice = row->choices; choice->name; choice++)
        if (choice->value == (int)row->def.i) return string(doc, choice->name);
      return NULL;
    default:
      return NULL;
  }
}

static void add_bounds(document *doc, val *schema, const kn_option *row) {
  if (row->min == row->max) return;
  bool whole = row->min == floor(row->min) && row->max == floor(row->max) && fabs(row->max) < 9e15;
  yyjson_mut_obj_add_val(doc, schema, "minimum",
                         whole ? yyjson_mut_sint(doc, (int64_t)row->min) : yyjson_mut_real(doc, row->min));
  yyjson_mut_obj_add_val(doc, schema, "maximum",
                         whole ? yyjson_mut_sint(doc, (int64_t)row->max) : yyjson_mut_real(doc, row->max));
}

static val *row_schema(document *doc, const kn_option *row) {
  static const char *const types[] = {
      [KN_OPTION_BOOL] = "boolean",      [KN_OPTION_INT] = "integer",   [KN_OPTION_FLOAT] = "number",
      [KN_OPTION_STRING] = "string",     [KN_OPTION_PATH] = "string",   [KN_OPTION_ENUM] = "string",
      [KN_OPTION_STRING_LIST] = "array", [KN_OPTION_INT_LIST] = "array"};
  val *schema = yyjson_mut_obj(doc);
  yyjson_mut_obj_add_val(doc, schema, "description", string(doc, row->help));
  yyjson_mut_obj_add_val(doc, schema, "type", typed(doc, row, types[row->type]));
  if (row->choices) {
    val *names = yyjson_mut_obj_add_arr(doc, schema, "enum");
    for (const kn_choice *choice = row->choices; choice->name; choice++)
      yyjson_mut_arr_append(names, string(doc, choice->name));
    if (row->flags & KN_OPTION_NULLABLE) yyjson_mut_arr_append(names, yyjson_mut_null(doc));
  }
  if (row->type == KN_OPTION_STRING_LIST || row->type == KN_OPTION_INT_LIST) {
    val *items = yyjson_mut_obj_add_obj(doc, schema, "items");
    yyjson_mut_obj_add_str(doc, items, "type", row->type == KN_OPTION_INT_LIST ? "integer" : "string");
    add_bounds(doc, items, row);
  } else {
    add_bounds(doc, schema, row);
  }
  val *standard = row->flags & KN_OPTION_REQUIRED ? NULL : default_value(doc, row);
  if (standard) yyjson_mut_obj_add_val(doc, schema, "default", standard);
  if (row->deprecated) yyjson_mut_obj_add_bool(doc, schema, "deprecated", true);
  return schema;
}

/* Either spelling of a required row, not both; of the others at most one spelling. */
static void add_spellings(document *doc, val *rules, const kn_option *row) {
  bool aliases = row->aliases && *row->aliases;
  if (!aliases && !(row->flags & KN_OPTION_REQUIRED)) return;
  val *rule = yyjson_mut_arr_add_obj(doc, rules), *branches = yyjson_mut_obj_add_arr(doc, rule, "oneOf");
  for (size_t i = 0;; i++) {
    const char *name = i ? (row->aliases ? row->aliases[i - 1] : NULL) : row->name;
    if (!name) break;
    val *required = yyjson_mut_obj_add_arr(doc, yyjson_mut_arr_add_obj(doc, branches), "required");
    yyjson_mut_arr_append(required, string(doc, name));
  }
  if (row->flags & KN_OPTION_REQUIRED) return;
  val *nothing = yyjson_mut_obj_add_obj(doc, yyjson_mut_arr_add_obj(doc, branches), "not");
  val *any = yyjson_mut_obj_add_arr(doc, nothing, "anyOf");
  for (size_t i = 0;; i++) {
    const char *name = i ? row->aliases[i - 1] : row->name;
    if (!name) break;
    val *required = yyjson_mut_obj_add_arr(doc, yyjson_mut_arr_add_obj(doc, any), "required");
    yyjson_mut_arr_append(required, string(doc, name));
  }
}

static val *parameters_schema(document *doc, const kn_class *cls, bool *out_needs_any) {
  val *schema = yyjson_mut_obj(doc);
  yyjson_mut_obj_add_str(doc, schema, "type", "object");
  yyjson_mut_obj_add_bool(doc, schema, "additionalProperties", false);
  val *properties = yyjson_mut_obj_add_obj(doc, schema, "properties");
  val *rules = yyjson_mut_arr(doc);
  const kn_option *row;
  for (size_t i = 0; (row = kn_option_at(cls, i)); i++) {
    yyjson_mut_obj_add(properties, string(doc, row->name), row_schema(doc, row));
    for (const char *const *alias = row->aliases; alias && *alias; alias++)
      yyjson_mut_obj_add(properties, string(doc, *alias), row_schema(doc, row));
    add_spellings(doc, rules, row);
    *out_needs_any |= (row->flags & KN_OPTION_REQUIRED) != 0;
  }
  if (yyjson_mut_arr_size(rules)) yyjson_mut_obj_add_val(doc, schema, "allOf", rules);
  return schema;
}

/* Every spelling of a class: the seed's path, today's, the bare name. */
static val *class_names(document *doc, const kn_class *cls) {
  static const char *const renamed[][2] = {{"kenning.compilers.", "kenning.optimizers."},
                                           {"kenning.runtimeprotocols.", "kenning.protocols."}};
  val *names = yyjson_mut_arr(doc);
  yyjson_mut_arr_append(names, string(doc, cls->name));
  for (size_t i = 0; i < sizeof renamed / sizeof renamed[0]; i++) {
    size_t length = strlen(renamed[i][0]);
    if (strncmp(cls->name, renamed[i][0], length)) continue;
    char name[256];
    snprintf(name, sizeof name, "%s%s", renamed[i][1], cls->name + length);
    yyjson_mut_arr_append(names, string(doc, name));
  }
  yyjson_mut_arr_append(names, string(doc, strrchr(cls->name, '.') + 1));
  return names;
}

static val *class_schema(document *doc, const kn_class *cls) {
  val *schema = yyjson_mut_obj(doc);
  yyjson_mut_obj_add_val(doc, schema, "title", string(doc, strrchr(cls->name, '.') + 1));
  yyjson_mut_obj_add_val(doc, schema, "description", string(doc, cls->summary));
  yyjson_mut_obj_add_str(doc, schema, "type", "object");
  yyjson_mut_obj_add_bool(doc, schema, "additionalProperties", false);
  val *properties = yyjson_mut_obj_add_obj(doc, schema, "properties");
  val *type = yyjson_mut_obj_add_obj(doc, properties, "type");
  yyjson_mut_obj_add_val(doc, type, "enum", class_names(doc, cls));
  bool needs_parameters = false;
  yyjson_mut_obj_add_val(doc, properties, "parameters", parameters_schema(doc, cls, &needs_parameters));
  val *required = yyjson_mut_obj_add_arr(doc, schema, "required");
  yyjson_mut_arr_append(required, string(doc, "type"));
  if (needs_parameters) yyjson_mut_arr_append(required, string(doc, "parameters"));
  return schema;
}

/* "runtime": {"type": "auto"}: no class. Its parameters go to every runtime that has them. */
static val *auto_schema(document *doc) {
  val *schema = yyjson_mut_obj(doc);
  yyjson_mut_obj_add_str(doc, schema, "title", "auto");
  yyjson_mut_obj_add_str(doc, schema, "description", "The fastest of the runtimes that can run the model here");
  yyjson_mut_obj_add_str(doc, schema, "type", "object");
  yyjson_mut_obj_add_bool(doc, schema, "additionalProperties", false);
  val *properties = yyjson_mut_obj_add_obj(doc, schema, "properties");
  yyjson_mut_obj_add_str(doc, yyjson_mut_obj_add_obj(doc, properties, "type"), "const", "auto");
  yyjson_mut_obj_add_str(doc, yyjson_mut_obj_add_obj(doc, properties, "parameters"), "type", "object");
  yyjson_mut_arr_append(yyjson_mut_obj_add_arr(doc, schema, "required"), string(doc, "type"));
  return schema;
}

static val *kind_schema(document *doc, kn_kind kind) {
  val *schema = yyjson_mut_obj(doc), *choices = yyjson_mut_obj_add_arr(doc, schema, "oneOf");
  for (size_t i = 0; i < kn_registry_count(); i++) {
    const kn_class *cls = kn_registry_at(i)->cls;
    if (cls->kind == kind) yyjson_mut_arr_append(choices, class_schema(doc, cls));
  }
  if (kind == KN_KIND_RUNTIME) yyjson_mut_arr_append(choices, auto_schema(doc));
  return schema;
}

static void add_reference(document *doc, val *properties, const char *key, const char *definition, bool list) {
  val *schema = yyjson_mut_obj_add_obj(doc, properties, key);
  if (list) {
    yyjson_mut_obj_add_str(doc, schema, "type", "array");
    schema = yyjson_mut_obj_add_obj(doc, schema, "items");
  }
  yyjson_mut_obj_add_str(doc, schema, "$ref", definition);
}

static val *scenario_schema(document *doc) {
  val *schema = yyjson_mut_obj(doc);
  yyjson_mut_obj_add_str(doc, schema, "$schema", "https://json-schema.org/draft/2020-12/schema");
  yyjson_mut_obj_add_str(doc, schema, "title", "Kenning scenario");
  yyjson_mut_obj_add_str(doc, schema, "type", "object");
  yyjson_mut_obj_add_bool(doc, schema, "additionalProperties", false);
  val *properties = yyjson_mut_obj_add_obj(doc, schema, "properties");
  yyjson_mut_obj_add_str(doc, yyjson_mut_obj_add_obj(doc, properties, "$schema"), "type", "string");
  add_reference(doc, properties, "model_wrapper", "#/$defs/modelwrapper", false);
  add_reference(doc, properties, "dataset", "#/$defs/dataset", false);
  add_reference(doc, properties, "optimizers", "#/$defs/optimizer", true);
  add_reference(doc, properties, "runtime", "#/$defs/runtime", false);
  add_reference(doc, properties, "runtime_protocol", "#/$defs/runtimeprotocol", false);
  add_reference(doc, properties, "protocol", "#/$defs/runtimeprotocol", false);
  val *required = yyjson_mut_obj_add_arr(doc, schema, "required");
  yyjson_mut_arr_append(required, string(doc, "model_wrapper"));
  yyjson_mut_arr_append(required, string(doc, "dataset"));
  val *definitions = yyjson_mut_obj_add_obj(doc, schema, "$defs");
  for (int kind = KN_KIND_DATASET; kind <= KN_KIND_RUNTIMEPROTOCOL; kind++)
    yyjson_mut_obj_add(definitions, string(doc, kn_kind_name((kn_kind)kind)), kind_schema(doc, (kn_kind)kind));
  return schema;
}

int kn_command_schema(int argc, char **argv) {
  kn_instance options;
  kn_positionals none;
  bool done;
  kn_status status = kn_command_parse(kn_command_find("schema"), argc, argv, 0, 0, &options, &none, &done);
  if (!status && !done) status = kn_registry_load();
  if (!status && !done) {
    document *doc = yyjson_mut_doc_new(NULL);
    char *text = NULL;
    if (doc) {
      yyjson_mut_doc_set_root(doc, scenario_schema(doc));
      text = yyjson_mut_write(doc, YYJSON_WRITE_PRETTY, NULL);
    }
    if (text)
      puts(text);
    else
      status = kn_status_out_of_memory();
    yyjson_mut_doc_free(doc);
    kn_free(text); /* from malloc, as kn_alloc's memory is */
  }
  kn_free(none.items);
  kn_instance_destroy(&options);
  return kn_command_finish(status);
}
