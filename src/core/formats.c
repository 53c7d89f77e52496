#include "core/formats.h"
#include "core/content.h"
#include "core/registry.h"

#include <string.h>

/* ---- names of formats ---- */

static const struct {
  const char *ending, *format; /* the first of a format is the one that is written */
} endings[] = {{".h5", "keras"},      {".keras", "keras"},     {".hdf5", "keras"},
               {".tflite", "tflite"}, {".onnx", "onnx"},       {".pt", "torch"},
               {".pth", "torch"},     {".pt2", "aotinductor"}, {".torchscript", "torchscript"},
               {".tar", "tvm"},       {".so", "tvm"},          {".vmfb", "iree"},
               {".params", "mxnet"},  {".weights", "darknet"}, {".xml", "openvino"},
               {".pb", "saved_model"}};
enum { ENDINGS = sizeof endings / sizeof *endings };

const char *kn_format_ending(const char *format) {
  if (!strcmp(format, "saved_model")) return "";
  for (size_t i = 0; i < ENDINGS; i++)
    if (!strcmp(endings[i].format, format)) return endings[i].ending;
  return "";
}

const char *kn_format_of_name(const char *path) {
  size_t length = strlen(path);
  for (size_t i = 0; i < ENDINGS; i++) {
    size_t tail = strlen(endings[i].ending);
    if (length > tail && !strcmp(path + length - tail, endings[i].ending)) return endings[i].format;
  }
  return length && path[length - 1] == '/' ? "saved_model" : NULL;
}

static bool is_among(const char *const *formats, const char *format) {
  for (; formats && *formats; formats++)
    if (!strcmp(*formats, format)) return true;
  return false;
}

/* NULL where neither the file nor its name tells. */
static const char *model_format(const kn_instance *wrapper) {
  const char *path = wrapper->self ? ((const kn_modelwrapper_options *)wrapper->self)->model_path : NULL;
  if (!path) return NULL;
  kn_content content = {0};
  kn_status_free(kn_content_read(path, &content)); /* it need not be there yet */
  return content.format ? content.format : kn_format_of_name(path);
}

const char *const *kn_formats_given(const kn_instance *block, const char *chosen[2]) {
  const kn_class *cls = block->cls;
  if (!cls) return NULL;
  chosen[0] = chosen[1] = NULL;
  if (cls->kind == KN_KIND_MODELWRAPPER) {
    chosen[0] = model_format(block);
    return chosen[0] && is_among(cls->output_formats, chosen[0]) ? chosen : cls->output_formats;
  }
  const kn_optimizer_ops *ops = cls->ops;
  if (cls->kind != KN_KIND_OPTIMIZER || !ops || !ops->output_format) return cls->output_formats;
  chosen[0] = ops->output_format(block->self);
  return chosen[0] ? chosen : NULL;
}

/* ---- edges ---- */

/* Whether a class can run with the path of its result as its only parameter. */
static bool is_plain(const kn_class *cls) {
  const kn_option *row;
  if (cls->kind != KN_KIND_OPTIMIZER || !cls->ops || !cls->input_formats || !cls->output_formats) return false;
  for (size_t i = 0; (row = kn_option_at(cls, i)); i++)
    if ((row->flags & KN_OPTION_REQUIRED) && strcmp(row->name, "compiled_model_path")) return false;
  return true;
}

/* What a class writes with its defaults; NULL where these need samples, and without memory. */
static const char *default_output(const kn_class *cls) {
  const kn_optimizer_ops *ops = cls->ops;
  kn_instance instance;
  if (!ops->output_format && !ops->needs_samples) return cls->output_formats[0];
  kn_status status = kn_instance_create(cls, &instance);
  const char *format = status || (ops->needs_samples && ops->needs_samples(instance.self)) ? NULL
                       : ops->output_format ? ops->output_format(instance.self)
                                            : cls->output_formats[0];
  if (!status) kn_instance_destroy(&instance);
  kn_status_free(status);
  return format;
}

bool kn_conversion_at(size_t index, kn_conversion *out_conversion) {
  for (size_t i = 0; i < kn_registry_count(); i++) {
    const kn_class *cls = kn_registry_at(i)->cls;
    const char *to = is_plain(cls) ? default_output(cls) : NULL;
    for (const char *const *from = cls->input_formats; to && *from; from++) {
      if (!strcmp(*from, to) || !strcmp(*from, "any") || !strcmp(to, "any")) continue;
      if (index--) continue;
      *out_conversion = (kn_conversion){.cls = cls, .from = *from, .to = to};
      return true;
    }
  }
  return false;
}

static bool lists(const char *const *formats, const char *format) {
  for (; formats && *formats; formats++)
    if (!strcmp(*formats, format)) return true;
  return false;
}

const kn_class *kn_conversion_named_only(const char *from, const char *to) {
  for (size_t i = 0; i < kn_registry_count(); i++) {
    const kn_class *cls = kn_registry_at(i)->cls;
    if (cls->kind == KN_KIND_OPTIMIZER && lists(cls->input_formats, from) && lists(cls->output_formats, to)) return cls;
  }
  return NULL;
}

static bool has(const char *const *formats, const char *format) {
  for (; *formats; formats++)
    if (!strcmp(*formats, format) || !strcmp(*formats, "any") || !strcmp(format, "any")) return true;
  return false;
}

/* Goes on from `path`, which ends in `format`, with exactly `left` more steps. */
static bool extend(kn_conversion_path *path, const char *format, const char *const *to, size_t left) {
  kn_conversion edge;
  if (!left) return has(to, format);
  for (size_t i = 0; kn_conversion_at(i, &edge); i++) {
    if (strcmp(edge.from, format)) continue;
    path->steps[path->count++] = edge;
    if (extend(path, edge.to, to, left - 1)) return true;
    path->count--;
  }
  return false;
}

bool kn_conversion_find(const char *const *from, const char *const *to, kn_conversion_path *out_path) {
  *out_path = (kn_conversion_path){0};
  /* Longer ways are no service: every step may lose something. */
  for (size_t steps = 0; steps <= 4; steps++)
    for (const char *const *start = from; *start; start++)
      if (extend(out_path, *start, to, steps)) return true;
  return false;
}
