#include "core/instance.h"
#include "core/memory.h"
#include "core/record_json.h"
#include "core/text.h"
#include "support/directory.h"
#include "support/status.h"
#include "unit/core/example_block.h"

#include <kenning/process.h>
#include <kenning/services.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>

/* Binds `text` to a fresh instance; what is bound stays also after faults. */
static kn_status bind(const char *text, kn_instance *instance) {
  kn_json json;
  kt_assert_ok(kn_instance_create(&example_class, instance));
  kt_assert_ok(kn_json_parse("s.json", text, strlen(text), &json));
  kn_status status = kn_instance_set_json(instance, &json, json.root);
  kn_json_clear(&json);
  return status;
}

static void assert_bind_fault(const char *text, kn_code code, const char *part) {
  kn_instance instance;
  kt_assert_fault(bind(text, &instance), code, part);
  kn_instance_destroy(&instance);
}

static void assert_defaults(const example *self) {
  assert_true(self->flag);
  assert_int_equal(self->number, 5);
  assert_true(self->share == 0.25);
  assert_string_equal(self->text, "default text");
  assert_null(self->file);
  assert_null(self->needed);
  assert_int_equal(self->choice, EXAMPLE_GREEN);
  assert_int_equal(self->words.count, 0);
  assert_int_equal(self->numbers.count, 3);
  assert_int_equal(self->numbers.items[0], 1);
  assert_int_equal(self->numbers.items[1], -2);
  assert_int_equal(self->numbers.items[2], 30);
  assert_true(self->nullable == 0.5);
  assert_string_equal(self->of_base, "base");
  assert_int_equal(self->base.inference_batch_size, 77);
  assert_int_equal(self->base.split, KN_SPLIT_TEST);
  assert_true(self->base.split_fraction_test == 0.2);
  assert_false(self->number_given);
}

static void a_new_instance_has_its_defaults(void **state) {
  (void)state;
  kn_instance instance;
  kt_assert_ok(kn_instance_create(&example_class, &instance));
  assert_defaults(instance.self);
  assert_true(instance.given == 0);
  kn_instance_destroy(&instance);
  assert_null(instance.self);
  kn_instance_destroy(&instance);
}

static void every_type_is_bound(void **state) {
  (void)state;
  kn_instance instance;
  kt_assert_ok(
      bind("{\"flag\": false, \"number\": -10, \"share\": 1, \"text\": \"t\", \"file\": \"/f\", \"needed\": \"\","
           " \"choice\": \"red\", \"words\": [\"a\", \"\"], \"numbers\": [7], \"nullable\": -3.5e2,"
           " \"of_base\": \"b\", \"inference_batch_size\": 8, \"dataset_root\": \"./d\", \"split\": \"all\"}",
           &instance));
  const example *self = instance.self;
  assert_false(self->flag);
  assert_int_equal(self->number, -10);
  assert_true(self->number_given);
  assert_true(self->share == 1);
  assert_string_equal(self->text, "t");
  assert_string_equal(self->file, "/f");
  assert_string_equal(self->needed, "");
  assert_int_equal(self->choice, EXAMPLE_RED);
  assert_int_equal(self->words.count, 2);
  assert_string_equal(self->words.items[0], "a");
  assert_string_equal(self->words.items[1], "");
  assert_int_equal(self->numbers.count, 1);
  assert_int_equal(self->numbers.items[0], 7);
  assert_true(self->nullable == -350);
  assert_string_equal(self->of_base, "b");
  assert_int_equal(self->base.inference_batch_size, 8);
  assert_string_equal(self->base.dataset_root, "./d");
  assert_int_equal(self->base.split, KN_SPLIT_ALL);
  kt_assert_ok(kn_instance_check_required(&instance));
  kn_instance_destroy(&instance);
}

static void aliases_bind_the_same_row(void **state) {
  (void)state;
  kn_instance instance;
  kt_assert_ok(bind("{\"textvalue\": \"old\", \"root\": \"/data\", \"needed\": \"x\"}", &instance));
  const example *self = instance.self;
  assert_string_equal(self->text, "old");
  assert_string_equal(self->base.dataset_root, "/data");
  kt_assert_ok(kn_instance_check_required(&instance));
  kn_instance_destroy(&instance);
}

static void unknown_parameters_are_named_with_the_nearest(void **state) {
  (void)state;
  assert_bind_fault("{\n  \"numbr\": 5}", KN_NOT_FOUND,
                    "s.json:2:3: Example has no parameter 'numbr'; did you mean 'number'?");
  assert_bind_fault("{\"quite_another_thing\": 5}", KN_NOT_FOUND, "`kenning info Example` lists them");
  assert_bind_fault("{\"\": 5}", KN_NOT_FOUND, "s.json:1:2: Example has no parameter ''");
}

static void duplicates_and_two_spellings_are_faults(void **state) {
  (void)state;
  assert_bind_fault("{\"number\": 1,\n \"number\": 1}", KN_INVALID_ARGUMENT,
                    "s.json:2:2: 'number' is given twice, first at s.json:1:2");
  assert_bind_fault("{\"text\": \"a\",\n \"textvalue\": \"a\"}", KN_INVALID_ARGUMENT,
                    "s.json:2:2: 'textvalue' is another spelling of 'text', which is given at s.json:1:2");
  assert_bind_fault("{\"old_text\": \"a\", \"textvalue\": \"a\"}", KN_INVALID_ARGUMENT,
                    "another spelling of 'old_text'");
}

static void ill_typed_values_say_what_is_wanted(void **state) {
  (void)state;
  static const char *const cases[][2] = {
      {"{\"flag\": 1}", "s.json:1:10: 'flag' must be true or false, not a number"},
      {"{\"flag\": \"true\"}", "'flag' must be true or false, not a string"},
      {"{\"number\": \"5\"}", "s.json:1:12: 'number' must be an integer, not a string"},
      {"{\"number\": 5.5}", "'number' must be an integer, not a number"},
      {"{\"number\": 99999999999999999999}", "'number' must be an integer, not a number"},
      {"{\"number\": true}", "s.json:1:2: 'number' must be an integer, not true or false"},
      {"{\"share\": \"x\"}", "'share' must be a number, not a string"},
      {"{\"share\": 1e999}", "'share' must be a number"},
      {"{\"text\": 5}", "'text' must be a string, not a number"},
      {"{\"text\": [\"a\"]}", "'text' must be a string, not a list"},
      {"{\"file\": {}}", "'file' must be a path, not an object"},
      {"{\"choice\": 10}", "'choice' must be one of its choices, not a number"},
      {"{\"words\": \"a\"}", "'words' must be a list of strings, not a string"},
      {"{\"words\": [\"a\",\n 5]}", "s.json:2:2: item 2 of 'words' is not a string"},
      {"{\"numbers\": [1, \"2\"]}", "item 2 of 'numbers' is not an integer"},
      {"{\"numbers\": [1, 2.5]}", "item 2 of 'numbers' is not an integer"},
      {"{\"numbers\": {}}", "'numbers' must be a list of integers, not an object"}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    assert_bind_fault(cases[i][0], KN_INVALID_ARGUMENT, cases[i][1]);
}

static void ranges_are_inclusive(void **state) {
  (void)state;
  assert_bind_fault("{\"number\": 11}", KN_INVALID_ARGUMENT,
                    "s.json:1:12: 'number' is 11; it must lie between -10 and 10");
  assert_bind_fault("{\"number\": -11}", KN_INVALID_ARGUMENT, "must lie between");
  assert_bind_fault("{\"number\": 9223372036854775807}", KN_INVALID_ARGUMENT, "must lie between");
  assert_bind_fault("{\"share\": 1.0000001}", KN_INVALID_ARGUMENT, "'share' is 1.0000001; it must lie between 0 and 1");
  assert_bind_fault("{\"share\": -1e-9}", KN_INVALID_ARGUMENT, "must lie between");
  assert_bind_fault("{\"numbers\": [1, 101]}", KN_INVALID_ARGUMENT, "s.json:1:17: 'numbers' holds 101");
  kn_instance instance;
  kt_assert_ok(bind("{\"number\": 10, \"share\": 0, \"numbers\": [-100, 100]}", &instance));
  kn_instance_destroy(&instance);
}

static void choices_are_listed(void **state) {
  (void)state;
  assert_bind_fault("{\"choice\": \"gren\"}", KN_INVALID_ARGUMENT,
                    "s.json:1:12: 'choice' is \"gren\"; it must be one of: red, green, grass; did you mean \"green\"?");
  assert_bind_fault("{\"choice\": \"\"}", KN_INVALID_ARGUMENT, "must be one of: red, green, grass");
}

static void null_means_the_default_where_it_may(void **state) {
  (void)state;
  kn_instance instance;
  kt_assert_ok(bind("{\"text\": null, \"nullable\": null}", &instance));
  const example *self = instance.self;
  assert_string_equal(self->text, "default text");
  assert_true(self->nullable == 0.5);
  kn_instance_destroy(&instance);
  assert_bind_fault("{\"number\": null}", KN_INVALID_ARGUMENT, "s.json:1:2: 'number' must be an integer, not null");
  assert_bind_fault("{\"words\": null}", KN_INVALID_ARGUMENT, "not null");
  assert_bind_fault("{\"words\": [null]}", KN_INVALID_ARGUMENT, "item 1 of 'words' is not a string");
}

static void missing_parameters_are_named_with_their_help(void **state) {
  (void)state;
  kn_instance instance;
  kt_assert_ok(kn_instance_create(&example_class, &instance));
  kt_assert_ok(kn_instance_set_json(&instance, NULL, NULL));
  instance.where = kn_strdup("s.json:4:9");
  kn_status status = kn_instance_check_required(&instance);
  assert_int_equal(kn_status_count(status), 2);
  assert_string_equal(kn_status_message(status, 0), "Example needs 'needed' (Something needed)");
  assert_string_equal(kn_status_where(status, 0), "s.json:4:9");
  kt_assert_fault(status, KN_INVALID_ARGUMENT, "Example needs 'dataset_root'");
  kn_instance_destroy(&instance);
}

static void all_faults_come_at_once(void **state) {
  (void)state;
  kn_instance instance;
  kn_status status = bind(
      "{\"flga\": true,\n"
      " \"number\": 1000,\n"
      " \"share\": \"x\",\n"
      " \"choice\": \"blue\",\n"
      " \"text\": \"a\", \"old_text\": \"b\",\n"
      " \"numbers\": [1.5],\n"
      " \"words\": [\"fine\"]}",
      &instance);
  static const char *const places[] = {"s.json:1:2",  "s.json:2:12", "s.json:3:11",
                                       "s.json:4:12", "s.json:5:15", "s.json:6:14"};
  assert_int_equal(kn_status_count(status), 6);
  for (size_t i = 0; i < 6; i++) assert_string_equal(kn_status_where(status, i), places[i]);
  kn_status_free(status);
  assert_int_equal(((example *)instance.self)->words.count, 1); /* what is right is bound all the same */
  kn_instance_destroy(&instance);
}

static void text_binds_like_json(void **state) {
  (void)state;
  static const struct {
    const char *name, *text, *part; /* part NULL: accepted */
  } cases[] = {{"flag", "false", NULL},
               {"flag", "True", NULL},
               {"flag", "yes", "must be true or false"},
               {"number", "-3", NULL},
               {"number", "3.0", "must be an integer, not \"3.0\""},
               {"number", "", "must be an integer"},
               {"number", "11", "must lie between"},
               {"number", "99999999999999999999", "must be an integer"},
               {"share", "1e-1", NULL},
               {"share", "nan", "must lie between"},
               {"share", "0.5x", "must be a number"},
               {"text", "any", NULL},
               {"text", "", NULL},
               {"file", "/p", NULL},
               {"choice", "red", NULL},
               {"choice", "Red", "did you mean \"red\"?"},
               {"words", "one", NULL},
               {"numbers", "4", NULL},
               {"numbers", "x", "takes integers, not \"x\""}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    kn_instance instance;
    kt_assert_ok(kn_instance_create(&example_class, &instance));
    size_t index;
    const kn_option *row = kn_option_find(&example_class, cases[i].name, &index);
    kn_status status = kn_instance_set_text(&instance, row, index, cases[i].text, "--flag");
    if (cases[i].part)
      kt_assert_fault(status, KN_INVALID_ARGUMENT, cases[i].part);
    else
      kt_assert_ok(status);
    assert_true(instance.given == UINT64_C(1) << index);
    kn_instance_destroy(&instance);
  }
}

static void lists_grow_by_text(void **state) {
  (void)state;
  kn_instance instance;
  kt_assert_ok(kn_instance_create(&example_class, &instance));
  size_t index;
  const kn_option *row = kn_option_find(&example_class, "numbers", &index);
  kt_assert_ok(kn_instance_append_text(&instance, row, index, "10", true, "--numbers"));
  kt_assert_ok(kn_instance_append_text(&instance, row, index, "20", false, "--numbers"));
  kt_assert_fault(kn_instance_append_text(&instance, row, index, "200", false, "--numbers"), KN_INVALID_ARGUMENT,
                  "'numbers' holds 200");
  const example *self = instance.self;
  assert_int_equal(self->numbers.count, 2); /* the default is gone */
  assert_int_equal(self->numbers.items[1], 20);
  kn_instance_destroy(&instance);
}

static void lists_are_set_item_by_item(void **state) {
  (void)state;
  kn_instance instance;
  size_t index;
  kt_assert_ok(kn_instance_create(&example_class, &instance));
  const kn_option *row = kn_option_find(&example_class, "numbers", &index);
  kt_assert_ok(kn_instance_set_text(&instance, row, index, "10", NULL));
  kt_assert_ok(kn_instance_set_text(&instance, row, index, "20", NULL));
  const example *self = instance.self;
  assert_int_equal(self->numbers.count, 2); /* the default is gone */
  assert_int_equal(self->numbers.items[0], 10);
  assert_int_equal(self->numbers.items[1], 20);
  kn_instance_destroy(&instance);
}

/* A locale with a decimal comma: one of the system's, else one that is made in `directory`. */
static bool take_comma_locale(const char *directory) {
  static const char *const commas[] = {"de_DE.UTF-8", "de_DE", "fr_FR.UTF-8", "fr_FR"};
  for (size_t i = 0; i < sizeof commas / sizeof *commas; i++)
    if (setlocale(LC_ALL, commas[i])) return true;
  char *path = kt_path(directory, commas[0]);
  kn_process_request request = {
      .arguments = (const char *const[]){"localedef", "-c", "-i", "de_DE", "-f", "UTF-8", path, NULL}, .timeout_s = 60};
  kn_status_free(kn_process_run(&request, NULL)); /* warnings fail it */
  free(path);
  setenv("LOCPATH", directory, 1);
  bool made = setlocale(LC_ALL, commas[0]) != NULL;
  unsetenv("LOCPATH");
  return made;
}

/* A library is used by programs that have set the user's locale. */
static void numbers_have_a_point_in_every_locale(void **state) {
  (void)state;
  char *directory = kt_directory_make();
  bool found = take_comma_locale(directory);
  kt_directory_remove(directory);
  if (!found) kt_skip("a locale with a decimal comma");
  char text[64], *formatted = kn_format("%g", 0.5);
  size_t index;
  kn_instance instance;
  kn_status bound = bind("{\"share\": 0.75}", &instance);
  double json = ((example *)instance.self)->share;
  const kn_option *row = kn_option_find(&example_class, "share", &index);
  kn_status set = kn_instance_set_text(&instance, row, index, "0.125", NULL);
  kn_status outside = kn_instance_set_text(&instance, row, index, "1.5", "--share");
  kn_option_default_text(row, text, sizeof text);
  kn_text grown = {0};
  kn_text_format(&grown, "%g %600.1f", 0.25, 0.5);
  char plain[32];
  snprintf(plain, sizeof plain, "%g", 0.5);
  setlocale(LC_ALL, "C");
  assert_string_equal(plain, "0,5"); /* the locale stayed the process's */
  kt_assert_ok(bound);
  kt_assert_ok(set);
  kt_assert_fault(outside, KN_INVALID_ARGUMENT, "'share' is 1.5;");
  assert_true(json == 0.75);
  assert_true(((example *)instance.self)->share == 0.125);
  assert_string_equal(text, "0.25");
  assert_string_equal(formatted, "0.5");
  assert_memory_equal(grown.data, "0.25 ", 5);
  assert_string_equal(grown.data + grown.length - 3, "0.5");
  kn_text_clear(&grown);
  kn_free(formatted);
  kn_instance_destroy(&instance);
}

static void input_files_are_looked_for(void **state) {
  (void)state;
  kn_instance instance;
  kt_assert_ok(bind("{\"file\": \"/nonexistent/file\", \"external_calibration_dataset\": \"/\"}", &instance));
  instance.where = kn_strdup("the-block");
  kt_assert_fault(kn_instance_check_files(&(kn_json){0}, &instance), KN_NOT_FOUND,
                  "the-block: 'file': /nonexistent/file");
  kn_instance_destroy(&instance);
}

static void an_instance_is_written_out_in_full(void **state) {
  (void)state;
  kn_instance instance, again;
  kt_assert_ok(
      bind("{\"choice\": \"red\", \"words\": [\"a\"], \"file\": \"f\", \"needed\": \"n\", \"share\": 0.1,"
           "\"dataset_root\": \"r\"}",
           &instance));
  kn_record *record;
  kt_assert_ok(kn_record_create(&record));
  yyjson_mut_doc *doc = kn_record_document(record);
  yyjson_mut_doc_set_root(doc, kn_instance_to_json(&instance, doc));
  char *text = yyjson_mut_write(doc, 0, NULL);
  assert_non_null(text);
  assert_non_null(strstr(text, "\"choice\":\"red\""));
  assert_non_null(strstr(text, "\"numbers\":[1,-2,30]"));
  assert_non_null(strstr(text, "\"external_calibration_dataset\":null"));
  kt_assert_ok(bind(text, &again)); /* it is a scenario's parameters itself */
  const example *self = again.self;
  assert_int_equal(self->choice, EXAMPLE_RED);
  assert_true(self->share == 0.1);
  assert_int_equal(self->numbers.count, 3);
  free(text);
  kn_record_destroy(record);
  kn_instance_destroy(&again);
  kn_instance_destroy(&instance);
}

static void memory_may_run_out(void **state) {
  (void)state;
  static const char text[] =
      "{\"text\": \"t\", \"words\": [\"a\", \"b\"], \"numbers\": [1, 2], \"bad\": 1, \"file\": 5}";
  kn_json json;
  kt_assert_ok(kn_json_parse("s.json", text, sizeof text - 1, &json));
  for (uint64_t n = 0;; n++) {
    kn_instance instance;
    kn_memory_fail_after(n);
    kn_status status = kn_instance_create(&example_class, &instance);
    if (!status) status = kn_instance_set_json(&instance, &json, json.root);
    kn_memory_fail_after(UINT64_MAX);
    kn_instance_destroy(&instance);
    kn_code code = kn_status_code(status);
    kn_status_free(status);
    if (code != KN_OUT_OF_MEMORY) {
      assert_int_equal(code, KN_NOT_FOUND);
      assert_true(n > 10);
      break;
    }
  }
  kn_json_clear(&json);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_new_instance_has_its_defaults),
      cmocka_unit_test(every_type_is_bound),
      cmocka_unit_test(aliases_bind_the_same_row),
      cmocka_unit_test(unknown_parameters_are_named_with_the_nearest),
      cmocka_unit_test(duplicates_and_two_spellings_are_faults),
      cmocka_unit_test(ill_typed_values_say_what_is_wanted),
      cmocka_unit_test(ranges_are_inclusive),
      cmocka_unit_test(choices_are_listed),
      cmocka_unit_test(null_means_the_default_where_it_may),
      cmocka_unit_test(missing_parameters_are_named_with_their_help),
      cmocka_unit_test(all_faults_come_at_once),
      cmocka_unit_test(text_binds_like_json),
      cmocka_unit_test(lists_grow_by_text),
      cmocka_unit_test(lists_are_set_item_by_item),
      cmocka_unit_test(numbers_have_a_point_in_every_locale),
      cmocka_unit_test(input_files_are_looked_for),
      cmocka_unit_test(an_instance_is_written_out_in_full),
      cmocka_unit_test(memory_may_run_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
