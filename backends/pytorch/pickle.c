#include "pickle.h"

#include <string.h>

/* ---- what may be named ---- */

typedef enum global_use {
  USE_ORDERED_DICT,
  USE_TENSOR,
  USE_TENSOR_OLD,
  USE_PARAMETER,
  USE_SIZE,
  USE_STORAGE
} global_use;

static const struct {
  const char *module, *name;
  global_use use;
  kn_dtype dtype; /* of a storage */
} globals[] = {{"collections", "OrderedDict", USE_ORDERED_DICT, KN_DTYPE_NONE},
               {"torch._utils", "_rebuild_tensor_v2", USE_TENSOR, KN_DTYPE_NONE},
               {"torch._utils", "_rebuild_tensor", USE_TENSOR_OLD, KN_DTYPE_NONE},
               {"torch._utils", "_rebuild_parameter", USE_PARAMETER, KN_DTYPE_NONE},
               {"torch", "Size", USE_SIZE, KN_DTYPE_NONE},
               {"torch", "FloatStorage", USE_STORAGE, KN_FLOAT32},
               {"torch", "DoubleStorage", USE_STORAGE, KN_FLOAT64},
               {"torch", "HalfStorage", USE_STORAGE, KN_FLOAT16},
               {"torch", "BFloat16Storage", USE_STORAGE, KN_BFLOAT16},
               {"torch", "LongStorage", USE_STORAGE, KN_INT64},
               {"torch", "IntStorage", USE_STORAGE, KN_INT32},
               {"torch", "ShortStorage", USE_STORAGE, KN_INT16},
               {"torch", "CharStorage", USE_STORAGE, KN_INT8},
               {"torch", "ByteStorage", USE_STORAGE, KN_UINT8},
               {"torch", "BoolStorage", USE_STORAGE, KN_BOOL8}};

/* ---- memory ---- */

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

/* ---- the machine ---- */

typedef struct machine {
  const char *path;
  const unsigned char *data;
  size_t bytes, at;
  pickle *result;
  char *refused;
  pickle_value **stack; /* NULL: a mark */
  size_t depth, stack_capacity;
  pickle_value **memo;
  size_t memo_count, memo_capacity;
} machine;

static kn_status damaged(const machine *m, const char *what) {
  return kn_status_make(KN_BAD_DATA, "%s: the pickle is damaged at byte %zu: %s", m->path, m->at, what);
}

static kn_status make(machine *m, pickle_kind kind, pickle_value **out) {
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

static kn_status grow(pickle_value ***items, size_t *capacity, size_t count) {
  if (count < *capacity) return NULL;
  size_t wanted = *capacity ? *capacity * 2 : 64, bytes;
  void *grown = kn_mul_size(wanted, sizeof **items, &bytes) ? kn_realloc((void *)*items, bytes) : NULL;
  if (!grown) return kn_status_out_of_memory();
  *items = grown;
  *capacity = wanted;
  return NULL;
}

static kn_status push(machine *m, pickle_value *value) {
  KN_TRY(grow(&m->stack, &m->stack_capacity, m->depth));
  m->stack[m->depth++] = value;
  return NULL;
}

static kn_status push_new(machine *m, pickle_kind kind, pickle_value **out) {
  KN_TRY(make(m, kind, out));
  return push(m, *out);
}

/* The topmost value, taken or not; NULL with nothing or a mark there. */
static pickle_value *top(const machine *m) { return m->depth ? m->stack[m->depth - 1] : NULL; }
static pickle_value *pop(machine *m) {
  pickle_value *value = top(m);
  if (value) m->depth--;
  return value;
}

static kn_status append(pickle_value *list, const pickle_value *item) {
  pickle_value **items = (pickle_value **)(uintptr_t)list->list.items;
  size_t capacity = list->list.capacity;
  kn_status status = grow(&items, &capacity, list->list.count);
  list->list.items = (const pickle_value **)(uintptr_t)items;
  list->list.capacity = capacity;
  if (!status) list->list.items[list->list.count++] = item;
  return status;
}

/* The stack from the last mark on; the mark goes. */
static kn_status above_mark(machine *m, size_t *out_first) {
  size_t first = m->depth;
  while (first && m->stack[first - 1]) first--;
  if (!first) return damaged(m, "a mark is missing");
  *out_first = first;
  return NULL;
}

static kn_status take_tuple(machine *m, size_t first, size_t down_to) {
  pickle_value *tuple;
  KN_TRY(make(m, PICKLE_TUPLE, &tuple));
  for (size_t i = first; i < m->depth; i++) KN_TRY(append(tuple, m->stack[i]));
  m->depth = down_to;
  return push(m, tuple);
}

static kn_status small_tuple(machine *m, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (i >= m->depth || !m->stack[m->depth - 1 - i]) return damaged(m, "a tuple lacks items");
  return take_tuple(m, m->depth - count, m->depth - count);
}

static kn_status bytes_of(machine *m, size_t count, const unsigned char **out) {
  if (count > m->bytes - m->at) return damaged(m, "it ends too early");
  *out = m->data + m->at;
  m->at += count;
  return NULL;
}

static kn_status read_number(machine *m, size_t bytes, uint64_t *out) {
  const unsigned char *from;
  KN_TRY(bytes_of(m, bytes, &from));
  *out = 0;
  for (size_t i = 0; i < bytes; i++) *out |= (uint64_t)from[i] << (8 * i);
  return NULL;
}

static kn_status push_integer(machine *m, int64_t number) {
  pickle_value *value;
  KN_TRY(push_new(m, PICKLE_INTEGER, &value));
  value->integer = number;
  return NULL;
}

/* Two's complement of any length; what does not fit into 64 bits becomes a text of its bytes, since nothing here
 * computes with it. */
static kn_status push_long(machine *m, size_t length_bytes) {
  uint64_t length;
  const unsigned char *from;
  pickle_value *value;
  KN_TRY(read_number(m, length_bytes, &length));
  if (length > 8) {
    KN_TRY(bytes_of(m, (size_t)length, &from));
    KN_TRY(push_new(m, PICKLE_TEXT, &value));
    value->text.data = (const char *)from;
    value->text.length = (size_t)length;
    return NULL;
  }
  uint64_t number;
  KN_TRY(read_number(m, (size_t)length, &number));
  if (length && length < 8 && number >> (8 * length - 1)) number |= UINT64_MAX << (8 * length);
  return push_integer(m, (int64_t)number);
}

static kn_status push_text(machine *m, size_t length_bytes) {
  uint64_t length;
  const unsigned char *from;
  pickle_value *value;
  KN_TRY(read_number(m, length_bytes, &length));
  if (length > m->bytes) return damaged(m, "a text is longer than the file");
  KN_TRY(bytes_of(m, (size_t)length, &from));
  KN_TRY(push_new(m, PICKLE_TEXT, &value));
  value->text.data = (const char *)from;
  value->text.length = (size_t)length;
  return NULL;
}

static kn_status push_float(machine *m) {
  const unsigned char *from;
  pickle_value *value;
  KN_TRY(bytes_of(m, 8, &from));
  KN_TRY(push_new(m, PICKLE_NUMBER, &value));
  unsigned char turned[8];
  for (size_t i = 0; i < 8; i++) turned[i] = from[7 - i];
  memcpy(&value->number, turned, 8);
  return NULL;
}

/* ---- names ---- */

static bool is_same(const char *text, size_t length, const char *other) {
  return strlen(other) == length && memcmp(text, other, length) == 0;
}

static kn_status push_global(machine *m, const char *module, size_t module_length, const char *name,
                             size_t name_length) {
  pickle_value *value;
  for (size_t i = 0; i < sizeof globals / sizeof *globals; i++) {
    if (!is_same(module, module_length, globals[i].module) || !is_same(name, name_length, globals[i].name)) continue;
    KN_TRY(push_new(m, PICKLE_GLOBAL, &value));
    value->integer = (int64_t)i;
    return NULL;
  }
  if (m->refused) {
    size_t used = module_length < 80 ? module_length : 80, more = name_length < 78 ? name_length : 78;
    memcpy(m->refused, module, used);
    m->refused[used++] = '.';
    memcpy(m->refused + used, name, more);
    m->refused[used + more] = '\0';
    for (char *c = m->refused; *c; c++)
      if (*c < ' ' || *c > '~') *c = '?';
  }
  return kn_status_make(KN_INCOMPATIBLE, "%s: the pickle names something that is not loaded from files", m->path);
}

static kn_status read_line(machine *m, const char **out, size_t *out_length) {
  const unsigned char *end = memchr(m->data + m->at, '\n', m->bytes - m->at);
  if (!end) return damaged(m, "a name does not end");
  *out = (const char *)m->data + m->at;
  *out_length = (size_t)(end - (m->data + m->at));
  m->at += *out_length + 1;
  return NULL;
}

static kn_status global_in_lines(machine *m) {
  const char *module, *name;
  size_t module_length, name_length;
  KN_TRY(read_line(m, &module, &module_length));
  KN_TRY(read_line(m, &name, &name_length));
  return push_global(m, module, module_length, name, name_length);
}

static kn_status global_on_stack(machine *m) {
  const pickle_value *name = pop(m), *module = pop(m);
  if (!name || !module || name->kind != PICKLE_TEXT || module->kind != PICKLE_TEXT)
    return damaged(m, "a name is no text");
  return push_global(m, module->text.data, module->text.length, name->text.data, name->text.length);
}

/* ---- calls ---- */

static const pickle_value *item(const pickle_value *list, size_t index, pickle_kind kind) {
  if (index >= list->list.count || list->list.items[index]->kind != kind) return NULL;
  return list->list.items[index];
}

static bool read_sizes(const pickle_value *list, int64_t out[KN_MAX_RANK]) {
  for (size_t i = 0; i < list->list.count; i++) {
    const pickle_value *size = item(list, i, PICKLE_INTEGER);
    if (!size || size->integer < 0) return false;
    out[i] = size->integer;
  }
  return true;
}

static kn_status make_tensor(machine *m, const pickle_value *arguments, bool old) {
  const pickle_value *storage = item(arguments, 0, PICKLE_STORAGE), *offset = item(arguments, 1, PICKLE_INTEGER),
                     *shape = item(arguments, 2, PICKLE_TUPLE), *strides = item(arguments, 3, PICKLE_TUPLE),
                     *trained = item(arguments, 4, PICKLE_BOOL);
  pickle_value *tensor;
  if (!storage || !offset || offset->integer < 0 || !shape || !strides || shape->list.count != strides->list.count ||
      (!old && !trained))
    return damaged(m, "a tensor is described wrongly");
  if (shape->list.count > KN_MAX_RANK)
    return kn_status_make(KN_INCOMPATIBLE, "%s holds a tensor of %zu dimensions; %d are supported", m->path,
                          shape->list.count, KN_MAX_RANK);
  KN_TRY(push_new(m, PICKLE_TENSOR, &tensor));
  tensor->tensor.storage = storage;
  tensor->tensor.offset = offset->integer;
  tensor->tensor.rank = (uint32_t)shape->list.count;
  tensor->tensor.trained = trained && trained->integer;
  if (!read_sizes(shape, tensor->tensor.shape) || !read_sizes(strides, tensor->tensor.strides))
    return damaged(m, "a tensor has an impossible shape");
  return NULL;
}

/* OrderedDict(), or as Python 2 wrote it: OrderedDict([[key, value], ...]). */
static kn_status make_ordered(machine *m, const pickle_value *arguments) {
  pickle_value *made;
  KN_TRY(push_new(m, PICKLE_DICTIONARY, &made));
  if (!arguments->list.count) return NULL;
  const pickle_value *pairs = item(arguments, 0, PICKLE_LIST);
  for (size_t i = 0; pairs && i < pairs->list.count; i++) {
    const pickle_value *pair = pairs->list.items[i];
    if ((pair->kind != PICKLE_LIST && pair->kind != PICKLE_TUPLE) || pair->list.count != 2)
      return damaged(m, "a dictionary is described wrongly");
    KN_TRY(append(made, pair->list.items[0]));
    KN_TRY(append(made, pair->list.items[1]));
  }
  return pairs ? NULL : damaged(m, "a dictionary is described wrongly");
}

static kn_status call(machine *m) {
  const pickle_value *arguments = pop(m), *callee = pop(m);
  if (!callee || callee->kind != PICKLE_GLOBAL || !arguments || arguments->kind != PICKLE_TUPLE)
    return damaged(m, "something is called that is no function");
  const pickle_value *first = arguments->list.count ? arguments->list.items[0] : NULL;
  switch (globals[callee->integer].use) {
    case USE_ORDERED_DICT:
      return make_ordered(m, arguments);
    case USE_TENSOR:
      return make_tensor(m, arguments, false);
    case USE_TENSOR_OLD:
      return make_tensor(m, arguments, true);
    case USE_PARAMETER:
      if (!first || first->kind != PICKLE_TENSOR) return damaged(m, "a parameter is no tensor");
      return push(m, (pickle_value *)(uintptr_t)first);
    case USE_SIZE:
      if (!first || first->kind != PICKLE_TUPLE) return damaged(m, "a size is no tuple");
      return push(m, (pickle_value *)(uintptr_t)first);
    case USE_STORAGE:
      break;
  }
  return damaged(m, "a type of storage is called");
}

/* ("storage", type, key, place, elements[, view]). */
static kn_status persistent(machine *m) {
  const pickle_value *id = pop(m);
  if (!id || id->kind != PICKLE_TUPLE || id->list.count < 5 || !pickle_is_text(id->list.items[0], "storage"))
    return damaged(m, "a storage is described wrongly");
  const pickle_value *type = item(id, 1, PICKLE_GLOBAL), *key = item(id, 2, PICKLE_TEXT),
                     *elements = item(id, 4, PICKLE_INTEGER);
  if (!type || globals[type->integer].use != USE_STORAGE || !key || !elements || elements->integer < 0)
    return damaged(m, "a storage is described wrongly");
  if (id->list.count > 5 && id->list.items[5]->kind != PICKLE_NONE)
    return kn_status_make(KN_INCOMPATIBLE, "%s holds a view of a storage, which is not supported: save it again",
                          m->path);
  pickle_value *storage;
  KN_TRY(push_new(m, PICKLE_STORAGE, &storage));
  storage->storage.dtype = globals[type->integer].dtype;
  storage->storage.key = key;
  storage->storage.elements = elements->integer;
  return NULL;
}

/* ---- collections and the memo ---- */

static kn_status set_items(machine *m, size_t first, size_t down_to) {
  pickle_value *dictionary = down_to ? m->stack[down_to - 1] : NULL;
  if (!dictionary || dictionary->kind != PICKLE_DICTIONARY || (m->depth - first) % 2)
    return damaged(m, "items are put into what is no dictionary");
  for (size_t i = first; i < m->depth; i++) KN_TRY(append(dictionary, m->stack[i]));
  m->depth = down_to;
  return NULL;
}

static kn_status append_items(machine *m, size_t first, size_t down_to) {
  pickle_value *list = down_to ? m->stack[down_to - 1] : NULL;
  if (!list || list->kind != PICKLE_LIST) return damaged(m, "items are put into what is no list");
  for (size_t i = first; i < m->depth; i++) KN_TRY(append(list, m->stack[i]));
  m->depth = down_to;
  return NULL;
}

/* Attributes of a dictionary (the versions of modules) say nothing that is needed. */
static kn_status build(machine *m) {
  if (!pop(m) || !top(m) || top(m)->kind != PICKLE_DICTIONARY)
    return damaged(m, "attributes are given to what has none");
  return NULL;
}

/* Picklers number what they remember one after the other, so the memo is no longer than the pickle. */
static kn_status remember(machine *m, uint64_t index) {
  if (index > m->bytes) return damaged(m, "it remembers too much");
  while (m->memo_count <= index) {
    KN_TRY(grow(&m->memo, &m->memo_capacity, m->memo_count));
    m->memo[m->memo_count++] = NULL;
  }
  m->memo[index] = top(m);
  return top(m) ? NULL : damaged(m, "it remembers nothing");
}

static kn_status recall(machine *m, uint64_t index) {
  if (index >= m->memo_count || !m->memo[index]) return damaged(m, "it recalls what was not remembered");
  return push(m, m->memo[index]);
}

/* ---- instructions ---- */

static kn_status push_constant(machine *m, pickle_kind kind, int64_t number) {
  pickle_value *value;
  KN_TRY(push_new(m, kind, &value));
  if (kind == PICKLE_BOOL) value->integer = number;
  return NULL;
}

static kn_status collect(machine *m, unsigned char instruction) {
  size_t first;
  KN_TRY(above_mark(m, &first));
  switch (instruction) {
    case 't':
      return take_tuple(m, first, first - 1);
    case 'u':
      return set_items(m, first, first - 1);
    default:
      return append_items(m, first, first - 1);
  }
}

/* One instruction; names in CPython's pickletools: 'c' is GLOBAL, and so on. */
static kn_status run(machine *m, unsigned char instruction, bool *out_stop) {
  uint64_t number = 0;
  switch (instruction) {
    case 0x80: /* PROTO */
      KN_TRY(read_number(m, 1, &number));
      return number >= 2 && number <= 5 ? NULL : damaged(m, "its protocol is unknown");
    case 0x95: /* FRAME */
      return read_number(m, 8, &number);
    case '.':
      *out_stop = true;
      return NULL;
    case '(':
      return push(m, NULL);
    case 'N':
      return push_constant(m, PICKLE_NONE, 0);
    case 0x88:
    case 0x89:
      return push_constant(m, PICKLE_BOOL, instruction == 0x88);
    case '}':
      return push_constant(m, PICKLE_DICTIONARY, 0);
    case ']':
      return push_constant(m, PICKLE_LIST, 0);
    case ')':
      return push_constant(m, PICKLE_TUPLE, 0);
    case 'K':
    case 'M':
      KN_TRY(read_number(m, instruction == 'K' ? 1 : 2, &number));
      return push_integer(m, (int64_t)number);
    case 'J':
      KN_TRY(read_number(m, 4, &number));
      return push_integer(m, (int32_t)(uint32_t)number);
    case 0x8a:
    case 0x8b: /* LONG1, LONG4 */
      return push_long(m, instruction == 0x8a ? 1 : 4);
    case 'G':
      return push_float(m);
    case 'X':
    case 'T': /* BINUNICODE, BINSTRING */
      return push_text(m, 4);
    case 0x8c:
    case 'U': /* SHORT_... */
      return push_text(m, 1);
    case 'c':
      return global_in_lines(m);
    case 0x93:
      return global_on_stack(m);
    case 'R':
      return call(m);
    case 'Q':
      return persistent(m);
    case 'b':
      return build(m);
    case 's':
    case 'a': {
      size_t count = instruction == 's' ? 2 : 1;
      for (size_t i = 0; i < count; i++)
        if (i >= m->depth || !m->stack[m->depth - 1 - i]) return damaged(m, "an item is missing");
      return instruction == 's' ? set_items(m, m->depth - 2, m->depth - 2)
                                : append_items(m, m->depth - 1, m->depth - 1);
    }
    case 't':
    case 'u':
    case 'e':
      return collect(m, instruction);
    case 0x85:
    case 0x86:
    case 0x87:
      return small_tuple(m, (size_t)instruction - 0x84);
    case 'q':
    case 'r':
      KN_TRY(read_number(m, instruction == 'q' ? 1 : 4, &number));
      return remember(m, number);
    case 0x94: /* MEMOIZE */
      return remember(m, m->memo_count);
    case 'h':
    case 'j':
      KN_TRY(read_number(m, instruction == 'h' ? 1 : 4, &number));
      return recall(m, number);
    default:
      return kn_status_make(KN_INCOMPATIBLE,
                            "%s: the pickle has the instruction 0x%02x at byte %zu, which plain data do not need",
                            m->path, instruction, m->at - 1);
  }
}

static kn_status run_all(machine *m) {
  bool stop = false;
  while (!stop) {
    if (m->at == m->bytes) return damaged(m, "it ends too early");
    KN_TRY(run(m, m->data[m->at++], &stop));
  }
  m->result->root = pop(m);
  m->result->bytes = m->at;
  return m->result->root ? NULL : damaged(m, "it has no result");
}

kn_status pickle_read(const char *path, const void *data, size_t bytes, pickle *out_pickle, char out_refused[160]) {
  *out_pickle = (pickle){0};
  if (out_refused) *out_refused = '\0';
  machine m = {.path = path, .data = data, .bytes = bytes, .result = out_pickle, .refused = out_refused};
  kn_status status = run_all(&m);
  kn_free((void *)m.stack);
  kn_free((void *)m.memo);
  if (status) pickle_clear(out_pickle);
  return status;
}

bool pickle_is_text(const pickle_value *value, const char *text) {
  return value && value->kind == PICKLE_TEXT && is_same(value->text.data, value->text.length, text);
}

const pickle_value *pickle_at(const pickle_value *dictionary, const char *key) {
  if (!dictionary || dictionary->kind != PICKLE_DICTIONARY) return NULL;
  for (size_t i = 0; i + 1 < dictionary->list.count; i += 2)
    if (pickle_is_text(dictionary->list.items[i], key)) return dictionary->list.items[i + 1];
  return NULL;
}
