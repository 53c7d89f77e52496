#include "core/text.h"

#include "core/number.h"

#include <stdio.h>
#include <string.h>

/* Room for `bytes` more and the NUL; false once the text failed. */
static bool reserve(kn_text *text, size_t bytes) {
  if (text->failure) return false;
  size_t wanted;
  if (!kn_add_size(text->length, bytes, &wanted) || wanted >= KN_TEXT_LIMIT) {
    text->failure = KN_BAD_DATA;
    return false;
  }
  if (wanted < text->capacity) return true;
  size_t capacity = text->capacity ? text->capacity : 256;
  while (capacity <= wanted) capacity *= 2;
  char *data = kn_realloc(text->data, capacity);
  if (!data) {
    text->failure = KN_OUT_OF_MEMORY;
    return false;
  }
  text->data = data;
  text->capacity = capacity;
  return true;
}

void kn_text_add_bytes(kn_text *text, const char *part, size_t bytes) {
  if (!reserve(text, bytes)) return;
  if (bytes) memcpy(text->data + text->length, part, bytes);
  text->length += bytes;
  text->data[text->length] = '\0';
}

void kn_text_add(kn_text *text, const char *part) {
  if (part) kn_text_add_bytes(text, part, strlen(part));
}

void kn_text_format(kn_text *text, const char *format, ...) {
  char small[512];
  va_list arguments;
  va_start(arguments, format);
  locale_t before = kn_number_locale_enter();
  int length = vsnprintf(small, sizeof small, format, arguments);
  kn_number_locale_leave(before);
  va_end(arguments);
  if (length < 0) {
    text->failure = KN_BAD_DATA; /* more than INT_MAX bytes */
    return;
  }
  if ((size_t)length < sizeof small) {
    kn_text_add_bytes(text, small, (size_t)length);
    return;
  }
  if (!reserve(text, (size_t)length)) return;
  va_start(arguments, format);
  before = kn_number_locale_enter();
  vsnprintf(text->data + text->length, (size_t)length + 1, format, arguments);
  kn_number_locale_leave(before);
  va_end(arguments);
  text->length += (size_t)length;
}

kn_status kn_text_status(const kn_text *text) {
  if (text->failure == KN_OUT_OF_MEMORY) return kn_status_out_of_memory();
  if (text->failure) return kn_status_make(KN_BAD_DATA, "the text would be longer than %d bytes", KN_TEXT_LIMIT);
  return NULL;
}

void kn_text_clear(kn_text *text) {
  kn_free(text->data);
  *text = (kn_text){0};
}
