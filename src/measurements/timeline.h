/* When each inference of a run happened. */
#ifndef KENNING_MEASUREMENTS_TIMELINE_H
#define KENNING_MEASUREMENTS_TIMELINE_H

#include <kenning/record.h>

/* One inference. Points in time are kn_now_ns(). */
typedef struct kn_inference_times {
  int64_t load_start, load_end; /* a loader thread decodes and preprocesses the samples */
  int64_t wait_ns;              /* how long the inference thread then waited for them */
  int64_t input_start;          /* samples are handed to the model (copied, quantized) until run_start */
  int64_t run_start, run_end;   /* the model runs, nothing else */
  int64_t output_end;           /* results are fetched (copied, dequantized) from run_end on */
} kn_inference_times;

/* Puts tags, `step` (target_inference_step, or protocol_inference_step for what a target did), input_preprocess_step,
 * output_postprocess_step and their timestamps, which are the ends of the steps, in seconds. */
kn_status kn_timeline_put(const kn_inference_times *times, size_t count, const char *step,
                          kn_record *record) KN_MUST_USE;
/* A copy of the run times in seconds; free with kn_free. */
kn_status kn_timeline_steps(const kn_inference_times *times, size_t count, double **out_steps) KN_MUST_USE;

#endif
