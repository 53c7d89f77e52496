/* completion: scripts for bash, zsh and fish. They ask the program, so they are small and know the plug-ins of the day;
 * where it offers no word the shell completes files. */
#include "cli/command.h"
#include "core/registry.h"
#include "core/text.h"
#include "resources/place.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { MOST_WORDS = 4096 };

static const char bash_script[] =
    "_kenning() {\n"
    "  local program=\"${COMP_WORDS[0]/#\\~/$HOME}\" word=\"${COMP_WORDS[COMP_CWORD]}\" words\n"
    "  COMPREPLY=()\n"
    "  words=$(\"$program\" completion words -- \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null) || return\n"
    "  COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
    "}\n"
    "complete -o default -F _kenning kenning\n";

/* As a file _kenning in a directory of fpath, or sourced. */
static const char zsh_script[] =
    "#compdef kenning\n"
    "_kenning() {\n"
    "  local program=${words[1]/#\\~/$HOME} line flag tab=$'\\t'\n"
    "  local -a given offers\n"
    "  given=(\"${(@Q)words[2,CURRENT]}\")\n"
    "  if compset -P '--*='; then\n"
    "    flag=${given[-1]%%=*}\n"
    "    given[-1]=(\"$flag\" \"${given[-1]#*=}\")\n"
    "  fi\n"
    "  for line in ${(f)\"$($program completion described -- \"${given[@]}\" 2>/dev/null)\"}; do\n"
    "    offers+=(\"${${line%%$tab*}//:/\\\\:}:${line#*$tab}\")\n"
    "  done\n"
    "  if (( ${#offers} )); then\n"
    "    _describe kenning offers\n"
    "  else\n"
    "    _files\n"
    "  fi\n"
    "}\n"
    "if [[ ${funcstack[1]} == _kenning ]]; then\n"
    "  _kenning \"$@\"\n"
    "else\n"
    "  compdef _kenning kenning\n"
    "fi\n";

static const char fish_script[] =
    "function __kenning_complete\n"
    "    set -l words (commandline -opc)\n"
    "    set -l word (commandline -ct)\n"
    "    set -l flag ''\n"
    "    if string match -qr '^--[^=]*=' -- $word\n"
    "        set flag (string replace -r '=.*' '=' -- $word)\n"
    "        set -a words (string trim -r -c = -- $flag)\n"
    "        set word (string replace -r '^[^=]*=' '' -- $word)\n"
    "    end\n"
    "    set -l program (string replace -r '^~' -- $HOME $words[1])\n"
    "    set -l offers ($program completion described -- $words[2..-1] \"$word\" 2>/dev/null)\n"
    "    if set -q offers[1]\n"
    "        printf '%s\\n' $flag$offers\n"
    "    else\n"
    "        printf '%s\\n' $flag(__fish_complete_path $word)\n"
    "    end\n"
    "end\n"
    "complete -c kenning -f -a '(__kenning_complete)'\n";

/* ---- what the scripts ask: the words that may stand where the last one is being typed ---- */

/* Appends a line "NAME<tab>HELP" unless there is one of that name: many blocks have the same flags. */
static void offer(kn_text *offers, const char *name, const char *help) {
  char start[160];
  snprintf(start, sizeof start, "\n%s\t", name);
  if (offers->data && strstr(offers->data, start)) return;
  kn_text_format(offers, "\n%s\t%s", name, help ? help : "");
}

static void offer_commands(kn_text *offers, bool only_chains) {
  for (const kn_command *command = kn_commands; command->name; command++)
    if (command->chains || !only_chains) offer(offers, command->name, command->summary);
}

/* Kind 0: blocks of every kind. */
static void offer_blocks(kn_text *offers, kn_kind kind) {
  for (size_t i = 0; i < kn_registry_count(); i++) {
    const kn_class *cls = kn_registry_at(i)->cls;
    if (!kind || cls->kind == kind) offer(offers, kn_class_short_name(cls), cls->summary);
  }
}

static kn_status offer_frameworks(kn_text *offers) {
  kn_string_list names;
  KN_TRY(kn_place_backends(&names));
  for (size_t i = 0; i < names.count; i++) offer(offers, names.items[i], NULL);
  kn_place_free_names(&names);
  return NULL;
}

/* Class `index` of those whose rows are flags of the command: its own, then the blocks'. False past the end. */
static bool class_of(const kn_command *command, size_t index, kn_class *out_class) {
  size_t own = command->options ? 1 : 0, blocks = kn_command_takes_blocks(command) ? kn_registry_count() : 0;
  if (index >= own + blocks) return false;
  *out_class = index < own ? kn_command_class(command) : *kn_registry_at(index - own)->cls;
  return true;
}

static void offer_flags(kn_text *offers, const kn_command *command) {
  kn_class cls;
  const kn_option *row;
  char flag[96];
  offer(offers, "--help", "Show what the command takes");
  for (size_t i = 0; class_of(command, i, &cls); i++)
    for (size_t k = 0; (row = kn_option_at(&cls, k)); k++) offer(offers, kn_option_flag(row, flag), row->help);
}

/* Offers the choices of every row with this flag: two blocks may have one flag with choices of their own. True when a
 * value has to follow the flag. */
static bool offer_choices(kn_text *offers, const kn_command *command, const char *flag) {
  kn_class cls;
  const kn_option *row;
  char text[96];
  bool wants_value = false;
  for (size_t i = 0; class_of(command, i, &cls); i++)
    for (size_t k = 0; (row = kn_option_at(&cls, k)); k++) {
      if (strcmp(kn_option_flag(row, text), flag) != 0) continue;
      wants_value |= row->type != KN_OPTION_BOOL;
      for (const kn_choice *choice = row->choices; choice && choice->name; choice++)
        offer(offers, choice->name, choice->help);
    }
  return wants_value;
}

/* The word of the command's usage that stands for positional `index`, and its length; 0 where there is none. */
static size_t usage_word(const kn_command *command, size_t index, const char **out_word) {
  const char *word = command->usage;
  for (;; index--) {
    word += strspn(word, "[] ");
    size_t length = strcspn(word, "] "), dots = length > 3 && !strncmp(word + length - 3, "...", 3) ? 3 : 0;
    if (!length || *word == '-') return 0;
    *out_word = word;
    if (!index || dots) return length - dots;
    word += length;
  }
}

static kn_status offer_positional(kn_text *offers, const kn_command *command, size_t index) {
  if (command->chains) offer_commands(offers, true);
  const char *word = NULL;
  size_t length = usage_word(command, index, &word);
  const char *end = word + length;
  if (!length || command->chains) return NULL;
  if (length == 9 && !strncmp(word, "FRAMEWORK", length)) return offer_frameworks(offers);
  if (length == 12 && !strncmp(word, "MODELWRAPPER", length)) offer_blocks(offers, KN_KIND_MODELWRAPPER);
  if (length == 7 && !strncmp(word, "DATASET", length)) offer_blocks(offers, KN_KIND_DATASET);
  if (length == 5 && !strncmp(word, "CLASS", length)) offer_blocks(offers, 0);
  if (length == 4 && !strncmp(word, "KIND", length))
    for (int kind = 1; kind < KN_KIND_COUNT; kind++) offer(offers, kn_kind_name((kn_kind)kind), NULL);
  /* a|b|NAME: the words that are meant as they stand */
  for (const char *part = word; memchr(word, '|', length) && part < end; part += strcspn(part, "| ]") + 1) {
    char name[32];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(part, "|. ]"), part);
    if (islower((unsigned char)*name)) offer(offers, name, NULL);
  }
  return NULL;
}

static bool ends_with(const char *text, const char *end) {
  size_t length = strlen(text), tail = strlen(end);
  return length >= tail && !strcmp(text + length - tail, end);
}

static kn_status offer_words(kn_text *offers, const kn_positionals *words) {
  size_t count = words->count;
  if (count < 2) {
    offer_commands(offers, false);
    return NULL;
  }
  const kn_command *command = kn_command_find(words->items[0]);
  if (!command) return NULL;
  const char *typed = words->items[count - 1], *before = words->items[count - 2];
  if (!strcmp(before, "=") && count > 2) before = words->items[count - 3]; /* "--flag=value" is three words to bash */
  if (ends_with(before, "-cls")) {
    if (!strcmp(before, "--runtime-cls")) offer(offers, "auto", "the runtime that suits the model best");
    offer_blocks(offers, 0);
    return NULL;
  }
  if (offer_choices(offers, command, before)) return NULL;
  if (*typed == '-') {
    offer_flags(offers, command);
    return NULL;
  }
  return offer_positional(offers, command, count - 2);
}

/* `described`: one a line with its help; otherwise all in one line. */
static kn_status print_words(const kn_positionals *words, bool described) {
  kn_text offers = {0};
  kn_status status = offer_words(&offers, words);
  if (!status) status = kn_text_status(&offers);
  for (const char *line = offers.data; !status && line; line = strchr(line + 1, '\n'))
    if (described)
      printf("%.*s\n", (int)strcspn(line + 1, "\n"), line + 1);
    else
      printf(" %.*s", (int)strcspn(line + 1, "\t"), line + 1);
  kn_text_clear(&offers);
  return status;
}

static kn_status complete(const kn_positionals *given) {
  const char *what = given->items[0];
  bool described = !strcmp(what, "described");
  if (described || !strcmp(what, "words")) {
    const kn_positionals words = {.items = given->items + 1, .count = given->count - 1};
    return print_words(&words, described);
  }
  if (given->count > 1)
    return kn_status_make(KN_INVALID_ARGUMENT, "completion takes one shell; '%.64s' is one word too many",
                          given->items[1]);
  const char *script = !strcmp(what, "bash")   ? bash_script
                       : !strcmp(what, "zsh")  ? zsh_script
                       : !strcmp(what, "fish") ? fish_script
                                               : NULL;
  if (!script)
    return kn_status_make(KN_NOT_FOUND, "there is no completion for '%.64s'; there is one for bash, zsh and fish",
                          what);
  fputs(script, stdout);
  return NULL;
}

int kn_command_completion(int argc, char **argv) {
  kn_instance options;
  kn_positionals given;
  bool done;
  kn_status status =
      kn_command_parse(kn_command_find("completion"), argc, argv, 1, MOST_WORDS, &options, &given, &done);
  if (!status && !done) status = kn_registry_load();
  if (!status && !done) status = complete(&given);
  kn_free(given.items);
  kn_instance_destroy(&options);
  return kn_command_finish(status);
}
