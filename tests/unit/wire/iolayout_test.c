/* Where tensors lie in a payload. */
#include "support/status.h"
#include "support/unit.h"

#include "wire/iolayout.h"

#include <string.h>

static kn_iospec parse(const char *json) {
  kn_iospec spec;
  kt_assert_ok(kn_iospec_parse(json, strlen(json), "test", &spec));
  return spec;
}

static void tensors_lie_in_their_order_before_quantization(void **state) {
  (void)state;
  kn_iospec spec = parse(
      "{\"input\": [{\"name\": \"b\", \"shape\": [1, 2], \"dtype\": \"int8\", \"order\": 1, \"scale\": 0.5, "
      "\"zero_point\": 3}, {\"name\": \"a\", \"shape\": [3], \"dtype\": \"int32\", \"order\": 0}],"
      " \"output\": [{\"name\": \"o\", \"shape\": [1, 4], \"dtype\": \"int8\"}]}");
  kn_iolayout layout;
  kt_assert_ok(kn_iolayout_create(&spec.input, 1000, &layout));
  assert_int_equal(layout.bytes, 12 + 8);
  assert_int_equal(layout.views[0].dtype, KN_FLOAT32);
  assert_int_equal(layout.offsets[0], 12);
  assert_int_equal(layout.offsets[1], 0);
  char payload[20];
  kn_iolayout_place(&layout, payload);
  assert_ptr_equal(layout.views[0].data, payload + 12);
  kn_iolayout_clear(&layout);
  kt_assert_ok(kn_iolayout_create(&spec.output, 1000, &layout));
  assert_int_equal(layout.views[0].dtype, KN_INT8);
  assert_int_equal(layout.bytes, 4);
  kn_iolayout_clear(&layout);
  kt_assert_fault(kn_iolayout_create(&spec.input, 19, &layout), KN_INCOMPATIBLE, "19 bytes");
  assert_null(layout.views);
  kn_iospec_clear(&spec);
}

static void what_cannot_be_laid_out_is_refused(void **state) {
  (void)state;
  static const char *const inputs[] = {
      "[{\"name\": \"x\", \"shape\": [-1, 2], \"dtype\": \"float32\"}]", /* open */
      "[{\"name\": \"x\", \"shape\": [2147483647, 2147483647, 2147483647], \"dtype\": \"float32\"}]",
      ("[{\"name\": \"x\", \"shape\": [3], \"dtype\": \"uint8\"}, {\"name\": \"y\", \"shape\": [1], \"dtype\": "
       "\"float32\"}]")}; /* y would not be aligned */
  for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
    char json[512];
    snprintf(json, sizeof json, "{\"input\": %s, \"output\": %s}", inputs[i], inputs[i]);
    kn_iospec spec = parse(json);
    kn_iolayout layout;
    kn_status status = kn_iolayout_create(&spec.input, 1 << 20, &layout);
    assert_non_null(status);
    kn_status_free(status);
    kn_iospec_clear(&spec);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tensors_lie_in_their_order_before_quantization),
      cmocka_unit_test(what_cannot_be_laid_out_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
