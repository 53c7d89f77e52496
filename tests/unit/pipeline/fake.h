/* A data set of four values per sample and a model that gives them back, both failing on demand. */
#ifndef TESTS_UNIT_PIPELINE_FAKE_H
#define TESTS_UNIT_PIPELINE_FAKE_H

#include "core/instance.h"

enum { FAKE_VALUES = 4 }; /* per sample; also the number of classes */

/* Sample i has label i % 4. Its largest value stands at (i % 10 == 9) ? (label + 1) % 4 : label, so a model that gives
 * the values back has one sample in ten wrong. Value 3 - largest holds i, negative. */
void fake_sample(size_t index, float out[FAKE_VALUES]);
int64_t fake_label(size_t index);
int64_t fake_prediction(size_t index);

typedef struct fake_dataset {
  kn_dataset_options base;
  size_t count;    /* 0: 100 */
  size_t fail_at;  /* load of this sample fails with KN_BAD_DATA; 0: none */
  bool published;  /* the last 20 samples are TEST */
  bool unlabelled; /* no task */
  bool open;
  _Atomic size_t loads;
  kn_code open_fault; /* open fails */
  size_t published_from;
} fake_dataset;
extern const kn_class fake_dataset_class;

typedef struct fake_wrapper {
  kn_modelwrapper_options base;
  bool open;
  int64_t classes;
  bool loaded;
  const char *format;  /* NULL: "fake" */
  uint64_t trained_on; /* samples that train got */
  float first;         /* first value of the first training sample */
  kn_code train_fault;
} fake_wrapper;
extern const kn_class fake_wrapper_class;

typedef struct fake_runtime {
  kn_runtime_options base;
  char *save_model_path;
  bool open, loaded;
  char *loaded_path; /* of the last load; freed with the class's reset */
  char *loaded_spec; /* name of the first input of the specification, or NULL */
  kn_tensor_view held;
  int64_t batch;
  size_t invocations;
  size_t fail_at; /* this invocation, from 1, fails with fail_code */
  kn_code fail_code;
  size_t cancel_at;     /* kn_cancel at this invocation, from 1 */
  const char *replaces; /* this file by one of "other" at the second invocation */
  const char *writes;   /* "other" into this file, likewise */
  bool spoil;           /* gives NaN for every fifth invocation */
  bool copies_differ;   /* set when padding rows were not copies of the row before */
  size_t padded_from;   /* row of the last batch from which on rows are copies; for copies_differ */
} fake_runtime;
extern const kn_class fake_runtime_class;
void fake_runtime_forget(fake_runtime *runtime);

/* Appends a byte to the model file and names itself in the io specification. */
typedef struct fake_optimizer {
  kn_optimizer_options base;
  const char *mark;
  bool open;
  kn_code fault;
  size_t calibration, train, validation; /* samples that it got */
  char identity[65];
  char input_name[64]; /* first input of the specification that it got */
} fake_optimizer;
extern const kn_class fake_optimizer_class;

#endif
