/* Walks over option tables: rows of a class, names, flags, defaults. */
#include "core/instance.h"
#include "core/number.h"
#include "core/registry.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* A row of a class replaces the row of the same name in its bases and its kind: is there one before `end`? */
static bool overridden(const kn_class *cls, const kn_class *end, const char *name) {
  for (const kn_class *at = cls; at != end; at = at->base)
    for (const kn_option *row = at->options; row && row->name; row++)
      if (!strcmp(row->name, name)) return true;
  return false;
}

const kn_option *kn_option_at(const kn_class *cls, size_t index) {
  for (const kn_class *at = cls; at; at = at->base)
    for (const kn_option *row = at->options; row && row->name; row++)
      if (!overridden(cls, at, row->name) && !index--) return row;
  for (const kn_option *row = kn_kind_options(cls->kind); row && row->name; row++)
    if (!overridden(cls, NULL, row->name) && !index--) return row;
  return NULL;
}

size_t kn_option_count(const kn_class *cls) {
  size_t count = 0;
  while (kn_option_at(cls, count)) count++;
  return count;
}

const kn_option *kn_option_find(const kn_class *cls, const char *name, size_t *out_index) {
  const kn_option *row;
  for (size_t i = 0; (row = kn_option_at(cls, i)); i++) {
    bool same = !strcmp(row->name, name);
    for (const char *const *alias = row->aliases; alias && *alias; alias++) same |= !strcmp(*alias, name);
    if (same) {
      if (out_index) *out_index = i;
      return row;
    }
  }
  return NULL;
}

const char *kn_option_flag(const kn_option *option, char out[96]) {
  if (option->flag) {
    snprintf(out, 96, "%s", option->flag);
    return out;
  }
  snprintf(out, 96, "--%s", option->name);
  for (char *c = out; *c; c++)
    if (*c == '_') *c = '-';
  return out;
}

const char *kn_option_type_name(const kn_option *option) {
  switch (option->type) {
    case KN_OPTION_BOOL:
      return "true or false";
    case KN_OPTION_INT:
      return "an integer";
    case KN_OPTION_FLOAT:
      return "a number";
    case KN_OPTION_STRING:
      return "a string";
    case KN_OPTION_PATH:
      return "a path";
    case KN_OPTION_ENUM:
      return "one of its choices";
    case KN_OPTION_STRING_LIST:
      return "a list of strings";
    case KN_OPTION_INT_LIST:
      return "a list of integers";
  }
  return "a value";
}

const char *kn_option_default_text(const kn_option *option, char *out, size_t size) {
  const char *choice = "";
  switch (option->type) {
    case KN_OPTION_BOOL:
      snprintf(out, size, "%s", option->def.b ? "true" : "false");
      break;
    case KN_OPTION_INT:
      snprintf(out, size, "%lld", (long long)option->def.i);
      break;
    case KN_OPTION_FLOAT:
      kn_number_print(out, size, "%.15g", option->def.f);
      break;
    case KN_OPTION_STRING:
    case KN_OPTION_PATH:
      if (option->def.s)
        snprintf(out, size, "\"%s\"", option->def.s);
      else
        snprintf(out, size, "null");
      break;
    case KN_OPTION_ENUM:
      for (const kn_choice *c = option->choices; c->name && !*choice; c++)
        if (c->value == (int)option->def.i) choice = c->name;
      snprintf(out, size, "\"%s\"", choice);
      break;
    case KN_OPTION_STRING_LIST:
    case KN_OPTION_INT_LIST:
      snprintf(out, size, "%s", option->def.s ? option->def.s : "[]");
      break;
  }
  return out;
}

/* Whole numbers in full: an exponent would hide the last digits of a bound such as 2^53 - 1. */
static void number_text(double number, char out[32]) {
  bool whole = fabs(number) < 1e17 && number == floor(number);
  kn_number_print(out, 32, whole ? "%.0f" : "%.15g", number);
}

bool kn_option_range_text(const kn_option *option, char out_lowest[32], char out_highest[32]) {
  number_text(option->min, out_lowest);
  number_text(option->max, out_highest);
  return option->min != option->max;
}

const char *kn_class_short_name(const kn_class *cls) {
  const char *dot = strrchr(cls->name, '.');
  return dot ? dot + 1 : cls->name;
}

/* Damerau-Levenshtein (optimal string alignment) distance, names up to 63 characters. */
static size_t distance(const char *a, const char *b) {
  size_t n = strlen(a), m = strlen(b);
  if (n > 63 || m > 63) return SIZE_MAX;
  size_t rows[3][64];
  for (size_t j = 0; j <= m; j++) rows[0][j] = j;
  for (size_t i = 1; i <= n; i++) {
    size_t *row = rows[i % 3], *above = rows[(i - 1) % 3], *above2 = rows[(i + 1) % 3];
    row[0] = i;
    for (size_t j = 1; j <= m; j++) {
      size_t best = above[j - 1] + (a[i - 1] != b[j - 1]);
      if (above[j] + 1 < best) best = above[j] + 1;
      if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && above2[j - 2] + 1 < best)
        best = above2[j - 2] + 1;
      row[j] = best;
    }
  }
  return rows[n % 3][m];
}

const char *kn_closest_name(const char *name, const char *const *names, size_t count) {
  const char *closest = NULL;
  size_t best = strlen(name) / 3 + 2;
  for (size_t i = 0; i < count; i++) {
    size_t d = distance(name, names[i]);
    if (d < best) best = d, closest = names[i];
  }
  return closest;
}
