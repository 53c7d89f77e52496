/* A data set opened with options given as text. */
#ifndef TESTS_DATASETS_OPENED_H
#define TESTS_DATASETS_OPENED_H

#include "support/instance.h"

typedef struct opened {
  kn_instance instance;
  const kn_dataset_ops *ops;
  void *self;
  kn_dataset_info info; /* of an open one */
} opened;

/* `options`: name, value, name, value, ..., NULL. The status is that of `open`; a fault of an option fails the test.
 * opened_close follows in any case. */
kn_status opened_open(const kn_class *cls, const char *const *options, opened *out);
#define OPEN(cls, out, ...) opened_open(cls, (const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL}, out)
void opened_close(opened *at);
/* Opens it again and again, and loads a sample into `sample` unless that is NULL, with one more allocation each time;
 * it is open when all of them are had. */
void opened_exhaust(const opened *at, const kn_tensor_view *sample);

/* A tensor for one sample. Free with kn_tensor_free. */
kn_tensor_view opened_tensor(const opened *at);
/* Loads a sample; fails the test when that fails. Free with kn_tensor_free. */
kn_tensor_view opened_load(const opened *at, size_t index);
int64_t opened_label(const opened *at, size_t index);

/* Fails unless one fault of `status` has the code (that of the status) and says `part` in message or place; frees it.
 */
void assert_fault(kn_status status, kn_code code, const char *part);

#endif
