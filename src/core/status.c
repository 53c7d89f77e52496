#include <kenning/plugin.h>

#include <string.h>

/* A status is a list of faults; the first one is the handle. */
struct kn_status_s {
  kn_code code;
  char *message;
  char *where;
  char *context;
  struct kn_status_s *next;
};

/* What is returned when there is no memory to say so. Never freed, never changed, never linked into a list. */
static struct kn_status_s out_of_memory = {.code = KN_OUT_OF_MEMORY, .message = (char *)"out of memory"};

kn_status kn_status_out_of_memory(void) { return &out_of_memory; }

kn_status kn_status_vmake_at(kn_code code, const char *where, const char *format, va_list arguments) {
  kn_status status = kn_alloc(sizeof *status);
  if (!status) return &out_of_memory;
  status->code = code;
  status->message = kn_vformat(format, arguments);
  if (where) status->where = kn_strdup(where);
  if (!status->message || (where && !status->where)) {
    kn_status_free(status);
    return &out_of_memory;
  }
  return status;
}

kn_status(kn_status_make_at)(kn_code code, const char *where, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  kn_status status = kn_status_vmake_at(code, where, format, arguments);
  va_end(arguments);
  return status;
}

kn_status(kn_status_make)(kn_code code, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  kn_status status = kn_status_vmake_at(code, NULL, format, arguments);
  va_end(arguments);
  return status;
}

static bool has_line(const char *text, const char *line) {
  size_t length = strlen(line);
  for (const char *at = text; at; at = strchr(at, '\n'), at += at != NULL)
    if (!strncmp(at, line, length) && (!at[length] || at[length] == '\n')) return true;
  return false;
}

kn_status kn_status_vannotate(kn_status status, const char *format, va_list arguments) {
  if (!status || status == &out_of_memory) return status;
  char *line = kn_vformat(format, arguments);
  if (!line) return status; /* the fault itself matters more than its context */
  for (struct kn_status_s *fault = status; fault; fault = fault->next) {
    if (has_line(fault->context, line)) continue; /* two rooms that say the same */
    char *context = fault->context ? kn_format("%s\n%s", fault->context, line) : kn_strdup(line);
    if (!context) break;
    kn_free(fault->context);
    fault->context = context;
  }
  kn_free(line);
  return status;
}

kn_status kn_status_annotate(kn_status status, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  status = kn_status_vannotate(status, format, arguments);
  va_end(arguments);
  return status;
}

kn_status kn_status_join(kn_status first, kn_status second) {
  if (!first) return second;
  if (!second) return first;
  if (first == &out_of_memory || second == &out_of_memory) { /* nothing can be linked to the static one */
    kn_status_free(first == &out_of_memory ? second : first);
    return &out_of_memory;
  }
  struct kn_status_s *last = first;
  while (last->next) last = last->next;
  last->next = second;
  return first;
}

kn_code kn_status_code(kn_status status) {
  if (!status) return KN_OK;
  for (struct kn_status_s *fault = status; fault; fault = fault->next)
    if (fault->code != KN_NOT_INSTALLED) return fault->code;
  return status->code;
}

size_t kn_status_count(kn_status status) {
  size_t count = 0;
  for (; status; status = status->next) count++;
  return count;
}

static const struct kn_status_s *fault_at(kn_status status, size_t index) {
  while (status && index--) status = status->next;
  return status;
}

const char *kn_status_message(kn_status status, size_t index) {
  const struct kn_status_s *fault = fault_at(status, index);
  return fault ? fault->message : "";
}

const char *kn_status_where(kn_status status, size_t index) {
  const struct kn_status_s *fault = fault_at(status, index);
  return fault ? fault->where : NULL;
}

const char *kn_status_context(kn_status status, size_t index) {
  const struct kn_status_s *fault = fault_at(status, index);
  return fault && fault->context ? fault->context : "";
}

void kn_status_free(kn_status status) {
  while (status && status != &out_of_memory) {
    kn_status next = status->next;
    kn_free(status->message);
    kn_free(status->where);
    kn_free(status->context);
    kn_free(status);
    status = next;
  }
}

const char *kn_code_name(kn_code code) {
  switch (code) {
#define CODE_TEXT(name, number, text) \
  case KN_##name:                     \
    return text;
    KN_CODES(CODE_TEXT)
#undef CODE_TEXT
  }
  return "unknown";
}
