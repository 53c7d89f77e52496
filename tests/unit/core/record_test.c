#include "core/memory.h"
#include "core/record_json.h"
#include "support/status.h"

#include <kenning/services.h>
#include <math.h>

static char *text_of(const kn_record *record) {
  char *text = yyjson_mut_val_write(kn_record_value(record), 0, NULL);
  assert_non_null(text);
  return text;
}

static void assert_text(const kn_record *record, const char *expected) {
  char *text = text_of(record);
  assert_string_equal(text, expected);
  free(text);
}

static kn_status fill(kn_record *record) {
  kn_record *child, *item;
  KN_TRY(kn_record_set_string(record, "name", "a \"b\""));
  KN_TRY(kn_record_set_int(record, "int", INT64_MIN));
  KN_TRY(kn_record_set_number(record, "number", 0.1));
  KN_TRY(kn_record_set_number(record, "infinite", INFINITY));
  KN_TRY(kn_record_set_bool(record, "bool", true));
  KN_TRY(kn_record_set_numbers(record, "numbers", (const double[]){1.5, NAN, -2}, 3));
  KN_TRY(kn_record_set_strings(record, "strings", (const char *const[]){"x", "y"}, 2));
  KN_TRY(kn_record_object(record, "object", &child));
  KN_TRY(kn_record_set_int(child, "a", 1));
  KN_TRY(kn_record_object(record, "object", &child)); /* the same one */
  KN_TRY(kn_record_set_int(child, "b", 2));
  for (int i = 0; i < 2; i++) {
    KN_TRY(kn_record_append_object(record, "list", &item));
    KN_TRY(kn_record_set_int(item, "i", i));
  }
  return NULL;
}

static const char filled[] =
    "{\"name\":\"a \\\"b\\\"\",\"int\":-9223372036854775808,\"number\":0.1,\"infinite\":null,\"bool\":true,"
    "\"numbers\":[1.5,null,-2.0],\"strings\":[\"x\",\"y\"],\"object\":{\"a\":1,\"b\":2},\"list\":[{\"i\":0},{\"i\":1}]"
    "}";

static void a_record_becomes_json(void **state) {
  (void)state;
  kn_record *record;
  kt_assert_ok(kn_record_create(&record));
  assert_text(record, "{}");
  kt_assert_ok(fill(record));
  assert_text(record, filled);
  kn_record_destroy(record);
  kn_record_destroy(NULL);
}

static void setting_again_replaces(void **state) {
  (void)state;
  kn_record *record, *child;
  kt_assert_ok(kn_record_create(&record));
  kt_assert_ok(kn_record_set_int(record, "a", 1));
  kt_assert_ok(kn_record_set_int(record, "b", 2));
  kt_assert_ok(kn_record_set_string(record, "a", "now a text"));
  assert_text(record, "{\"a\":\"now a text\",\"b\":2}");
  kt_assert_ok(kn_record_object(record, "a", &child));
  assert_text(record, "{\"a\":{},\"b\":2}");
  kt_assert_ok(kn_record_append_object(record, "a", &child));
  assert_text(record, "{\"a\":[{}],\"b\":2}");
  kn_record_destroy(record);
}

static void keys_and_strings_are_copied(void **state) {
  (void)state;
  kn_record *record;
  char key[] = "key", value[] = "value";
  const char *const values[] = {value};
  kt_assert_ok(kn_record_create(&record));
  kt_assert_ok(kn_record_set_string(record, key, value));
  kt_assert_ok(kn_record_set_strings(record, "list", values, 1));
  key[0] = value[0] = 'X';
  assert_text(record, "{\"key\":\"value\",\"list\":[\"value\"]}");
  kn_record_destroy(record);
}

static void parsed_records_can_be_changed(void **state) {
  (void)state;
  kn_record *record;
  kt_assert_ok(kn_record_parse(filled, sizeof filled - 1, &record));
  assert_text(record, filled);
  kt_assert_ok(kn_record_set_int(record, "new", 1));
  kn_record_destroy(record);
  static const char *const refused[] = {"", "[]", "5", "{", "{\"a\":1,}", "{\"a\":1} x"};
  for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
    kt_assert_fault(kn_record_parse(refused[i], strlen(refused[i]), &record), KN_BAD_DATA, "not a JSON object");
    assert_null(record);
  }
}

static kn_status create_fill_parse(void) {
  kn_record *record, *again = NULL;
  KN_TRY(kn_record_create(&record));
  kn_status status = fill(record);
  if (!status) status = kn_record_parse(filled, sizeof filled - 1, &again);
  kn_record_destroy(again);
  kn_record_destroy(record);
  return status;
}

static void memory_may_run_out(void **state) {
  (void)state;
  for (uint64_t n = 0;; n++) {
    kn_memory_fail_after(n);
    kn_status status = create_fill_parse();
    kn_memory_fail_after(UINT64_MAX);
    if (!status) {
      assert_true(n > 5);
      break;
    }
    kt_assert_fault(status, KN_OUT_OF_MEMORY, NULL);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_record_becomes_json),       cmocka_unit_test(setting_again_replaces),
      cmocka_unit_test(keys_and_strings_are_copied), cmocka_unit_test(parsed_records_can_be_changed),
      cmocka_unit_test(memory_may_run_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
