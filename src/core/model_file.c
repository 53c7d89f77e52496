#include "core/model_file.h"
#include "core/content.h"
#include "core/external_data.h"
#include "core/file.h"
#include "core/formats.h"
#include "core/registry.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

/* ---- who reads a format ---- */

static bool has(const char *const *formats, const char *format) {
  for (; formats && *formats; formats++)
    if (!strcmp(*formats, format)) return true;
  return false;
}

static bool needs_only_a_path(const kn_class *cls) {
  const kn_option *row;
  for (size_t i = 0; (row = kn_option_at(cls, i)); i++)
    if ((row->flags & KN_OPTION_REQUIRED) && strcmp(row->name, "model_path")) return false;
  return true;
}

static kn_status describe_by_wrapper(const kn_class *cls, const char *path, kn_iospec *out_spec) {
  const kn_modelwrapper_ops *ops = cls->ops;
  const kn_dataset_info info = {0};
  kn_instance instance;
  size_t index;
  KN_TRY(kn_instance_create(cls, &instance));
  const kn_option *row = kn_option_find(cls, "model_path", &index);
  kn_status status = kn_instance_set_text(&instance, row, index, path, row->name);
  if (!status) {
    status = ops->open(instance.self, &info);
    if (!status) status = ops->iospec(instance.self, out_spec);
    ops->close(instance.self);
  }
  kn_instance_destroy(&instance);
  return status;
}

static kn_status describe_by_runtime(const kn_class *cls, const char *path, kn_iospec *out_spec) {
  const kn_runtime_ops *ops = cls->ops;
  kn_instance instance;
  KN_TRY(kn_instance_create(cls, &instance));
  kn_status status = ops->describe(instance.self, path, out_spec);
  kn_instance_destroy(&instance);
  return status;
}

static kn_status describe(const char *path, const char *format, kn_iospec *out_spec) {
  for (size_t i = 0; i < kn_registry_count(); i++) {
    const kn_class *cls = kn_registry_at(i)->cls;
    const kn_runtime_ops *ops = cls->kind == KN_KIND_RUNTIME ? cls->ops : NULL;
    if (ops && ops->describe && cls->input_formats && !strcmp(cls->input_formats[0], format))
      return describe_by_runtime(cls, path, out_spec);
  }
  for (size_t i = 0; i < kn_registry_count(); i++) {
    const kn_class *cls = kn_registry_at(i)->cls;
    if (cls->kind == KN_KIND_MODELWRAPPER && cls->ops && has(cls->output_formats, format) && needs_only_a_path(cls))
      return describe_by_wrapper(cls, path, out_spec);
  }
  return NULL;
}

kn_status kn_model_file_describe(const char *path, const char *format, kn_iospec *out_spec) {
  *out_spec = (kn_iospec){0};
  kn_status status = describe(path, format, out_spec);
  switch (kn_status_code(status)) {
    case KN_OK:
    case KN_BAD_DATA:
    case KN_NOT_FOUND:
    case KN_OUT_OF_MEMORY:
      return status;
    default:
      kn_status_free(status);
      kn_iospec_clear(out_spec);
      return NULL;
  }
}

/* ---- judging ---- */

static void join(const char *const *formats, char *out, size_t size) {
  out[0] = '\0';
  for (size_t used = 0; *formats && used < size; formats++, used = strlen(out))
    snprintf(out + used, size - used, "%s%s", used ? " or " : "", *formats);
}

static kn_status is_something_else(const char *path, const kn_content *content, const char *const *formats) {
  char wanted[256];
  join(formats, wanted, sizeof wanted);
  const char *name = kn_format_of_name(path);
  bool named = name && content->format && !strcmp(name, content->format);
  if (content->format)
    return kn_status_make(KN_BAD_DATA,
                          "%s is %s%s, where a model of format %s is wanted: name a class that reads %s, or "
                          "convert it with `kenning convert`",
                          path, content->words, named ? "" : ", whatever its name says", wanted, content->format);
  if (content->words)
    return kn_status_make(KN_BAD_DATA, "%s is %s, no model of format %s", path, content->words, wanted);
  return kn_status_make(KN_BAD_DATA, "%s is no model of format %s: it does not begin like one", path, wanted);
}

kn_status kn_model_file_recognize(const char *path, const char *const *formats, const char **out_format) {
  kn_content content;
  *out_format = NULL;
  if (!formats || !*formats || has(formats, "any") || has(formats, "none")) return NULL;
  KN_TRY(kn_content_read(path, &content));
  if (content.format && has(formats, content.format)) {
    *out_format = content.format;
    return NULL;
  }
  /* Archives of PyTorch look alike at their beginning. */
  if (content.format && !strcmp(content.format, "torch") && has(formats, "torchscript")) {
    *out_format = "torchscript";
    return NULL;
  }
  /* A model of any of the formats would have been known, or this is what none of them ever is. */
  static const char *const loose[] = {"tvm", "c_sources", "torch", "darknet"};
  bool other = content.words && !content.archive, told = !content.archive;
  for (size_t i = 0; i < sizeof loose / sizeof *loose; i++) other = other && !has(formats, loose[i]);
  for (const char *const *format = formats; *format; format++) told = told && kn_content_tells(*format);
  return content.format || told || other ? is_something_else(path, &content, formats) : NULL;
}

kn_status kn_model_file_check(const char *path, const char *const *formats) {
  const char *format;
  kn_iospec spec;
  KN_TRY(kn_model_file_recognize(path, formats, &format));
  if (!format) format = kn_format_of_name(path);
  if (!format || !has(formats, format)) return NULL;
  if (!strcmp(format, "onnx")) KN_TRY(kn_external_data_check(path));
  kn_status status = kn_model_file_describe(path, format, &spec);
  kn_iospec_clear(&spec);
  return status;
}

/* ---- all files of a model ---- */

static bool ends_with(const char *text, const char *tail) {
  size_t length = strlen(text), wanted = strlen(tail);
  return length > wanted && !strcmp(text + length - wanted, tail);
}

/* The last "STEM-NNNN.params" beside "STEM-symbol.json". */
static kn_status last_parameters(const char *path, size_t stem, char **out_path) {
  const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
  char *directory = slash ? kn_strndup(path, (size_t)(slash - path) + 1) : kn_strdup("./"), best[16] = "";
  if (!directory) return kn_status_out_of_memory();
  size_t length = stem - (size_t)(name - path);
  DIR *list = opendir(directory);
  kn_free(directory);
  for (struct dirent *entry; list && (entry = readdir(list));) {
    const char *tail = entry->d_name + length;
    if (strncmp(entry->d_name, name, length) != 0 || strlen(tail) != strlen("-0000.params") || *tail != '-' ||
        strspn(tail + 1, "0123456789") != 4 || strcmp(tail + 5, ".params") != 0)
      continue;
    if (strcmp(tail, best) > 0) snprintf(best, sizeof best, "%s", tail);
  }
  if (list) closedir(list);
  if (!*best) return NULL;
  *out_path = kn_format("%.*s%s", (int)stem, path, best);
  return *out_path ? NULL : kn_status_out_of_memory();
}

/* Two files that are one model by their names; *out_path is NULL for other names. */
static kn_status other_of_two(const char *path, char **out_path) {
  size_t length = strlen(path);
  *out_path = NULL;
  if (ends_with(path, "-symbol.json")) return last_parameters(path, length - strlen("-symbol.json"), out_path);
  if (ends_with(path, ".xml"))
    *out_path = kn_format("%.*s.bin", (int)(length - strlen(".xml")), path);
  else if (length > strlen("-0000.params") && path[length - strlen("-0000.params")] == '-' &&
           ends_with(path, ".params"))
    *out_path = kn_format("%.*s-symbol.json", (int)(length - strlen("-0000.params")), path);
  else if (ends_with(path, ".cfg"))
    *out_path = kn_format("%.*s.weights", (int)(length - strlen(".cfg")), path);
  else if (ends_with(path, ".weights"))
    *out_path = kn_format("%.*s.cfg", (int)(length - strlen(".weights")), path);
  else
    return NULL;
  return *out_path ? NULL : kn_status_out_of_memory();
}

void kn_companions_clear(kn_companions *companions) {
  for (size_t i = 0; i < companions->count; i++) kn_free(companions->paths[i]);
  kn_free(companions->paths);
  *companions = (kn_companions){0};
}

/* Moves the paths that exist out of `other` and the external data. */
static void take_existing(char **other, kn_external_data *data, kn_companions *companions) {
  if (*other && kn_file_exists(*other, NULL)) {
    companions->paths[companions->count++] = *other;
    *other = NULL;
  }
  for (size_t i = 0; i < data->count; i++)
    if (kn_file_exists(data->files[i].path, NULL)) {
      companions->paths[companions->count++] = data->files[i].path;
      data->files[i].path = NULL;
    }
}

kn_status kn_model_file_companions(const char *path, kn_companions *out_companions) {
  kn_external_data data;
  char *other = NULL;
  *out_companions = (kn_companions){0};
  if (!kn_file_exists(path, NULL)) return NULL;
  KN_TRY(kn_external_data_read(path, &data));
  kn_status status = other_of_two(path, &other);
  if (!status && (other || data.count)) {
    out_companions->paths = kn_alloc_array(data.count + 1, sizeof *out_companions->paths);
    if (!out_companions->paths)
      status = kn_status_out_of_memory();
    else
      take_existing(&other, &data, out_companions);
  }
  kn_free(other);
  kn_external_data_clear(&data);
  return status;
}
