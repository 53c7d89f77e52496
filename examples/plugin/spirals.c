/* Points in the plane on the arms of a spiral; which arm is the class. Computed, so there is nothing to download. */
#include <math.h>
#include <stdio.h>

#include <kenning/random.h>

#include "example.h"

typedef struct spirals {
  kn_dataset_options base; /* first: the rows of all data sets fill it */
  int64_t samples, arms, seed;
  double noise;
  char **names; /* of the classes */
} spirals;

static const kn_option options[] = {
    /* Replaces the inherited row, which demands a directory. */
    {"dataset_root", "Not used: the points are computed", KN_OPTION_PATH, KN_OPTION_NULLABLE,
     KN_FIELD(spirals, base.dataset_root)},
    {"samples", "Number of points", KN_OPTION_INT, 0, KN_FIELD(spirals, samples), .def.i = 1500, .min = 1, .max = 1e9},
    {"arms", "Number of arms, which are the classes", KN_OPTION_INT, 0, KN_FIELD(spirals, arms), .def.i = 3, .min = 2,
     .max = 100},
    {"noise", "Standard deviation of the points around their arm; the spiral has radius 1", KN_OPTION_FLOAT, 0,
     KN_FIELD(spirals, noise), .def.f = 0.1, .min = 0, .max = 10},
    {"seed", "Seed of the points", KN_OPTION_INT, 0, KN_FIELD(spirals, seed), .def.i = 1234, .min = 0,
     .max = 9007199254740991.0},
    {0}};

static kn_status open_spirals(void *self) {
  spirals *at = self;
  at->names = kn_alloc_array((size_t)at->arms, sizeof *at->names);
  for (int64_t i = 0; at->names && i < at->arms; i++)
    if (!(at->names[i] = kn_format("arm %lld", (long long)i))) return kn_status_out_of_memory();
  return at->names ? NULL : kn_status_out_of_memory();
}

static void close_spirals(void *self) {
  spirals *at = self;
  for (int64_t i = 0; at->names && i < at->arms; i++) kn_free(at->names[i]);
  kn_free(at->names);
  at->names = NULL; /* closing twice is allowed */
}

static kn_status info(void *self, kn_dataset_info *out_info) {
  const spirals *at = self;
  *out_info = (kn_dataset_info){.task = KN_TASK_CLASSIFICATION,
                                .count = (size_t)at->samples,
                                .classes = at->arms,
                                .class_names = (const char *const *)at->names,
                                .dtype = KN_FLOAT32,
                                .rank = 1,
                                .shape = {2}};
  return NULL;
}

static kn_status label(void *self, size_t index, int64_t *out_label) {
  const spirals *at = self;
  KN_TRY(kn_dataset_check_index(index, (size_t)at->samples));
  *out_label = (int64_t)(index % (size_t)at->arms);
  return NULL;
}

/* Every point has a stream of random numbers of its own: it does not matter which thread asks for it, or when. The
 * deviates are normal: Box and Muller, "A Note on the Generation of Random Normal Deviates", 1958. */
static kn_status load(void *self, size_t index, const kn_tensor_view *out) {
  const double pi = 3.141592653589793;
  const spirals *at = self;
  int64_t arm;
  KN_TRY(label(self, index, &arm));
  if (out->dtype != KN_FLOAT32 || out->bytes != 2 * sizeof(float))
    return kn_status_make(KN_INVALID_ARGUMENT, "a point is 2 float32 values");
  uint64_t stream = kn_random((uint64_t)at->seed, index);
  double along = kn_random_unit(stream, 0); /* 0: where the arm starts, 1: its tip */
  double radius = 0.1 + 0.9 * along, angle = 2 * pi * ((double)arm / (double)at->arms + 0.75 * along);
  double offset = at->noise * sqrt(-2 * log(kn_random_unit(stream, 1))), towards = 2 * pi * kn_random_unit(stream, 2);
  float *point = out->data;
  point[0] = (float)(radius * cos(angle) + offset * cos(towards));
  point[1] = (float)(radius * sin(angle) + offset * sin(towards));
  return NULL;
}

static kn_status sample_id(void *self, size_t index, char *out, size_t size) {
  const spirals *at = self;
  KN_TRY(kn_dataset_check_index(index, (size_t)at->samples));
  snprintf(out, size, "point/%zu", index);
  return NULL;
}

static const kn_dataset_ops ops = {.struct_size = sizeof ops,
                                   .open = open_spirals,
                                   .close = close_spirals,
                                   .info = info,
                                   .label = label,
                                   .load = load,
                                   .sample_id = sample_id};

const kn_class spirals_dataset_class = {.struct_size = sizeof(kn_class),
                                        .name = "example.datasets.spirals.SpiralsDataset",
                                        .kind = KN_KIND_DATASET,
                                        .summary = "Points on the arms of a spiral, one class per arm",
                                        .options = options,
                                        .instance_size = sizeof(spirals),
                                        .ops = &ops};
