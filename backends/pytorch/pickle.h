/* Reads pickles of plain data without executing them. A pickle is a program for a machine that can import and call
 * anything; this machine knows the instructions that build numbers, texts, lists and dictionaries, and of everything
 * that may be named only what a dictionary of tensors needs (the table in pickle_global.c). The rest is refused by
 * name. */
#ifndef PYTORCH_PICKLE_H
#define PYTORCH_PICKLE_H

#include <kenning/plugin.h>

typedef enum pickle_kind {
  PICKLE_NONE,
  PICKLE_BOOL,
  PICKLE_INTEGER,
  PICKLE_NUMBER,
  PICKLE_TEXT,
  PICKLE_TUPLE,
  PICKLE_LIST,
  PICKLE_DICTIONARY, /* items: key, value, key, value, ... in order */
  PICKLE_GLOBAL,
  PICKLE_STORAGE, /* where the elements of tensors are kept, by a key */
  PICKLE_TENSOR
} pickle_kind;

typedef struct pickle_value {
  pickle_kind kind;
  union {
    int64_t integer; /* also of a BOOL; of a GLOBAL its row in the table */
    double number;
    struct {
      const char *data; /* points into the pickle; not NUL-terminated */
      size_t length;
    } text;
    struct {
      const struct pickle_value **items;
      size_t count, capacity;
    } list; /* tuples, lists, dictionaries */
    struct {
      kn_dtype dtype;
      const struct pickle_value *key; /* a text */
      int64_t elements;
    } storage;
    struct {
      const struct pickle_value *storage;
      int64_t offset; /* in elements */
      uint32_t rank;
      int64_t shape[KN_MAX_RANK], strides[KN_MAX_RANK];
      bool trained; /* requires_grad */
    } tensor;
  };
} pickle_value;

typedef struct pickle {
  const pickle_value *root;
  size_t bytes; /* that the pickle takes; others may follow */
  struct pickle_block *blocks;
} pickle;

/* Reads one pickle. KN_BAD_DATA (damaged), KN_INCOMPATIBLE (it names what is not allowed: out_refused, if not NULL,
 * gets the name, "module.Class", cut to 160 bytes). The result points into `data`. */
kn_status pickle_read(const char *path, const void *data, size_t bytes, pickle *out_pickle,
                      char out_refused[160]) KN_MUST_USE;
void pickle_clear(pickle *read);

bool pickle_is_text(const pickle_value *value, const char *text);
/* The value at `key` of a dictionary, or NULL. */
const pickle_value *pickle_at(const pickle_value *dictionary, const char *key);

#endif
