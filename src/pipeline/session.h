/* The blocks of a scenario while they are open. */
#ifndef KENNING_PIPELINE_SESSION_H
#define KENNING_PIPELINE_SESSION_H

#include "pipeline/held_model.h"
#include "pipeline/pipeline.h"
#include "pipeline/samples.h"
#include "pipeline/sources.h"

/* A model on its way through the chain. */
typedef struct kn_model {
  char *path;         /* owned */
  const char *format; /* NULL: not known */
  kn_iospec spec;
  bool has_spec;
} kn_model;

typedef struct kn_session {
  const kn_scenario *scenario;
  const kn_run_options *options;
  kn_measurements *measurements;
  kn_sources sources;
  bool dataset_opened, wrapper_opened; /* or half-open: to be closed */
  kn_dataset_info info;                /* zeroed without a data set */
  kn_split_plan plan;
  kn_held_model *models; /* whose sizes and hashes are recorded at the end */
  size_t model_count;
  bool on_target; /* inference runs in another process, here or elsewhere */
  bool measured;  /* the run loop was entered: what there is, is worth keeping */
} kn_session;

/* Checks that the scenario can run here, starts the measurements, fetches what is elsewhere, opens data set and model
 * wrapper and draws the split. Close the session also after a failure. */
kn_status kn_session_open(const kn_scenario *scenario, const kn_run_options *options,
                          kn_session *out_session) KN_MUST_USE;
/* Does not touch the measurements. */
void kn_session_close(kn_session *session);

/* Adds the time since `start_ns` to a phase, whatever `status` says, and returns `status`. */
kn_status kn_session_phase(kn_session *session, const char *phase, int64_t start_ns, kn_status status) KN_MUST_USE;
/* Says in which block a fault happened. */
kn_status kn_session_blame(kn_status status, const kn_instance *instance) KN_MUST_USE;
/* Holds a model from before it is read. `path` is copied. */
kn_status kn_session_hold(kn_session *session, const char *role, const char *path, const char *format,
                          int64_t weights_bytes) KN_MUST_USE;

const kn_dataset_options *kn_session_dataset_options(const kn_session *session); /* NULL without a data set */
/* The model that the wrapper wraps: path, format, io specification from `<path>.json` or else from the wrapper. */
kn_status kn_session_model(kn_session *session, kn_model *out_model) KN_MUST_USE;
void kn_model_clear(kn_model *model);
/* Reads "<path>.json" where it exists. */
kn_status kn_model_read_spec(kn_model *model) KN_MUST_USE;

#endif
