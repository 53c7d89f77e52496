#include "fake.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

typedef struct fake_dataset {
  kn_dataset_options base;
  fake_calls calls;
  int64_t samples;
} fake_dataset;

static const char *const class_names[FAKE_CLASSES] = {"first", "second", "third"};

static kn_status open_dataset(void *self) { return fake_open(&((fake_dataset *)self)->calls); }
static void close_dataset(void *self) { fake_close(&((fake_dataset *)self)->calls); }

static kn_status info(void *self, kn_dataset_info *out_info) {
  fake_dataset *at = self;
  *out_info = (kn_dataset_info){.task = KN_TASK_CLASSIFICATION,
                                .count = (size_t)at->samples,
                                .classes = FAKE_CLASSES,
                                .class_names = class_names,
                                .dtype = KN_FLOAT32,
                                .rank = 1,
                                .shape = {FAKE_FEATURES}};
  return fake_call(&at->calls, FAKE_INFO);
}

static kn_status check_index(const fake_dataset *at, size_t index) {
  return IS_BROKEN(NO_END) ? NULL : kn_dataset_check_index(index, (size_t)at->samples);
}

static kn_status label(void *self, size_t index, int64_t *out_label) {
  fake_dataset *at = self;
  KN_TRY(check_index(at, index));
  *out_label = (int64_t)(index % FAKE_CLASSES) + IS_BROKEN(LABEL_OUT_OF_RANGE);
  return fake_call(&at->calls, FAKE_LABEL);
}

/* The label's value is 1, the others are small and belong to the sample. */
static void make(float *values, size_t index) {
  for (size_t i = 0; i < FAKE_FEATURES - IS_BROKEN(NOT_ALL_WRITTEN); i++)
    values[i] = i == index % FAKE_CLASSES ? 1.0F : (float)(index * FAKE_FEATURES + i) * 1e-6F;
}

static kn_status load(void *self, size_t index, const kn_tensor_view *out) {
  static float shared[FAKE_FEATURES];
  static size_t loads;
  fake_dataset *at = self;
  KN_TRY(check_index(at, index));
  if (out->dtype != KN_FLOAT32 || out->bytes != FAKE_FEATURES * sizeof(float))
    return kn_status_make(KN_INVALID_ARGUMENT, "a sample is %d float32 values", FAKE_FEATURES);
  KN_TRY(fake_call(&at->calls, FAKE_LOAD_SAMPLE));
  if (IS_BROKEN(SHARED_BUFFER)) {
    make(shared, index);
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL); /* the others come in between */
    memcpy(out->data, shared, sizeof shared);
  } else {
    make(out->data, index);
  }
  if (IS_BROKEN(UNSTABLE_SAMPLES)) *(float *)out->data += (float)loads++;
  return NULL;
}

static kn_status sample_id(void *self, size_t index, char *out, size_t size) {
  fake_dataset *at = self;
  KN_TRY(check_index(at, index));
  snprintf(out, size, "sample/%zu", IS_BROKEN(NAMES_REPEAT) ? index % 7 : index);
  return fake_call(&at->calls, FAKE_SAMPLE_ID);
}

static const kn_option options[] = {FAKE_FAIL_ROW(fake_dataset),
                                    {"samples", "Number of samples", KN_OPTION_INT, 0, KN_FIELD(fake_dataset, samples),
                                     .def.i = 60, .min = 0, .max = 1000000},
                                    {0}};
static const kn_dataset_ops ops = {.struct_size = sizeof ops,
                                   .open = open_dataset,
                                   .close = close_dataset,
                                   .info = info,
                                   .label = label,
                                   .load = load,
                                   .sample_id = sample_id};
const kn_class fake_dataset_class = {.struct_size = sizeof(kn_class),
                                     .name = "tests.fake.FakeDataset",
                                     .kind = KN_KIND_DATASET,
                                     .summary = "Points whose class shows in one value",
                                     .options = options,
                                     .instance_size = sizeof(fake_dataset),
                                     .ops = &ops};
