/* How a benchmark prints what it found: one line per figure, its fields divided by tabs. scripts/bench lays them out
 * and counts; bench/figures.py writes the same lines. */
#ifndef KENNING_BENCH_FIGURE_H
#define KENNING_BENCH_FIGURE_H

#include <stdbool.h>
#include <stdio.h>

/* `measured` and `bound` are texts with their units; an empty bound: the figure is only shown. Returns `met`. */
static inline bool figure_print(const char *what, const char *measured, const char *bound, bool met) {
  printf("%s\t%s\t%s\t%s\n", what, measured, bound, !*bound ? "" : met ? "met" : "NOT MET");
  fflush(stdout);
  return met;
}

#endif
