/* The commands that run scenarios: train, optimize, test and their chain, and the original's scenarios. */
#include "cli/run.h"
#include "cli/auto.h"
#include "cli/outcome.h"
#include "core/file.h"
#include "core/formats.h"
#include "core/json.h"
#include "core/log.h"
#include "core/record_json.h"
#include "core/uri.h"
#include "measurements/results.h"

#include <kenning/resource.h>
#include <string.h>
#include <sys/stat.h>

/* From the flags; `argv` is recorded as the command. */
static kn_run_options options_from(int argc, char **argv, const kn_test_flags *test, const kn_train_flags *train) {
  kn_run_options options = kn_run_options_default();
  options.command = (const char *const *)(argv - 1); /* the program's name stands before the command's */
  options.command_count = (size_t)argc + 1;
  if (test) {
    options.convert_to_onnx = test->convert_to_onnx;
    options.save_io_specification = test->save_io_specification;
    options.warmup = test->warmup;
  }
  if (train) {
    options.batch_size = train->batch_size;
    options.learning_rate = train->learning_rate;
    options.num_epochs = train->num_epochs;
    options.logdir = train->logdir;
    options.seed = (uint64_t)train->seed;
  }
  return options;
}

/* The names that a run writes besides, whether they exist or not. */
static bool is_compiled(const kn_scenario *scenario, const char *path) {
  for (size_t i = 0; i < scenario->optimizer_count; i++) {
    const kn_optimizer_options *optimizer = scenario->optimizers[i].self;
    const char *compiled = optimizer->compiled_model_path;
    size_t length = compiled ? strlen(compiled) : 0;
    if (!compiled || strncmp(compiled, path, length) != 0) continue;
    if (!path[length] || !strcmp(path + length, ".json")) return true; /* its io specification */
  }
  return false;
}

static bool names(const kn_instance *block, const char *path) {
  const kn_option *row;
  for (size_t i = 0; block->cls && (row = kn_option_at(block->cls, i)); i++) {
    if (row->type != KN_OPTION_PATH) continue;
    const char *value = *(char *const *)(const void *)((const char *)block->self + row->offset);
    if (!value || kn_uri_is(value)) continue;
    char *specification = row->flags & KN_OPTION_MODEL ? kn_format("%s.json", value) : NULL;
    bool same = kn_file_same(path, value) || (specification && kn_file_same(path, specification));
    kn_free(specification);
    if (same) return true;
  }
  return false;
}

/* A file that some block names, or what tells of one; `path` is there. */
static bool is_input(const kn_scenario *scenario, const char *path) {
  bool named = names(&scenario->model_wrapper, path) || names(&scenario->dataset, path) ||
               names(&scenario->runtime, path) || names(&scenario->runtime_protocol, path);
  for (size_t i = 0; i < scenario->optimizer_count; i++) named = named || names(&scenario->optimizers[i], path);
  return named;
}

/* Measurements are written over measurements, of this program or of the original, and over files that are empty. */
static kn_status check_overwritten(const char *path, const struct stat *found) {
  if (!S_ISREG(found->st_mode) || !found->st_size) return NULL;
  yyjson_doc *doc;
  kn_status status = kn_json_read_plain(path, &doc);
  bool measurements = kn_results_recognize(yyjson_doc_get_root(doc));
  yyjson_doc_free(doc);
  if (kn_status_code(status) == KN_OUT_OF_MEMORY) return status;
  kn_status_free(status); /* not JSON, or not to be read */
  if (measurements) return NULL;
  return kn_status_make(KN_INVALID_ARGUMENT,
                        "%s is there and no measurement file: name another file for the measurements, or remove it",
                        path);
}

/* An output that cannot be written, or that is one of the inputs, is told before the run, not after it. */
static kn_status check_output(const kn_scenario *scenario, const char *cfg_path, const char *path) {
  struct stat found;
  if (is_compiled(scenario, path))
    return kn_status_make(KN_INVALID_ARGUMENT,
                          "%s is where the compiled model goes: name another file for the measurements", path);
  if (stat(path, &found) == 0) {
    if (kn_file_same(path, cfg_path) || is_input(scenario, path))
      return kn_status_make(KN_INVALID_ARGUMENT, "%s is an input of this run: name another file for the measurements",
                            path);
    if (S_ISDIR(found.st_mode))
      return kn_status_make(KN_INVALID_ARGUMENT, "%s is a directory: name a file for the measurements", path);
    if (!kn_file_in_place(path)) KN_TRY(check_overwritten(path, &found));
  }
  return kn_file_check_output(path);
}

/* What nobody named but the flags and the formats ask for. Conversions of a scenario from a file are there already. */
static kn_status complete(kn_scenario *scenario, kn_run_options *options, unsigned steps, const char *output,
                          const kn_common_options *common) {
  if (options->convert_to_onnx && scenario->runtime_auto)
    return kn_status_make(KN_INVALID_ARGUMENT,
                          "--convert-to-onnx does not go with a runtime that is chosen: name "
                          "kenning.compilers.onnx.ONNXCompiler as the first optimizer");
  if (options->convert_to_onnx) {
    KN_TRY(kn_scenario_convert_to_onnx(scenario, options->convert_to_onnx));
    options->convert_to_onnx = NULL;
  }
  KN_TRY(kn_scenario_bridge(scenario));
  KN_TRY(kn_scenario_check(scenario));
  if (!scenario->runtime_auto || !(steps & (KN_STEP_TEST | KN_STEP_OPTIMIZE))) return NULL;
  if (output) KN_TRY(check_output(scenario, options->cfg_path, output));
  return kn_auto_choose(scenario, output, !(steps & KN_STEP_OPTIMIZE), common);
}

static bool nothing_measured(const kn_measurements *measurements) {
  return !yyjson_mut_arr_size(yyjson_mut_obj_get(kn_record_value(measurements->record), "target_inference_step"));
}

/* What was measured; a run that failed before its first sample takes no earlier results away. */
static kn_status write_results(const kn_measurements *measurements, kn_status run, const char *output, unsigned steps) {
  struct stat found;
  if (run && nothing_measured(measurements) && stat(output, &found) == 0 && S_ISREG(found.st_mode) && found.st_size) {
    kn_log(KN_LOG_WARNING, "nothing was measured: %s holds what an earlier run measured", output);
    return NULL;
  }
  KN_TRY(kn_measurements_write(measurements, output));
  if (run) kn_log(KN_LOG_WARNING, "what was measured until then is in %s, marked as incomplete", output);
  if (!run && (steps & KN_STEP_TEST)) kn_outcome_tell(output);
  return NULL;
}

/* Runs the steps and writes the measurements to `output` (NULL: nowhere): also those of a run that ended early, marked
 * as such. */
static kn_status run_scenario(const kn_scenario *scenario, const kn_run_options *options, unsigned steps,
                              const char *output) {
  KN_TRY(kn_scenario_check_options(scenario));
  KN_TRY(kn_scenario_check_runnable(scenario));
  if (output) KN_TRY(check_output(scenario, options->cfg_path, output));
  kn_measurements *measurements = NULL;
  kn_status status = kn_pipeline_execute(scenario, options, steps, &measurements);
  if (measurements) status = kn_status_join(status, kn_auto_record(measurements->record));
  if (measurements && output) status = kn_status_join(status, write_results(measurements, status, output, steps));
  kn_measurements_destroy(measurements);
  return status;
}

/* Parses a command line, sets the verbosity, and calls `body` unless help was asked for. */
static int run_command(const kn_flags_request *request,
                       kn_status (*body)(const kn_flags_request *, kn_command_line *)) {
  kn_command_line line;
  kn_status status = kn_command_line_parse(request, &line);
  if (!status && !line.help) {
    const kn_common_options *common = line.options.self;
    kn_log_set_level((kn_log_level)common->verbosity);
    kn_resource_configure(&(kn_resource_settings){.offline = common->offline, .base_uri = common->resources_uri});
    status = body(request, &line);
  }
  kn_command_line_clear(&line);
  return kn_command_finish(status);
}

/* ---- the original's scenarios ---- */

static kn_status json_tester(const kn_flags_request *request, kn_command_line *line) {
  const kn_json_tester_values *values = line->options.self;
  kn_run_options options = options_from(request->argc, request->argv, &values->test, NULL);
  options.cfg_path = line->positionals.items[0];
  kn_scenario scenario;
  KN_TRY(kn_scenario_read(options.cfg_path, &scenario));
  unsigned steps = KN_STEP_TEST | (values->test.run_benchmarks_only ? 0 : KN_STEP_OPTIMIZE);
  kn_status status = complete(&scenario, &options, steps, line->positionals.items[1], &values->common);
  if (!status) status = run_scenario(&scenario, &options, steps, line->positionals.items[1]);
  kn_scenario_clear(&scenario);
  return status;
}

int kn_command_json_inference_tester(int argc, char **argv) {
  kn_flags_request request = {.command = kn_command_find("json_inference_tester"),
                              .argc = argc,
                              .argv = argv,
                              .classes_offset = SIZE_MAX,
                              .minimum = 2,
                              .maximum = 2};
  return run_command(&request, json_tester);
}

static kn_status tester(const kn_flags_request *request, kn_command_line *line) {
  const kn_tester_values *values = line->options.self;
  kn_run_options options = options_from(request->argc, request->argv, &values->test, NULL);
  unsigned steps = KN_STEP_TEST | (values->test.run_benchmarks_only ? 0 : KN_STEP_OPTIMIZE);
  KN_TRY(complete(&line->scenario, &options, steps, line->positionals.items[0], &values->common));
  return run_scenario(&line->scenario, &options, steps, line->positionals.items[0]);
}

int kn_command_inference_tester(int argc, char **argv) {
  kn_flags_request request = {.command = kn_command_find("inference_tester"),
                              .argc = argc,
                              .argv = argv,
                              .positional_classes = true,
                              .classes_offset = offsetof(kn_tester_values, classes),
                              .minimum = 1,
                              .maximum = 1};
  return run_command(&request, tester);
}

static kn_status performance(const kn_flags_request *request, kn_command_line *line) {
  const kn_performance_values *values = line->options.self;
  kn_run_options options = options_from(request->argc, request->argv, &values->test, NULL);
  KN_TRY(complete(&line->scenario, &options, KN_STEP_TEST, line->positionals.items[0], &values->common));
  return run_scenario(&line->scenario, &options, KN_STEP_TEST, line->positionals.items[0]);
}

int kn_command_inference_performance(int argc, char **argv) {
  kn_flags_request request = {.command = kn_command_find("inference_performance"),
                              .argc = argc,
                              .argv = argv,
                              .positional_classes = true,
                              .classes_offset = SIZE_MAX,
                              .minimum = 1,
                              .maximum = 1};
  return run_command(&request, performance);
}

static kn_status training(const kn_flags_request *request, kn_command_line *line) {
  const kn_training_values *values = line->options.self;
  kn_run_options options = options_from(request->argc, request->argv, NULL, &values->train);
  return run_scenario(&line->scenario, &options, KN_STEP_TRAIN, NULL);
}

int kn_command_model_training(int argc, char **argv) {
  kn_flags_request request = {.command = kn_command_find("model_training"),
                              .argc = argc,
                              .argv = argv,
                              .positional_classes = true,
                              .classes_offset = SIZE_MAX};
  return run_command(&request, training);
}

/* ---- train optimize test report ---- */

enum { REPORT = KN_STEP_TEST << 1 };

static unsigned step_of(const char *word) {
  static const struct {
    const char *name;
    unsigned step;
  } names[] = {{"train", KN_STEP_TRAIN}, {"optimize", KN_STEP_OPTIMIZE}, {"test", KN_STEP_TEST}, {"report", REPORT}};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (!strcmp(word, names[i].name)) return names[i].step;
  return 0;
}

/* Training and optimizing leave nothing that a report shows: in front of a report alone they leave its files alone. */
static bool writes_measurements(unsigned steps) { return steps & KN_STEP_TEST || !(steps & REPORT); }

/* What each step of the chain needs, all faults at once. */
static kn_status check_chain(unsigned steps, const kn_chain_values *values) {
  kn_status faults = NULL;
  bool run = steps & ~(unsigned)REPORT, classes = values->classes.modelwrapper_cls && values->classes.dataset_cls;
  bool any_class = values->classes.modelwrapper_cls || values->classes.dataset_cls || values->classes.runtime_cls ||
                   values->classes.protocol_cls || values->classes.compiler_cls.count;
  if (run && !values->json_cfg && !classes)
    faults = kn_status_join(faults, kn_status_make(KN_INVALID_ARGUMENT,
                                                   "which scenario? Give --json-cfg, or --modelwrapper-cls and "
                                                   "--dataset-cls with the flags of the classes"));
  if (values->json_cfg && any_class)
    faults = kn_status_join(
        faults, kn_status_make(KN_INVALID_ARGUMENT, "the scenario is given twice: by --json-cfg and by classes"));
  if ((steps & (KN_STEP_TEST | REPORT)) && !values->measurements.count)
    faults = kn_status_join(faults,
                            kn_status_make(KN_INVALID_ARGUMENT, "--measurements is needed: the file of measurements"));
  if (writes_measurements(steps) && values->measurements.count > 1)
    faults =
        kn_status_join(faults, kn_status_make(KN_INVALID_ARGUMENT, "a run writes one file; --measurements names %zu",
                                              values->measurements.count));
  if (steps == KN_STEP_OPTIMIZE && values->test.run_benchmarks_only)
    faults = kn_status_join(
        faults, kn_status_make(KN_INVALID_ARGUMENT, "--run-benchmarks-only compiles nothing: there is nothing to do"));
  if (!(steps & REPORT) && (values->report.report_path || values->report.to_html))
    faults = kn_status_join(
        faults,
        kn_status_make(KN_INVALID_ARGUMENT, "--report-path and --to-html are of the step 'report': name it, too"));
  if ((steps & REPORT) && !values->report.report_path && !values->report.to_html)
    faults =
        kn_status_join(faults, kn_status_make(KN_INVALID_ARGUMENT, "report needs --report-path, --to-html, or both"));
  return faults;
}

static void tell_idle(const kn_scenario *scenario, unsigned steps) {
  if (steps == KN_STEP_OPTIMIZE && !scenario->optimizer_count)
    kn_log(KN_LOG_WARNING, "the scenario has no optimizers: nothing is compiled");
}

/* All steps but the report. */
static kn_status run_steps(unsigned steps, const kn_flags_request *request, kn_command_line *line) {
  const kn_chain_values *values = line->options.self;
  bool writes = writes_measurements(steps) && values->measurements.count;
  const char *output = writes ? values->measurements.items[0] : NULL;
  kn_run_options options = options_from(request->argc, request->argv, &values->test, &values->train);
  if (!values->json_cfg) {
    KN_TRY(complete(&line->scenario, &options, steps, output, &values->common));
    tell_idle(&line->scenario, steps & ~(unsigned)REPORT);
    return run_scenario(&line->scenario, &options, steps & ~(unsigned)REPORT, output);
  }
  options.cfg_path = values->json_cfg;
  kn_scenario scenario;
  KN_TRY(kn_scenario_read(values->json_cfg, &scenario));
  kn_status status = complete(&scenario, &options, steps, output, &values->common);
  if (!status) tell_idle(&scenario, steps & ~(unsigned)REPORT);
  if (!status) status = run_scenario(&scenario, &options, steps & ~(unsigned)REPORT, output);
  kn_scenario_clear(&scenario);
  return status;
}

static kn_status chain(const kn_flags_request *request, kn_command_line *line) {
  const kn_chain_values *values = line->options.self;
  unsigned steps = step_of(request->argv[0]);
  for (size_t i = 0; i < line->positionals.count; i++) {
    unsigned step = step_of(line->positionals.items[i]);
    if (!step)
      return kn_status_make(KN_INVALID_ARGUMENT, "unexpected argument '%.200s'; usage: kenning %s",
                            line->positionals.items[i], KN_CHAIN_USAGE);
    if (steps & step) return kn_status_make(KN_INVALID_ARGUMENT, "'%s' is given twice", line->positionals.items[i]);
    steps |= step;
  }
  KN_TRY(check_chain(steps, values));
  if (values->test.run_benchmarks_only) steps &= ~(unsigned)KN_STEP_OPTIMIZE;
  if (steps & REPORT && steps != REPORT)
    KN_TRY(kn_run_report_check(&values->report, &values->measurements, steps & KN_STEP_TEST));
  if (steps & ~(unsigned)REPORT) KN_TRY(run_steps(steps, request, line));
  if (steps & REPORT) KN_TRY(kn_run_report(request->argc, request->argv, &values->report, &values->measurements));
  return NULL;
}

int kn_command_chain(int argc, char **argv) {
  kn_flags_request request = {.command = kn_command_find(argv[0]),
                              .argc = argc,
                              .argv = argv,
                              .classes_offset = offsetof(kn_chain_values, classes),
                              .maximum = 3};
  return run_command(&request, chain);
}
