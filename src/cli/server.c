#include "cli/server.h"

#include "core/log.h"
#include "core/registry.h"
#include "core/scenario.h"
#include "target/server.h"
#include "target/spawn.h"
#include "target/worker.h"

#include <stdio.h>
#include <string.h>

const kn_option kn_server_options[] = {
    {"json_cfg", "Scenario: its runtime and runtime_protocol are served", KN_OPTION_PATH, 0,
     KN_FIELD(kn_server_values, json_cfg), .aliases = (const char *const[]){"cfg", NULL}},
    {"launcher", "Program, with its arguments, by which the process of a client is started: \"taskset -c 1\", \"nice\"",
     KN_OPTION_STRING, 0, KN_FIELD(kn_server_values, launcher)},
    KN_VERBOSITY_ROW(kn_server_values),
    {0}};

/* ---- a worker: how a server starts itself. Nobody else does, so no help tells of it ---- */

typedef struct worker_values {
  kn_common_options common;
  char *model;
} worker_values;

static const kn_option worker_options[] = {
    {"worker_model", "Model that is loaded in place", KN_OPTION_PATH, 0, KN_FIELD(worker_values, model)},
    KN_VERBOSITY_ROW(worker_values),
    {0}};

/* Of `path`, if there is one; then what can be known to be wrong. */
static kn_status read_scenario(const char *path, kn_scenario *scenario) {
  if (path) KN_TRY(kn_scenario_read_target(path, scenario));
  KN_TRY(kn_scenario_check_runnable(scenario));
  if (scenario->runtime.cls->ops) return NULL;
  return kn_status_make(KN_INVALID_ARGUMENT, "this program has no %s: it is one of static targets",
                        scenario->runtime.cls->name);
}

/* Serves the client on KN_WORKER_CLIENT_FD. `argv` is "--worker" and what follows. */
static kn_status work(int argc, char **argv) {
  const kn_command command = {
      .name = "worker", .summary = "", .usage = "", .options = worker_options, .options_size = sizeof(worker_values)};
  const kn_class cls = kn_command_class(&command);
  kn_instance options, *list = &options;
  kn_scenario scenario = {0};
  kn_positionals positionals = {0};
  bool help;
  kn_child_bind_to_parent();
  KN_TRY(kn_registry_load());
  KN_TRY(kn_instance_create(&cls, &options));
  kn_status status = kn_arguments_parse(argc, argv, &list, 1, &positionals, &help);
  const worker_values *values = options.self;
  if (!status) kn_log_set_level((kn_log_level)values->common.verbosity);
  if (!status) status = read_scenario(KN_WORKER_CONFIG, &scenario);
  if (!status) status = kn_worker_run(&scenario, KN_WORKER_CLIENT_FD, values->model);
  kn_free(positionals.items);
  kn_scenario_clear(&scenario);
  kn_instance_destroy(&options);
  return status;
}

/* ---- a server ---- */

/* One command line under way. */
typedef struct kn_serving {
  kn_command command;
  kn_class cls;
  kn_instance options;
  kn_scenario scenario;
  bool help;
} kn_serving;

static kn_status make(const char *name, kn_kind kind, kn_instance *instance) {
  const kn_class *cls;
  KN_TRY(kn_registry_find(name, kind, &cls));
  return kn_instance_create(cls, instance);
}

/* Classes come first: their flags are known only then. */
static kn_status parse(kn_serving *serving, int argc, char **argv) {
  kn_instance *instances[3] = {&serving->options};
  size_t count = 1;
  int classes = 0;
  kn_status faults = NULL;
  KN_TRY(kn_instance_create(&serving->cls, &serving->options));
  if (argc > 2 && argv[1][0] != '-' && argv[2][0] != '-') {
    classes = 2;
    faults = make(argv[1], KN_KIND_RUNTIMEPROTOCOL, &serving->scenario.runtime_protocol);
    faults = kn_status_join(faults, make(argv[2], KN_KIND_RUNTIME, &serving->scenario.runtime));
    if (serving->scenario.runtime_protocol.cls) instances[count++] = &serving->scenario.runtime_protocol;
    if (serving->scenario.runtime.cls) instances[count++] = &serving->scenario.runtime;
  }
  if (faults) return faults;
  kn_positionals positionals;
  faults = kn_arguments_parse(argc - classes, argv + classes, instances, count, &positionals, &serving->help);
  if (positionals.count)
    faults = kn_status_join(faults, kn_status_make(KN_INVALID_ARGUMENT, "unexpected argument '%.200s'; usage: %s %s",
                                                   positionals.items[0], argv[0], serving->command.usage));
  kn_free(positionals.items);
  if (serving->help) {
    kn_status_free(faults);
    kn_arguments_help(&serving->command, instances + 1, count - 1);
    return NULL;
  }
  for (size_t i = 1; i < count; i++) faults = kn_status_join(faults, kn_instance_check_required(instances[i]));
  return faults;
}

static kn_status serve(kn_serving *serving, const char *const *worker) {
  const kn_server_values *values = serving->options.self;
  kn_log_set_level((kn_log_level)values->common.verbosity);
  const char *path = values->json_cfg;
  bool classes = serving->scenario.runtime.cls && serving->scenario.runtime_protocol.cls;
  if (!path && !classes)
    return kn_status_make(KN_INVALID_ARGUMENT,
                          "what is to be served? Give --json-cfg, or the classes of the protocol "
                          "and the runtime");
  if (path && classes)
    return kn_status_make(KN_INVALID_ARGUMENT, "what is served is given twice: by --json-cfg and by classes");
  KN_TRY(read_scenario(path, &serving->scenario));
  static const char *const names[] = {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"};
  const char *arguments[8];
  size_t count = 0;
  for (; count < 4 && worker[count]; count++) arguments[count] = worker[count];
  arguments[count++] = "--verbosity";
  arguments[count++] = names[values->common.verbosity];
  arguments[count] = NULL;
  const kn_server_request request = {
      .scenario = &serving->scenario, .worker_arguments = arguments, .launcher = values->launcher};
  return kn_server_run(&request);
}

int kn_serve(int argc, char **argv, const char *const *worker) {
  if (argc > 1 && !strcmp(argv[1], "--worker")) return kn_command_finish(work(argc - 1, argv + 1));
  kn_serving serving = {.command = {.name = argv[0],
                                    .summary = "Serve a runtime to hosts that send models and inputs",
                                    .usage = KN_SERVER_USAGE,
                                    .options = kn_server_options,
                                    .options_size = sizeof(kn_server_values)}};
  serving.cls = kn_command_class(&serving.command);
  kn_status status = kn_registry_load();
  if (!status) status = parse(&serving, argc, argv);
  if (!status && !serving.help) status = serve(&serving, worker);
  kn_scenario_clear(&serving.scenario);
  kn_instance_destroy(&serving.options);
  return kn_command_finish(status);
}
