/* The reader of protobuf messages: what is well formed field by field, and where the rest ends it. */
#include "support/status.h"

#include <kenning/protobuf.h>

#define MESSAGE(text) kn_protobuf_of(text, sizeof(text) - 1)

static void fields_are_taken_one_by_one(void **state) {
  (void)state;
  kn_protobuf message = MESSAGE(
      "\x08\x96\x01\x12\x03onx\x19"
      "12345678\x25"
      "1234\xf8\xff\xff\xff\x0f\x00\x32\x00");
  kn_protobuf_field field;
  assert_true(kn_protobuf_next(&message, &field));
  assert_int_equal(field.number, 1);
  assert_int_equal(field.type, KN_PROTOBUF_VARINT);
  assert_int_equal(field.value, 150);
  assert_int_equal(kn_protobuf_length(field.bytes), 0);
  assert_int_equal(kn_protobuf_offset(field.bytes), 3);
  assert_true(kn_protobuf_next(&message, &field));
  assert_int_equal(field.type, KN_PROTOBUF_BYTES);
  assert_int_equal(kn_protobuf_offset(field.bytes), 5);
  assert_true(kn_protobuf_is(field.bytes, "onx"));
  assert_false(kn_protobuf_is(field.bytes, "on"));
  assert_false(kn_protobuf_is(field.bytes, "onxx"));
  assert_true(kn_protobuf_next(&message, &field));
  assert_int_equal(field.number, 3);
  assert_int_equal(field.type, KN_PROTOBUF_FIXED64);
  assert_true(kn_protobuf_next(&message, &field));
  assert_int_equal(field.number, 4);
  assert_int_equal(field.type, KN_PROTOBUF_FIXED32);
  assert_true(kn_protobuf_next(&message, &field));
  assert_int_equal(field.number, (1 << 29) - 1);
  assert_true(kn_protobuf_next(&message, &field));
  assert_int_equal(field.number, 6);
  assert_true(kn_protobuf_is(field.bytes, ""));
  assert_false(kn_protobuf_next(&message, &field));
  assert_true(kn_protobuf_ended(&message));
  assert_int_equal(field.number, 0);
}

static void what_is_no_field_is_not_stepped_over(void **state) {
  (void)state;
  static const struct {
    const char *bytes;
    size_t length;
  } wrong[] = {
      {"\x08\x01\x08", 3},         /* no value */
      {"\x08\x01\x08\x80\x80", 5}, /* half a value */
      {"\x08\x01\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 14} /* more than 64 bits */,
      {"\x08\x01\x12\x02x", 5},                                      /* half a text */
      {"\x08\x01\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01x", 13}, /* a length that wraps */
      {"\x08\x01\x11"
       "1234567",
       10}, /* seven of eight bytes */
      {"\x08\x01\x15"
       "123",
       6},                                     /* three of four */
      {"\x08\x01\x02\x00", 4},                 /* number 0 */
      {"\x08\x01\x80\x80\x80\x80\x10\x00", 8}, /* number 1 << 29 */
      {"\x08\x01\x0b\x0c", 4},                 /* a group */
      {"\x08\x01\x0e\x00", 4},                 /* type 6 */
      {"\x08\x01\x80", 3},                     /* half a tag */
  };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    kn_protobuf message = kn_protobuf_of(wrong[i].bytes, wrong[i].length);
    kn_protobuf_field field;
    assert_true(kn_protobuf_next(&message, &field));
    for (int again = 0; again < 2; again++) {
      assert_false(kn_protobuf_next(&message, &field));
      assert_false(kn_protobuf_ended(&message));
      assert_int_equal(kn_protobuf_offset(message), 2);
    }
  }
}

static void lists_are_taken_number_by_number(void **state) {
  (void)state;
  uint64_t value;
  kn_protobuf list = MESSAGE("\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x81");
  assert_true(kn_protobuf_varint(&list, &value));
  assert_int_equal(value, 0);
  assert_true(kn_protobuf_varint(&list, &value));
  assert_true(value == UINT64_MAX);
  assert_false(kn_protobuf_varint(&list, &value));
  assert_int_equal(kn_protobuf_offset(list), 11);
  kn_protobuf nothing = kn_protobuf_of(NULL, 0);
  kn_protobuf_field field;
  assert_false(kn_protobuf_varint(&nothing, &value));
  assert_false(kn_protobuf_next(&nothing, &field));
  assert_true(kn_protobuf_ended(&nothing));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(fields_are_taken_one_by_one),
      cmocka_unit_test(what_is_no_field_is_not_stepped_over),
      cmocka_unit_test(lists_are_taken_number_by_number),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
