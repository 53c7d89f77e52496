#include "cli/command.h"
#include "core/memory.h"
#include "support/status.h"
#include "unit/core/example_block.h"

#include <kenning/services.h>

enum { MAXIMUM = 16 };

typedef struct parsed {
  kn_instance instance;
  const example *self;
  kn_positionals positionals;
  bool help;
  kn_status status;
} parsed;

/* Parses the words, which end with NULL. */
static parsed parse(const char *const *words) {
  static char *argv[MAXIMUM];
  int argc = 1;
  argv[0] = (char *)(uintptr_t) "command";
  for (; words[argc - 1]; argc++) argv[argc] = (char *)(uintptr_t)words[argc - 1];
  parsed result = {0};
  kt_assert_ok(kn_instance_create(&example_class, &result.instance));
  result.self = result.instance.self;
  kn_instance *instances[] = {&result.instance};
  result.status = kn_arguments_parse(argc, argv, instances, 1, &result.positionals, &result.help);
  return result;
}
#define PARSE(...) parse((const char *const[]){__VA_ARGS__, NULL})

static void clear(parsed *result) {
  kn_status_free(result->status);
  kn_free(result->positionals.items);
  kn_instance_destroy(&result->instance);
}

static void assert_fault(parsed result, kn_code code, const char *part) {
  kn_status status = result.status;
  result.status = NULL;
  kt_assert_fault(status, code, part);
  clear(&result);
}

static void flags_take_values_in_both_forms(void **state) {
  (void)state;
  parsed p = PARSE("--text", "a b", "--number=-7", "--share", "-0", "--choice", "red", "--inference-batch-size", "3");
  assert_null(p.status);
  assert_string_equal(p.self->text, "a b");
  assert_int_equal(p.self->number, -7);
  assert_true(p.self->share == 0);
  assert_int_equal(p.self->choice, EXAMPLE_RED);
  assert_int_equal(p.self->base.inference_batch_size, 3);
  assert_int_equal(p.positionals.count, 0);
  clear(&p);

  p = PARSE("--text=", "--file==x");
  assert_null(p.status);
  assert_string_equal(p.self->text, "");
  assert_string_equal(p.self->file, "=x");
  clear(&p);

  p = PARSE("--special-flag", "2"); /* the row's own flag instead of the derived one */
  assert_null(p.status);
  assert_true(p.self->nullable == 2);
  clear(&p);
}

static void switches(void **state) {
  (void)state;
  parsed p = PARSE("--no-flag", "--download-dataset");
  assert_null(p.status);
  assert_false(p.self->flag);
  assert_true(p.self->base.download_dataset);
  clear(&p);
  p = PARSE("--flag=false", "positional");
  assert_null(p.status);
  assert_false(p.self->flag);
  assert_int_equal(p.positionals.count, 1);
  clear(&p);
  assert_fault(PARSE("--flag=maybe"), KN_INVALID_ARGUMENT, "--flag: 'flag' must be true or false");
  assert_fault(PARSE("--no-flag=true"), KN_INVALID_ARGUMENT, "--no-flag: takes no value");
  assert_fault(PARSE("--no-text"), KN_NOT_FOUND, "unknown flag --no-text");
}

static void lists_take_all_up_to_the_next_flag(void **state) {
  (void)state;
  parsed p = PARSE("--words", "a", "b", "-c", "--numbers", "1", "-2", "--flag", "rest");
  assert_null(p.status);
  assert_int_equal(p.self->words.count, 3);
  assert_string_equal(p.self->words.items[2], "-c");
  assert_int_equal(p.self->numbers.count, 2);
  assert_int_equal(p.self->numbers.items[1], -2);
  assert_int_equal(p.positionals.count, 1);
  assert_string_equal(p.positionals.items[0], "rest");
  clear(&p);
  p = PARSE("--words", "a", "--", "b"); /* "--" ends the list */
  assert_null(p.status);
  assert_int_equal(p.self->words.count, 1);
  assert_int_equal(p.positionals.count, 1);
  clear(&p);
  assert_fault(PARSE("--words"), KN_INVALID_ARGUMENT, "--words: needs at least one value");
  assert_fault(PARSE("--words", "--flag"), KN_INVALID_ARGUMENT, "--words: needs at least one value");
  assert_fault(PARSE("--numbers", "1", "x"), KN_INVALID_ARGUMENT, "takes integers, not \"x\"");
}

static void positionals_keep_their_order(void **state) {
  (void)state;
  parsed p = PARSE("one", "--number", "3", "two", "-", "--", "--number", "-x", "--help");
  assert_null(p.status);
  assert_false(p.help);
  static const char *const expected[] = {"one", "two", "-", "--number", "-x", "--help"};
  assert_int_equal(p.positionals.count, 6);
  for (size_t i = 0; i < 6; i++) assert_string_equal(p.positionals.items[i], expected[i]);
  assert_int_equal(p.self->number, 3);
  clear(&p);
}

static void aliases_are_flags_too(void **state) {
  (void)state;
  parsed p = PARSE("--root", "/d", "--old-text", "t");
  assert_null(p.status);
  assert_string_equal(p.self->base.dataset_root, "/d");
  assert_string_equal(p.self->text, "t");
  clear(&p);
}

static void a_missing_value_is_not_taken_from_the_next_flag(void **state) {
  (void)state;
  assert_fault(PARSE("--number"), KN_INVALID_ARGUMENT, "--number: needs an integer");
  assert_fault(PARSE("--text", "--number", "3"), KN_INVALID_ARGUMENT, "--text: needs a string");
  parsed p = PARSE("--text=--number", "--share", "0.5");
  assert_null(p.status);
  assert_string_equal(p.self->text, "--number");
  clear(&p);
}

static void unknown_flags_suggest_the_nearest(void **state) {
  (void)state;
  assert_fault(PARSE("--nubmer", "5"), KN_NOT_FOUND, "unknown flag --nubmer; did you mean --number?");
  assert_fault(PARSE("--nubmer=5"), KN_NOT_FOUND, "unknown flag --nubmer; did you mean --number?");
  assert_fault(PARSE("--entirely-different"), KN_NOT_FOUND, "--help lists them");
  assert_fault(PARSE("-x"), KN_NOT_FOUND, "unknown flag -x");
  char long_flag[3000] = "--";
  memset(long_flag + 2, 'a', sizeof long_flag - 3);
  long_flag[sizeof long_flag - 1] = '\0';
  assert_fault(PARSE(long_flag), KN_NOT_FOUND, "unknown flag --aaaa");
}

static void all_faults_come_at_once(void **state) {
  (void)state;
  parsed p = PARSE("--number", "x", "--wrong", "--share", "7", "--choice", "blue");
  assert_int_equal(kn_status_count(p.status), 4);
  clear(&p);
}

static void help_is_noticed_anywhere(void **state) {
  (void)state;
  parsed p = PARSE("a", "--help");
  assert_true(p.help);
  clear(&p);
  p = PARSE("-h");
  assert_true(p.help);
  clear(&p);
}

/* A flag that two blocks have is set in both. */
static void flags_reach_every_block_that_has_them(void **state) {
  (void)state;
  kn_instance first, second;
  kt_assert_ok(kn_instance_create(&example_class, &first));
  kt_assert_ok(kn_instance_create(&example_base_class, &second));
  kn_instance *instances[] = {&first, &second};
  char *argv[] = {(char *)(uintptr_t) "command", (char *)(uintptr_t) "--number", (char *)(uintptr_t) "9",
                  (char *)(uintptr_t) "--flag"};
  kn_positionals positionals;
  bool help;
  kt_assert_ok(kn_arguments_parse(4, argv, instances, 2, &positionals, &help));
  assert_int_equal(((example *)first.self)->number, 9);
  assert_int_equal(((example *)second.self)->number, 9);
  kn_free(positionals.items);

  first.given = second.given = 0;
  argv[2] = (char *)(uintptr_t) "x"; /* one fault for one flag, however many blocks have it */
  kn_status status = kn_arguments_parse(4, argv, instances, 2, &positionals, &help);
  assert_int_equal(kn_status_count(status), 1);
  kn_status_free(status);
  kn_free(positionals.items);
  kn_instance_destroy(&first);
  kn_instance_destroy(&second);
}

/* Also under another name, or as the contrary; lists of names grow. */
static void a_row_is_given_once(void **state) {
  (void)state;
  assert_fault(PARSE("--number", "1", "--number", "1"), KN_INVALID_ARGUMENT, "--number: 'number' is given twice");
  assert_fault(PARSE("--text", "a", "--old-text=b"), KN_INVALID_ARGUMENT, "--old-text: 'text' is given twice");
  assert_fault(PARSE("--flag", "--no-flag"), KN_INVALID_ARGUMENT, "--no-flag: 'flag' is given twice");
  assert_fault(PARSE("--numbers", "1", "--numbers", "2"), KN_INVALID_ARGUMENT, "'numbers' is given twice");
  parsed p = PARSE("--words", "a", "b", "--words=c", "--words", "d");
  assert_null(p.status);
  assert_int_equal(p.self->words.count, 4);
  assert_string_equal(p.self->words.items[2], "c");
  assert_string_equal(p.self->words.items[3], "d");
  clear(&p);
}

/* "--Class.flag" goes to the blocks of that class; a path that two frameworks have must name its class. */
static void a_class_in_front_chooses_the_block(void **state) {
  (void)state;
  kn_class other = example_class;
  other.name = "somewhere.else.Other";
  other.framework = "other";
  kn_instance first, second;
  kt_assert_ok(kn_instance_create(&example_class, &first));
  kt_assert_ok(kn_instance_create(&other, &second));
  kn_instance *instances[] = {&first, &second};
  char *argv[] = {(char *)(uintptr_t) "command", (char *)(uintptr_t) "--Other.number=9",
                  (char *)(uintptr_t) "--Other.file", (char *)(uintptr_t) "x"};
  kn_positionals positionals;
  bool help;
  kt_assert_ok(kn_arguments_parse(4, argv, instances, 2, &positionals, &help));
  assert_int_not_equal(((example *)first.self)->number, 9);
  assert_int_equal(((example *)second.self)->number, 9);
  assert_null(((example *)first.self)->file);
  assert_string_equal(((example *)second.self)->file, "x");
  kn_free(positionals.items);
  argv[1] = (char *)(uintptr_t) "--Another.number=9";
  kt_assert_fault(kn_arguments_parse(2, argv, instances, 2, &positionals, &help), KN_NOT_FOUND,
                  "unknown flag --Another.number");
  kn_free(positionals.items);
  first.given = second.given = 0;
  argv[1] = (char *)(uintptr_t) "--file=x";
  kt_assert_fault(kn_arguments_parse(2, argv, instances, 2, &positionals, &help), KN_INVALID_ARGUMENT,
                  "say which one is meant");
  kn_free(positionals.items);
  kn_instance_destroy(&first);
  kn_instance_destroy(&second);
}

typedef struct values {
  int64_t count, batch_size;
} values;
static const kn_option command_options[] = {
    {"count", "How many", KN_OPTION_INT, 0, KN_FIELD(values, count), .def.i = 2},
    {"batch_size", "Of training", KN_OPTION_INT, 0, KN_FIELD(values, batch_size)},
    {0}};
static const kn_command command = {"count", "Counts", "FROM TO [--count N]", command_options, sizeof(values),
                                   false,   NULL};

static kn_status run(size_t argc, const char *const *words, kn_instance *options, kn_positionals *positionals) {
  char *argv[MAXIMUM];
  for (size_t i = 0; i < argc; i++) argv[i] = (char *)(uintptr_t)words[i];
  bool done;
  return kn_command_parse(&command, (int)argc, argv, 1, 2, options, positionals, &done);
}

static void commands_count_their_positionals(void **state) {
  (void)state;
  static const struct {
    size_t argc;
    const char *words[5], *part;
  } cases[] = {{2, {"count", "a"}, NULL},
               {4, {"count", "a", "b", "--count=5"}, NULL},
               {1, {"count"}, "1 argument is missing; usage: kenning count FROM TO"},
               {4, {"count", "a", "b", "c"}, "unexpected argument 'c'"},
               {3, {"count", "a", "--count=x"}, "must be an integer"}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    kn_instance options;
    kn_positionals positionals;
    kn_status status = run(cases[i].argc, cases[i].words, &options, &positionals);
    if (cases[i].part)
      kt_assert_fault(status, KN_INVALID_ARGUMENT, cases[i].part);
    else
      kt_assert_ok(status);
    kn_free(positionals.items);
    kn_instance_destroy(&options);
  }
}

/* "batch_size" is also another name of the data set's inference_batch_size. */
static void a_name_comes_before_other_names(void **state) {
  (void)state;
  kn_class cls = kn_command_class(&command);
  kn_instance own, block;
  kt_assert_ok(kn_instance_create(&cls, &own));
  kt_assert_ok(kn_instance_create(&example_class, &block));
  kn_instance *instances[] = {&block, &own};
  char *argv[] = {(char *)(uintptr_t) "command", (char *)(uintptr_t) "--batch-size", (char *)(uintptr_t) "32"};
  kn_positionals positionals;
  bool help;
  kt_assert_ok(kn_arguments_parse(3, argv, instances, 2, &positionals, &help));
  assert_int_equal(((values *)own.self)->batch_size, 32);
  assert_int_equal(((example *)block.self)->base.inference_batch_size, 77);
  kn_free(positionals.items);
  kn_instance_destroy(&own);
  kn_instance_destroy(&block);
}

static void memory_may_run_out(void **state) {
  (void)state;
  for (uint64_t n = 0;; n++) {
    char *argv[] = {(char *)(uintptr_t) "command", (char *)(uintptr_t) "--words", (char *)(uintptr_t) "a",
                    (char *)(uintptr_t) "b", (char *)(uintptr_t) "--bad"};
    kn_instance instance = {0};
    kn_positionals positionals = {0};
    bool help;
    kn_memory_fail_after(n);
    kn_status status = kn_instance_create(&example_class, &instance);
    if (!status) {
      kn_instance *instances[] = {&instance};
      status = kn_arguments_parse(5, argv, instances, 1, &positionals, &help);
    }
    kn_memory_fail_after(UINT64_MAX);
    kn_code code = kn_status_code(status);
    kn_status_free(status);
    kn_free(positionals.items);
    kn_instance_destroy(&instance);
    if (code == KN_OUT_OF_MEMORY) continue;
    assert_int_equal(code, KN_NOT_FOUND);
    break;
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(flags_take_values_in_both_forms),
      cmocka_unit_test(switches),
      cmocka_unit_test(lists_take_all_up_to_the_next_flag),
      cmocka_unit_test(positionals_keep_their_order),
      cmocka_unit_test(aliases_are_flags_too),
      cmocka_unit_test(a_missing_value_is_not_taken_from_the_next_flag),
      cmocka_unit_test(unknown_flags_suggest_the_nearest),
      cmocka_unit_test(all_faults_come_at_once),
      cmocka_unit_test(help_is_noticed_anywhere),
      cmocka_unit_test(flags_reach_every_block_that_has_them),
      cmocka_unit_test(a_row_is_given_once),
      cmocka_unit_test(a_class_in_front_chooses_the_block),
      cmocka_unit_test(commands_count_their_positionals),
      cmocka_unit_test(a_name_comes_before_other_names),
      cmocka_unit_test(memory_may_run_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
