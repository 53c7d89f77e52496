/* Parameters of blocks that tests make. */
#ifndef TESTS_SUPPORT_INSTANCE_H
#define TESTS_SUPPORT_INSTANCE_H

#include "core/instance.h"
#include "support/status.h"

/* Fails the test unless there is such a parameter and it takes `text`. */
static inline void kt_set(kn_instance *instance, const char *name, const char *text) {
  size_t index;
  const kn_option *row = kn_option_find(instance->cls, name, &index);
  if (!row) kt_fail("%s has no parameter %s", instance->cls->name, name);
  kt_assert_ok(kn_instance_set_text(instance, row, index, text, name));
}

#endif
