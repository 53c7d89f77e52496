#include "pipeline/inference.h"

#include "core/crash.h"
#include "core/file.h"
#include "core/model_file.h"
#include "core/uri.h"
#include "core/record_json.h"
#include "measurements/procfs.h"
#include "measurements/sampler.h"
#include "pipeline/evaluation.h"
#include "resources/installation.h"
#include "target/isolated.h"
#include "target/remote.h"

#include <kenning/services.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SESSION_PERIOD_S 0.1
#define FULL_RUN_PERIOD_S 0.5

/* What runs the model: the scenario's runtime, or the model wrapper in its native framework. */
typedef struct kn_engine {
  const kn_instance *block;
  const kn_inference_ops *ops;
  void *self;
  bool native;
  bool on_target; /* `remote` stands for the block, which runs elsewhere */
  kn_remote remote;
  bool isolate;
  kn_isolated isolated; /* a worker process of ours is the target */
  kn_iospec spec;       /* of the loaded model */
} kn_engine;

/* ---- does the model fit the data ---- */

static const char *shape_text(const int64_t *shape, uint32_t rank, char out[160]) {
  size_t used = (size_t)snprintf(out, 160, "[");
  for (uint32_t i = 0; i < rank; i++)
    used += (size_t)snprintf(out + used, 160 - used, "%s%lld", i ? ", " : "", (long long)shape[i]);
  snprintf(out + used, 160 - used, "]");
  return out;
}

static kn_status check_input(const kn_engine *engine, const kn_samples *samples, int64_t batch) {
  if (engine->spec.input.count != 1)
    return kn_status_make(KN_INCOMPATIBLE,
                          "the model has %zu inputs; the data set gives one: runs take models of one input",
                          engine->spec.input.count);
  const kn_ioentry *entry = &engine->spec.input.entries[0];
  int64_t shape[KN_MAX_RANK] = {batch};
  bool fits = entry->rank == samples->rank + 1;
  for (uint32_t i = 0; i < samples->rank; i++) shape[i + 1] = samples->shape[i];
  for (uint32_t i = 0; fits && i < entry->rank; i++) fits = entry->shape[i] == -1 || entry->shape[i] == shape[i];
  char wants[160], gives[160];
  if (!fits)
    return kn_status_make(KN_INCOMPATIBLE, "the model's input '%s' has shape %s, the data set gives %s", entry->name,
                          shape_text(entry->shape, entry->rank, wants), shape_text(shape, samples->rank + 1, gives));
  /* float32 is rounded to small integers, by the engines' own scale where the model has one. */
  bool small = entry->dtype == KN_INT8 || entry->dtype == KN_UINT8 || entry->dtype == KN_INT16 || entry->quantized;
  if (samples->dtype != entry->dtype && !(samples->dtype == KN_FLOAT32 && small))
    return kn_status_make(
        KN_INCOMPATIBLE,
        "the model's input '%s' has type %s, the data set gives %s: convert the model so that it takes %s", entry->name,
        kn_dtype_name(entry->dtype), kn_dtype_name(samples->dtype), kn_dtype_name(samples->dtype));
  return NULL;
}

/* Fills in the batch where the model leaves it open. */
static kn_status check_outputs(kn_engine *engine, int64_t batch) {
  for (size_t i = 0; i < engine->spec.output.count; i++) {
    kn_ioentry *entry = &engine->spec.output.entries[i];
    if (entry->rank && entry->shape[0] == -1) entry->shape[0] = batch;
    char shape[160];
    for (uint32_t j = 0; j < entry->rank; j++)
      if (!entry->shape[j])
        return kn_status_make(KN_INCOMPATIBLE, "the model's output '%s' is empty: it has the shape %s", entry->name,
                              shape_text(entry->shape, entry->rank, shape));
    for (uint32_t j = 0; j < entry->rank; j++)
      if (entry->shape[j] < 0)
        return kn_status_make(KN_INCOMPATIBLE, "the model's output '%s' has the open shape %s", entry->name,
                              shape_text(entry->shape, entry->rank, shape));
  }
  return NULL;
}

/* ---- the engine ---- */

static kn_status choose_engine(kn_session *session, kn_engine *engine) {
  const kn_scenario *scenario = session->scenario;
  engine->native = !scenario->runtime.cls;
  engine->block = engine->native ? &scenario->model_wrapper : &scenario->runtime;
  if (!engine->block->cls) return kn_status_make(KN_INVALID_ARGUMENT, "the scenario has neither runtime nor model");
  engine->self = engine->block->self;
  const void *ops = engine->block->cls->ops;
  if (ops)
    engine->ops =
        engine->native ? ((const kn_modelwrapper_ops *)ops)->inference : ((const kn_runtime_ops *)ops)->inference;
  if (!engine->ops && (engine->native || !scenario->runtime_protocol.cls))
    return kn_status_make_at(KN_INVALID_ARGUMENT, engine->block->where,
                             "%s cannot run its model by itself: add a 'runtime' to the scenario",
                             engine->block->cls->name);
  bool isolate = !engine->native && ((const kn_runtime_options *)engine->self)->isolate;
  if (!scenario->runtime_protocol.cls && !isolate) return NULL;
  const kn_instance *protocol = &scenario->runtime_protocol;
  engine->isolate = !protocol->cls;
  if (engine->isolate) protocol = kn_isolated_protocol(&engine->isolated, engine->block, &engine->remote);
  engine->on_target = session->on_target = true;
  engine->remote = (kn_remote){.protocol = protocol, .client.connection.fd = -1};
  engine->ops = engine->isolate ? &kn_isolated_inference : &kn_remote_inference;
  engine->self = engine->isolate ? (void *)&engine->isolated : &engine->remote;
  return NULL;
}

static const char *named_model(const kn_scenario *scenario) {
  if (scenario->runtime_protocol.cls) return NULL; /* it names where the model goes to, on the target */
  const kn_runtime_ops *ops = scenario->runtime.cls ? scenario->runtime.cls->ops : NULL;
  return ops && ops->model_path ? ops->model_path(scenario->runtime.self) : NULL;
}

kn_status kn_inference_check_model(const kn_scenario *scenario) {
  const char *text = scenario->optimizer_count ? NULL : named_model(scenario);
  char *path = NULL;
  kn_status status = text ? kn_uri_local_path(text, &path) : NULL;
  if (path && !kn_file_exists(path, NULL) && !kn_directory_bytes(path))
    status = kn_status_make_at(KN_NOT_FOUND, scenario->runtime.where,
                               "the model %s that the runtime is to load does not exist", path);
  kn_free(path);
  return status;
}

/* Without optimizers a runtime may name the file it loads. With them the last result is what runs. */
static kn_status choose_model(kn_session *session, kn_model *model) {
  const kn_scenario *scenario = session->scenario;
  const char *path = named_model(scenario);
  if (!path || (model->path && !strcmp(path, model->path))) return NULL;
  if (scenario->optimizer_count) {
    size_t index;
    if (kn_option_find(scenario->runtime.cls, "save_model_path", &index) &&
        !kn_instance_was_given(&scenario->runtime, index))
      return NULL; /* the default */
    kn_log(KN_LOG_WARNING, "%s runs, not %s, which the runtime names", model->path, path);
    return NULL;
  }
  KN_TRY(kn_inference_check_model(scenario));
  kn_model_clear(model);
  model->path = kn_strdup(path);
  if (!model->path) return kn_status_out_of_memory();
  KN_TRY(kn_session_hold(session, "compiled", path, NULL, -1));
  return kn_model_read_spec(model);
}

/* Runtimes judge files of their own format, the first that they take, as they load them. Those of others are judged by
 * who knows them. */
static kn_status check_foreign(const kn_engine *engine, const char *path) {
  const char *const *formats = engine->block->cls->input_formats, *format;
  if (engine->native || engine->on_target || !formats) return NULL;
  KN_TRY(kn_model_file_recognize(path, formats, &format));
  return format && strcmp(format, formats[0]) ? kn_model_file_check(path, formats) : NULL;
}

/* Engines run in this process unless they are isolated or elsewhere. */
static void expect_crash(const kn_engine *engine, const char *phase, const kn_model *model) {
  const char *way_out = engine->native ? "a runtime with \"isolate\": true keeps a crash out of this program"
                                       : "with \"isolate\": true it is an error of the run";
  kn_crash_expect(phase, engine->block->cls->name, model->path, engine->on_target ? NULL : way_out);
}

/* What a load failed at: reaching the target, or the model. */
static kn_status blame_load(const kn_session *session, const kn_engine *engine, const char *path, kn_status status) {
  if (engine->on_target && !engine->isolate && engine->remote.connecting)
    return kn_status_annotate(kn_session_blame(status, &session->scenario->runtime_protocol),
                              "while connecting to the target");
  status = kn_session_blame(status, engine->block);
  return path && *path ? kn_status_annotate(status, "while loading %s", path) : status;
}

static kn_status load(kn_session *session, kn_engine *engine, const kn_model *model, int64_t batch) {
  const kn_load_request request = {.path = model->path, .spec = model->has_spec ? &model->spec : NULL, .batch = batch};
  int64_t start = kn_now_ns();
  expect_crash(engine, "load model", model);
  kn_status status = model->path ? check_foreign(engine, model->path) : NULL;
  if (!status) status = engine->ops->load(engine->self, &request);
  if (!status) {
    status = engine->ops->iospec(engine->self, &engine->spec);
    if (status) engine->ops->unload(engine->self);
  }
  if (status) status = blame_load(session, engine, model->path, status);
  return kn_session_phase(session, "load model", start, status);
}

/* ---- what is recorded about the engine ---- */

/* The framework's name and version. Only a native run has it loaded; otherwise what is installed is the version. */
static kn_status describe_framework(kn_session *session, const kn_engine *engine) {
  kn_record *record = session->measurements->record;
  const kn_instance *wrapper = &session->scenario->model_wrapper;
  if (!wrapper->cls) return NULL;
  const kn_modelwrapper_ops *ops = wrapper->cls->ops;
  const char *name = wrapper->cls->framework, *version = NULL;
  if (engine->native) KN_TRY(kn_session_blame(ops->framework(wrapper->self, &name, &version), wrapper));
  if (name) KN_TRY(kn_record_set_string(record, "model_framework", name));
  if (version) return kn_record_set_string(record, "model_version", version);
  if (!name) return NULL;
  kn_installation installation;
  kn_status status = kn_installation_read(name, &installation);
  if (status) { /* not installed here: the version is not known */
    kn_status_free(status);
    return NULL;
  }
  status = installation.version ? kn_record_set_string(record, "model_version", installation.version) : NULL;
  kn_installation_clear(&installation);
  return status;
}

/* Engines with libraries of hundreds of megabytes do not hash them in each run: the hash that the installation recorded
 * is taken, when it is the installed library that ran. */
static kn_status add_library_hash(const kn_engine *engine, kn_record *statistics) {
  yyjson_mut_val *facts = kn_record_value(statistics);
  const char *library = yyjson_mut_get_str(yyjson_mut_obj_get(facts, "library"));
  const char *framework = engine->block->cls->framework;
  if (!library || !framework || yyjson_mut_obj_get(facts, "library_sha256")) return NULL;
  kn_installation installation;
  kn_status status = kn_installation_read(framework, &installation);
  if (status) { /* a library from elsewhere: its hash is not known */
    kn_status_free(status);
    return NULL;
  }
  for (size_t i = 0; i < installation.file_count && !status; i++) {
    const kn_installed_file *file = &installation.files[i];
    if (file->sha256 && !strcmp(file->path, library))
      status = kn_record_set_string(statistics, "library_sha256", file->sha256);
  }
  kn_installation_clear(&installation);
  return status;
}

/* One that was `stopped` amid an exchange with its target or worker has nothing more to say: that is no other fault. */
static kn_status ask_engine(const kn_engine *engine, bool stopped, kn_record *statistics) {
  if (!engine->ops->statistics) return NULL;
  kn_status status = engine->ops->statistics(engine->self, statistics);
  if (!stopped || kn_status_code(status) == KN_OUT_OF_MEMORY) return kn_session_blame(status, engine->block);
  kn_status_free(status);
  return NULL;
}

static kn_status describe_engine(kn_session *session, const kn_engine *engine, bool stopped) {
  kn_record *record = session->measurements->record, *statistics, *run;
  KN_TRY(kn_record_object(record, "runtime_statistics", &statistics));
  KN_TRY(ask_engine(engine, stopped, statistics));
  KN_TRY(add_library_hash(engine, statistics));
  KN_TRY(kn_record_set_string(statistics, "type", engine->block->cls->name));
  yyjson_mut_val *facts = kn_record_value(statistics), *threads = yyjson_mut_obj_get(facts, "threads");
  KN_TRY(kn_record_object(record, "run", &run));
  if (yyjson_mut_is_int(threads)) KN_TRY(kn_record_set_int(run, "threads", yyjson_mut_get_sint(threads)));
  static const char *const keys[][2] = {
      {"library", "name"}, {"library_version", "version"}, {"library_sha256", "sha256"}};
  if (!yyjson_mut_is_str(yyjson_mut_obj_get(facts, "library"))) return NULL;
  kn_record *library;
  KN_TRY(kn_record_append_object(record, "libraries", &library));
  for (size_t i = 0; i < 3; i++) {
    const char *value = yyjson_mut_get_str(yyjson_mut_obj_get(facts, keys[i][0]));
    if (value) KN_TRY(kn_record_set_string(library, keys[i][1], value));
  }
  return NULL;
}

/* ---- the run ---- */

static size_t loader_count(const kn_session *session) {
  if (session->options->loaders) return (size_t)session->options->loaders;
  /* Few: engines bring threads of their own, and a loader that takes their cores disturbs what is measured. */
  return sysconf(_SC_NPROCESSORS_ONLN) >= 4 ? 2 : 1;
}

static kn_status record_native(kn_session *session, const kn_loop_result *result) {
  kn_record *record = session->measurements->record;
  double seconds = (double)(result->end_ns - result->start_ns) / 1e9, end = (double)result->end_ns / 1e9;
  KN_TRY(kn_record_set_numbers(record, "inference", &seconds, 1));
  return kn_record_set_numbers(record, "inference_timestamp", &end, 1);
}

/* After a broken connection there is nothing to ask any more, and after Ctrl-C nobody waits for it: what the host
 * measured is kept. */
static kn_status record_target(kn_session *session, kn_engine *engine, const kn_loop_result *result) {
  kn_status status = kn_remote_measurements(&engine->remote, result->inferences, session->measurements->record);
  if (kn_status_code(status) == KN_OUT_OF_MEMORY) return status;
  if (status)
    kn_log(kn_cancelled() ? KN_LOG_DEBUG : KN_LOG_WARNING, "what the target measured is not known: %s",
           kn_status_message(status, 0));
  kn_status_free(status);
  return kn_remote_wire(&engine->remote, result->times, result->warmup, result->inferences,
                        session->measurements->record);
}

static kn_status record_run(kn_session *session, kn_engine *engine, const kn_samples *samples,
                            const kn_loop_request *request, const kn_loop_result *result) {
  kn_record *record = session->measurements->record, *run;
  KN_TRY(kn_record_set_int(record, "process_peak_rss_bytes", (int64_t)kn_process_peak_rss_bytes()));
  KN_TRY(kn_record_object(record, "run", &run));
  KN_TRY(kn_record_set_int(run, "samples", (int64_t)result->samples));
  KN_TRY(kn_record_set_int(run, "batch_size", request->batch));
  KN_TRY(kn_record_set_int(run, "loader_threads", (int64_t)request->loaders));
  if (engine->native) KN_TRY(record_native(session, result));
  if (engine->on_target) KN_TRY(record_target(session, engine, result));
  return kn_evaluation_put(session, samples, result);
}

static kn_status loop(kn_session *session, kn_engine *engine, kn_sample_list *list, int64_t batch) {
  const kn_instance *runtime = &session->scenario->runtime;
  bool sampled = engine->native || !((const kn_runtime_options *)runtime->self)->disable_performance_measurements;
  if (engine->on_target) sampled = false; /* the target samples its own machine */
  const kn_loop_request request = {.inference = engine->ops,
                                   .self = engine->self,
                                   .spec = &engine->spec,
                                   .samples = &list->samples,
                                   .name = kn_sample_list_name,
                                   .batch = batch,
                                   .warmup = (size_t)session->options->warmup,
                                   .loaders = loader_count(session),
                                   .quantize = !engine->on_target, /* what travels is as before quantization */
                                   .classify = session->info.task == KN_TASK_CLASSIFICATION,
                                   .memory = engine->isolate ? kn_isolated_memory : NULL,
                                   .memory_context = &engine->isolated,
                                   .progress = "inference"};
  kn_sampler *sampler = NULL;
  if (sampled) KN_TRY(kn_sampler_start(SESSION_PERIOD_S, &sampler));
  kn_loop_result result;
  kn_status status = kn_loop_run(&request, &result);
  kn_sampler_stop(sampler);
  session->measured = result.start_ns;
  kn_record *record = session->measurements->record;
  kn_status recorded = result.start_ns ? record_run(session, engine, &list->samples, &request, &result) : NULL;
  if (!recorded && sampler) recorded = kn_sampler_put(sampler, "session_utilization", record);
  if (!recorded && sampler) recorded = kn_sampler_put_process(sampler, record);
  kn_sampler_destroy(sampler);
  kn_loop_result_clear(&result);
  return kn_status_join(status, recorded);
}

static kn_status run_loaded(kn_session *session, kn_engine *engine, kn_sample_list *list, int64_t batch) {
  KN_TRY(kn_session_blame(check_input(engine, &list->samples, batch), engine->block));
  KN_TRY(kn_session_blame(check_outputs(engine, batch), engine->block));
  KN_TRY(describe_framework(session, engine));
  kn_status status = loop(session, engine, list, batch);
  if (status && kn_status_code(status) != KN_CANCELLED) return status;
  return kn_status_join(status, describe_engine(session, engine, status != NULL));
}

static kn_status run_engine(kn_session *session, kn_engine *engine, const kn_model *model, kn_sample_list *list) {
  const kn_runtime_ops *runtime = engine->native || engine->on_target ? NULL : engine->block->cls->ops;
  int64_t batch = kn_session_dataset_options(session)->inference_batch_size;
  kn_status status = runtime ? kn_session_blame(runtime->open(engine->self), engine->block) : NULL;
  if (!status) status = load(session, engine, model, batch);
  if (!status) {
    expect_crash(engine, "inference", model);
    status = run_loaded(session, engine, list, batch);
    expect_crash(engine, "unload model", model);
    engine->ops->unload(engine->self);
  }
  if (runtime) runtime->close(engine->self);
  kn_crash_forget();
  return status;
}

/* By which reports tell whether two runs are of the same samples. */
static kn_status record_samples(kn_session *session, kn_sample_list *list) {
  char hash[65];
  kn_record *run;
  KN_TRY(kn_sample_list_names_hash(list, hash));
  KN_TRY(kn_record_object(session->measurements->record, "run", &run));
  return kn_record_set_string(run, "samples_sha256", hash);
}

static kn_status run_split(kn_session *session, kn_engine *engine, const kn_model *model) {
  const kn_dataset_options *options = kn_session_dataset_options(session);
  bool sampled =
      !engine->native && !((const kn_runtime_options *)engine->block->self)->disable_performance_measurements;
  kn_sample_list list;
  KN_TRY(kn_sample_list_of_split(&session->scenario->dataset, &session->info, &session->plan, (kn_split)options->split,
                                 (uint64_t)options->split_seed, &list));
  kn_status status = NULL;
  kn_sampler *sampler = NULL;
  if (!list.samples.count)
    status = kn_status_make_at(KN_INVALID_ARGUMENT, session->scenario->dataset.where,
                               "the %s split holds no sample: choose another 'split' or a larger share for it",
                               kn_split_name((kn_split)options->split));
  if (!status) status = record_samples(session, &list);
  if (!status && sampled) status = kn_sampler_start(FULL_RUN_PERIOD_S, &sampler);
  if (!status) status = run_engine(session, engine, model, &list);
  if (sampler) {
    kn_sampler_stop(sampler);
    status = kn_status_join(status, kn_sampler_put(sampler, "full_run_statistics", session->measurements->record));
    kn_sampler_destroy(sampler);
  }
  kn_sample_list_clear(&list);
  return status;
}

kn_status kn_inference_run(kn_session *session, kn_model *model) {
  if (!session->scenario->dataset.cls)
    return kn_status_make(KN_INVALID_ARGUMENT, "the scenario has no data set to run the model on");
  kn_engine engine = {0};
  KN_TRY(choose_engine(session, &engine));
  KN_TRY(choose_model(session, model));
  kn_status status = run_split(session, &engine, model);
  kn_iospec_clear(&engine.spec);
  return status;
}
