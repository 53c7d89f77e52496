/* The course of a training run; what the framework does of it is behind kn_trainer. */
#include <float.h>
#include <kenning/random.h>
#include <kenning/services.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "pipeline/batches.h"
#include "pipeline/learning_rate.h"
#include "pipeline/training_state.h"

/* Streams of random numbers drawn from the run's seed. */
enum { STREAM_ORDER = 2, STREAM_STEP, STREAM_AUGMENTATION };

typedef struct run {
  const kn_training_options *options;
  const kn_train_request *request;
  const kn_trainer *trainer;
  kn_record *settings;
  kn_training_log log;
  kn_training_state state;
  kn_batches *train, *validation;
  kn_augmentation augmentation;
  bool augments;
  size_t batch_size, classes, steps_per_epoch;
  kn_tensor_view samples[2]; /* one in use, one being filled */
  int64_t *labels[2];
  float *weights, *class_weights, *logits;
  size_t *order; /* of the longer set */
} run;

kn_status kn_training_batch_size(const kn_train_request *request, size_t *out_size) {
  size_t samples = request->train->count;
  *out_size = 0;
  if (!samples) return kn_status_make(KN_INVALID_ARGUMENT, "there are no samples to train on");
  if (request->batch_size < 1) return kn_status_make(KN_INVALID_ARGUMENT, "the batch size must be at least 1");
  *out_size = (uint64_t)request->batch_size < samples ? (size_t)request->batch_size : samples;
  return NULL;
}

kn_status kn_training_check(const kn_training_options *options) {
  kn_status faults = NULL;
  if (options->resume && !options->checkpoint)
    faults = kn_status_make(KN_INVALID_ARGUMENT, "training_resume goes on from training_checkpoint: give its path");
  if (options->contrast_lowest > options->contrast_highest)
    faults = kn_status_join(faults, kn_status_make(KN_INVALID_ARGUMENT,
                                                   "training_contrast_lowest %g is more than "
                                                   "training_contrast_highest %g",
                                                   options->contrast_lowest, options->contrast_highest));
  return faults;
}

static bool validates(const run *r) { return r->request->validation && r->request->validation->count > 0; }

static kn_status check_request(const run *r) {
  const kn_train_request *request = r->request;
  if (request->num_epochs < 1) return kn_status_make(KN_INVALID_ARGUMENT, "the number of epochs must be at least 1");
  if (!(request->learning_rate > 0))
    return kn_status_make(KN_INVALID_ARGUMENT, "the learning rate must be more than 0");
  KN_TRY(kn_training_check(r->options));
  if (validates(r)) return NULL;
  const char *wanted = r->options->patience > 0                  ? "training_patience"
                       : r->options->schedule == KN_RATE_PLATEAU ? "training_schedule \"plateau\""
                                                                 : NULL;
  if (!wanted) return NULL;
  return kn_status_make(KN_INVALID_ARGUMENT,
                        "%s looks at validation samples, but there are none: make split_fraction_val larger", wanted);
}

/* ---- preparation ---- */

static kn_status put_settings(const run *r, kn_record *record) {
  static const char *const optimizers[] = {"adam", "sgd"};
  static const char *const schedules[] = {"constant", "cosine", "step", "plateau"};
  const kn_training_options *options = r->options;
  const kn_train_request *request = r->request;
  KN_TRY(kn_record_set_string(record, "optimizer", optimizers[options->optimizer]));
  KN_TRY(kn_record_set_string(record, "learning_rate_schedule", schedules[options->schedule]));
  KN_TRY(kn_record_set_number(record, "learning_rate", request->learning_rate));
  if (options->schedule == KN_RATE_STEP || options->schedule == KN_RATE_PLATEAU) {
    KN_TRY(kn_record_set_int(record, "schedule_epochs", options->schedule_epochs));
    KN_TRY(kn_record_set_number(record, "schedule_factor", options->schedule_factor));
  }
  KN_TRY(kn_record_set_int(record, "warmup_epochs", options->warmup_epochs));
  KN_TRY(kn_record_set_string(record, "class_weights",
                              options->class_weights == KN_CLASS_WEIGHTS_BALANCED ? "balanced" : "none"));
  if (r->augments) {
    const double contrast[2] = {options->contrast_lowest, options->contrast_highest};
    KN_TRY(kn_record_set_number(record, "brightness", options->brightness));
    KN_TRY(kn_record_set_numbers(record, "contrast", contrast, 2));
    KN_TRY(kn_record_set_bool(record, "flip", options->flip));
  }
  if (options->unfreeze) {
    KN_TRY(kn_record_set_int(record, "unfreeze", options->unfreeze));
    KN_TRY(kn_record_set_int(record, "unfreeze_epoch", options->unfreeze_epoch));
    KN_TRY(kn_record_set_number(record, "unfreeze_learning_rate", options->unfreeze_learning_rate));
  }
  KN_TRY(kn_record_set_int(record, "batch_size", (int64_t)r->batch_size));
  KN_TRY(kn_record_set_int(record, "training_samples", (int64_t)request->train->count));
  KN_TRY(kn_record_set_int(record, "validation_samples", validates(r) ? (int64_t)request->validation->count : 0));
  if (r->trainer->identity) KN_TRY(kn_record_set_string(record, "trainer", r->trainer->identity));
  char seed[32];
  (void)snprintf(seed, sizeof seed, "%llu", (unsigned long long)request->seed);
  return kn_record_set_string(record, "seed", seed); /* 64 bits do not fit into a JSON number */
}

static kn_status open_samples(run *r) {
  const kn_samples *train = r->request->train, *validation = r->request->validation;
  size_t memory = (size_t)r->options->memory_mib << 20;
  KN_TRY(kn_batches_open(train, memory, "reading training samples", &r->train));
  size_t longest = train->count, padded;
  if (validates(r)) {
    KN_TRY(kn_batches_open(validation, memory / 4, "reading validation samples", &r->validation));
    if (kn_batches_sample_bytes(r->validation) != kn_batches_sample_bytes(r->train))
      return kn_status_make(KN_INVALID_ARGUMENT, "validation samples differ in size from training samples");
    if (validation->count > longest) longest = validation->count;
  }
  if (!kn_add_size(longest, r->batch_size, &padded)) return kn_status_out_of_memory();
  r->order = kn_alloc_array(padded, sizeof *r->order);
  return r->order ? NULL : kn_status_out_of_memory();
}

static kn_status make_buffers(run *r) {
  const kn_samples *train = r->request->train;
  int64_t shape[KN_MAX_RANK] = {(int64_t)r->batch_size};
  if (train->rank >= KN_MAX_RANK)
    return kn_status_make(KN_INCOMPATIBLE, "samples of %u dimensions cannot be trained on", train->rank);
  memcpy(shape + 1, train->shape, train->rank * sizeof *shape);
  for (int i = 0; i < 2; i++) {
    KN_TRY(kn_tensor_create(train->dtype, train->rank + 1, shape, &r->samples[i]));
    r->labels[i] = kn_alloc_array(r->batch_size, sizeof **r->labels);
    if (!r->labels[i]) return kn_status_out_of_memory();
  }
  size_t values;
  if (!kn_mul_size(r->batch_size, r->classes, &values)) return kn_status_out_of_memory();
  r->logits = kn_alloc_array(values, sizeof *r->logits);
  r->weights = kn_alloc_array(r->batch_size, sizeof *r->weights);
  r->class_weights = kn_alloc_array(r->classes, sizeof *r->class_weights);
  return r->logits && r->weights && r->class_weights ? NULL : kn_status_out_of_memory();
}

/* Balanced: samples / (classes * samples of the class), so that the mean over all samples is 1. King and Zeng,
 * "Logistic regression in rare events data", 2001, as scikit-learn's "balanced" has it. */
static kn_status weigh_classes(run *r) {
  bool balanced = r->options->class_weights == KN_CLASS_WEIGHTS_BALANCED;
  const kn_samples *train = r->request->train;
  for (size_t c = 0; c < r->classes; c++) r->class_weights[c] = balanced ? 0 : 1;
  for (size_t i = 0; balanced && i < train->count; i++) {
    int64_t label;
    KN_TRY(train->label(train->context, i, &label));
    r->class_weights[label]++;
  }
  for (size_t c = 0; balanced && c < r->classes; c++)
    if (r->class_weights[c] > 0)
      r->class_weights[c] = (float)((double)train->count / (double)r->classes / r->class_weights[c]);
  return NULL;
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
static void add_score(const run *r, const int64_t *labels, size_t count, bool weighted, kn_training_score *sum) {
  const float *logits = r->logits;
  for (size_t i = 0; i < count; i++, logits += r->classes) {
    size_t top = 0;
    double total = 1; /* of the top one */
    for (size_t c = 1; c < r->classes; c++)
      if (logits[c] > logits[top]) top = c;
    for (size_t c = 0; c < r->classes; c++)
      if (c != top) total += exp((double)logits[c] - (double)logits[top]);
    double loss = log(total) + (double)logits[top] - (double)logits[labels[i]];
    sum->loss += weighted ? loss * (double)r->weights[i] : loss;
    sum->accuracy += top == (size_t)labels[i];
  }
}

static void begin_batch(const run *r, bool training, size_t start, int slot) {
  uint64_t stream = kn_random(kn_random(r->request->seed, STREAM_AUGMENTATION), (uint64_t)r->state.epoch);
  const kn_batch_place out = {.samples = r->samples[slot].data,
                              .labels = r->labels[slot],
                              .augmentation = training && r->augments ? &r->augmentation : NULL,
                              .seed = stream};
  kn_batches_begin(training ? r->train : r->validation, r->order + start, r->batch_size, out);
}

static int64_t steps_made(const run *r) { return r->state.epoch * (int64_t)r->steps_per_epoch + r->state.step; }

static kn_status make_step(run *r, const kn_train_batch *batch) {
  const kn_train_request *request = r->request;
  const kn_rate_position position = {.step = steps_made(r),
                                     .steps_per_epoch = (int64_t)r->steps_per_epoch,
                                     .epochs = request->num_epochs,
                                     .reductions = r->state.reductions};
  r->state.learning_rate = kn_learning_rate(r->options, request->learning_rate, &position);
  const kn_train_step step = {
      .number = position.step,
      .learning_rate = r->state.learning_rate,
      .seed = kn_random(kn_random(request->seed, STREAM_STEP), (uint64_t)position.step),
      .unfrozen = r->options->unfreeze != 0 && r->state.epoch >= r->options->unfreeze_epoch,
      .unfrozen_number = position.step - r->options->unfreeze_epoch * (int64_t)r->steps_per_epoch};
  for (size_t i = 0; i < batch->size; i++) r->weights[i] = r->class_weights[batch->labels[i]];
  return r->trainer->ops->step(r->trainer->self, batch, &step, r->logits);
}

static void show_progress(const run *r, const kn_training_score *sum, size_t seen) {
  char detail[160];
  int length =
      snprintf(detail, sizeof detail, "epoch %lld of %lld, loss %.3f, accuracy %.3f", (long long)r->state.epoch + 1,
               (long long)r->request->num_epochs, sum->loss / (double)seen, sum->accuracy / (double)seen);
  if (r->state.has_best && r->validation && length > 0 && (size_t)length < sizeof detail)
    (void)snprintf(detail + length, sizeof detail - (size_t)length, ", best validation %.3f", r->state.best.accuracy);
  kn_progress("training", (double)steps_made(r), (double)r->steps_per_epoch * (double)r->request->num_epochs, detail);
}

/* One batch: a step, or an evaluation. The first `rows` of its samples count. */
static kn_status run_batch(run *r, bool training, int slot, size_t rows, kn_training_score *sum) {
  const kn_train_batch batch = {
      .size = r->batch_size, .samples = r->samples[slot].data, .labels = r->labels[slot], .weights = r->weights};
  KN_TRY(training ? make_step(r, &batch) : r->trainer->ops->evaluate(r->trainer->self, &batch, r->logits));
  add_score(r, batch.labels, rows, training, sum);
  if (training) r->state.step++;
  if (!isfinite(sum->loss))
    return kn_status_make(KN_BACKEND_FAILED,
                          "training diverged: the loss is no number any more after step %lld; choose a lower learning "
                          "rate",
                          (long long)steps_made(r));
  return kn_cancelled() ? kn_status_make(KN_CANCELLED, "training was stopped") : NULL;
}

/* Runs the samples start .. count - 1 in r->order, in batches; what lies behind `count` only fills the last one. */
static kn_status run_pass(run *r, bool training, size_t start, size_t count, kn_training_score *sum) {
  int slot = 0;
  if (start < count) begin_batch(r, training, start, slot);
  for (; start < count; start += r->batch_size, slot = !slot) {
    kn_batches *reader = training ? r->train : r->validation;
    KN_TRY(kn_batches_wait(reader));
    bool more = start + r->batch_size < count;
    if (more) begin_batch(r, training, start + r->batch_size, !slot);
    kn_status status = run_batch(r, training, slot, more ? r->batch_size : count - start, sum);
    if (status) return more ? kn_status_join(status, kn_batches_wait(reader)) : status;
    if (training) show_progress(r, sum, (size_t)r->state.step * r->batch_size);
  }
  return NULL;
}

static kn_training_score mean(const kn_training_score *sum, size_t count) {
  return (kn_training_score){sum->loss / (double)count, sum->accuracy / (double)count};
}

static kn_status train_epoch(run *r, kn_training_score *out) {
  uint64_t seed = kn_random(kn_random(r->request->seed, STREAM_ORDER), (uint64_t)r->state.epoch);
  size_t count = r->steps_per_epoch * r->batch_size;
  shuffle(r->order, r->request->train->count, seed);
  KN_TRY(run_pass(r, true, (size_t)r->state.step * r->batch_size, count, &r->state.sum));
  *out = mean(&r->state.sum, count);
  return NULL;
}

static kn_status validate(run *r, kn_training_score *out) {
  kn_training_score sum = {0};
  size_t count = r->request->validation->count;
  for (size_t i = 0; i < count + r->batch_size; i++) r->order[i] = i % count;
  KN_TRY(run_pass(r, false, 0, count, &sum));
  *out = mean(&sum, count);
  return NULL;
}

/* ---- the run ---- */

static bool better(const run *r, const kn_training_score *now) {
  const kn_training_state *state = &r->state;
  if (!state->has_best || !r->validation) return true;
  if (now->accuracy != state->best.accuracy) return now->accuracy > state->best.accuracy;
  return now->loss < state->best.loss;
}

static kn_status judge(run *r, const kn_training_score *validated) {
  kn_training_state *state = &r->state;
  if (better(r, validated)) {
    state->best = *validated;
    state->has_best = true;
    state->best_epoch = state->epoch;
    state->idle = state->plateau = 0;
    return r->trainer->ops->fetch(r->trainer->self, state->best_values);
  }
  state->idle++;
  if (++state->plateau >= r->options->schedule_epochs) {
    state->plateau = 0;
    state->reductions++;
  }
  if (r->options->unfreeze && r->options->unfreeze_learning_rate > 0 && state->epoch == r->options->unfreeze_epoch)
    state->reductions = state->plateau = 0;
  return NULL;
}

static kn_status log_weights(run *r) {
  for (size_t i = 0; i < r->trainer->tensor_count; i++)
    if (r->state.values && r->trainer->tensors[i].weight)
      KN_TRY(kn_training_log_weights(&r->log, r->trainer->tensors[i].name, r->state.values[i],
                                     r->trainer->tensors[i].elements));
  return NULL;
}

static kn_status save(run *r) {
  if (!r->state.values) return NULL;
  KN_TRY(r->trainer->ops->fetch(r->trainer->self, r->state.values));
  if (!r->options->checkpoint) return NULL;
  return kn_checkpoint_write(r->options->checkpoint, r->trainer, r->settings, &r->log, &r->state);
}

static kn_status run_epoch(run *r) {
  kn_training_state *state = &r->state;
  int64_t start = kn_now_ns();
  kn_training_epoch entry = {0};
  kn_status status = train_epoch(r, &entry.trained);
  if (!status && r->validation) status = validate(r, &entry.validated);
  state->seconds += (double)(kn_now_ns() - start) * 1e-9;
  KN_TRY(status);
  entry.seconds = state->seconds;
  entry.learning_rate = state->learning_rate;
  state->epoch++;
  state->step = 0;
  state->sum = (kn_training_score){0};
  state->seconds = 0;
  KN_TRY(kn_training_log_add(&r->log, &entry));
  KN_TRY(judge(r, &entry.validated));
  KN_TRY(save(r));
  return log_weights(r);
}

static bool finished(const run *r) {
  bool enough = r->options->patience > 0 && r->state.idle >= r->options->patience;
  return enough || r->state.epoch >= r->request->num_epochs;
}

/* The best model so far; before the first epoch is over, what there is by now. Whole or not at all. */
static kn_status write_model(run *r) {
  const kn_trainer *trainer = r->trainer;
  const char *path = r->request->model_path;
  char *temporary;
  if (r->state.has_best) KN_TRY(trainer->ops->store(trainer->self, (const float *const *)r->state.best_values));
  KN_TRY(kn_file_temporary(path, &temporary));
  kn_status status = trainer->ops->write(trainer->self, temporary);
  if (status)
    (void)remove(temporary);
  else
    status = kn_file_publish(temporary, path);
  kn_free(temporary);
  return kn_status_annotate(status, "while writing %s", path);
}

/* What no epoch was finished for replaces no model that is there. */
static kn_status stopped(run *r, kn_status status) {
  const char *path = r->request->model_path, *checkpoint = r->options->checkpoint ? r->options->checkpoint : "";
  const char *go_on = *checkpoint ? "; --training-resume goes on from " : "";
  status = kn_status_join(status, save(r));
  if (!r->state.has_best && (kn_file_exists(path, NULL) || kn_directory_bytes(path)))
    return kn_status_annotate(status, "no epoch was finished: %s is what it was before%s%s", path, go_on, checkpoint);
  status = kn_status_join(status, write_model(r));
  return kn_status_annotate(status, "%s holds the model of epoch %lld (0: of the moment when it was stopped)%s%s", path,
                            (long long)r->state.best_epoch, go_on, checkpoint);
}

static kn_status put_outcome(run *r, kn_record *history) {
  KN_TRY(kn_training_log_record(&r->log, history));
  return kn_record_set_int(history, "best_epoch", r->state.best_epoch);
}

/* The model is written last: where it is, nothing has failed. What was stopped is first of all saved. */
static kn_status run_epochs(run *r, kn_record *history) {
  kn_status status = NULL;
  while (!status && !finished(r)) status = run_epoch(r);
  if (kn_status_code(status) == KN_CANCELLED) return kn_status_join(stopped(r, status), put_outcome(r, history));
  if (!status) status = put_outcome(r, history);
  return status ? status : write_model(r);
}

static kn_status resume(run *r) {
  KN_TRY(kn_checkpoint_read(r->options->checkpoint, r->trainer, r->settings, &r->log, &r->state));
  if (r->state.step > (int64_t)r->steps_per_epoch)
    return kn_status_make(KN_BAD_DATA, "%s is no whole checkpoint of a training", r->options->checkpoint);
  kn_log(KN_LOG_INFO, "training goes on after %lld epochs and %lld steps", (long long)r->state.epoch,
         (long long)r->state.step);
  return r->trainer->ops->store(r->trainer->self, (const float *const *)r->state.values);
}

static kn_status execute(run *r, kn_record *history) {
  const kn_train_request *request = r->request;
  KN_TRY(kn_training_batch_size(request, &r->batch_size));
  KN_TRY(check_request(r));
  r->classes = (size_t)request->train->classes;
  r->steps_per_epoch = request->train->count / r->batch_size;
  KN_TRY(kn_augmentation_make(r->options, request->train, &r->augments, &r->augmentation));
  KN_TRY(kn_record_create(&r->settings));
  KN_TRY(put_settings(r, r->settings));
  KN_TRY(put_settings(r, history));
  KN_TRY(kn_training_state_make(r->trainer, r->options->checkpoint || request->logdir, &r->state));
  KN_TRY(kn_training_log_open(request->logdir, validates(r), &r->log));
  if (r->options->resume) KN_TRY(resume(r));
  KN_TRY(open_samples(r));
  KN_TRY(make_buffers(r));
  KN_TRY(weigh_classes(r));
  return run_epochs(r, history);
}

static void clear(run *r) {
  kn_batches_close(r->train);
  kn_batches_close(r->validation);
  for (int i = 0; i < 2; i++) {
    kn_tensor_free(&r->samples[i]);
    kn_free(r->labels[i]);
  }
  kn_free(r->order);
  kn_free(r->logits);
  kn_free(r->weights);
  kn_free(r->class_weights);
  kn_training_log_close(&r->log);
  kn_training_state_clear(r->trainer, &r->state);
  kn_record_destroy(r->settings);
}

kn_status kn_training_run(const kn_training_options *options, const kn_train_request *request,
                          const kn_trainer *trainer, kn_record *out_history) {
  run r = {.options = options, .request = request, .trainer = trainer};
  kn_status status = execute(&r, out_history);
  clear(&r);
  return status;
}
