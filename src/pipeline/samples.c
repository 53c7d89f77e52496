#include "pipeline/samples.h"

#include "core/record_json.h"
#include "core/text.h"

#include <errno.h>
#include <fts.h>
#include <kenning/random.h>
#include <kenning/services.h>
#include <stdlib.h>
#include <string.h>

enum { PROBES = 8, MAXIMUM_FILES = 1 << 24 };

static const kn_dataset_ops *ops_of(const kn_sample_list *list) { return list->dataset->cls->ops; }

/* ---- what kn_samples calls ---- */

static kn_status load(void *context, size_t index, const kn_tensor_view *out) {
  const kn_sample_list *list = context;
  const kn_dataset_ops *ops = ops_of(list);
  if (list->files) return ops->load_file(list->dataset->self, list->files[index], out);
  return ops->load(list->dataset->self, list->indexes[index], out);
}

static kn_status label(void *context, size_t index, int64_t *out_label) {
  const kn_sample_list *list = context;
  *out_label = -1;
  if (list->files || !ops_of(list)->label) return kn_status_make(KN_INVALID_ARGUMENT, "these samples have no labels");
  return ops_of(list)->label(list->dataset->self, list->indexes[index], out_label);
}

kn_status kn_sample_list_name(void *context, size_t index, char *out, size_t size) {
  const kn_sample_list *list = context;
  if (!list->files) return ops_of(list)->sample_id(list->dataset->self, list->indexes[index], out, size);
  size_t length = strlen(list->files[index]);
  if (length >= size) length = size - 1;
  memcpy(out, list->files[index], length);
  out[length] = '\0';
  return NULL;
}

static void describe(kn_sample_list *list, const kn_dataset_info *info, size_t count) {
  list->samples = (kn_samples){.context = list,
                               .count = count,
                               .classes = info->classes,
                               .dtype = info->dtype,
                               .rank = info->rank,
                               .identity = "",
                               .load = load,
                               .label = label,
                               .layout = info->layout};
  memcpy(list->samples.range, info->range, sizeof info->range);
  memcpy(list->samples.shape, info->shape, sizeof info->shape);
}

/* ---- making ---- */

kn_status kn_sample_list_of_split(const kn_instance *dataset, const kn_dataset_info *info, const kn_split_plan *plan,
                                  kn_split split, uint64_t seed, kn_sample_list *out_list) {
  *out_list = (kn_sample_list){.dataset = dataset};
  bool shuffled = split == KN_SPLIT_CALIBRATION || split == KN_SPLIT_TRAIN;
  size_t count;
  KN_TRY(kn_split_indexes(plan, split, shuffled, seed, &out_list->indexes, &count));
  describe(out_list, info, count);
  return NULL;
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static int ascending(const FTSENT **a, const FTSENT **b) { return strcmp((*a)->fts_name, (*b)->fts_name); }

/* Takes the files below the tree into list->files, which the caller frees, also after a failure. */
static kn_status collect(FTS *tree, const char *directory, kn_sample_list *list, size_t *count) {
  size_t room = 0;
  for (;;) {
    errno = 0;
    FTSENT *entry = fts_read(tree);
    if (!entry) break;
    if (entry->fts_info == FTS_ERR || entry->fts_info == FTS_DNR || entry->fts_info == FTS_NS)
      return kn_status_make(entry->fts_errno == ENOENT ? KN_NOT_FOUND : KN_IO_ERROR, "cannot read %s: %s",
                            entry->fts_path, strerror(entry->fts_errno));
    if (entry->fts_info != FTS_F || entry->fts_name[0] == '.') continue;
    if (*count == MAXIMUM_FILES) return kn_status_make(KN_BAD_DATA, "%s holds too many files", directory);
    if (*count == room) {
      room = room ? room * 2 : 256;
      char **files = kn_realloc(list->files, room * sizeof *files);
      if (!files) return kn_status_out_of_memory();
      list->files = files;
    }
    char *file = kn_strdup(entry->fts_path);
    if (!file) return kn_status_out_of_memory();
    list->files[(*count)++] = file;
  }
  if (errno) return kn_status_make(KN_IO_ERROR, "cannot read %s: %s", directory, strerror(errno));
  if (!*count) return kn_status_make(KN_NOT_FOUND, "%s holds no file to calibrate on", directory);
  return NULL;
}

/* Fisher and Yates; independent of the order in which the file system lists the files. */
static void shuffle(char **files, size_t count, uint64_t seed) {
  qsort(files, count, sizeof *files, by_name);
  for (size_t i = count; i > 1; i--) {
    size_t j = (size_t)(kn_random(seed, i) % i);
    char *file = files[i - 1];
    files[i - 1] = files[j];
    files[j] = file;
  }
}

kn_status kn_sample_list_of_directory(const kn_instance *dataset, const kn_dataset_info *info, const char *directory,
                                      uint64_t seed, kn_sample_list *out_list) {
  *out_list = (kn_sample_list){.dataset = dataset};
  if (!ops_of(out_list)->load_file)
    return kn_status_make(KN_INVALID_ARGUMENT,
                          "%s cannot read files from outside: leave out external_calibration_dataset",
                          dataset->cls->name);
  char *paths[] = {(char *)(uintptr_t)directory, NULL};
  FTS *tree = fts_open(paths, FTS_LOGICAL | FTS_NOCHDIR, ascending);
  if (!tree) return kn_status_make(KN_IO_ERROR, "cannot read %s: %s", directory, strerror(errno));
  size_t count = 0;
  kn_status status = collect(tree, directory, out_list, &count);
  fts_close(tree);
  describe(out_list, info, count);
  if (status)
    kn_sample_list_clear(out_list);
  else
    shuffle(out_list->files, count, seed);
  return status;
}

void kn_sample_list_clear(kn_sample_list *list) {
  for (size_t i = 0; list->files && i < list->samples.count; i++) kn_free(list->files[i]);
  kn_free(list->files);
  kn_free(list->indexes);
  kn_free(list->identity);
  *list = (kn_sample_list){0};
}

/* ---- identity ---- */

/* Options that say which samples are taken, not what a sample is. */
static const char *const choosing_options[] = {
    "inference_batch_size", "download_dataset",           "split",      "split_fraction_test",
    "split_fraction_val",   "split_fraction_calibration", "split_seed", "external_calibration_dataset"};

/* Class and options of the data set. */
static kn_status add_dataset(const kn_sample_list *list, kn_text *text) {
  kn_record *record;
  KN_TRY(kn_record_create(&record));
  yyjson_mut_doc *doc = kn_record_document(record);
  yyjson_mut_val *options = kn_instance_to_json(list->dataset, doc);
  for (size_t i = 0; options && i < sizeof choosing_options / sizeof *choosing_options; i++)
    yyjson_mut_obj_remove_key(options, choosing_options[i]);
  char *json =
      options ? yyjson_mut_val_write_opts(options, YYJSON_WRITE_ALLOW_INVALID_UNICODE, &kn_json_allocator, NULL, NULL)
              : NULL;
  if (json) kn_text_format(text, "%s\n%s\n", list->dataset->cls->name, json);
  kn_free(json);
  kn_record_destroy(record);
  return json ? NULL : kn_status_out_of_memory();
}

/* The values of some samples: names alone would not tell when the files behind them change. */
static kn_status add_values(const kn_sample_list *list, kn_text *text) {
  const kn_samples *samples = &list->samples;
  kn_tensor_view value;
  KN_TRY(kn_tensor_create(samples->dtype, samples->rank, samples->shape, &value));
  kn_status status = NULL;
  size_t probes = samples->count < PROBES ? samples->count : PROBES;
  for (size_t i = 0; i < probes && !status; i++) {
    char hash[65];
    status = load(samples->context, i * samples->count / probes, &value);
    if (!status) status = kn_sha256(value.data, value.bytes, hash);
    if (!status) kn_text_format(text, "%s\n", hash);
  }
  kn_tensor_free(&value);
  return status;
}

static kn_status add_names(kn_sample_list *list, kn_text *text) {
  for (size_t i = 0; i < list->samples.count; i++) {
    char name[4096];
    KN_TRY(kn_sample_list_name(list, i, name, sizeof name));
    kn_text_format(text, "\n%s", name);
  }
  return NULL;
}

kn_status kn_sample_list_names_hash(kn_sample_list *list, char out_sha256[65]) {
  kn_text text = {0};
  kn_text_add(&text, list->dataset->cls->name);
  kn_status status = add_names(list, &text);
  if (!status) status = kn_text_status(&text);
  if (!status) status = kn_sha256(text.data, text.length, out_sha256);
  kn_text_clear(&text);
  return status;
}

static kn_status add_all(kn_sample_list *list, kn_text *text) {
  const kn_samples *samples = &list->samples;
  KN_TRY(add_dataset(list, text));
  kn_text_format(text, "%s", kn_dtype_name(samples->dtype));
  for (uint32_t i = 0; i < samples->rank; i++) kn_text_format(text, " %lld", (long long)samples->shape[i]);
  KN_TRY(add_names(list, text));
  kn_text_add(text, "\n");
  KN_TRY(add_values(list, text));
  return kn_text_status(text);
}

kn_status kn_sample_list_identify(kn_sample_list *list) {
  kn_text text = {0};
  char hash[65];
  kn_status status = add_all(list, &text);
  if (!status) status = kn_sha256(text.data, text.length, hash);
  kn_text_clear(&text);
  if (status) return status;
  char *identity = kn_strdup(hash);
  if (!identity) return kn_status_out_of_memory();
  kn_free(list->identity);
  list->identity = identity;
  list->samples.identity = identity;
  return NULL;
}
