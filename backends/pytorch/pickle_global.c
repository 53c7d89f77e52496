#include "pickle_machine.h"

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

kn_status pickle_push_global(pickle_machine *m, const char *module, size_t module_length, const char *name,
                             size_t name_length) {
  pickle_value *value;
  for (size_t i = 0; i < sizeof globals / sizeof *globals; i++) {
    if (!pickle_is(module, module_length, globals[i].module) || !pickle_is(name, name_length, globals[i].name))
      continue;
    KN_TRY(pickle_push_new(m, PICKLE_GLOBAL, &value));
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

static kn_status make_tensor(pickle_machine *m, const pickle_value *arguments, bool old) {
  const pickle_value *storage = item(arguments, 0, PICKLE_STORAGE), *offset = item(arguments, 1, PICKLE_INTEGER),
                     *shape = item(arguments, 2, PICKLE_TUPLE), *strides = item(arguments, 3, PICKLE_TUPLE),
                     *trained = item(arguments, 4, PICKLE_BOOL);
  pickle_value *tensor;
  if (!storage || !offset || offset->integer < 0 || !shape || !strides || shape->list.count != strides->list.count ||
      (!old && !trained))
    return pickle_damaged(m, "a tensor is described wrongly");
  if (shape->list.count > KN_MAX_RANK)
    return kn_status_make(KN_INCOMPATIBLE, "%s holds a tensor of %zu dimensions; %d are supported", m->path,
                          shape->list.count, KN_MAX_RANK);
  KN_TRY(pickle_push_new(m, PICKLE_TENSOR, &tensor));
  tensor->tensor.storage = storage;
  tensor->tensor.offset = offset->integer;
  tensor->tensor.rank = (uint32_t)shape->list.count;
  tensor->tensor.trained = trained && trained->integer;
  if (!read_sizes(shape, tensor->tensor.shape) || !read_sizes(strides, tensor->tensor.strides))
    return pickle_damaged(m, "a tensor has an impossible shape");
  return NULL;
}

/* OrderedDict(), or as Python 2 wrote it: OrderedDict([[key, value], ...]). */
static kn_status make_ordered(pickle_machine *m, const pickle_value *arguments) {
  pickle_value *made;
  KN_TRY(pickle_push_new(m, PICKLE_DICTIONARY, &made));
  if (!arguments->list.count) return NULL;
  const pickle_value *pairs = item(arguments, 0, PICKLE_LIST);
  for (size_t i = 0; pairs && i < pairs->list.count; i++) {
    const pickle_value *pair = pairs->list.items[i];
    if ((pair->kind != PICKLE_LIST && pair->kind != PICKLE_TUPLE) || pair->list.count != 2)
      return pickle_damaged(m, "a dictionary is described wrongly");
    KN_TRY(pickle_append(made, pair->list.items[0]));
    KN_TRY(pickle_append(made, pair->list.items[1]));
  }
  return pairs ? NULL : pickle_damaged(m, "a dictionary is described wrongly");
}

kn_status pickle_call(pickle_machine *m) {
  const pickle_value *arguments = pickle_pop(m), *callee = pickle_pop(m);
  if (!callee || callee->kind != PICKLE_GLOBAL || !arguments || arguments->kind != PICKLE_TUPLE)
    return pickle_damaged(m, "something is called that is no function");
  const pickle_value *first = arguments->list.count ? arguments->list.items[0] : NULL;
  switch (globals[callee->integer].use) {
    case USE_ORDERED_DICT:
      return make_ordered(m, arguments);
    case USE_TENSOR:
      return make_tensor(m, arguments, false);
    case USE_TENSOR_OLD:
      return make_tensor(m, arguments, true);
    case USE_PARAMETER:
      if (!first || first->kind != PICKLE_TENSOR) return pickle_damaged(m, "a parameter is no tensor");
      return pickle_push(m, (pickle_value *)(uintptr_t)first);
    case USE_SIZE:
      if (!first || first->kind != PICKLE_TUPLE) return pickle_damaged(m, "a size is no tuple");
      return pickle_push(m, (pickle_value *)(uintptr_t)first);
    case USE_STORAGE:
      break;
  }
  return pickle_damaged(m, "a type of storage is called");
}

/* ("storage", type, key, place, elements[, view]). */
kn_status pickle_persistent(pickle_machine *m) {
  const pickle_value *id = pickle_pop(m);
  if (!id || id->kind != PICKLE_TUPLE || id->list.count < 5 || !pickle_is_text(id->list.items[0], "storage"))
    return pickle_damaged(m, "a storage is described wrongly");
  const pickle_value *type = item(id, 1, PICKLE_GLOBAL), *key = item(id, 2, PICKLE_TEXT),
                     *elements = item(id, 4, PICKLE_INTEGER);
  if (!type || globals[type->integer].use != USE_STORAGE || !key || !elements || elements->integer < 0)
    return pickle_damaged(m, "a storage is described wrongly");
  if (id->list.count > 5 && id->list.items[5]->kind != PICKLE_NONE)
    return kn_status_make(KN_INCOMPATIBLE, "%s holds a view of a storage, which is not supported: save it again",
                          m->path);
  pickle_value *storage;
  KN_TRY(pickle_push_new(m, PICKLE_STORAGE, &storage));
  storage->storage.dtype = globals[type->integer].dtype;
  storage->storage.key = key;
  storage->storage.elements = elements->integer;
  return NULL;
}
