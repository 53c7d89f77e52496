/* A runtime with its real engine, for tests of what is particular to it beyond the contract of runtimes. Without the
 * engine a test is skipped, which shows. */
#ifndef TESTS_SUPPORT_RUNTIME_H
#define TESTS_SUPPORT_RUNTIME_H

#include <kenning/services.h>

#include "support/instance.h"

/* Whether the library of the framework is there. */
static inline bool kt_has_library(const char *framework) {
  char *path = NULL;
  kn_status status = kn_framework_file(framework, "library", NULL, &path);
  bool found = !status;
  kn_free(path);
  kn_status_free(status);
  return found;
}

static inline void kt_need_library(const char *framework) {
  if (!kt_has_library(framework)) kt_skip("kenning install %s", framework);
}

/* What main returns: of `failed` tests, or that all were skipped. */
static inline int kt_library_result(const char *framework, int failed) {
  return failed ? failed : kt_has_library(framework) ? 0 : 77;
}

typedef struct kt_runtime {
  kn_instance instance;
  const kn_inference_ops *ops;
  void *self;
} kt_runtime;

/* One option may be set: `name` to `value`, or NULL. */
static inline kt_runtime kt_runtime_open(const kn_class *cls, const char *name, const char *value) {
  kt_runtime runtime = {0};
  const kn_runtime_ops *ops = cls->ops;
  kt_need_library(cls->framework);
  runtime.instance = kt_instance_make(cls, KT_SETTINGS(name, value));
  runtime.self = runtime.instance.self;
  runtime.ops = ops->inference;
  kt_assert_ok(ops->open(runtime.self));
  return runtime;
}

static inline void kt_runtime_close(kt_runtime *runtime) {
  ((const kn_runtime_ops *)runtime->instance.cls->ops)->close(runtime->self);
  kn_instance_destroy(&runtime->instance);
}

static inline kn_status kt_runtime_load(const kt_runtime *runtime, const char *path, int64_t batch,
                                        const kn_iospec *spec) {
  return runtime->ops->load(runtime->self, &(kn_load_request){.path = path, .batch = batch, .spec = spec});
}

static inline kn_tensor_view kt_floats(float *data, size_t count) {
  return (kn_tensor_view){
      .data = data, .bytes = count * sizeof *data, .dtype = KN_FLOAT32, .rank = 1, .shape = {(int64_t)count}};
}

/* A float32 tensor at the end of the list. */
static inline void kt_iolist_add(kn_iolist *list, const char *name, uint32_t rank, const int64_t *shape) {
  kn_ioentry entry = {.name = (char *)(uintptr_t)name, .dtype = KN_FLOAT32, .rank = rank, .order = -1};
  memcpy(entry.shape, shape, rank * sizeof *shape);
  kt_assert_ok(kn_iolist_add(list, &entry));
}

#endif
