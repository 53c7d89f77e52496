#include "trainer.h"
#include "session.h"

#include <kenning/random.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Stream of the made weights among those drawn from the run's seed. */
enum { STREAM_WEIGHTS = 1 };

typedef struct trainer {
  const tf_api *tf;
  keras_model *model;
  const kn_train_request *request;
  training_graph graph;
  TF_Session *session;
  TF_Status *status;
  TF_Tensor *samples, *labels, *sample_weights, *step_seed, *scalars[TRAINING_SCALARS];
  kn_train_tensor *tensors; /* graph.variable_count */
  char **names;
  char identity[96];
} trainer;

/* ---- preparation ---- */

static kn_status check_request(const keras_model *model, const kn_train_request *request) {
  const kn_samples *train = request->train;
  uint32_t rank;
  int64_t shape[KN_MAX_RANK];
  kn_dtype dtype;
  const keras_layer *input = &model->network.layers[model->network.inputs[0].layer];
  KN_TRY(keras_input_shape(input, &rank, shape));
  KN_TRY(keras_input_dtype(input, &dtype));
  bool same = rank == train->rank + 1 && dtype == train->dtype;
  for (uint32_t i = 0; same && i < train->rank; i++) same = shape[i + 1] == train->shape[i];
  return same ? NULL
              : kn_status_make(KN_INCOMPATIBLE,
                               "the samples of the data set do not have the shape and the element type "
                               "of the model's input '%s'",
                               input->name);
}

static kn_status make_tensor(const trainer *t, TF_DataType type, size_t element, uint32_t rank, const int64_t *shape,
                             TF_Tensor **out) {
  size_t bytes = element;
  for (uint32_t i = 0; i < rank; i++)
    if (!kn_mul_size(bytes, (size_t)shape[i], &bytes)) return kn_status_out_of_memory();
  *out = t->tf->TF_AllocateTensor(type, shape, (int)rank, bytes);
  return *out ? NULL : kn_status_out_of_memory();
}

static kn_status make_tensors(trainer *t) {
  const kn_samples *train = t->request->train;
  const int64_t two = 2;
  int64_t shape[KN_MAX_RANK] = {t->graph.settings.batch};
  memcpy(shape + 1, train->shape, train->rank * sizeof *shape);
  KN_TRY(make_tensor(t, tf_type_of(train->dtype), kn_dtype_size(train->dtype), train->rank + 1, shape, &t->samples));
  KN_TRY(make_tensor(t, TF_INT64, sizeof(int64_t), 1, shape, &t->labels));
  KN_TRY(make_tensor(t, TF_FLOAT, sizeof(float), 1, shape, &t->sample_weights));
  KN_TRY(make_tensor(t, TF_INT64, sizeof(int64_t), 1, &two, &t->step_seed));
  for (int i = 0; i < TRAINING_SCALARS; i++) KN_TRY(make_tensor(t, TF_FLOAT, sizeof(float), 0, NULL, &t->scalars[i]));
  return NULL;
}

/* "dense/kernel", "dense/kernel/adam_mean" */
static kn_status name_variable(trainer *t, size_t index) {
  const training_variable *variable = &t->graph.variables[index];
  const graph_weight *weight = &t->graph.g.weights[variable->weight];
  const keras_weight *held = training_graph_weight(&t->graph, variable);
  const char *layer = t->model->network.layers[weight->group].name, *state = variable->state;
  size_t length = strcspn(held->file_name, "/");
  const char *name = held->file_name[length] ? held->file_name + length + 1 : held->file_name;
  bool nested = t->model->network.layers[weight->group].network;
  t->names[index] =
      kn_format("%s/%s%s%s", layer, nested ? held->file_name : name, state ? "/" : "", state ? state : "");
  if (!t->names[index]) return kn_status_out_of_memory();
  t->tensors[index] = (kn_train_tensor){t->names[index], held->elements, !state};
  return NULL;
}

static kn_status name_variables(trainer *t) {
  size_t count = t->graph.variable_count;
  t->tensors = kn_alloc_array(count, sizeof *t->tensors);
  t->names = kn_alloc_array(count, sizeof *t->names);
  if (!t->tensors || !t->names) return kn_status_out_of_memory();
  for (size_t i = 0; i < count; i++) KN_TRY(name_variable(t, i));
  (void)snprintf(t->identity, sizeof t->identity, "TensorFlow %s, frozen weights %016llx", t->tf->TF_Version(),
                 (unsigned long long)t->graph.g.frozen_hash);
  return NULL;
}

/* ---- state ---- */

/* Values on their way in or out. */
typedef struct transport {
  TF_Output *places;
  TF_Tensor **tensors;
  const TF_Operation **targets;
  int count;
} transport;

static void transport_clear(const trainer *t, transport *moved) {
  for (int i = 0; moved->tensors && i < moved->count; i++)
    if (moved->tensors[i]) t->tf->TF_DeleteTensor(moved->tensors[i]);
  kn_free(moved->tensors);
  kn_free(moved->places);
  kn_free(moved->targets);
}

static kn_status transport_make(const trainer *t, transport *out) {
  size_t count = t->graph.variable_count;
  *out = (transport){.places = kn_alloc_array(count, sizeof *out->places),
                     .tensors = kn_alloc_array(count, sizeof(TF_Tensor *)),
                     .targets = kn_alloc_array(count, sizeof(TF_Operation *))};
  if (out->places && out->tensors && out->targets) return NULL;
  transport_clear(t, out);
  return kn_status_out_of_memory();
}

static kn_status fetch(void *self, float *const *values) {
  trainer *t = self;
  transport moved;
  KN_TRY(transport_make(t, &moved));
  for (size_t i = 0; i < t->graph.variable_count; i++)
    if (values[i]) moved.places[moved.count++] = t->graph.variables[i].value;
  t->tf->TF_SessionRun(t->session, NULL, NULL, NULL, 0, moved.places, moved.tensors, moved.count, NULL, 0, NULL,
                       t->status);
  kn_status status = tf_status_take(t->tf, t->status, "read the weights");
  int next = 0;
  for (size_t i = 0; i < t->graph.variable_count && !status; i++)
    if (values[i])
      memcpy(values[i], t->tf->TF_TensorData(moved.tensors[next++]), t->tensors[i].elements * sizeof(float));
  transport_clear(t, &moved);
  return status;
}

static kn_status add_value(trainer *t, size_t index, const float *values, transport *moved) {
  const training_variable *variable = &t->graph.variables[index];
  const keras_weight *weight = training_graph_weight(&t->graph, variable);
  size_t bytes = weight->elements * sizeof(float);
  TF_Tensor *tensor = t->tf->TF_AllocateTensor(TF_FLOAT, weight->shape, (int)weight->rank, bytes);
  if (!tensor) return kn_status_out_of_memory();
  if (bytes) memcpy(t->tf->TF_TensorData(tensor), values, bytes);
  moved->places[moved->count] = variable->initial;
  moved->targets[moved->count] = variable->assign;
  moved->tensors[moved->count++] = tensor;
  return NULL;
}

static kn_status store(void *self, const float *const *values) {
  trainer *t = self;
  transport moved;
  KN_TRY(transport_make(t, &moved));
  kn_status status = NULL;
  for (size_t i = 0; i < t->graph.variable_count && !status; i++)
    if (values[i]) status = add_value(t, i, values[i], &moved);
  if (!status && moved.count > 0) {
    t->tf->TF_SessionRun(t->session, NULL, moved.places, moved.tensors, moved.count, NULL, NULL, 0, moved.targets,
                         moved.count, NULL, t->status);
    status = tf_status_take(t->tf, t->status, "set the weights");
  }
  transport_clear(t, &moved);
  return status;
}

/* The model's weights, and zeros for the optimizer's state. */
static kn_status store_first(trainer *t) {
  size_t count = t->graph.variable_count, longest = 1;
  for (size_t i = 0; i < count; i++)
    if (t->tensors[i].elements > longest) longest = t->tensors[i].elements;
  const float **values = kn_alloc_array(count, sizeof *values);
  float *zeros = kn_alloc_array(longest, sizeof *zeros);
  kn_status status = values && zeros ? NULL : kn_status_out_of_memory();
  for (size_t i = 0; i < count && !status; i++) {
    keras_weight *weight = training_graph_weight(&t->graph, &t->graph.variables[i]);
    status = keras_model_read_weight(t->model, weight);
    values[i] = t->tensors[i].weight ? weight->values : zeros;
  }
  if (!status) status = store(t, values);
  kn_free(values);
  kn_free(zeros);
  return status;
}

static kn_status write_model(void *self, const char *path) {
  trainer *t = self;
  float **values = kn_alloc_array(t->graph.variable_count, sizeof *values);
  if (!values) return kn_status_out_of_memory();
  for (size_t i = 0; i < t->graph.variable_count; i++)
    if (t->tensors[i].weight) values[i] = training_graph_weight(&t->graph, &t->graph.variables[i])->values;
  kn_status status = fetch(t, values);
  kn_free(values);
  return status ? status : keras_model_write(t->model, path);
}

/* ---- batches ---- */

static void set_scalar(const trainer *t, training_scalar which, double value) {
  *(float *)t->tf->TF_TensorData(t->scalars[which]) = (float)value;
}

static void set_step(const trainer *t, const kn_train_step *step) {
  double power = (double)step->number + 1, late = (double)step->unfrozen_number + 1;
  set_scalar(t, TRAINING_RATE, step->learning_rate);
  set_scalar(t, TRAINING_BETA1_POWER, pow(ADAM_BETA1, power));
  set_scalar(t, TRAINING_BETA2_POWER, pow(ADAM_BETA2, power));
  set_scalar(t, TRAINING_LATE_BETA1_POWER, pow(ADAM_BETA1, late));
  set_scalar(t, TRAINING_LATE_BETA2_POWER, pow(ADAM_BETA2, late));
  const int64_t seed[2] = {(int64_t)step->seed, 0};
  memcpy(t->tf->TF_TensorData(t->step_seed), seed, sizeof seed);
}

static void set_batch(const trainer *t, const kn_train_batch *batch) {
  memcpy(t->tf->TF_TensorData(t->samples), batch->samples, t->tf->TF_TensorByteSize(t->samples));
  memcpy(t->tf->TF_TensorData(t->labels), batch->labels, batch->size * sizeof *batch->labels);
  if (batch->weights)
    memcpy(t->tf->TF_TensorData(t->sample_weights), batch->weights, batch->size * sizeof *batch->weights);
}

/* Runs the graph for the logits `wanted` and the targets. */
static kn_status run_graph(trainer *t, TF_Output wanted, const TF_Operation *const *targets, size_t target_count,
                           const char *what, float *out_logits) {
  const training_graph *built = &t->graph;
  TF_Output places[4 + TRAINING_SCALARS] = {built->samples};
  TF_Tensor *values[4 + TRAINING_SCALARS] = {t->samples}, *logits = NULL;
  int fed = 1;
  const struct {
    TF_Output place;
    TF_Tensor *value;
  } more[] = {{built->labels, t->labels},         {built->sample_weights, t->sample_weights},
              {built->g.step_seed, t->step_seed}, {built->scalars[0], t->scalars[0]},
              {built->scalars[1], t->scalars[1]}, {built->scalars[2], t->scalars[2]},
              {built->scalars[3], t->scalars[3]}, {built->scalars[4], t->scalars[4]}};
  for (size_t i = 0; target_count && i < sizeof more / sizeof *more; i++)
    if (more[i].place.oper) {
      places[fed] = more[i].place;
      values[fed++] = more[i].value;
    }
  t->tf->TF_SessionRun(t->session, NULL, places, values, fed, &wanted, &logits, 1, targets, (int)target_count, NULL,
                       t->status);
  KN_TRY(tf_status_take(t->tf, t->status, what));
  memcpy(out_logits, t->tf->TF_TensorData(logits), t->tf->TF_TensorByteSize(logits));
  t->tf->TF_DeleteTensor(logits);
  return NULL;
}

static kn_status make_step(void *self, const kn_train_batch *batch, const kn_train_step *step, float *out_logits) {
  trainer *t = self;
  set_batch(t, batch);
  set_step(t, step);
  return run_graph(t, t->graph.logits, t->graph.steps, step->unfrozen ? t->graph.step_count : t->graph.early_count,
                   "make a training step", out_logits);
}

static kn_status evaluate(void *self, const kn_train_batch *batch, float *out_logits) {
  trainer *t = self;
  set_batch(t, batch);
  return run_graph(t, t->graph.evaluated_logits, NULL, 0, "evaluate the model", out_logits);
}

static const kn_trainer_ops ops = {.struct_size = sizeof(kn_trainer_ops),
                                   .step = make_step,
                                   .evaluate = evaluate,
                                   .fetch = fetch,
                                   .store = store,
                                   .write = write_model};

/* ---- the run ---- */

static kn_status run(trainer *t, const trainer_options *options, kn_record *history) {
  const kn_train_request *request = t->request;
  size_t batch;
  KN_TRY(kn_training_batch_size(request, &batch));
  KN_TRY(check_request(t->model, request));
  KN_TRY(graph_check(&t->model->network, t->model->path));
  tf_api_prefer_onednn();
  KN_TRY(tf_api_open(options->library, &t->tf));
  const training_settings settings = {.optimizer = (kn_train_optimizer)options->training->optimizer,
                                      .late_layers = options->base_layers,
                                      .seed = kn_random(request->seed, STREAM_WEIGHTS),
                                      .batch = (int64_t)batch,
                                      .classes = request->train->classes};
  KN_TRY(training_graph_build(t->tf, t->model, &settings, &t->graph));
  KN_TRY(session_open(t->tf, t->graph.g.graph, options->threads, !t->graph.g.grouped, &t->session));
  t->status = t->tf->TF_NewStatus();
  if (!t->status) return kn_status_out_of_memory();
  KN_TRY(name_variables(t));
  KN_TRY(make_tensors(t));
  KN_TRY(store_first(t));
  KN_TRY(kn_record_set_int(history, "threads", kn_thread_count(options->threads)));
  KN_TRY(kn_record_set_string(history, "framework_version", t->tf->TF_Version()));
  KN_TRY(kn_record_set_bool(history, "onednn", t->tf->onednn));
  const kn_trainer handed = {
      .ops = &ops, .self = t, .tensors = t->tensors, .tensor_count = t->graph.variable_count, .identity = t->identity};
  return kn_training_run(options->training, request, &handed, history);
}

static void clear(trainer *t) {
  for (size_t i = 0; t->names && i < t->graph.variable_count; i++) kn_free(t->names[i]);
  kn_free(t->names);
  kn_free(t->tensors);
  if (!t->tf) return;
  TF_Tensor *const tensors[] = {t->samples, t->labels, t->sample_weights, t->step_seed};
  for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++)
    if (tensors[i]) t->tf->TF_DeleteTensor(tensors[i]);
  for (int i = 0; i < TRAINING_SCALARS; i++)
    if (t->scalars[i]) t->tf->TF_DeleteTensor(t->scalars[i]);
  session_close(t->tf, t->session);
  if (t->status) t->tf->TF_DeleteStatus(t->status);
  training_graph_destroy(&t->graph);
}

kn_status trainer_run(keras_model *model, const trainer_options *options, const kn_train_request *request,
                      kn_record *out_history) {
  trainer t = {.model = model, .request = request};
  kn_status status = run(&t, options, out_history);
  clear(&t);
  return kn_status_annotate(status, "while training %s", request->model_path);
}
