#include "declaration.h"

#include <stdlib.h>
#include <string.h>

static kenning_iree_type type_named(const char *name, size_t length) {
  static const struct {
    const char *name;
    kenning_iree_type type;
  } types[] = {{"f32", KENNING_IREE_F32},  {"f16", KENNING_IREE_F16}, {"bf16", KENNING_IREE_BF16},
               {"f64", KENNING_IREE_F64},  {"i8", KENNING_IREE_I8},   {"si8", KENNING_IREE_I8},
               {"ui8", KENNING_IREE_U8},   {"i16", KENNING_IREE_I16}, {"si16", KENNING_IREE_I16},
               {"ui16", KENNING_IREE_U16}, {"i32", KENNING_IREE_I32}, {"si32", KENNING_IREE_I32},
               {"ui32", KENNING_IREE_U32}, {"i64", KENNING_IREE_I64}, {"si64", KENNING_IREE_I64},
               {"ui64", KENNING_IREE_U64}, {"i1", KENNING_IREE_BOOL}};
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (strlen(types[i].name) == length && !strncmp(types[i].name, name, length)) return types[i].type;
  return KENNING_IREE_NONE;
}

static kn_status damaged(const char *at) {
  return kn_status_make(KN_BAD_DATA, "the module's declaration of its function cannot be read at '%.40s'", at);
}

/* "1x4x?xf32" up to '>'. */
static kn_status parse_tensor(const char **text, kn_iree_argument *argument) {
  const char *at = *text, *end = strchr(at, '>');
  if (!end) return damaged(at);
  kenning_iree_tensor *tensor = &argument->tensor;
  for (;;) {
    int64_t dimension = -1;
    const char *next = at + 1;
    if (*at != '?') {
      char *digits_end;
      if (*at < '0' || *at > '9') break;
      dimension = strtoll(at, &digits_end, 10);
      next = digits_end;
    }
    if (*next != 'x' || dimension > INT32_MAX) return damaged(at);
    if (tensor->rank == KENNING_IREE_MAX_RANK)
      return kn_status_make(KN_INCOMPATIBLE, "'%s' has more than %d dimensions", argument->name, KENNING_IREE_MAX_RANK);
    tensor->shape[tensor->rank++] = dimension;
    at = next + 1;
  }
  tensor->type = type_named(at, (size_t)(end - at));
  if (tensor->type == KENNING_IREE_NONE)
    return kn_status_make(KN_INCOMPATIBLE, "'%s' is of type %.*s, which is not supported as input or output",
                          argument->name, (int)(end - at), at);
  *text = end + 1;
  return NULL;
}

/* "%name: tensor<...>"; attributes in braces may follow. */
static kn_status parse_argument(const char **text, kn_iree_argument *argument) {
  const char *at = *text, *colon = strchr(at, ':');
  if (*at != '%' || !colon) return damaged(at);
  size_t length = (size_t)(colon - at - 1);
  if (length >= sizeof argument->name) length = sizeof argument->name - 1;
  memcpy(argument->name, at + 1, length);
  at = colon + 1 + strspn(colon + 1, " ");
  if (strncmp(at, "tensor<", 7) != 0)
    return kn_status_make(KN_INCOMPATIBLE, "'%s' is of type %.*s; only tensors are supported", argument->name,
                          (int)strcspn(at, ",)"), at);
  at += 7;
  KN_TRY(parse_tensor(&at, argument));
  at += strspn(at, " ");
  if (*at == '{') {
    const char *end = strchr(at, '}');
    if (!end) return damaged(at);
    at = end + 1;
  }
  *text = at;
  return NULL;
}

/* "(a, b)" */
static kn_status parse_list(const char **text, kn_iree_argument **out_list, size_t *out_count) {
  const char *at = *text;
  if (*at != '(') return damaged(at);
  at++;
  while (*at != ')') {
    kn_iree_argument *list = kn_realloc(*out_list, (*out_count + 1) * sizeof *list);
    if (!list) return kn_status_out_of_memory();
    *out_list = list;
    list[*out_count] = (kn_iree_argument){0};
    KN_TRY(parse_argument(&at, &list[*out_count]));
    (*out_count)++;
    at += strspn(at, " ");
    if (*at == ',')
      at += 1 + strspn(at + 1, " ");
    else if (*at != ')')
      return damaged(at);
  }
  *text = at + 1;
  return NULL;
}

kn_status kn_iree_declaration_parse(const char *text, kn_iree_declaration *out_declaration) {
  *out_declaration = (kn_iree_declaration){0};
  const char *at = strchr(text, '(');
  if (!at) return damaged(text);
  KN_TRY(parse_list(&at, &out_declaration->inputs, &out_declaration->input_count));
  at += strspn(at, " ");
  if (strncmp(at, "->", 2) != 0) return damaged(at);
  at += 2 + strspn(at + 2, " ");
  return parse_list(&at, &out_declaration->outputs, &out_declaration->output_count);
}

void kn_iree_declaration_clear(kn_iree_declaration *declaration) {
  kn_free(declaration->inputs);
  kn_free(declaration->outputs);
  *declaration = (kn_iree_declaration){0};
}
