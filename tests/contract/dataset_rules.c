/* What every data set must do. */
#include "contract/subject.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"

enum { SAMPLES = 16, THREADS = 4, ID_BYTES = 4096, LABELS = 20000 };

static const kn_dataset_ops *ops_of(const subject *at) { return at->cls->ops; }

/* An open one, or the rule ends as not checked. */
static block *open_dataset(subject *at) {
  const char *reason = fixtures_make_dataset(fixtures_dataset(at->table, at->name), at->directory);
  if (reason) subject_skip(at, reason);
  block *one = subject_block(at);
  subject_require(at, block_open(at, one));
  return one;
}

static kn_dataset_info info_of(const subject *at, const block *one) {
  kn_dataset_info info;
  memset(&info, 0xA5, sizeof info); /* all of it must be filled in */
  kt_assert_ok(ops_of(at)->info(one->self, &info));
  return info;
}

/* Some samples over the whole set, the first and the last among them. */
static size_t chosen(size_t i, size_t count) {
  return count <= SAMPLES ? i % count : (size_t)((double)(count - 1) * (double)i / (SAMPLES - 1));
}

static void the_description_is_sane(subject *at) {
  kn_dataset_info info = info_of(at, open_dataset(at));
  assert_true(info.count > 0);
  assert_true(info.task == KN_TASK_NONE || info.task == KN_TASK_CLASSIFICATION);
  assert_true(info.classes >= 0 && info.classes < 1 << 24);
  if (info.task == KN_TASK_CLASSIFICATION) assert_true(info.classes > 0);
  for (int64_t i = 0; i < info.classes; i++) {
    assert_true(info.class_names[i] && *info.class_names[i]);
    for (int64_t j = 0; j < i && i < 1000; j++) assert_string_not_equal(info.class_names[i], info.class_names[j]);
  }
  size_t bytes;
  assert_true(info.rank < KN_MAX_RANK); /* room for the batch */
  kt_assert_ok(kn_tensor_bytes(info.dtype, info.rank, info.shape, &bytes));
  assert_true(bytes > 0);
  if (info.layout) assert_int_equal(strlen(info.layout), info.rank + 1);
}

static void it_opens_again_after_closing(subject *at) {
  block *one = open_dataset(at);
  kn_dataset_info before = info_of(at, one);
  block_close(at, one);
  kt_assert_ok(block_open(at, one));
  kn_dataset_info after = info_of(at, one);
  assert_int_equal(after.count, before.count);
  assert_int_equal(after.classes, before.classes);
  assert_memory_equal(after.shape, before.shape, before.rank * sizeof *before.shape);
}

static void closing_is_always_allowed(subject *at) {
  block *one = subject_block(at); /* without its files, so that opening may fail half-way */
  block_close(at, one);
  kn_status_free(block_open(at, one));
  block_close(at, one);
  block_close(at, one);
  const char *reason = fixtures_make_dataset(fixtures_dataset(at->table, at->name), at->directory);
  if (reason) subject_skip(at, reason);
  subject_require(at, block_open(at, one)); /* what failed before does not stay */
  block_close(at, one);
  block_close(at, one);
}

static void missing_data_is_reported(subject *at) {
  block *one = subject_block(at);
  kt_set(&one->instance, "dataset_root", "/nonexistent/data");
  kn_status status = block_open(at, one);
  if (!status) return; /* it needs none */
  assert_bad_input(status, "opening a directory that is not there");
}

static void labels_are_in_range(subject *at) {
  block *one = open_dataset(at);
  kn_dataset_info info = info_of(at, one);
  size_t step = info.count / LABELS + 1;
  for (size_t i = 0; i < info.count && info.task == KN_TASK_CLASSIFICATION; i += step) {
    int64_t label = -1, again = -2;
    kt_assert_ok(ops_of(at)->label(one->self, i, &label));
    kt_assert_ok(ops_of(at)->label(one->self, i, &again));
    if (label < 0 || label >= info.classes) kt_fail("sample %zu has the label %lld", i, (long long)label);
    assert_int_equal(label, again);
  }
}

static kn_tensor_view *tensor_for(subject *at, const kn_dataset_info *info) {
  return subject_tensor(at, info->dtype, info->rank, info->shape);
}

static void samples_are_numbers_and_the_same_every_time(subject *at) {
  block *one = open_dataset(at);
  kn_dataset_info info = info_of(at, one);
  kn_tensor_view *first = tensor_for(at, &info), *second = tensor_for(at, &info);
  for (size_t i = 0; i < SAMPLES; i++) {
    memset(first->data, 0x5A, first->bytes); /* every byte must be written */
    memset(second->data, 0xA5, second->bytes);
    kt_assert_ok(ops_of(at)->load(one->self, chosen(i, info.count), first));
    if (i == SAMPLES / 2) {
      block_close(at, one);
      kt_assert_ok(block_open(at, one));
    }
    kt_assert_ok(ops_of(at)->load(one->self, chosen(i, info.count), second));
    assert_memory_equal(first->data, second->data, first->bytes);
    for (size_t k = 0; info.dtype == KN_FLOAT32 && k < kn_tensor_elements(first); k++)
      assert_true(isfinite(((float *)first->data)[k]));
  }
}

typedef struct loader {
  const kn_dataset_ops *ops;
  void *self;
  size_t count, start;
  kn_tensor_view tensor;
  const char *expected; /* SAMPLES samples */
  bool same;
  kn_status status;
} loader;

static void *load_all(void *argument) {
  loader *at = argument;
  at->same = true;
  for (size_t round = 0; round < 2 * SAMPLES && !at->status; round++) {
    size_t i = (at->start + round) % SAMPLES;
    at->status = at->ops->load(at->self, chosen(i, at->count), &at->tensor);
    if (!at->status) at->same &= !memcmp(at->tensor.data, at->expected + i * at->tensor.bytes, at->tensor.bytes);
  }
  return NULL;
}

static void several_threads_load_at_once(subject *at) {
  block *one = open_dataset(at);
  kn_dataset_info info = info_of(at, one);
  kn_tensor_view *sample = tensor_for(at, &info);
  kn_tensor_view *all = subject_tensor(at, KN_UINT8, 1, (const int64_t[]){(int64_t)(SAMPLES * sample->bytes)});
  for (size_t i = 0; i < SAMPLES; i++) {
    kt_assert_ok(ops_of(at)->load(one->self, chosen(i, info.count), sample));
    memcpy((char *)all->data + i * sample->bytes, sample->data, sample->bytes);
  }
  block_close(at, one); /* what is set up by the first load is raced for too */
  kt_assert_ok(block_open(at, one));
  loader loaders[THREADS];
  pthread_t threads[THREADS];
  for (size_t t = 0; t < THREADS; t++) {
    loaders[t] = (loader){.ops = ops_of(at),
                          .self = one->self,
                          .count = info.count,
                          .start = t * SAMPLES / THREADS,
                          .tensor = *tensor_for(at, &info),
                          .expected = all->data};
    assert_int_equal(pthread_create(&threads[t], NULL, load_all, &loaders[t]), 0);
  }
  for (size_t t = 0; t < THREADS; t++) pthread_join(threads[t], NULL);
  for (size_t t = 0; t < THREADS; t++) {
    kt_assert_ok(loaders[t].status);
    assert_true(loaders[t].same);
  }
}

static int compare_texts(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void sample_names_are_unique_and_stable(subject *at) {
  block *one = open_dataset(at);
  kn_dataset_info info = info_of(at, one);
  size_t count = info.count < LABELS ? info.count : LABELS;
  char id[ID_BYTES];
  char **ids = calloc(count, sizeof *ids);
  assert_non_null(ids);
  for (size_t i = 0; i < count; i++) {
    memset(id, 'x', sizeof id);
    kt_assert_ok(ops_of(at)->sample_id(one->self, i, id, sizeof id));
    assert_true(memchr(id, '\0', sizeof id) && *id);
    ids[i] = strdup(id);
  }
  block_close(at, one);
  kt_assert_ok(block_open(at, one));
  for (size_t i = 0; i < count; i += count / 50 + 1) {
    kt_assert_ok(ops_of(at)->sample_id(one->self, i, id, sizeof id));
    assert_string_equal(id, ids[i]);
  }
  qsort(ids, count, sizeof *ids, compare_texts);
  for (size_t i = 1; i < count; i++) assert_string_not_equal(ids[i - 1], ids[i]);
  for (size_t i = 0; i < count; i++) free(ids[i]);
  free(ids);
}

/* A name that does not fit is cut or refused; nothing is written behind the buffer. */
static void small_buffers_for_names_hold(subject *at) {
  block *one = open_dataset(at);
  for (size_t size = 1; size < 12; size++) {
    char *id = malloc(size); /* the sanitizer watches its end */
    assert_non_null(id);
    kn_status status = ops_of(at)->sample_id(one->self, 0, id, size);
    if (!status) assert_non_null(memchr(id, '\0', size));
    kn_status_free(status);
    free(id);
  }
}

static void samples_beyond_the_end_are_refused(subject *at) {
  block *one = open_dataset(at);
  kn_dataset_info info = info_of(at, one);
  kn_tensor_view *sample = tensor_for(at, &info);
  const size_t beyond[] = {info.count, info.count + 1, SIZE_MAX};
  for (size_t i = 0; i < 3; i++) {
    int64_t label;
    char id[ID_BYTES];
    kt_assert_fault(ops_of(at)->label(one->self, beyond[i], &label), KN_INVALID_ARGUMENT, NULL);
    kt_assert_fault(ops_of(at)->load(one->self, beyond[i], sample), KN_INVALID_ARGUMENT, NULL);
    kt_assert_fault(ops_of(at)->sample_id(one->self, beyond[i], id, sizeof id), KN_INVALID_ARGUMENT, NULL);
    if (ops_of(at)->published_split) assert_int_equal(ops_of(at)->published_split(one->self, beyond[i]), KN_SPLIT_NONE);
  }
}

static void tensors_of_another_size_are_refused(subject *at) {
  block *one = open_dataset(at);
  kn_dataset_info info = info_of(at, one);
  int64_t elements = (int64_t)kn_tensor_elements(tensor_for(at, &info));
  const int64_t sizes[] = {0, elements - 1, elements + 1};
  for (size_t i = 0; i < 3; i++) {
    kn_tensor_view *wrong = subject_tensor(at, info.dtype, 1, &sizes[i]);
    kt_assert_fault(ops_of(at)->load(one->self, 0, wrong), KN_INVALID_ARGUMENT, NULL);
  }
  kn_tensor_view *wrong = subject_tensor(at, info.dtype == KN_INT64 ? KN_FLOAT64 : KN_INT64, info.rank, info.shape);
  kt_assert_fault(ops_of(at)->load(one->self, 0, wrong), KN_INVALID_ARGUMENT, NULL);
}

static void published_splits_are_splits(subject *at) {
  block *one = open_dataset(at);
  kn_dataset_info info = info_of(at, one);
  size_t assigned = 0;
  for (size_t i = 0; ops_of(at)->published_split && i < info.count; i++) {
    kn_split split = ops_of(at)->published_split(one->self, i);
    assert_in_range(split, KN_SPLIT_NONE, KN_SPLIT_TEST);
    assigned += split != KN_SPLIT_NONE;
  }
  assert_int_equal(assigned > 0, info.split_published);
}

static kn_status open_and_load(subject *at, block *one, const kn_tensor_view *sample) {
  KN_TRY(block_open(at, one));
  kn_dataset_info info;
  KN_TRY(ops_of(at)->info(one->self, &info));
  return ops_of(at)->load(one->self, 0, sample);
}

static void memory_may_run_out(subject *at) {
  block *one = open_dataset(at);
  kn_dataset_info info = info_of(at, one);
  kn_tensor_view *sample = tensor_for(at, &info);
  block_close(at, one);
  uint64_t before = kn_memory_allocations();
  kt_assert_ok(open_and_load(at, one, sample));
  uint64_t needed = kn_memory_allocations() - before;
  block_close(at, one);
  for (uint64_t n = 0; n < needed; n += needed / 100 + 1) {
    kn_memory_fail_after(n);
    kn_status status = open_and_load(at, one, sample);
    kn_memory_fail_after(UINT64_MAX);
    kt_assert_fault(status, KN_OUT_OF_MEMORY, NULL);
    block_close(at, one);
  }
}

const rule dataset_rules[] = {{"the description is sane", the_description_is_sane},
                              {"it opens again after closing", it_opens_again_after_closing},
                              {"closing is always allowed", closing_is_always_allowed},
                              {"missing data is reported", missing_data_is_reported},
                              {"labels are in range", labels_are_in_range},
                              {"samples are numbers, the same every time", samples_are_numbers_and_the_same_every_time},
                              {"several threads load at once", several_threads_load_at_once},
                              {"names of samples are unique and stable", sample_names_are_unique_and_stable},
                              {"small buffers for names hold", small_buffers_for_names_hold},
                              {"samples beyond the end are refused", samples_beyond_the_end_are_refused},
                              {"tensors of another size are refused", tensors_of_another_size_are_refused},
                              {"published splits are splits", published_splits_are_splits},
                              {"memory may run out", memory_may_run_out},
                              {0}};
