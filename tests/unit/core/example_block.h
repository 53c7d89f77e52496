/* A block with an option of every type, for the tests of tables and their binding. */
#ifndef TESTS_UNIT_CORE_EXAMPLE_BLOCK_H
#define TESTS_UNIT_CORE_EXAMPLE_BLOCK_H

#include <kenning/block.h>

typedef struct example {
  kn_dataset_options base;
  bool flag;
  int64_t number;
  double share;
  char *text;
  char *file;
  char *needed;
  int choice;
  kn_string_list words;
  kn_int_list numbers;
  double nullable;
  bool number_given;
  char *of_base;
} example;

enum { EXAMPLE_RED = 10, EXAMPLE_GREEN = 20 };

#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})

static const kn_choice example_choices[] = {
    {"red", EXAMPLE_RED, "a colour"}, {"green", EXAMPLE_GREEN, "another"}, {"grass", EXAMPLE_GREEN, "the same"}, {0}};

static const kn_option example_base_options[] = {
    {"of_base", "Inherited from the base class", KN_OPTION_STRING, 0, KN_FIELD(example, of_base), .def.s = "base"},
    {"number", "Replaced by the class", KN_OPTION_INT, 0, KN_FIELD(example, number), .def.i = 1},
    {0}};

static const kn_option example_options[] = {
    {"flag", "A switch", KN_OPTION_BOOL, 0, KN_FIELD(example, flag), .def.b = true},
    {"number", "An integer", KN_OPTION_INT, 0, KN_FIELD(example, number), .def.i = 5, .min = -10, .max = 10,
     KN_GIVEN(example, number_given)},
    {"share", "A number", KN_OPTION_FLOAT, 0, KN_FIELD(example, share), .def.f = 0.25, .min = 0, .max = 1},
    {"text", "A string", KN_OPTION_STRING, KN_OPTION_NULLABLE, KN_FIELD(example, text), .def.s = "default text",
     .aliases = NAMES("textvalue", "old_text")},
    {"file", "A file", KN_OPTION_PATH, KN_OPTION_INPUT, KN_FIELD(example, file)},
    {"needed", "Something needed", KN_OPTION_STRING, KN_OPTION_REQUIRED, KN_FIELD(example, needed)},
    {"choice", "A choice", KN_OPTION_ENUM, 0, KN_FIELD(example, choice), .def.i = EXAMPLE_GREEN,
     .choices = example_choices},
    {"words", "Words", KN_OPTION_STRING_LIST, 0, KN_FIELD(example, words)},
    {"numbers", "Numbers", KN_OPTION_INT_LIST, 0, KN_FIELD(example, numbers), .def.s = "[1, -2, 30]", .min = -100,
     .max = 100},
    {"nullable", "A number that may be null", KN_OPTION_FLOAT, KN_OPTION_NULLABLE, KN_FIELD(example, nullable),
     .def.f = 0.5, .flag = "--special-flag"},
    {"inference_batch_size", "Replaces the row of the kind", KN_OPTION_INT, 0,
     KN_FIELD(example, base.inference_batch_size), .def.i = 77, .aliases = NAMES("batch_size")},
    {0}};

static const kn_class example_base_class = {.struct_size = sizeof(kn_class),
                                            .name = "tests.example.Base",
                                            .kind = KN_KIND_DATASET,
                                            .summary = "Base of the example",
                                            .options = example_base_options,
                                            .instance_size = sizeof(example)};
static const kn_class example_class = {.struct_size = sizeof(kn_class),
                                       .name = "tests.example.Example",
                                       .kind = KN_KIND_DATASET,
                                       .summary = "An option of every type",
                                       .options = example_options,
                                       .base = &example_base_class,
                                       .instance_size = sizeof(example)};

#endif
