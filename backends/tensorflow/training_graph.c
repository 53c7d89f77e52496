#include "training_graph.h"

#include <string.h>

/* ---- the model's two forms ---- */

static kn_status add_scalars(training_graph *t) {
  bool adam = t->settings.optimizer == KN_TRAIN_ADAM, late = t->settings.late_layers > 0;
  for (int i = 0; i < TRAINING_SCALARS; i++) {
    bool used = i == TRAINING_RATE || (adam && (late || i < TRAINING_LATE_BETA1_POWER));
    if (used) KN_TRY(graph_placeholder(&t->g, TF_FLOAT, 0, NULL, &t->scalars[i]));
  }
  return NULL;
}

static kn_status add_inputs(training_graph *t) {
  const keras_network *network = &t->g.model->network;
  const keras_layer *input = &network->layers[network->inputs[0].layer];
  uint32_t rank;
  int64_t shape[KN_MAX_RANK], batch = t->settings.batch;
  kn_dtype dtype;
  KN_TRY(keras_input_shape(input, &rank, shape));
  KN_TRY(keras_input_dtype(input, &dtype));
  for (uint32_t i = 1; i < rank; i++)
    if (shape[i] < 0) return kn_status_make(KN_INCOMPATIBLE, "dimension %u of input '%s' is not fixed", i, input->name);
  shape[0] = batch;
  KN_TRY(graph_placeholder(&t->g, tf_type_of(dtype), rank, shape, &t->samples));
  KN_TRY(graph_placeholder(&t->g, TF_INT64, 1, &batch, &t->labels));
  KN_TRY(graph_placeholder(&t->g, TF_FLOAT, 1, &batch, &t->sample_weights));
  return add_scalars(t);
}

/* What goes into the softmax at the model's end, or the output itself where there is none. The loss works on these:
 * exact where the softmax saturates. */
static kn_status build_logits(training_graph *t, bool training, TF_Output *out_logits) {
  TF_Output output;
  uint32_t rank;
  int64_t shape[KN_MAX_RANK], classes = t->settings.classes;
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
static kn_status add_loss(training_graph *t) {
  graph *g = &t->g;
  const int32_t depth = (int32_t)t->settings.classes;
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
  KN_TRY(graph_binary(g, "Mul", losses, t->sample_weights, &losses));
  KN_TRY(graph_integers(g, &first_axis, 1, &axis));
  return graph_binary(g, "Mean", losses, axis, &t->loss);
}

/* ---- the optimizer ---- */

static bool is_late(const training_graph *t, const graph_weight *weight) {
  return weight->group < t->settings.late_layers;
}

/* A variable of the optimizer, as large as the weight. */
static kn_status add_state(training_graph *t, size_t index, const char *name, TF_Output *out_handle) {
  graph *g = &t->g;
  const graph_weight *weight = &g->weights[index];
  const keras_weight *held = &g->model->groups[weight->group].weights[weight->index];
  training_variable *variable = &t->variables[t->variable_count++];
  *variable = (training_variable){.weight = index, .state = name};
  char *shared = kn_format("%s_%zu_%zu", name, weight->group, weight->index);
  if (!shared) return kn_status_out_of_memory();
  TF_OperationDescription *operation = graph_begin(g, "VarHandleOp");
  g->tf->TF_SetAttrType(operation, "dtype", TF_FLOAT);
  g->tf->TF_SetAttrShape(operation, "shape", held->shape, (int)held->rank);
  g->tf->TF_SetAttrString(operation, "shared_name", shared, strlen(shared));
  kn_status status = graph_end(g, operation, out_handle);
  kn_free(shared);
  KN_TRY(status);
  operation = graph_begin(g, "ReadVariableOp");
  g->tf->TF_AddInput(operation, *out_handle);
  g->tf->TF_SetAttrType(operation, "dtype", TF_FLOAT);
  KN_TRY(graph_end(g, operation, &variable->value));
  KN_TRY(graph_placeholder(g, TF_FLOAT, held->rank, held->shape, &variable->initial));
  operation = graph_begin(g, "AssignVariableOp");
  g->tf->TF_AddInput(operation, *out_handle);
  g->tf->TF_AddInput(operation, variable->initial);
  g->tf->TF_SetAttrType(operation, "dtype", TF_FLOAT);
  TF_Output assigned;
  KN_TRY(graph_end(g, operation, &assigned));
  variable->assign = assigned.oper;
  return NULL;
}

static kn_status add_adam(training_graph *t, size_t index, TF_Output gradient, TF_Output *out) {
  graph *g = &t->g;
  const graph_weight *weight = &g->weights[index];
  const TF_Output *powers = &t->scalars[is_late(t, weight) ? TRAINING_LATE_BETA1_POWER : TRAINING_BETA1_POWER];
  TF_Output mean = {0}, variance = {0}, beta1 = {0}, beta2 = {0}, epsilon = {0};
  KN_TRY(add_state(t, index, "adam_mean", &mean));
  KN_TRY(add_state(t, index, "adam_variance", &variance));
  KN_TRY(graph_scalar(g, ADAM_BETA1, &beta1));
  KN_TRY(graph_scalar(g, ADAM_BETA2, &beta2));
  KN_TRY(graph_scalar(g, ADAM_EPSILON, &epsilon));
  const TF_Output inputs[10] = {weight->handle, mean,  variance, powers[0], powers[1], t->scalars[TRAINING_RATE],
                                beta1,          beta2, epsilon,  gradient};
  TF_OperationDescription *operation = graph_begin(g, "ResourceApplyAdam");
  for (int i = 0; i < 10; i++) g->tf->TF_AddInput(operation, inputs[i]);
  return graph_end(g, operation, out);
}

static kn_status add_sgd(training_graph *t, size_t index, TF_Output gradient, TF_Output *out) {
  const TF_Output inputs[3] = {t->g.weights[index].handle, t->scalars[TRAINING_RATE], gradient};
  TF_OperationDescription *operation = graph_begin(&t->g, "ResourceApplyGradientDescent");
  for (int i = 0; i < 3; i++) t->g.tf->TF_AddInput(operation, inputs[i]);
  return graph_end(&t->g, operation, out);
}

static kn_status add_step(training_graph *t, training_variable *variable) {
  const graph_weight *weight = &t->g.weights[variable->weight];
  if (!variable->gradient.oper)
    return kn_status_make(KN_INCOMPATIBLE, "%s cannot be trained: the loss does not depend on weight '%s'",
                          t->g.model->path, t->g.model->groups[weight->group].weights[weight->index].file_name);
  TF_Output applied;
  KN_TRY(t->settings.optimizer == KN_TRAIN_SGD ? add_sgd(t, variable->weight, variable->gradient, &applied)
                                               : add_adam(t, variable->weight, variable->gradient, &applied));
  t->steps[t->step_count++] = applied.oper;
  return NULL;
}

/* ---- gradients ---- */

/* All weights that are variables. */
static void list_weights(training_graph *t) {
  const graph *g = &t->g;
  for (size_t i = 0; i < g->weight_count; i++)
    if (g->weights[i].handle.oper)
      t->variables[t->variable_count++] = (training_variable){
          .weight = i, .value = g->weights[i].value, .initial = g->weights[i].initial, .assign = g->weights[i].assign};
}

static kn_status differentiate(training_graph *t, TF_Output *values, TF_Output *gradients) {
  graph *g = &t->g;
  int count = 0;
  for (size_t i = 0; i < t->variable_count; i++)
    if (g->weights[t->variables[i].weight].trainable) values[count++] = t->variables[i].value;
  if (count == 0) return kn_status_make(KN_INCOMPATIBLE, "%s has no trainable weights", g->model->path);
  g->tf->TF_AddGradients(g->graph, &t->loss, 1, values, count, NULL, g->status, gradients);
  KN_TRY(tf_status_take(g->tf, g->status, "differentiate the model"));
  count = 0;
  for (size_t i = 0; i < t->variable_count; i++)
    if (g->weights[t->variables[i].weight].trainable) t->variables[i].gradient = gradients[count++];
  return NULL;
}

static kn_status add_gradients(training_graph *t) {
  TF_Output *values = kn_alloc_array(t->g.weight_count, sizeof *values);
  TF_Output *gradients = kn_alloc_array(t->g.weight_count, sizeof *gradients);
  kn_status status = values && gradients ? differentiate(t, values, gradients) : kn_status_out_of_memory();
  kn_free(values);
  kn_free(gradients);
  return status;
}

/* Those of the base last. */
static kn_status add_steps(training_graph *t) {
  graph *g = &t->g;
  t->steps = kn_alloc_array(g->weight_count + g->update_count, sizeof(TF_Operation *));
  t->variables = kn_alloc_array(3 * g->weight_count, sizeof *t->variables); /* itself and two of Adam's */
  if (!t->steps || !t->variables) return kn_status_out_of_memory();
  list_weights(t);
  KN_TRY(add_gradients(t));
  for (size_t i = 0; i < g->update_count; i++) t->steps[t->step_count++] = g->updates[i];
  size_t weights = t->variable_count;
  for (int late = 0; late < 2; late++) {
    for (size_t i = 0; i < weights; i++) {
      const graph_weight *weight = &g->weights[t->variables[i].weight];
      if (weight->trainable && is_late(t, weight) == late) KN_TRY(add_step(t, &t->variables[i]));
    }
    if (!late) t->early_count = t->step_count;
  }
  return NULL;
}

static kn_status build(training_graph *t) {
  const keras_network *network = &t->g.model->network;
  if (network->input_count != 1 || network->output_count != 1)
    return kn_status_make(KN_INCOMPATIBLE, "%s has %zu inputs and %zu outputs; a classifier in training has one each",
                          t->g.model->path, network->input_count, network->output_count);
  KN_TRY(add_inputs(t));
  KN_TRY(build_logits(t, true, &t->logits));
  KN_TRY(build_logits(t, false, &t->evaluated_logits));
  KN_TRY(add_loss(t));
  return add_steps(t);
}

keras_weight *training_graph_weight(const training_graph *training, const training_variable *variable) {
  const graph_weight *weight = &training->g.weights[variable->weight];
  return &training->g.model->groups[weight->group].weights[weight->index];
}

kn_status training_graph_build(const tf_api *tf, keras_model *model, const training_settings *settings,
                               training_graph *out) {
  *out = (training_graph){.settings = *settings};
  KN_TRY(graph_create(tf, model, &out->g));
  out->g.variables = true;
  out->g.make_weights = !model->file.path;
  out->g.seed = settings->seed;
  kn_status status = build(out);
  if (status) training_graph_destroy(out);
  return status;
}

void training_graph_destroy(training_graph *training) {
  if (training->g.tf) graph_destroy(&training->g);
  kn_free(training->steps);
  kn_free(training->variables);
  *training = (training_graph){0};
}
