/* What holds for the declaration of every class, whether its framework is installed or not. */
#include "contract/subject.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "core/class.h"
#include "core/record_json.h"
#include "core/registry.h"

/* A class whose namesake of today is a class of its own: the bare name is that of 2022. */
static bool is_twin(const kn_class *found, const kn_class *cls) {
  return found->kind == cls->kind && !strncmp(found->name, "kenning.runtimeprotocols.", 25) &&
         !strncmp(cls->name, "kenning.protocols.", 18) && !strcmp(found->name + 25, cls->name + 18);
}

static void it_is_found_in_every_spelling(subject *at) {
  const kn_class *found;
  const char *full = at->cls->name;
  kt_assert_ok(kn_registry_find(full, at->cls->kind, &found));
  assert_ptr_equal(found, at->cls);
  kt_assert_ok(kn_registry_find(at->name, 0, &found));
  assert_true(found == at->cls || is_twin(found, at->cls));
  static const char *const spellings[][2] = {{"kenning.compilers.", "kenning.optimizers."},
                                             {"kenning.runtimeprotocols.", "kenning.protocols."}};
  for (size_t i = 0; i < 2; i++) {
    for (size_t from = 0; from < 2; from++) {
      size_t length = strlen(spellings[i][from]);
      if (strncmp(full, spellings[i][from], length) != 0) continue;
      char other[512];
      snprintf(other, sizeof other, "%s%s", spellings[i][1 - from], full + length);
      kt_assert_ok(kn_registry_find(other, 0, &found));
      assert_true(found == at->cls || !strcmp(found->name, other));
    }
  }
}

static void it_explains_itself(subject *at) {
  assert_null(kn_class_fault(at->cls));
  assert_true(isupper((unsigned char)at->cls->summary[0]) || isdigit((unsigned char)at->cls->summary[0]));
  assert_null(strchr(at->cls->summary, '\n'));
  const kn_registered *entry = kn_registry_of(at->cls);
  assert_non_null(entry);
  if (entry->plugin) assert_true(*entry->plugin->license && *entry->plugin->version);
}

static bool is_key(const char *name) {
  return *name && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(name);
}

/* JSON keys, their other spellings and flags: no two rows share one. */
static void names_of_options_are_unique(subject *at) {
  const kn_option *row, *other;
  for (size_t i = 0; (row = kn_option_at(at->cls, i)); i++) {
    char flag[96], second[96];
    if (!is_key(row->name)) kt_fail("%s: '%s' is no JSON key", at->name, row->name);
    size_t index;
    assert_ptr_equal(kn_option_find(at->cls, row->name, &index), row);
    for (const char *const *alias = row->aliases; alias && *alias; alias++)
      if (!is_key(*alias) || kn_option_find(at->cls, *alias, NULL) != row)
        kt_fail("%s: alias '%s' of '%s' is no key of its own", at->name, *alias, row->name);
    for (size_t j = 0; j < i && (other = kn_option_at(at->cls, j)); j++)
      if (!strcmp(kn_option_flag(row, flag), kn_option_flag(other, second)))
        kt_fail("%s: '%s' and '%s' share the flag %s", at->name, row->name, other->name, flag);
  }
}

static void options_are_explained(subject *at) {
  const kn_option *row;
  for (size_t i = 0; (row = kn_option_at(at->cls, i)); i++) {
    size_t length = strlen(row->help);
    if (length < 4 || row->help[length - 1] == '.' || strchr(row->help, '\n') || islower((unsigned char)row->help[0]))
      kt_fail("%s: the help of '%s' is no sentence without full stop: %s", at->name, row->name, row->help);
    if (row->flag && strncmp(row->flag, "--", 2) != 0) kt_fail("%s: %s is no flag", at->name, row->flag);
    for (const kn_choice *choice = row->choices; choice && choice->name; choice++) {
      if (!*choice->name || !choice->help) kt_fail("%s: a choice of '%s' has no help", at->name, row->name);
      for (const kn_choice *before = row->choices; before != choice; before++)
        if (!strcmp(before->name, choice->name)) kt_fail("%s: choice '%s' stands twice", at->name, choice->name);
    }
  }
}

static size_t member_size(const kn_option *row) {
  switch (row->type) {
    case KN_OPTION_BOOL:
      return sizeof(bool);
    case KN_OPTION_ENUM:
      return sizeof(int);
    case KN_OPTION_STRING_LIST:
    case KN_OPTION_INT_LIST:
      return sizeof(kn_string_list);
    default:
      return 8;
  }
}

/* Two rows that fill one member, or parts of one, would spoil each other. */
static void options_do_not_overlap(subject *at) {
  const kn_option *row, *other;
  for (size_t i = 0; (row = kn_option_at(at->cls, i)); i++)
    for (size_t j = 0; j < i && (other = kn_option_at(at->cls, j)); j++)
      if (row->offset < other->offset + member_size(other) && other->offset < row->offset + member_size(row))
        kt_fail("%s: '%s' and '%s' share memory", at->name, row->name, other->name);
}

static void defaults_are_allowed_values(subject *at) {
  const kn_option *row;
  for (size_t i = 0; (row = kn_option_at(at->cls, i)); i++) {
    bool bounded = row->min != row->max;
    if (row->flags & KN_OPTION_REQUIRED) continue; /* never used */
    if (row->type == KN_OPTION_INT && bounded && ((double)row->def.i < row->min || (double)row->def.i > row->max))
      kt_fail("%s: the default of '%s' is out of range", at->name, row->name);
    if (row->type == KN_OPTION_FLOAT && bounded && (row->def.f < row->min || row->def.f > row->max))
      kt_fail("%s: the default of '%s' is out of range", at->name, row->name);
    bool chosen = row->type != KN_OPTION_ENUM;
    for (const kn_choice *choice = row->choices; choice && choice->name; choice++)
      chosen |= choice->value == row->def.i;
    if (!chosen) kt_fail("%s: the default of '%s' is none of its choices", at->name, row->name);
  }
}

/* What an instance writes out is what it can read, and means the same. */
static void options_survive_json(subject *at) {
  block *first = subject_block(at), *second = subject_block(at);
  kn_record *record;
  kt_assert_ok(kn_record_create(&record));
  yyjson_mut_doc *doc = kn_record_document(record);
  yyjson_mut_val *object = kn_instance_to_json(&first->instance, doc), *key, *value;
  assert_non_null(object);
  const kn_option *row;
  assert_int_equal(yyjson_mut_obj_size(object), kn_option_count(at->cls));
  for (size_t i = 0; (row = kn_option_at(at->cls, i)); i++) {
    yyjson_mut_obj_iter iter = yyjson_mut_obj_iter_with(object);
    while ((key = yyjson_mut_obj_iter_next(&iter)) && strcmp(yyjson_mut_get_str(key), row->name) != 0) continue;
    assert_non_null(key);
    value = yyjson_mut_obj_iter_get_val(key);
    bool given = first->instance.given >> i & 1;
    if (yyjson_mut_is_null(value) || (row->flags & KN_OPTION_REQUIRED && !given))
      yyjson_mut_obj_remove_key(object, row->name);
  }
  char *text = yyjson_mut_val_write(object, 0, NULL), *again_text;
  assert_non_null(text);
  kn_json json;
  kt_assert_ok(kn_json_parse("options", text, strlen(text), &json));
  kt_assert_ok(kn_instance_set_json(&second->instance, &json, json.root));
  kn_json_clear(&json);
  yyjson_mut_val *again = kn_instance_to_json(&second->instance, doc);
  for (size_t i = 0; (row = kn_option_at(at->cls, i)); i++)
    if (!yyjson_mut_obj_get(object, row->name)) yyjson_mut_obj_remove_key(again, row->name);
  again_text = yyjson_mut_val_write(again, 0, NULL);
  assert_string_equal(again_text, text);
  free(again_text);
  free(text);
  kn_record_destroy(record);
}

static void formats_are_known_names(subject *at) {
  static const char *const known[] = {"keras",       "saved_model", "tflite", "onnx", "torch",
                                      "torchscript", "aotinductor", "tvm",    "iree", "mxnet",
                                      "darknet",     "openvino",    "any",    "none", "c_sources"};
  bool built_in = !strncmp(at->cls->name, "kenning.", 8);
  const char *const *lists[] = {at->cls->input_formats, at->cls->output_formats};
  for (size_t l = 0; l < 2; l++) {
    for (const char *const *format = lists[l]; format && *format; format++) {
      bool found = !built_in; /* others may have formats of their own */
      for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) found |= !strcmp(*format, known[i]);
      if (!found) kt_fail("%s: '%s' is no model format", at->name, *format);
    }
  }
  if (at->cls->kind == KN_KIND_MODELWRAPPER) assert_non_null(at->cls->output_formats);
}

const rule class_rules[] = {{"it is found in every spelling", it_is_found_in_every_spelling},
                            {"it explains itself", it_explains_itself},
                            {"names of options are unique", names_of_options_are_unique},
                            {"options are explained", options_are_explained},
                            {"options do not overlap", options_do_not_overlap},
                            {"defaults are allowed values", defaults_are_allowed_values},
                            {"options survive JSON", options_survive_json},
                            {"formats are known names", formats_are_known_names},
                            {0}};
