/* list and info: what blocks there are. */
#include "cli/options.h"
#include "core/formats.h"
#include "core/record_json.h"
#include "core/registry.h"
#include "resources/installation.h"

#include <kenning/services.h>
#include <stdio.h>
#include <string.h>

/* What a block needs before it can run: NULL, or the text to show. `out` holds the text. */
static const char *lacks(const kn_class *cls, char out[128]) {
  if (!cls->ops) return cls->kind == KN_KIND_RUNTIME ? "a target that runs it" : "another program";
  if (!cls->framework) return NULL;
  if (kn_installation_there(cls->framework)) return NULL;
  snprintf(out, 128, "kenning install %s", cls->framework);
  return out;
}

static kn_status list_json(const bool *wanted) {
  kn_record *record;
  KN_TRY(kn_record_create(&record));
  kn_status status = NULL;
  for (size_t i = 0; !status && i < kn_registry_count(); i++) {
    const kn_registered *entry = kn_registry_at(i);
    if (!wanted[entry->cls->kind]) continue;
    char text[128];
    const char *need = lacks(entry->cls, text);
    kn_record *block;
    status = kn_record_append_object(record, "blocks", &block);
    if (!status) status = kn_record_set_string(block, "class", entry->cls->name);
    if (!status) status = kn_record_set_string(block, "kind", kn_kind_name(entry->cls->kind));
    if (!status) status = kn_record_set_string(block, "summary", entry->cls->summary);
    if (!status) status = kn_record_set_string(block, "plugin", entry->plugin ? entry->plugin->name : "");
    if (!status) status = kn_record_set_bool(block, "ready", need == NULL);
    if (!status && need) status = kn_record_set_string(block, "needs", need);
  }
  char *text =
      status ? NULL
             : yyjson_mut_write_opts(kn_record_document(record), YYJSON_WRITE_PRETTY, &kn_json_allocator, NULL, NULL);
  if (!status && !text) status = kn_status_out_of_memory();
  if (text) puts(text);
  kn_free(text);
  kn_record_destroy(record);
  return status;
}

static kn_status list(const kn_list_values *values, const kn_positionals *kinds) {
  bool wanted[KN_KIND_COUNT] = {false};
  for (size_t i = 0; i < kinds->count; i++) {
    const char *names[KN_KIND_COUNT];
    size_t count = 0;
    bool found = false;
    for (int kind = 1; kind < KN_KIND_COUNT; kind++) {
      const char *name = kn_kind_name((kn_kind)kind);
      names[count++] = name;
      size_t length = strlen(name);
      /* "runtimes" as well as "runtime" */
      if (strncmp(kinds->items[i], name, length) || (kinds->items[i][length] && strcmp(kinds->items[i] + length, "s")))
        continue;
      wanted[kind] = found = true;
    }
    const char *near = kn_closest_name(kinds->items[i], names, count);
    char all[256] = "";
    for (size_t k = 0, used = 0; k < count; k++, used = strlen(all))
      snprintf(all + used, sizeof all - used, "%s%s", k ? ", " : "", names[k]);
    if (!found)
      return kn_status_make(KN_NOT_FOUND, "there is no kind of block '%.64s'; %s%s%s%s", kinds->items[i],
                            near ? "did you mean '" : "the kinds are ", near ? near : all,
                            near ? "'? The kinds are " : "", near ? all : "");
  }
  KN_TRY(kn_registry_load());
  for (int kind = 1; !kinds->count && kind < KN_KIND_COUNT; kind++) wanted[kind] = true;
  if (values->json) return list_json(wanted);
  for (int kind = 1; kind < KN_KIND_COUNT; kind++) {
    if (!wanted[kind]) continue;
    bool heading = false;
    for (size_t i = 0; i < kn_registry_count(); i++) {
      const kn_class *cls = kn_registry_at(i)->cls;
      if (cls->kind != (kn_kind)kind) continue;
      if (!heading) printf("%s%ss\n", kind > 1 && !kinds->count ? "\n" : "", kn_kind_name((kn_kind)kind));
      heading = true;
      char text[128];
      const char *need = lacks(cls, text);
      printf("  %s\n      %s%s%s%s\n", cls->name, cls->summary, need ? "  [" : "", need ? need : "", need ? "]" : "");
    }
  }
  return NULL;
}

int kn_command_list(int argc, char **argv) {
  kn_instance options;
  kn_positionals kinds;
  bool done;
  kn_status status = kn_command_parse(kn_command_find("list"), argc, argv, 0, 64, &options, &kinds, &done);
  if (!status && !done) status = list(options.self, &kinds);
  kn_free(kinds.items);
  kn_instance_destroy(&options);
  return kn_command_finish(status);
}

static void print_formats(const char *heading, const char *const *formats) {
  if (!formats || !*formats) return;
  printf("%s", heading);
  for (; *formats; formats++) printf(" %s", *formats);
  printf("\n");
}

static void print_row(const kn_option *row) {
  char flag[96], text[256], lowest[32], highest[32];
  printf("  %s  (%s%s)\n", row->name, kn_option_type_name(row), row->flags & KN_OPTION_NULLABLE ? " or null" : "");
  printf("      %s\n", row->help);
  for (const kn_choice *choice = row->choices; choice && choice->name; choice++)
    printf("      \"%s\": %s\n", choice->name, choice->help);
  if (row->flags & KN_OPTION_REQUIRED)
    printf("      required");
  else
    printf("      default: %s", kn_option_default_text(row, text, sizeof text));
  if (kn_option_range_text(row, lowest, highest)) printf("; from %s to %s", lowest, highest);
  printf("; flag: %s", kn_option_flag(row, flag));
  for (const char *const *alias = row->aliases; alias && *alias; alias++) printf("; also: %s", *alias);
  printf("\n");
  if (row->deprecated) printf("      deprecated: %s\n", row->deprecated);
}

static void print_class(const kn_class *cls) {
  const kn_registered *entry = kn_registry_of(cls);
  char text[128];
  const char *need = lacks(cls, text);
  printf("%s\n  %s\n\n", cls->name, cls->summary);
  printf("kind: %s\n", kn_kind_name(cls->kind));
  if (entry && entry->plugin)
    printf("plug-in: %s %s (%s)\n", entry->plugin->name, entry->plugin->version, entry->plugin->license);
  if (entry && entry->plugin && entry->plugin->framework_version)
    printf("framework: %s %s\n", entry->plugin->name, entry->plugin->framework_version);
  print_formats("reads:", cls->input_formats);
  print_formats("writes:", cls->output_formats);
  if (need) printf("needs: %s\n", need);
  printf("\nparameters:\n");
  const kn_option *row;
  for (size_t i = 0; (row = kn_option_at(cls, i)); i++) print_row(row);
}

/* ---- formats ---- */

static const char *mark(const kn_class *cls, char out[160]) {
  char text[128];
  const char *need = lacks(cls, text);
  snprintf(out, 160, "%s%s%s%s", kn_class_short_name(cls), need ? "  [" : "", need ? need : "", need ? "]" : "");
  return out;
}

static bool reads(const kn_class *cls, const char *format) {
  for (const char *const *each = cls->input_formats; each && *each; each++)
    if (!strcmp(*each, format)) return true;
  return false;
}

static bool is_edge(const kn_class *cls, const char *from) {
  kn_conversion edge;
  for (size_t i = 0; kn_conversion_at(i, &edge); i++)
    if (edge.cls == cls && !strcmp(edge.from, from)) return true;
  return false;
}

/* One format: what comes of it by which class, and what runs it. */
static void print_format(const char *format) {
  kn_conversion edge;
  char text[160];
  printf("%s\n", format);
  for (size_t i = 0; kn_conversion_at(i, &edge); i++)
    if (!strcmp(edge.from, format)) printf("  |-> %-12s %s\n", edge.to, mark(edge.cls, text));
  for (size_t i = 0; i < kn_registry_count(); i++) {
    const kn_class *cls = kn_registry_at(i)->cls;
    if (cls->kind == KN_KIND_OPTIMIZER && reads(cls, format) && cls->output_formats && !is_edge(cls, format))
      printf("  |-> %-12s %s, where a scenario names it\n", cls->output_formats[0], mark(cls, text));
  }
  for (size_t i = 0; i < kn_registry_count(); i++) {
    const kn_class *cls = kn_registry_at(i)->cls;
    if (cls->kind == KN_KIND_RUNTIME && reads(cls, format)) printf("  runs: %s\n", mark(cls, text));
  }
}

static kn_status print_ways(void) {
  static const char *const formats[] = {"keras",       "saved_model", "tflite", "onnx",  "torch",   "torchscript",
                                        "aotinductor", "tvm",         "iree",   "mxnet", "darknet", "openvino"};
  KN_TRY(kn_registry_load());
  printf(
      "Model formats, what each is converted to by which class, and what runs it. Scenarios and `kenning convert` go\n"
      "the shortest way; optimizers that must be told something, or need samples, are used only where they are "
      "named.\n\n");
  for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) print_format(formats[i]);
  return NULL;
}

int kn_command_info(int argc, char **argv) {
  kn_instance options;
  kn_positionals names;
  bool done;
  kn_status status = kn_command_parse(kn_command_find("info"), argc, argv, 0, 64, &options, &names, &done);
  bool formats = !status && !done && ((const kn_info_values *)options.self)->formats;
  if (formats) status = print_ways();
  if (!status && !done && !formats && !names.count)
    status = kn_status_make(KN_INVALID_ARGUMENT, "info needs the name of a class, or --formats");
  for (size_t i = 0; !done && i < names.count; i++) {
    const kn_class *cls;
    kn_status found = kn_registry_find(names.items[i], 0, &cls);
    status = kn_status_join(status, found);
    if (found || status) continue;
    if (i) printf("\n");
    print_class(cls);
  }
  kn_free(names.items);
  kn_instance_destroy(&options);
  return kn_command_finish(status);
}
