#include "training_graph.h"

/* ---- the model's two forms ---- */

static kn_status add_inputs(training_graph *t, int64_t batch) {
  const keras_network *network = &t->g.model->network;
  const keras_layer *input = &network->layers[network->inputs[0].layer];
  uint32_t rank;
  int64_t shape[KN_MAX_RANK];
  kn_dtype dtype;
  KN_TRY(keras_input_shape(input, &rank, shape));
  KN_TRY(keras_input_dtype(input, &dtype));
  for (uint32_t i = 1; i < rank; i++)
    if (shape[i] < 0) return kn_status_make(KN_INCOMPATIBLE, "dimension %u of input '%s' is not fixed", i, input->name);
  shape[0] = batch;
  KN_TRY(graph_placeholder(&t->g, tf_type_of(dtype), rank, shape, &t->samples));
  KN_TRY(graph_placeholder(&t->g, TF_INT64, 1, &batch, &t->labels));
  KN_TRY(graph_placeholder(&t->g, TF_FLOAT, 0, NULL, &t->rate));
  if (t->optimizer == TRAINING_SGD) return NULL;
  KN_TRY(graph_placeholder(&t->g, TF_FLOAT, 0, NULL, &t->beta1_power));
  return graph_placeholder(&t->g, TF_FLOAT, 0, NULL, &t->beta2_power);
}

/* What goes into the softmax at the model's end, or the output itself where there is none. The loss works on these:
 * exact where the softmax saturates. */
static kn_status build_logits(training_graph *t, bool training, int64_t classes, TF_Output *out_logits) {
  TF_Output output;
  uint32_t rank;
  int64_t shape[KN_MAX_RANK];
  t->g.training = training;
  t->g.softmax_output = (TF_Output){0};
  KN_TRY(graph_build(&t->g, &t->samples, &output));
  bool ends_in_softmax = output.oper == t->g.softmax_output.oper && output.index == t->g.softmax_output.index;
  *out_logits = ends_in_softmax ? t->g.softmax_input : output;
  KN_TRY(graph_shape(&t->g, *out_logits, &rank, shape));
  if (rank == 2 && shape[1] == classes) return NULL;
  return kn_status_make(KN_INCOMPATIBLE, "%s does not give one value for each of the %lld classes of the data set",
                        t->g.model->path, (long long)classes);
}

/* SparseSoftmaxCrossEntropyWithLogits has no gradient in the C API, hence one-hot labels. */
static kn_status add_loss(training_graph *t, int64_t classes) {
  graph *g = &t->g;
  const int32_t depth = (int32_t)classes;
  const int64_t first_axis = 0;
  TF_Output depth_constant, one, zero, truth, axis, losses;
  KN_TRY(graph_constant(g, TF_INT32, 0, NULL, &depth, sizeof depth, &depth_constant));
  KN_TRY(graph_scalar(g, 1, &one));
  KN_TRY(graph_scalar(g, 0, &zero));
  const TF_Output inputs[4] = {t->labels, depth_constant, one, zero};
  TF_OperationDescription *operation = graph_begin(g, "OneHot");
  for (int i = 0; i < 4; i++) g->tf->TF_AddInput(operation, inputs[i]);
  KN_TRY(graph_end(g, operation, &truth));
  KN_TRY(graph_binary(g, "SoftmaxCrossEntropyWithLogits", t->logits, truth, &losses));
  KN_TRY(graph_integers(g, &first_axis, 1, &axis));
  return graph_binary(g, "Mean", losses, axis, &t->loss);
}

/* ---- the optimizer ---- */

static void add_initializer(training_graph *t, TF_Operation *operation) {
  t->initializers[t->initializer_count++] = operation;
}

/* A variable of the optimizer, as large as the weight, zero at first. */
static kn_status add_state(training_graph *t, const graph_weight *weight, const char *name, TF_Output *out_handle) {
  graph *g = &t->g;
  const keras_weight *held = &g->model->groups[weight->group].weights[weight->index];
  char *shared = kn_format("%s_%zu_%zu", name, weight->group, weight->index);
  if (!shared) return kn_status_out_of_memory();
  TF_OperationDescription *operation = graph_begin(g, "VarHandleOp");
  g->tf->TF_SetAttrType(operation, "dtype", TF_FLOAT);
  g->tf->TF_SetAttrShape(operation, "shape", held->shape, (int)held->rank);
  size_t length = 0;
  while (shared[length]) length++;
  g->tf->TF_SetAttrString(operation, "shared_name", shared, length);
  kn_status status = graph_end(g, operation, out_handle);
  kn_free(shared);
  KN_TRY(status);
  TF_Output zeros, assigned;
  KN_TRY(graph_unary(g, "ZerosLike", weight->initial, &zeros));
  operation = graph_begin(g, "AssignVariableOp");
  g->tf->TF_AddInput(operation, *out_handle);
  g->tf->TF_AddInput(operation, zeros);
  g->tf->TF_SetAttrType(operation, "dtype", TF_FLOAT);
  KN_TRY(graph_end(g, operation, &assigned));
  add_initializer(t, assigned.oper);
  return NULL;
}

static kn_status add_adam(training_graph *t, const graph_weight *weight, TF_Output gradient, TF_Output *out) {
  graph *g = &t->g;
  TF_Output mean = {0}, variance = {0}, beta1 = {0}, beta2 = {0}, epsilon = {0};
  KN_TRY(add_state(t, weight, "adam_mean", &mean));
  KN_TRY(add_state(t, weight, "adam_variance", &variance));
  KN_TRY(graph_scalar(g, ADAM_BETA1, &beta1));
  KN_TRY(graph_scalar(g, ADAM_BETA2, &beta2));
  KN_TRY(graph_scalar(g, ADAM_EPSILON, &epsilon));
  const TF_Output inputs[10] = {weight->handle, mean,  variance, t->beta1_power, t->beta2_power,
                                t->rate,        beta1, beta2,    epsilon,        gradient};
  TF_OperationDescription *operation = graph_begin(g, "ResourceApplyAdam");
  for (int i = 0; i < 10; i++) g->tf->TF_AddInput(operation, inputs[i]);
  return graph_end(g, operation, out);
}

static kn_status add_sgd(training_graph *t, const graph_weight *weight, TF_Output gradient, TF_Output *out) {
  const TF_Output inputs[3] = {weight->handle, t->rate, gradient};
  TF_OperationDescription *operation = graph_begin(&t->g, "ResourceApplyGradientDescent");
  for (int i = 0; i < 3; i++) t->g.tf->TF_AddInput(operation, inputs[i]);
  return graph_end(&t->g, operation, out);
}

static kn_status add_step(training_graph *t, const graph_weight *weight, TF_Output gradient) {
  TF_Output applied;
  if (!gradient.oper)
    return kn_status_make(KN_INCOMPATIBLE, "%s cannot be trained: the loss does not depend on weight '%s'",
                          t->g.model->path, t->g.model->groups[weight->group].weights[weight->index].file_name);
  KN_TRY(t->optimizer == TRAINING_SGD ? add_sgd(t, weight, gradient, &applied)
                                      : add_adam(t, weight, gradient, &applied));
  t->steps[t->step_count++] = applied.oper;
  return NULL;
}

/* What is differentiated by, and the derivatives. */
typedef struct derivatives {
  size_t count;
  size_t *weights; /* indexes of trainable ones in g->weights */
  TF_Output *values, *gradients;
} derivatives;

static void derivatives_clear(derivatives *d) {
  kn_free(d->weights);
  kn_free(d->values);
  kn_free(d->gradients);
}

static kn_status derivatives_make(const graph *g, derivatives *out) {
  *out = (derivatives){.weights = kn_alloc_array(g->weight_count, sizeof *out->weights),
                       .values = kn_alloc_array(g->weight_count, sizeof *out->values),
                       .gradients = kn_alloc_array(g->weight_count, sizeof *out->gradients)};
  if (!out->weights || !out->values || !out->gradients) {
    derivatives_clear(out);
    return kn_status_out_of_memory();
  }
  for (size_t i = 0; i < g->weight_count; i++) {
    if (!g->weights[i].trainable) continue;
    out->weights[out->count] = i;
    out->values[out->count++] = g->weights[i].value;
  }
  return NULL;
}

static kn_status add_gradients(training_graph *t, derivatives *d) {
  graph *g = &t->g;
  if (d->count == 0) return kn_status_make(KN_INCOMPATIBLE, "%s has no trainable weights", g->model->path);
  g->tf->TF_AddGradients(g->graph, &t->loss, 1, d->values, (int)d->count, NULL, g->status, d->gradients);
  KN_TRY(tf_status_take(g->tf, g->status, "differentiate the model"));
  for (size_t i = 0; i < d->count; i++) KN_TRY(add_step(t, &g->weights[d->weights[i]], d->gradients[i]));
  return NULL;
}

static kn_status add_steps(training_graph *t) {
  graph *g = &t->g;
  derivatives d;
  t->steps = kn_alloc_array(g->weight_count + g->update_count, sizeof(TF_Operation *));
  t->initializers = kn_alloc_array(3 * g->weight_count, sizeof(TF_Operation *)); /* itself and two of Adam's */
  if (!t->steps || !t->initializers) return kn_status_out_of_memory();
  for (size_t i = 0; i < g->weight_count; i++) add_initializer(t, g->weights[i].assign);
  KN_TRY(derivatives_make(g, &d));
  kn_status status = add_gradients(t, &d);
  derivatives_clear(&d);
  KN_TRY(status);
  for (size_t i = 0; i < g->update_count; i++) t->steps[t->step_count++] = g->updates[i];
  return NULL;
}

static kn_status build(training_graph *t, int64_t batch, int64_t classes) {
  const keras_network *network = &t->g.model->network;
  if (network->input_count != 1 || network->output_count != 1)
    return kn_status_make(KN_INCOMPATIBLE, "%s has %zu inputs and %zu outputs; a classifier in training has one each",
                          t->g.model->path, network->input_count, network->output_count);
  KN_TRY(add_inputs(t, batch));
  KN_TRY(build_logits(t, true, classes, &t->logits));
  KN_TRY(build_logits(t, false, classes, &t->evaluated_logits));
  KN_TRY(add_loss(t, classes));
  return add_steps(t);
}

kn_status training_graph_build(const tf_api *tf, keras_model *model, training_optimizer optimizer, uint64_t seed,
                               int64_t batch, int64_t classes, training_graph *out) {
  *out = (training_graph){.optimizer = optimizer};
  KN_TRY(graph_create(tf, model, &out->g));
  out->g.variables = true;
  out->g.make_weights = !model->file.path;
  out->g.seed = seed;
  kn_status status = build(out, batch, classes);
  if (status) training_graph_destroy(out);
  return status;
}

void training_graph_destroy(training_graph *training) {
  if (training->g.tf) graph_destroy(&training->g);
  kn_free(training->steps);
  kn_free(training->initializers);
  *training = (training_graph){0};
}
