/* How far a model's outputs are from those of a reference. Pure functions: nothing is read, written or allocated. */
#ifndef KENNING_METRICS_OUTPUTS_H
#define KENNING_METRICS_OUTPUTS_H

#include <stdbool.h>
#include <stddef.h>

/* A reference whose outputs vary less from sample to sample, relative to the largest of them, says nothing about a
 * difference: any model that ignores its input would do as well. */
#define KN_OUTPUTS_VARIATION 1e-3

/* True when an output of `rows` samples of `columns` values differs between two samples by more than
 * KN_OUTPUTS_VARIATION times the largest magnitude. False when a value is not finite. */
bool kn_outputs_vary(const double *values, size_t rows, size_t columns);

/* max |other - reference| / max |reference| over `count` values. NaN when the reference is all zeros or empty; infinite
 * when the reference is finite and the other has a value that is not. */
double kn_outputs_difference(const double *reference, const double *other, size_t count);

#endif
