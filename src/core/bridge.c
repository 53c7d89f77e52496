/* Conversions that a scenario needs and does not name. */
#include "core/formats.h"
#include "core/registry.h"

#include <kenning/services.h>
#include <stdio.h>
#include <string.h>

static kn_status make(const kn_conversion *step, const char *path, kn_instance *out_instance) {
  size_t index;
  KN_TRY(kn_instance_create(step->cls, out_instance));
  const kn_option *row = kn_option_find(step->cls, "compiled_model_path", &index);
  kn_status status = kn_instance_set_text(out_instance, row, index, path, row->name);
  out_instance->where = status ? NULL : kn_strdup("an inserted conversion");
  out_instance->inserted = true;
  if (!status && !out_instance->where) status = kn_status_out_of_memory();
  if (status) kn_instance_destroy(out_instance);
  return status;
}

/* Puts an instance at `index` of the optimizers, which takes it over. */
static kn_status put(kn_scenario *scenario, size_t index, kn_instance *instance) {
  kn_instance *grown = kn_realloc(scenario->optimizers, (scenario->optimizer_count + 1) * sizeof *grown);
  if (!grown) {
    kn_instance_destroy(instance);
    return kn_status_out_of_memory();
  }
  memmove(grown + index + 1, grown + index, (scenario->optimizer_count - index) * sizeof *grown);
  grown[index] = *instance;
  scenario->optimizers = grown;
  scenario->optimizer_count++;
  return NULL;
}

static kn_status put_step(kn_scenario *scenario, size_t index, const kn_conversion *step, const char *path) {
  kn_instance instance;
  KN_TRY(make(step, path, &instance));
  return put(scenario, index, &instance);
}

static const char *written(const kn_instance *optimizer) {
  return ((const kn_optimizer_options *)optimizer->self)->compiled_model_path;
}

/* `index`: of the optimizer before which the steps are put; the number of optimizers: before the runtime. */
static kn_status put_path(kn_scenario *scenario, size_t index, const kn_conversion_path *path, const kn_instance *from,
                          const kn_instance *to, const char *base) {
  char from_name[128], to_name[128];
  snprintf(from_name, sizeof from_name, "%s", kn_class_short_name(from->cls));
  snprintf(to_name, sizeof to_name, "%s", kn_class_short_name(to->cls));
  for (size_t i = 0; i < path->count; i++) {
    const kn_conversion *step = &path->steps[i];
    /* Not beside the user's model: what is named here is what runs write. */
    char *file = kn_format("%s.from-%s%s", base, step->from, kn_format_ending(step->to));
    if (!file) return kn_status_out_of_memory();
    kn_log(KN_LOG_INFO, "%s%s%s gives %s, which %s does not take: %s is inserted between them and writes %s",
           scenario->json.name ? scenario->json.name : "", scenario->json.name ? ": " : "", from_name,
           path->steps[0].from, to_name, kn_class_short_name(step->cls), file);
    kn_status status = put_step(scenario, index + i, step, file);
    kn_free(file);
    KN_TRY(status);
  }
  return NULL;
}

static kn_status bridge_link(kn_scenario *scenario, size_t index) {
  bool last = index == scenario->optimizer_count;
  const kn_instance *from = index ? &scenario->optimizers[index - 1] : &scenario->model_wrapper;
  const kn_instance *to = last ? &scenario->runtime : &scenario->optimizers[index];
  const char *chosen[2];
  kn_conversion_path path;
  if (!from->cls || !to->cls || !to->cls->input_formats) return NULL;
  const char *const *outputs = kn_formats_given(from, chosen);
  if (!outputs || !kn_conversion_find(outputs, to->cls->input_formats, &path) || !path.count) return NULL;
  const char *base = written(last ? from : to);
  if (!base) return NULL;
  char *copy = kn_strdup(base);
  if (!copy) return kn_status_out_of_memory();
  kn_status status = put_path(scenario, index, &path, from, to, copy);
  kn_free(copy);
  return status;
}

kn_status kn_scenario_bridge(kn_scenario *scenario) {
  if (!scenario->optimizer_count) return NULL; /* the runtime loads its own save_model_path */
  for (size_t i = 0; i <= scenario->optimizer_count; i++) {
    size_t before = scenario->optimizer_count;
    KN_TRY(bridge_link(scenario, i));
    i += scenario->optimizer_count - before;
  }
  return NULL;
}

kn_status kn_scenario_convert_to_onnx(kn_scenario *scenario, const char *path) {
  static const char *const onnx[] = {"onnx", NULL};
  const kn_instance *wrapper = &scenario->model_wrapper;
  kn_conversion_path way;
  const char *chosen[2];
  const char *const *given = kn_formats_given(wrapper, chosen);
  if (!given) return NULL; /* a fault of the scenario, told elsewhere */
  if (!kn_conversion_find(given, onnx, &way))
    return kn_status_make_at(KN_INCOMPATIBLE, wrapper->where,
                             "there is no way from the models of %s to ONNX; `kenning info --formats` shows what there "
                             "is",
                             kn_class_short_name(wrapper->cls));
  if (!way.count) {
    kn_log(KN_LOG_INFO, "the models of %s are ONNX already: nothing is converted", kn_class_short_name(wrapper->cls));
    return NULL;
  }
  if (way.count > 1)
    return kn_status_make_at(KN_INCOMPATIBLE, wrapper->where,
                             "the way from the models of %s to ONNX has %zu steps: name them as optimizers",
                             kn_class_short_name(wrapper->cls), way.count);
  /* What was inserted for the model as it was is not needed any more. */
  while (scenario->optimizer_count && scenario->optimizers[0].inserted) {
    kn_instance_destroy(&scenario->optimizers[0]);
    scenario->optimizer_count--;
    memmove(scenario->optimizers, scenario->optimizers + 1, scenario->optimizer_count * sizeof *scenario->optimizers);
  }
  return put_step(scenario, 0, &way.steps[0], path);
}
