#include "pipeline/loop.h"

#include "core/thread.h"
#include "metrics/classification.h"
#include "pipeline/ring.h"

#include <kenning/services.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum {
  MAXIMUM_LOADERS = 64,
  RING_BYTES = 4 << 20, /* of inputs, as far as the bounds on the number of slots allow */
  MAXIMUM_SLOTS = 512,  /* every 256th inference may make a system call to wake loaders */
  MINIMUM_SLOTS = 4,
  PROGRESS_NS = 100000000,
  KEPT_SCORES = 16384 /* values that a later comparison gets: few samples of many classes, many of few */
};

typedef struct kn_slot {
  kn_tensor_view input; /* [batch, sample shape] */
  kn_tensor_view *outputs;
  size_t first, count; /* samples in it, without the copies that fill up the last batch */
  bool unjudged;       /* the outputs are those of the samples and have not been evaluated */
  kn_status fault;     /* why loading failed; owned */
} kn_slot;

typedef struct kn_loader {
  struct kn_loop *loop;
  kn_thread thread;
  void *sample; /* where samples are loaded that are quantized into the slot; else NULL */
} kn_loader;

typedef struct kn_loop {
  const kn_loop_request *request;
  kn_loop_result *result;
  size_t batch, steps; /* inferences without warm-up */
  size_t sample_bytes, classes, output_count;
  size_t kept;                 /* samples whose scores are kept */
  const kn_ioentry *quantized; /* the input that samples are quantized for, or NULL */
  kn_dtype dtype;              /* of the slots' inputs */
  size_t slot_bytes;           /* of one sample in a slot */
  kn_slot *slots;
  kn_ring ring;
  kn_loader loaders[MAXIMUM_LOADERS];
  size_t running; /* loaders */
  _Atomic size_t not_finite;
} kn_loop;

/* ---- evaluation ---- */

/* By whoever has the slot to itself. */
static void judge(kn_loop *loop, kn_slot *slot) {
  if (!slot->unjudged) return;
  slot->unjudged = false;
  if (!loop->request->classify) return;
  const float *scores = slot->outputs[0].data;
  for (size_t i = 0; i < slot->count; i++, scores += loop->classes) {
    bool finite;
    if (slot->first + i < loop->kept)
      memcpy(loop->result->scores + (slot->first + i) * loop->classes, scores, loop->classes * sizeof *scores);
    loop->result->predictions[slot->first + i] = (int64_t)kn_argmax(scores, loop->classes, &finite);
    if (!finite) atomic_fetch_add(&loop->not_finite, 1);
    int64_t label;
    kn_status status = loop->request->samples->label(loop->request->samples->context, slot->first + i, &label);
    /* The label was read once before the run. */
    loop->result->in_top_5[slot->first + i] =
        !status && label >= 0 && kn_in_top_k(scores, loop->classes, (size_t)label, 5);
    kn_status_free(status);
  }
}

/* ---- loaders ---- */

/* Adds the name of the sample to a fault. */
static kn_status about_sample(const kn_loop *loop, kn_status status, size_t index, const char *doing) {
  char name[256];
  const kn_loop_request *request = loop->request;
  kn_status unnamed =
      request->name ? request->name(request->samples->context, index, name, sizeof name) : kn_status_out_of_memory();
  if (unnamed) snprintf(name, sizeof name, "number %zu", index);
  kn_status_free(unnamed);
  return kn_status_annotate(status, "while %s sample %s", doing, name);
}

static kn_status load_one(const kn_loader *loader, size_t index, void *out) {
  const kn_loop *loop = loader->loop;
  const kn_samples *samples = loop->request->samples;
  const kn_ioentry *input = loop->quantized;
  kn_tensor_view view = {.data = input ? loader->sample : out,
                         .bytes = loop->sample_bytes,
                         .dtype = samples->dtype,
                         .rank = samples->rank};
  memcpy(view.shape, samples->shape, sizeof view.shape);
  KN_TRY(samples->load(samples->context, index, &view));
  if (!input) return NULL;
  return kn_quantize(view.data, kn_tensor_elements(&view), input->scale, input->zero_point, input->dtype, out);
}

static kn_status load(const kn_loader *loader, kn_slot *slot) {
  const kn_loop *loop = loader->loop;
  char *data = slot->input.data;
  for (size_t i = 0; i < slot->count; i++) {
    kn_status status = load_one(loader, slot->first + i, data + i * loop->slot_bytes);
    if (status) return about_sample(loop, status, slot->first + i, "loading");
  }
  for (size_t i = slot->count; i < loop->batch; i++)
    memcpy(data + i * loop->slot_bytes, data + (slot->count - 1) * loop->slot_bytes, loop->slot_bytes);
  return NULL;
}

static void *run_loader(void *context) {
  const kn_loader *loader = context;
  kn_loop *loop = loader->loop;
  size_t ticket;
  while (kn_ring_claim(&loop->ring, &ticket)) {
    kn_slot *slot = &loop->slots[ticket % loop->ring.slots];
    judge(loop, slot);
    size_t warmup = loop->request->warmup, step = ticket < warmup ? ticket % loop->steps : ticket - warmup;
    slot->first = step * loop->batch;
    slot->count = loop->request->samples->count - slot->first;
    if (slot->count > loop->batch) slot->count = loop->batch;
    kn_inference_times *times = &loop->result->times[ticket];
    times->load_start = kn_now_ns();
    slot->fault = load(loader, slot);
    times->load_end = kn_now_ns();
    kn_ring_publish(&loop->ring, ticket);
  }
  return NULL;
}

static kn_status start_loaders(kn_loop *loop) {
  while (loop->running < loop->request->loaders) {
    kn_loader *loader = &loop->loaders[loop->running];
    int error = kn_thread_start(&loader->thread, NULL, run_loader, loader);
    if (error) return kn_status_make(KN_OUT_OF_MEMORY, "cannot start a loader thread: %s", strerror(error));
    loop->running++;
  }
  return NULL;
}

static void end_loaders(kn_loop *loop) {
  kn_ring_stop(&loop->ring);
  while (loop->running) kn_thread_join(&loop->loaders[--loop->running].thread);
  for (size_t i = 0; i < loop->ring.slots; i++) judge(loop, &loop->slots[i]);
  loop->result->not_finite = atomic_load(&loop->not_finite);
  loop->result->scored = loop->result->samples < loop->kept ? loop->result->samples : loop->kept;
}

/* ---- inference ---- */

static kn_status infer(const kn_loop *loop, const kn_slot *slot, kn_inference_times *times) {
  const kn_inference_ops *ops = loop->request->inference;
  void *self = loop->request->self;
  times->input_start = kn_now_ns();
  KN_TRY(ops->set_input(self, &slot->input, 1));
  times->run_start = kn_now_ns();
  kn_status status = ops->invoke(self);
  times->run_end = kn_now_ns();
  if (!status) status = ops->output(self, slot->outputs, loop->output_count);
  times->output_end = kn_now_ns();
  return status;
}

static kn_status run_all(kn_loop *loop) {
  kn_ring *ring = &loop->ring;
  kn_loop_result *result = loop->result;
  const size_t warmup = loop->request->warmup;
  int64_t shown = result->start_ns;
  for (size_t ticket = 0; ticket < ring->total; ticket++) {
    if (kn_cancelled()) return kn_status_make(KN_CANCELLED, "stopped after %zu samples", result->samples);
    kn_inference_times *times = &result->times[ticket];
    if (!kn_ring_ready(ring, ticket)) {
      int64_t start = kn_now_ns();
      kn_ring_wait(ring, ticket);
      times->wait_ns = kn_now_ns() - start;
    }
    kn_slot *slot = &loop->slots[ticket % ring->slots];
    kn_status status = slot->fault;
    slot->fault = NULL;
    if (!status) {
      status = infer(loop, slot, times);
      if (status) status = about_sample(loop, status, slot->first, "running");
    }
    if (status) return status;
    result->inferences = ticket + 1;
    if (ticket < warmup) {
      result->warmup = ticket + 1;
    } else {
      slot->unjudged = true;
      result->samples = slot->first + slot->count;
    }
    kn_ring_release(ring, ticket);
    bool last = ticket + 1 == ring->total; /* shown behind the loop */
    if (!last && times->output_end - shown > PROGRESS_NS && loop->request->progress) {
      shown = times->output_end;
      kn_progress(loop->request->progress, (double)result->samples, (double)loop->request->samples->count, NULL);
    }
  }
  if (loop->request->progress)
    kn_progress(loop->request->progress, (double)result->samples, (double)loop->request->samples->count, NULL);
  return NULL;
}

/* ---- preparation ---- */

/* float32 where the model's own type can be dequantized or widened to it. */
static kn_dtype output_dtype(const kn_ioentry *entry) {
  bool real = entry->dtype == KN_FLOAT16 || entry->dtype == KN_BFLOAT16 || entry->dtype == KN_FLOAT64;
  return entry->quantized || real ? KN_FLOAT32 : entry->dtype;
}

static kn_status create_input(const kn_loop *loop, kn_dtype dtype, uint32_t rank, const int64_t *shape,
                              kn_tensor_view *out_input) {
  const kn_loop_request *request = loop->request;
  if (!request->memory) return kn_tensor_create(dtype, rank, shape, out_input);
  kn_tensor_view input = {.dtype = dtype, .rank = rank};
  memcpy(input.shape, shape, rank * sizeof *shape);
  KN_TRY(kn_tensor_bytes(dtype, rank, shape, &input.bytes));
  KN_TRY(request->memory(request->memory_context, input.bytes, &input.data));
  *out_input = input;
  return NULL;
}

static kn_status create_slot(const kn_loop *loop, kn_slot *slot) {
  const kn_samples *samples = loop->request->samples;
  const kn_iolist *outputs = &loop->request->spec->output;
  int64_t shape[KN_MAX_RANK] = {loop->request->batch};
  memcpy(shape + 1, samples->shape, samples->rank * sizeof *shape);
  KN_TRY(create_input(loop, loop->dtype, samples->rank + 1, shape, &slot->input));
  slot->outputs = kn_alloc_array(outputs->count, sizeof *slot->outputs);
  if (!slot->outputs) return kn_status_out_of_memory();
  for (size_t i = 0; i < outputs->count; i++) {
    const kn_ioentry *entry = &outputs->entries[i];
    KN_TRY(kn_tensor_create(output_dtype(entry), entry->rank, entry->shape, &slot->outputs[i]));
  }
  return NULL;
}

/* Shape and labels of what comes out are judged before the first inference, so that nothing can go wrong after it. */
static kn_status check_classification(const kn_loop *loop) {
  const kn_tensor_view *scores = &loop->slots[0].outputs[0];
  const kn_samples *samples = loop->request->samples;
  if (scores->dtype != KN_FLOAT32 || kn_tensor_elements(scores) != loop->batch * loop->classes)
    return kn_status_make(KN_INCOMPATIBLE,
                          "the model gives %zu values of type %s per sample, the data set has %zu classes: the model "
                          "was made for another data set",
                          kn_tensor_elements(scores) / loop->batch, kn_dtype_name(scores->dtype), loop->classes);
  for (size_t i = 0; i < samples->count; i++) {
    int64_t label;
    kn_status status = samples->label(samples->context, i, &label);
    if (status) return about_sample(loop, status, i, "reading the label of");
  }
  return NULL;
}

static size_t slot_count(const kn_loop *loop, size_t total) {
  size_t bytes = loop->slot_bytes * loop->batch, count = bytes ? RING_BYTES / bytes : MAXIMUM_SLOTS;
  if (count > MAXIMUM_SLOTS) count = MAXIMUM_SLOTS;
  if (count > total) count = total;
  if (count < MINIMUM_SLOTS) count = MINIMUM_SLOTS;
  return count < loop->request->loaders ? loop->request->loaders : count;
}

/* What samples look like in a slot. */
static kn_status choose_type(kn_loop *loop) {
  const kn_samples *samples = loop->request->samples;
  const kn_iolist *inputs = &loop->request->spec->input;
  bool quantize =
      loop->request->quantize && samples->dtype == KN_FLOAT32 && inputs->count && inputs->entries[0].quantized;
  loop->quantized = quantize ? &inputs->entries[0] : NULL;
  loop->dtype = quantize ? loop->quantized->dtype : samples->dtype;
  KN_TRY(kn_tensor_bytes(loop->dtype, samples->rank, samples->shape, &loop->slot_bytes));
  return kn_tensor_bytes(samples->dtype, samples->rank, samples->shape, &loop->sample_bytes);
}

static kn_status create_loaders(kn_loop *loop) {
  for (size_t i = 0; i < loop->request->loaders; i++) {
    loop->loaders[i].loop = loop;
    if (!loop->quantized) continue;
    loop->loaders[i].sample = kn_alloc(loop->sample_bytes);
    if (!loop->loaders[i].sample) return kn_status_out_of_memory();
  }
  return NULL;
}

static kn_status prepare(kn_loop *loop) {
  const kn_loop_request *request = loop->request;
  const kn_samples *samples = request->samples;
  kn_loop_result *result = loop->result;
  if (!samples->count) return kn_status_make(KN_INVALID_ARGUMENT, "there is no sample to run");
  if (request->batch < 1 || request->loaders < 1 || request->loaders > MAXIMUM_LOADERS ||
      samples->rank >= KN_MAX_RANK || !request->spec->output.count || (request->classify && samples->classes < 1))
    return kn_status_make(KN_INTERNAL, "the run loop was asked for something impossible");
  size_t total, bytes, scores;
  loop->batch = (size_t)request->batch;
  loop->classes = request->classify ? (size_t)samples->classes : 0;
  loop->steps = (samples->count - 1) / loop->batch + 1;
  loop->output_count = request->spec->output.count;
  KN_TRY(choose_type(loop));
  if (!kn_add_size(loop->steps, request->warmup, &total) || !kn_mul_size(loop->slot_bytes, loop->batch, &bytes))
    return kn_status_out_of_memory();
  KN_TRY(kn_ring_create(slot_count(loop, total), total, &loop->ring));
  loop->slots = kn_alloc_array(loop->ring.slots, sizeof *loop->slots);
  result->times = kn_alloc_array(total, sizeof *result->times);
  if (!loop->slots || !result->times) return kn_status_out_of_memory();
  for (size_t i = 0; i < loop->ring.slots; i++) KN_TRY(create_slot(loop, &loop->slots[i]));
  KN_TRY(create_loaders(loop));
  if (!request->classify) return NULL;
  result->predictions = kn_alloc_array(samples->count, sizeof *result->predictions);
  result->in_top_5 = kn_alloc_array(samples->count, sizeof *result->in_top_5);
  if (!result->predictions || !result->in_top_5) return kn_status_out_of_memory();
  loop->kept = loop->classes < KEPT_SCORES ? KEPT_SCORES / loop->classes : 1;
  if (loop->kept > samples->count) loop->kept = samples->count;
  if (!kn_mul_size(loop->kept, loop->classes, &scores)) return kn_status_out_of_memory();
  result->scores = kn_alloc_array(scores, sizeof *result->scores);
  if (!result->scores) return kn_status_out_of_memory();
  return check_classification(loop);
}

static void clear(kn_loop *loop) {
  for (size_t i = 0; loop->slots && i < loop->ring.slots; i++) {
    kn_slot *slot = &loop->slots[i];
    if (!loop->request->memory) kn_tensor_free(&slot->input);
    for (size_t j = 0; slot->outputs && j < loop->output_count; j++) kn_tensor_free(&slot->outputs[j]);
    kn_free(slot->outputs);
    kn_status_free(slot->fault);
  }
  kn_free(loop->slots);
  for (size_t i = 0; i < MAXIMUM_LOADERS; i++) kn_free(loop->loaders[i].sample);
  kn_ring_clear(&loop->ring);
}

kn_status kn_loop_run(const kn_loop_request *request, kn_loop_result *out_result) {
  *out_result = (kn_loop_result){0};
  kn_loop loop = {.request = request, .result = out_result};
  kn_status status = prepare(&loop);
  if (!status) {
    out_result->start_ns = kn_now_ns();
    status = start_loaders(&loop);
    if (!status) status = run_all(&loop);
    int64_t ran = kn_now_ns();
    end_loaders(&loop);
    out_result->end_ns = kn_now_ns();
    out_result->evaluation_ns = out_result->end_ns - ran;
  }
  clear(&loop);
  return status;
}

void kn_loop_result_clear(kn_loop_result *result) {
  kn_free(result->times);
  kn_free(result->predictions);
  kn_free(result->in_top_5);
  kn_free(result->scores);
  *result = (kn_loop_result){0};
}
