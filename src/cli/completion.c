/* completion: scripts for bash, zsh and fish, from the command and option tables. */
#include "cli/command.h"
#include "core/registry.h"

#include <stdio.h>
#include <string.h>

/* Flags of a command; those of a scenario's blocks where the command takes block flags. */
static bool takes_blocks(const kn_command *command) {
  return command->chains || !strcmp(command->name, "model_training") || !strcmp(command->name, "inference_tester") ||
         !strcmp(command->name, "inference_performance");
}

static void print_flags(const kn_class *cls, const char *separator) {
  const kn_option *row;
  char flag[96];
  for (size_t i = 0; (row = kn_option_at(cls, i)); i++) printf("%s%s", separator, kn_option_flag(row, flag));
}

static void print_command_flags(const kn_command *command) {
  if (command->options) {
    kn_class cls = kn_command_class(command);
    print_flags(&cls, " ");
  }
  printf(" --help");
  for (size_t i = 0; takes_blocks(command) && i < kn_registry_count(); i++) print_flags(kn_registry_at(i)->cls, " ");
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

/* zsh runs the bash script through its own bashcompinit. */
static void print_bash(bool zsh, const choice_rows *rows) {
  if (zsh) printf("#compdef kenning\nautoload -U +X bashcompinit && bashcompinit\n");
  printf(
      "_kenning() {\n  local word=\"${COMP_WORDS[COMP_CWORD]}\" words=\"\"\n  COMPREPLY=()\n"
      "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n    words=\"");
  print_command_names();
  printf(
      "\"\n  elif [[ \"${COMP_WORDS[COMP_CWORD-1]}\" == *-cls || \"${COMP_WORDS[1]}\" == info ]]; then\n    words=\"");
  print_class_names();
  printf(
      "\"\n    [ \"${COMP_WORDS[COMP_CWORD-1]}\" = --runtime-cls ] && words+=\" auto\"\n"
      "  elif [[ \"${COMP_WORDS[COMP_CWORD-1]}\" == @(");
  for (size_t i = 0, printed = 0; i < rows->count; i++)
    if (is_first(rows, i)) printf("%s%s", printed++ ? "|" : "", rows->items[i].flag);
  printf(") ]]; then\n    case \"${COMP_WORDS[COMP_CWORD-1]}\" in\n");
  for (size_t i = 0; i < rows->count; i++) {
    if (!is_first(rows, i)) continue;
    printf("      %s) words=\"", rows->items[i].flag);
    print_choices(rows, i);
    printf("\" ;;\n");
  }
  printf("    esac\n  elif [[ \"$word\" == -* ]]; then\n    case \"${COMP_WORDS[1]}\" in\n");
  for (const kn_command *command = kn_commands; command->name; command++) {
    printf("      %s) words=\"", command->name);
    print_command_flags(command);
    printf("\" ;;\n");
  }
  printf(
      "    esac\n  else\n    COMPREPLY=($(compgen -f -- \"$word\"))\n    return\n  fi\n"
      "  COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n}\n"
      "complete -o filenames -F _kenning kenning\n");
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
      if (takes_blocks(command)) printf(" %s", command->name);
    printf("' -l %s -r -f -a '", rows->items[i].flag + 2);
    print_choices(rows, i);
    printf("'\n");
  }
  printf("complete -c kenning -n '__fish_seen_subcommand_from info' -f -a '");
  print_class_names();
  printf("'\n");
}

int kn_command_completion(int argc, char **argv) {
  kn_instance options;
  kn_positionals shell;
  bool done;
  kn_status status = kn_command_parse(kn_command_find("completion"), argc, argv, 1, 1, &options, &shell, &done);
  choice_rows rows = {0};
  if (!status && !done) status = kn_registry_load();
  if (!status && !done) status = gather_choices(&rows);
  if (!status && !done) {
    if (!strcmp(shell.items[0], "bash"))
      print_bash(false, &rows);
    else if (!strcmp(shell.items[0], "zsh"))
      print_bash(true, &rows);
    else if (!strcmp(shell.items[0], "fish"))
      print_fish(&rows);
    else
      status = kn_status_make(KN_NOT_FOUND, "there is no completion for '%.64s'; there is one for bash, zsh and fish",
                              shell.items[0]);
  }
  kn_free(rows.items);
  kn_free(shell.items);
  kn_instance_destroy(&options);
  return kn_command_finish(status);
}
