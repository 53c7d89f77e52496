#include "trainer.h"

#include <kenning/layout.h>
#include <string.h>

typedef struct trainer {
  const torch_api *torch;
  const network *network;
  const trainer_options *options;
  const kn_train_request *request;
  torch_shim_module *module;
  torch_shim_trainer *handle;
  kn_train_tensor *tensors;
  size_t tensor_count;
  torch_shim_tensor samples; /* of a batch */
  float *planar;             /* where batches in NHWC are turned, or NULL */
  size_t logits;             /* of a batch */
} trainer;

static kn_status result(const trainer *t, int32_t code, const char *what) { return torch_result(t->torch, code, what); }

/* ---- the state ---- */

static kn_status list_tensors(trainer *t) {
  const torch_api *torch = t->torch;
  t->tensor_count = (size_t)torch->torch_shim_trainer_count(t->handle);
  t->tensors = kn_alloc_array(t->tensor_count, sizeof *t->tensors);
  if (!t->tensors) return kn_status_out_of_memory();
  for (size_t i = 0; i < t->tensor_count; i++) {
    uint64_t elements;
    int32_t weight;
    const char *name = torch->torch_shim_trainer_tensor(t->handle, (int32_t)i, &elements, &weight);
    t->tensors[i] = (kn_train_tensor){.name = name, .elements = (size_t)elements, .weight = weight != 0};
  }
  return NULL;
}

static kn_status fetch(void *self, float *const *values) {
  const trainer *t = self;
  for (size_t i = 0; i < t->tensor_count; i++)
    if (values[i])
      KN_TRY(result(t, t->torch->torch_shim_trainer_fetch(t->handle, (int32_t)i, values[i]), "read the weights"));
  return NULL;
}

static kn_status store(void *self, const float *const *values) {
  const trainer *t = self;
  for (size_t i = 0; i < t->tensor_count; i++)
    if (values[i])
      KN_TRY(result(t, t->torch->torch_shim_trainer_store(t->handle, (int32_t)i, values[i]), "set the weights"));
  return NULL;
}

/* ---- steps ---- */

static const torch_shim_tensor *batch_of(trainer *t, const kn_train_batch *batch) {
  const int64_t *shape = t->samples.shape;
  t->samples.data = (void *)(uintptr_t)batch->samples;
  if (t->planar) {
    kn_layout_make_planar(batch->samples, t->planar, batch->size, (size_t)(shape[2] * shape[3]), (size_t)shape[1],
                          sizeof *t->planar);
    t->samples.data = t->planar;
  }
  return &t->samples;
}

static kn_status make_step(void *self, const kn_train_batch *batch, const kn_train_step *step, float *out_logits) {
  trainer *t = self;
  const torch_shim_step handed = {.number = step->number,
                                  .unfrozen_number = step->unfrozen_number,
                                  .learning_rate = step->learning_rate,
                                  .seed = step->seed,
                                  .unfrozen = step->unfrozen};
  return result(t,
                t->torch->torch_shim_trainer_step(t->handle, batch_of(t, batch), batch->labels, batch->weights, &handed,
                                                  out_logits, t->logits),
                "make a training step");
}

static kn_status evaluate(void *self, const kn_train_batch *batch, float *out_logits) {
  trainer *t = self;
  return result(t, t->torch->torch_shim_trainer_evaluate(t->handle, batch_of(t, batch), out_logits, t->logits),
                "evaluate the model");
}

/* ---- the result ---- */

static char *specification(const network *n) {
  return kn_format(
      "{\"input\": [{\"name\": \"input\", \"shape\": [-1, %lld, %lld, %lld], \"dtype\": \"float32\"}], "
      "\"output\": [{\"name\": \"output\", \"shape\": [-1, %lld], \"dtype\": \"float32\"}]}",
      (long long)n->input[0], (long long)n->input[1], (long long)n->input[2], (long long)n->classes);
}

static kn_status write_model(void *self, const char *path) {
  const trainer *t = self;
  char *spec = specification(t->network);
  if (!spec) return kn_status_out_of_memory();
  kn_status status = result(t, t->torch->torch_shim_save(t->module, path, "kenning.json", spec), "write the model");
  kn_free(spec);
  return status;
}

static const kn_trainer_ops ops = {.struct_size = sizeof(kn_trainer_ops),
                                   .step = make_step,
                                   .evaluate = evaluate,
                                   .fetch = fetch,
                                   .store = store,
                                   .write = write_model};

/* ---- the run ---- */

static kn_status prepare_samples(trainer *t) {
  const network *n = t->network;
  const kn_samples *train = t->request->train;
  size_t batch, bytes;
  KN_TRY(kn_training_batch_size(t->request, &batch));
  t->samples = (torch_shim_tensor){.dtype = TORCH_FLOAT32, .rank = 4, .shape = {(int64_t)batch}};
  memcpy(t->samples.shape + 1, n->input, sizeof n->input);
  bool same = train->rank == 3 && !memcmp(train->shape, n->input, sizeof n->input);
  bool turned = !same && kn_layout_is_planar(train->shape, train->rank, t->samples.shape, 4);
  if (train->dtype != KN_FLOAT32 || (!same && !turned) || train->classes != n->classes)
    return kn_status_make(KN_INCOMPATIBLE, "the samples of the data set do not have the shape that %s takes", n->name);
  t->logits = batch * (size_t)n->classes;
  KN_TRY(kn_tensor_bytes(KN_FLOAT32, 4, t->samples.shape, &bytes));
  if (turned) t->planar = kn_alloc(bytes);
  return turned && !t->planar ? kn_status_out_of_memory() : NULL;
}

static kn_status run(trainer *t, const state_dict *state, kn_record *history) {
  KN_TRY(prepare_samples(t));
  KN_TRY(torch_api_open(t->options->library, &t->torch));
  KN_TRY(kn_record_set_int(history, "threads", torch_threads(t->torch, t->options->threads)));
  KN_TRY(kn_record_set_string(history, "framework_version", t->torch->torch_shim_version()));
  KN_TRY(inference_make_module(t->torch, t->network, state, &t->module));
  KN_TRY(result(
      t, t->torch->torch_shim_trainer_create(t->module, t->options->training->optimizer == KN_TRAIN_SGD, &t->handle),
      "prepare the training"));
  KN_TRY(list_tensors(t));
  const kn_trainer handed = {.ops = &ops, .self = t, .tensors = t->tensors, .tensor_count = t->tensor_count};
  return kn_training_run(t->options->training, t->request, &handed, history);
}

kn_status trainer_run(const network *n, const state_dict *state, const trainer_options *options,
                      const kn_train_request *request, kn_record *out_history) {
  trainer t = {.network = n, .options = options, .request = request};
  kn_status status = run(&t, state, out_history);
  if (t.handle) t.torch->torch_shim_trainer_free(t.handle);
  if (t.module) t.torch->torch_shim_free(t.module);
  kn_free(t.tensors);
  kn_free(t.planar);
  return kn_status_annotate(status, "while training %s", request->model_path);
}
