/* The runtime of a target, fed with payloads of messages, and what is measured about it. One client uses it. */
#ifndef KENNING_TARGET_ENGINE_H
#define KENNING_TARGET_ENGINE_H

#include "measurements/sampler.h"
#include "measurements/series.h"
#include "wire/extension.h"
#include "wire/iolayout.h"

#include <kenning/block.h>

typedef struct kn_target_engine {
  const kn_inference_ops *ops;
  void *self;                  /* the runtime, open */
  size_t payload_limit;        /* bytes of all inputs, and of all outputs */
  double deadline_s;           /* 0: none. A call of the runtime that takes longer ends the process by SIGALRM */
  kn_iospec spec;              /* as the client sent it */
  struct kn_slots_peer *slots; /* what the host shares besides its messages; NULL: nothing */
  bool has_spec;
  bool loaded;
  kn_iolayout input, output; /* of the loaded model */
  kn_sampler *sampler;       /* since the model came; NULL: nothing is sampled */
  kn_series steps, ends;     /* seconds: durations of the inferences, and their ends on this machine's clock */
  size_t unrecorded;         /* inferences after the series were full */
  struct kn_model_times {    /* of the model that came last, seconds; 0: it was not done */
    double hash;             /* whether it is the one that the host means */
    double store;            /* writing, waiting for the disk, renaming */
    double load;             /* by the runtime */
  } model_times;
} kn_target_engine;

/* `engine` holds ops, self and the limits, and else zeros. */
kn_status kn_target_engine_open(kn_target_engine *engine) KN_MUST_USE;
/* Unloads the model; a zeroed engine is allowed. */
void kn_target_engine_close(kn_target_engine *engine);

/* The io specification (JSON) of the model that comes next. */
kn_status kn_target_engine_specify(kn_target_engine *engine, const char *json, size_t bytes) KN_MUST_USE;
/* The same in the packed form. */
kn_status kn_target_engine_specify_packed(kn_target_engine *engine, const uint8_t *bytes, size_t count) KN_MUST_USE;
/* Loads a model and starts to sample, which `sampled` asks for. What was loaded before is gone in any case. */
kn_status kn_target_engine_load(kn_target_engine *engine, const char *path, bool sampled) KN_MUST_USE;
/* `payload` has input.bytes bytes, 64-byte aligned. */
kn_status kn_target_engine_input(kn_target_engine *engine, void *payload) KN_MUST_USE;
kn_status kn_target_engine_process(kn_target_engine *engine) KN_MUST_USE;
/* Writes output.bytes bytes, 64-byte aligned. */
kn_status kn_target_engine_output(kn_target_engine *engine, void *payload) KN_MUST_USE;
/* All three, and when they happened on this machine's clock. */
kn_status kn_target_engine_infer(kn_target_engine *engine, void *input, void *output,
                                 kn_infer_times *out_times) KN_MUST_USE;
/* What was measured, as JSON; ends the sampling. Free with kn_free. */
kn_status kn_target_engine_statistics(kn_target_engine *engine, char **out_json, size_t *out_bytes) KN_MUST_USE;

/* The same in rows for hosts without JSON (wire/packed.h). */
kn_status kn_target_engine_statistics_packed(kn_target_engine *engine, uint8_t **out_bytes,
                                             size_t *out_count) KN_MUST_USE;

#endif
