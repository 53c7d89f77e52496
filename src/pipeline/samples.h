/* Samples of a data set in a chosen order, as blocks and the run loop see them. */
#ifndef KENNING_PIPELINE_SAMPLES_H
#define KENNING_PIPELINE_SAMPLES_H

#include "core/instance.h"
#include "pipeline/split.h"

typedef struct kn_sample_list {
  kn_samples samples; /* what is handed out; points back to this struct, which must not move */
  const kn_instance *dataset;
  size_t *indexes; /* in the data set; NULL when `files` are the samples */
  char **files;
  char *identity;
} kn_sample_list;

/* Samples of one split of an open data set. Calibration and training samples come in an order drawn with `seed`. */
kn_status kn_sample_list_of_split(const kn_instance *dataset, const kn_dataset_info *info, const kn_split_plan *plan,
                                  kn_split split, uint64_t seed, kn_sample_list *out_list) KN_MUST_USE;
/* The files below a directory, preprocessed by the data set, in an order drawn with `seed`. They have no labels. */
kn_status kn_sample_list_of_directory(const kn_instance *dataset, const kn_dataset_info *info, const char *directory,
                                      uint64_t seed, kn_sample_list *out_list) KN_MUST_USE;
/* A zeroed list is allowed. */
void kn_sample_list_clear(kn_sample_list *list);

/* Makes samples.identity: a hash over the data set's class and options, the names of all samples in their order, and
 * the preprocessed values of some. */
kn_status kn_sample_list_identify(kn_sample_list *list) KN_MUST_USE;
/* A hash over the data set's class and the names of all samples in their order, however they are preprocessed. */
kn_status kn_sample_list_names_hash(kn_sample_list *list, char out_sha256[65]) KN_MUST_USE;
/* Name of a sample; `context` is that of `samples`. */
kn_status kn_sample_list_name(void *context, size_t index, char *out, size_t size) KN_MUST_USE;

#endif
