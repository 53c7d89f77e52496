#include "compiled.h"

#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the input's hash ---- */

static int by_name(const FTSENT **a, const FTSENT **b) { return strcmp((*a)->fts_name, (*b)->fts_name); }

static kn_status add_file(char **list, const FTSENT *entry, size_t root_length) {
  char hex[65];
  KN_TRY(kn_sha256_file(entry->fts_path, hex));
  char *longer = kn_format("%s%s %s\n", *list, hex, entry->fts_path + root_length);
  if (!longer) return kn_status_out_of_memory();
  kn_free(*list);
  *list = longer;
  return NULL;
}

static kn_status add_files(char **list, FTS *walk, size_t root_length) {
  for (FTSENT *entry; (entry = fts_read(walk));) {
    if (entry->fts_info == FTS_ERR || entry->fts_info == FTS_DNR)
      return kn_status_make(KN_IO_ERROR, "cannot read %s: %s", entry->fts_path, strerror(entry->fts_errno));
    if (entry->fts_info == FTS_F) KN_TRY(add_file(list, entry, root_length));
  }
  return NULL;
}

kn_status kn_onnx_input_hash(const char *path, char out_hex[65]) {
  struct stat found;
  if (stat(path, &found) != 0) return kn_status_make(KN_NOT_FOUND, "%s: %s", path, strerror(errno));
  if (!S_ISDIR(found.st_mode)) return kn_sha256_file(path, out_hex);
  char *roots[] = {(char *)(uintptr_t)path, NULL}, *list = kn_strdup("");
  if (!list) return kn_status_out_of_memory();
  FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
  kn_status status = walk ? add_files(&list, walk, strlen(path)) : kn_status_out_of_memory();
  if (walk) fts_close(walk);
  if (!status) status = kn_sha256(list, strlen(list), out_hex);
  kn_free(list);
  return status;
}

/* ---- the result ---- */

typedef struct compiled {
  char *bytes;
  size_t count;
  kn_onnx_model model;
  kn_onnx_layers layers;
} compiled;

static kn_status read_result(const char *path, compiled *out) {
  *out = (compiled){0};
  KN_TRY(kn_file_read(path, (size_t)1 << 36, &out->bytes, &out->count));
  KN_TRY(kn_onnx_model_read(out->bytes, out->count, &out->model));
  return kn_onnx_layers_read(out->bytes, out->count, &out->layers);
}

static void clear_result(compiled *result) {
  kn_onnx_model_clear(&result->model);
  kn_free(result->bytes);
  *result = (compiled){0};
}

static kn_status check_result(const kn_onnx_compilation *at, const char *path) {
  compiled result;
  kn_status status = read_result(path, &result);
  if (!status) status = at->verify(at->context, &result.model, &result.layers);
  clear_result(&result);
  return status;
}

/* A full cache is no reason to lose the result. */
static void keep(const char *key, const char *path) {
  kn_status status = kn_cache_store(key, path);
  if (status) kn_log(KN_LOG_WARNING, "the converted model is not cached: %s", kn_status_message(status, 0));
  kn_status_free(status);
}

static kn_status produce(const kn_onnx_compilation *at, const char *path, kn_record *record) {
  kn_record *tool;
  bool hit;
  KN_TRY(kn_cache_lookup(at->key, path, &hit));
  if (hit) kn_log(KN_LOG_INFO, "the converted model is taken from the cache");
  if (!hit) {
    KN_TRY(kn_record_object(record, "converter", &tool));
    KN_TRY(at->produce(at->context, path, tool));
  }
  KN_TRY(check_result(at, path));
  if (!hit) keep(at->key, path);
  return kn_record_set_bool(record, "cached", hit);
}

/* ---- description ---- */

/* What the specification before says of each value beyond the file. */
static void inherit(kn_iolist *list, const kn_iolist *before) {
  for (size_t i = 0; i < list->count && i < before->count; i++) {
    kn_ioentry *entry = &list->entries[i];
    const kn_ioentry *origin = &before->entries[i];
    for (size_t k = 0; origin->name && k < before->count; k++)
      if (before->entries[k].name && !strcmp(before->entries[k].name, entry->name)) origin = &before->entries[k];
    if (origin->class_name && !entry->class_name) entry->class_name = kn_strdup(origin->class_name);
    /* Dimensions that the converter left free. */
    if (origin->rank == entry->rank)
      for (uint32_t k = 1; k < entry->rank; k++)
        if (entry->shape[k] == -1) entry->shape[k] = origin->shape[k];
  }
}

static kn_status set_text(kn_record *record, const char *key, char *text) {
  if (!text) return kn_status_out_of_memory();
  kn_status status = kn_record_set_string(record, key, text);
  kn_free(text);
  return status;
}

static kn_status describe_contents(const compiled *result, kn_record *record) {
  const kn_onnx_model *model = &result->model;
  kn_onnx_text version = model->producer_version; /* of which some write more than the number */
  const char *space = version.length ? memchr(version.data, ' ', version.length) : NULL;
  if (space) version.length = (size_t)(space - version.data);
  KN_TRY(kn_record_set_int(record, "weights_bytes", (int64_t)model->weight_bytes));
  KN_TRY(kn_record_set_int(record, "operators", (int64_t)model->operators));
  KN_TRY(kn_record_set_int(record, "operator_set", kn_onnx_model_opset(model)));
  KN_TRY(kn_record_set_int(record, "layers", (int64_t)result->layers.count));
  KN_TRY(kn_record_set_int(record, "layers_on_quantized_values", (int64_t)result->layers.quantized_values));
  KN_TRY(set_text(record, "layer_weights", kn_onnx_census_text(result->layers.weights)));
  KN_TRY(set_text(record, "constants", kn_onnx_census_text(model->weights)));
  return set_text(record, "compiler_version",
                  model->producer.length ? kn_format("%.*s %.*s", KN_ONNX_TEXT(model->producer), KN_ONNX_TEXT(version))
                                         : kn_strdup("unknown"));
}

static kn_status describe(const kn_onnx_compilation *at, const char *path, kn_iospec *out_spec, kn_record *record) {
  const kn_iospec *before = at->request->input_spec;
  compiled result;
  char hex[65];
  kn_status status = read_result(path, &result);
  if (!status) status = describe_contents(&result, record);
  if (!status) status = kn_onnx_model_iospec(&result.model, out_spec);
  clear_result(&result);
  KN_TRY(status);
  inherit(&out_spec->input, before->processed_input.count ? &before->processed_input : &before->input);
  inherit(&out_spec->output, &before->output);
  KN_TRY(kn_sha256_file(path, hex));
  KN_TRY(kn_record_set_string(record, "sha256", hex));
  KN_TRY(kn_record_set_string(record, "compiler_framework", at->framework));
  return kn_record_set_string(record, "input_format", at->format);
}

kn_status kn_onnx_compile(const kn_onnx_compilation *at, kn_iospec *out_spec, kn_record *out_record) {
  char *temporary;
  *out_spec = (kn_iospec){0};
  KN_TRY(kn_file_temporary(at->path, &temporary));
  kn_status status = produce(at, temporary, out_record);
  if (!status) status = describe(at, temporary, out_spec, out_record);
  if (!status) status = kn_file_publish(temporary, at->path);
  if (status) {
    kn_iospec_clear(out_spec);
    (void)unlink(temporary);
  }
  kn_free(temporary);
  return status;
}
