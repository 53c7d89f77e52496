/* The run loop against a bare loop over the same engine with the same model.
 *
 *   bench-engine-NAME MODEL THREADS SECONDS BOUND
 *
 * A: the run loop as a scenario runs it (loader thread, ring, evaluation), through the inference functions of the
 * runtime; its times are those that become target_inference_step. B: the engine's own function for one inference and
 * two looks at the clock, nothing else. Both in this process, one after the other, in quads A B B A, so that what
 * changes slowly (clock frequency, other load) meets both alike. Samples are copied from a few that are ready in
 * memory: what decoding them costs is no property of the loop.
 *
 * It runs at real-time priority where that is permitted, else other programs decide the figure on a busy machine: a
 * loop that sometimes waits is put to sleep at other moments than one that never does. It measures until the 95%
 * interval of the ratio of medians is narrow, at most SECONDS. Exit 1 when its upper end is above BOUND, and when its
 * lower end is below 1/1.05: work that is added makes nothing faster, so something else was measured.
 *
 * A back-end adds itself by one file (engine_tflite.c) and one line in CMakeLists.txt. */
#ifndef KENNING_BENCH_ENGINE_H
#define KENNING_BENCH_ENGINE_H

#include <kenning/block.h>

typedef struct bench_engine {
  const char *name; /* "tflite" */
  const kn_class *runtime;
  const char *threads_row;      /* the runtime's row for THREADS; NULL: "num_threads" */
  int (*invoke)(void *runtime); /* one inference on the runtime's instance by the engine alone; 0: done */
} bench_engine;

int bench_engine_main(const bench_engine *engine, int argc, char **argv);

#endif
