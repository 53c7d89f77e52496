#include "trainer.h"
#include "batches.h"
#include "session.h"
#include "training_log.h"

#include <float.h>
#include <kenning/random.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Fashion-MNIST takes 0.18 GB. */
static const size_t usual_sample_memory = (size_t)1 << 30;

/* Streams of random numbers drawn from the run's seed. */
enum { STREAM_WEIGHTS = 1, STREAM_ORDER = 2 };

typedef struct trainer {
  const tf_api *tf;
  keras_model *model;
  const training_options *options;
  const kn_train_request *request;
  training_graph graph;
  TF_Session *session;
  TF_Status *status;
  batches *train, *validation;
  size_t batch_size, classes;
  size_t steps_per_epoch, step;                              /* steps of all epochs so far */
  TF_Tensor *samples[2], *labels[2], *rate, *beta_powers[2]; /* samples and labels: one in use, one being filled */
  size_t *order;                                             /* of the longer set */
  training_score best;
  bool has_best;
  int64_t best_epoch;
} trainer;

/* ---- preparation ---- */

static kn_status check_request(const keras_model *model, const kn_train_request *request) {
  const kn_samples *train = request->train;
  if (train->count == 0) return kn_status_make(KN_INVALID_ARGUMENT, "there are no samples to train on");
  if (request->batch_size < 1 || request->num_epochs < 1)
    return kn_status_make(KN_INVALID_ARGUMENT, "batch size and number of epochs must be at least 1");
  if (!(request->learning_rate > 0))
    return kn_status_make(KN_INVALID_ARGUMENT, "the learning rate must be more than 0");
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

static kn_status make_scalar(const tf_api *tf, TF_Tensor **out) {
  *out = tf->TF_AllocateTensor(TF_FLOAT, NULL, 0, sizeof(float));
  return *out ? NULL : kn_status_out_of_memory();
}

static kn_status make_tensors(trainer *t) {
  const kn_samples *train = t->request->train;
  int64_t shape[KN_MAX_RANK] = {(int64_t)t->batch_size};
  memcpy(shape + 1, train->shape, train->rank * sizeof *shape);
  size_t bytes;
  KN_TRY(kn_tensor_bytes(train->dtype, train->rank + 1, shape, &bytes));
  for (int i = 0; i < 2; i++) {
    t->samples[i] = t->tf->TF_AllocateTensor(tf_type_of(train->dtype), shape, (int)train->rank + 1, bytes);
    t->labels[i] = t->tf->TF_AllocateTensor(TF_INT64, shape, 1, t->batch_size * sizeof(int64_t));
    if (!t->samples[i] || !t->labels[i]) return kn_status_out_of_memory();
    KN_TRY(make_scalar(t->tf, &t->beta_powers[i]));
  }
  return make_scalar(t->tf, &t->rate);
}

static kn_status open_samples(trainer *t) {
  const kn_samples *train = t->request->train, *validation = t->request->validation;
  size_t limit = t->options->sample_memory_bytes ? t->options->sample_memory_bytes : usual_sample_memory;
  KN_TRY(batches_open(train, limit, "reading training samples", &t->train));
  size_t longest = train->count;
  if (validation && validation->count > 0) {
    KN_TRY(batches_open(validation, limit / 4, "reading validation samples", &t->validation));
    if (batches_sample_bytes(t->validation) != batches_sample_bytes(t->train))
      return kn_status_make(KN_INVALID_ARGUMENT, "validation samples differ in size from training samples");
    if (validation->count > longest) longest = validation->count;
  }
  size_t padded;
  if (!kn_add_size(longest, t->batch_size, &padded)) return kn_status_out_of_memory();
  t->order = kn_alloc_array(padded, sizeof *t->order);
  return t->order ? NULL : kn_status_out_of_memory();
}

/* Values of all weights, on their way in or out. */
typedef struct weight_values {
  size_t count;
  TF_Output *places;
  TF_Tensor **tensors;
} weight_values;

static void weight_values_clear(const trainer *t, weight_values *values) {
  for (size_t i = 0; values->tensors && i < values->count; i++)
    if (values->tensors[i]) t->tf->TF_DeleteTensor(values->tensors[i]);
  kn_free(values->tensors);
  kn_free(values->places);
}

static kn_status weight_values_make(const trainer *t, weight_values *out) {
  size_t count = t->graph.g.weight_count;
  *out = (weight_values){.count = count,
                         .places = kn_alloc_array(count, sizeof *out->places),
                         .tensors = kn_alloc_array(count, sizeof *out->tensors)};
  if (out->places && out->tensors) return NULL;
  weight_values_clear(t, out);
  return kn_status_out_of_memory();
}

static keras_weight *weight_at(const trainer *t, size_t index) {
  const graph_weight *weight = &t->graph.g.weights[index];
  return &t->model->groups[weight->group].weights[weight->index];
}

static kn_status copy_weight(trainer *t, size_t index, weight_values *values) {
  keras_weight *weight = weight_at(t, index);
  KN_TRY(keras_model_read_weight(t->model, weight));
  size_t bytes = weight->elements * sizeof(float);
  values->places[index] = t->graph.g.weights[index].initial;
  values->tensors[index] = t->tf->TF_AllocateTensor(TF_FLOAT, weight->shape, (int)weight->rank, bytes);
  if (!values->tensors[index]) return kn_status_out_of_memory();
  memcpy(t->tf->TF_TensorData(values->tensors[index]), weight->values, bytes);
  return NULL;
}

/* Stores the model's weights in the variables and zeroes the optimizer's. */
static kn_status set_variables(trainer *t) {
  weight_values values;
  KN_TRY(weight_values_make(t, &values));
  kn_status status = NULL;
  for (size_t i = 0; i < values.count && !status; i++) status = copy_weight(t, i, &values);
  if (!status) {
    t->tf->TF_SessionRun(t->session, NULL, values.places, values.tensors, (int)values.count, NULL, NULL, 0,
                         t->graph.initializers, (int)t->graph.initializer_count, NULL, t->status);
    status = tf_status_take(t->tf, t->status, "set the weights");
  }
  weight_values_clear(t, &values);
  return status;
}

/* Fetches the variables into the model. */
static kn_status keep_variables(trainer *t) {
  weight_values values;
  KN_TRY(weight_values_make(t, &values));
  for (size_t i = 0; i < values.count; i++) values.places[i] = t->graph.g.weights[i].value;
  t->tf->TF_SessionRun(t->session, NULL, NULL, NULL, 0, values.places, values.tensors, (int)values.count, NULL, 0, NULL,
                       t->status);
  kn_status status = tf_status_take(t->tf, t->status, "read the weights");
  for (size_t i = 0; i < values.count && !status; i++)
    memcpy(weight_at(t, i)->values, t->tf->TF_TensorData(values.tensors[i]), weight_at(t, i)->elements * sizeof(float));
  weight_values_clear(t, &values);
  return status;
}

/* ---- one pass over samples ---- */

/* Fisher and Yates's shuffle; the order depends on seed and epoch alone. */
static void shuffle(size_t *order, size_t count, uint64_t seed) {
  for (size_t i = 0; i < count; i++) order[i] = i;
  for (size_t i = count; i > 1; i--) {
    size_t other = (size_t)(kn_random(seed, i) % i), swapped = order[i - 1];
    order[i - 1] = order[other];
    order[other] = swapped;
  }
}

/* Adds the cross-entropy and the hits of the first `count` rows of logits. Log-sum-exp with the maximum taken out. */
static void add_score(const float *logits, const int64_t *labels, size_t count, size_t classes, training_score *sum) {
  for (size_t i = 0; i < count; i++, logits += classes) {
    size_t top = 0;
    double total = 1; /* of the top one */
    for (size_t c = 1; c < classes; c++)
      if (logits[c] > logits[top]) top = c;
    for (size_t c = 0; c < classes; c++)
      if (c != top) total += exp((double)logits[c] - (double)logits[top]);
    sum->loss += log(total) + (double)logits[top] - (double)logits[labels[i]];
    sum->accuracy += top == (size_t)labels[i];
  }
}

static double learning_rate(const trainer *t) {
  double rate = t->request->learning_rate;
  if (t->options->schedule == TRAINING_CONSTANT) return rate;
  /* Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017, eq. 5, one period. */
  double total = (double)t->steps_per_epoch * (double)t->request->num_epochs;
  return rate * 0.5 * (1 + cos(M_PI * (double)t->step / total));
}

static void set_scalar(const trainer *t, TF_Tensor *tensor, double value) {
  *(float *)t->tf->TF_TensorData(tensor) = (float)value;
}

/* Runs the model on the batch in `slot`; `training`: and makes a step. */
static kn_status run_batch(trainer *t, bool training, int slot, size_t count, training_score *sum) {
  const training_graph *built = &t->graph;
  const TF_Output places[5] = {built->samples, built->labels, built->rate, built->beta1_power, built->beta2_power};
  TF_Tensor *const values[5] = {t->samples[slot], t->labels[slot], t->rate, t->beta_powers[0], t->beta_powers[1]};
  TF_Output wanted = training ? built->logits : built->evaluated_logits;
  TF_Tensor *logits = NULL;
  if (training) {
    double power = (double)t->step + 1;
    set_scalar(t, t->rate, learning_rate(t));
    set_scalar(t, t->beta_powers[0], pow(ADAM_BETA1, power));
    set_scalar(t, t->beta_powers[1], pow(ADAM_BETA2, power));
  }
  int fed = !training ? 1 : built->optimizer == TRAINING_ADAM ? 5 : 3;
  t->tf->TF_SessionRun(t->session, NULL, places, values, fed, &wanted, &logits, 1, training ? built->steps : NULL,
                       training ? (int)built->step_count : 0, NULL, t->status);
  KN_TRY(tf_status_take(t->tf, t->status, training ? "make a training step" : "evaluate the model"));
  add_score(t->tf->TF_TensorData(logits), t->tf->TF_TensorData(t->labels[slot]), count, t->classes, sum);
  t->tf->TF_DeleteTensor(logits);
  return NULL;
}

static void begin_batch(trainer *t, batches *reader, size_t start, int slot) {
  batch out = {.samples = t->tf->TF_TensorData(t->samples[slot]), .labels = t->tf->TF_TensorData(t->labels[slot])};
  batches_begin(reader, t->order + start, t->batch_size, out);
}

static void show_progress(const trainer *t, const training_score *sum, size_t seen) {
  char detail[128];
  int length = snprintf(detail, sizeof detail, "epoch %zu of %lld, loss %.3f, accuracy %.3f",
                        (t->step - 1) / t->steps_per_epoch + 1, (long long)t->request->num_epochs,
                        sum->loss / (double)seen, sum->accuracy / (double)seen);
  if (t->has_best && t->validation && length > 0 && (size_t)length < sizeof detail)
    (void)snprintf(detail + length, sizeof detail - (size_t)length, ", best validation %.3f", t->best.accuracy);
  kn_progress("training", (double)t->step, (double)t->steps_per_epoch * (double)t->request->num_epochs, detail);
}

/* Runs `count` samples in t->order, in batches; what lies behind `count` only fills the last one. */
static kn_status run_pass(trainer *t, batches *reader, bool training, size_t count, training_score *out) {
  training_score sum = {0};
  int slot = 0;
  begin_batch(t, reader, 0, slot);
  for (size_t start = 0; start < count; start += t->batch_size, slot = !slot) {
    KN_TRY(batches_wait(reader));
    if (start + t->batch_size < count) begin_batch(t, reader, start + t->batch_size, !slot);
    size_t rows = count - start < t->batch_size ? count - start : t->batch_size;
    kn_status status = run_batch(t, training, slot, rows, &sum);
    if (!status && !isfinite(sum.loss))
      status = kn_status_make(KN_BACKEND_FAILED,
                              "training diverged: the loss is no number any more after step %zu; "
                              "choose a lower learning rate",
                              t->step + 1);
    if (!status && kn_cancelled()) status = kn_status_make(KN_CANCELLED, "training was stopped");
    if (training && !status) {
      t->step++;
      show_progress(t, &sum, start + rows);
    }
    if (status) {
      if (start + t->batch_size < count) status = kn_status_join(status, batches_wait(reader));
      return status;
    }
  }
  *out = (training_score){sum.loss / (double)count, sum.accuracy / (double)count};
  return NULL;
}

static kn_status train_epoch(trainer *t, int64_t epoch, training_score *out) {
  uint64_t seed = kn_random(kn_random(t->request->seed, STREAM_ORDER), (uint64_t)epoch);
  size_t count = t->request->train->count;
  shuffle(t->order, count, seed);
  return run_pass(t, t->train, true, t->steps_per_epoch * t->batch_size, out);
}

static kn_status validate(trainer *t, training_score *out) {
  size_t count = t->request->validation->count;
  for (size_t i = 0; i < count + t->batch_size; i++) t->order[i] = i % count;
  return run_pass(t, t->validation, false, count, out);
}

/* ---- the run ---- */

static bool better(const trainer *t, const training_score *now) {
  if (!t->has_best || !t->validation) return true;
  if (now->accuracy != t->best.accuracy) return now->accuracy > t->best.accuracy;
  return now->loss < t->best.loss;
}

static kn_status run_epoch(trainer *t, int64_t epoch, training_log *log) {
  int64_t start = kn_now_ns();
  training_score trained, validated = {0};
  KN_TRY(train_epoch(t, epoch, &trained));
  if (t->validation) KN_TRY(validate(t, &validated));
  KN_TRY(training_log_add(log, epoch + 1, &trained, t->validation ? &validated : NULL,
                          (double)(kn_now_ns() - start) * 1e-9));
  if (!better(t, &validated)) return NULL;
  t->best = validated;
  t->has_best = true;
  t->best_epoch = epoch + 1;
  return keep_variables(t);
}

static kn_status run_epochs(trainer *t, training_log *log) {
  kn_status status = NULL;
  for (int64_t epoch = 0; epoch < t->request->num_epochs && !status; epoch++) status = run_epoch(t, epoch, log);
  bool stopped = kn_status_code(status) == KN_CANCELLED;
  if (status && !stopped) return status;
  /* Stopped in the first epoch: what there is by now. */
  if (!t->has_best) status = kn_status_join(status, keep_variables(t));
  status = kn_status_join(status, keras_model_write(t->model, t->request->model_path));
  if (!stopped) return status;
  return kn_status_annotate(status, "%s holds the model of epoch %lld (0: of the moment when it was stopped)",
                            t->request->model_path, (long long)t->best_epoch);
}

static kn_status record_settings(const trainer *t, kn_record *history) {
  KN_TRY(kn_record_set_string(history, "optimizer", t->options->optimizer == TRAINING_ADAM ? "adam" : "sgd"));
  KN_TRY(kn_record_set_string(history, "learning_rate_schedule",
                              t->options->schedule == TRAINING_COSINE ? "cosine" : "constant"));
  KN_TRY(kn_record_set_number(history, "learning_rate", t->request->learning_rate));
  KN_TRY(kn_record_set_int(history, "batch_size", (int64_t)t->batch_size));
  KN_TRY(kn_record_set_int(history, "training_samples", (int64_t)t->request->train->count));
  KN_TRY(kn_record_set_int(history, "validation_samples", t->validation ? (int64_t)t->request->validation->count : 0));
  KN_TRY(kn_record_set_int(history, "threads", session_threads(t->options->threads)));
  KN_TRY(kn_record_set_string(history, "framework_version", t->tf->TF_Version()));
  char seed[32];
  (void)snprintf(seed, sizeof seed, "%llu", (unsigned long long)t->request->seed);
  return kn_record_set_string(history, "seed", seed); /* 64 bits do not fit into a JSON number */
}

static kn_status run(trainer *t, kn_record *history) {
  const kn_train_request *request = t->request;
  KN_TRY(check_request(t->model, request));
  KN_TRY(graph_check(&t->model->network, t->model->path));
  KN_TRY(tf_api_open(t->options->library, &t->tf));
  t->classes = (size_t)request->train->classes;
  t->batch_size =
      (uint64_t)request->batch_size < request->train->count ? (size_t)request->batch_size : request->train->count;
  t->steps_per_epoch = request->train->count / t->batch_size;
  KN_TRY(training_graph_build(t->tf, t->model, t->options->optimizer, kn_random(request->seed, STREAM_WEIGHTS),
                              (int64_t)t->batch_size, request->train->classes, &t->graph));
  KN_TRY(session_open(t->tf, t->graph.g.graph, t->options->threads, &t->session));
  t->status = t->tf->TF_NewStatus();
  if (!t->status) return kn_status_out_of_memory();
  KN_TRY(set_variables(t));
  KN_TRY(open_samples(t));
  KN_TRY(make_tensors(t));
  KN_TRY(record_settings(t, history));
  training_log log;
  KN_TRY(training_log_open(history, request->logdir, &log));
  kn_status status = run_epochs(t, &log);
  training_log_close(&log);
  KN_TRY(status);
  return kn_record_set_int(history, "best_epoch", t->best_epoch);
}

static void clear(trainer *t) {
  batches_close(t->train);
  batches_close(t->validation);
  kn_free(t->order);
  if (!t->tf) return;
  TF_Tensor *const tensors[] = {t->samples[0], t->samples[1],     t->labels[0],     t->labels[1],
                                t->rate,       t->beta_powers[0], t->beta_powers[1]};
  for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++)
    if (tensors[i]) t->tf->TF_DeleteTensor(tensors[i]);
  session_close(t->tf, t->session);
  if (t->status) t->tf->TF_DeleteStatus(t->status);
  training_graph_destroy(&t->graph);
}

kn_status trainer_run(keras_model *model, const training_options *options, const kn_train_request *request,
                      kn_record *out_history) {
  trainer t = {.model = model, .options = options, .request = request};
  kn_status status = run(&t, out_history);
  clear(&t);
  return kn_status_annotate(status, "while training %s", request->model_path);
}
