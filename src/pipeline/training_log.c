#include "pipeline/training_log.h"

#include "core/number.h"

#include <kenning/services.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TRAIN, VALIDATION };

kn_status kn_training_log_open(const char *directory, bool validates, kn_training_log *out_log) {
  *out_log = (kn_training_log){.validates = validates, .events = {{.descriptor = -1}, {.descriptor = -1}}};
  if (!directory) return NULL;
  out_log->directory = kn_strdup(directory);
  return out_log->directory ? NULL : kn_status_out_of_memory();
}

void kn_training_log_close(kn_training_log *log) {
  for (int i = 0; i < 2; i++) kn_event_file_close(&log->events[i]);
  kn_free(log->epochs);
  kn_free(log->directory);
  *log = (kn_training_log){0};
}

kn_status kn_training_log_remember(kn_training_log *log, const kn_training_epoch *epoch) {
  kn_training_epoch *grown = kn_realloc(log->epochs, (log->count + 1) * sizeof *grown);
  if (!grown) return kn_status_out_of_memory();
  log->epochs = grown;
  log->epochs[log->count++] = *epoch;
  return NULL;
}

static kn_status write_table(const kn_training_log *log) {
  char *rows = NULL, *path = kn_format("%s/training.csv", log->directory);
  size_t bytes;
  FILE *table = path ? open_memstream(&rows, &bytes) : NULL;
  if (!table) {
    kn_free(path);
    return kn_status_out_of_memory();
  }
  locale_t before = kn_number_locale_enter();
  (void)fputs("epoch,loss,accuracy,validation_loss,validation_accuracy,learning_rate,seconds\n", table);
  for (size_t i = 0; i < log->count; i++) {
    const kn_training_epoch *at = &log->epochs[i];
    (void)fprintf(table, "%zu,%.6f,%.6f,", i + 1, at->trained.loss, at->trained.accuracy);
    if (log->validates)
      (void)fprintf(table, "%.6f,%.6f,", at->validated.loss, at->validated.accuracy);
    else
      (void)fputs(",,", table);
    (void)fprintf(table, "%.6g,%.3f\n", at->learning_rate, at->seconds);
  }
  kn_number_locale_leave(before);
  kn_status status = fclose(table) ? kn_status_out_of_memory() : kn_file_write(path, rows, bytes);
  free(rows);
  kn_free(path);
  return status;
}

static kn_status open_events(kn_training_log *log) {
  static const char *const names[] = {"train", "validation"};
  for (int i = 0; i < (log->validates ? 2 : 1); i++) {
    if (log->events[i].path) continue;
    char *directory = kn_format("%s/%s", log->directory, names[i]);
    if (!directory) return kn_status_out_of_memory();
    kn_status status = kn_event_file_create(directory, &log->events[i]);
    kn_free(directory);
    KN_TRY(status);
  }
  return NULL;
}

static kn_status write_score(kn_event_file *file, int64_t step, const kn_training_score *score) {
  KN_TRY(kn_event_file_scalar(file, "epoch_loss", step, score->loss));
  return kn_event_file_scalar(file, "epoch_accuracy", step, score->accuracy);
}

kn_status kn_training_log_add(kn_training_log *log, const kn_training_epoch *epoch) {
  int64_t step = (int64_t)log->count;
  KN_TRY(kn_training_log_remember(log, epoch));
  if (!log->directory) return NULL;
  KN_TRY(write_table(log));
  KN_TRY(open_events(log));
  KN_TRY(write_score(&log->events[TRAIN], step, &epoch->trained));
  KN_TRY(kn_event_file_scalar(&log->events[TRAIN], "epoch_learning_rate", step, epoch->learning_rate));
  return log->validates ? write_score(&log->events[VALIDATION], step, &epoch->validated) : NULL;
}

kn_status kn_training_log_weights(kn_training_log *log, const char *name, const float *values, size_t count) {
  if (!log->directory || !log->count) return NULL;
  return kn_event_file_histogram(&log->events[TRAIN], name, (int64_t)log->count - 1, values, count);
}

kn_status kn_training_log_record(const kn_training_log *log, kn_record *history) {
  for (size_t i = 0; i < log->count; i++) {
    const kn_training_epoch *at = &log->epochs[i];
    kn_record *entry;
    KN_TRY(kn_record_append_object(history, "epochs", &entry));
    KN_TRY(kn_record_set_int(entry, "epoch", (int64_t)i + 1));
    KN_TRY(kn_record_set_number(entry, "loss", at->trained.loss));
    KN_TRY(kn_record_set_number(entry, "accuracy", at->trained.accuracy));
    if (log->validates) {
      KN_TRY(kn_record_set_number(entry, "validation_loss", at->validated.loss));
      KN_TRY(kn_record_set_number(entry, "validation_accuracy", at->validated.accuracy));
    }
    KN_TRY(kn_record_set_number(entry, "learning_rate", at->learning_rate));
    KN_TRY(kn_record_set_number(entry, "seconds", at->seconds));
  }
  return NULL;
}
