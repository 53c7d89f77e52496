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
  return kn_status_make(KN_NOT_FOUND, "unknown flag %s%s%s%s", given, near ? "; did you mean " : "", near ? near : "",
                        near ? "?" : "; --help lists them");
}

/* Sets one flag in every instance that has it; *at is the index of the flag and moves past what it took. */
static kn_status parse_flag(int argc, char **argv, int *at, kn_instance **instances, size_t instance_count) {
  const char *flag = argv[*at], *equals = strchr(flag, '=');
  size_t length = equals ? (size_t)(equals - flag) : strlen(flag);
  char where[96];
  snprintf(where, sizeof where, "%.*s", (int)(length < 95 ? length : 95), flag);
  int first = *at + 1, end = first;
  bool known = false, aliases = true, negated;
  size_t index;
  kn_status faults = NULL;
  /* A name of one row may be another name of a second one: --batch-size is training's, not the data set's. */
  for (size_t k = 0; k < instance_count; k++)
    if (row_of_flag(instances[k]->cls, flag, length, false, &index, &negated)) aliases = false;
  for (size_t k = 0; k < instance_count; k++) {
    const kn_option *row = row_of_flag(instances[k]->cls, flag, length, aliases, &index, &negated);
    if (!row) continue;
    known = true;
    kn_status status = NULL;
    if (row->type == KN_OPTION_BOOL && !equals) {
      status = kn_instance_set_text(instances[k], row, index, negated ? "false" : "true", where);
    } else if (equals && negated) {
      status = kn_status_make_at(KN_INVALID_ARGUMENT, where, "takes no value");
    } else if (equals) {
      status = kn_instance_set_text(instances[k], row, index, equals + 1, where);
    } else if (is_list(row)) {
      int stop = first;
      while (!status && stop < argc && !is_flag(argv[stop])) {
        status = kn_instance_append_text(instances[k], row, index, argv[stop], stop == first, where);
        stop++;
      }
      if (!status && stop == first) status = kn_status_make_at(KN_INVALID_ARGUMENT, where, "needs at least one value");
      end = stop > end ? stop : end;
    } else if (first >= argc || is_flag(argv[first])) { /* a value that starts so is given behind '=' */
      status = kn_status_make_at(KN_INVALID_ARGUMENT, where, "needs %s", kn_option_type_name(row));
    } else {
      status = kn_instance_set_text(instances[k], row, index, argv[first], where);
      end = first + 1;
    }
    if (faults && status)
      kn_status_free(status); /* the same fault of the same flag, seen by another block */
    else if (status)
      faults = status;
  }
  *at = end;
  return known ? faults : unknown_flag(flag, length, instances, instance_count);
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
  printf("usage: kenning %s %s\n\n%s\n", command->name, command->usage, command->summary);
  if (command->options) {
    kn_class cls = kn_command_class(command);
    printf("\nflags:\n");
    print_rows(&cls);
  }
  for (size_t i = 0; i < block_count; i++) {
    printf("\n%s:\n", strrchr(blocks[i]->cls->name, '.') + 1);
    print_rows(blocks[i]->cls);
  }
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
    status = kn_status_join(
        status, kn_status_make(KN_INVALID_ARGUMENT, "%zu argument%s missing; usage: kenning %s %s", minimum - given,
                               minimum - given == 1 ? " is" : "s are", command->name, command->usage));
  if (given > maximum)
    status =
        kn_status_join(status, kn_status_make(KN_INVALID_ARGUMENT, "unexpected argument '%.200s'; usage: kenning %s %s",
                                              out_positionals->items[maximum], command->name, command->usage));
  return status;
}
