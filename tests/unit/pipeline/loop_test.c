#include "core/log.h"
#include "core/memory.h"
#include "fake.h"
#include "pipeline/loop.h"

#include <kenning/services.h>
#include <math.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "support/status.h"

extern const kn_class kn_null_runtime_class;

/* ---- samples without a data set ---- */

typedef struct source {
  kn_samples samples;
  size_t fail_at; /* SIZE_MAX: never */
  int64_t wrong_label_at;
  _Atomic size_t loads;
} source;

static kn_status source_load(void *context, size_t index, const kn_tensor_view *out) {
  source *s = context;
  s->loads++;
  if (index == s->fail_at) return kn_status_make(KN_BAD_DATA, "the sample is damaged");
  assert_int_equal(out->bytes, FAKE_VALUES * sizeof(float));
  fake_sample(index, out->data);
  return NULL;
}

static kn_status source_label(void *context, size_t index, int64_t *out_label) {
  (void)context;
  *out_label = fake_label(index);
  return NULL;
}

static kn_status source_name(void *context, size_t index, char *out, size_t size) {
  (void)context;
  snprintf(out, size, "picture-%zu.jpg", index);
  return NULL;
}

static void make_source(source *s, size_t count) {
  *s = (source){.samples = {.context = s,
                            .count = count,
                            .classes = FAKE_VALUES,
                            .dtype = KN_FLOAT32,
                            .rank = 1,
                            .shape = {FAKE_VALUES},
                            .identity = "",
                            .load = source_load,
                            .label = source_label},
                .fail_at = SIZE_MAX};
}

/* ---- one run ---- */

typedef struct run {
  fake_runtime runtime;
  kn_iospec spec;
  kn_loop_request request;
  kn_loop_result result;
} run;

static void prepare(run *r, source *s, int64_t batch) {
  const kn_runtime_ops *ops = fake_runtime_class.ops;
  *r = (run){0};
  kt_assert_ok(ops->inference->load(&r->runtime, &(kn_load_request){.path = "model", .batch = batch}));
  kt_assert_ok(ops->inference->iospec(&r->runtime, &r->spec));
  r->request = (kn_loop_request){.inference = ops->inference,
                                 .self = &r->runtime,
                                 .spec = &r->spec,
                                 .samples = &s->samples,
                                 .name = source_name,
                                 .batch = batch,
                                 .warmup = 1,
                                 .loaders = 2,
                                 .classify = true};
}

static void finish(run *r) {
  const kn_runtime_ops *ops = fake_runtime_class.ops;
  ops->inference->unload(&r->runtime);
  fake_runtime_forget(&r->runtime);
  kn_iospec_clear(&r->spec);
  kn_loop_result_clear(&r->result);
}

static void assert_predictions(const kn_loop_result *result) {
  for (size_t i = 0; i < result->samples; i++) {
    assert_int_equal(result->predictions[i], fake_prediction(i));
    assert_int_equal(result->in_top_5[i], 1); /* of four classes */
  }
}

/* 16,384 values are kept. */
static void assert_scores(const kn_loop_result *result) {
  assert_int_equal(result->scored, result->samples < 16384 / FAKE_VALUES ? result->samples : 16384 / FAKE_VALUES);
  for (size_t i = 0; i < result->scored; i++) {
    float sample[FAKE_VALUES];
    fake_sample(i, sample);
    for (size_t k = 0; k < FAKE_VALUES; k++) assert_true(result->scores[i * FAKE_VALUES + k] == sample[k]);
  }
}

static void assert_times(const kn_loop_result *result) {
  int64_t before = result->start_ns;
  for (size_t i = 0; i < result->inferences; i++) {
    const kn_inference_times *t = &result->times[i];
    assert_true(t->load_start >= result->start_ns && t->load_end >= t->load_start);
    assert_true(t->input_start >= t->load_end && t->input_start >= before && t->wait_ns >= 0);
    assert_true(t->run_start >= t->input_start && t->run_end >= t->run_start && t->output_end >= t->run_end);
    before = t->output_end;
  }
  assert_true(result->end_ns >= before);
}

static void every_sample_is_judged_once(void **state) {
  (void)state;
  static const size_t counts[] = {1, 3, 5, 100, 257, 5000};
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
    for (size_t loaders = 1; loaders <= 4; loaders++) {
      source s;
      run r;
      make_source(&s, counts[i]);
      prepare(&r, &s, 1);
      r.request.loaders = loaders;
      kt_assert_ok(kn_loop_run(&r.request, &r.result));
      assert_int_equal(r.result.samples, counts[i]);
      assert_int_equal(r.result.inferences, counts[i] + 1);
      assert_int_equal(r.result.warmup, 1);
      assert_int_equal(r.runtime.invocations, counts[i] + 1);
      assert_int_equal(s.loads, counts[i] + 1);
      assert_predictions(&r.result);
      assert_scores(&r.result);
      assert_times(&r.result);
      finish(&r);
    }
}

static kn_status slow_load(void *context, size_t index, const kn_tensor_view *out) {
  nanosleep(&(struct timespec){.tv_nsec = 150000000}, NULL); /* longer than from one line to the next */
  return source_load(context, index, out);
}

static void the_end_is_shown_once(void **state) {
  (void)state;
  source s;
  run r;
  make_source(&s, 2);
  s.samples.load = slow_load;
  prepare(&r, &s, 1);
  r.request.loaders = 1;
  r.request.progress = "the slow samples";
  int file = memfd_create("stderr", 0), before = dup(STDERR_FILENO);
  assert_true(file >= 0 && before >= 0);
  fflush(stderr);
  dup2(file, STDERR_FILENO);
  kn_status status = kn_loop_run(&r.request, &r.result);
  fflush(stderr);
  dup2(before, STDERR_FILENO);
  close(before);
  char text[512] = "";
  assert_true(pread(file, text, sizeof text - 1, 0) > 0);
  close(file);
  kt_assert_ok(status);
  const char *end = strstr(text, "the slow samples 100%\n");
  assert_non_null(end);
  assert_null(strstr(end + 1, "the slow samples"));
  finish(&r);
}

static void the_last_batch_is_filled_with_copies(void **state) {
  (void)state;
  source s;
  run r;
  make_source(&s, 10);
  prepare(&r, &s, 4); /* 4 + 4 + 2 */
  r.request.warmup = 0;
  kt_assert_ok(kn_loop_run(&r.request, &r.result));
  assert_int_equal(r.result.inferences, 3);
  assert_int_equal(r.result.samples, 10);
  assert_int_equal(s.loads, 10);
  assert_predictions(&r.result);
  assert_scores(&r.result);
  finish(&r);
  /* One batch alone, so that the engine sees which of its rows are copies. */
  make_source(&s, 2);
  prepare(&r, &s, 5);
  r.runtime.padded_from = 2;
  kt_assert_ok(kn_loop_run(&r.request, &r.result));
  assert_false(r.runtime.copies_differ);
  assert_int_equal(r.result.samples, 2);
  assert_predictions(&r.result);
  finish(&r);
}

static void warmup_repeats_the_first_samples(void **state) {
  (void)state;
  source s;
  run r;
  make_source(&s, 3);
  prepare(&r, &s, 1);
  r.request.warmup = 7;
  kt_assert_ok(kn_loop_run(&r.request, &r.result));
  assert_int_equal(r.result.inferences, 10);
  assert_int_equal(r.result.warmup, 7);
  assert_int_equal(r.result.samples, 3);
  assert_predictions(&r.result);
  finish(&r);
}

static void a_failing_engine_names_the_sample(void **state) {
  (void)state;
  for (size_t fail_at = 1; fail_at < 60; fail_at += 7) {
    source s;
    run r;
    make_source(&s, 100);
    prepare(&r, &s, 1);
    r.runtime.fail_at = fail_at;
    kn_status status = kn_loop_run(&r.request, &r.result);
    char name[64];
    snprintf(name, sizeof name, "while running sample picture-%zu.jpg", fail_at < 2 ? 0 : fail_at - 2);
    kt_assert_fault(status, KN_BACKEND_FAILED, name);
    assert_int_equal(r.result.inferences, fail_at - 1);
    assert_int_equal(r.result.samples, fail_at < 2 ? 0 : fail_at - 2);
    assert_predictions(&r.result);
    assert_times(&r.result);
    finish(&r);
  }
}

static void a_damaged_sample_is_named(void **state) {
  (void)state;
  for (size_t loaders = 1; loaders <= 3; loaders++) {
    source s;
    run r;
    make_source(&s, 100);
    prepare(&r, &s, 3);
    s.fail_at = 50;
    r.request.loaders = loaders;
    kt_assert_fault(kn_loop_run(&r.request, &r.result), KN_BAD_DATA, "while loading sample picture-50.jpg");
    assert_int_equal(r.result.samples, 48); /* the batches before it */
    assert_predictions(&r.result);
    finish(&r);
  }
}

static void cancelling_keeps_what_was_done(void **state) {
  (void)state;
  source s;
  run r;
  make_source(&s, 5000);
  prepare(&r, &s, 1);
  r.runtime.cancel_at = 1001;
  kt_assert_fault(kn_loop_run(&r.request, &r.result), KN_CANCELLED, "stopped after 1000 samples");
  kn_cancel_reset();
  assert_int_equal(r.result.samples, 1000);
  assert_int_equal(r.result.inferences, 1001);
  assert_predictions(&r.result);
  assert_scores(&r.result);
  finish(&r);
}

static void outputs_that_are_no_numbers_are_counted(void **state) {
  (void)state;
  source s;
  run r;
  make_source(&s, 100);
  prepare(&r, &s, 1);
  r.request.warmup = 0;
  r.runtime.spoil = true;
  kt_assert_ok(kn_loop_run(&r.request, &r.result));
  assert_int_equal(r.result.not_finite, 20);
  finish(&r);
}

static void what_does_not_fit_is_refused(void **state) {
  (void)state;
  source s;
  run r;
  make_source(&s, 10);
  prepare(&r, &s, 1);
  s.samples.classes = 5;
  kt_assert_fault(kn_loop_run(&r.request, &r.result), KN_INCOMPATIBLE, "the model gives 4 values");
  assert_int_equal(r.runtime.invocations, 0);
  kn_loop_result_clear(&r.result);
  s.samples.classes = FAKE_VALUES;
  s.samples.count = 0;
  kt_assert_fault(kn_loop_run(&r.request, &r.result), KN_INVALID_ARGUMENT, "no sample");
  finish(&r);
}

static void without_a_task_nothing_is_judged(void **state) {
  (void)state;
  source s;
  run r;
  make_source(&s, 100);
  s.samples.label = NULL;
  prepare(&r, &s, 1);
  r.request.classify = false;
  kt_assert_ok(kn_loop_run(&r.request, &r.result));
  assert_int_equal(r.result.samples, 100);
  assert_null(r.result.predictions);
  finish(&r);
}

/* ---- quantized inputs ---- */

/* Takes the model's own type alone and gives it back dequantized. */
typedef struct quantized_engine {
  kn_ioentry input;
  int8_t held[2 * FAKE_VALUES];
} quantized_engine;

static kn_status quantized_set_input(void *self, const kn_tensor_view *inputs, size_t count) {
  quantized_engine *engine = self;
  assert_int_equal(count, 1);
  assert_int_equal(inputs->dtype, KN_INT8);
  assert_int_equal(inputs->bytes, sizeof engine->held);
  memcpy(engine->held, inputs->data, sizeof engine->held);
  return NULL;
}

static kn_status quantized_invoke(void *self) {
  (void)self;
  return NULL;
}

static kn_status quantized_output(void *self, const kn_tensor_view *outputs, size_t count) {
  quantized_engine *engine = self;
  assert_int_equal(count, 1);
  assert_int_equal(outputs->dtype, KN_FLOAT32);
  return kn_dequantize(engine->held, sizeof engine->held, engine->input.scale, engine->input.zero_point, KN_INT8,
                       outputs->data);
}

static void loaders_quantize(void **state) {
  (void)state;
  static const kn_inference_ops ops = {.struct_size = sizeof(kn_inference_ops),
                                       .set_input = quantized_set_input,
                                       .invoke = quantized_invoke,
                                       .output = quantized_output};
  quantized_engine engine = {.input = {.name = (char *)(uintptr_t) "in",
                                       .dtype = KN_INT8,
                                       .rank = 2,
                                       .shape = {2, FAKE_VALUES},
                                       .quantized = true,
                                       .scale = 0.5,
                                       .zero_point = 3}};
  kn_iospec spec = {0};
  kt_assert_ok(kn_iolist_add(&spec.input, &engine.input));
  kt_assert_ok(kn_iolist_add(&spec.output, &engine.input));
  source s;
  make_source(&s, 201);
  const kn_loop_request request = {.inference = &ops,
                                   .self = &engine,
                                   .spec = &spec,
                                   .samples = &s.samples,
                                   .batch = 2,
                                   .loaders = 3,
                                   .quantize = true,
                                   .classify = true};
  kn_loop_result result;
  kt_assert_ok(kn_loop_run(&request, &result));
  assert_int_equal(result.samples, 201);
  assert_predictions(&result);
  /* The last batch: the sample and its copy. */
  float values[FAKE_VALUES];
  int8_t expected[FAKE_VALUES];
  fake_sample(200, values);
  kt_assert_ok(kn_quantize(values, FAKE_VALUES, 0.5, 3, KN_INT8, expected));
  assert_memory_equal(engine.held, expected, sizeof expected);
  assert_memory_equal(engine.held + FAKE_VALUES, expected, sizeof expected);
  kn_loop_result_clear(&result);
  spec.input.entries[0].scale = -1;
  kt_assert_fault(kn_loop_run(&request, &result), KN_INVALID_ARGUMENT, "scale");
  assert_int_equal(result.samples, 0);
  kn_loop_result_clear(&result);
  kn_iospec_clear(&spec);
}

/* ---- allocations ---- */

static uint64_t allocations_of(size_t count) {
  const kn_inference_ops *ops = ((const kn_runtime_ops *)kn_null_runtime_class.ops)->inference;
  kn_instance runtime;
  kt_assert_ok(kn_instance_create(&kn_null_runtime_class, &runtime));
  source s;
  make_source(&s, count);
  kn_ioentry input = {.name = (char *)(uintptr_t) "in", .dtype = KN_FLOAT32, .rank = 2, .shape = {1, FAKE_VALUES}};
  kn_iospec made = {0}, spec;
  kt_assert_ok(kn_iolist_add(&made.input, &input));
  kt_assert_ok(kn_iolist_add(&made.output, &input));
  kt_assert_ok(ops->load(runtime.self, &(kn_load_request){.path = "none", .spec = &made, .batch = 1}));
  kt_assert_ok(ops->iospec(runtime.self, &spec));
  kn_loop_request request = {.inference = ops,
                             .self = runtime.self,
                             .spec = &spec,
                             .samples = &s.samples,
                             .name = source_name,
                             .batch = 1,
                             .warmup = 1,
                             .loaders = 2,
                             .classify = true};
  kn_loop_result result;
  uint64_t before = kn_memory_allocations();
  kt_assert_ok(kn_loop_run(&request, &result));
  uint64_t used = kn_memory_allocations() - before;
  assert_int_equal(result.samples, count);
  for (size_t i = 0; i < count; i++) assert_int_equal(result.predictions[i], 0); /* zeros: the lowest index */
  kn_loop_result_clear(&result);
  kn_iospec_clear(&made);
  kn_iospec_clear(&spec);
  ops->unload(runtime.self);
  kn_instance_destroy(&runtime);
  return used;
}

static void nothing_is_allocated_per_inference(void **state) {
  (void)state;
  uint64_t few = allocations_of(1000);
  assert_true(few > 0);
  assert_int_equal(allocations_of(20000), few);
}

static void memory_may_run_out(void **state) {
  (void)state;
  source s;
  make_source(&s, 300);
  bool finished = false;
  for (uint64_t allowed = 0; !finished; allowed++) {
    assert_true(allowed < 5000);
    run r;
    prepare(&r, &s, 100);
    kn_memory_fail_after(allowed);
    kn_status status = kn_loop_run(&r.request, &r.result);
    kn_memory_fail_after(UINT64_MAX);
    finished = !status;
    if (!finished) kt_assert_fault(status, KN_OUT_OF_MEMORY, NULL);
    finish(&r);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_sample_is_judged_once),
      cmocka_unit_test(the_end_is_shown_once),
      cmocka_unit_test(the_last_batch_is_filled_with_copies),
      cmocka_unit_test(warmup_repeats_the_first_samples),
      cmocka_unit_test(a_failing_engine_names_the_sample),
      cmocka_unit_test(a_damaged_sample_is_named),
      cmocka_unit_test(cancelling_keeps_what_was_done),
      cmocka_unit_test(outputs_that_are_no_numbers_are_counted),
      cmocka_unit_test(what_does_not_fit_is_refused),
      cmocka_unit_test(without_a_task_nothing_is_judged),
      cmocka_unit_test(loaders_quantize),
      cmocka_unit_test(nothing_is_allocated_per_inference),
      cmocka_unit_test(memory_may_run_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
