/* Training against Keras 2 and 3: the loss of a batch, its gradients, the weights after steps of Adam and SGD, and the
 * moving statistics of normalizations; on a small network, and on the MobileNetV2 for pets: its base frozen, its base
 * unfrozen (normalizations stay frozen), and all of it from scratch. Needs what keras_comparison_test.c needs. */
#include "support/unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kenning/random.h>

#include "core/memory.h"
#include "keras_results.h"
#include "support/directory.h"
#include "support/status.h"
#include "tensorflow/base_weights.h"
#include "tensorflow/mobilenet_v2.h"
#include "tensorflow/session.h"
#include "tensorflow/training_graph.h"

/* The most that a loss, a gradient or a weight may differ, relative to the largest value of its tensor. */
static const double tolerance = 1e-4;

static const char small_model[] =
    "{\"class_name\": \"Sequential\", \"config\": {\"name\": \"small\", \"layers\": ["
    "{\"class_name\": \"InputLayer\", \"config\": {\"batch_input_shape\": [null, 8, 8, 3], \"name\": \"image\"}}, "
    "{\"class_name\": \"Conv2D\", \"config\": {\"name\": \"conv\", \"filters\": 8, \"kernel_size\": [3, 3], "
    "\"strides\": [1, 1], \"padding\": \"same\", \"use_bias\": false}}, "
    "{\"class_name\": \"BatchNormalization\", \"config\": {\"name\": \"norm\", \"axis\": -1, \"momentum\": 0.8, "
    "\"epsilon\": 0.001}}, "
    "{\"class_name\": \"ReLU\", \"config\": {\"name\": \"relu\", \"max_value\": 6.0}}, "
    "{\"class_name\": \"DepthwiseConv2D\", \"config\": {\"name\": \"depthwise\", \"kernel_size\": [3, 3], "
    "\"strides\": [2, 2], \"padding\": \"same\"}}, "
    "{\"class_name\": \"GlobalAveragePooling2D\", \"config\": {\"name\": \"average\"}}, "
    "{\"class_name\": \"Dense\", \"config\": {\"name\": \"hidden\", \"units\": 16, \"activation\": \"relu\"}}, "
    "{\"class_name\": \"Dense\", \"config\": {\"name\": \"out\", \"units\": 5}}]}}";

typedef struct comparison {
  const tf_api *tf;
  keras_model model;
  training_graph graph;
  TF_Session *session;
  TF_Status *status;
  size_t batch, sample_values;
  float *samples, *labels, *weights;
  char *directory;
} comparison;

static float *random_values(size_t count, uint64_t seed, double lowest, double highest) {
  float *values = malloc(count * sizeof *values);
  for (size_t i = 0; i < count; i++) values[i] = (float)(lowest + (highest - lowest) * kn_random_unit(seed, i));
  return values;
}

static TF_Tensor *make_tensor(const comparison *c, TF_DataType type, size_t size, uint32_t rank, const int64_t *shape,
                              const void *values) {
  size_t bytes = size;
  for (uint32_t i = 0; i < rank; i++) bytes *= (size_t)shape[i];
  TF_Tensor *tensor = c->tf->TF_AllocateTensor(type, shape, (int)rank, bytes);
  assert_non_null(tensor);
  memcpy(c->tf->TF_TensorData(tensor), values, bytes);
  return tensor;
}

static keras_weight *weight_of(const comparison *c, size_t variable) {
  return training_graph_weight(&c->graph, &c->graph.variables[variable]);
}

/* The most variables that the networks here have. */
enum { MAX_VARIABLES = 512 };

static void store_weights(comparison *c) {
  TF_Output places[MAX_VARIABLES];
  TF_Tensor *values[MAX_VARIABLES];
  const TF_Operation *targets[MAX_VARIABLES];
  size_t count = c->graph.variable_count;
  assert_true(count <= MAX_VARIABLES);
  for (size_t i = 0; i < count; i++) {
    const training_variable *variable = &c->graph.variables[i];
    keras_weight *weight = weight_of(c, i);
    float *zeros = calloc(weight->elements + 1, sizeof *zeros);
    values[i] =
        make_tensor(c, TF_FLOAT, sizeof(float), weight->rank, weight->shape, variable->state ? zeros : weight->values);
    places[i] = variable->initial;
    targets[i] = variable->assign;
    free(zeros);
  }
  c->tf->TF_SessionRun(c->session, NULL, places, values, (int)count, NULL, NULL, 0, targets, (int)count, NULL,
                       c->status);
  kt_assert_ok(tf_status_take(c->tf, c->status, "store"));
  for (size_t i = 0; i < count; i++) c->tf->TF_DeleteTensor(values[i]);
}

/* The model with weights of its own that fit batches of its samples. */
static void set_up(comparison *c, kn_train_optimizer optimizer, size_t base_layers, size_t batch, int64_t classes) {
  kt_assert_ok(tf_api_open(NULL, &c->tf));
  const training_settings settings = {
      .optimizer = optimizer, .late_layers = base_layers, .seed = 5, .batch = (int64_t)batch, .classes = classes};
  kt_assert_ok(training_graph_build(c->tf, &c->model, &settings, &c->graph));
  kt_assert_ok(session_open(c->tf, c->graph.g.graph, 2, true, &c->session));
  c->status = c->tf->TF_NewStatus();
  c->batch = batch;
  c->directory = kt_directory_make();
  c->samples = random_values(batch * c->sample_values, 1, -2, 2);
  c->weights = random_values(batch, 2, 0.5, 2);
  c->labels = random_values(batch, 3, 0, (double)classes);
  for (size_t i = 0; i < batch; i++) c->labels[i] = floorf(c->labels[i]);
  store_weights(c);
}

static void tear_down(comparison *c) {
  session_close(c->tf, c->session);
  c->tf->TF_DeleteStatus(c->status);
  training_graph_destroy(&c->graph);
  keras_model_clear(&c->model);
  free(c->samples);
  free(c->labels);
  free(c->weights);
  kt_directory_remove(c->directory);
}

/* Runs the graph for `wanted`; `step` from 1, 0: no step is made. */
static void run_graph(comparison *c, const TF_Output *wanted, TF_Tensor **out, int count, int step, double rate) {
  int64_t shape[KN_MAX_RANK] = {(int64_t)c->batch};
  uint32_t rank;
  int64_t *labels = malloc(c->batch * sizeof *labels);
  for (size_t i = 0; i < c->batch; i++) labels[i] = (int64_t)c->labels[i];
  kt_assert_ok(graph_shape(&c->graph.g, c->graph.samples, &rank, shape));
  const float scalars[TRAINING_SCALARS] = {(float)rate, (float)pow(ADAM_BETA1, step), (float)pow(ADAM_BETA2, step),
                                           (float)pow(ADAM_BETA1, step), (float)pow(ADAM_BETA2, step)};
  TF_Output places[3 + TRAINING_SCALARS] = {c->graph.samples, c->graph.labels, c->graph.sample_weights};
  TF_Tensor *values[3 + TRAINING_SCALARS] = {make_tensor(c, TF_FLOAT, sizeof(float), rank, shape, c->samples),
                                             make_tensor(c, TF_INT64, sizeof(int64_t), 1, shape, labels),
                                             make_tensor(c, TF_FLOAT, sizeof(float), 1, shape, c->weights)};
  int fed = 3;
  for (int i = 0; i < TRAINING_SCALARS; i++) {
    if (!c->graph.scalars[i].oper) continue;
    places[fed] = c->graph.scalars[i];
    values[fed++] = make_tensor(c, TF_FLOAT, sizeof(float), 0, NULL, &scalars[i]);
  }
  c->tf->TF_SessionRun(c->session, NULL, places, values, fed, wanted, out, count, c->graph.steps,
                       step ? (int)c->graph.step_count : 0, NULL, c->status);
  kt_assert_ok(tf_status_take(c->tf, c->status, "run"));
  for (int i = 0; i < fed; i++) c->tf->TF_DeleteTensor(values[i]);
  free(labels);
}

static void expect_near(const comparison *c, const char *what, const char *name, TF_Tensor *is, const float *expected,
                        size_t count) {
  const float *values = c->tf->TF_TensorData(is);
  double worst = 0, largest = 0;
  assert_int_equal(c->tf->TF_TensorByteSize(is), count * sizeof(float));
  for (size_t i = 0; i < count; i++) {
    assert_true(isfinite(values[i]));
    worst = fmax(worst, fabs((double)values[i] - (double)expected[i]));
    largest = fmax(largest, fabs((double)expected[i]));
  }
  if (worst > tolerance * largest) print_error("%s of %s differs by %g of %g\n", what, name, worst, largest);
  assert_true(largest > 0);
  assert_true(worst <= tolerance * largest);
}

/* Statistics of a normalization: no gradient leads to them. */
static bool is_statistic(const char *name) { return strstr(name, "/moving_"); }

/* The variable that Keras calls so. */
static size_t find_variable(const comparison *c, const char *name) {
  for (size_t i = 0; i < c->graph.variable_count; i++) {
    const training_variable *variable = &c->graph.variables[i];
    const keras_weight *weight = weight_of(c, i);
    if (variable->state || !variable->gradient.oper != is_statistic(name)) continue;
    char own[128];
    snprintf(own, sizeof own, "%s/%s", c->model.network.layers[c->graph.g.weights[variable->weight].group].name,
             weight->name);
    /* Keras 2 calls it depthwise_kernel */
    bool same = !strcmp(own, name) || (strstr(name, "depthwise_kernel") && !strncmp(own, name, strcspn(name, "/") + 1));
    if (same && (!strstr(name, "bias") || strstr(own, "bias"))) return i;
  }
  fail_msg("%s is not trained here", name);
  return 0;
}

/* Expects of the first step's loss and gradients, and of the weights after `steps`, what Keras gives. */
static void compare(comparison *c, const char *python, int keras, kn_train_optimizer optimizer, double rate,
                    int steps) {
  char *path = kt_path(c->directory, "model.h5"), *out = kt_path(c->directory, "out"),
       *names_path = kt_path(c->directory, "out.names"), *samples = kt_path(c->directory, "samples"),
       *labels = kt_path(c->directory, "labels"), *weights = kt_path(c->directory, "weights");
  char rate_text[32], steps_text[32];
  snprintf(rate_text, sizeof rate_text, "%g", rate);
  snprintf(steps_text, sizeof steps_text, "%d", steps);
  kt_assert_ok(keras_model_write(&c->model, path));
  kt_file_write(samples, c->samples, c->batch * c->sample_values * sizeof(float));
  kt_file_write(labels, c->labels, c->batch * sizeof(float));
  kt_file_write(weights, c->weights, c->batch * sizeof(float));
  keras_run_script(
      python, keras, "tests/contract/tensorflow/gradients.py",
      (const char *const[KERAS_ARGUMENTS]){path, samples, labels, weights, optimizer == KN_TRAIN_ADAM ? "adam" : "sgd",
                                           rate_text, steps_text, out});
  size_t bytes, used = 1;
  float *expected = (float *)(void *)kt_file_read(out, &bytes);
  char *names = kt_file_read(names_path, NULL);
  /* The loss, the gradients, and the weights after the steps, statistics behind them. */
  size_t variables[MAX_VARIABLES], count = 0, trained = 0;
  char *copy = strdup(names), *rest = copy;
  const char *labels_of[MAX_VARIABLES];
  for (const char *name; (name = strtok_r(rest, "\n", &rest)) && count < MAX_VARIABLES; count++) {
    labels_of[count] = name;
    variables[count] = find_variable(c, name);
    trained += !is_statistic(name);
  }
  print_message("Keras %d trains %zu weights and moves %zu statistics\n", keras, trained, count - trained);
  TF_Output wanted[MAX_VARIABLES + 1] = {c->graph.loss};
  TF_Tensor *found[MAX_VARIABLES + 1] = {NULL};
  for (int after = 0; after < 2; after++) {
    size_t compared = after ? count : trained;
    for (int step = 1; after && step <= steps; step++) run_graph(c, NULL, NULL, 0, step, rate);
    for (size_t i = 0; i < compared; i++) {
      const training_variable *at = &c->graph.variables[variables[i]];
      wanted[i + 1] = after ? at->value : at->gradient;
    }
    run_graph(c, wanted, found, (int)compared + 1, 0, 0);
    if (!after) expect_near(c, "the loss", "the batch", found[0], expected, 1);
    for (size_t i = 0; i < compared; i++) {
      size_t elements = weight_of(c, variables[i])->elements;
      assert_true((used + elements) * sizeof(float) <= bytes);
      expect_near(c, after ? "the weight after the steps" : "the gradient", labels_of[i], found[i + 1], expected + used,
                  elements);
      used += elements;
    }
    for (size_t i = 0; i <= compared; i++) c->tf->TF_DeleteTensor(found[i]);
  }
  free(copy);
  assert_int_equal(used * sizeof(float), bytes);
  free(names);
  free(expected);
  free(path);
  free(out);
  free(names_path);
  free(samples);
  free(labels);
  free(weights);
}

static void small_network(int keras, kn_train_optimizer optimizer, double rate) {
  char *python = keras_require_python();
  comparison c = {.sample_values = 8 * 8 * 3};
  kt_assert_ok(keras_model_make("small", small_model, "3.0.0", &c.model));
  set_up(&c, optimizer, 0, 32, 5);
  compare(&c, python, keras, optimizer, rate, 3);
  tear_down(&c);
  kn_free(python);
}

static void adam_is_that_of_keras_3(void **state) {
  (void)state;
  small_network(3, KN_TRAIN_ADAM, 0.01);
}

static void sgd_is_that_of_keras_2(void **state) {
  (void)state;
  small_network(2, KN_TRAIN_SGD, 0.1);
}

/* Makes the model's weights, with kernels that keep the scale of what they are given (He et al., "Delving deep into
 * rectifiers", 2015, equation 10; half the variance where no rectifier follows): through 52 layers of others little is
 * left of the samples, and of the gradients. */
static void make_weights(keras_model *model, int64_t classes) {
  const tf_api *tf;
  training_graph built;
  const training_settings settings = {.seed = 5, .batch = 1, .classes = classes};
  kt_assert_ok(tf_api_open(NULL, &tf));
  kt_assert_ok(training_graph_build(tf, model, &settings, &built));
  training_graph_destroy(&built);
  for (size_t i = 0; i < model->network.layer_count; i++) {
    keras_weight *kernel = model->groups[i].count ? &model->groups[i].weights[0] : NULL;
    if (!kernel || kernel->rank != 4) continue;
    const char *layer = model->network.layers[i].name;
    int64_t inputs = kernel->shape[0] * kernel->shape[1] * (strstr(layer, "depthwise") ? 1 : kernel->shape[2]);
    double bound = sqrt((strstr(layer, "project") ? 3.0 : 6.0) / (double)inputs);
    for (size_t k = 0; k < kernel->elements; k++)
      kernel->values[k] = (float)(bound * (2 * kn_random_unit(100 + i, k) - 1));
  }
}

static void pets_network(mobilenet_v2 settings, int keras, size_t batch, double rate, int steps) {
  char *python = keras_require_python();
  comparison c = {.sample_values = (size_t)MOBILENET_V2_SIDE * MOBILENET_V2_SIDE * 3};
  size_t base_layers;
  settings.classes = 37;
  kt_assert_ok(mobilenet_v2_make(&settings, &c.model, &base_layers));
  make_weights(&c.model, settings.classes);
  set_up(&c, KN_TRAIN_SGD, settings.frozen ? base_layers : 0, batch, settings.classes);
  compare(&c, python, keras, KN_TRAIN_SGD, rate, steps);
  tear_down(&c);
  kn_free(python);
}

static void the_head_of_pets_is_trained_as_by_keras(void **state) {
  (void)state;
  pets_network((mobilenet_v2){.frozen = true}, 3, 2, 0.1, 1);
}

static void an_unfrozen_base_is_trained_as_by_keras(void **state) {
  (void)state;
  pets_network((mobilenet_v2){.frozen = true, .unfrozen = -1}, 3, 4, 0.01, 2);
}

static void all_of_it_is_trained_as_by_keras(void **state) {
  (void)state;
  pets_network((mobilenet_v2){.frozen = false}, 2, 8, 0.01, 1);
}

/* ---- bases ---- */

static void make_pets(keras_model *model, size_t *base_layers) {
  const mobilenet_v2 settings = {.classes = 37, .dropout = 0.5, .frozen = true};
  kt_assert_ok(mobilenet_v2_make(&settings, model, base_layers));
}

/* However a base was saved, the same weights are taken. */
static void bases_are_taken_from_all_kinds_of_files(void **state) {
  (void)state;
  static const char *const names[] = {"whole.h5", "weights.h5", "renamed.h5", "nested.h5", "top.h5"};
  char *python = keras_require_python(), *directory = kt_directory_make();
  keras_run_script(python, 2, "tests/contract/tensorflow/bases.py", (const char *const[KERAS_ARGUMENTS]){directory});
  keras_model first = {0}, model;
  size_t base_layers, weights = 0;
  bool head;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char *path = kt_path(directory, names[i]);
    make_pets(&model, &base_layers);
    kt_assert_ok(base_weights_load(path, &model, base_layers, &head));
    assert_false(head);
    free(path);
    if (i == 0) {
      first = model;
      continue;
    }
    weights = 0;
    for (size_t k = 0; k < base_layers; k++) {
      assert_int_equal(model.groups[k].count, first.groups[k].count);
      for (size_t j = 0; j < model.groups[k].count; j++, weights++) {
        const keras_weight *one = &first.groups[k].weights[j], *other = &model.groups[k].weights[j];
        assert_string_equal(one->name, other->name);
        assert_int_equal(one->elements, other->elements);
        assert_memory_equal(one->values, other->values, one->elements * sizeof(float));
      }
    }
    assert_int_equal(weights, 52 * 5);
    keras_model_clear(&model);
  }
  keras_model_clear(&first);
  /* One of another width has the same layers; the graph finds that their shapes are others. */
  char *small = kt_path(directory, "small.h5"), *text = kt_path(directory, "text.h5");
  make_pets(&model, &base_layers);
  kt_assert_ok(base_weights_load(small, &model, base_layers, &head));
  const tf_api *tf;
  kt_assert_ok(tf_api_open(NULL, &tf));
  const training_settings settings = {.late_layers = base_layers, .batch = 2, .classes = 37};
  training_graph built;
  kt_assert_fault(training_graph_build(tf, &model, &settings, &built), KN_BAD_DATA, "but the architecture wants");
  keras_model_clear(&model);
  kt_file_write(text, "this is no model", 16);
  make_pets(&model, &base_layers);
  kt_assert_fault(base_weights_load(text, &model, base_layers, &head), KN_BAD_DATA, "text.h5");
  keras_model_clear(&model);
  char *other = kt_source_path("tests/unit/tensorflow/data/keras3.h5");
  make_pets(&model, &base_layers);
  kt_assert_fault(base_weights_load(other, &model, base_layers, &head), KN_INCOMPATIBLE, "of a MobileNetV2");
  keras_model_clear(&model);
  free(other);
  free(small);
  free(text);
  kt_directory_remove(directory);
  kn_free(python);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(adam_is_that_of_keras_3),
      cmocka_unit_test(sgd_is_that_of_keras_2),
      cmocka_unit_test(the_head_of_pets_is_trained_as_by_keras),
      cmocka_unit_test(an_unfrozen_base_is_trained_as_by_keras),
      cmocka_unit_test(all_of_it_is_trained_as_by_keras),
      cmocka_unit_test(bases_are_taken_from_all_kinds_of_files),
  };
  /* Both sides compute by TensorFlow's own kernels, which round alike on every processor. oneDNN's do not, and then a
   * unit of 52 layers that is close to a kink of its rectifier is passed on one side only, which shows in the
   * gradients. */
  setenv("TF_ENABLE_ONEDNN_OPTS", "0", 1);
  return keras_result(cmocka_run_group_tests(tests, NULL, NULL));
}
