/* The course of a training run: one row for each epoch, in the run's record and as a table in the log directory. */
#ifndef TENSORFLOW_TRAINING_LOG_H
#define TENSORFLOW_TRAINING_LOG_H

#include <kenning/plugin.h>

typedef struct training_score {
  double loss;     /* mean cross-entropy, natural logarithm */
  double accuracy; /* share of right answers */
} training_score;

typedef struct training_log {
  kn_record *history;
  char *path; /* DIRECTORY/training.csv; NULL: none is written */
  char *rows;
} training_log;

/* `directory` may be NULL. */
kn_status training_log_open(kn_record *history, const char *directory, training_log *out_log) KN_MUST_USE;
void training_log_close(training_log *log);
/* `validated` may be NULL. The table is written anew, so that it is whole at any time. */
kn_status training_log_add(training_log *log, int64_t epoch, const training_score *trained,
                           const training_score *validated, double seconds) KN_MUST_USE;

#endif
