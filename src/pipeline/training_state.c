#include "pipeline/training_state.h"

#include <kenning/services.h>
#include <stdlib.h>
#include <string.h>

static const char magic[8] = "KNTRAIN1";

enum { FIXED = 16, SUM = 4 };
static const size_t file_limit = (size_t)1 << 36;

/* ---- memory ---- */

static kn_status make_values(const kn_trainer *trainer, bool weights_only, float ***out) {
  float **values = kn_alloc_array(trainer->tensor_count, sizeof *values);
  *out = values;
  if (!values) return kn_status_out_of_memory();
  for (size_t i = 0; i < trainer->tensor_count; i++) {
    if (weights_only && !trainer->tensors[i].weight) continue;
    values[i] = kn_alloc_array(trainer->tensors[i].elements, sizeof **values);
    if (!values[i]) return kn_status_out_of_memory();
  }
  return NULL;
}

static void free_values(const kn_trainer *trainer, float **values) {
  for (size_t i = 0; values && i < trainer->tensor_count; i++) kn_free(values[i]);
  kn_free(values);
}

kn_status kn_training_state_make(const kn_trainer *trainer, bool whole, kn_training_state *out_state) {
  *out_state = (kn_training_state){0};
  kn_status status = make_values(trainer, true, &out_state->best_values);
  if (!status && whole) status = make_values(trainer, false, &out_state->values);
  if (status) kn_training_state_clear(trainer, out_state);
  return status;
}

void kn_training_state_clear(const kn_trainer *trainer, kn_training_state *state) {
  free_values(trainer, state->values);
  free_values(trainer, state->best_values);
  *state = (kn_training_state){0};
}

/* ---- numbers of the header: one table for writing and reading ---- */

typedef struct number {
  const char *key;
  size_t offset;
  enum { INTEGER, REAL, TRUTH } type;
} number;

#define STATE(member) offsetof(kn_training_state, member)
static const number state_numbers[] = {
    {"epoch", STATE(epoch), INTEGER},
    {"step", STATE(step), INTEGER},
    {"loss", STATE(sum.loss), REAL},
    {"hits", STATE(sum.accuracy), REAL},
    {"seconds", STATE(seconds), REAL},
    {"learning_rate", STATE(learning_rate), REAL},
    {"has_best", STATE(has_best), TRUTH},
    {"best_loss", STATE(best.loss), REAL},
    {"best_accuracy", STATE(best.accuracy), REAL},
    {"best_epoch", STATE(best_epoch), INTEGER},
    {"idle", STATE(idle), INTEGER},
    {"reductions", STATE(reductions), INTEGER},
    {"plateau", STATE(plateau), INTEGER},
};
#define EPOCH(member) offsetof(kn_training_epoch, member)
static const number epoch_numbers[] = {
    {"loss", EPOCH(trained.loss), REAL},
    {"accuracy", EPOCH(trained.accuracy), REAL},
    {"validation_loss", EPOCH(validated.loss), REAL},
    {"validation_accuracy", EPOCH(validated.accuracy), REAL},
    {"learning_rate", EPOCH(learning_rate), REAL},
    {"seconds", EPOCH(seconds), REAL},
};
enum {
  STATE_NUMBERS = sizeof state_numbers / sizeof *state_numbers,
  EPOCH_NUMBERS = sizeof epoch_numbers / sizeof *epoch_numbers
};

static kn_status put_numbers(kn_record *record, const number *numbers, size_t count, const void *from) {
  for (size_t i = 0; i < count; i++) {
    const char *at = (const char *)from + numbers[i].offset, *key = numbers[i].key;
    switch (numbers[i].type) {
      case INTEGER:
        KN_TRY(kn_record_set_int(record, key, *(const int64_t *)(const void *)at));
        break;
      case REAL:
        KN_TRY(kn_record_set_number(record, key, *(const double *)(const void *)at));
        break;
      case TRUTH:
        KN_TRY(kn_record_set_bool(record, key, *(const bool *)(const void *)at));
        break;
    }
  }
  return NULL;
}

static bool get_numbers(yyjson_mut_val *object, const number *numbers, size_t count, void *to) {
  for (size_t i = 0; i < count; i++) {
    char *at = (char *)to + numbers[i].offset;
    yyjson_mut_val *value = yyjson_mut_obj_get(object, numbers[i].key);
    switch (numbers[i].type) {
      case INTEGER:
        if (!yyjson_mut_is_int(value) || yyjson_mut_get_sint(value) < 0) return false;
        *(int64_t *)(void *)at = yyjson_mut_get_sint(value);
        break;
      case REAL:
        if (!yyjson_mut_is_num(value)) return false;
        *(double *)(void *)at = yyjson_mut_get_num(value);
        break;
      case TRUTH:
        if (!yyjson_mut_is_bool(value)) return false;
        *(bool *)(void *)at = yyjson_mut_get_bool(value);
        break;
    }
  }
  return true;
}

/* ---- writing ---- */

static kn_status make_header(const kn_trainer *trainer, const kn_record *settings, const kn_training_log *log,
                             const kn_training_state *state, kn_record *header) {
  kn_record *child;
  yyjson_mut_doc *document = kn_record_document(header);
  KN_TRY(kn_record_set_value(header, "settings", yyjson_mut_val_mut_copy(document, kn_record_value(settings))));
  KN_TRY(kn_record_object(header, "state", &child));
  KN_TRY(put_numbers(child, state_numbers, STATE_NUMBERS, state));
  for (size_t i = 0; i < log->count; i++) {
    KN_TRY(kn_record_append_object(header, "epochs", &child));
    KN_TRY(put_numbers(child, epoch_numbers, EPOCH_NUMBERS, &log->epochs[i]));
  }
  for (size_t i = 0; i < trainer->tensor_count; i++) {
    const kn_train_tensor *tensor = &trainer->tensors[i];
    KN_TRY(kn_record_append_object(header, "tensors", &child));
    KN_TRY(kn_record_set_string(child, "name", tensor->name));
    KN_TRY(kn_record_set_int(child, "elements", (int64_t)tensor->elements));
    KN_TRY(kn_record_set_bool(child, "weight", tensor->weight));
  }
  return NULL;
}

/* Bytes of the values in the file. */
static bool values_bytes(const kn_trainer *trainer, bool has_best, size_t *out) {
  *out = 0;
  for (size_t i = 0; i < trainer->tensor_count; i++) {
    size_t bytes, times = has_best && trainer->tensors[i].weight ? 2 * sizeof(float) : sizeof(float);
    if (!kn_mul_size(trainer->tensors[i].elements, times, &bytes) || !kn_add_size(*out, bytes, out)) return false;
  }
  return true;
}

/* Copies between the file's values, `at`, and the state's. */
static void move_values(const kn_trainer *trainer, const kn_training_state *state, char *at, bool write) {
  for (int pass = 0; pass < (state->has_best ? 2 : 1); pass++)
    for (size_t i = 0; i < trainer->tensor_count; i++) {
      float *values = pass ? state->best_values[i] : state->values[i];
      size_t bytes = trainer->tensors[i].elements * sizeof(float);
      if (!values) continue;
      memcpy(write ? (void *)at : values, write ? (void *)values : at, bytes);
      at += bytes;
    }
}

static kn_status write_file(const char *path, const kn_trainer *trainer, const kn_training_state *state,
                            const char *header, size_t header_bytes) {
  size_t bytes, values;
  if (!values_bytes(trainer, state->has_best, &values) || !kn_add_size(values, FIXED + SUM + header_bytes, &bytes))
    return kn_status_out_of_memory();
  char *file = kn_alloc(bytes);
  if (!file) return kn_status_out_of_memory();
  uint64_t length = header_bytes;
  memcpy(file, magic, sizeof magic);
  memcpy(file + sizeof magic, &length, sizeof length);
  memcpy(file + FIXED, header, header_bytes);
  move_values(trainer, state, file + FIXED + header_bytes, true);
  uint32_t sum = kn_crc32c(file, bytes - SUM);
  memcpy(file + bytes - SUM, &sum, SUM);
  kn_status status = kn_file_write(path, file, bytes);
  kn_free(file);
  return status;
}

kn_status kn_checkpoint_write(const char *path, const kn_trainer *trainer, const kn_record *settings,
                              const kn_training_log *log, const kn_training_state *state) {
  kn_record *header;
  KN_TRY(kn_record_create(&header));
  kn_status status = make_header(trainer, settings, log, state, header);
  if (!status) {
    size_t bytes;
    char *text = yyjson_mut_write_opts(kn_record_document(header), 0, &kn_json_allocator, &bytes, NULL);
    status = text ? write_file(path, trainer, state, text, bytes) : kn_status_out_of_memory();
    kn_free(text);
  }
  kn_record_destroy(header);
  return status;
}

/* ---- reading ---- */

static kn_status damaged(const char *path) {
  return kn_status_make(KN_BAD_DATA, "%s is no whole checkpoint of a training: begin anew, without training_resume",
                        path);
}

/* Value of a setting as text; free with kn_free. */
static char *text_of(yyjson_mut_val *value) {
  return yyjson_mut_val_write_opts(value, 0, &kn_json_allocator, NULL, NULL);
}

static kn_status compare_setting(const char *path, const char *key, yyjson_mut_val *made, yyjson_mut_val *now) {
  char *before = made ? text_of(made) : kn_strdup("nothing"), *after = text_of(now);
  kn_status status = NULL;
  if (!before || !after)
    status = kn_status_out_of_memory();
  else if (strcmp(before, after) != 0)
    status = kn_status_make(KN_INCOMPATIBLE,
                            "%s belongs to a training with '%s' %s, not %s: training goes on only with "
                            "the settings it began with",
                            path, key, before, after);
  kn_free(before);
  kn_free(after);
  return status;
}

static kn_status check_settings(const char *path, yyjson_mut_val *made, const kn_record *settings) {
  size_t index, count;
  yyjson_mut_val *key, *value;
  kn_status faults = NULL;
  yyjson_mut_obj_foreach(kn_record_value(settings), index, count, key, value) {
    const char *name = yyjson_mut_get_str(key);
    faults = kn_status_join(faults, compare_setting(path, name, yyjson_mut_obj_get(made, name), value));
  }
  return faults;
}

static kn_status check_tensors(const char *path, yyjson_mut_val *list, const kn_trainer *trainer) {
  bool same = yyjson_mut_arr_size(list) == trainer->tensor_count;
  for (size_t i = 0; same && i < trainer->tensor_count; i++) {
    yyjson_mut_val *entry = yyjson_mut_arr_get(list, i);
    same = yyjson_mut_equals_str(yyjson_mut_obj_get(entry, "name"), trainer->tensors[i].name) &&
           yyjson_mut_get_uint(yyjson_mut_obj_get(entry, "elements")) == trainer->tensors[i].elements;
  }
  if (same) return NULL;
  return kn_status_make(KN_INCOMPATIBLE, "%s belongs to the training of another model", path);
}

static kn_status read_header(const char *path, yyjson_mut_val *header, const kn_trainer *trainer,
                             const kn_record *settings, kn_training_log *log, kn_training_state *state) {
  KN_TRY(check_settings(path, yyjson_mut_obj_get(header, "settings"), settings));
  KN_TRY(check_tensors(path, yyjson_mut_obj_get(header, "tensors"), trainer));
  if (!get_numbers(yyjson_mut_obj_get(header, "state"), state_numbers, STATE_NUMBERS, state)) return damaged(path);
  size_t index, count;
  yyjson_mut_val *entry;
  yyjson_mut_arr_foreach(yyjson_mut_obj_get(header, "epochs"), index, count, entry) {
    kn_training_epoch epoch;
    if (!get_numbers(entry, epoch_numbers, EPOCH_NUMBERS, &epoch)) return damaged(path);
    KN_TRY(kn_training_log_remember(log, &epoch));
  }
  return log->count == (size_t)state->epoch ? NULL : damaged(path);
}

static kn_status read_file(const char *path, char *file, size_t bytes, const kn_trainer *trainer,
                           const kn_record *settings, kn_training_log *log, kn_training_state *state) {
  uint64_t length = 0;
  uint32_t sum = 0;
  if (bytes >= FIXED + SUM) {
    memcpy(&length, file + sizeof magic, sizeof length);
    memcpy(&sum, file + bytes - SUM, SUM);
  }
  if (bytes < FIXED + SUM || memcmp(file, magic, sizeof magic) != 0 || length > bytes - FIXED - SUM ||
      sum != kn_crc32c(file, bytes - SUM))
    return damaged(path);
  kn_record *header;
  KN_TRY(kn_record_parse(file + FIXED, length, &header));
  kn_status status = read_header(path, kn_record_value(header), trainer, settings, log, state);
  kn_record_destroy(header);
  KN_TRY(status);
  size_t values;
  if (!values_bytes(trainer, state->has_best, &values) || values != bytes - FIXED - SUM - length) return damaged(path);
  move_values(trainer, state, file + FIXED + length, false);
  return NULL;
}

kn_status kn_checkpoint_read(const char *path, const kn_trainer *trainer, const kn_record *settings,
                             kn_training_log *log, kn_training_state *state) {
  char *file;
  size_t bytes;
  KN_TRY(
      kn_status_annotate(kn_file_read(path, file_limit, &file, &bytes), "training_resume goes on from a checkpoint"));
  kn_status status = read_file(path, file, bytes, trainer, settings, log, state);
  kn_free(file);
  return status;
}
