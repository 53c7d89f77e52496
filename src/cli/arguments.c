#include "cli/command.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

const kn_choice kn_verbosity_choices[] = {{"DEBUG", 0, "everything"},           {"INFO", 1, "progress"},
                                          {"WARNING", 2, "what may be wrong"},  {"ERROR", 3, "what is wrong"},
                                          {"CRITICAL", 4, "what ends the run"}, {0}};

/* The original spells some flags with '_'. */
static bool same_flag(const char *name, const char *flag, size_t length) {
  if (strlen(name) != length) return false;
  for (size_t i = 0; i < length; i++)
    if (name[i] != (flag[i] == '_' ? '-' : flag[i])) return false;
  return true;
}

/* Row of `cls` with this flag (without "=value"), or with "--no-" in front of a switch. `aliases`: other names count
 * too. */
static const kn_option *row_of_flag(const kn_class *cls, const char *flag, size_t length, bool aliases,
                                    size_t *out_index, bool *out_negated) {
  const kn_option *row;
  for (size_t i = 0; (row = kn_option_at(cls, i)); i++) {
    char name[96];
    kn_option_flag(row, name);
    *out_index = i;
    *out_negated = false;
    if (same_flag(name, flag, length)) return row;
    if (row->type == KN_OPTION_BOOL && length > 5 && !strncmp(flag, "--no-", 5) &&
        same_flag(name + 2, flag + 5, length - 5)) {
      *out_negated = true;
      return row;
    }
    for (const char *const *alias = row->aliases; aliases && alias && *alias; alias++) {
      snprintf(name, sizeof name, "--%s", *alias);
      for (char *c = name; *c; c++)
        if (*c == '_') *c = '-';
      /* "--root" was never a flag of the original: aliases serve JSON and the long flags of the library example. */
      if (same_flag(name, flag, length)) return row;
    }
  }
  return NULL;
}

static bool is_list(const kn_option *row) {
  return row->type == KN_OPTION_STRING_LIST || row->type == KN_OPTION_INT_LIST;
}

/* Also "--", behind which everything is positional. */
static bool is_flag(const char *argument) { return argument[0] == '-' && argument[1] == '-'; }

static kn_status unknown_flag(const char *flag, size_t length, kn_instance **instances, size_t instance_count) {
  char names[256][96];
  const char *pointers[256];
  size_t count = 0;
  for (size_t k = 0; k < instance_count; k++) {
    const kn_option *row;
    for (size_t i = 0; count < 256 && (row = kn_option_at(instances[k]->cls, i)); i++)
      pointers[count] = kn_option_flag(row, names[count]), count++;
  }
  char given[96];
  snprintf(given, sizeof given, "%.*s", (int)(length < 95 ? length : 95), flag);
  const char *near = kn_closest_name(given, pointers, count);
  bool from_file = instance_count == 1 && kn_option_find(instances[0]->cls, "json_cfg", NULL);
  return kn_status_make(KN_NOT_FOUND, "unknown flag %s%s%s%s", given, near ? "; did you mean " : "", near ? near : "",
                        near        ? "?"
                        : from_file ? "; --help lists them, and the flags of blocks where classes are named in place "
                                      "of a scenario"
                                    : "; --help lists them");
}

/* A flag as written: "--name", "--name=value", "--Class.name" for the blocks of one class. */
typedef struct given_flag {
  char where[96];  /* as written, without the value; cut */
  char name[96];   /* without the class: "--name" */
  size_t length;   /* of `name`, or of what it was cut from */
  const char *cls; /* of the prefix, not terminated; NULL: all blocks */
  size_t cls_length;
  const char *value; /* behind '='; or NULL */
  bool aliases;      /* other names of rows count too */
} given_flag;

static given_flag read_flag(const char *text) {
  given_flag flag = {.value = strchr(text, '=')};
  size_t length = flag.value ? (size_t)(flag.value - text) : strlen(text);
  if (flag.value) flag.value++;
  snprintf(flag.where, sizeof flag.where, "%.*s", (int)(length < 95 ? length : 95), text);
  const char *dot = memchr(text, '.', length), *name = text + 2;
  if (dot) {
    flag.cls = text + 2;
    flag.cls_length = (size_t)(dot - flag.cls);
    name = dot + 1;
  }
  flag.length = length - (size_t)(name - text) + 2;
  snprintf(flag.name, sizeof flag.name, "--%.*s", (int)(flag.length < 95 ? flag.length - 2 : 93), name);
  return flag;
}

static const kn_option *row_in(const kn_instance *instance, const given_flag *flag, size_t *out_index,
                               bool *out_negated) {
  const char *name = kn_class_short_name(instance->cls);
  if (flag->cls && (strlen(name) != flag->cls_length || strncmp(name, flag->cls, flag->cls_length))) return NULL;
  if (flag->cls && !instance->cls->kind) return NULL; /* the command itself is no class */
  if (flag->length >= sizeof flag->name) return NULL;
  return row_of_flag(instance->cls, flag->name, flag->length, flag->aliases, out_index, out_negated);
}

static bool differ(const char *one, const char *other) { return one && other ? strcmp(one, other) != 0 : one != other; }

/* One file cannot serve two frameworks, and two blocks cannot write one: such a flag has to name its class. Everything
 * else that several blocks have (num_threads, target, ...) means the same to all and reaches all. */
static kn_status check_ambiguous(const given_flag *flag, kn_instance **instances, size_t instance_count) {
  const kn_instance *first = NULL;
  size_t index;
  bool negated;
  for (size_t k = 0; k < instance_count; k++) {
    const kn_option *row = row_in(instances[k], flag, &index, &negated);
    if (!row || row->type != KN_OPTION_PATH) continue;
    if (!first) {
      first = instances[k];
      continue;
    }
    if (!(row->flags & KN_OPTION_OUTPUT) && !differ(first->cls->framework, instances[k]->cls->framework)) continue;
    const char *one = kn_class_short_name(first->cls), *other = kn_class_short_name(instances[k]->cls);
    if (first->cls == instances[k]->cls)
      return kn_status_make_at(KN_INVALID_ARGUMENT, flag->where,
                               "there is more than one %s, and each needs its own: write the scenario as JSON", one);
    return kn_status_make_at(KN_INVALID_ARGUMENT, flag->where,
                             "%s and %s both have this path: say which one is meant, --%s.%s or --%s.%s", one, other,
                             one, flag->name + 2, other, flag->name + 2);
  }
  return NULL;
}

static kn_status needs_choice(const kn_option *row, const char *where) {
  char names[256] = "";
  for (const kn_choice *choice = row->choices; choice->name; choice++) {
    size_t used = strlen(names);
    snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "", choice->name);
  }
  return kn_status_make_at(KN_INVALID_ARGUMENT, where, "needs one of: %s", names);
}

/* The words that are the flag's value: argv[first] up to argv[*end], *end excluded. */
static kn_status set_row(int argc, char **argv, int first, const given_flag *flag, kn_instance *instance,
                         const kn_option *row, size_t index, bool negated, int *end) {
  bool again = kn_instance_was_given(instance, index), list = is_list(row);
  *end = first;
  if (!list && !flag->value && row->type != KN_OPTION_BOOL && first < argc && !is_flag(argv[first])) *end = first + 1;
  while (list && !flag->value && *end < argc && !is_flag(argv[*end])) ++*end;
  /* Lists of names grow with every further flag; a shape is given once. */
  if (again && row->type != KN_OPTION_STRING_LIST)
    return kn_status_make_at(KN_INVALID_ARGUMENT, flag->where, "'%s' is given twice", row->name);
  if (flag->value && negated) return kn_status_make_at(KN_INVALID_ARGUMENT, flag->where, "takes no value");
  if (flag->value && list) return kn_instance_append_text(instance, row, index, flag->value, !again, flag->where);
  if (flag->value) return kn_instance_set_text(instance, row, index, flag->value, flag->where);
  if (row->type == KN_OPTION_BOOL)
    return kn_instance_set_text(instance, row, index, negated ? "false" : "true", flag->where);
  if (*end == first && row->choices) return needs_choice(row, flag->where);
  if (*end == first) /* a value that starts like a flag is given behind '=' */
    return kn_status_make_at(KN_INVALID_ARGUMENT, flag->where, "needs %s",
                             list ? "at least one value" : kn_option_type_name(row));
  if (!list) return kn_instance_set_text(instance, row, index, argv[first], flag->where);
  for (int i = first; i < *end; i++)
    KN_TRY(kn_instance_append_text(instance, row, index, argv[i], !again && i == first, flag->where));
  return NULL;
}

/* Sets one flag in every instance that has it; *at is the index of the flag and moves past what it took. */
static kn_status parse_flag(int argc, char **argv, int *at, kn_instance **instances, size_t instance_count) {
  given_flag flag = read_flag(argv[*at]);
  int first = *at + 1, furthest = first;
  bool known = false, negated;
  size_t index;
  /* A name of one row may be another name of a second one: --batch-size is training's, not the data set's. */
  flag.aliases = false;
  bool own = false;
  for (size_t k = 0; k < instance_count; k++) own |= row_in(instances[k], &flag, &index, &negated) != NULL;
  flag.aliases = !own;
  kn_status faults = check_ambiguous(&flag, instances, instance_count);
  for (size_t k = 0; k < instance_count; k++) {
    const kn_option *row = row_in(instances[k], &flag, &index, &negated);
    if (!row) continue;
    known = true;
    int end;
    kn_status status = set_row(argc, argv, first, &flag, instances[k], row, index, negated, &end);
    if (end > furthest) furthest = end;
    if (faults && status)
      kn_status_free(status); /* the same fault of the same flag, seen by another block */
    else if (status)
      faults = status;
  }
  *at = furthest;
  return known ? faults : unknown_flag(argv[first - 1], strlen(flag.where), instances, instance_count);
}

kn_status kn_arguments_parse(int argc, char **argv, kn_instance **instances, size_t instance_count,
                             kn_positionals *out_positionals, bool *out_help) {
  *out_positionals = (kn_positionals){0};
  *out_help = false;
  const char **items = kn_alloc_array((size_t)argc, sizeof *items);
  if (!items) return kn_status_out_of_memory();
  out_positionals->items = items;
  kn_status faults = NULL;
  for (int i = 1; i < argc;) {
    if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
      *out_help = true;
      i++;
    } else if (!strncmp(argv[i], "--help=", 7)) {
      faults = kn_status_join(faults, kn_status_make_at(KN_INVALID_ARGUMENT, "--help", "takes no value"));
      i++;
    } else if (!strcmp(argv[i], "--")) {
      for (i++; i < argc; i++) items[out_positionals->count++] = argv[i];
    } else if (argv[i][0] == '-' && argv[i][1] && argv[i][1] != '-') {
      faults = kn_status_join(faults, kn_status_make(KN_NOT_FOUND, "unknown flag %.64s; --help lists them", argv[i]));
      i++;
    } else if (is_flag(argv[i])) {
      faults = kn_status_join(faults, parse_flag(argc, argv, &i, instances, instance_count));
    } else {
      items[out_positionals->count++] = argv[i++];
    }
  }
  return faults;
}

static void print_rows(const kn_class *cls) {
  const kn_option *row;
  for (size_t i = 0; (row = kn_option_at(cls, i)); i++) {
    char flag[96], text[256], head[160];
    kn_option_flag(row, flag);
    static const char *const values[] = {[KN_OPTION_BOOL] = "",
                                         [KN_OPTION_INT] = " N",
                                         [KN_OPTION_FLOAT] = " X",
                                         [KN_OPTION_STRING] = " TEXT",
                                         [KN_OPTION_PATH] = " PATH",
                                         [KN_OPTION_ENUM] = " CHOICE",
                                         [KN_OPTION_STRING_LIST] = " TEXT...",
                                         [KN_OPTION_INT_LIST] = " N..."};
    snprintf(head, sizeof head, "%s%s", flag, values[row->type]);
    printf("  %-34s %s", head, row->help);
    if (row->choices) {
      printf(" (");
      for (const kn_choice *choice = row->choices; choice->name; choice++)
        printf("%s%s", choice == row->choices ? "" : ", ", choice->name);
      printf(")");
    }
    if (row->flags & KN_OPTION_REQUIRED)
      printf(" [required]");
    else if (row->type != KN_OPTION_BOOL && strcmp(kn_option_default_text(row, text, sizeof text), "null") &&
             strcmp(text, "[]") && strcmp(text, "\"\""))
      printf(" [%s]", text);
    printf("\n");
  }
}

void kn_arguments_help(const kn_command *command, kn_instance **blocks, size_t block_count) {
  bool itself = !strncmp(command->name, "kenning", 7); /* kenning-server */
  printf("usage: %s%s%s%s\n\n%s\n", itself ? "" : "kenning ", command->chains ? "" : command->name,
         command->chains ? "" : kn_usage_gap(command), command->usage, command->summary);
  if (command->options) {
    kn_class cls = kn_command_class(command);
    printf("\nflags:\n");
    print_rows(&cls);
  }
  for (size_t i = 0; i < block_count; i++) {
    printf("\n%s:\n", strrchr(blocks[i]->cls->name, '.') + 1);
    print_rows(blocks[i]->cls);
  }
  if (!block_count && kn_command_takes_blocks(command))
    printf("\nThe flags of blocks are taken too: where their classes are named, --help lists them.\n");
  if (block_count > 1)
    printf("\nA flag that several blocks have reaches all of them; --CLASS.FLAG reaches the blocks of one class.\n");
}

bool kn_command_takes_blocks(const kn_command *command) {
  static const char *const names[] = {"model_training", "inference_tester", "inference_performance"};
  for (size_t i = 0; i < 3; i++)
    if (!strcmp(command->name, names[i])) return true;
  return command->chains;
}

kn_class kn_command_class(const kn_command *command) {
  return (kn_class){.struct_size = sizeof(kn_class),
                    .name = command->name,
                    .summary = command->summary,
                    .options = command->options,
                    .instance_size = command->options_size ? command->options_size : 1};
}

kn_status kn_command_parse(const kn_command *command, int argc, char **argv, size_t minimum, size_t maximum,
                           kn_instance *out_options, kn_positionals *out_positionals, bool *out_done) {
  *out_options = (kn_instance){0};
  *out_positionals = (kn_positionals){0};
  *out_done = false;
  static kn_class cls; /* one command runs per process */
  cls = kn_command_class(command);
  KN_TRY(kn_instance_create(&cls, out_options));
  kn_instance *instances[] = {out_options};
  bool help;
  kn_status status = kn_arguments_parse(argc, argv, instances, 1, out_positionals, &help);
  if (help) {
    kn_status_free(status);
    kn_arguments_help(command, NULL, 0);
    *out_done = true;
    return NULL;
  }
  size_t given = out_positionals->count;
  if (given < minimum)
    status = kn_status_join(status, kn_status_make(KN_INVALID_ARGUMENT, "%zu argument%s missing; usage: kenning %s%s%s",
                                                   minimum - given, minimum - given == 1 ? " is" : "s are",
                                                   command->name, kn_usage_gap(command), command->usage));
  if (given > maximum)
    status = kn_status_join(
        status, kn_status_make(KN_INVALID_ARGUMENT, "unexpected argument '%.200s'; usage: kenning %s%s%s",
                               out_positionals->items[maximum], command->name, kn_usage_gap(command), command->usage));
  return status;
}
