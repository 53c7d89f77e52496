#include "core/memory.h"

#include "core/number.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static atomic_uint_least64_t allocations;
static atomic_uint_least64_t allowed = UINT64_MAX;

void kn_memory_fail_after(uint64_t successes) {
  uint64_t now = atomic_load(&allocations);
  atomic_store(&allowed, successes > UINT64_MAX - now ? UINT64_MAX : now + successes);
}

uint64_t kn_memory_allocations(void) { return atomic_load(&allocations); }

static bool may_allocate(void) { return atomic_fetch_add(&allocations, 1) < atomic_load(&allowed); }

void *kn_alloc(size_t size) { return kn_alloc_array(1, size); }

void *kn_alloc_array(size_t count, size_t size) {
  if (!may_allocate()) return NULL;
  size_t total;
  if (!kn_mul_size(count, size, &total)) return NULL;
  return calloc(1, total ? total : 1);
}

void *kn_realloc(void *pointer, size_t size) {
  if (!may_allocate()) return NULL;
  return realloc(pointer, size ? size : 1);
}

void kn_free(void *pointer) { free(pointer); }

char *kn_strdup(const char *text) { return kn_strndup(text, strlen(text)); }

char *kn_strndup(const char *text, size_t length) {
  length = strnlen(text, length);
  char *copy = kn_alloc(length + 1);
  if (copy) memcpy(copy, text, length);
  return copy;
}

char *kn_vformat(const char *format, va_list arguments) {
  va_list again;
  va_copy(again, arguments);
  locale_t before = kn_number_locale_enter();
  int length = vsnprintf(NULL, 0, format, again);
  va_end(again);
  char *text = length < 0 ? NULL : kn_alloc((size_t)length + 1);
  if (text) vsnprintf(text, (size_t)length + 1, format, arguments);
  kn_number_locale_leave(before);
  return text;
}

char *kn_format(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  char *text = kn_vformat(format, arguments);
  va_end(arguments);
  return text;
}
