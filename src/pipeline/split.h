/* Which sample is for training, validation, calibration and testing: disjoint, stratified by class, and a function of
 * the seed and the labels alone. */
#ifndef KENNING_PIPELINE_SPLIT_H
#define KENNING_PIPELINE_SPLIT_H

#include <kenning/block.h>

typedef struct kn_split_request {
  size_t count;                /* samples */
  int64_t classes;             /* labels are 0 .. classes-1; 0: no labels, nothing to stratify by */
  const int64_t *labels;       /* NULL when classes is 0 */
  const uint8_t *published;    /* kn_split per sample: TRAIN, VALIDATION, CALIBRATION, TEST or NONE; NULL: all NONE */
  double fraction_test;        /* of all samples; used where no sample is published as TEST */
  double fraction_validation;  /* of the samples not for testing; likewise */
  double fraction_calibration; /* of the samples not for testing; likewise */
  uint64_t seed;
} kn_split_request;

typedef struct kn_split_plan {
  size_t count;
  uint8_t *assignment;         /* kn_split per sample */
  size_t counts[KN_SPLIT_ALL]; /* samples of each kn_split */
} kn_split_plan;

/* A published TEST, VALIDATION or CALIBRATION split is kept as it is; the others are drawn from the samples published
 * as TRAIN or not at all. Every class gives floor or ceil of its share, and the splits have round(fraction * samples)
 * samples all together. */
kn_status kn_split_draw(const kn_split_request *request, kn_split_plan *out_plan) KN_MUST_USE;
void kn_split_clear(kn_split_plan *plan);

/* Indexes of the samples of one split (KN_SPLIT_ALL: of all), ascending, or in an order drawn with `seed` when
 * `shuffled`, so that any number of leading ones is a random choice. Free with kn_free. */
kn_status kn_split_indexes(const kn_split_plan *plan, kn_split split, bool shuffled, uint64_t seed,
                           size_t **out_indexes, size_t *out_count) KN_MUST_USE;
/* "train", "validation", "calibration", "test", "all". */
const char *kn_split_name(kn_split split);

#endif
