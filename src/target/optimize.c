#include "target/optimize.h"

#include "core/file.h"
#include "core/number.h"
#include "core/registry.h"
#include "core/record_json.h"
#include "target/upload.h"

#include <kenning/services.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void kn_optimization_clear(kn_optimization *optimization) {
  if (optimization->input) unlink(optimization->input);
  kn_free(optimization->input);
  kn_iospec_clear(&optimization->spec);
  *optimization =
      (kn_optimization){.own = optimization->own, .own_count = optimization->own_count, .place = optimization->place};
}

/* ---- what the host asks for ---- */

static bool is_chosen(const kn_optimization *optimization, const kn_instance *own) {
  for (size_t i = 0; i < optimization->count; i++)
    if (optimization->chosen[i] == own) return true;
  return false;
}

/* The first one of this class that is not in the list yet. */
static kn_instance *offered(const kn_optimization *optimization, const kn_class *cls) {
  for (size_t i = 0; i < optimization->own_count; i++)
    if (optimization->own[i].cls == cls && !is_chosen(optimization, &optimization->own[i]))
      return &optimization->own[i];
  return NULL;
}

static bool may_be_set(const kn_option *row) {
  if (!strcmp(row->name, "location")) return false;
  return row->type == KN_OPTION_BOOL || row->type == KN_OPTION_INT || row->type == KN_OPTION_FLOAT ||
         row->type == KN_OPTION_ENUM;
}

static kn_status apply(kn_instance *own, const char *name, yyjson_val *value) {
  size_t index;
  char text[64];
  const kn_option *row = kn_option_find(own->cls, name, &index);
  if (!row) return kn_status_make(KN_BAD_DATA, "%s has no parameter '%.64s'", own->cls->name, name);
  if (!may_be_set(row) || yyjson_is_null(value)) return NULL;
  if (yyjson_is_str(value))
    snprintf(text, sizeof text, "%s", yyjson_get_str(value));
  else if (yyjson_is_bool(value))
    snprintf(text, sizeof text, "%s", yyjson_get_bool(value) ? "true" : "false");
  else if (yyjson_is_int(value))
    snprintf(text, sizeof text, "%lld", (long long)yyjson_get_sint(value));
  else if (yyjson_is_num(value))
    kn_number_print(text, sizeof text, "%.17g", yyjson_get_num(value));
  else
    return kn_status_make(KN_BAD_DATA, "'%s' of %s is no single value", row->name, own->cls->name);
  return kn_instance_set_text(own, row, index, text, "the host's optimizers");
}

static kn_status add_optimizer(kn_optimization *optimization, yyjson_val *block) {
  const char *name = yyjson_get_str(yyjson_obj_get(block, "type")), *key_text;
  const kn_class *cls = NULL;
  if (!name || optimization->count == KN_OPTIMIZERS_LIMIT)
    return kn_status_make(KN_BAD_DATA, "the host's optimizers are no list of blocks");
  kn_status status = kn_registry_find(name, KN_KIND_OPTIMIZER, &cls);
  kn_instance *own = status ? NULL : offered(optimization, cls);
  kn_status_free(status);
  if (!own)
    return kn_status_make(KN_NOT_FOUND, "the host asks for '%.96s', which this target's scenario does not offer", name);
  size_t i, count;
  yyjson_val *key, *value;
  yyjson_obj_foreach(yyjson_obj_get(block, "parameters"), i, count, key, value) {
    key_text = yyjson_get_str(key);
    KN_TRY(apply(own, key_text ? key_text : "", value));
  }
  if (own->cls->check) KN_TRY(own->cls->check(own->self));
  optimization->chosen[optimization->count++] = own;
  return NULL;
}

/* Readers of models look at the ending of a name: it is taken where it is a usual one. */
static void choose_ending(kn_optimization *optimization, const char *path) {
  static const char *const known[] = {".h5", ".keras", ".onnx", ".tflite", ".pt", ".pth", ".bin"};
  const char *dot = path ? strrchr(path, '.') : NULL;
  for (size_t i = 0; dot && i < sizeof known / sizeof *known; i++)
    if (!strcmp(dot, known[i])) memcpy(optimization->ending, known[i], strlen(known[i]) + 1);
}

static void choose_format(kn_optimization *optimization, const char *name) {
  for (const char *const *format = optimization->chosen[0]->cls->input_formats; name && format && *format; format++)
    if (!strcmp(*format, name)) optimization->format = *format;
}

static kn_status choose_spec(kn_optimization *optimization, yyjson_val *spec) {
  size_t bytes;
  if (!yyjson_is_obj(spec))
    return kn_status_make(KN_BAD_DATA, "the host does not give the io specification of its model");
  char *text = yyjson_val_write_opts(spec, 0, &kn_json_allocator, &bytes, NULL);
  if (!text) return kn_status_out_of_memory();
  kn_status status = kn_iospec_parse(text, bytes, "the host's io specification", &optimization->spec);
  kn_free(text);
  return status;
}

static kn_status choose(kn_optimization *optimization, yyjson_val *root) {
  yyjson_val *list = yyjson_obj_get(root, "optimizers"), *previous = yyjson_obj_get(root, "prev_block"), *block;
  size_t i, count;
  if (!yyjson_is_arr(list) || !yyjson_arr_size(list) || !yyjson_is_obj(previous))
    return kn_status_make(KN_BAD_DATA, "the host's request has no list of optimizers, or no prev_block");
  yyjson_arr_foreach(list, i, count, block) KN_TRY(add_optimizer(optimization, block));
  choose_ending(optimization, yyjson_get_str(yyjson_obj_get(previous, "model_path")));
  choose_format(optimization, yyjson_get_str(yyjson_obj_get(previous, "model_type")));
  return choose_spec(optimization, yyjson_obj_get(previous, "io_spec"));
}

kn_status kn_optimization_choose(kn_optimization *optimization, const char *json, size_t bytes) {
  kn_optimization_clear(optimization);
  yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)json, bytes, 0, &kn_json_allocator, NULL);
  if (!doc) return kn_status_make(KN_BAD_DATA, "the host's optimizers are not JSON");
  kn_status status = choose(optimization, yyjson_doc_get_root(doc));
  yyjson_doc_free(doc);
  if (status) kn_optimization_clear(optimization);
  return status;
}

kn_status kn_optimization_take(kn_optimization *optimization, const void *model, size_t bytes) {
  kn_upload upload;
  if (!optimization->input)
    optimization->input = kn_format("%s.unoptimized%s", optimization->place, optimization->ending);
  if (!optimization->input) return kn_status_out_of_memory();
  KN_TRY(kn_upload_begin(optimization->input, &upload));
  kn_status status = kn_upload_add(&upload, model, bytes);
  if (!status) status = kn_upload_commit(&upload);
  kn_upload_clear(&upload);
  return status;
}

/* ---- running ---- */

static const char *result_of(const kn_instance *optimizer) {
  return ((const kn_optimizer_options *)optimizer->self)->compiled_model_path;
}

static kn_status run_one(kn_instance *optimizer, const kn_compile_request *request, kn_iospec *out_spec) {
  const kn_optimizer_ops *ops = optimizer->cls->ops;
  kn_record *record;
  *out_spec = (kn_iospec){0};
  KN_TRY(kn_record_create(&record));
  kn_status status = ops->open(optimizer->self);
  if (!status) status = ops->compile(optimizer->self, request, out_spec, record);
  ops->close(optimizer->self);
  kn_record_destroy(record);
  return kn_status_annotate(status, "in %s", optimizer->cls->name);
}

static kn_status run_all(kn_optimization *optimization) {
  kn_compile_request request = {
      .input_path = optimization->input, .input_format = optimization->format, .input_spec = &optimization->spec};
  for (size_t i = 0; i < optimization->count; i++) {
    kn_instance *optimizer = optimization->chosen[i];
    const kn_optimizer_ops *ops = optimizer->cls->ops;
    const char *const *formats = optimizer->cls->output_formats;
    kn_iospec spec;
    kn_status status = run_one(optimizer, &request, &spec);
    if (status) {
      kn_iospec_clear(&spec);
      return status;
    }
    kn_iospec_clear(&optimization->spec);
    optimization->spec = spec;
    request.input_path = result_of(optimizer);
    request.input_format = ops->output_format ? ops->output_format(optimizer->self) : formats ? formats[0] : NULL;
  }
  return NULL;
}

kn_status kn_optimization_run(kn_optimization *optimization, size_t limit, char **out_model, size_t *out_bytes) {
  *out_model = NULL;
  *out_bytes = 0;
  kn_status status = run_all(optimization);
  const char *result = optimization->count ? result_of(optimization->chosen[optimization->count - 1]) : NULL;
  if (!status && result) status = kn_file_read(result, limit, out_model, out_bytes);
  kn_optimization_clear(optimization);
  return status;
}
