/* Random samples without meaning, for measuring speed and utilization alone. */
#include <math.h>
#include <stdio.h>

#include <kenning/block.h>
#include <kenning/random.h>

/* Dimensions of a sample; one more is left for the batch. */
enum { MAX_DIMENSIONS = KN_MAX_RANK - 1 };

typedef struct random_dataset {
  kn_dataset_options base;
  int64_t num_samples, num_classes, seed;
  kn_int_list input_dims, output_dims;
  uint32_t rank;
  int64_t shape[MAX_DIMENSIONS];
  size_t elements;
  char **class_names;
} random_dataset;

static const int64_t default_dims[] = {224, 224, 3};

static const int64_t *dims_of(const random_dataset *at, size_t *out_count) {
  *out_count = at->input_dims.count ? at->input_dims.count : sizeof default_dims / sizeof *default_dims;
  return at->input_dims.count ? at->input_dims.items : default_dims;
}

/* The range of each dimension is its row's. */
static kn_status dataset_check(const void *self) {
  size_t count, bytes;
  const int64_t *dims = dims_of(self, &count);
  if (count > MAX_DIMENSIONS)
    return kn_status_make(KN_INVALID_ARGUMENT, "input_dims has %zu dimensions, at most %d are possible", count,
                          MAX_DIMENSIONS);
  kn_status status = kn_tensor_bytes(KN_FLOAT32, (uint32_t)count, dims, &bytes);
  if (kn_status_code(status) != KN_INVALID_ARGUMENT) return status;
  kn_status_free(status);
  return kn_status_make(KN_INVALID_ARGUMENT, "a sample of these input_dims has more bytes than can be counted");
}

static kn_status set_shape(random_dataset *at) {
  size_t count, bytes;
  KN_TRY(dataset_check(at));
  const int64_t *dims = dims_of(at, &count);
  for (size_t i = 0; i < count; i++) at->shape[i] = dims[i];
  at->rank = (uint32_t)count;
  KN_TRY(kn_tensor_bytes(KN_FLOAT32, at->rank, at->shape, &bytes));
  at->elements = bytes / sizeof(float);
  return NULL;
}

static kn_status dataset_open(void *self) {
  random_dataset *at = self;
  KN_TRY(set_shape(at));
  at->class_names = kn_alloc_array((size_t)at->num_classes, sizeof *at->class_names);
  for (int64_t i = 0; at->class_names && i < at->num_classes; i++)
    if (!(at->class_names[i] = kn_format("%lld", (long long)i))) return kn_status_out_of_memory();
  return at->class_names ? NULL : kn_status_out_of_memory();
}

static void dataset_close(void *self) {
  random_dataset *at = self;
  for (int64_t i = 0; at->class_names && i < at->num_classes; i++) kn_free(at->class_names[i]);
  kn_free(at->class_names);
  at->class_names = NULL;
}

static kn_status dataset_info(void *self, kn_dataset_info *out_info) {
  const random_dataset *at = self;
  /* No task: an accuracy on noise would mean nothing, so none is measured. */
  *out_info = (kn_dataset_info){.task = KN_TASK_NONE,
                                .count = (size_t)at->num_samples,
                                .classes = at->num_classes,
                                .class_names = (const char *const *)at->class_names,
                                .dtype = KN_FLOAT32,
                                .rank = at->rank};
  for (uint32_t i = 0; i < at->rank; i++) out_info->shape[i] = at->shape[i];
  return NULL;
}

static kn_status dataset_label(void *self, size_t index, int64_t *out_label) {
  const random_dataset *at = self;
  KN_TRY(kn_dataset_check_index(index, (size_t)at->num_samples));
  *out_label = (int64_t)(index % (size_t)at->num_classes);
  return NULL;
}

/* Normal deviates, mean 0 and deviation 1: Box and Muller, "A Note on the Generation of Random Normal Deviates", 1958.
 * Every sample is a stream of its own. */
static kn_status dataset_load(void *self, size_t index, const kn_tensor_view *out) {
  const random_dataset *at = self;
  KN_TRY(kn_dataset_check_index(index, (size_t)at->num_samples));
  if (out->dtype != KN_FLOAT32 || out->bytes != at->elements * sizeof(float))
    return kn_status_make(KN_INVALID_ARGUMENT, "a sample is %zu float32 values", at->elements);
  uint64_t stream = kn_random((uint64_t)at->seed, index);
  float *values = out->data;
  for (size_t i = 0; i < at->elements; i += 2) {
    double radius = sqrt(-2.0 * log(kn_random_unit(stream, i)));
    double angle = 6.283185307179586 * kn_random_unit(stream, i + 1);
    values[i] = (float)(radius * cos(angle));
    if (i + 1 < at->elements) values[i + 1] = (float)(radius * sin(angle));
  }
  return NULL;
}

static kn_status dataset_sample_id(void *self, size_t index, char *out, size_t size) {
  const random_dataset *at = self;
  KN_TRY(kn_dataset_check_index(index, (size_t)at->num_samples));
  snprintf(out, size, "random/%06zu", index);
  return NULL;
}

#define ALIASES(...) ((const char *const[]){__VA_ARGS__, NULL})

static const kn_option options[] = {
    {"dataset_root", "Not used: the samples are made up", KN_OPTION_PATH, KN_OPTION_NULLABLE,
     KN_FIELD(random_dataset, base.dataset_root), .aliases = ALIASES("root")},
    {"num_samples", "Number of samples", KN_OPTION_INT, 0, KN_FIELD(random_dataset, num_samples), .def.i = 1000,
     .min = 1, .max = 1e7, .aliases = ALIASES("samplescount")},
    {"num_classes", "Number of classes", KN_OPTION_INT, 0, KN_FIELD(random_dataset, num_classes), .def.i = 3, .min = 1,
     .max = 1e6, .aliases = ALIASES("numclasses")},
    {"input_dims", "Dimensions of a sample, 224 224 3 when not given", KN_OPTION_INT_LIST, 0,
     KN_FIELD(random_dataset, input_dims), .min = 1, .max = 1e9, .aliases = ALIASES("inputdims")},
    {"output_dims", "Accepted and not used: no quality is measured", KN_OPTION_INT_LIST, 0,
     KN_FIELD(random_dataset, output_dims), .min = 1, .max = 1e9, .aliases = ALIASES("outputdims")},
    {"seed", "Seed of the samples", KN_OPTION_INT, 0, KN_FIELD(random_dataset, seed), .def.i = 1234, .min = 0,
     .max = 9007199254740991.0},
    {0}};

static const kn_dataset_ops ops = {.struct_size = sizeof(kn_dataset_ops),
                                   .open = dataset_open,
                                   .close = dataset_close,
                                   .info = dataset_info,
                                   .label = dataset_label,
                                   .load = dataset_load,
                                   .sample_id = dataset_sample_id};

extern const kn_class kn_randomized_classification_dataset_class;
const kn_class kn_randomized_classification_dataset_class = {
    .struct_size = sizeof(kn_class),
    .name = "kenning.datasets.random_dataset.RandomizedClassificationDataset",
    .kind = KN_KIND_DATASET,
    .summary = "Random samples: for speed and utilization only, no quality is measured",
    .options = options,
    .instance_size = sizeof(random_dataset),
    .ops = &ops,
    .check = dataset_check};
