#include "training_log.h"

#include <string.h>

kn_status training_log_open(kn_record *history, const char *directory, training_log *out_log) {
  *out_log = (training_log){.history = history};
  if (!directory) return NULL;
  out_log->path = kn_format("%s/training.csv", directory);
  out_log->rows = kn_strdup("epoch,loss,accuracy,validation_loss,validation_accuracy,seconds\n");
  if (out_log->path && out_log->rows) return NULL;
  training_log_close(out_log);
  return kn_status_out_of_memory();
}

void training_log_close(training_log *log) {
  kn_free(log->path);
  kn_free(log->rows);
  *log = (training_log){0};
}

static kn_status add_row(training_log *log, int64_t epoch, const training_score *trained,
                         const training_score *validated, double seconds) {
  char *validation = validated ? kn_format("%.6f,%.6f", validated->loss, validated->accuracy) : kn_strdup(",");
  if (!validation) return kn_status_out_of_memory();
  char *rows = kn_format("%s%lld,%.6f,%.6f,%s,%.3f\n", log->rows, (long long)epoch, trained->loss, trained->accuracy,
                         validation, seconds);
  kn_free(validation);
  if (!rows) return kn_status_out_of_memory();
  kn_free(log->rows);
  log->rows = rows;
  return kn_file_write(log->path, rows, strlen(rows));
}

kn_status training_log_add(training_log *log, int64_t epoch, const training_score *trained,
                           const training_score *validated, double seconds) {
  kn_record *entry;
  KN_TRY(kn_record_append_object(log->history, "epochs", &entry));
  KN_TRY(kn_record_set_int(entry, "epoch", epoch));
  KN_TRY(kn_record_set_number(entry, "loss", trained->loss));
  KN_TRY(kn_record_set_number(entry, "accuracy", trained->accuracy));
  if (validated) {
    KN_TRY(kn_record_set_number(entry, "validation_loss", validated->loss));
    KN_TRY(kn_record_set_number(entry, "validation_accuracy", validated->accuracy));
  }
  KN_TRY(kn_record_set_number(entry, "seconds", seconds));
  return log->path ? add_row(log, epoch, trained, validated, seconds) : NULL;
}
