#include "trainer.h"

#include <kenning/random.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STREAM_WEIGHTS = 1 };

/* Kingma and Ba, "Adam: a method for stochastic optimization", 2015, with Keras's epsilon. */
static const double beta1 = 0.9, beta2 = 0.999;
#define EPSILON "1e-07"

/* A variable of the graph: an argument, or a state that is not trained. */
typedef struct variable {
  char *name;
  uint32_t rank, shape[KN_MAX_RANK];
  size_t elements;
  bool state, data;
  mx_ndarray *value, *gradient, *mean, *square; /* NULL where there is none */
} variable;

/* One tensor of the state: which array of which variable. */
typedef struct piece {
  char *name;
  mx_ndarray *array;
} piece;

typedef struct trainer {
  const mx_api *mx;
  const char *symbol_json;
  const trainer_options *options;
  const kn_train_request *request;
  size_t batch, classes;
  mx_symbol *symbol; /* up to the logits */
  mx_executor *executor;
  mx_operator *update;
  variable *variables; /* arguments, then states */
  size_t variable_count, argument_count;
  mx_ndarray *head_gradient;
  float *probabilities; /* [batch, classes]: gradient of the loss */
  piece *pieces;
  kn_train_tensor *tensors;
  size_t piece_count;
} trainer;

/* ---- the graph ---- */

/* Arguments and states with their shapes, which follow from that of a batch. */
static kn_status infer_shapes(trainer *t) {
  const mx_api *mx = t->mx;
  const kn_samples *train = t->request->train;
  uint32_t offsets[] = {0, train->rank + 1}, data_shape[KN_MAX_RANK] = {(uint32_t)t->batch};
  for (uint32_t i = 0; i < train->rank; i++) data_shape[i + 1] = (uint32_t)train->shape[i];
  uint32_t counts[3], names_count[2];
  const uint32_t *ranks[3], **shapes[3];
  const char *key = "data", **names[2];
  int complete = 0;
  KN_TRY(
      mx_result(mx,
                mx->MXSymbolInferShape(t->symbol, 1, &key, offsets, data_shape, &counts[0], &ranks[0], &shapes[0],
                                       &counts[1], &ranks[1], &shapes[1], &counts[2], &ranks[2], &shapes[2], &complete),
                "infer the shapes of the network"));
  if (!complete || counts[1] != 1 || ranks[1][0] != 2 || shapes[1][0][1] != t->classes)
    return kn_status_make(KN_INCOMPATIBLE, "the network does not give one value for each of the %zu classes",
                          t->classes);
  t->variables = kn_alloc_array((size_t)counts[0] + counts[2], sizeof *t->variables);
  if (!t->variables) return kn_status_out_of_memory();
  for (size_t side = 0; side < 3; side += 2)
    for (uint32_t i = 0; i < counts[side]; i++) {
      variable *v = &t->variables[t->variable_count++];
      *v = (variable){.rank = ranks[side][i], .elements = 1, .state = side == 2};
      if (v->rank > KN_MAX_RANK) return kn_status_make(KN_INCOMPATIBLE, "a weight has %u dimensions", v->rank);
      for (uint32_t k = 0; k < v->rank; k++) v->elements *= v->shape[k] = shapes[side][i][k];
    }
  t->argument_count = counts[0];
  KN_TRY(mx_result(mx, mx->MXSymbolListArguments(t->symbol, &names_count[0], &names[0]), "list its arguments"));
  for (size_t i = 0; i < counts[0]; i++) {
    t->variables[i].name = kn_strdup(names[0][i]);
    t->variables[i].data = strcmp(names[0][i], "data") == 0;
  }
  KN_TRY(mx_result(mx, mx->MXSymbolListAuxiliaryStates(t->symbol, &names_count[1], &names[1]), "list its states"));
  for (size_t i = 0; i < counts[2]; i++) t->variables[counts[0] + i].name = kn_strdup(names[1][i]);
  for (size_t i = 0; i < t->variable_count; i++)
    if (!t->variables[i].name) return kn_status_out_of_memory();
  return NULL;
}

static kn_status make_array(const trainer *t, const variable *v, mx_ndarray **out) {
  return mx_result(t->mx, t->mx->MXNDArrayCreateEx(v->shape, v->rank, MX_CPU, 0, 0, MX_FLOAT32, out), "make an array");
}

static kn_status make_arrays(trainer *t) {
  bool adam = t->options->training->optimizer == KN_TRAIN_ADAM;
  for (size_t i = 0; i < t->variable_count; i++) {
    variable *v = &t->variables[i];
    KN_TRY(make_array(t, v, &v->value));
    if (v->state || v->data) continue;
    KN_TRY(make_array(t, v, &v->gradient));
    if (!adam) continue;
    KN_TRY(make_array(t, v, &v->mean));
    KN_TRY(make_array(t, v, &v->square));
  }
  const variable head = {.rank = 2, .shape = {(uint32_t)t->batch, (uint32_t)t->classes}};
  return make_array(t, &head, &t->head_gradient);
}

static kn_status bind_executor(trainer *t) {
  size_t states = t->variable_count - t->argument_count;
  mx_ndarray **arrays = kn_alloc_array(2 * t->argument_count + states, sizeof *arrays);
  uint32_t *requests = kn_alloc_array(t->argument_count, sizeof *requests);
  kn_status status = arrays && requests ? NULL : kn_status_out_of_memory();
  for (size_t i = 0; i < t->variable_count && !status; i++) {
    const variable *v = &t->variables[i];
    arrays[i < t->argument_count ? i : t->argument_count + i] = v->value;
    if (i >= t->argument_count) continue;
    arrays[t->argument_count + i] = v->gradient ? v->gradient : v->value;
    requests[i] = v->gradient ? MX_GRADIENT_WRITE : MX_GRADIENT_NONE;
  }
  if (!status)
    status = mx_result(
        t->mx,
        t->mx->MXExecutorBind(t->symbol, MX_CPU, 0, (uint32_t)t->argument_count, arrays, arrays + t->argument_count,
                              requests, (uint32_t)states, arrays + 2 * t->argument_count, &t->executor),
        "prepare the training");
  kn_free(arrays);
  kn_free(requests);
  return status;
}

static kn_status find_operator(trainer *t, const char *name) {
  uint32_t count;
  mx_operator **operators;
  KN_TRY(mx_result(t->mx, t->mx->MXSymbolListAtomicSymbolCreators(&count, &operators), "list its operators"));
  for (uint32_t i = 0; i < count; i++) {
    const char *found;
    KN_TRY(mx_result(t->mx, t->mx->MXSymbolGetAtomicSymbolName(operators[i], &found), "name an operator"));
    if (!strcmp(found, name)) t->update = operators[i];
  }
  return t->update ? NULL : kn_status_make(KN_INCOMPATIBLE, "%s has no operator %s", t->mx->path, name);
}

/* ---- the state ---- */

static kn_status add_piece(trainer *t, const variable *v, mx_ndarray *array, const char *suffix, bool weight) {
  if (!array) return NULL;
  piece *p = &t->pieces[t->piece_count];
  *p = (piece){.name = kn_format("%s%s", v->name, suffix), .array = array};
  if (!p->name) return kn_status_out_of_memory();
  t->tensors[t->piece_count++] = (kn_train_tensor){.name = p->name, .elements = v->elements, .weight = weight};
  return NULL;
}

static kn_status list_pieces(trainer *t) {
  t->pieces = kn_alloc_array(3 * t->variable_count, sizeof *t->pieces);
  t->tensors = kn_alloc_array(3 * t->variable_count, sizeof *t->tensors);
  if (!t->pieces || !t->tensors) return kn_status_out_of_memory();
  for (size_t i = 0; i < t->variable_count; i++) {
    const variable *v = &t->variables[i];
    if (v->data) continue;
    KN_TRY(add_piece(t, v, v->value, "", true));
    KN_TRY(add_piece(t, v, v->mean, "/adam_mean", false));
    KN_TRY(add_piece(t, v, v->square, "/adam_square", false));
  }
  return NULL;
}

static kn_status fetch(void *self, float *const *values) {
  const trainer *t = self;
  for (size_t i = 0; i < t->piece_count; i++)
    if (values[i])
      KN_TRY(mx_result(t->mx, t->mx->MXNDArraySyncCopyToCPU(t->pieces[i].array, values[i], t->tensors[i].elements),
                       "read the weights"));
  return NULL;
}

/* oneDNN keeps the weights of convolutions in an order of its own once they were used; asking for the data brings them
 * back into the order that values are set in. */
static kn_status store(void *self, const float *const *values) {
  const trainer *t = self;
  for (size_t i = 0; i < t->piece_count; i++) {
    void *data;
    if (!values[i]) continue;
    KN_TRY(mx_result(t->mx, t->mx->MXNDArrayGetData(t->pieces[i].array, &data), "order the weights"));
    KN_TRY(mx_result(t->mx, t->mx->MXNDArraySyncCopyFromCPU(t->pieces[i].array, values[i], t->tensors[i].elements),
                     "set the weights"));
  }
  return NULL;
}

static bool ends_with(const char *text, const char *end) {
  size_t length = strlen(text), tail = strlen(end);
  return length >= tail && !strcmp(text + length - tail, end);
}

/* He et al., "Delving deep into rectifiers", 2015, eq. 10, for weights; scales and variances are 1, the rest 0. */
static void draw(const variable *v, uint64_t seed, float *out) {
  bool one = ends_with(v->name, "_gamma") || ends_with(v->name, "_var"), weight = ends_with(v->name, "_weight");
  double scale = weight && v->rank > 1 ? sqrt(2.0 * v->shape[0] / (double)v->elements) : 0;
  for (size_t i = 0; i < v->elements; i++) {
    /* Box and Muller's transformation. */
    double normal =
        weight ? sqrt(-2 * log(kn_random_unit(seed, 2 * i))) * cos(2 * M_PI * kn_random_unit(seed, 2 * i + 1)) : 0;
    out[i] = one ? 1 : (float)(scale * normal);
  }
}

static kn_status first_value(const trainer *t, const variable *v, const model *start, uint64_t seed, float *out) {
  const ndarray *array = start ? model_array(start, v->name) : NULL;
  if (!start) {
    draw(v, seed, out);
  } else if (!array || array->dtype != KN_FLOAT32 || array->bytes != v->elements * sizeof *out) {
    return kn_status_make(KN_INCOMPATIBLE, "'%s' is not float32 or has another size in the model", v->name);
  } else {
    memcpy(out, array->data, array->bytes);
  }
  (void)t;
  return NULL;
}

/* Weights as in `start` or drawn; moments 0. */
static kn_status set_first(trainer *t, const model *start) {
  uint64_t seed = kn_random(t->request->seed, STREAM_WEIGHTS);
  for (size_t i = 0; i < t->variable_count; i++) {
    const variable *v = &t->variables[i];
    mx_ndarray *const arrays[] = {v->value, v->gradient, v->mean, v->square};
    float *values = kn_alloc_array(v->elements, sizeof *values);
    kn_status status = values ? NULL : kn_status_out_of_memory();
    for (size_t k = 4; k-- > 0 && !status;) {
      if (k == 0 && !v->data) status = first_value(t, v, start, kn_random(seed, i), values);
      if (!status && arrays[k])
        status = mx_result(t->mx, t->mx->MXNDArraySyncCopyFromCPU(arrays[k], values, v->elements), "set the weights");
    }
    kn_free(values);
    KN_TRY(status);
  }
  return NULL;
}

/* ---- steps ---- */

static kn_status forward(trainer *t, const kn_train_batch *batch, bool training, float *out_logits) {
  const mx_api *mx = t->mx;
  uint32_t count;
  mx_ndarray **outputs;
  for (size_t i = 0; i < t->argument_count; i++)
    if (t->variables[i].data)
      KN_TRY(mx_result(mx,
                       mx->MXNDArraySyncCopyFromCPU(t->variables[i].value, batch->samples, t->variables[i].elements),
                       "take a batch"));
  KN_TRY(mx_result(mx, mx->MXExecutorForward(t->executor, training), "run the model"));
  KN_TRY(mx_result(mx, mx->MXExecutorOutputs(t->executor, &count, &outputs), "give its output"));
  kn_status status =
      mx_result(mx, mx->MXNDArraySyncCopyToCPU(outputs[0], out_logits, t->batch * t->classes), "give its output");
  for (uint32_t i = 0; i < count; i++) (void)mx->MXNDArrayFree(outputs[i]); /* each call makes handles */
  return status;
}

/* Gradient of the mean of weight * cross-entropy by the logits: weight * (softmax - one-hot) / batch. */
static void head_gradient(const trainer *t, const kn_train_batch *batch, const float *logits) {
  for (size_t i = 0; i < t->batch; i++) {
    const float *row = logits + i * t->classes;
    float *out = t->probabilities + i * t->classes, top = row[0], sum = 0;
    for (size_t c = 1; c < t->classes; c++) top = fmaxf(top, row[c]);
    for (size_t c = 0; c < t->classes; c++) sum += out[c] = expf(row[c] - top);
    float scale = batch->weights[i] / (float)t->batch;
    for (size_t c = 0; c < t->classes; c++) out[c] = scale * (out[c] / sum - (c == (size_t)batch->labels[i]));
  }
}

static kn_status move(const trainer *t, const variable *v, const char *rate) {
  static const char *names[] = {"lr", "beta1", "beta2", "epsilon"};
  const char *values[] = {rate, "0.9", "0.999", EPSILON};
  mx_ndarray *inputs[] = {v->value, v->gradient, v->mean, v->square}, *outputs[] = {v->value}, **result = outputs;
  int output_count = 1;
  bool adam = v->mean != NULL;
  return mx_result(
      t->mx,
      t->mx->MXImperativeInvoke(t->update, adam ? 4 : 2, inputs, &output_count, &result, adam ? 4 : 1, names, values),
      "move the weights");
}

static kn_status make_step(void *self, const kn_train_batch *batch, const kn_train_step *step, float *out_logits) {
  trainer *t = self;
  const mx_api *mx = t->mx;
  double power = (double)step->number + 1, rate = step->learning_rate;
  char text[32];
  if (t->options->training->optimizer == KN_TRAIN_ADAM) rate *= sqrt(1 - pow(beta2, power)) / (1 - pow(beta1, power));
  char *printed = kn_format("%.9g", rate); /* with a point whatever the locale */
  if (!printed) return kn_status_out_of_memory();
  (void)snprintf(text, sizeof text, "%s", printed);
  kn_free(printed);
  KN_TRY(mx_result(mx, mx->MXRandomSeed((int)(step->seed & INT32_MAX)), "set its seed"));
  KN_TRY(forward(t, batch, true, out_logits));
  head_gradient(t, batch, out_logits);
  KN_TRY(mx_result(mx, mx->MXNDArraySyncCopyFromCPU(t->head_gradient, t->probabilities, t->batch * t->classes),
                   "take a gradient"));
  KN_TRY(mx_result(mx, mx->MXExecutorBackward(t->executor, 1, &t->head_gradient), "compute the gradients"));
  for (size_t i = 0; i < t->argument_count; i++)
    if (t->variables[i].gradient) KN_TRY(move(t, &t->variables[i], text));
  return mx_result(mx, mx->MXNDArrayWaitAll(), "make a training step");
}

static kn_status evaluate(void *self, const kn_train_batch *batch, float *out_logits) {
  return forward(self, batch, false, out_logits);
}

/* ---- the result ---- */

static kn_status save(const trainer *t, const char *path, mx_ndarray **arrays, char **names) {
  size_t count = 0, length = strlen(t->symbol_json);
  uint32_t shape = (uint32_t)length;
  for (size_t i = 0; i < t->variable_count; i++) {
    const variable *v = &t->variables[i];
    if (v->data) continue;
    names[count] = kn_format("%s:%s", v->state ? "aux" : "arg", v->name);
    if (!names[count]) return kn_status_out_of_memory();
    arrays[count++] = v->value;
  }
  mx_ndarray *symbol = NULL;
  names[count] = kn_strdup(MODEL_SYMBOL_NAME);
  if (!names[count]) return kn_status_out_of_memory();
  KN_TRY(mx_result(t->mx, t->mx->MXNDArrayCreateEx(&shape, 1, MX_CPU, 0, 0, MX_UINT8, &symbol), "make an array"));
  arrays[count++] = symbol;
  kn_status status =
      mx_result(t->mx, t->mx->MXNDArraySyncCopyFromCPU(symbol, t->symbol_json, length), "keep the graph");
  if (!status)
    status =
        mx_result(t->mx, t->mx->MXNDArraySave(path, (uint32_t)count, arrays, (const char **)names), "write the model");
  (void)t->mx->MXNDArrayFree(symbol);
  return status;
}

static kn_status write_model(void *self, const char *path) {
  const trainer *t = self;
  char **names = kn_alloc_array(t->variable_count + 1, sizeof *names);
  mx_ndarray **arrays = kn_alloc_array(t->variable_count + 1, sizeof *arrays);
  kn_status status = names && arrays ? save(t, path, arrays, names) : kn_status_out_of_memory();
  for (size_t i = 0; names && i <= t->variable_count; i++) kn_free(names[i]);
  kn_free(names);
  kn_free(arrays);
  return status;
}

static const kn_trainer_ops ops = {.struct_size = sizeof(kn_trainer_ops),
                                   .step = make_step,
                                   .evaluate = evaluate,
                                   .fetch = fetch,
                                   .store = store,
                                   .write = write_model};

/* ---- the run ---- */

static kn_status run(trainer *t, const model *start, kn_record *history) {
  const kn_train_request *request = t->request;
  const kn_samples *train = request->train;
  KN_TRY(kn_training_batch_size(request, &t->batch));
  if (train->dtype != KN_FLOAT32) return kn_status_make(KN_INCOMPATIBLE, "the samples of the data set are not float32");
  char *logits;
  KN_TRY(symbol_without_softmax(t->symbol_json, &logits));
  kn_status status = mx_api_open(t->options->library, &t->mx);
  if (!status) status = mx_result(t->mx, t->mx->MXSymbolCreateFromJSON(logits, &t->symbol), "read the network");
  kn_free(logits);
  KN_TRY(status);
  t->classes = (size_t)train->classes;
  t->probabilities = kn_alloc_array(t->batch, t->classes * sizeof *t->probabilities);
  if (!t->probabilities) return kn_status_out_of_memory();
  KN_TRY(infer_shapes(t));
  KN_TRY(make_arrays(t));
  KN_TRY(bind_executor(t));
  KN_TRY(find_operator(t, t->options->training->optimizer == KN_TRAIN_ADAM ? "adam_update" : "sgd_update"));
  KN_TRY(list_pieces(t));
  KN_TRY(set_first(t, start));
  KN_TRY(kn_record_set_int(history, "threads", mx_threads(t->mx, t->options->threads)));
  KN_TRY(kn_record_set_string(history, "framework_version", t->mx->version));
  const kn_trainer handed = {.ops = &ops, .self = t, .tensors = t->tensors, .tensor_count = t->piece_count};
  return kn_training_run(t->options->training, request, &handed, history);
}

static void clear(trainer *t) {
  const mx_api *mx = t->mx;
  if (t->executor) (void)mx->MXExecutorFree(t->executor);
  for (size_t i = 0; i < t->variable_count; i++) {
    mx_ndarray *const arrays[] = {t->variables[i].value, t->variables[i].gradient, t->variables[i].mean,
                                  t->variables[i].square};
    for (size_t k = 0; k < 4; k++)
      if (arrays[k]) (void)mx->MXNDArrayFree(arrays[k]);
    kn_free(t->variables[i].name);
  }
  if (t->head_gradient) (void)mx->MXNDArrayFree(t->head_gradient);
  if (t->symbol) (void)mx->MXSymbolFree(t->symbol);
  for (size_t i = 0; i < t->piece_count; i++) kn_free(t->pieces[i].name);
  kn_free(t->pieces);
  kn_free(t->tensors);
  kn_free(t->variables);
  kn_free(t->probabilities);
}

kn_status trainer_run(const char *symbol, const model *start, const trainer_options *options,
                      const kn_train_request *request, kn_record *out_history) {
  trainer t = {.symbol_json = symbol, .options = options, .request = request};
  kn_status status = run(&t, start, out_history);
  clear(&t);
  return kn_status_annotate(status, "while training %s", request->model_path);
}
