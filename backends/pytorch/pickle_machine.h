/* The machine that reads a pickle: its stack, its memo, and the values it makes. Within the pickle files alone. */
#ifndef PYTORCH_PICKLE_MACHINE_H
#define PYTORCH_PICKLE_MACHINE_H

#include "pickle.h"

typedef struct pickle_machine {
  const char *path;
  const unsigned char *data;
  size_t bytes, at;
  pickle *result;
  char *refused;
  pickle_value **stack; /* NULL: a mark */
  size_t depth, stack_capacity;
  pickle_value **memo;
  size_t memo_count, memo_capacity;
} pickle_machine;

/* KN_BAD_DATA that names the place. */
kn_status pickle_damaged(const pickle_machine *m, const char *what) KN_MUST_USE KN_NEVER_NULL;
/* A value of the result, which owns it. */
kn_status pickle_make(pickle_machine *m, pickle_kind kind, pickle_value **out) KN_MUST_USE;
/* Room for one item more than `count`. */
kn_status pickle_grow(pickle_value ***items, size_t *capacity, size_t count) KN_MUST_USE;
kn_status pickle_append(pickle_value *list, const pickle_value *item) KN_MUST_USE;

kn_status pickle_push(pickle_machine *m, pickle_value *value) KN_MUST_USE;
kn_status pickle_push_new(pickle_machine *m, pickle_kind kind, pickle_value **out) KN_MUST_USE;
/* The topmost value, taken or not; NULL with nothing or a mark there. */
pickle_value *pickle_top(const pickle_machine *m);
pickle_value *pickle_pop(pickle_machine *m);

bool pickle_is(const char *text, size_t length, const char *other);

/* ---- pickle_global.c: what may be named, and what calling it makes ---- */

/* KN_INCOMPATIBLE for any other name, which m->refused then gets. */
kn_status pickle_push_global(pickle_machine *m, const char *module, size_t module_length, const char *name,
                             size_t name_length) KN_MUST_USE;
/* Takes arguments and callee from the stack and puts the result there. */
kn_status pickle_call(pickle_machine *m) KN_MUST_USE;
/* Takes the description of a storage from the stack and puts the storage there. */
kn_status pickle_persistent(pickle_machine *m) KN_MUST_USE;

#endif
