/* completion: scripts for bash, zsh and fish, from the command and option tables. */
#include "cli/command.h"
#include "core/registry.h"
#include "core/text.h"

#include <stdio.h>
#include <string.h>

enum { MOST_WORDS = 4096 };

/* Appends "--flag " for each that is not there yet: many blocks have the same. */
static void add_flags(kn_text *flags, const kn_class *cls) {
  const kn_option *row;
  char flag[96], word[100];
  for (size_t i = 0; (row = kn_option_at(cls, i)); i++) {
    snprintf(word, sizeof word, " %s ", kn_option_flag(row, flag));
    if (!strstr(flags->data, word)) kn_text_add(flags, word + 1); /* what failed to grow still has its text */
  }
}

static kn_status print_command_flags(const kn_command *command) {
  kn_text flags = {0};
  kn_text_add(&flags, " --help ");
  kn_status status = kn_text_status(&flags);
  if (!status && command->options) {
    kn_class cls = kn_command_class(command);
    add_flags(&flags, &cls);
  }
  for (size_t i = 0; !status && kn_command_takes_blocks(command) && i < kn_registry_count(); i++)
    add_flags(&flags, kn_registry_at(i)->cls);
  if (!status) status = kn_text_status(&flags);
  if (!status) fputs(flags.data, stdout);
  kn_text_clear(&flags);
  return status;
}

static void print_class_names(void) {
  for (size_t i = 0; i < kn_registry_count(); i++) printf(" %s", strrchr(kn_registry_at(i)->cls->name, '.') + 1);
}

static void print_command_names(void) {
  for (const kn_command *command = kn_commands; command->name; command++) printf(" %s", command->name);
}

typedef struct choice_row {
  const kn_choice *choices;
  char flag[96];
} choice_row;

typedef struct choice_rows {
  choice_row *items;
  size_t count;
} choice_rows;

static kn_status add_choices(choice_rows *rows, const kn_class *cls) {
  const kn_option *row;
  for (size_t i = 0; (row = kn_option_at(cls, i)); i++) {
    if (!row->choices) continue;
    choice_row *items = kn_realloc(rows->items, (rows->count + 1) * sizeof *items);
    if (!items) return kn_status_out_of_memory();
    rows->items = items;
    items[rows->count].choices = row->choices;
    kn_option_flag(row, items[rows->count++].flag);
  }
  return NULL;
}

/* Of all commands and blocks. */
static kn_status gather_choices(choice_rows *rows) {
  for (const kn_command *command = kn_commands; command->name; command++) {
    kn_class cls = kn_command_class(command);
    if (command->options) KN_TRY(add_choices(rows, &cls));
  }
  for (size_t i = 0; i < kn_registry_count(); i++) KN_TRY(add_choices(rows, kn_registry_at(i)->cls));
  return NULL;
}

static bool is_first(const choice_rows *rows, size_t index) {
  for (size_t i = 0; i < index; i++)
    if (!strcmp(rows->items[i].flag, rows->items[index].flag)) return false;
  return true;
}

/* The choices of every row with the flag of row `index`: two blocks may have one flag with choices of their own. */
static void print_choices(const choice_rows *rows, size_t index) {
  const choice_row *items = rows->items;
  for (size_t i = index; i < rows->count; i++) {
    bool seen = strcmp(items[i].flag, items[index].flag) != 0;
    for (size_t k = index; k < i; k++)
      seen |= items[k].choices == items[i].choices && !strcmp(items[k].flag, items[index].flag);
    for (const kn_choice *choice = items[i].choices; !seen && choice->name; choice++) printf(" %s", choice->name);
  }
}

/* The script asks the program, so it is small and knows the plug-ins of the day. zsh runs it through its own
 * bashcompinit. Where no word is offered the shell completes files. */
static void print_bash(bool zsh) {
  if (zsh) printf("#compdef kenning\nautoload -U +X bashcompinit && bashcompinit\n");
  printf(
      "_kenning() {\n"
      "  local program=\"${COMP_WORDS[0]/#\\~/$HOME}\" word=\"${COMP_WORDS[COMP_CWORD]}\" words\n"
      "  COMPREPLY=()\n"
      "  words=$(\"$program\" completion words -- \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null) || return\n"
      "  COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
      "}\n"
      "complete -o default -F _kenning kenning\n");
}

/* ---- what the scripts ask: `kenning completion words -- WORD...`, the last of which is being typed ---- */

static bool ends_with(const char *text, const char *end) {
  size_t length = strlen(text), tail = strlen(end);
  return length >= tail && !strcmp(text + length - tail, end);
}

/* True when `flag` has choices, which are printed. */
static bool print_choices_of(const choice_rows *rows, const char *flag) {
  for (size_t i = 0; i < rows->count; i++)
    if (!strcmp(rows->items[i].flag, flag)) {
      print_choices(rows, i);
      return true;
    }
  return false;
}

static kn_status print_words(const kn_positionals *words, const choice_rows *rows) {
  size_t count = words->count;
  if (count < 2) {
    print_command_names();
    return NULL;
  }
  const char *typed = words->items[count - 1], *before = words->items[count - 2];
  if (!strcmp(before, "=") && count > 2) before = words->items[count - 3]; /* "--flag=value" is three words to bash */
  const kn_command *command = kn_command_find(words->items[0]);
  if (ends_with(before, "-cls") || !strcmp(words->items[0], "info")) {
    print_class_names();
    if (!strcmp(before, "--runtime-cls")) printf(" auto");
  } else if (!print_choices_of(rows, before) && *typed == '-' && command) {
    return print_command_flags(command);
  }
  return NULL;
}

/* Single quotes and backslashes inside a fish string. */
static void fish_string(const char *text) {
  for (; *text; text++) {
    if (*text == '\'' || *text == '\\') putchar('\\');
    putchar(*text);
  }
}

static void print_fish_rows(const char *command, const kn_class *cls) {
  const kn_option *row;
  for (size_t i = 0; (row = kn_option_at(cls, i)); i++) {
    char flag[96];
    printf("complete -c kenning -n '__fish_seen_subcommand_from %s' -l %s%s -d '", command,
           kn_option_flag(row, flag) + 2, row->type == KN_OPTION_BOOL ? "" : " -r");
    fish_string(row->help);
    printf("'");
    if (row->choices) {
      printf(" -f -a '");
      for (const kn_choice *choice = row->choices; choice->name; choice++) printf(" %s", choice->name);
      printf("'");
    }
    printf("\n");
  }
}

static void print_fish(const choice_rows *rows) {
  for (const kn_command *command = kn_commands; command->name; command++) {
    printf("complete -c kenning -n __fish_use_subcommand -f -a %s -d '", command->name);
    fish_string(command->summary);
    printf("'\n");
    if (!command->options) continue;
    kn_class cls = kn_command_class(command);
    print_fish_rows(command->name, &cls);
  }
  /* Flags of blocks, whichever block the command line names. */
  for (size_t i = 0; i < rows->count; i++) {
    if (!is_first(rows, i)) continue;
    printf("complete -c kenning -n '__fish_seen_subcommand_from");
    for (const kn_command *command = kn_commands; command->name; command++)
      if (kn_command_takes_blocks(command)) printf(" %s", command->name);
    printf("' -l %s -r -f -a '", rows->items[i].flag + 2);
    print_choices(rows, i);
    printf("'\n");
  }
  printf("complete -c kenning -n '__fish_seen_subcommand_from info' -f -a '");
  print_class_names();
  printf("'\n");
}

static kn_status complete(const kn_positionals *given, const choice_rows *rows) {
  const char *what = given->items[0];
  if (!strcmp(what, "words")) {
    const kn_positionals words = {.items = given->items + 1, .count = given->count - 1};
    return print_words(&words, rows);
  }
  if (given->count > 1)
    return kn_status_make(KN_INVALID_ARGUMENT, "completion takes one shell; '%.64s' is one word too many",
                          given->items[1]);
  if (!strcmp(what, "bash"))
    print_bash(false);
  else if (!strcmp(what, "zsh"))
    print_bash(true);
  else if (!strcmp(what, "fish"))
    print_fish(rows);
  else
    return kn_status_make(KN_NOT_FOUND, "there is no completion for '%.64s'; there is one for bash, zsh and fish",
                          what);
  return NULL;
}

int kn_command_completion(int argc, char **argv) {
  kn_instance options;
  kn_positionals given;
  bool done;
  kn_status status =
      kn_command_parse(kn_command_find("completion"), argc, argv, 1, MOST_WORDS, &options, &given, &done);
  choice_rows rows = {0};
  if (!status && !done) status = kn_registry_load();
  if (!status && !done) status = gather_choices(&rows);
  if (!status && !done) status = complete(&given, &rows);
  kn_free(rows.items);
  kn_free(given.items);
  kn_instance_destroy(&options);
  return kn_command_finish(status);
}
