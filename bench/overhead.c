/* What the run loop costs per inference: the null runtime over samples of 28 x 28 values, ten classes.
 *
 *   bench-overhead [SAMPLES]
 *
 * The cost of inference i is the time from its begin to the begin of the next one, without the time in `invoke`:
 * copying in and out, four looks at the clock, the ring, progress, cancelling. It is taken twice. With the null
 * runtime's own `invoke`, which returns at once, one loader thread cannot keep up: the loop sleeps and is woken for
 * samples, and that wait is left out. With one that is busy for 20 us, as real engines are, the ring is full unless the
 * loop itself keeps loaders from filling it: there waiting counts. Exit 1 when a median is 1 us or more, or a 99th
 * percentile 2 us or more. */
#include "core/instance.h"
#include "core/log.h"
#include "measurements/statistics.h"
#include "pipeline/loop.h"

#include "figure.h"

#include <kenning/services.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALUES = 28 * 28, CLASSES = 10, WARMUP = 100, BUSY_NS = 20000 };

extern const kn_class kn_null_runtime_class;

static kn_status load_sample(void *context, size_t index, const kn_tensor_view *out) {
  (void)context;
  memset(out->data, 0, out->bytes);
  ((float *)out->data)[index % CLASSES] = 1;
  return NULL;
}

static kn_status label_of(void *context, size_t index, int64_t *out_label) {
  (void)context;
  *out_label = (int64_t)(index % CLASSES);
  return NULL;
}

static kn_status invoke_busy(void *self) {
  (void)self;
  int64_t until = kn_now_ns() + BUSY_NS;
  while (kn_now_ns() < until) continue;
  return NULL;
}

static kn_status report(const char *name, const kn_loop_result *result, bool busy, bool *out_within) {
  size_t count = result->inferences - WARMUP - 1;
  double *costs = kn_alloc_array(count, sizeof *costs);
  if (!costs) return kn_status_out_of_memory();
  for (size_t i = 0; i < count; i++) {
    const kn_inference_times *t = &result->times[WARMUP + i];
    costs[i] = (double)(t[1].input_start - t[0].input_start - (t[0].run_end - t[0].run_start));
    if (!busy) costs[i] -= (double)t[1].wait_ns;
  }
  kn_statistics statistics;
  kn_status status = kn_statistics_of(costs, count, 1, &statistics);
  kn_free(costs);
  if (status) return status;
  char what[128], measured[128];
  snprintf(what, sizeof what, "run loop per inference, %s: median", name);
  snprintf(measured, sizeof measured, "%.0f ns (%zu inferences, fastest %.0f)", statistics.median, count,
           statistics.min);
  *out_within = figure_print(what, measured, "under 1 us", statistics.median < 1000);
  snprintf(what, sizeof what, "run loop per inference, %s: p99", name);
  snprintf(measured, sizeof measured, "%.0f ns", statistics.p99);
  *out_within &= figure_print(what, measured, "under 2 us", statistics.p99 < 2000);
  return NULL;
}

static kn_status measure(const char *name, size_t count, bool busy, bool *out_within) {
  kn_inference_ops ops = *((const kn_runtime_ops *)kn_null_runtime_class.ops)->inference;
  if (busy) ops.invoke = invoke_busy;
  kn_samples samples = {.count = count,
                        .classes = CLASSES,
                        .dtype = KN_FLOAT32,
                        .rank = 3,
                        .shape = {28, 28, 1},
                        .identity = "",
                        .load = load_sample,
                        .label = label_of};
  kn_ioentry input = {.name = (char *)(uintptr_t) "in", .dtype = KN_FLOAT32, .rank = 4, .shape = {1, 28, 28, 1}};
  kn_ioentry output = {.name = (char *)(uintptr_t) "out", .dtype = KN_FLOAT32, .rank = 2, .shape = {1, CLASSES}};
  kn_iospec made = {0}, spec = {0};
  kn_instance runtime = {0};
  kn_loop_result result = {0};
  kn_status status = kn_instance_create(&kn_null_runtime_class, &runtime);
  if (!status) status = kn_iolist_add(&made.input, &input);
  if (!status) status = kn_iolist_add(&made.output, &output);
  if (!status) status = ops.load(runtime.self, &(kn_load_request){.path = "", .spec = &made, .batch = 1});
  if (!status) status = ops.iospec(runtime.self, &spec);
  if (!status)
    status = kn_loop_run(&(kn_loop_request){.inference = &ops,
                                            .self = runtime.self,
                                            .spec = &spec,
                                            .samples = &samples,
                                            .batch = 1,
                                            .warmup = WARMUP,
                                            .loaders = 1,
                                            .classify = true},
                         &result);
  if (!status) status = report(name, &result, busy, out_within);
  kn_loop_result_clear(&result);
  if (runtime.self) ops.unload(runtime.self);
  kn_instance_destroy(&runtime);
  kn_iospec_clear(&made);
  kn_iospec_clear(&spec);
  return status;
}

int main(int argc, char **argv) {
  char *end = NULL;
  unsigned long count = argc > 1 ? strtoul(argv[1], &end, 10) : 100000;
  if ((end && *end) || count < 100 || count > 100000000) {
    fprintf(stderr, "usage: bench-overhead [SAMPLES], from 100 to 100000000\n");
    return 2;
  }
  bool first = false, second = false;
  kn_status status = measure("null runtime", count, false, &first);
  if (!status) status = measure("engine busy for 20 us", count, true, &second);
  if (status) {
    kn_log_status(status);
    kn_status_free(status);
    return 1;
  }
  return first && second ? 0 : 1;
}
