#include "pickle_machine.h"

#include <string.h>

/* ---- the stack and the bytes ---- */

/* The stack from the last mark on; the mark goes. */
static kn_status above_mark(pickle_machine *m, size_t *out_first) {
  size_t first = m->depth;
  while (first && m->stack[first - 1]) first--;
  if (!first) return pickle_damaged(m, "a mark is missing");
  *out_first = first;
  return NULL;
}

static kn_status take_tuple(pickle_machine *m, size_t first, size_t down_to) {
  pickle_value *tuple;
  KN_TRY(pickle_make(m, PICKLE_TUPLE, &tuple));
  for (size_t i = first; i < m->depth; i++) KN_TRY(pickle_append(tuple, m->stack[i]));
  m->depth = down_to;
  return pickle_push(m, tuple);
}

static kn_status small_tuple(pickle_machine *m, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (i >= m->depth || !m->stack[m->depth - 1 - i]) return pickle_damaged(m, "a tuple lacks items");
  return take_tuple(m, m->depth - count, m->depth - count);
}

static kn_status bytes_of(pickle_machine *m, size_t count, const unsigned char **out) {
  if (count > m->bytes - m->at) return pickle_damaged(m, "it ends too early");
  *out = m->data + m->at;
  m->at += count;
  return NULL;
}

static kn_status read_number(pickle_machine *m, size_t bytes, uint64_t *out) {
  *out = 0;
  if (bytes > m->bytes - m->at) return pickle_damaged(m, "it ends too early");
  for (size_t i = 0; i < bytes; i++) *out |= (uint64_t)m->data[m->at++] << (8 * i);
  return NULL;
}

static kn_status push_integer(pickle_machine *m, int64_t number) {
  pickle_value *value;
  KN_TRY(pickle_push_new(m, PICKLE_INTEGER, &value));
  value->integer = number;
  return NULL;
}

/* Two's complement of any length; what does not fit into 64 bits becomes a text of its bytes, since nothing here
 * computes with it. */
static kn_status push_long(pickle_machine *m, size_t length_bytes) {
  uint64_t length = 0;
  const unsigned char *from = NULL;
  pickle_value *value;
  KN_TRY(read_number(m, length_bytes, &length));
  if (length > 8) {
    KN_TRY(bytes_of(m, (size_t)length, &from));
    KN_TRY(pickle_push_new(m, PICKLE_TEXT, &value));
    value->text.data = (const char *)from;
    value->text.length = (size_t)length;
    return NULL;
  }
  uint64_t number = 0;
  KN_TRY(read_number(m, (size_t)length, &number));
  if (length && length < 8 && number >> (8 * length - 1)) number |= UINT64_MAX << (8 * length);
  return push_integer(m, (int64_t)number);
}

static kn_status push_text(pickle_machine *m, size_t length_bytes) {
  uint64_t length = 0;
  const unsigned char *from = NULL;
  pickle_value *value;
  KN_TRY(read_number(m, length_bytes, &length));
  if (length > m->bytes) return pickle_damaged(m, "a text is longer than the file");
  KN_TRY(bytes_of(m, (size_t)length, &from));
  KN_TRY(pickle_push_new(m, PICKLE_TEXT, &value));
  value->text.data = (const char *)from;
  value->text.length = (size_t)length;
  return NULL;
}

/* Most significant byte first. */
static kn_status push_float(pickle_machine *m) {
  uint64_t bits = 0, turned = 0;
  pickle_value *value;
  KN_TRY(read_number(m, 8, &bits));
  KN_TRY(pickle_push_new(m, PICKLE_NUMBER, &value));
  for (int i = 0; i < 8; i++) turned = turned << 8 | (bits >> (8 * i) & 0xff);
  memcpy(&value->number, &turned, sizeof turned);
  return NULL;
}

/* ---- names ---- */

static kn_status read_line(pickle_machine *m, const char **out, size_t *out_length) {
  const unsigned char *end = memchr(m->data + m->at, '\n', m->bytes - m->at);
  if (!end) return pickle_damaged(m, "a name does not end");
  *out = (const char *)m->data + m->at;
  *out_length = (size_t)(end - (m->data + m->at));
  m->at += *out_length + 1;
  return NULL;
}

static kn_status global_in_lines(pickle_machine *m) {
  const char *module = NULL, *name = NULL;
  size_t module_length = 0, name_length = 0;
  KN_TRY(read_line(m, &module, &module_length));
  KN_TRY(read_line(m, &name, &name_length));
  return pickle_push_global(m, module, module_length, name, name_length);
}

static kn_status global_on_stack(pickle_machine *m) {
  const pickle_value *name = pickle_pop(m), *module = pickle_pop(m);
  if (!name || !module || name->kind != PICKLE_TEXT || module->kind != PICKLE_TEXT)
    return pickle_damaged(m, "a name is no text");
  return pickle_push_global(m, module->text.data, module->text.length, name->text.data, name->text.length);
}

/* ---- collections and the memo ---- */

static kn_status set_items(pickle_machine *m, size_t first, size_t down_to) {
  pickle_value *dictionary = m->stack && down_to ? m->stack[down_to - 1] : NULL;
  if (!dictionary || dictionary->kind != PICKLE_DICTIONARY || (m->depth - first) % 2)
    return pickle_damaged(m, "items are put into what is no dictionary");
  for (size_t i = first; i < m->depth; i++) KN_TRY(pickle_append(dictionary, m->stack[i]));
  m->depth = down_to;
  return NULL;
}

static kn_status append_items(pickle_machine *m, size_t first, size_t down_to) {
  pickle_value *list = m->stack && down_to ? m->stack[down_to - 1] : NULL;
  if (!list || list->kind != PICKLE_LIST) return pickle_damaged(m, "items are put into what is no list");
  for (size_t i = first; i < m->depth; i++) KN_TRY(pickle_append(list, m->stack[i]));
  m->depth = down_to;
  return NULL;
}

/* Attributes of a dictionary (the versions of modules) say nothing that is needed. */
static kn_status build(pickle_machine *m) {
  if (!pickle_pop(m) || !pickle_top(m) || pickle_top(m)->kind != PICKLE_DICTIONARY)
    return pickle_damaged(m, "attributes are given to what has none");
  return NULL;
}

/* Picklers number what they remember one after the other, so the memo is no longer than the pickle. */
static kn_status remember(pickle_machine *m, uint64_t index) {
  if (index > m->bytes) return pickle_damaged(m, "it remembers too much");
  while (m->memo_count <= index) {
    KN_TRY(pickle_grow(&m->memo, &m->memo_capacity, m->memo_count));
    m->memo[m->memo_count++] = NULL;
  }
  m->memo[index] = pickle_top(m);
  return pickle_top(m) ? NULL : pickle_damaged(m, "it remembers nothing");
}

static kn_status recall(pickle_machine *m, uint64_t index) {
  if (index >= m->memo_count || !m->memo[index]) return pickle_damaged(m, "it recalls what was not remembered");
  return pickle_push(m, m->memo[index]);
}

/* ---- instructions ---- */

static kn_status push_constant(pickle_machine *m, pickle_kind kind, int64_t number) {
  pickle_value *value;
  KN_TRY(pickle_push_new(m, kind, &value));
  if (kind == PICKLE_BOOL) value->integer = number;
  return NULL;
}

static kn_status collect(pickle_machine *m, unsigned char instruction) {
  size_t first = 0;
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
static kn_status run(pickle_machine *m, unsigned char instruction, bool *out_stop) {
  uint64_t number = 0;
  switch (instruction) {
    case 0x80: /* PROTO */
      KN_TRY(read_number(m, 1, &number));
      return number >= 2 && number <= 5 ? NULL : pickle_damaged(m, "its protocol is unknown");
    case 0x95: /* FRAME */
      return read_number(m, 8, &number);
    case '.':
      *out_stop = true;
      return NULL;
    case '(':
      return pickle_push(m, NULL);
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
      return pickle_call(m);
    case 'Q':
      return pickle_persistent(m);
    case 'b':
      return build(m);
    case 's':
    case 'a': {
      size_t count = instruction == 's' ? 2 : 1;
      for (size_t i = 0; i < count; i++)
        if (i >= m->depth || !m->stack[m->depth - 1 - i]) return pickle_damaged(m, "an item is missing");
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

static kn_status run_all(pickle_machine *m) {
  bool stop = false;
  while (!stop) {
    if (m->at == m->bytes) return pickle_damaged(m, "it ends too early");
    KN_TRY(run(m, m->data[m->at++], &stop));
  }
  m->result->root = pickle_pop(m);
  m->result->bytes = m->at;
  return m->result->root ? NULL : pickle_damaged(m, "it has no result");
}

kn_status pickle_read(const char *path, const void *data, size_t bytes, pickle *out_pickle, char out_refused[160]) {
  *out_pickle = (pickle){0};
  if (out_refused) *out_refused = '\0';
  pickle_machine m = {.path = path, .data = data, .bytes = bytes, .result = out_pickle, .refused = out_refused};
  kn_status status = run_all(&m);
  kn_free((void *)m.stack);
  kn_free((void *)m.memo);
  if (status) pickle_clear(out_pickle);
  return status;
}

bool pickle_is_text(const pickle_value *value, const char *text) {
  return value && value->kind == PICKLE_TEXT && pickle_is(value->text.data, value->text.length, text);
}

const pickle_value *pickle_at(const pickle_value *dictionary, const char *key) {
  if (!dictionary || dictionary->kind != PICKLE_DICTIONARY) return NULL;
  for (size_t i = 0; i + 1 < dictionary->list.count; i += 2)
    if (pickle_is_text(dictionary->list.items[i], key)) return dictionary->list.items[i + 1];
  return NULL;
}
