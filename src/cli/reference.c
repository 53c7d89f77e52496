/* reference: all blocks and their parameters as Markdown; the checked-in docs/reference.md is this output. */
#include "cli/command.h"
#include "core/registry.h"

#include <stdio.h>
#include <string.h>

/* Text of a table cell: '|' would end it. */
static void cell(const char *text) {
  for (; *text; text++) {
    if (*text == '|') putchar('\\');
    putchar(*text);
  }
}

static void print_row(const kn_option *row) {
  char text[256], flag[96], lowest[32], highest[32];
  printf("| `%s`", row->name);
  for (const char *const *alias = row->aliases; alias && *alias; alias++) printf(", `%s`", *alias);
  printf(" | %s%s | ", kn_option_type_name(row), row->flags & KN_OPTION_NULLABLE ? " or null" : "");
  if (row->flags & KN_OPTION_REQUIRED)
    printf("required");
  else
    printf("`%s`", kn_option_default_text(row, text, sizeof text));
  printf(" | ");
  cell(row->help);
  if (kn_option_range_text(row, lowest, highest)) printf("; from %s to %s", lowest, highest);
  for (const kn_choice *choice = row->choices; choice && choice->name; choice++) {
    printf("%s`%s`: ", choice == row->choices ? ". " : "; ", choice->name);
    cell(choice->help);
  }
  if (row->deprecated) {
    printf(". Deprecated: ");
    cell(row->deprecated);
  }
  printf(" | `%s` |\n", kn_option_flag(row, flag));
}

static void print_class(const kn_class *cls) {
  const kn_registered *entry = kn_registry_of(cls);
  printf("\n### %s\n\n%s.\n\n`%s`", strrchr(cls->name, '.') + 1, cls->summary, cls->name);
  if (entry->plugin) printf(", from the plug-in `%s`", entry->plugin->name);
  if (!cls->ops) printf(cls->kind == KN_KIND_RUNTIME ? ". Runs on a target only" : ". Not in this program");
  printf(".\n");
  const struct {
    const char *word;
    const char *const *formats;
  } lists[] = {{"Reads", cls->input_formats}, {"Writes", cls->output_formats}};
  for (size_t i = 0; i < 2; i++) {
    if (!lists[i].formats || !*lists[i].formats) continue;
    printf("\n%s:", lists[i].word);
    for (const char *const *format = lists[i].formats; *format; format++) printf(" `%s`", *format);
    printf(".\n");
  }
  if (!kn_option_at(cls, 0)) {
    printf("\nIt has no parameters.\n");
    return;
  }
  printf("\n| parameter | type | default | meaning | flag |\n|---|---|---|---|---|\n");
  const kn_option *row;
  for (size_t i = 0; (row = kn_option_at(cls, i)); i++) print_row(row);
}

static void print_reference(void) {
  static const char *const headings[KN_KIND_COUNT] = {[KN_KIND_DATASET] = "Data sets",
                                                      [KN_KIND_MODELWRAPPER] = "Model wrappers",
                                                      [KN_KIND_OPTIMIZER] = "Optimizers",
                                                      [KN_KIND_RUNTIME] = "Runtimes",
                                                      [KN_KIND_RUNTIMEPROTOCOL] = "Runtime protocols",
                                                      [KN_KIND_DATAPROVIDER] = "Data providers",
                                                      [KN_KIND_OUTPUTCOLLECTOR] = "Output collectors",
                                                      [KN_KIND_ONNXCONVERTER] = "ONNX converters"};
  printf(
      "# Reference of the blocks\n\n"
      "Written by `kenning reference` from the option tables; do not edit. A parameter is a key of a block's\n"
      "`parameters` in a scenario and a flag on the command line.\n");
  for (int kind = 1; kind < KN_KIND_COUNT; kind++) {
    bool heading = false;
    for (size_t i = 0; i < kn_registry_count(); i++) {
      const kn_class *cls = kn_registry_at(i)->cls;
      if (cls->kind != (kn_kind)kind) continue;
      if (!heading) printf("\n## %s\n", headings[kind]);
      heading = true;
      print_class(cls);
    }
  }
}

int kn_command_reference(int argc, char **argv) {
  kn_instance options;
  kn_positionals none;
  bool done;
  kn_status status = kn_command_parse(kn_command_find("reference"), argc, argv, 0, 0, &options, &none, &done);
  if (!status && !done) status = kn_registry_load();
  if (!status && !done) print_reference();
  kn_free(none.items);
  kn_instance_destroy(&options);
  return kn_command_finish(status);
}
