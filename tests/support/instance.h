/* Instances of blocks whose options are given as text. */
#ifndef TESTS_SUPPORT_INSTANCE_H
#define TESTS_SUPPORT_INSTANCE_H

#include <stdlib.h>

#include "core/instance.h"
#include "support/status.h"

/* Lists are words with spaces between them, and replace what is there. */
static inline void kt_set(kn_instance *instance, const char *name, const char *value) {
  size_t index;
  const kn_option *row = kn_option_find(instance->cls, name, &index);
  if (!row) kt_fail("%s has no option %s", instance->cls->name, name);
  if (row->type != KN_OPTION_INT_LIST && row->type != KN_OPTION_STRING_LIST) {
    kt_assert_ok(kn_instance_set_text(instance, row, index, value, name));
    return;
  }
  char *words = strdup(value), *rest = NULL;
  assert_non_null(words);
  bool first = true;
  for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest), first = false)
    kt_assert_ok(kn_instance_append_text(instance, row, index, word, first, name));
  free(words);
}

/* `settings`: name, value, name, value, ..., NULL. Give it back with kn_instance_destroy. */
static inline kn_instance kt_instance_make(const kn_class *cls, const char *const *settings) {
  kn_instance instance;
  kt_assert_ok(kn_instance_create(cls, &instance));
  for (; *settings; settings += 2) kt_set(&instance, settings[0], settings[1]);
  return instance;
}
#define KT_SETTINGS(...) ((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

#endif
