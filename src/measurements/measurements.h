/* What is known about a run, gathered while it happens and written as one JSON file. docs/measurements.md defines the
 * keys. One thread at a time. */
#ifndef KENNING_MEASUREMENTS_MEASUREMENTS_H
#define KENNING_MEASUREMENTS_MEASUREMENTS_H

#include <kenning/measurements.h>
#include <kenning/record.h>

struct kn_measurements {
  kn_record *record; /* the file's root object; put further keys into it with kn_record_set_... */
};

/* With kenning_schema, kenning_version, date, environment, and complete = false until kn_measurements_complete. */
kn_status kn_measurements_create(kn_measurements **out_measurements) KN_MUST_USE;

/* Adds wall time to the phase `name`, made when it is new. Phases do not overlap. */
kn_status kn_measurements_phase(kn_measurements *measurements, const char *name, int64_t ns) KN_MUST_USE;
/* The command line as the original keeps it: a list of lines for a shell, options indented below the command. */
kn_status kn_measurements_command(kn_measurements *measurements, const char *const *arguments,
                                  size_t count) KN_MUST_USE;
/* NULL reason: the run is whole. Otherwise the file is marked as partial. */
kn_status kn_measurements_complete(kn_measurements *measurements, const char *reason) KN_MUST_USE;

#endif
