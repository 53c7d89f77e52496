/* What everything that runs models must do: runtimes, and wrappers in their own framework. */
#include "contract/subject.h"

#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <kenning/services.h>

#include "core/memory.h"
#include "core/record_json.h"

enum { MAX_IO = 8, REPEATS = 1000, ROUNDS = 5, CYCLES = 20, CYCLE_BYTES = 512 };

/* An instance with a loaded model, and tensors for it. */
typedef struct engine {
  block *block;
  const kn_inference_ops *ops;
  void *self;
  kn_iospec spec;
  kn_tensor_view inputs[MAX_IO], outputs[MAX_IO]; /* freed with the subject */
  size_t input_count, output_count;
} engine;

static kn_status load_path(const subject *at, const engine *one, const char *path, int64_t batch) {
  const kn_load_request request = {.path = path, .spec = at->spec.input.count ? &at->spec : NULL, .batch = batch};
  return one->ops->load(one->self, &request);
}

/* Tensors as the pipeline makes them: float32 where the model is quantized, else the model's own type. */
static kn_dtype exchanged(const kn_ioentry *entry) { return entry->quantized ? KN_FLOAT32 : entry->dtype; }

static void make_tensors(subject *at, engine *one) {
  kt_assert_ok(one->ops->iospec(one->self, &one->spec));
  kn_iolist *lists[] = {&one->spec.input, &one->spec.output};
  for (size_t l = 0; l < 2; l++) {
    assert_in_range(lists[l]->count, 1, MAX_IO);
    for (size_t i = 0; i < lists[l]->count; i++) {
      const kn_ioentry *entry = &lists[l]->entries[i];
      *(l ? &one->outputs[i] : &one->inputs[i]) = *subject_tensor(at, exchanged(entry), entry->rank, entry->shape);
    }
  }
  one->input_count = one->spec.input.count;
  one->output_count = one->spec.output.count;
  kn_iospec_clear(&one->spec);
}

static engine open_engine(subject *at) {
  engine one = {.block = subject_block(at)};
  one.ops = one.block->inference;
  one.self = one.block->self;
  if (!one.ops) subject_not_concerned(at, "it runs no models itself");
  subject_require(at, block_open(at, one.block));
  return one;
}

static engine load_engine(subject *at) {
  engine one = open_engine(at);
  subject_require(at, load_path(at, &one, at->model_path, 1));
  make_tensors(at, &one);
  return one;
}

static kn_status run(engine *one, uint64_t seed) {
  for (size_t i = 0; i < one->input_count; i++) fill_random(&one->inputs[i], seed + i);
  KN_TRY(one->ops->set_input(one->self, one->inputs, one->input_count));
  KN_TRY(one->ops->invoke(one->self));
  return one->ops->output(one->self, one->outputs, one->output_count);
}

/* All outputs of a run behind each other; free with free(). */
static char *outputs_of(engine *one, uint64_t seed, size_t *out_bytes) {
  size_t bytes = 0;
  for (size_t i = 0; i < one->output_count; i++) {
    memset(one->outputs[i].data, (int)(seed + 1), one->outputs[i].bytes);
    bytes += one->outputs[i].bytes;
  }
  kt_assert_ok(run(one, seed));
  char *all = malloc(bytes), *at = all;
  assert_non_null(all);
  for (size_t i = 0; i < one->output_count; i++, at += one->outputs[i - 1].bytes)
    memcpy(at, one->outputs[i].data, one->outputs[i].bytes);
  *out_bytes = bytes;
  return all;
}

static void the_specification_is_concrete(subject *at) {
  engine one = load_engine(at);
  kn_iospec spec;
  kt_assert_ok(one.ops->iospec(one.self, &spec));
  const kn_iolist *lists[] = {&spec.input, &spec.output};
  for (size_t l = 0; l < 2; l++) {
    for (size_t i = 0; i < lists[l]->count; i++) {
      const kn_ioentry *entry = &lists[l]->entries[i];
      size_t bytes;
      assert_non_null(entry->name);
      kt_assert_ok(kn_tensor_bytes(entry->dtype, entry->rank, entry->shape, &bytes));
      assert_true(bytes > 0);
      if (entry->quantized) assert_true(entry->scale > 0 && isfinite(entry->scale));
    }
  }
  kn_iospec_clear(&spec);
}

/* The pipeline hands over quantized inputs either way. */
static void quantized_inputs_come_in_both_types(subject *at) {
  engine one = load_engine(at);
  kn_iospec spec;
  kt_assert_ok(one.ops->iospec(one.self, &spec));
  const kn_ioentry *entry = &spec.input.entries[0];
  bool concerned = spec.input.count == 1 && entry->quantized;
  if (concerned) {
    size_t bytes;
    char *first = outputs_of(&one, 5, &bytes);
    kn_tensor_view own;
    kt_assert_ok(kn_tensor_create(entry->dtype, one.inputs[0].rank, one.inputs[0].shape, &own));
    kt_assert_ok(kn_quantize(one.inputs[0].data, kn_tensor_elements(&own), entry->scale, entry->zero_point,
                             entry->dtype, own.data));
    /* So that the same can only come from the same input. */
    free(outputs_of(&one, 6, &bytes));
    kt_assert_ok(one.ops->set_input(one.self, &own, 1));
    kt_assert_ok(one.ops->invoke(one.self));
    kt_assert_ok(one.ops->output(one.self, one.outputs, one.output_count));
    const char *expected = first;
    for (size_t i = 0; i < one.output_count; expected += one.outputs[i].bytes, i++)
      assert_memory_equal(one.outputs[i].data, expected, one.outputs[i].bytes);
    kn_tensor_free(&own);
    free(first);
  }
  kn_iospec_clear(&spec);
  if (!concerned) subject_not_concerned(at, "the model has no quantized input");
}

static void recorded_results_come_out(subject *at) {
  const model_fixture *model = at->model;
  if (!model->inputs || !model->outputs) subject_not_concerned(at, "the fixture records no results");
  engine one = load_engine(at);
  size_t input_bytes, output_bytes;
  char *inputs = kt_file_read(model->inputs, &input_bytes), *outputs = kt_file_read(model->outputs, &output_bytes);
  size_t step = one.inputs[0].bytes, count = input_bytes / step, width = one.outputs[0].bytes;
  assert_int_equal(one.inputs[0].dtype, KN_FLOAT32);
  assert_int_equal(one.outputs[0].dtype, KN_FLOAT32);
  assert_true(count > 0);
  assert_int_equal(count * step, input_bytes);
  assert_int_equal(count * width, output_bytes);
  float largest = 0;
  for (size_t i = 0; i < output_bytes / sizeof(float); i++)
    largest = fmaxf(largest, fabsf(((float *)(void *)outputs)[i]));
  for (size_t i = 0; i < count; i++) {
    memcpy(one.inputs[0].data, inputs + i * step, step);
    kt_assert_ok(one.ops->set_input(one.self, one.inputs, 1));
    kt_assert_ok(one.ops->invoke(one.self));
    kt_assert_ok(one.ops->output(one.self, one.outputs, 1));
    for (size_t k = 0; k < width / sizeof(float); k++) {
      double wanted = ((float *)(void *)(outputs + i * width))[k], got = ((float *)one.outputs[0].data)[k];
      if (!(fabs(wanted - got) <= model->tolerance * (double)largest))
        kt_fail("sample %zu, output %zu: %.9g instead of %.9g", i, k, got, wanted);
    }
  }
  free(inputs);
  free(outputs);
}

static void the_same_input_gives_the_same_output(subject *at) {
  engine one = load_engine(at);
  size_t bytes, other_bytes;
  char *first = outputs_of(&one, 1, &bytes);
  free(outputs_of(&one, 2, &other_bytes)); /* something else in between */
  char *again = outputs_of(&one, 1, &other_bytes);
  assert_memory_equal(first, again, bytes);
  free(first);
  free(again);
}

static void wrong_inputs_are_refused(subject *at) {
  engine one = load_engine(at);
  size_t bytes;
  char *good = outputs_of(&one, 1, &bytes);
  kn_tensor_view views[MAX_IO + 1];
  memcpy(views, one.inputs, sizeof one.inputs);
  views[one.input_count] = one.inputs[0];
  kt_assert_fault(one.ops->set_input(one.self, views, 0), KN_INVALID_ARGUMENT, NULL);
  kt_assert_fault(one.ops->set_input(one.self, views, one.input_count + 1), KN_INVALID_ARGUMENT, NULL);
  int64_t elements = (int64_t)kn_tensor_elements(&views[0]);
  const int64_t sizes[] = {0, elements - 1, elements + 1, elements * 2};
  for (size_t i = 0; i < 4; i++) {
    views[0] = *subject_tensor(at, one.inputs[0].dtype, 1, &sizes[i]);
    kt_assert_fault(one.ops->set_input(one.self, views, one.input_count), KN_INVALID_ARGUMENT, NULL);
  }
  kn_dtype other = one.inputs[0].dtype == KN_INT64 ? KN_FLOAT64 : KN_INT64;
  views[0] = *subject_tensor(at, other, one.inputs[0].rank, one.inputs[0].shape);
  kt_assert_fault(one.ops->set_input(one.self, views, one.input_count), KN_INVALID_ARGUMENT, NULL);

  kn_tensor_view results[MAX_IO + 1];
  memcpy(results, one.outputs, sizeof one.outputs);
  results[one.output_count] = one.outputs[0];
  kt_assert_fault(one.ops->output(one.self, results, 0), KN_INVALID_ARGUMENT, NULL);
  kt_assert_fault(one.ops->output(one.self, results, one.output_count + 1), KN_INVALID_ARGUMENT, NULL);
  const int64_t more = (int64_t)kn_tensor_elements(&results[0]) + 1;
  results[0] = *subject_tensor(at, one.outputs[0].dtype, 1, &more);
  kt_assert_fault(one.ops->output(one.self, results, one.output_count), KN_INVALID_ARGUMENT, NULL);

  char *after = outputs_of(&one, 1, &bytes); /* what was refused has left no trace */
  assert_memory_equal(good, after, bytes);
  free(good);
  free(after);
}

static void nothing_runs_without_a_model(subject *at) {
  engine one = load_engine(at);
  for (int round = 0; round < 2; round++) { /* after unloading, and in a fresh instance */
    one.ops->unload(one.self);
    one.ops->unload(one.self);
    kt_assert_fault(one.ops->set_input(one.self, one.inputs, one.input_count), KN_INVALID_ARGUMENT, NULL);
    kt_assert_fault(one.ops->invoke(one.self), KN_INVALID_ARGUMENT, NULL);
    kt_assert_fault(one.ops->output(one.self, one.outputs, one.output_count), KN_INVALID_ARGUMENT, NULL);
    kn_iospec spec;
    kt_assert_fault(one.ops->iospec(one.self, &spec), KN_INVALID_ARGUMENT, NULL);
    block *fresh = subject_block(at);
    kt_assert_ok(block_open(at, fresh));
    one.self = fresh->self;
  }
}

static void loading_again_starts_afresh(subject *at) {
  engine one = load_engine(at);
  size_t bytes;
  char *first = outputs_of(&one, 1, &bytes);
  for (int i = 0; i < 3; i++) {
    if (i == 1) one.ops->unload(one.self);
    kt_assert_ok(load_path(at, &one, at->model_path, 1));
    char *again = outputs_of(&one, 1, &bytes);
    assert_memory_equal(first, again, bytes);
    free(again);
  }
  free(first);
}

static void closing_is_always_allowed(subject *at) {
  engine one = open_engine(at);
  block_close(at, one.block);
  block_close(at, one.block);
  kt_assert_ok(block_open(at, one.block));
  subject_require(at, load_path(at, &one, at->model_path, 1));
  block_close(at, one.block); /* with the model still loaded */
  kt_assert_ok(block_open(at, one.block));
  kt_assert_ok(load_path(at, &one, at->model_path, 1));
  block_close(at, one.block);
  block *fresh = subject_block(at);
  block_close(at, fresh); /* never opened */
}

static void two_instances_do_not_disturb_each_other(subject *at) {
  engine first = load_engine(at), second = load_engine(at);
  size_t bytes;
  char *alone = outputs_of(&first, 1, &bytes);
  for (size_t i = 0; i < first.input_count; i++) fill_random(&first.inputs[i], 1 + i);
  kt_assert_ok(first.ops->set_input(first.self, first.inputs, first.input_count));
  free(outputs_of(&second, 2, &bytes)); /* between the input and the run of the first */
  kt_assert_ok(first.ops->invoke(first.self));
  kt_assert_ok(run(&second, 3));
  kt_assert_ok(first.ops->output(first.self, first.outputs, first.output_count));
  assert_memory_equal(alone, first.outputs[0].data, first.outputs[0].bytes);
  char *same = outputs_of(&second, 1, &bytes);
  assert_memory_equal(alone, same, bytes);
  block_close(at, second.block);
  char *after = outputs_of(&first, 1, &bytes);
  assert_memory_equal(alone, after, bytes);
  free(alone);
  free(same);
  free(after);
}

/* The rule of block.h: nothing of ours is allocated per inference. What an engine allocates shows as a leak. */
static void inferences_do_not_allocate(subject *at) {
  engine one = load_engine(at);
  kt_assert_ok(run(&one, 1));
  kt_assert_ok(run(&one, 2));
  uint64_t before = kn_memory_allocations();
  for (size_t i = 0; i < REPEATS; i++) kt_assert_ok(run(&one, i));
  assert_int_equal(kn_memory_allocations() - before, 0);
}

/* Bytes that malloc has handed out, 0 where a sanitizer has replaced it. */
static size_t allocated_bytes(void) { return mallinfo2().uordblks + mallinfo2().hblkhd; }

/* What an engine keeps for good it keeps once: models that come and go leave nothing. Sanitizers and valgrind see leaks
 * of our own anyway; this is about what engines still hold and have forgotten. */
static void models_come_and_go(subject *at) {
  if (!allocated_bytes()) subject_not_concerned(at, "memory is not counted in this build");
  if (at->model->stays) subject_not_concerned(at, at->model->stays);
  engine one = load_engine(at);
  size_t after[ROUNDS], least = SIZE_MAX;
  for (size_t round = 0; round < ROUNDS; round++) {
    for (size_t i = 0; i < CYCLES; i++) {
      kt_assert_ok(load_path(at, &one, at->model_path, 1));
      kt_assert_ok(run(&one, i));
      one.ops->unload(one.self);
    }
    after[round] = allocated_bytes();
  }
  for (size_t round = 2; round < ROUNDS; round++) { /* tables of engines grow by leaps, leaks in every round */
    size_t growth = after[round] > after[round - 1] ? after[round] - after[round - 1] : 0;
    least = growth < least ? growth : least;
  }
  if (least > CYCLES * CYCLE_BYTES) kt_fail("every model that was loaded leaves %zu bytes behind", least / CYCLES);
}

static void the_facts_are_a_record(subject *at) {
  engine one = load_engine(at);
  kt_assert_ok(run(&one, 1));
  kn_record *record;
  kt_assert_ok(kn_record_create(&record));
  kt_assert_ok(one.ops->statistics(one.self, record));
  char *text = yyjson_mut_val_write(kn_record_value(record), 0, NULL);
  assert_non_null(text);
  assert_true(yyjson_mut_obj_size(kn_record_value(record)) > 0);
  assert_true(yyjson_mut_get_sint(yyjson_mut_obj_get(kn_record_value(record), "threads")) >= 1);
  free(text);
  kn_record_destroy(record);
}

static void batches_are_run_or_refused(subject *at) {
  engine one = load_engine(at);
  kn_status status = load_path(at, &one, at->model_path, 3);
  if (status) {
    kt_assert_fault(status, KN_INCOMPATIBLE, NULL);
    return;
  }
  engine batched = one;
  make_tensors(at, &batched);
  assert_int_equal(batched.inputs[0].bytes, 3 * one.inputs[0].bytes);
  assert_int_equal(batched.outputs[0].bytes, 3 * one.outputs[0].bytes);
  kt_assert_ok(run(&batched, 5));
  kt_assert_ok(load_path(at, &one, at->model_path, 1));
  for (size_t i = 0; i < 3; i++) { /* every sample has the result that it has alone */
    size_t step = one.inputs[0].bytes, width = one.outputs[0].bytes;
    memcpy(one.inputs[0].data, (char *)batched.inputs[0].data + i * step, step);
    kt_assert_ok(one.ops->set_input(one.self, one.inputs, 1));
    kt_assert_ok(one.ops->invoke(one.self));
    kt_assert_ok(one.ops->output(one.self, one.outputs, 1));
    const float *alone = one.outputs[0].data,
                *together = (float *)(void *)((char *)batched.outputs[0].data + i * width);
    for (size_t k = 0; one.outputs[0].dtype == KN_FLOAT32 && k < width / sizeof(float); k++)
      assert_true(fabsf(alone[k] - together[k]) <= 1e-4F + 1e-4F * fabsf(alone[k]));
  }
}

/* ---- bad models ---- */

/* Bad files are refused as bad input, and the instance is as good as before. */
static void expect_refusal(subject *at, engine *one, const char *path, const char *what, const char *good,
                           size_t bytes) {
  assert_bad_input(load_path(at, one, path, 1), what);
  kt_assert_fault(one->ops->invoke(one->self), KN_INVALID_ARGUMENT, NULL);
  kt_assert_ok(load_path(at, one, at->model_path, 1));
  size_t again_bytes;
  char *again = outputs_of(one, 1, &again_bytes);
  assert_memory_equal(good, again, bytes);
  free(again);
}

static void bad_models_are_refused(subject *at) {
  if (!at->model->file && !at->model->text) subject_not_concerned(at, "it reads no model file");
  engine one = load_engine(at);
  size_t bytes, whole;
  char *good = outputs_of(&one, 1, &bytes), *data = kt_file_read(at->model_path, &whole);
  const char *dot = strrchr(at->model_path, '.');
  char name[64];
  snprintf(name, sizeof name, "bad%s", dot && !strchr(dot, '/') ? dot : "");
  char *path = subject_path(at, name);
  expect_refusal(at, &one, path, "a missing model", good, bytes);
  kt_file_write_text(path, "");
  expect_refusal(at, &one, path, "an empty model", good, bytes);
  kt_file_write_text(path, "This is no model but a text, and long enough to be looked at in some detail.\n");
  expect_refusal(at, &one, path, "a text instead of a model", good, bytes);
  for (size_t size = 1; size < whole; size += whole / 16 + 1) {
    char what[96];
    snprintf(what, sizeof what, "a model cut after %zu of %zu bytes", size, whole);
    kt_file_write(path, data, size);
    expect_refusal(at, &one, path, what, good, bytes);
  }
  memset(data, 0xC3, whole);
  kt_file_write(path, data, whole);
  expect_refusal(at, &one, path, "noise instead of a model", good, bytes);
  char *directory = subject_path(at, "directory");
  assert_int_equal(mkdir(directory, 0700), 0);
  expect_refusal(at, &one, directory, "an empty directory", good, bytes);
  free(directory);
  free(path);
  free(data);
  free(good);
}

/* Engines that need long to load a model show their share of what could be tried; all of it with KENNING_TEST_ALL. */
static bool enough(int64_t start_ns, int rounds) {
  return rounds >= 10 && kn_now_ns() - start_ns > 1000000000 && !getenv("KENNING_TEST_ALL");
}

/* Damage in the middle of a model: refused or run, but never a crash. */
static void damaged_models_do_no_harm(subject *at) {
  if (!at->model->file && !at->model->text) subject_not_concerned(at, "it reads no model file");
  if (at->model->fragile) subject_not_concerned(at, at->model->fragile);
  engine one = load_engine(at);
  size_t whole;
  char *data = kt_file_read(at->model_path, &whole), *path = subject_path(at, "damaged");
  uint64_t next = 12345;
  int64_t start = kn_now_ns();
  for (int i = 0; i < 100 && !enough(start, i); i++) {
    next = next * 6364136223846793005u + 1442695040888963407u;
    size_t where = (size_t)(next >> 20) % whole;
    char before = data[where];
    data[where] = (char)(before ^ (1 << (i % 8)));
    kt_file_write(path, data, whole);
    data[where] = before;
    kn_status status = load_path(at, &one, path, 1);
    kn_code code = kn_status_code(status);
    assert_true(code != KN_INTERNAL);
    kn_status_free(status);
  }
  kt_assert_ok(load_path(at, &one, at->model_path, 1));
  kt_assert_ok(run(&one, 1));
  free(path);
  free(data);
}

static void memory_may_run_out(subject *at) {
  engine one = load_engine(at);
  one.ops->unload(one.self);
  uint64_t before = kn_memory_allocations();
  kt_assert_ok(load_path(at, &one, at->model_path, 1));
  kt_assert_ok(run(&one, 1));
  uint64_t needed = kn_memory_allocations() - before;
  int64_t start = kn_now_ns();
  int rounds = 0;
  for (uint64_t n = 0; n < needed && !enough(start, rounds); n += needed / 100 + 1, rounds++) {
    kn_memory_fail_after(n);
    kn_status status = load_path(at, &one, at->model_path, 1);
    if (!status) status = run(&one, 1);
    kn_memory_fail_after(UINT64_MAX);
    kt_assert_fault(status, KN_OUT_OF_MEMORY, NULL);
    one.ops->unload(one.self);
  }
  kt_assert_ok(load_path(at, &one, at->model_path, 1));
  kt_assert_ok(run(&one, 1));
}

const rule inference_rules[] = {{"the specification is concrete", the_specification_is_concrete},
                                {"recorded results come out", recorded_results_come_out},
                                {"quantized inputs come in both types", quantized_inputs_come_in_both_types},
                                {"the same input gives the same output", the_same_input_gives_the_same_output},
                                {"wrong inputs are refused", wrong_inputs_are_refused},
                                {"nothing runs without a model", nothing_runs_without_a_model},
                                {"loading again starts afresh", loading_again_starts_afresh},
                                {"closing is always allowed", closing_is_always_allowed},
                                {"two instances do not disturb each other", two_instances_do_not_disturb_each_other},
                                {"inferences do not allocate", inferences_do_not_allocate},
                                {"models come and go", models_come_and_go},
                                {"the facts are a record", the_facts_are_a_record},
                                {"batches are run or refused", batches_are_run_or_refused},
                                {"bad models are refused", bad_models_are_refused},
                                {"damaged models do no harm", damaged_models_do_no_harm},
                                {"memory may run out", memory_may_run_out},
                                {0}};
