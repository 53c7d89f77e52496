#include "engine.h"

#include "core/file.h"
#include "core/instance.h"
#include "core/log.h"
#include "core/record_json.h"
#include "pipeline/loop.h"

#include "figure.h"
#include "ratio.h"

#include <kenning/random.h>
#include <kenning/services.h>

#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
  WARMUP = 3,    /* inferences at the start of each block that do not count, on both sides */
  BLOCK_MS = 60, /* about that long is a block */
  MINIMUM_BLOCK = 5,
  MAXIMUM_BLOCK = 500,
  MINIMUM_QUADS = 30,
  MAXIMUM_QUADS = 2000,
  POOL = 8 /* different samples */
};

/* The interval is narrow when each end is that near to the ratio. */
static const double narrow = 0.0025;
static const double lowest_plausible = 1 / 1.05;

typedef struct bench {
  const bench_engine *engine;
  kn_instance block; /* the runtime */
  const kn_inference_ops *ops;
  void *runtime; /* the block's instance; NULL: not made yet */
  int64_t threads;
  kn_iospec spec;
  kn_samples samples;
  kn_tensor_view pool; /* [POOL, sample shape] */
  size_t sample_bytes;
  size_t per_block; /* inferences that count */
  bench_side loop, bare;
} bench;

/* ---- samples ---- */

static kn_status load_sample(void *context, size_t index, const kn_tensor_view *out) {
  const bench *at = context;
  memcpy(out->data, (const char *)at->pool.data + index % POOL * at->sample_bytes, at->sample_bytes);
  return NULL;
}

static kn_status label_of(void *context, size_t index, int64_t *out_label) {
  const bench *at = context;
  *out_label = (int64_t)(index % (size_t)at->samples.classes);
  return NULL;
}

static kn_status make_samples(bench *at) {
  if (at->spec.input.count != 1 || at->spec.output.count != 1)
    return kn_status_make(KN_INCOMPATIBLE, "the model must have one input and one output");
  const kn_ioentry *input = &at->spec.input.entries[0], *output = &at->spec.output.entries[0];
  int64_t shape[KN_MAX_RANK] = {POOL};
  at->samples = (kn_samples){.context = at,
                             .classes = 1,
                             .dtype = KN_FLOAT32,
                             .rank = input->rank - 1,
                             .identity = "",
                             .load = load_sample,
                             .label = label_of};
  for (uint32_t i = 1; i < input->rank; i++) shape[i] = at->samples.shape[i - 1] = input->shape[i];
  for (uint32_t i = 1; i < output->rank; i++) at->samples.classes *= output->shape[i];
  KN_TRY(kn_tensor_create(KN_FLOAT32, input->rank, shape, &at->pool));
  at->sample_bytes = at->pool.bytes / POOL;
  float *values = at->pool.data;
  /* About normal: the sum of 12 uniform values has mean 6 and variance 1. */
  for (size_t i = 0; i < at->pool.bytes / sizeof *values; i++) {
    double sum = -6;
    for (uint64_t k = 0; k < 12; k++) sum += kn_random_unit(1, i * 12 + k);
    values[i] = (float)sum;
  }
  return NULL;
}

/* A model that gives the same whatever it gets could as well not run at all. */
static kn_status check_varies(bench *at) {
  const kn_ioentry *input = &at->spec.input.entries[0], *output = &at->spec.output.entries[0];
  kn_tensor_view results[2] = {0}, sample = {.bytes = at->sample_bytes, .dtype = KN_FLOAT32, .rank = input->rank};
  memcpy(sample.shape, input->shape, sizeof sample.shape);
  kn_status status = NULL;
  for (size_t i = 0; i < 2 && !status; i++) {
    sample.data = (char *)at->pool.data + i * at->sample_bytes;
    status = kn_tensor_create(KN_FLOAT32, output->rank, output->shape, &results[i]);
    if (!status) status = at->ops->set_input(at->runtime, &sample, 1);
    if (!status) status = at->ops->invoke(at->runtime);
    if (!status) status = at->ops->output(at->runtime, &results[i], 1);
  }
  if (!status && !memcmp(results[0].data, results[1].data, results[0].bytes))
    status = kn_status_make(KN_INCOMPATIBLE, "the model gives the same result for different samples");
  kn_tensor_free(&results[0]);
  kn_tensor_free(&results[1]);
  return status;
}

/* ---- blocks ---- */

static int64_t clock_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC_RAW, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static kn_status run_bare(bench *at, double *out_ms) {
  int (*invoke)(void *) = at->engine->invoke;
  void *runtime = at->runtime;
  for (size_t i = 0; i < WARMUP + at->per_block; i++) {
    int64_t start = clock_ns();
    int result = invoke(runtime);
    int64_t end = clock_ns();
    if (result) return kn_status_make(KN_BACKEND_FAILED, "the engine returned %d", result);
    if (i >= WARMUP) out_ms[i - WARMUP] = (double)(end - start) / 1e6;
  }
  return NULL;
}

static kn_status run_loop(bench *at, double *out_ms) {
  at->samples.count = at->per_block;
  kn_loop_result result;
  kn_status status = kn_loop_run(&(kn_loop_request){.inference = at->ops,
                                                    .self = at->block.self,
                                                    .spec = &at->spec,
                                                    .samples = &at->samples,
                                                    .batch = 1,
                                                    .warmup = WARMUP,
                                                    .loaders = 1,
                                                    .quantize = true,
                                                    .classify = true},
                                 &result);
  for (size_t i = 0; i < at->per_block && !status; i++) {
    const kn_inference_times *times = &result.times[WARMUP + i];
    out_ms[i] = (double)(times->run_end - times->run_start) / 1e6;
  }
  kn_loop_result_clear(&result);
  return status;
}

static kn_status run_quad(bench *at) {
  size_t quad = at->loop.quads;
  double *loop = at->loop.values + quad * at->loop.per_quad, *bare = at->bare.values + quad * at->bare.per_quad;
  KN_TRY(run_loop(at, loop));
  KN_TRY(run_bare(at, bare));
  KN_TRY(run_bare(at, bare + at->per_block));
  KN_TRY(run_loop(at, loop + at->per_block));
  at->loop.quads++;
  at->bare.quads++;
  return NULL;
}

/* So many inferences that a block takes BLOCK_MS. */
static kn_status choose_block(bench *at) {
  double times[MINIMUM_BLOCK], total = 0;
  at->per_block = MINIMUM_BLOCK;
  KN_TRY(run_bare(at, times));
  for (size_t i = 0; i < MINIMUM_BLOCK; i++) total += times[i];
  double count = BLOCK_MS / (total / MINIMUM_BLOCK);
  at->per_block = (size_t)fmin(fmax(count, MINIMUM_BLOCK), MAXIMUM_BLOCK);
  at->loop.per_quad = at->bare.per_quad = 2 * at->per_block;
  at->loop.values = kn_alloc_array(MAXIMUM_QUADS, at->loop.per_quad * sizeof(double));
  at->bare.values = kn_alloc_array(MAXIMUM_QUADS, at->bare.per_quad * sizeof(double));
  return at->loop.values && at->bare.values ? NULL : kn_status_out_of_memory();
}

static kn_status measure(bench *at, double seconds, bench_ratio *out_ratio) {
  int64_t end = kn_now_ns() + (int64_t)(seconds * 1e9);
  KN_TRY(make_samples(at));
  KN_TRY(check_varies(at));
  KN_TRY(choose_block(at));
  /* When to stop is decided by the width of the interval and not by where it lies. */
  while (at->loop.quads < MAXIMUM_QUADS) {
    KN_TRY(run_quad(at));
    bool late = kn_now_ns() >= end;
    if (!late && (at->loop.quads < MINIMUM_QUADS || at->loop.quads % 10)) continue;
    KN_TRY(bench_ratio_of(&at->loop, &at->bare, out_ratio));
    if (late || fmax(out_ratio->interval[1] - out_ratio->ratio, out_ratio->ratio - out_ratio->interval[0]) < narrow)
      return NULL;
  }
  return bench_ratio_of(&at->loop, &at->bare, out_ratio);
}

/* ---- the program ---- */

/* How many threads run is told by the runtime. */
static kn_status learn_threads(bench *at) {
  kn_record *record;
  KN_TRY(kn_record_create(&record));
  kn_status status = at->ops->statistics(at->runtime, record);
  at->threads = yyjson_mut_get_sint(yyjson_mut_obj_get(kn_record_value(record), "threads"));
  kn_record_destroy(record);
  return status;
}

static kn_status run(bench *at, const char *path, const char *threads, double seconds, bench_ratio *out_ratio) {
  const kn_class *cls = at->engine->runtime;
  const kn_runtime_ops *ops = cls->ops;
  const char *row = at->engine->threads_row ? at->engine->threads_row : "num_threads";
  size_t index;
  KN_TRY(kn_instance_create(cls, &at->block));
  const kn_option *option = kn_option_find(cls, row, &index);
  if (!option) return kn_status_make(KN_INTERNAL, "%s has no parameter %s", cls->name, row);
  KN_TRY(kn_instance_set_text(&at->block, option, index, threads, "THREADS"));
  at->ops = ops->inference;
  at->runtime = at->block.self;
  KN_TRY(ops->open(at->runtime));
  /* Where the model does not tell all of its shapes, what stands beside it does. */
  char *spec_path = kn_format("%s.json", path);
  if (!spec_path) return kn_status_out_of_memory();
  kn_iospec spec = {0};
  kn_status status = kn_file_exists(spec_path, NULL) ? kn_iospec_read(spec_path, &spec) : NULL;
  kn_free(spec_path);
  kn_load_request request = {.path = path, .batch = 1, .spec = spec.input.count ? &spec : NULL};
  if (!status) status = at->ops->load(at->runtime, &request);
  kn_iospec_clear(&spec);
  KN_TRY(status);
  KN_TRY(learn_threads(at));
  KN_TRY(at->ops->iospec(at->runtime, &at->spec));
  return measure(at, seconds, out_ratio);
}

static void clear(bench *at) {
  if (at->runtime) ((const kn_runtime_ops *)at->engine->runtime->ops)->close(at->runtime);
  kn_instance_destroy(&at->block);
  kn_iospec_clear(&at->spec);
  kn_tensor_free(&at->pool);
  kn_free(at->loop.values);
  kn_free(at->bare.values);
}

static bool report(const bench *at, const bench_ratio *ratio, double bound, bool real_time) {
  char what[160], measured[240], limit[64];
  snprintf(what, sizeof what, "%s: inference time, run loop / bare loop, %lld thread%s", at->engine->name,
           (long long)at->threads, at->threads == 1 ? "" : "s");
  snprintf(measured, sizeof measured, "%.4f [%.4f, %.4f] (%.3f / %.3f ms, %zu ABBA quads of 4 x %zu, of means %.4f%s)",
           ratio->ratio, ratio->interval[0], ratio->interval[1], ratio->first_median, ratio->second_median,
           at->loop.quads, at->per_block, ratio->mean_ratio, real_time ? ", real-time priority" : "");
  snprintf(limit, sizeof limit, "95%% interval up to %g", bound);
  bool plausible = ratio->interval[0] >= lowest_plausible;
  if (!plausible)
    fprintf(stderr, "bench-engine-%s: the run loop cannot be faster than the engine: the machine is too busy\n",
            at->engine->name);
  return figure_print(what, measured, limit, plausible && ratio->interval[1] <= bound);
}

static double number(const char *text) {
  char *end;
  double value = strtod(text, &end);
  return *text && !*end && value > 0 && value < 1e6 ? value : 0;
}

int bench_engine_main(const bench_engine *engine, int argc, char **argv) {
  double seconds = argc == 5 ? number(argv[3]) : 0, bound = argc == 5 ? number(argv[4]) : 0;
  if (seconds <= 0 || bound <= 0) {
    fprintf(stderr, "usage: bench-engine-%s MODEL THREADS SECONDS BOUND\n", engine->name);
    return 2;
  }
  /* Threads that are started from here on inherit it. */
  bool real_time = sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 1}) == 0;
  bench at = {.engine = engine};
  bench_ratio ratio;
  kn_status status = run(&at, argv[1], argv[2], seconds, &ratio);
  bool met = false;
  if (status)
    kn_log_status(status);
  else
    met = report(&at, &ratio, bound, real_time);
  kn_status_free(status);
  clear(&at);
  return met ? 0 : 1;
}
