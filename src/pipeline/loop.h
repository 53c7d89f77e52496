/* The run loop: loader threads decode and preprocess samples into a ring of slots that are used again and again, the
 * calling thread runs inference and does nothing else, results are judged by the loaders when they take a slot again.
 * Nothing is allocated per inference. */
#ifndef KENNING_PIPELINE_LOOP_H
#define KENNING_PIPELINE_LOOP_H

#include "measurements/timeline.h"

#include <kenning/block.h>

typedef struct kn_loop_request {
  const kn_inference_ops *inference;
  void *self;            /* a model is loaded */
  const kn_iospec *spec; /* of the loaded model: one input [batch, sample shape], outputs with the batch first */
  const kn_samples *samples;
  /* Name of a sample for messages, or NULL. `context` is that of `samples`. */
  kn_status (*name)(void *context, size_t index, char *out, size_t size);
  int64_t batch;  /* samples per inference; the last batch is filled up with copies of its last sample */
  size_t warmup;  /* inferences on the first samples before the run, kept in `times`, not evaluated */
  size_t loaders; /* threads; at least 1 */
  bool quantize;  /* float32 samples become the quantized input's own type when they are loaded, so that the
                   * thread that runs inference copies, and brings into its caches, a quarter of the bytes */
  bool classify;  /* output 0 holds one score per class and sample */
  /* Zeroed memory for the inputs that lives as long as the model is loaded; NULL: ordinary memory. */
  kn_status (*memory)(void *context, size_t bytes, void **out_data);
  void *memory_context;
  const char *progress; /* shown while it runs; NULL: nothing */
} kn_loop_request;

typedef struct kn_loop_result {
  kn_inference_times *times; /* of the inferences that were run, warm-up first */
  size_t inferences;
  size_t warmup;        /* of these: leading ones that are warm-up */
  size_t samples;       /* evaluated; a prefix of the request's samples */
  int64_t *predictions; /* one per evaluated sample; NULL unless `classify` */
  uint8_t *in_top_5;    /* likewise, 0 or 1 */
  float *scores;        /* of the first `scored` of them, one row per sample; NULL unless `classify` */
  size_t scored;
  size_t not_finite;        /* samples with a score that is infinite or not a number */
  int64_t start_ns, end_ns; /* whole loop, kn_now_ns */
  int64_t evaluation_ns;    /* of that: after the last inference, waiting for the last results to be judged */
} kn_loop_result;

/* Runs all samples. When it fails, the result holds what was done until then: KN_CANCELLED when the user asked to
 * stop; faults of the data set or the model name the sample. Clear the result in every case. */
kn_status kn_loop_run(const kn_loop_request *request, kn_loop_result *out_result) KN_MUST_USE;
void kn_loop_result_clear(kn_loop_result *result);

#endif
