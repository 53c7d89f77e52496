/* The faults of a data set's files. One message for each, so that all can be mended at once; bounded, since a file of
 * the wrong kind is faulty in every line. */
#ifndef KENNING_DATASETS_FAULTS_H
#define KENNING_DATASETS_FAULTS_H

#include <stddef.h>

#include <kenning/status.h>

enum { KN_FAULTS_SHOWN = 20 };

/* Zeroed: none. */
typedef struct kn_faults {
  kn_status shown; /* the first KN_FAULTS_SHOWN, owned */
  size_t count;
} kn_faults;

/* Takes a fault of the data, or NULL. Returns what ends the reading instead: memory that is exhausted, a stop. */
kn_status kn_faults_keep(kn_faults *faults, kn_status fault) KN_MUST_USE;
/* Gives back what was kept, NULL when nothing was, with "N more `what`" at `where` behind it where not all are shown.
 */
kn_status kn_faults_take(kn_faults *faults, const char *where, const char *what) KN_MUST_USE;

#endif
