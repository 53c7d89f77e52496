#include "unit/datasets/opened.h"

#include <string.h>

#include "support/unit.h"

kn_status opened_open(const kn_class *cls, const char *const *options, opened *out) {
  *out = (opened){.ops = cls->ops};
  assert_null(kn_instance_create(cls, &out->instance));
  out->self = out->instance.self;
  for (; options[0]; options += 2) {
    size_t index;
    const kn_option *option = kn_option_find(cls, options[0], &index);
    assert_non_null(option);
    if (option->type == KN_OPTION_INT_LIST) {
      char numbers[128];
      snprintf(numbers, sizeof numbers, "%s", options[1]);
      char *rest = NULL;
      bool first = true;
      for (char *number = strtok_r(numbers, " ", &rest); number; number = strtok_r(NULL, " ", &rest), first = false)
        assert_null(kn_instance_append_text(&out->instance, option, index, number, first, options[0]));
    } else {
      assert_null(kn_instance_set_text(&out->instance, option, index, options[1], options[0]));
    }
  }
  kn_status status = out->ops->open(out->self);
  if (!status) assert_null(out->ops->info(out->self, &out->info));
  return status;
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
