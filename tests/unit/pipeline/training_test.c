/* The course of a training run with a trainer of a few lines: order, class weights, the best model, early stop,
 * checkpoints and what goes on from them, stopping, logs. */
#include "support/unit.h"

#include <kenning/random.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "core/log.h"
#include "core/memory.h"
#include "core/record_json.h"
#include "pipeline/learning_rate.h"
#include "support/directory.h"
#include "support/near.h"
#include "support/status.h"

enum { VALUES = 6, CLASSES = 3, TRAIN = 50, VALIDATION = 20, BATCH = 8, STATE = VALUES * CLASSES };

/* Softmax regression by gradient descent with momentum; draws noise from the step's seed. */
typedef struct model {
  float weights[STATE], momentum[STATE];
  kn_train_step last;
  size_t steps, unfrozen, evaluations;
  size_t stop_at_step, break_at_step; /* 0: never */
  double seen_weight;                 /* sum over all samples of all steps */
  bool worsens;                       /* evaluations get worse from step to step */
  bool breaks_in_writing;
} model;

static void compute(const model *m, const kn_train_batch *batch, float *out) {
  const float *samples = batch->samples;
  for (size_t i = 0; i < batch->size; i++)
    for (size_t c = 0; c < CLASSES; c++) {
      out[i * CLASSES + c] = 0;
      for (size_t v = 0; v < VALUES; v++) out[i * CLASSES + c] += samples[i * VALUES + v] * m->weights[c * VALUES + v];
    }
}

static kn_status step(void *self, const kn_train_batch *batch, const kn_train_step *at, float *out_logits) {
  model *m = self;
  if (m->break_at_step && m->steps + 1 == m->break_at_step) return kn_status_make(KN_BACKEND_FAILED, "broken");
  assert_int_equal(batch->size, BATCH);
  m->last = *at;
  m->steps++;
  m->unfrozen += at->unfrozen;
  compute(m, batch, out_logits);
  const float *samples = batch->samples;
  for (size_t i = 0; i < STATE; i++) m->momentum[i] *= 0.9f;
  for (size_t i = 0; i < BATCH; i++) {
    double total = 0;
    for (size_t c = 0; c < CLASSES; c++) total += exp((double)out_logits[i * CLASSES + c]);
    for (size_t c = 0; c < CLASSES; c++) {
      double error = exp((double)out_logits[i * CLASSES + c]) / total - (batch->labels[i] == (int64_t)c);
      for (size_t v = 0; v < VALUES; v++)
        m->momentum[c * VALUES + v] += (float)(error * (double)batch->weights[i] / BATCH) * samples[i * VALUES + v];
    }
    m->seen_weight += (double)batch->weights[i];
  }
  for (size_t i = 0; i < STATE; i++)
    m->weights[i] -= (float)at->learning_rate * (m->momentum[i] + 1e-3f * (float)kn_random_unit(at->seed, i));
  if (m->stop_at_step && m->steps == m->stop_at_step) kn_cancel();
  return NULL;
}

static kn_status evaluate(void *self, const kn_train_batch *batch, float *out_logits) {
  model *m = self;
  compute(m, batch, out_logits);
  m->evaluations++;
  if (m->worsens)
    for (size_t i = 0; i < BATCH * CLASSES; i++) out_logits[i] *= -(float)m->steps;
  return NULL;
}

static kn_status fetch(void *self, float *const *values) {
  model *m = self;
  if (values[0]) memcpy(values[0], m->weights, sizeof m->weights);
  if (values[1]) memcpy(values[1], m->momentum, sizeof m->momentum);
  return NULL;
}

static kn_status store(void *self, const float *const *values) {
  model *m = self;
  if (values[0]) memcpy(m->weights, values[0], sizeof m->weights);
  if (values[1]) memcpy(m->momentum, values[1], sizeof m->momentum);
  return NULL;
}

static kn_status write_model(void *self, const char *path) {
  const model *m = self;
  assert_int_equal(access(path, F_OK), -1);
  KN_TRY(kn_file_write(path, m->weights, sizeof m->weights));
  return m->breaks_in_writing ? kn_status_make(KN_BACKEND_FAILED, "half of it is written") : NULL;
}

static const kn_trainer_ops ops = {.struct_size = sizeof(kn_trainer_ops),
                                   .step = step,
                                   .evaluate = evaluate,
                                   .fetch = fetch,
                                   .store = store,
                                   .write = write_model};

/* ---- samples: noise around a mark for each class; the first class has most of them ---- */

static int64_t class_of(size_t sample) { return sample % 10 < 7 ? 0 : sample % 10 < 9 ? 1 : 2; }

static kn_status load(void *context, size_t index, const kn_tensor_view *out) {
  size_t sample = *(const size_t *)context + index;
  for (size_t v = 0; v < VALUES; v++)
    ((float *)out->data)[v] =
        (float)kn_random_unit(5, sample * VALUES + v) + ((size_t)class_of(sample) == v / 2 ? 0.7f : 0.0f);
  return NULL;
}

static kn_status label(void *context, size_t index, int64_t *out_label) {
  *out_label = class_of(*(const size_t *)context + index);
  return NULL;
}

typedef struct course {
  char *directory, *path, *checkpoint, *logdir;
  size_t first[2];
  kn_samples train, validation;
  kn_train_request request;
  kn_training_options options;
  kn_train_tensor tensors[2];
  kn_trainer trainer;
  model model;
  kn_record *history;
} course;

static void set_up(course *c, int64_t epochs) {
  *c = (course){.directory = kt_directory_make(), .first = {0, TRAIN}};
  c->path = kt_path(c->directory, "model");
  c->checkpoint = kt_path(c->directory, "checkpoint");
  c->logdir = kt_path(c->directory, "logs");
  c->train = (kn_samples){.context = &c->first[0],
                          .count = TRAIN,
                          .classes = CLASSES,
                          .dtype = KN_FLOAT32,
                          .rank = 1,
                          .shape = {VALUES},
                          .load = load,
                          .label = label};
  c->validation = c->train;
  c->validation.context = &c->first[1];
  c->validation.count = VALIDATION;
  c->request = (kn_train_request){.train = &c->train,
                                  .validation = &c->validation,
                                  .batch_size = BATCH,
                                  .learning_rate = 0.1,
                                  .num_epochs = epochs,
                                  .model_path = c->path,
                                  .seed = 3};
  c->options = (kn_training_options){
      .schedule_epochs = 2, .schedule_factor = 0.5, .contrast_lowest = 1, .contrast_highest = 1, .memory_mib = 1};
  c->tensors[0] = (kn_train_tensor){"weights", STATE, true};
  c->tensors[1] = (kn_train_tensor){"momentum", STATE, false};
  c->trainer = (kn_trainer){.ops = &ops, .self = &c->model, .tensors = c->tensors, .tensor_count = 2};
}

static kn_status train(course *c) {
  kn_record_destroy(c->history);
  kt_assert_ok(kn_record_create(&c->history));
  return kn_training_run(&c->options, &c->request, &c->trainer, c->history);
}

static void tear_down(course *c) {
  kn_record_destroy(c->history);
  free(c->path);
  free(c->checkpoint);
  free(c->logdir);
  kt_directory_remove(c->directory);
}

static size_t epochs_of(const course *c) {
  return yyjson_mut_arr_size(yyjson_mut_obj_get(kn_record_value(c->history), "epochs"));
}

static double epoch_number(const course *c, size_t epoch, const char *key) {
  yyjson_mut_val *list = yyjson_mut_obj_get(kn_record_value(c->history), "epochs");
  return yyjson_mut_get_num(yyjson_mut_obj_get(yyjson_mut_arr_get(list, epoch), key));
}

static int64_t number(const course *c, const char *key) {
  return yyjson_mut_get_sint(yyjson_mut_obj_get(kn_record_value(c->history), key));
}

/* ---- tests ---- */

static void training_learns_and_writes_the_best(void **state) {
  (void)state;
  course c;
  set_up(&c, 30);
  kt_assert_ok(train(&c));
  assert_int_equal(epochs_of(&c), 30);
  assert_int_equal(c.model.steps, 30 * (TRAIN / BATCH));
  assert_int_equal(c.model.evaluations, 30 * 3); /* 20 samples by 8 */
  assert_true(epoch_number(&c, 29, "loss") < 0.7 * epoch_number(&c, 0, "loss"));
  int64_t best = number(&c, "best_epoch");
  for (size_t i = 0; i < 30; i++)
    assert_true(epoch_number(&c, i, "validation_accuracy") <=
                epoch_number(&c, (size_t)best - 1, "validation_accuracy"));
  size_t bytes;
  char *file = kt_file_read(c.path, &bytes);
  assert_int_equal(bytes, sizeof c.model.weights);
  free(file);
  tear_down(&c);
}

/* The first epoch is the best of them: its weights are what is written, and training ends early. */
static void what_gets_worse_is_stopped(void **state) {
  (void)state;
  course c;
  set_up(&c, 30);
  c.model.worsens = true;
  c.options.patience = 4;
  c.options.schedule = KN_RATE_PLATEAU;
  kt_assert_ok(train(&c));
  int64_t best = number(&c, "best_epoch");
  assert_int_equal(epochs_of(&c), best + 4);
  assert_true(epochs_of(&c) < 30);
  /* two epochs without a better one halve the rate */
  kt_assert_near(epoch_number(&c, (size_t)best + 3, "learning_rate"),
                 epoch_number(&c, (size_t)best - 1, "learning_rate") / 2, 1e-9);
  float written[STATE];
  char *file = kt_file_read(c.path, NULL);
  memcpy(written, file, sizeof written);
  free(file);
  course once;
  set_up(&once, best);
  once.model.worsens = true;
  once.options.schedule = KN_RATE_PLATEAU;
  kt_assert_ok(train(&once));
  assert_memory_equal(written, once.model.weights, sizeof written);
  tear_down(&once);
  c.request.validation = NULL;
  kt_assert_fault(train(&c), KN_INVALID_ARGUMENT, "training_patience looks at validation samples");
  tear_down(&c);
}

static void classes_can_count_the_same(void **state) {
  (void)state;
  for (int balanced = 0; balanced < 2; balanced++) {
    course c;
    set_up(&c, 6);
    c.options.class_weights = balanced ? KN_CLASS_WEIGHTS_BALANCED : KN_CLASS_WEIGHTS_NONE;
    kt_assert_ok(train(&c));
    /* 35, 10 and 5 of 50 samples; their weights make the same mean of 1 */
    double steps = 6 * (TRAIN / BATCH);
    kt_assert_near(c.model.seen_weight / (steps * BATCH), 1, balanced ? 0.1 : 1e-9);
    if (balanced) assert_true(fabs(c.model.seen_weight - steps * BATCH) > 1e-6);
    tear_down(&c);
  }
}

static void schedules_are_what_their_formulas_say(void **state) {
  (void)state;
  kn_training_options o = {.schedule = KN_RATE_COSINE, .schedule_epochs = 3, .schedule_factor = 0.5};
  kn_rate_position at = {.steps_per_epoch = 10, .epochs = 10};
  const struct {
    int64_t step;
    double cosine, step_rate;
  } expected[] = {
      {0, 1, 1}, {50, 0.5, 0.5}, {99, 0.5 * (1 + cos(M_PI * 0.99)), 0.125}, {29, 0.5 * (1 + cos(M_PI * 0.29)), 1}};
  for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
    at.step = expected[i].step;
    o.schedule = KN_RATE_COSINE;
    kt_assert_near(kn_learning_rate(&o, 1, &at), expected[i].cosine, 1e-12);
    o.schedule = KN_RATE_STEP;
    kt_assert_near(kn_learning_rate(&o, 1, &at), expected[i].step_rate, 1e-12);
  }
  o.warmup_epochs = 2;
  o.schedule = KN_RATE_COSINE;
  at.step = 4;
  kt_assert_near(kn_learning_rate(&o, 1, &at), 0.25, 1e-12);
  at.step = 60;
  kt_assert_near(kn_learning_rate(&o, 1, &at), 0.5, 1e-12);
  o = (kn_training_options){.unfreeze = 5, .unfreeze_epoch = 4, .unfreeze_learning_rate = 0.01};
  at.step = 39;
  kt_assert_near(kn_learning_rate(&o, 1, &at), 1, 1e-12);
  at.step = 40;
  kt_assert_near(kn_learning_rate(&o, 1, &at), 0.01, 1e-12);
  o.schedule = KN_RATE_COSINE;
  at.step = 70;
  kt_assert_near(kn_learning_rate(&o, 1, &at), 0.005, 1e-12);
  o = (kn_training_options){.schedule = KN_RATE_PLATEAU, .schedule_factor = 0.1};
  at.reductions = 2;
  kt_assert_near(kn_learning_rate(&o, 1, &at), 0.01, 1e-12);
}

static void the_base_is_unfrozen_when_asked_for(void **state) {
  (void)state;
  course c;
  set_up(&c, 5);
  c.options.unfreeze = 3;
  c.options.unfreeze_epoch = 2;
  c.options.unfreeze_learning_rate = 0.01;
  kt_assert_ok(train(&c));
  assert_int_equal(c.model.unfrozen, 3 * (TRAIN / BATCH));
  assert_int_equal(c.model.last.unfrozen_number, 3 * (TRAIN / BATCH) - 1);
  kt_assert_near(c.model.last.learning_rate, 0.01, 1e-12);
  tear_down(&c);
}

/* Stopped amid an epoch, at the end of one, and twice; whatever happens, the result is that of an undisturbed run. */
static void an_interrupted_run_goes_on_exactly(void **state) {
  (void)state;
  static const size_t stops[][2] = {{1, 0}, {8, 0}, {12, 0}, {3, 20}, {36, 0}};
  course whole;
  set_up(&whole, 6);
  whole.options.schedule = KN_RATE_COSINE;
  kt_assert_ok(train(&whole));
  for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
    course c;
    set_up(&c, 6);
    c.options.schedule = KN_RATE_COSINE;
    c.options.checkpoint = c.checkpoint;
    c.request.logdir = c.logdir;
    for (int k = 0; k < 2 && stops[i][k]; k++) {
      c.model.steps = k ? c.model.steps : 0;
      c.model.stop_at_step = stops[i][k];
      kt_assert_fault(train(&c), KN_CANCELLED, "--training-resume goes on from");
      kn_cancel_reset();
      assert_int_equal(access(c.path, F_OK), 0); /* the best model so far */
      size_t steps = c.model.steps;
      c.model = (model){.steps = steps}; /* another process knows nothing */
      c.options.resume = true;
    }
    kt_assert_ok(train(&c));
    assert_memory_equal(c.model.weights, whole.model.weights, sizeof c.model.weights);
    assert_int_equal(epochs_of(&c), 6);
    for (size_t e = 0; e < 6; e++) {
      assert_true(epoch_number(&c, e, "loss") == epoch_number(&whole, e, "loss"));
      assert_true(epoch_number(&c, e, "validation_loss") == epoch_number(&whole, e, "validation_loss"));
    }
    char *table = kt_path(c.logdir, "training.csv"), *rows = kt_file_read(table, NULL);
    assert_non_null(strstr(rows, "\n1,"));
    assert_non_null(strstr(rows, "\n6,"));
    free(rows);
    free(table);
    tear_down(&c);
  }
  tear_down(&whole);
}

static void strange_checkpoints_are_refused(void **state) {
  (void)state;
  course c;
  set_up(&c, 2);
  c.options.resume = true;
  kt_assert_fault(train(&c), KN_INVALID_ARGUMENT, "give its path");
  c.options.checkpoint = c.checkpoint;
  kt_assert_fault(train(&c), KN_NOT_FOUND, "checkpoint");
  c.options.resume = false;
  kt_assert_ok(train(&c));
  c.options.resume = true;
  c.request.seed = 4;
  kt_assert_fault(train(&c), KN_INCOMPATIBLE, "'seed' \"3\", not \"4\"");
  c.request.seed = 3;
  c.request.learning_rate = 0.2;
  kt_assert_fault(train(&c), KN_INCOMPATIBLE, "'learning_rate'");
  c.request.learning_rate = 0.1;
  c.trainer.identity = "another base";
  kt_assert_fault(train(&c), KN_INCOMPATIBLE, "'trainer' nothing, not \"another base\"");
  c.trainer.identity = NULL;
  c.tensors[1].name = "velocity";
  kt_assert_fault(train(&c), KN_INCOMPATIBLE, "another model");
  c.tensors[1].name = "momentum";
  size_t bytes;
  char *whole = kt_file_read(c.checkpoint, &bytes), *cut = malloc(bytes);
  for (size_t length = 0; length < bytes; length += 1 + bytes / 97) {
    kt_file_write(c.checkpoint, whole, length);
    kt_assert_fault(train(&c), KN_BAD_DATA, "no whole checkpoint");
  }
  for (size_t at = 0; at < bytes; at += 1 + bytes / 97) {
    memcpy(cut, whole, bytes);
    cut[at] ^= 1;
    kt_file_write(c.checkpoint, cut, bytes);
    kt_assert_fault(train(&c), KN_BAD_DATA, "no whole checkpoint");
  }
  kt_file_write(c.checkpoint, whole, bytes);
  kt_assert_ok(train(&c)); /* nothing is left to do */
  c.request.num_epochs = 3;
  kt_assert_ok(train(&c)); /* longer than it was meant to be */
  assert_int_equal(epochs_of(&c), 3);
  free(cut);
  free(whole);
  tear_down(&c);
}

static void faults_of_the_trainer_come_through(void **state) {
  (void)state;
  course c;
  set_up(&c, 3);
  c.model.break_at_step = 9;
  kt_assert_fault(train(&c), KN_BACKEND_FAILED, "broken");
  c.request.learning_rate = 1e38;
  c.model = (model){0};
  kt_assert_fault(train(&c), KN_BACKEND_FAILED, "diverged");
  assert_int_equal(access(c.path, F_OK), -1);
  tear_down(&c);
}

/* What the trainer writes is there whole or not at all, in place of what was there. */
static void the_model_is_put_in_its_place(void **state) {
  (void)state;
  course c;
  set_up(&c, 1);
  kt_file_write_text(c.path, "before");
  c.model.breaks_in_writing = true;
  kt_assert_fault(train(&c), KN_BACKEND_FAILED, "while writing");
  char *text = kt_file_read(c.path, NULL);
  assert_string_equal(text, "before");
  free(text);
  int files = kt_directory_entries(c.directory);
  c.model = (model){0};
  kt_assert_ok(train(&c));
  text = kt_file_read(c.path, NULL);
  assert_memory_equal(text, c.model.weights, sizeof c.model.weights);
  free(text);
  assert_int_equal(kt_directory_entries(c.directory), files);
  tear_down(&c);
}

static void there_is_something_to_train_on(void **state) {
  (void)state;
  course c;
  set_up(&c, 1);
  size_t size, count = c.train.count;
  c.train.count = 0;
  kt_assert_fault(train(&c), KN_INVALID_ARGUMENT, "no samples to train on");
  c.train.count = count;
  c.request.batch_size = 0;
  kt_assert_fault(train(&c), KN_INVALID_ARGUMENT, "batch size must be at least 1");
  c.request.batch_size = (int64_t)count + 1;
  kt_assert_ok(kn_training_batch_size(&c.request, &size));
  assert_int_equal(size, count);
  tear_down(&c);
}

static void memory_may_run_out(void **state) {
  (void)state;
  for (uint64_t allowed = 0;; allowed += 1 + allowed / 20) {
    course c;
    set_up(&c, 2);
    c.options.checkpoint = c.checkpoint;
    c.request.logdir = c.logdir;
    kt_assert_ok(kn_record_create(&c.history));
    kn_memory_fail_after(allowed);
    kn_status status = kn_training_run(&c.options, &c.request, &c.trainer, c.history);
    kn_memory_fail_after(UINT64_MAX);
    bool done = !status;
    if (!done) {
      kt_assert_fault(status, KN_OUT_OF_MEMORY, NULL);
    }
    tear_down(&c);
    if (done) break;
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(training_learns_and_writes_the_best),
      cmocka_unit_test(what_gets_worse_is_stopped),
      cmocka_unit_test(classes_can_count_the_same),
      cmocka_unit_test(schedules_are_what_their_formulas_say),
      cmocka_unit_test(the_base_is_unfrozen_when_asked_for),
      cmocka_unit_test(an_interrupted_run_goes_on_exactly),
      cmocka_unit_test(strange_checkpoints_are_refused),
      cmocka_unit_test(faults_of_the_trainer_come_through),
      cmocka_unit_test(the_model_is_put_in_its_place),
      cmocka_unit_test(there_is_something_to_train_on),
      cmocka_unit_test(memory_may_run_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
