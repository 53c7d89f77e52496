#include "cli/flags.h"
#include "core/registry.h"
#include "core/runtime_choice.h"

#include <string.h>

/* Which classes a command line names, found before their flags are known. */
typedef struct found_classes {
  const char *wrapper, *dataset, *runtime, *protocol;
  const kn_string_list *optimizers;
  size_t positional; /* how many of them were positionals */
} found_classes;

static bool is_class(const char *text) {
  const kn_class *cls;
  kn_status status = kn_registry_find(text, 0, &cls);
  kn_status_free(status);
  return !status;
}

/* Bits of the rows that may be given again: repetition of the others is for the second pass to judge. */
static uint64_t growing_rows(const kn_class *cls) {
  uint64_t rows = 0;
  const kn_option *row;
  for (size_t i = 0; i < KN_OPTION_LIMIT && (row = kn_option_at(cls, i)); i++)
    if (row->type == KN_OPTION_STRING_LIST) rows |= (uint64_t)1 << i;
  return rows;
}

/* First pass over the command line: the command's own flags are read into `options`; flags of blocks are unknown yet
 * and passed over. A word behind an unknown flag is its value unless it names a class. */
static kn_status first_pass(const kn_flags_request *request, kn_instance *options, const char **words,
                            size_t *out_count) {
  *out_count = 0;
  char **argv = request->argv;
  uint64_t growing = growing_rows(options->cls);
  for (int i = 1; i < request->argc;) {
    if (strncmp(argv[i], "--", 2)) {
      bool value = i > 1 && !strncmp(argv[i - 1], "--", 2) && !strchr(argv[i - 1], '=');
      if (!value || is_class(argv[i])) words[(*out_count)++] = argv[i];
      i++;
      continue;
    }
    int end = i + 1;
    while (end < request->argc && strncmp(argv[end], "--", 2)) end++;
    /* Ask the ordinary parser about this flag and what follows it; what it does not take stays a word. */
    kn_instance *instances[] = {options};
    kn_positionals rest;
    bool help;
    char *own[64];
    int count = 0;
    own[count++] = argv[0];
    for (int k = i; k < end && count < 64; k++) own[count++] = argv[k];
    uint64_t given = options->given;
    options->given &= growing;
    kn_status status = kn_arguments_parse(count, own, instances, 1, &rest, &help);
    options->given |= given;
    bool known = !status;
    kn_status_free(status); /* faults are reported by the second pass */
    for (size_t k = 0; known && k < rest.count; k++) words[(*out_count)++] = rest.items[k];
    kn_free(rest.items);
    i = known ? end : i + 1;
  }
  return NULL;
}

static kn_status name_classes(const kn_flags_request *request, const kn_instance *options, const char *const *words,
                              size_t count, found_classes *out) {
  *out = (found_classes){0};
  if (request->classes_offset != SIZE_MAX) {
    const kn_class_flags *flags = (const void *)((const char *)options->self + request->classes_offset);
    out->wrapper = flags->modelwrapper_cls;
    out->dataset = flags->dataset_cls;
    out->runtime = flags->runtime_cls;
    out->protocol = flags->protocol_cls;
    out->optimizers = &flags->compiler_cls;
  }
  if (!request->positional_classes) return NULL;
  if (count < 2)
    return kn_status_make(KN_INVALID_ARGUMENT, "a model wrapper and a data set are needed; usage: kenning %s%s%s",
                          request->command->name, kn_usage_gap(request->command), request->command->usage);
  out->wrapper = words[0];
  const kn_class *second;
  kn_status status = kn_registry_find(words[1], 0, &second);
  kn_status_free(status);
  /* The documentation's older order has the runtime in between. */
  if (!status && second->kind == KN_KIND_RUNTIME && count > 2) {
    out->runtime = words[1];
    out->dataset = words[2];
    out->positional = 3;
  } else {
    out->dataset = words[1];
    out->positional = 2;
  }
  return NULL;
}

static kn_status make(const char *name, kn_kind kind, kn_instance *instance) {
  if (!name) return NULL;
  const kn_class *cls;
  KN_TRY(kn_registry_find(name, kind, &cls));
  return kn_instance_create(cls, instance);
}

/* Which runtime it will be is not known before the flags are. */
static kn_status make_candidates(kn_scenario *scenario) {
  scenario->candidates = kn_alloc_array(kn_registry_count(), sizeof *scenario->candidates);
  if (!scenario->candidates) return kn_status_out_of_memory();
  for (size_t i = 0; i < kn_registry_count(); i++) {
    const kn_class *cls = kn_registry_at(i)->cls;
    if (!kn_runtime_choice_has(cls)) continue;
    KN_TRY(kn_instance_create(cls, &scenario->candidates[scenario->candidate_count]));
    scenario->candidate_count++;
  }
  return NULL;
}

static kn_status make_instances(const found_classes *found, kn_scenario *scenario) {
  kn_status faults = make(found->wrapper, KN_KIND_MODELWRAPPER, &scenario->model_wrapper);
  faults = kn_status_join(faults, make(found->dataset, KN_KIND_DATASET, &scenario->dataset));
  scenario->runtime_auto = scenario->runtime_given = found->runtime && !strcmp(found->runtime, "auto");
  faults = kn_status_join(faults, scenario->runtime_auto ? make_candidates(scenario)
                                                         : make(found->runtime, KN_KIND_RUNTIME, &scenario->runtime));
  faults = kn_status_join(faults, make(found->protocol, KN_KIND_RUNTIMEPROTOCOL, &scenario->runtime_protocol));
  size_t count = found->optimizers ? found->optimizers->count : 0;
  if (!count) return faults;
  scenario->optimizers = kn_alloc_array(count, sizeof *scenario->optimizers);
  if (!scenario->optimizers) return kn_status_join(faults, kn_status_out_of_memory());
  scenario->optimizer_count = count;
  for (size_t i = 0; i < count; i++)
    faults = kn_status_join(faults, make(found->optimizers->items[i], KN_KIND_OPTIMIZER, &scenario->optimizers[i]));
  return faults;
}

/* The instances of a scenario that exist, the candidates last. */
static size_t collect(kn_scenario *scenario, kn_instance **out) {
  size_t count = 0;
  kn_instance *blocks[] = {&scenario->model_wrapper, &scenario->dataset, &scenario->runtime,
                           &scenario->runtime_protocol};
  for (size_t i = 0; i < 4; i++)
    if (blocks[i]->cls) out[count++] = blocks[i];
  for (size_t i = 0; i < scenario->optimizer_count; i++)
    if (scenario->optimizers[i].cls) out[count++] = &scenario->optimizers[i];
  for (size_t i = 0; i < scenario->candidate_count; i++) out[count++] = &scenario->candidates[i];
  return count;
}

static bool wants_help(const kn_flags_request *request) {
  for (int i = 1; i < request->argc; i++)
    if (!strcmp(request->argv[i], "--help") || !strcmp(request->argv[i], "-h")) return true;
  return false;
}

/* Second pass: every flag is known now. */
static kn_status second_pass(const kn_flags_request *request, const found_classes *found, kn_command_line *line) {
  kn_instance_destroy(&line->options); /* `found` is not read below, except for a number */
  KN_TRY(kn_instance_create(&line->command_class, &line->options));
  kn_instance **instances =
      kn_alloc_array(5 + line->scenario.optimizer_count + line->scenario.candidate_count, sizeof *instances);
  if (!instances) return kn_status_out_of_memory();
  size_t count = collect(&line->scenario, instances + 1) + 1;
  instances[0] = &line->options;
  kn_status faults = NULL;
  if (wants_help(request)) {
    kn_arguments_help(request->command, instances + 1, count - 1);
    line->help = true;
  } else {
    bool help;
    faults = kn_arguments_parse(request->argc, request->argv, instances, count, &line->positionals, &help);
    for (size_t i = 0; i < count - line->scenario.candidate_count; i++)
      faults = kn_status_join(faults, kn_instance_check_required(instances[i]));
    size_t given = line->positionals.count < found->positional ? 0 : line->positionals.count - found->positional;
    memmove(line->positionals.items, line->positionals.items + (line->positionals.count - given),
            given * sizeof *line->positionals.items);
    line->positionals.count = given;
    if (given < request->minimum || given > request->maximum)
      faults = kn_status_join(
          faults,
          given > request->maximum
              ? kn_status_make(KN_INVALID_ARGUMENT, "unexpected argument '%.200s'; usage: kenning %s%s%s",
                               line->positionals.items[request->maximum], request->command->name,
                               kn_usage_gap(request->command), request->command->usage)
              : kn_status_make(KN_INVALID_ARGUMENT, "an argument is missing; usage: kenning %s%s%s",
                               request->command->name, kn_usage_gap(request->command), request->command->usage));
  }
  kn_free(instances);
  return faults;
}

kn_status kn_command_line_parse(const kn_flags_request *request, kn_command_line *out_line) {
  *out_line = (kn_command_line){.command_class = kn_command_class(request->command)};
  KN_TRY(kn_registry_load());
  KN_TRY(kn_instance_create(&out_line->command_class, &out_line->options));
  const char **words = kn_alloc_array((size_t)request->argc, sizeof *words);
  if (!words) return kn_status_out_of_memory();
  size_t count;
  found_classes found = {0};
  kn_status faults = first_pass(request, &out_line->options, words, &count);
  if (!faults && !(wants_help(request) && count < 2))
    faults = name_classes(request, &out_line->options, words, count, &found);
  if (!faults) faults = make_instances(&found, &out_line->scenario);
  if (!faults) faults = second_pass(request, &found, out_line);
  kn_free(words);
  return faults;
}

void kn_command_line_clear(kn_command_line *line) {
  kn_scenario_clear(&line->scenario);
  kn_instance_destroy(&line->options);
  kn_free(line->positionals.items);
  line->positionals = (kn_positionals){0};
}
