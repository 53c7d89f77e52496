#include "pickle_machine.h"

#include <string.h>

enum { BLOCK_VALUES = 256 };

typedef struct pickle_block {
  struct pickle_block *next;
  size_t used;
  pickle_value values[BLOCK_VALUES];
} pickle_block;

void pickle_clear(pickle *read) {
  for (pickle_block *block = read->blocks, *next; block; block = next) {
    next = block->next;
    for (size_t i = 0; i < block->used; i++) {
      pickle_kind kind = block->values[i].kind;
      if (kind == PICKLE_TUPLE || kind == PICKLE_LIST || kind == PICKLE_DICTIONARY)
        kn_free((void *)(uintptr_t)block->values[i].list.items);
    }
    kn_free(block);
  }
  *read = (pickle){0};
}

kn_status pickle_damaged(const pickle_machine *m, const char *what) {
  return kn_status_make(KN_BAD_DATA, "%s: the pickle is damaged at byte %zu: %s", m->path, m->at, what);
}

kn_status pickle_make(pickle_machine *m, pickle_kind kind, pickle_value **out) {
  pickle_block *block = m->result->blocks;
  if (!block || block->used == BLOCK_VALUES) {
    block = kn_alloc(sizeof *block);
    if (!block) return kn_status_out_of_memory();
    block->next = m->result->blocks;
    m->result->blocks = block;
  }
  *out = &block->values[block->used++];
  (*out)->kind = kind;
  return NULL;
}

kn_status pickle_grow(pickle_value ***items, size_t *capacity, size_t count) {
  if (count < *capacity) return NULL;
  size_t wanted = *capacity ? *capacity * 2 : 64, bytes;
  void *grown = kn_mul_size(wanted, sizeof **items, &bytes) ? kn_realloc((void *)*items, bytes) : NULL;
  if (!grown) return kn_status_out_of_memory();
  *items = grown;
  *capacity = wanted;
  return NULL;
}

kn_status pickle_push(pickle_machine *m, pickle_value *value) {
  KN_TRY(pickle_grow(&m->stack, &m->stack_capacity, m->depth));
  m->stack[m->depth++] = value;
  return NULL;
}

kn_status pickle_push_new(pickle_machine *m, pickle_kind kind, pickle_value **out) {
  KN_TRY(pickle_make(m, kind, out));
  return pickle_push(m, *out);
}

pickle_value *pickle_top(const pickle_machine *m) { return m->depth ? m->stack[m->depth - 1] : NULL; }

pickle_value *pickle_pop(pickle_machine *m) {
  pickle_value *value = pickle_top(m);
  if (value) m->depth--;
  return value;
}

kn_status pickle_append(pickle_value *list, const pickle_value *item) {
  pickle_value **items = (pickle_value **)(uintptr_t)list->list.items;
  size_t capacity = list->list.capacity;
  kn_status status = pickle_grow(&items, &capacity, list->list.count);
  list->list.items = (const pickle_value **)(uintptr_t)items;
  list->list.capacity = capacity;
  if (!status) list->list.items[list->list.count++] = item;
  return status;
}

bool pickle_is(const char *text, size_t length, const char *other) {
  return strlen(other) == length && memcmp(text, other, length) == 0;
}
