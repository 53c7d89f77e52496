#include "pipeline/session.h"

#include "core/file.h"
#include "core/record_json.h"

#include <kenning/services.h>
#include <string.h>

/* ---- messages and bookkeeping ---- */

kn_status kn_session_phase(kn_session *session, const char *phase, int64_t start_ns, kn_status status) {
  return kn_status_join(status, kn_measurements_phase(session->measurements, phase, kn_now_ns() - start_ns));
}

kn_status kn_session_blame(kn_status status, const kn_instance *instance) {
  if (!instance->where) return kn_status_annotate(status, "in %s", instance->cls->name);
  return kn_status_annotate(status, "in %s at %s", instance->cls->name, instance->where);
}

kn_status kn_session_hold(kn_session *session, const char *role, const char *path, const char *format,
                          int64_t weights_bytes) {
  kn_held_model *models = kn_realloc(session->models, (session->model_count + 1) * sizeof *models);
  if (!models) return kn_status_out_of_memory();
  session->models = models;
  return kn_held_model_open(role, path, format, weights_bytes, &models[session->model_count++]);
}

const kn_dataset_options *kn_session_dataset_options(const kn_session *session) {
  return session->scenario->dataset.cls ? session->scenario->dataset.self : NULL;
}

/* ---- models ---- */

void kn_model_clear(kn_model *model) {
  kn_free(model->path);
  kn_iospec_clear(&model->spec);
  *model = (kn_model){0};
}

kn_status kn_model_read_spec(kn_model *model) {
  char *path = kn_format("%s.json", model->path);
  if (!path) return kn_status_out_of_memory();
  kn_status status = NULL;
  if (kn_file_exists(path, NULL)) {
    kn_iospec_clear(&model->spec);
    status = kn_iospec_read(path, &model->spec);
    model->has_spec = !status;
  }
  kn_free(path);
  return status;
}

static kn_status find_model(kn_session *session, kn_model *model) {
  const kn_instance *wrapper = &session->scenario->model_wrapper;
  const kn_modelwrapper_ops *ops = wrapper->cls->ops;
  const kn_modelwrapper_options *options = wrapper->self;
  model->path = kn_strdup(options->model_path ? options->model_path : "");
  if (!model->path) return kn_status_out_of_memory();
  KN_TRY(kn_session_blame(ops->format(wrapper->self, &model->format), wrapper));
  KN_TRY(kn_model_read_spec(model));
  if (model->has_spec || !ops->iospec) return NULL;
  KN_TRY(kn_session_blame(ops->iospec(wrapper->self, &model->spec), wrapper));
  model->has_spec = true;
  return NULL;
}

kn_status kn_session_model(kn_session *session, kn_model *out_model) {
  *out_model = (kn_model){0};
  int64_t start = kn_now_ns();
  kn_status status = find_model(session, out_model);
  if (status) kn_model_clear(out_model);
  return kn_session_phase(session, "inspect model", start, status);
}

/* ---- opening ---- */

static kn_status check(const kn_scenario *scenario, const kn_run_options *options) {
  if (options->warmup < 0 || options->loaders < 0)
    return kn_status_make(KN_INVALID_ARGUMENT,
                          "the numbers of warm-up inferences and of loader threads cannot be negative");
  KN_TRY(kn_scenario_check_runnable(scenario));
  if (options->convert_to_onnx) /* whoever owns the scenario has put the conversion into it and taken this away */
    return kn_status_make(
        KN_INVALID_ARGUMENT,
        "convert_to_onnx is for scenarios of files and flags: give kenning.compilers.onnx.ONNXCompiler as "
        "the first optimizer");
  return NULL;
}

static kn_status describe_run(kn_session *session) {
  kn_record *record = session->measurements->record;
  const kn_run_options *options = session->options;
  if (options->command)
    KN_TRY(kn_measurements_command(session->measurements, options->command, options->command_count));
  if (options->cfg_path) KN_TRY(kn_record_set_string(record, "cfg_path", options->cfg_path));
  return kn_record_set_value(record, "build_cfg", kn_scenario_to_json(session->scenario, kn_record_document(record)));
}

/* Labels and published splits of all samples, then the plan. */
static kn_status draw_split(kn_session *session, int64_t *labels, uint8_t *published) {
  const kn_instance *dataset = &session->scenario->dataset;
  const kn_dataset_ops *ops = dataset->cls->ops;
  const kn_dataset_options *options = dataset->self;
  const kn_dataset_info *info = &session->info;
  bool labelled = info->task == KN_TASK_CLASSIFICATION && info->classes > 0;
  for (size_t i = 0; i < info->count; i++) {
    if (labelled) KN_TRY(ops->label(dataset->self, i, &labels[i]));
    if (info->split_published && ops->published_split) published[i] = (uint8_t)ops->published_split(dataset->self, i);
  }
  return kn_split_draw(&(kn_split_request){.count = info->count,
                                           .classes = labelled ? info->classes : 0,
                                           .labels = labelled ? labels : NULL,
                                           .published = info->split_published ? published : NULL,
                                           .fraction_test = options->split_fraction_test,
                                           .fraction_validation = options->split_fraction_val,
                                           .fraction_calibration = options->split_fraction_calibration,
                                           .seed = (uint64_t)options->split_seed},
                       &session->plan);
}

static kn_status open_dataset(kn_session *session) {
  const kn_instance *dataset = &session->scenario->dataset;
  const kn_dataset_ops *ops = dataset->cls->ops;
  session->dataset_opened = true;
  KN_TRY(ops->open(dataset->self));
  kn_dataset_info *info = &session->info;
  KN_TRY(ops->info(dataset->self, info));
  if (!info->count) return kn_status_make(KN_BAD_DATA, "the data set is empty");
  int64_t *labels = kn_alloc_array(info->count, sizeof *labels);
  uint8_t *published = kn_alloc_array(info->count, sizeof *published);
  kn_status status = labels && published ? draw_split(session, labels, published) : kn_status_out_of_memory();
  kn_free(labels);
  kn_free(published);
  return status;
}

static kn_status describe_dataset(kn_session *session) {
  const kn_dataset_options *options = session->scenario->dataset.self;
  const kn_split_plan *plan = &session->plan;
  kn_record *record = session->measurements->record, *run, *counts, *seeds;
  if (session->info.task == KN_TASK_CLASSIFICATION && session->info.class_names)
    KN_TRY(kn_record_set_strings(record, "class_names", session->info.class_names, (size_t)session->info.classes));
  KN_TRY(kn_record_object(record, "run", &run));
  KN_TRY(kn_record_set_string(run, "dataset", session->scenario->dataset.cls->name));
  if (options->dataset_root) KN_TRY(kn_record_set_string(run, "dataset_root", options->dataset_root));
  KN_TRY(kn_record_set_string(run, "split", kn_split_name((kn_split)options->split)));
  KN_TRY(kn_record_object(run, "split_counts", &counts));
  for (int split = KN_SPLIT_TRAIN; split <= KN_SPLIT_TEST; split++)
    KN_TRY(kn_record_set_int(counts, kn_split_name((kn_split)split), (int64_t)plan->counts[split]));
  KN_TRY(kn_record_set_bool(run, "split_published", session->info.split_published));
  KN_TRY(kn_record_object(run, "seeds", &seeds));
  KN_TRY(kn_record_set_int(seeds, "split", options->split_seed));
  return kn_record_set_int(seeds, "run", (int64_t)session->options->seed);
}

static kn_status open_blocks(kn_session *session) {
  const kn_scenario *scenario = session->scenario;
  if (scenario->dataset.cls) {
    int64_t start = kn_now_ns();
    kn_status status = kn_session_blame(open_dataset(session), &scenario->dataset);
    KN_TRY(kn_session_phase(session, "open data set", start, status));
    KN_TRY(describe_dataset(session));
  }
  if (!scenario->model_wrapper.cls) return NULL;
  const kn_modelwrapper_ops *ops = scenario->model_wrapper.cls->ops;
  session->wrapper_opened = true;
  return kn_session_blame(ops->open(scenario->model_wrapper.self, &session->info), &scenario->model_wrapper);
}

kn_status kn_session_open(const kn_scenario *scenario, const kn_run_options *options, kn_session *out_session) {
  *out_session = (kn_session){.scenario = scenario, .options = options};
  KN_TRY(check(scenario, options));
  KN_TRY(kn_measurements_create(&out_session->measurements));
  KN_TRY(describe_run(out_session));
  int64_t start = kn_now_ns();
  kn_status status = kn_sources_fetch(scenario, &out_session->sources);
  if (status || out_session->sources.count) KN_TRY(kn_session_phase(out_session, "fetch", start, status));
  return open_blocks(out_session);
}

void kn_session_close(kn_session *session) {
  const kn_scenario *scenario = session->scenario;
  if (session->wrapper_opened)
    ((const kn_modelwrapper_ops *)scenario->model_wrapper.cls->ops)->close(scenario->model_wrapper.self);
  if (session->dataset_opened) ((const kn_dataset_ops *)scenario->dataset.cls->ops)->close(scenario->dataset.self);
  kn_sources_restore(&session->sources);
  kn_split_clear(&session->plan);
  for (size_t i = 0; i < session->model_count; i++) kn_held_model_close(&session->models[i]);
  kn_free(session->models);
  *session = (kn_session){0};
}
