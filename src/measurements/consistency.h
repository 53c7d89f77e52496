/* Whether what a measurement file says of the quality of predictions can be true. */
#ifndef KENNING_MEASUREMENTS_CONSISTENCY_H
#define KENNING_MEASUREMENTS_CONSISTENCY_H

#include "measurements/results.h"

/* Counts are whole, predictions and targets are classes, and confusion matrix, predictions, outputs and counts are of
 * the same samples: KN_BAD_DATA with the place of every fault (of many alike the first ones and their number). */
kn_status kn_results_check(const kn_results *results) KN_MUST_USE;

#endif
