#include "pipeline/chain.h"

#include "core/crash.h"
#include "core/file.h"
#include "core/model_file.h"
#include "core/record_json.h"
#include "target/optimizing.h"

#include <kenning/services.h>
#include <string.h>

/* What optimizers may learn from, shared by all of a chain. */
typedef struct kn_material {
  kn_sample_list calibration, train, validation;
} kn_material;

static void clear_material(kn_material *material) {
  kn_sample_list_clear(&material->calibration);
  kn_sample_list_clear(&material->train);
  kn_sample_list_clear(&material->validation);
}

static kn_status gather_material(kn_session *session, kn_material *material) {
  const kn_instance *dataset = &session->scenario->dataset;
  const kn_dataset_options *options = dataset->self;
  const kn_dataset_info *info = &session->info;
  uint64_t seed = (uint64_t)options->split_seed;
  KN_TRY(
      options->external_calibration_dataset
          ? kn_sample_list_of_directory(dataset, info, options->external_calibration_dataset, seed,
                                        &material->calibration)
          : kn_sample_list_of_split(dataset, info, &session->plan, KN_SPLIT_CALIBRATION, seed, &material->calibration));
  KN_TRY(kn_sample_list_of_split(dataset, info, &session->plan, KN_SPLIT_TRAIN, seed, &material->train));
  KN_TRY(kn_sample_list_of_split(dataset, info, &session->plan, KN_SPLIT_VALIDATION, seed, &material->validation));
  kn_sample_list *lists[] = {&material->calibration, &material->train, &material->validation};
  for (size_t i = 0; i < 3; i++) KN_TRY(kn_sample_list_identify(lists[i]));
  return NULL;
}

static bool reads(const kn_class *cls, const char *format) {
  for (const char *const *name = cls->input_formats; name && *name; name++)
    if (!strcmp(*name, format) || !strcmp(*name, "any")) return true;
  return false;
}

static const char *format_of_result(const kn_instance *optimizer) {
  const kn_optimizer_ops *ops = optimizer->cls->ops;
  if (ops->output_format) return ops->output_format(optimizer->self);
  return optimizer->cls->output_formats ? optimizer->cls->output_formats[0] : NULL;
}

static const char *compiled_path(const kn_instance *optimizer) {
  const kn_optimizer_options *options = optimizer->self;
  return options->compiled_model_path;
}

/* ---- what is recorded ---- */

static const char *string_of(const kn_record *record, const char *key) {
  return yyjson_mut_get_str(yyjson_mut_obj_get(kn_record_value(record), key));
}

/* An entry of "compilers", the key of 2022, and of "optimizers", today's. NULL version: not known. */
static kn_status record_compiler(kn_session *session, const char *framework, const char *version) {
  static const char *const keys[] = {"compilers", "optimizers"};
  for (size_t i = 0; i < 2; i++) {
    kn_record *entry;
    KN_TRY(kn_record_append_object(session->measurements->record, keys[i], &entry));
    KN_TRY(kn_record_set_string(entry, "compiler_framework", framework));
    KN_TRY(version ? kn_record_set_string(entry, "compiler_version", version)
                   : kn_record_set_value(entry, "compiler_version", yyjson_mut_null(kn_record_document(entry))));
  }
  return NULL;
}

static kn_status record_none(kn_session *session) {
  kn_record *record = session->measurements->record;
  KN_TRY(kn_record_set_strings(record, "compilers", NULL, 0));
  return kn_record_set_strings(record, "optimizers", NULL, 0);
}

/* ---- running ---- */

static kn_status compile(kn_session *session, const kn_instance *optimizer, const kn_compile_request *request,
                         kn_iospec *out_spec) {
  const kn_optimizer_ops *ops = optimizer->cls->ops;
  kn_record *record;
  KN_TRY(kn_record_append_object(session->measurements->record, "optimizer_records", &record));
  KN_TRY(kn_record_set_string(record, "type", optimizer->cls->name));
  if (optimizer->inserted) KN_TRY(kn_record_set_bool(record, "inserted", true));
  KN_TRY(ops->compile(optimizer->self, request, out_spec, record));
  const char *path = compiled_path(optimizer), *framework = string_of(record, "compiler_framework");
  if (!framework) framework = optimizer->cls->framework ? optimizer->cls->framework : optimizer->cls->name;
  KN_TRY(record_compiler(session, framework, string_of(record, "compiler_version")));
  yyjson_mut_val *weights = yyjson_mut_obj_get(kn_record_value(record), "weights_bytes");
  KN_TRY(kn_session_hold(session, "compiled", path, format_of_result(optimizer),
                         yyjson_mut_is_int(weights) ? yyjson_mut_get_sint(weights) : -1));
  char *spec_path = kn_format("%s.json", path);
  if (!spec_path) return kn_status_out_of_memory();
  kn_status status = kn_iospec_write(out_spec, spec_path);
  kn_free(spec_path);
  return status;
}

/* One link of the chain; `model` becomes the result. */
static kn_status run_link(kn_session *session, const kn_instance *optimizer, const kn_material *material,
                          kn_model *model) {
  const kn_optimizer_ops *ops = optimizer->cls->ops;
  const char *name = strrchr(optimizer->cls->name, '.');
  kn_log(KN_LOG_INFO, "%s: %s", name ? name + 1 : optimizer->cls->name, compiled_path(optimizer));
  if (model->format && !reads(optimizer->cls, model->format))
    return kn_status_make(KN_INCOMPATIBLE, "%s is a model of format %s, which this optimizer does not read",
                          model->path, model->format);
  if (!model->has_spec)
    return kn_status_make(KN_NOT_FOUND, "the io specification of %s is not known: %s.json is missing", model->path,
                          model->path);
  /* Converters are made for whole models: others can end them by a signal. */
  KN_TRY(kn_model_file_check(
      model->path, model->format ? (const char *const[]){model->format, NULL} : optimizer->cls->input_formats));
  bool data = session->scenario->dataset.cls;
  kn_compile_request request = {.input_path = model->path,
                                .input_format = model->format,
                                .input_spec = &model->spec,
                                .calibration = data ? &material->calibration.samples : NULL,
                                .train = data ? &material->train.samples : NULL,
                                .validation = data ? &material->validation.samples : NULL,
                                .seed = session->options->seed};
  kn_model result = {.path = kn_strdup(compiled_path(optimizer)), .has_spec = true};
  kn_status status = result.path ? ops->open(optimizer->self) : kn_status_out_of_memory();
  if (!status) status = compile(session, optimizer, &request, &result.spec);
  result.format = format_of_result(optimizer);
  ops->close(optimizer->self);
  if (status) {
    kn_model_clear(&result);
    return status;
  }
  kn_model_clear(model);
  *model = result;
  return NULL;
}

/* ---- on the target ---- */

static bool is_away(const kn_instance *optimizer) {
  return ((const kn_optimizer_options *)optimizer->self)->location == KN_ON_TARGET;
}

/* What the target did is not known here: neither versions nor times of its own. */
static kn_status record_away(kn_session *session, const kn_instance *optimizer) {
  kn_record *record;
  KN_TRY(kn_record_append_object(session->measurements->record, "optimizer_records", &record));
  KN_TRY(kn_record_set_string(record, "type", optimizer->cls->name));
  KN_TRY(kn_record_set_string(record, "location", "target"));
  return record_compiler(session, optimizer->cls->framework ? optimizer->cls->framework : optimizer->cls->name, NULL);
}

/* `count` links in a row. Tensors travel as the values before quantization, so the model's own io specification stays
 * that of the result. */
static kn_status run_away(kn_session *session, const kn_instance *optimizers, size_t count, kn_model *model) {
  const kn_instance *last = &optimizers[count - 1];
  if (!model->has_spec)
    return kn_status_make(KN_NOT_FOUND, "the io specification of %s is not known: %s.json is missing", model->path,
                          model->path);
  const kn_optimizing optimizing = {.protocol = &session->scenario->runtime_protocol,
                                    .optimizers = optimizers,
                                    .count = count,
                                    .model_path = model->path,
                                    .format = model->format,
                                    .spec = &model->spec,
                                    .result_path = compiled_path(last)};
  for (size_t i = 0; i < count; i++) kn_log(KN_LOG_INFO, "%s, on the target", kn_class_short_name(optimizers[i].cls));
  KN_TRY(kn_optimizing_run(&optimizing));
  for (size_t i = 0; i < count; i++) KN_TRY(record_away(session, &optimizers[i]));
  char *path = kn_strdup(compiled_path(last)), *spec_path = kn_format("%s.json", compiled_path(last));
  kn_status status = path && spec_path ? kn_iospec_write(&model->spec, spec_path) : kn_status_out_of_memory();
  kn_free(spec_path);
  if (status) return kn_free(path), status;
  kn_free(model->path);
  model->path = path;
  model->format = format_of_result(last);
  return kn_session_hold(session, "compiled", path, model->format, -1);
}

static kn_status run_links(kn_session *session, const kn_material *material, kn_model *model) {
  const kn_scenario *scenario = session->scenario;
  size_t run = 1;
  for (size_t i = 0; i < scenario->optimizer_count; i += run) {
    if (kn_cancelled()) return kn_status_make(KN_CANCELLED, "stopped before optimizer %zu", i + 1);
    const kn_instance *optimizer = &scenario->optimizers[i];
    bool away = is_away(optimizer);
    for (run = 1; away && i + run < scenario->optimizer_count && is_away(&optimizer[run]);) run++;
    int64_t start = kn_now_ns();
    kn_crash_expect("compile", optimizer->cls->name, model->path, NULL);
    kn_status status = away ? run_away(session, optimizer, run, model) : run_link(session, optimizer, material, model);
    kn_crash_forget();
    KN_TRY(kn_session_phase(session, "compile", start, kn_session_blame(status, optimizer)));
  }
  return NULL;
}

kn_status kn_chain_run(kn_session *session, kn_model *model) {
  KN_TRY(record_none(session));
  if (!session->scenario->optimizer_count) return NULL;
  kn_material material = {0};
  kn_status status = NULL;
  if (session->scenario->dataset.cls) {
    int64_t start = kn_now_ns();
    status = kn_session_blame(gather_material(session, &material), &session->scenario->dataset);
    status = kn_session_phase(session, "prepare calibration", start, status);
  }
  if (!status) status = run_links(session, &material, model);
  clear_material(&material);
  return status;
}

kn_status kn_chain_check_reuse(const kn_scenario *scenario) {
  const kn_instance *last = &scenario->optimizers[scenario->optimizer_count - 1];
  const char *path = compiled_path(last);
  if (kn_file_exists(path, NULL) || kn_directory_bytes(path)) return NULL;
  return kn_session_blame(
      kn_status_make(KN_NOT_FOUND, "there is no compiled model %s yet: run the optimizers first", path), last);
}

kn_status kn_chain_reuse(kn_session *session, kn_model *model) {
  const kn_scenario *scenario = session->scenario;
  KN_TRY(record_none(session));
  if (!scenario->optimizer_count) return NULL;
  for (size_t i = 0; i < scenario->optimizer_count; i++) {
    const kn_class *cls = scenario->optimizers[i].cls;
    KN_TRY(record_compiler(session, cls->framework ? cls->framework : cls->name, NULL));
  }
  KN_TRY(kn_chain_check_reuse(scenario));
  const kn_instance *last = &scenario->optimizers[scenario->optimizer_count - 1];
  const char *path = compiled_path(last);
  kn_model_clear(model);
  model->path = kn_strdup(path);
  if (!model->path) return kn_status_out_of_memory();
  model->format = format_of_result(last);
  KN_TRY(kn_session_hold(session, "compiled", path, model->format, -1));
  return kn_model_read_spec(model);
}
