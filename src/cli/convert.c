/* convert: a model from format to format, over as many steps as it takes. */
#include "cli/options.h"
#include "core/content.h"
#include "core/file.h"
#include "core/formats.h"
#include "core/log.h"
#include "core/model_file.h"
#include "core/record_json.h"
#include "core/registry.h"

#include <kenning/services.h>
#include <stdio.h>
#include <string.h>

/* ---- what is asked for ---- */

/* What the input is: its content decides, its name only where the content tells nothing. */
static kn_status find_format(const kn_convert_values *values, const char *in, const char **out_format) {
  kn_content content;
  const char *named = kn_format_of_name(in);
  KN_TRY(kn_content_read(in, &content));
  *out_format = content.format ? content.format : values->from ? values->from : named;
  if (!*out_format)
    return kn_status_make(KN_INVALID_ARGUMENT, "the format of %s is not known%s%s: give it with --from", in,
                          content.words ? ", which is " : "", content.words ? content.words : "");
  if (values->from && strcmp(values->from, *out_format))
    return kn_status_make(KN_INVALID_ARGUMENT, "%s is %s, not a model of format %s: leave --from out", in,
                          content.words, values->from);
  if (!values->from && named && strcmp(named, *out_format))
    kn_log(KN_LOG_WARNING, "%s is %s, whatever its name says: it is converted from %s", in, content.words, *out_format);
  return kn_model_file_check(in, (const char *const[]){*out_format, NULL});
}

/* "onnx, tflite, ...": where models of `from` can go. */
static void list_ways(const char *from, char *out, size_t size) {
  kn_conversion edge;
  kn_conversion_path path;
  size_t used = 0;
  *out = '\0';
  for (size_t i = 0; kn_conversion_at(i, &edge); i++) {
    bool told = !strcmp(edge.to, from);
    kn_conversion earlier;
    for (size_t k = 0; k < i && kn_conversion_at(k, &earlier); k++) told = told || !strcmp(earlier.to, edge.to);
    if (told || !kn_conversion_find((const char *const[]){from, NULL}, (const char *const[]){edge.to, NULL}, &path))
      continue;
    int length = snprintf(out + used, size - used, "%s%s", used ? ", " : "", edge.to);
    if (length < 0 || (size_t)length >= size - used) return;
    used += (size_t)length;
  }
}

static kn_status no_way(const char *from, const char *to) {
  const kn_class *named = kn_conversion_named_only(from, to);
  char ways[256];
  list_ways(from, ways, sizeof ways);
  if (!named)
    return kn_status_make(KN_INCOMPATIBLE,
                          "there is no way from %s to %s; those there are lead to %s (--to FORMAT), and `kenning info "
                          "--formats` shows how",
                          from, to, *ways ? ways : "nothing");
  return kn_status_make(
      KN_INCOMPATIBLE,
      "from %s to %s goes %s, which must be told more than two names, or needs samples of a data set: "
      "name it in a scenario, as those in scenarios/mobilenetv2-all do; `kenning info %s` explains it",
      from, to, kn_class_short_name(named), kn_class_short_name(named));
}

static kn_status find_way(const kn_convert_values *values, const char *in, const char *out, kn_conversion_path *path) {
  const char *from, *to = values->to ? values->to : kn_format_of_name(out);
  if (!to) return kn_status_make(KN_INVALID_ARGUMENT, "the name %s tells no format: give it with --to", out);
  KN_TRY(find_format(values, in, &from));
  if (!kn_conversion_find((const char *const[]){from, NULL}, (const char *const[]){to, NULL}, path))
    return no_way(from, to);
  if (!path->count) return kn_status_make(KN_INVALID_ARGUMENT, "%s is of format %s already", in, from);
  return NULL;
}

/* The model's specification: what stands beside it, or what is read out of the file. Nothing where neither tells:
 * converters that need one say so. */
static kn_status read_spec(const char *in, const char *format, kn_iospec *out_spec) {
  char *path = kn_format("%s.json", in);
  if (!path) return kn_status_out_of_memory();
  kn_status status =
      kn_file_exists(path, NULL) ? kn_iospec_read(path, out_spec) : kn_model_file_describe(in, format, out_spec);
  kn_free(path);
  return status;
}

/* ---- one step ---- */

typedef struct model {
  char *path;
  kn_iospec spec;
  bool temporary;
} model;

static void clear_model(model *m) {
  kn_status status = m->temporary ? kn_directory_remove(m->path) : NULL;
  kn_status_free(status); /* what is left in place of a temporary file is no reason to fail */
  kn_iospec_clear(&m->spec);
  kn_free(m->path);
  *m = (model){0};
}

/* What runs code of the model's is said on the command line, and goes to the classes that ask for it. */
static kn_status set_trust(const kn_convert_values *values, kn_instance *instance) {
  size_t index;
  const kn_option *row = kn_option_find(instance->cls, "load_pickled_modules", &index);
  return row && values->load_pickled_modules ? kn_instance_set_text(instance, row, index, "true", row->name) : NULL;
}

static kn_status compile(const kn_convert_values *values, const kn_conversion *step, const model *from, model *to) {
  const kn_optimizer_ops *ops = step->cls->ops;
  kn_instance instance;
  kn_record *record = NULL;
  size_t index;
  KN_TRY(kn_instance_create(step->cls, &instance));
  const kn_option *row = kn_option_find(step->cls, "compiled_model_path", &index);
  const kn_compile_request request = {
      .input_path = from->path, .input_format = step->from, .input_spec = &from->spec, .seed = (uint64_t)values->seed};
  kn_status status = kn_instance_set_text(&instance, row, index, to->path, row->name);
  if (!status) status = set_trust(values, &instance);
  if (!status) status = kn_record_create(&record);
  if (!status) status = ops->open(instance.self);
  if (!status) status = ops->compile(instance.self, &request, &to->spec, record);
  ops->close(instance.self);
  if (record) kn_record_destroy(record);
  kn_instance_destroy(&instance);
  return kn_status_annotate(status, "while %s converts %s to %s", kn_class_short_name(step->cls), step->from, step->to);
}

/* `at` becomes the result; the last one is `out`. */
static kn_status run_step(const kn_convert_values *values, const kn_conversion *step, model *at, const char *out,
                          bool last) {
  model result = {.temporary = !last};
  if (last) {
    result.path = kn_strdup(out);
  } else {
    char *name = kn_format("%s.step%s", out, kn_format_ending(step->to));
    kn_status status = name ? kn_file_temporary(name, &result.path) : kn_status_out_of_memory();
    kn_free(name);
    KN_TRY(status);
  }
  if (!result.path) return kn_status_out_of_memory();
  kn_log(KN_LOG_INFO, "%s: %s to %s, %s", kn_class_short_name(step->cls), step->from, step->to, result.path);
  kn_status status = compile(values, step, at, &result);
  clear_model(status ? &result : at);
  if (!status) *at = result;
  return status;
}

static kn_status run_steps(const kn_convert_values *values, const char *in, const char *out,
                           const kn_conversion_path *path) {
  model at = {.path = kn_strdup(in)};
  kn_status status = at.path ? read_spec(in, path->steps[0].from, &at.spec) : kn_status_out_of_memory();
  for (size_t i = 0; i < path->count && !status; i++)
    status = run_step(values, &path->steps[i], &at, out, i + 1 == path->count);
  char *spec_path = status ? NULL : kn_format("%s.json", out);
  if (!status) status = spec_path ? kn_iospec_write(&at.spec, spec_path) : kn_status_out_of_memory();
  kn_free(spec_path);
  clear_model(&at);
  return status;
}

static kn_status convert(const kn_convert_values *values, const char *in, const char *out) {
  kn_conversion_path path;
  kn_log_set_level((kn_log_level)values->common.verbosity);
  KN_TRY(kn_registry_load());
  KN_TRY(kn_file_check_input(in, true));
  if (kn_file_same(in, out))
    return kn_status_make(KN_INVALID_ARGUMENT, "%s is the model that is to be converted: name another file", out);
  KN_TRY(find_way(values, in, out, &path));
  KN_TRY(kn_file_check_replaced(out));
  KN_TRY(run_steps(values, in, out, &path));
  printf("%s\n", out);
  return NULL;
}

int kn_command_convert(int argc, char **argv) {
  kn_instance options;
  kn_positionals names;
  bool done;
  kn_status status = kn_command_parse(kn_command_find("convert"), argc, argv, 2, 2, &options, &names, &done);
  if (!status && !done) status = convert(options.self, names.items[0], names.items[1]);
  kn_free(names.items);
  kn_instance_destroy(&options);
  return kn_command_finish(status);
}
