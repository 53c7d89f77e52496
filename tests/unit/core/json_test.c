#include "core/json.h"
#include "core/memory.h"
#include "support/directory.h"
#include "support/status.h"

#include <kenning/services.h>

static void parse(const char *text, kn_json *json) { kt_assert_ok(kn_json_parse("f.json", text, strlen(text), json)); }

static void assert_refused(const char *text, const char *part) {
  kn_json json;
  kt_assert_fault(kn_json_parse("f.json", text, strlen(text), &json), KN_BAD_DATA, part);
  assert_null(json.root);
  kn_json_clear(&json);
}

static void assert_place(const kn_json *json, const char *key, yyjson_val *value, const char *expected) {
  char where[KN_JSON_WHERE_SIZE];
  yyjson_val *found = NULL, *member_key, *member;
  size_t i, count;
  yyjson_obj_foreach(json->root, i, count, member_key, member) {
    if (key && !strcmp(yyjson_get_str(member_key), key)) found = member_key;
  }
  assert_string_equal(kn_json_where(json, found, value, where), expected);
}

static void values_know_their_places(void **state) {
  (void)state;
  kn_json json;
  parse(
      "{\"text\": \"value\",\n"
      "  \"number\":   -12.5e3,\n"
      "\t\"list\": [1, \"two\",\n"
      "   3, true], \"object\": {}, \"flag\": false, \"none\": null}",
      &json);
  assert_place(&json, "text", NULL, "f.json:1:2");
  assert_place(&json, "text", yyjson_obj_get(json.root, "text"), "f.json:1:10");
  assert_place(&json, "number", yyjson_obj_get(json.root, "number"), "f.json:2:15");
  yyjson_val *list = yyjson_obj_get(json.root, "list");
  assert_place(&json, "list", list, "f.json:3:2"); /* a container is at its key */
  assert_place(&json, "list", yyjson_arr_get(list, 0), "f.json:3:11");
  assert_place(&json, "list", yyjson_arr_get(list, 1), "f.json:3:14");
  assert_place(&json, "list", yyjson_arr_get(list, 2), "f.json:4:4");
  assert_place(&json, "list", yyjson_arr_get(list, 3), "f.json:3:2"); /* words are at the key too */
  assert_place(&json, "object", yyjson_obj_get(json.root, "object"), "f.json:4:14");
  assert_place(&json, "flag", yyjson_obj_get(json.root, "flag"), "f.json:4:28");
  assert_place(&json, "none", yyjson_obj_get(json.root, "none"), "f.json:4:43");
  assert_place(&json, NULL, json.root, "f.json:1:1"); /* the whole is where it begins */
  kn_json_clear(&json);
}

/* Escapes and characters of several bytes before a value must not shift its place. */
static void places_count_characters_of_the_file(void **state) {
  (void)state;
  kn_json json;
  parse("{\"a\\u0062\\n\": \"\\\"x\\\\\", \"\xc3\xa9\": 7}", &json);
  yyjson_val *seven = yyjson_obj_get(json.root, "\xc3\xa9");
  assert_place(&json, "ab\n", yyjson_obj_get(json.root, "ab\n"), "f.json:1:15");
  assert_place(&json, "\xc3\xa9", NULL, "f.json:1:24");
  assert_place(&json, "\xc3\xa9", seven, "f.json:1:29");
  kn_json_clear(&json);
}

static void comments_and_trailing_commas_are_read(void **state) {
  (void)state;
  kn_json json;
  parse("// first\n{ /* { [ */ \"a\": [1, 2,], // ]\n \"b\": {\"c\": \"//\",},\n}\n/* end */", &json);
  assert_int_equal(yyjson_arr_size(yyjson_obj_get(json.root, "a")), 2);
  assert_place(&json, "b", NULL, "f.json:3:2");
  kn_json_clear(&json);
}

static void duplicate_keys_stay_visible(void **state) {
  (void)state;
  kn_json json;
  parse("{\"a\": 1, \"a\": 2}", &json);
  assert_int_equal(yyjson_obj_size(json.root), 2);
  kn_json_clear(&json);
}

static void faults_have_line_and_column(void **state) {
  (void)state;
  assert_refused("", "f.json:1:1: not valid JSON: the file is empty");
  assert_refused(" \n ", "f.json:1:1: not valid JSON");
  assert_refused("{\"a\": }", "f.json:1:7: not valid JSON");
  assert_refused("{\n \"a\": 1\n \"b\": 2}", "f.json:3:2: not valid JSON");
  assert_refused("{\"a\": 1", "f.json:1:8: not valid JSON");
  assert_refused("{\"a\": \"x", "not valid JSON");
  assert_refused("{\"a\": 01}", "not valid JSON");
  assert_refused("{'a': 1}", "f.json:1:2: not valid JSON");
  assert_refused("{} {}", "f.json:1:4: not valid JSON");
  assert_refused("{\"a\": nan}", "not valid JSON");
  assert_refused("{\"a\": \"\x01\"}", "not valid JSON");
  assert_refused("{\"a\": \"\xff\"}", "not valid JSON");
  assert_refused("/* open", "not valid JSON");
}

/* C strings end at NUL: one inside would be read as another text than the file shows. */
static void nul_characters_are_refused(void **state) {
  (void)state;
  assert_refused("{\"a\": \"x\\u0000y\"}", "f.json:1:9: a string holds a NUL character");
  assert_refused("{\n\"a\\u0000b\": 1}", "f.json:2:3: a string holds a NUL character");
  kn_json json;
  parse("{\"a\": \"x\\\\u0000\"}", &json); /* a backslash, not a NUL */
  assert_string_equal(yyjson_get_str(yyjson_obj_get(json.root, "a")), "x\\u0000");
  kn_json_clear(&json);
  kt_assert_fault(kn_json_parse("f.json", "{}\0", 3, &json), KN_BAD_DATA, "not valid JSON");
}

static void deep_nesting_is_refused(void **state) {
  (void)state;
  char text[4096];
  kn_json json;
  for (size_t depth = 64; depth <= 65; depth++) {
    memset(text, '[', depth);
    memset(text + depth, ']', depth);
    text[2 * depth] = '\0';
    if (depth == 64) {
      parse(text, &json);
      kn_json_clear(&json);
    } else {
      assert_refused(text, "nested more than 64 deep");
    }
  }
  char *bomb = malloc(1 << 20);
  assert_non_null(bomb);
  memset(bomb, '{', 1 << 20);
  kt_assert_fault(kn_json_parse("bomb", bomb, 1 << 20, &json), KN_BAD_DATA, "nested");
  free(bomb);
  /* Brackets in strings and comments do not count. */
  char harmless[512] = "[\"";
  memset(harmless + 2, '[', 100);
  strcpy(harmless + 102, "\\\"[[\", /*");
  memset(harmless + 111, '{', 100);
  strcpy(harmless + 211, "*/ 1]");
  parse(harmless, &json);
  kn_json_clear(&json);
  /* A comment ends with its line, however that ends. */
  char after_comment[128] = "// x\r";
  memset(after_comment + 5, '[', 65);
  assert_refused(after_comment, "nested more than 64 deep");
}

static void too_large_is_refused(void **state) {
  (void)state;
  size_t size = ((size_t)64 << 20) + 1;
  char *text = malloc(size);
  assert_non_null(text);
  memset(text, ' ', size);
  kn_json json;
  kt_assert_fault(kn_json_parse("large", text, size, &json), KN_BAD_DATA, "67108865 bytes");
  free(text);
}

static void integers(void **state) {
  (void)state;
  static const struct {
    const char *text;
    bool is_int;
    int64_t value;
  } cases[] = {{"0", true, 0},
               {"-7", true, -7},
               {"9223372036854775807", true, INT64_MAX},
               {"-9223372036854775808", true, INT64_MIN},
               {"9223372036854775808", false, 0},
               {"-9223372036854775809", false, 0},
               {"3.0", true, 3},
               {"1e3", true, 1000},
               {"9007199254740992.0", true, INT64_C(9007199254740992)},
               {"1e16", false, 0}, /* beyond what doubles count one by one */
               {"3.5", false, 0},
               {"1e400", false, 0},
               {"1e-400", true, 0},
               {"\"3\"", false, 0},
               {"true", false, 0},
               {"null", false, 0},
               {"[3]", false, 0}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    kn_json json;
    parse(cases[i].text, &json);
    int64_t value = 99;
    if (kn_json_int(json.root, &value) != cases[i].is_int) kt_fail("%s", cases[i].text);
    assert_int_equal(value, cases[i].is_int ? cases[i].value : 99);
    kn_json_clear(&json);
  }
}

static void numbers(void **state) {
  (void)state;
  static const struct {
    const char *text;
    bool is_number;
    double value;
  } cases[] = {{"0.1", true, 0.1},
               {"-2.5E-3", true, -0.0025},
               {"12", true, 12},
               {"1e400", false, 0},
               {"-1e999", false, 0},
               {"1e-400", true, 0},
               {"\"1\"", false, 0},
               {"{}", false, 0},
               {"123456789012345678901234567890", true, 123456789012345678901234567890.0}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    kn_json json;
    parse(cases[i].text, &json);
    double value = 99;
    if (kn_json_number(json.root, &value) != cases[i].is_number) kt_fail("%s", cases[i].text);
    assert_true(value == (cases[i].is_number ? cases[i].value : 99));
    kn_json_clear(&json);
  }
}

static void files(void **state) {
  (void)state;
  char *directory = kt_directory_make(), *path = kt_path(directory, "s.json");
  kn_json json;
  kt_assert_fault(kn_json_read(path, &json), KN_NOT_FOUND, "s.json");
  kt_assert_fault(kn_json_read(directory, &json), KN_BAD_DATA, "directory");
  kt_file_write_text(path, "");
  kt_assert_fault(kn_json_read(path, &json), KN_BAD_DATA, "s.json:1:1: not valid JSON: the file is empty");
  kt_file_write_text(path, "{\"a\": 5}");
  kt_assert_ok(kn_json_read(path, &json));
  int64_t value;
  assert_true(kn_json_int(yyjson_obj_get(json.root, "a"), &value));
  assert_int_equal(value, 5);
  kn_json_clear(&json);
  kn_json_clear(&json);
  free(path);
  kt_directory_remove(directory);
}

static void long_names_do_not_overflow_the_place(void **state) {
  (void)state;
  char name[2000], where[KN_JSON_WHERE_SIZE];
  memset(name, 'n', sizeof name - 1);
  name[sizeof name - 1] = '\0';
  kn_json json;
  kt_assert_ok(kn_json_parse(name, "[1]", 3, &json));
  kn_json_where(&json, NULL, yyjson_arr_get_first(json.root), where);
  assert_int_equal(strlen(where), KN_JSON_WHERE_SIZE - 1);
  kn_json_clear(&json);
}

static void plain_reading_parses_numbers(void **state) {
  (void)state;
  char *directory = kt_directory_make(), *path = kt_path(directory, "m.json");
  yyjson_doc *doc;
  kt_file_write_text(path, "{\"a\": [1, 2.5, NaN]}");
  kt_assert_ok(kn_json_read_plain(path, &doc));
  assert_true(yyjson_get_real(yyjson_arr_get(yyjson_obj_get(yyjson_doc_get_root(doc), "a"), 1)) == 2.5);
  yyjson_doc_free(doc);
  kt_file_write_text(path, "{\"a\":\n [1, 2.5,");
  kt_assert_fault(kn_json_read_plain(path, &doc), KN_BAD_DATA, "m.json:2:10: not valid JSON");
  assert_null(doc);
  kt_file_write_text(path, "");
  kt_assert_fault(kn_json_read_plain(path, &doc), KN_BAD_DATA, "the file is empty");
  free(path);
  kt_directory_remove(directory);
}

/* Every allocation of reading can fail. */
static void memory_may_run_out(void **state) {
  (void)state;
  static const char text[] = "{\"a\": [1, 2, {\"b\": \"c\"}]}";
  kn_status status = NULL;
  uint64_t n = 0;
  do {
    kn_json json;
    kn_memory_fail_after(n++);
    status = kn_json_parse("f.json", text, sizeof text - 1, &json);
    kn_memory_fail_after(UINT64_MAX);
    if (!status) kn_json_clear(&json);
    if (status) assert_int_equal(kn_status_code(status), KN_OUT_OF_MEMORY);
    kn_status_free(status);
  } while (status);
  assert_true(n > 4);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(values_know_their_places),
      cmocka_unit_test(places_count_characters_of_the_file),
      cmocka_unit_test(comments_and_trailing_commas_are_read),
      cmocka_unit_test(duplicate_keys_stay_visible),
      cmocka_unit_test(faults_have_line_and_column),
      cmocka_unit_test(nul_characters_are_refused),
      cmocka_unit_test(deep_nesting_is_refused),
      cmocka_unit_test(too_large_is_refused),
      cmocka_unit_test(integers),
      cmocka_unit_test(numbers),
      cmocka_unit_test(files),
      cmocka_unit_test(long_names_do_not_overflow_the_place),
      cmocka_unit_test(plain_reading_parses_numbers),
      cmocka_unit_test(memory_may_run_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
