#include "pipeline/split.h"

#include "core/registry.h"

#include <kenning/random.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Streams of random numbers under the same seed. */
enum { STREAM_SPLIT = 1, STREAM_ORDER };

typedef struct kn_draw {
  uint64_t key;
  size_t index;
  size_t stratum;
} kn_draw;

static int by_stratum_and_key(const void *a, const void *b) {
  const kn_draw *x = a, *y = b;
  if (x->stratum != y->stratum) return x->stratum < y->stratum ? -1 : 1;
  if (x->key != y->key) return x->key < y->key ? -1 : 1;
  return (x->index > y->index) - (x->index < y->index);
}

/* ---- shares ---- */

typedef struct kn_quota {
  size_t size; /* samples of the class */
  size_t share;
  double remainder;
  size_t stratum;
} kn_quota;

static int by_remainder(const void *a, const void *b) {
  const kn_quota *x = a, *y = b;
  if (x->remainder != y->remainder) return x->remainder > y->remainder ? -1 : 1;
  return (x->stratum > y->stratum) - (x->stratum < y->stratum);
}

static int by_stratum(const void *a, const void *b) {
  const kn_quota *x = a, *y = b;
  return (x->stratum > y->stratum) - (x->stratum < y->stratum);
}

/* Shares of round(fraction * total) samples by largest remainder (Hamilton's method), so that each class differs by
 * less than one sample from its exact share. */
static void apportion(kn_quota *quotas, size_t strata, double fraction) {
  size_t total = 0, given = 0;
  for (size_t i = 0; i < strata; i++) {
    double exact = fraction * (double)quotas[i].size;
    quotas[i].share = (size_t)exact;
    quotas[i].remainder = exact - floor(exact);
    total += quotas[i].size;
    given += quotas[i].share;
  }
  size_t wanted = (size_t)(fraction * (double)total + 0.5);
  qsort(quotas, strata, sizeof *quotas, by_remainder);
  for (size_t i = 0; i < strata && given < wanted; i++) {
    if (quotas[i].share == quotas[i].size) continue;
    quotas[i].share++;
    given++;
  }
  qsort(quotas, strata, sizeof *quotas, by_stratum);
}

/* ---- drawing ---- */

typedef struct kn_drawing {
  const kn_split_request *request;
  kn_split_plan *plan;
  kn_draw *pool; /* samples free to be drawn, by class and within a class in random order */
  size_t pool_count;
  kn_quota *quotas;
  size_t strata;
} kn_drawing;

static void fill_pool(kn_drawing *drawing) {
  const kn_split_request *request = drawing->request;
  uint64_t seed = kn_random(request->seed, STREAM_SPLIT);
  drawing->pool_count = 0;
  for (size_t i = 0; i < request->count; i++) {
    if (drawing->plan->assignment[i] != KN_SPLIT_NONE) continue;
    drawing->pool[drawing->pool_count++] =
        (kn_draw){.key = kn_random(seed, i), .index = i, .stratum = request->classes ? (size_t)request->labels[i] : 0};
  }
  qsort(drawing->pool, drawing->pool_count, sizeof *drawing->pool, by_stratum_and_key);
}

/* Class sizes of the pool into `quotas`. */
static void count_classes(kn_drawing *drawing) {
  for (size_t i = 0; i < drawing->strata; i++) drawing->quotas[i] = (kn_quota){.stratum = i};
  for (size_t i = 0; i < drawing->pool_count; i++) drawing->quotas[drawing->pool[i].stratum].size++;
}

/* Gives each class's share of the pool, whose class sizes are in `quotas`, to `split`. */
static void assign(kn_drawing *drawing, kn_split split) {
  size_t at = 0;
  for (size_t stratum = 0; stratum < drawing->strata; stratum++) {
    size_t left = drawing->quotas[stratum].share;
    for (; at < drawing->pool_count && drawing->pool[at].stratum == stratum; at++) {
      if (!left) continue;
      drawing->plan->assignment[drawing->pool[at].index] = (uint8_t)split;
      left--;
    }
  }
}

static void draw(kn_drawing *drawing) {
  const kn_split_request *request = drawing->request;
  kn_split_plan *plan = drawing->plan;
  fill_pool(drawing);
  if (!plan->counts[KN_SPLIT_TEST]) {
    count_classes(drawing);
    apportion(drawing->quotas, drawing->strata, request->fraction_test);
    assign(drawing, KN_SPLIT_TEST);
    fill_pool(drawing);
  }
  /* Both shares are of the samples that are left now, so the sizes are counted once. */
  count_classes(drawing);
  if (!plan->counts[KN_SPLIT_VALIDATION]) {
    apportion(drawing->quotas, drawing->strata, request->fraction_validation);
    assign(drawing, KN_SPLIT_VALIDATION);
    fill_pool(drawing);
  }
  if (!plan->counts[KN_SPLIT_CALIBRATION]) {
    apportion(drawing->quotas, drawing->strata, request->fraction_calibration);
    assign(drawing, KN_SPLIT_CALIBRATION);
  }
}

static kn_status check(const kn_split_request *request) {
  KN_TRY(kn_kind_check_fractions(request->fraction_validation, request->fraction_calibration));
  for (size_t i = 0; request->classes && i < request->count; i++)
    if (request->labels[i] < 0 || request->labels[i] >= request->classes)
      return kn_status_make(KN_BAD_DATA, "label %lld of sample number %zu is outside 0 to %lld",
                            (long long)request->labels[i], i, (long long)request->classes - 1);
  return NULL;
}

static kn_status draw_plan(kn_drawing *drawing) {
  const kn_split_request *request = drawing->request;
  kn_split_plan *plan = drawing->plan;
  KN_TRY(check(request));
  plan->count = request->count;
  plan->assignment = kn_alloc_array(request->count, sizeof *plan->assignment);
  drawing->strata = request->classes ? (size_t)request->classes : 1;
  drawing->pool = kn_alloc_array(request->count, sizeof *drawing->pool);
  drawing->quotas = kn_alloc_array(drawing->strata, sizeof *drawing->quotas);
  if (!plan->assignment || !drawing->pool || !drawing->quotas) return kn_status_out_of_memory();
  for (size_t i = 0; request->published && i < request->count; i++) {
    uint8_t split = request->published[i];
    if (split == KN_SPLIT_VALIDATION || split == KN_SPLIT_CALIBRATION || split == KN_SPLIT_TEST) {
      plan->assignment[i] = split;
      plan->counts[split]++;
    }
  }
  draw(drawing);
  memset(plan->counts, 0, sizeof plan->counts);
  for (size_t i = 0; i < plan->count; i++) {
    if (plan->assignment[i] == KN_SPLIT_NONE) plan->assignment[i] = KN_SPLIT_TRAIN;
    plan->counts[plan->assignment[i]]++;
  }
  return NULL;
}

kn_status kn_split_draw(const kn_split_request *request, kn_split_plan *out_plan) {
  *out_plan = (kn_split_plan){0};
  kn_drawing drawing = {.request = request, .plan = out_plan};
  kn_status status = draw_plan(&drawing);
  kn_free(drawing.pool);
  kn_free(drawing.quotas);
  if (status) kn_split_clear(out_plan);
  return status;
}

void kn_split_clear(kn_split_plan *plan) {
  kn_free(plan->assignment);
  *plan = (kn_split_plan){0};
}

/* ---- use ---- */

kn_status kn_split_indexes(const kn_split_plan *plan, kn_split split, bool shuffled, uint64_t seed,
                           size_t **out_indexes, size_t *out_count) {
  *out_indexes = NULL;
  *out_count = 0;
  size_t count = 0;
  for (size_t i = 0; i < plan->count; i++) count += split == KN_SPLIT_ALL || plan->assignment[i] == split;
  size_t *indexes = kn_alloc_array(count, sizeof *indexes);
  kn_draw *draws = kn_alloc_array(count, sizeof *draws);
  if (!indexes || !draws) {
    kn_free(indexes);
    kn_free(draws);
    return kn_status_out_of_memory();
  }
  uint64_t stream = kn_random(seed, STREAM_ORDER);
  size_t used = 0;
  for (size_t i = 0; i < plan->count; i++)
    if (split == KN_SPLIT_ALL || plan->assignment[i] == split)
      draws[used++] = (kn_draw){.key = shuffled ? kn_random(stream, i) : 0, .index = i};
  qsort(draws, count, sizeof *draws, by_stratum_and_key);
  for (size_t i = 0; i < count; i++) indexes[i] = draws[i].index;
  kn_free(draws);
  *out_indexes = indexes;
  *out_count = count;
  return NULL;
}

const char *kn_split_name(kn_split split) {
  switch (split) {
    case KN_SPLIT_TRAIN:
      return "train";
    case KN_SPLIT_VALIDATION:
      return "validation";
    case KN_SPLIT_CALIBRATION:
      return "calibration";
    case KN_SPLIT_TEST:
      return "test";
    case KN_SPLIT_ALL:
      return "all";
    default:
      return "none";
  }
}
