#include "unit/datasets/opened.h"

#include <string.h>

#include "core/memory.h"

kn_status opened_open(const kn_class *cls, const char *const *options, opened *out) {
  *out = (opened){.ops = cls->ops};
  out->instance = kt_instance_make(cls, options);
  out->self = out->instance.self;
  kn_status status = out->ops->open(out->self);
  if (!status) assert_null(out->ops->info(out->self, &out->info));
  return status;
}

void opened_exhaust(const opened *at, const kn_tensor_view *sample) {
  for (uint64_t allowed = 0;; allowed++) {
    at->ops->close(at->self);
    kn_memory_fail_after(allowed);
    kn_status status = at->ops->open(at->self);
    if (!status && sample) status = at->ops->load(at->self, 1, sample);
    kn_memory_fail_after(UINT64_MAX);
    if (!status) {
      assert_true(allowed > 10);
      return;
    }
    assert_int_equal(kn_status_code(status), KN_OUT_OF_MEMORY);
    kn_status_free(status);
  }
}

void opened_close(opened *at) {
  at->ops->close(at->self);
  kn_instance_destroy(&at->instance);
}

kn_tensor_view opened_tensor(const opened *at) {
  kn_tensor_view tensor;
  assert_null(kn_tensor_create(at->info.dtype, at->info.rank, at->info.shape, &tensor));
  return tensor;
}

kn_tensor_view opened_load(const opened *at, size_t index) {
  kn_tensor_view tensor = opened_tensor(at);
  assert_null(at->ops->load(at->self, index, &tensor));
  return tensor;
}

int64_t opened_label(const opened *at, size_t index) {
  int64_t label = -1;
  assert_null(at->ops->label(at->self, index, &label));
  return label;
}

void assert_fault(kn_status status, kn_code code, const char *part) {
  assert_int_equal(kn_status_code(status), code);
  bool found = false;
  for (size_t i = 0; i < kn_status_count(status); i++) {
    const char *where = kn_status_where(status, i);
    found |= strstr(kn_status_message(status, i), part) || (where && strstr(where, part));
  }
  if (!found) fail_msg("\"%s\" is not in \"%s\"", part, kn_status_message(status, 0));
  kn_status_free(status);
}
