#include "report/provenance.h"

#include "core/record_json.h"
#include "core/text.h"

#include <string.h>

enum { MAXIMUM_ROWS = 96, VALUE_LIMIT = 2000, MAXIMUM_DEPTH = 4 };

/* ---- text of JSON values ---- */

static void add_value_within(kn_text *text, yyjson_val *value, unsigned depth) {
  if (yyjson_is_str(value)) {
    kn_text_add(text, yyjson_get_str(value));
  } else if (yyjson_is_bool(value)) {
    kn_text_add(text, yyjson_get_bool(value) ? "yes" : "no");
  } else if (yyjson_is_int(value)) {
    kn_text_format(text, "%lld", (long long)yyjson_get_sint(value));
  } else if (yyjson_is_num(value)) {
    kn_text_format(text, "%.4g", yyjson_get_num(value));
  } else if (yyjson_is_arr(value) && depth) {
    size_t i, count;
    yyjson_val *item;
    yyjson_arr_foreach(value, i, count, item) {
      if (i) kn_text_add(text, ", ");
      add_value_within(text, item, depth - 1);
    }
  } else if (yyjson_is_obj(value) && depth) {
    size_t i, count;
    yyjson_val *key, *item;
    yyjson_obj_foreach(value, i, count, key, item) {
      if (i) kn_text_add(text, ", ");
      kn_text_add(text, yyjson_get_str(key));
      kn_text_add(text, " ");
      add_value_within(text, item, depth - 1);
    }
  } else {
    kn_text_add(text, yyjson_is_null(value) ? "none" : "...");
  }
}

/* Files nest as deep as they like; what is deeper than MAXIMUM_DEPTH is not spelled out. */
static void add_value(kn_text *text, yyjson_val *value) { add_value_within(text, value, MAXIMUM_DEPTH); }

static void add_number(kn_text *text, kn_number_kind kind, yyjson_val *value) {
  char number[KN_NUMBER_SIZE];
  if (yyjson_is_num(value)) kn_text_add(text, kn_number_text(kind, yyjson_get_num(value), number));
}

/* Adds ` separator part` where the text has something already. */
static void add_part(kn_text *text, const char *separator, yyjson_val *part) {
  if (!part || yyjson_is_null(part)) return;
  if (text->length) kn_text_add(text, separator);
  add_value(text, part);
}

/* ---- values of one run ---- */

typedef void (*value_fn)(const kn_run *run, kn_text *text);

static void split_value(const kn_run *run, kn_text *text) {
  add_part(text, "", kn_run_member(run, "run", "split"));
  yyjson_val *published = kn_run_member(run, "run", "split_published");
  if (text->length && yyjson_is_bool(published))
    kn_text_add(text, yyjson_get_bool(published) ? ", as published" : ", drawn by seed");
}

static void split_sizes_value(const kn_run *run, kn_text *text) {
  yyjson_val *counts = kn_run_member(run, "run", "split_counts"), *key, *value;
  size_t i, count;
  yyjson_obj_foreach(counts, i, count, key, value) {
    if (i) kn_text_add(text, ", ");
    kn_text_add(text, yyjson_get_str(key));
    kn_text_add(text, " ");
    add_number(text, KN_NUMBER_COUNT, value);
  }
}

static void samples_value(const kn_run *run, kn_text *text) {
  add_number(text, KN_NUMBER_COUNT, kn_run_member(run, "run", "samples"));
  char number[KN_NUMBER_SIZE];
  if (!text->length && kn_value_known(run->facts[KN_FACT_SAMPLES]))
    kn_text_add(text, kn_value_text(KN_FACT_SAMPLES, run->facts[KN_FACT_SAMPLES], number));
}

static void framework_value(const kn_run *run, kn_text *text) {
  if (!run->results.model_framework) return;
  kn_text_add(text, run->results.model_framework);
  if (run->results.model_version) kn_text_format(text, " %s", run->results.model_version);
}

static void optimizers_value(const kn_run *run, kn_text *text) {
  for (size_t i = 0; i < run->results.compiler_count; i++)
    kn_text_format(text, "%s%s %s", i ? ", " : "", run->results.compilers[i].framework,
                   run->results.compilers[i].version);
  if (!run->results.compiler_count) kn_text_add(text, "none");
}

/* The name of a file without its directories: where a user keeps libraries is nobody's business, their hash tells which
 * they are. */
static const char *file_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

static void add_library(kn_text *text, yyjson_val *name, yyjson_val *version, yyjson_val *hash) {
  if (yyjson_is_str(name)) kn_text_add(text, file_name(yyjson_get_str(name)));
  if (yyjson_is_str(version)) kn_text_format(text, " %s", yyjson_get_str(version));
  if (yyjson_is_str(hash)) kn_text_format(text, " (sha256 %s)", yyjson_get_str(hash));
}

/* A target tells the version of its library and not where it lies: it is called after the class that opened it. */
static void add_unnamed_library(const kn_run *run, kn_text *text) {
  const char *type = yyjson_get_str(kn_run_member(run, "runtime_statistics", "type"));
  const char *dot = type ? strrchr(type, '.') : NULL;
  yyjson_val *version = kn_run_member(run, "runtime_statistics", "library_version");
  yyjson_val *hash = kn_run_member(run, "runtime_statistics", "library_sha256");
  if (!yyjson_is_str(version) && !yyjson_is_str(hash)) return;
  if (type)
    kn_text_format(text, "%s's library", dot ? dot + 1 : type);
  else
    kn_text_add(text, "a library");
  add_library(text, NULL, version, hash);
}

/* The engine's own, where the file has no list of libraries. */
static void libraries_value(const kn_run *run, kn_text *text) {
  yyjson_val *libraries = kn_run_member(run, NULL, "libraries"), *library;
  size_t i, count;
  yyjson_arr_foreach(libraries, i, count, library) {
    if (i) kn_text_add(text, "; ");
    add_library(text, yyjson_obj_get(library, "name"), yyjson_obj_get(library, "version"),
                yyjson_obj_get(library, "sha256"));
  }
  yyjson_val *own = kn_run_member(run, "runtime_statistics", "library");
  if (!text->length && yyjson_is_str(own))
    add_library(text, own, kn_run_member(run, "runtime_statistics", "library_version"),
                kn_run_member(run, "runtime_statistics", "library_sha256"));
  if (!text->length) add_unnamed_library(run, text);
}

static void delegates_value(const kn_run *run, kn_text *text) {
  yyjson_val *delegates = kn_run_member(run, "runtime_statistics", "delegates"), *delegate;
  yyjson_val *operators = kn_run_member(run, "runtime_statistics", "operators");
  size_t i, count;
  if (!yyjson_is_arr(delegates)) return;
  if (!yyjson_arr_size(delegates)) kn_text_add(text, "none");
  yyjson_arr_foreach(delegates, i, count, delegate) {
    if (i) kn_text_add(text, ", ");
    yyjson_val *name = yyjson_obj_get(delegate, "name"), *ran = yyjson_obj_get(delegate, "operators");
    add_value(text, name ? name : delegate);
    if (!yyjson_is_num(ran)) continue;
    kn_text_add(text, ": ");
    add_number(text, KN_NUMBER_COUNT, ran);
    if (yyjson_is_num(operators)) {
      kn_text_add(text, " of ");
      add_number(text, KN_NUMBER_COUNT, operators);
    }
    kn_text_add(text, " operators");
  }
}

static void threads_value(const kn_run *run, kn_text *text) {
  yyjson_val *threads = kn_run_member(run, "runtime_statistics", "threads");
  add_part(text, "", threads ? threads : kn_run_member(run, "run", "threads"));
}

static void model_file(const kn_run *run, const char *role, kn_text *text) {
  yyjson_val *model = kn_run_model_file(run, role);
  if (!model) return;
  add_part(text, "", yyjson_obj_get(model, "path"));
  if (yyjson_is_num(yyjson_obj_get(model, "bytes"))) {
    kn_text_add(text, ", ");
    add_number(text, KN_NUMBER_COUNT, yyjson_obj_get(model, "bytes"));
    kn_text_add(text, " bytes");
  }
  if (yyjson_is_str(yyjson_obj_get(model, "sha256")))
    kn_text_format(text, ", sha256 %s", yyjson_get_str(yyjson_obj_get(model, "sha256")));
}

static void input_model_value(const kn_run *run, kn_text *text) { model_file(run, "input", text); }
static void compiled_model_value(const kn_run *run, kn_text *text) { model_file(run, "compiled", text); }

static void memory_value(const kn_run *run, kn_text *text) {
  add_number(text, KN_NUMBER_BYTES, kn_run_member(run, "environment", "memory_total_bytes"));
}

typedef struct row_source {
  const char *group, *label;
  const char *object, *member; /* where `value` is NULL */
  value_fn value;
  yyjson_val *(*facts_of)(const kn_run *); /* `member` is one of these, where not NULL */
} row_source;

static const row_source sources[] = {
    {"Data", "Data set", "run", "dataset", NULL, NULL},
    {"Data", "Place", "run", "dataset_root", NULL, NULL},
    {"Data", "Split shown", NULL, NULL, split_value, NULL},
    {"Data", "Samples shown", NULL, NULL, samples_value, NULL},
    {"Data", "Samples by split", NULL, NULL, split_sizes_value, NULL},
    {"Data", "Seeds", "run", "seeds", NULL, NULL},
    {"Model", "Model framework", NULL, NULL, framework_value, NULL},
    {"Model", "Optimizers", NULL, NULL, optimizers_value, NULL},
    {"Model", "Input model", NULL, NULL, input_model_value, NULL},
    {"Model", "Compiled model", NULL, NULL, compiled_model_value, NULL},
    {"Execution", "Delegates", NULL, NULL, delegates_value, NULL},
    {"Execution", "Threads", NULL, NULL, threads_value, NULL},
    {"Execution", "Batch size", "run", "batch_size", NULL, NULL},
    {"Execution", "Libraries", NULL, NULL, libraries_value, NULL},
    {"Machine", "Host", "environment", "hostname", NULL, NULL},
    {"Machine", "Processor", "environment", "cpu_model", NULL, NULL},
    {"Machine", "Logical processors", "environment", "cpu_count", NULL, NULL},
    {"Machine", "Frequency governor", "environment", "governor", NULL, NULL},
    {"Machine", "Memory", NULL, NULL, memory_value, NULL},
    {"Machine", "Load average", "environment", "load_average", NULL, NULL},
    {"Machine", "Operating system", "environment", "os", NULL, NULL},
    {"Machine", "Kernel", "environment", "kernel", NULL, NULL},
    {"Machine", "Processor features", "environment", "cpu_flags", NULL, NULL},
    {"Run", "Date", NULL, "date", NULL, NULL},
    {"Run", "Kenning", NULL, "kenning_version", NULL, NULL},
    {"Run", "Scenario", NULL, "cfg_path", NULL, NULL},
};
/* Facts that engines and optimizers tell about themselves have rows of their own, but for these. */
static const char *const shown_elsewhere[] = {"library",
                                              "library_version",
                                              "library_sha256",
                                              "delegates",
                                              "operators",
                                              "threads",
                                              "type",
                                              "weights_bytes",
                                              "model_file_bytes",
                                              "optimizer_state_bytes",
                                              "compiler_framework",
                                              "compiler_version",
                                              "sha256",
                                              "input_sha256",
                                              "input_format"};

/* ---- rows ---- */

static bool all_equal(char *const *values, size_t count) {
  for (size_t i = 1; i < count; i++)
    if (!values[i] || !values[0] || strcmp(values[0], values[i]) != 0) return false;
  return values[0] != NULL;
}

/* A copy, cut before a character when it is very long. */
static char *shortened(const kn_text *text) {
  if (text->length <= VALUE_LIMIT) return kn_strdup(text->data);
  size_t bytes = VALUE_LIMIT;
  while (bytes && ((unsigned char)text->data[bytes] & 0xc0) == 0x80) bytes--;
  return kn_format("%.*s ...", (int)bytes, text->data);
}

/* Appends a row; rows without any value are dropped, and so are those that no reader would get to. */
static kn_status add_row(const kn_report_model *model, kn_provenance *provenance, const row_source *source) {
  if (provenance->count == MAXIMUM_ROWS) return NULL;
  kn_provenance_row *row = &provenance->rows[provenance->count];
  *row = (kn_provenance_row){.group = source->group,
                             .label = kn_strdup(source->label),
                             .values = kn_alloc_array(model->run_count, sizeof *row->values)};
  provenance->count++;
  if (!row->label || !row->values) return kn_status_out_of_memory();
  bool any = false;
  for (size_t i = 0; i < model->run_count; i++) {
    kn_text text = {0};
    if (source->value)
      source->value(&model->runs[i], &text);
    else
      add_part(&text, "",
               source->facts_of ? yyjson_obj_get(source->facts_of(&model->runs[i]), source->member)
                                : kn_run_member(&model->runs[i], source->object, source->member));
    kn_status status = kn_text_status(&text);
    if (!status && text.length) {
      row->values[i] = shortened(&text);
      if (!row->values[i]) status = kn_status_out_of_memory();
      any = true;
    }
    kn_text_clear(&text);
    KN_TRY(status);
  }
  row->equal = all_equal(row->values, model->run_count);
  if (any) return NULL;
  kn_free(row->label);
  kn_free(row->values);
  provenance->count--;
  return NULL;
}

static bool has_row(const kn_provenance *provenance, const char *group, const char *label) {
  for (size_t i = 0; i < provenance->count; i++)
    if (strcmp(provenance->rows[i].group, group) == 0 && strcmp(provenance->rows[i].label, label) == 0) return true;
  return false;
}

static bool is_shown_elsewhere(const char *name) {
  for (size_t i = 0; i < sizeof shown_elsewhere / sizeof *shown_elsewhere; i++)
    if (strcmp(shown_elsewhere[i], name) == 0) return true;
  return false;
}

/* The object whose members are facts of a run: of its engine, or of its last optimizer. */
static yyjson_val *engine_facts(const kn_run *run) { return kn_run_member(run, NULL, "runtime_statistics"); }
static yyjson_val *optimizer_facts(const kn_run *run) {
  return yyjson_arr_get_last(kn_run_member(run, NULL, "optimizer_records"));
}

/* One row for every member that some run has. */
static kn_status add_facts(const kn_report_model *model, kn_provenance *provenance, const char *group,
                           yyjson_val *(*facts_of)(const kn_run *)) {
  for (size_t r = 0; r < model->run_count; r++) {
    yyjson_val *key, *value;
    size_t i, count;
    yyjson_obj_foreach(facts_of(&model->runs[r]), i, count, key, value) {
      const char *name = yyjson_get_str(key);
      char *label = kn_strdup(name);
      if (!label) return kn_status_out_of_memory();
      for (char *c = label; *c; c++)
        if (*c == '_') *c = ' ';
      kn_status status = NULL;
      if (!is_shown_elsewhere(name) && !has_row(provenance, group, label))
        status = add_row(model, provenance, &(row_source){group, label, NULL, name, NULL, facts_of});
      kn_free(label);
      KN_TRY(status);
    }
  }
  return NULL;
}

kn_status kn_provenance_of(const kn_report_model *model, kn_provenance *out) {
  *out = (kn_provenance){.rows = kn_alloc_array(MAXIMUM_ROWS, sizeof *out->rows), .run_count = model->run_count};
  if (!out->rows) return kn_status_out_of_memory();
  kn_status status = NULL;
  for (size_t i = 0; !status && i < sizeof sources / sizeof *sources; i++) status = add_row(model, out, &sources[i]);
  if (!status) status = add_facts(model, out, "Optimization", optimizer_facts);
  if (!status) status = add_facts(model, out, "Engine", engine_facts);
  if (status) kn_provenance_clear(out);
  return status;
}

void kn_provenance_clear(kn_provenance *provenance) {
  for (size_t i = 0; i < provenance->count; i++) {
    kn_provenance_row *row = &provenance->rows[i];
    for (size_t k = 0; row->values && k < provenance->run_count; k++) kn_free(row->values[k]);
    kn_free(row->values);
    kn_free(row->label);
  }
  kn_free(provenance->rows);
  *provenance = (kn_provenance){0};
}

/* ---- reproducing a run ---- */

kn_status kn_run_configuration(const kn_run *run, char **out_json) {
  *out_json = NULL;
  yyjson_val *configuration = kn_run_member(run, NULL, "build_cfg");
  if (!configuration) return NULL;
  size_t length;
  yyjson_write_err error;
  char *json = yyjson_val_write_opts(configuration, YYJSON_WRITE_PRETTY | YYJSON_WRITE_INF_AND_NAN_AS_NULL,
                                     &kn_json_allocator, &length, &error);
  if (!json) return kn_status_out_of_memory();
  *out_json = kn_strndup(json, length);
  kn_json_allocator.free(kn_json_allocator.ctx, json);
  return *out_json ? NULL : kn_status_out_of_memory();
}

kn_status kn_run_command(const kn_run *run, char **out_text) {
  *out_text = NULL;
  if (!run->results.command_count) return NULL;
  kn_text text = {0};
  for (size_t i = 0; i < run->results.command_count; i++) {
    if (i) kn_text_add(&text, "\n");
    for (const char *c = run->results.command[i]; *c; c++) kn_text_add_bytes(&text, *c == '\n' ? " " : c, 1);
  }
  kn_status status = kn_text_status(&text);
  if (status)
    kn_text_clear(&text);
  else
    *out_text = text.data;
  return status;
}
