/* How two sides compare that were measured in ABBA blocks. */
#ifndef KENNING_BENCH_RATIO_H
#define KENNING_BENCH_RATIO_H

#include <kenning/status.h>

/* The values of one side, those of the same ABBA quad side by side. */
typedef struct bench_side {
  double *values; /* quads * per_quad */
  size_t quads, per_quad;
} bench_side;

typedef struct bench_ratio {
  double first_median, second_median; /* of the quads' medians */
  double ratio;                       /* median over the quads of first / second, each of the quad's medians */
  double mean_ratio;                  /* of the arithmetic means; for show, it follows whatever disturbs a few values */
  double interval[2];                 /* 95%, percentiles of 10,000 bootstrap resamples of whole quads */
} bench_ratio;

/* The sides are compared within each quad, which has both in the same state of the machine; a clock that drifts or
 * other work that comes and goes then counts on both. Quads are resampled and not values: values of one block are not
 * independent of each other (Davison and Hinkley, "Bootstrap methods and their application", 1997, section 3.8).
 * Both sides have the same quads. */
kn_status bench_ratio_of(const bench_side *first, const bench_side *second, bench_ratio *out_ratio) KN_MUST_USE;

#endif
