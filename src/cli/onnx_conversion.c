/* onnx_conversion: which models of which framework go to ONNX and come back, tried on the spot. */
#include "cli/options.h"
#include "cli/support_grid.h"
#include "core/file.h"
#include "core/log.h"
#include "core/number.h"
#include "core/record_json.h"
#include "core/registry.h"

#include <kenning/services.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Largest difference of outputs that counts as equal, relative to the largest output. */
static const double tolerance = 1e-4;

static const char *string_of(kn_record *record, const char *key) {
  return yyjson_mut_get_str(yyjson_mut_obj_get(kn_record_value(record), key));
}

static double number_of(kn_record *record, const char *key) {
  const char *text = string_of(record, key);
  return text ? kn_number_read(text, NULL) : NAN;
}

/* ---- one model ---- */

static void say(char out[KN_GRID_REASON], const char *text) {
  snprintf(out, KN_GRID_REASON, "%s", text);
  for (char *c = out; *c; c++)
    if (*c == '\n' || *c == '\t') *c = ' ';
}

/* What a failed step says of the model; takes the status. What is no answer (memory, the user's stop) is returned. */
static kn_status judge_failure(kn_status status, kn_support *out_support, char out_reason[KN_GRID_REASON]) {
  kn_code code = kn_status_code(status);
  const char *text = kn_status_message(status, 0);
  if (code == KN_OUT_OF_MEMORY || code == KN_CANCELLED || code == KN_IO_ERROR) return status;
  *out_support = code == KN_NOT_INSTALLED                                 ? KN_SUPPORT_NOT_INSTALLED
                 : !strncmp(text, "not provided", strlen("not provided")) ? KN_SUPPORT_NOT_PROVIDED
                                                                          : KN_SUPPORT_NO;
  say(out_reason, text);
  kn_status_free(status);
  return NULL;
}

static void judge_difference(kn_record *record, const char *key, kn_support *out_support,
                             char out_reason[KN_GRID_REASON]) {
  double difference = number_of(record, key);
  const char *vary = string_of(record, "outputs_vary");
  bool equal = difference <= tolerance, varies = vary && !strcmp(vary, "yes");
  *out_support = !equal ? KN_SUPPORT_NO : varies ? KN_SUPPORT_YES : KN_SUPPORT_UNVERIFIED;
  snprintf(out_reason, KN_GRID_REASON, "outputs differ by %.2g of the largest%s", difference,
           varies ? "" : ", and are the same for different inputs");
}

/* A conversion and the comparison behind it. */
static kn_status try_direction(const kn_class *cls, void *self, const char *model, const char *directory, uint64_t seed,
                               bool import, kn_grid_cell *cell) {
  const kn_onnxconverter_ops *ops = cls->ops;
  kn_support *support = import ? &cell->import_support : &cell->export_support;
  char *reason = import ? cell->import_reason : cell->export_reason;
  kn_record *record;
  KN_TRY(kn_record_create(&record));
  kn_status status = import ? ops->import_model(self, model, directory, seed, record)
                            : ops->export_model(self, model, directory, seed, record);
  const char *version = string_of(record, "version"), *weights = string_of(record, "weights");
  if (version) say(cell->version, version);
  cell->seeded |= weights && !strcmp(weights, "seeded");
  if (!status) status = ops->compare(self, directory, record);
  if (!status)
    judge_difference(record, import ? "import_difference" : "export_difference", support, reason);
  else
    status = judge_failure(status, support, reason);
  kn_record_destroy(record);
  return status;
}

static kn_status try_model(const kn_class *cls, const char *model, const char *models, uint64_t seed,
                           kn_grid_cell *cell) {
  kn_instance instance;
  char *directory = kn_format("%s/%s/%s", models, kn_class_short_name(cls), model);
  if (!directory) return kn_status_out_of_memory();
  for (char *c = directory + strlen(models); *c; c++)
    if (*c == ' ') *c = '-';
  kn_log(KN_LOG_INFO, "%s: %s", kn_class_short_name(cls), model);
  kn_status status = kn_instance_create(cls, &instance);
  if (!status) {
    /* Files of an earlier try would be compared for those of this one. */
    status = kn_directory_remove(directory);
    if (!status) status = kn_directory_make(directory);
    if (!status) status = try_direction(cls, instance.self, model, directory, seed, false, cell);
    bool exported = cell->export_support == KN_SUPPORT_YES || cell->export_support == KN_SUPPORT_UNVERIFIED;
    if (!status && exported) {
      status = try_direction(cls, instance.self, model, directory, seed, true, cell);
    } else {
      cell->import_support = cell->export_support == KN_SUPPORT_NO ? KN_SUPPORT_UNTRIED : cell->export_support;
    }
    kn_instance_destroy(&instance);
  }
  kn_free(directory);
  return status;
}

/* ---- all of them ---- */

static kn_status find_converters(const kn_onnx_conversion_values *values, kn_grid *grid) {
  KN_TRY(kn_registry_load());
  for (size_t i = 0; i < values->converters_list.count; i++) {
    const kn_class *cls;
    KN_TRY(kn_registry_find(values->converters_list.items[i], KN_KIND_ONNXCONVERTER, &cls));
    KN_TRY(kn_grid_add_converter(grid, cls));
  }
  for (size_t i = 0; !values->converters_list.count && i < kn_registry_count(); i++) {
    const kn_class *cls = kn_registry_at(i)->cls;
    if (cls->kind == KN_KIND_ONNXCONVERTER && cls->ops) KN_TRY(kn_grid_add_converter(grid, cls));
  }
  if (grid->converter_count) return NULL;
  return kn_status_make(KN_NOT_FOUND, "there is no ONNX converter");
}

static bool wanted(const kn_onnx_conversion_values *values, const char *model) {
  for (size_t i = 0; i < values->models.count; i++)
    if (!strcmp(values->models.items[i], model)) return true;
  return !values->models.count;
}

static kn_status try_all(const kn_onnx_conversion_values *values, const char *models, kn_grid *grid) {
  for (size_t c = 0; c < grid->converter_count; c++) {
    const kn_onnxconverter_ops *ops = grid->converters[c]->ops;
    for (const char *const *model = ops->models; *model; model++) {
      kn_grid_cell *cell;
      if (kn_cancelled()) return kn_status_make(KN_CANCELLED, "stopped between two models");
      if (!wanted(values, *model)) continue;
      KN_TRY(kn_grid_cell_of(grid, *model, c, &cell));
      KN_TRY(try_model(grid->converters[c], *model, models, (uint64_t)values->seed, cell));
    }
  }
  return grid->model_count ? NULL : kn_status_make(KN_NOT_FOUND, "no converter is tried on a model of these names");
}

static kn_status check_outputs(const kn_positionals *names) {
  kn_status faults = NULL;
  for (size_t i = 1; i < names->count; i++) {
    kn_status fault = kn_grid_format_of(names->items[i]) ? kn_file_check_output(names->items[i])
                                                         : kn_status_make(KN_INVALID_ARGUMENT,
                                                                          "%s: the grid is written as .rst, .csv, "
                                                                          ".html or .md",
                                                                          names->items[i]);
    faults = kn_status_join(faults, fault);
  }
  return faults;
}

static kn_status convert_all(const kn_onnx_conversion_values *values, const kn_positionals *names) {
  kn_grid grid = {0};
  kn_log_set_level((kn_log_level)values->common.verbosity);
  KN_TRY(check_outputs(names));
  kn_status status = find_converters(values, &grid);
  if (!status) status = kn_directory_make(names->items[0]);
  if (!status) status = try_all(values, names->items[0], &grid);
  if (!status) status = kn_grid_print(&grid);
  for (size_t i = 1; i < names->count && !status; i++) status = kn_grid_write(&grid, names->items[i]);
  kn_grid_clear(&grid);
  return status;
}

int kn_command_onnx_conversion(int argc, char **argv) {
  kn_instance options;
  kn_positionals names;
  bool done;
  kn_status status = kn_command_parse(kn_command_find("onnx_conversion"), argc, argv, 1, 8, &options, &names, &done);
  if (!status && !done) status = convert_all(options.self, &names);
  kn_free(names.items);
  kn_instance_destroy(&options);
  return kn_command_finish(status);
}
