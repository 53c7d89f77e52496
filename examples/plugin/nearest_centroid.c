/* Runs a model that is a list of points: the class of the point nearest to the sample. */
#include <math.h>
#include <string.h>

#include "centroids.h"
#include "example.h"

typedef struct nearest_centroid {
  kn_runtime_options base; /* first: the rows of all runtimes fill it */
  char *save_model_path;
  centroids model;
  int64_t batch;
  kn_tensor_view samples, scores; /* [batch, values] and [batch, classes] */
} nearest_centroid;

static const kn_option options[] = {{"save_model_path", "Path of the model", KN_OPTION_PATH,
                                     KN_OPTION_REQUIRED | KN_OPTION_INPUT, KN_FIELD(nearest_centroid, save_model_path)},
                                    {0}};

static kn_status open_runtime(void *self) {
  (void)self; /* nothing to prepare: models come with load */
  return NULL;
}

static const char *model_path(void *self) { return ((nearest_centroid *)self)->save_model_path; }

static void unload(void *self) {
  nearest_centroid *at = self;
  centroids_clear(&at->model);
  kn_tensor_free(&at->samples);
  kn_tensor_free(&at->scores);
}

/* What the scenario says about the model, where it says something, must be true of it. */
static kn_status check_entry(const kn_iolist *list, const char *what, size_t values) {
  size_t bytes = 0;
  if (list->count == 1 && list->entries[0].dtype == KN_FLOAT32 && list->entries[0].rank > 1)
    KN_TRY(kn_tensor_bytes(KN_FLOAT32, list->entries[0].rank - 1, list->entries[0].shape + 1, &bytes));
  if (bytes == values * sizeof(float)) return NULL;
  return kn_status_make(KN_INCOMPATIBLE, "the model has %zu float32 values as its %s, the scenario something else",
                        values, what);
}

static kn_status load_model(nearest_centroid *at, const kn_load_request *request) {
  KN_TRY(centroids_read(request->path, &at->model));
  if (request->spec) {
    KN_TRY(check_entry(&request->spec->input, "input", at->model.values));
    KN_TRY(check_entry(&request->spec->output, "output", at->model.classes));
  }
  at->batch = request->batch;
  KN_TRY(kn_tensor_create(KN_FLOAT32, 2, (int64_t[]){at->batch, (int64_t)at->model.values}, &at->samples));
  return kn_tensor_create(KN_FLOAT32, 2, (int64_t[]){at->batch, (int64_t)at->model.classes}, &at->scores);
}

static kn_status load(void *self, const kn_load_request *request) {
  unload(self);
  kn_status status = load_model(self, request);
  if (status) unload(self);
  return status;
}

static kn_status check_loaded(const nearest_centroid *at) {
  return at->scores.data ? NULL : kn_status_make(KN_INVALID_ARGUMENT, "no model is loaded");
}

static kn_status iospec(void *self, kn_iospec *out_spec) {
  const nearest_centroid *at = self;
  *out_spec = (kn_iospec){0};
  KN_TRY(check_loaded(at));
  char input[] = "sample", output[] = "scores"; /* copied with the entry */
  kn_status status = kn_iolist_add(
      &out_spec->input,
      &(kn_ioentry){.name = input, .dtype = KN_FLOAT32, .rank = 2, .shape = {at->batch, at->samples.shape[1]}});
  if (!status)
    status = kn_iolist_add(
        &out_spec->output,
        &(kn_ioentry){.name = output, .dtype = KN_FLOAT32, .rank = 2, .shape = {at->batch, at->scores.shape[1]}});
  if (status) kn_iospec_clear(out_spec);
  return status;
}

static kn_status check_tensor(const nearest_centroid *at, const kn_tensor_view *held, const kn_tensor_view *given,
                              size_t count) {
  KN_TRY(check_loaded(at));
  if (count == 1 && given->dtype == KN_FLOAT32 && given->bytes == held->bytes) return NULL;
  return kn_status_make(KN_INVALID_ARGUMENT, "one float32 tensor of %lld times %lld values is needed",
                        (long long)held->shape[0], (long long)held->shape[1]);
}

static kn_status set_input(void *self, const kn_tensor_view *inputs, size_t count) {
  nearest_centroid *at = self;
  KN_TRY(check_tensor(at, &at->samples, inputs, count));
  memcpy(at->samples.data, inputs->data, at->samples.bytes);
  return NULL;
}

/* The score of a class is the negative squared distance to the nearest of its points. */
static void score(const centroids *model, const float *sample, float *scores) {
  for (size_t i = 0; i < model->classes; i++) scores[i] = -INFINITY;
  for (size_t i = 0; i < model->count; i++) {
    float sum = 0;
    for (size_t k = 0; k < model->values; k++) {
      float difference = sample[k] - model->points[i * model->values + k];
      sum += difference * difference;
    }
    if (-sum > scores[model->labels[i]]) scores[model->labels[i]] = -sum;
  }
}

static kn_status invoke(void *self) {
  nearest_centroid *at = self;
  KN_TRY(check_loaded(at));
  const float *sample = at->samples.data;
  float *scores = at->scores.data;
  for (int64_t i = 0; i < at->batch; i++, sample += at->model.values, scores += at->model.classes)
    score(&at->model, sample, scores);
  return NULL;
}

static kn_status output(void *self, const kn_tensor_view *outputs, size_t count) {
  nearest_centroid *at = self;
  KN_TRY(check_tensor(at, &at->scores, outputs, count));
  memcpy(outputs->data, at->scores.data, at->scores.bytes);
  return NULL;
}

static kn_status statistics(void *self, kn_record *out_record) {
  const nearest_centroid *at = self;
  KN_TRY(check_loaded(at));
  KN_TRY(kn_record_set_int(out_record, "threads", 1));
  return kn_record_set_int(out_record, "centroids", (int64_t)at->model.count);
}

static const kn_inference_ops inference = {.struct_size = sizeof inference,
                                           .load = load,
                                           .unload = unload,
                                           .iospec = iospec,
                                           .set_input = set_input,
                                           .invoke = invoke,
                                           .output = output,
                                           .statistics = statistics};

static const kn_runtime_ops ops = {.struct_size = sizeof ops,
                                   .open = open_runtime,
                                   .close = unload,
                                   .model_path = model_path,
                                   .inference = &inference};

const kn_class nearest_centroid_runtime_class = {.struct_size = sizeof(kn_class),
                                                 .name = "example.runtimes.nearest_centroid.NearestCentroidRuntime",
                                                 .kind = KN_KIND_RUNTIME,
                                                 .summary = "Finds the nearest of the points that a text file lists",
                                                 .options = options,
                                                 .instance_size = sizeof(nearest_centroid),
                                                 .ops = &ops,
                                                 .input_formats = (const char *const[]){"centroids", NULL}};
