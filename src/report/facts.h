/* The figures that a report shows of one run: one table says what they are called and how they are written, so that
 * every writer shows the same. */
#ifndef KENNING_REPORT_FACTS_H
#define KENNING_REPORT_FACTS_H

#include "report/number.h"

#include <stdbool.h>

typedef enum kn_fact_section {
  KN_FACTS_TIME = 1, /* inference time */
  KN_FACTS_CPU,
  KN_FACTS_MEMORY,
  KN_FACTS_QUALITY,
  KN_FACTS_SIZE,
  KN_FACTS_COMPARISON, /* with the first run */
  KN_FACTS_PAIRED      /* with the first run, sample by sample */
} kn_fact_section;

/* X(name, section, kind, key, label). Keys are stable: they are attributes in the HTML page. */
#define KN_FACTS(X)                                                                                   \
  X(FIRST, TIME, SECONDS, "time.first", "First inference, with allocations")                          \
  X(MEASURED, TIME, COUNT, "time.count", "Inferences measured")                                       \
  X(WARMUP, TIME, COUNT, "time.warmup", "Warm-up inferences left out")                                \
  X(MEAN, TIME, SECONDS, "time.mean", "Mean")                                                         \
  X(STD, TIME, SECONDS, "time.std", "Standard deviation")                                             \
  X(MEDIAN, TIME, SECONDS, "time.median", "Median")                                                   \
  X(MINIMUM, TIME, SECONDS, "time.min", "Fastest")                                                    \
  X(P90, TIME, SECONDS, "time.p90", "90th percentile")                                                \
  X(P95, TIME, SECONDS, "time.p95", "95th percentile")                                                \
  X(P99, TIME, SECONDS, "time.p99", "99th percentile")                                                \
  X(MAXIMUM, TIME, SECONDS, "time.max", "Slowest")                                                    \
  X(THROUGHPUT, TIME, RATE, "time.throughput", "Samples per second of inference")                     \
  X(LOADING, TIME, SECONDS, "time.loading", "Loading the model")                                      \
  X(END_TO_END, TIME, SECONDS, "time.end_to_end", "Mean with the way to the target and back")         \
  X(WIRE, TIME, SECONDS, "time.wire", "Of that, on the wire")                                         \
  X(WIRE_SHARE, TIME, PERCENT, "time.wire_share", "Share of the wire")                                \
  X(PROCESS_CPU, CPU, PERCENT, "cpu.process", "This process, mean (100 % is one core)")               \
  X(CPU_MEAN, CPU, PERCENT, "cpu.mean", "Machine, mean")                                              \
  X(CPU_STD, CPU, PERCENT, "cpu.std", "Machine, standard deviation")                                  \
  X(CPU_MEDIAN, CPU, PERCENT, "cpu.median", "Machine, median")                                        \
  X(TEMPERATURE, CPU, CELSIUS, "cpu.temperature", "Hottest sensor, mean")                             \
  X(TEMPERATURE_MAX, CPU, CELSIUS, "cpu.temperature_max", "Hottest sensor, highest")                  \
  X(FREQUENCY, CPU, HERTZ, "cpu.frequency", "Clock of the cores, mean")                               \
  X(FREQUENCY_MIN, CPU, HERTZ, "cpu.frequency_min", "Clock of the cores, lowest")                     \
  X(PROCESS_PEAK, MEMORY, BYTES, "memory.peak", "This process, peak")                                 \
  X(PROCESS_MEMORY, MEMORY, BYTES, "memory.process", "This process, mean")                            \
  X(MEMORY_MEAN, MEMORY, PERCENT, "memory.mean", "Machine, mean")                                     \
  X(MEMORY_STD, MEMORY, PERCENT, "memory.std", "Machine, standard deviation")                         \
  X(MEMORY_MEDIAN, MEMORY, PERCENT, "memory.median", "Machine, median")                               \
  X(SAMPLES, QUALITY, COUNT, "quality.samples", "Samples")                                            \
  X(ACCURACY, QUALITY, FRACTION, "quality.accuracy", "Accuracy")                                      \
  X(TOP_5, QUALITY, FRACTION, "quality.top5", "Top-5 accuracy")                                       \
  X(PRECISION, QUALITY, FRACTION, "quality.precision", "Mean precision")                              \
  X(SENSITIVITY, QUALITY, FRACTION, "quality.sensitivity", "Mean sensitivity")                        \
  X(G_MEAN, QUALITY, FRACTION, "quality.gmean", "G-mean")                                             \
  X(F1, QUALITY, FRACTION, "quality.f1", "Mean F1")                                                   \
  X(FILE_BYTES, SIZE, BYTES, "size.file", "Model file")                                               \
  X(WEIGHTS_BYTES, SIZE, BYTES, "size.weights", "Weights alone")                                      \
  X(OTHER_BYTES, SIZE, BYTES, "size.other", "Else in the file")                                       \
  X(SPEED_BOOST, COMPARISON, RATIO, "comparison.speed", "Speed boost")                                \
  X(SIZE_REDUCTION, COMPARISON, RATIO, "comparison.size", "Size reduction")                           \
  X(ACCURACY_CHANGE, PAIRED, CHANGE, "comparison.accuracy", "Accuracy change")                        \
  X(AGREEMENT, PAIRED, FRACTION, "paired.agreement", "Same prediction")                               \
  X(OUTPUT_DIFFERENCE, PAIRED, DIFFERENCE, "paired.outputs", "Largest output difference")             \
  X(OUTPUTS_COMPARED, PAIRED, COUNT, "paired.outputs_compared", "Samples whose outputs are compared") \
  X(ONLY_REFERENCE, PAIRED, COUNT, "paired.only_reference", "Right in the reference only")            \
  X(ONLY_THIS, PAIRED, COUNT, "paired.only_this", "Right in this run only")                           \
  X(P_VALUE, PAIRED, P_VALUE, "paired.p", "McNemar mid-p")

typedef enum kn_fact {
#define KN_FACT_ENTRY(name, section, kind, key, label) KN_FACT_##name,
  KN_FACTS(KN_FACT_ENTRY)
#undef KN_FACT_ENTRY
      KN_FACT_COUNT
} kn_fact;

typedef struct kn_fact_row {
  kn_fact_section section;
  kn_number_kind kind;
  const char *key;
  const char *label;
} kn_fact_row;

extern const kn_fact_row kn_fact_rows[KN_FACT_COUNT];

/* A figure with its 95% interval; NaN where there is none. */
typedef struct kn_value {
  double value, low, high;
} kn_value;

enum { KN_VALUE_SIZE = 160 };

/* The label of a fact that stands in no section, and so says what it belongs to. */
const char *kn_fact_title(kn_fact fact);
/* What several runs are compared by in one table, in its order. */
enum { KN_SIDE_BY_SIDE = 7 };
extern const kn_fact kn_side_by_side[KN_SIDE_BY_SIDE];

bool kn_value_known(kn_value value);
/* True when the value has an interval. */
bool kn_value_bounded(kn_value value);
/* "0.9284"; the interval is kn_value_interval's "0.9075 – 0.9449". */
const char *kn_value_text(kn_fact fact, kn_value value, char out[KN_NUMBER_SIZE]);
const char *kn_value_interval(kn_fact fact, kn_value value, char out[KN_NUMBER_SIZE]);
/* Both: "0.9284 (95% interval 0.9075 – 0.9449)", or the value alone. */
const char *kn_value_sentence(kn_fact fact, kn_value value, char out[KN_VALUE_SIZE]);

#endif
