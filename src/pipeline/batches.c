#include "pipeline/batches.h"

#include "core/thread.h"

#include <kenning/random.h>
#include <kenning/services.h>
#include <pthread.h>
#include <string.h>

struct kn_batches {
  const kn_samples *samples;
  size_t sample_bytes;
  unsigned char *cache; /* all samples, or NULL */
  int64_t *labels;
  kn_thread thread;
  bool thread_started;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  bool stop, busy;
  /* The batch under way; the reading thread's while `busy`. */
  const size_t *order;
  size_t count;
  kn_batch_place out;
  kn_status status;
};

size_t kn_batches_sample_bytes(const kn_batches *reader) { return reader->sample_bytes; }

static kn_status load_one(const kn_batches *reader, size_t index, void *out) {
  const kn_samples *samples = reader->samples;
  kn_tensor_view *view =
      &(kn_tensor_view){.data = out, .bytes = reader->sample_bytes, .dtype = samples->dtype, .rank = samples->rank};
  memcpy(view->shape, samples->shape, sizeof view->shape);
  return samples->load(samples->context, index, view);
}

static kn_status copy_batch(const kn_batches *reader) {
  for (size_t i = 0; i < reader->count; i++) {
    unsigned char *to = (unsigned char *)reader->out.samples + i * reader->sample_bytes;
    reader->out.labels[i] = reader->labels[reader->order[i]];
    if (reader->cache)
      memcpy(to, reader->cache + reader->order[i] * reader->sample_bytes, reader->sample_bytes);
    else
      KN_TRY(load_one(reader, reader->order[i], to));
    if (reader->out.augmentation)
      kn_augmentation_apply(reader->out.augmentation, kn_random(reader->out.seed, reader->order[i]),
                            (float *)(void *)to);
  }
  return NULL;
}

static void *read_batches(void *context) {
  kn_batches *reader = context;
  pthread_mutex_lock(&reader->lock);
  while (!reader->stop) {
    if (!reader->busy) {
      pthread_cond_wait(&reader->changed, &reader->lock);
      continue;
    }
    pthread_mutex_unlock(&reader->lock);
    kn_status status = copy_batch(reader);
    pthread_mutex_lock(&reader->lock);
    reader->status = status;
    reader->busy = false;
    pthread_cond_broadcast(&reader->changed);
  }
  pthread_mutex_unlock(&reader->lock);
  return NULL;
}

static kn_status read_labels(kn_batches *reader) {
  const kn_samples *samples = reader->samples;
  reader->labels = kn_alloc_array(samples->count, sizeof *reader->labels);
  if (!reader->labels) return kn_status_out_of_memory();
  for (size_t i = 0; i < samples->count; i++) {
    KN_TRY(samples->label(samples->context, i, &reader->labels[i]));
    if (reader->labels[i] < 0 || reader->labels[i] >= samples->classes)
      return kn_status_make(KN_BAD_DATA, "sample %zu has the label %lld; the data set has classes 0 to %lld", i,
                            (long long)reader->labels[i], (long long)samples->classes - 1);
  }
  return NULL;
}

static kn_status fill_cache(kn_batches *reader, size_t memory_limit, const char *what) {
  size_t count = reader->samples->count, bytes;
  if (!kn_mul_size(count, reader->sample_bytes, &bytes) || bytes > memory_limit) return NULL;
  reader->cache = kn_alloc(bytes);
  if (!reader->cache) return kn_status_out_of_memory();
  for (size_t i = 0; i < count; i++) {
    if (kn_cancelled()) return kn_status_make(KN_CANCELLED, "stopped while samples were read");
    KN_TRY(load_one(reader, i, reader->cache + i * reader->sample_bytes));
    if (i % 256 == 0 || i + 1 == count) kn_progress(what, (double)(i + 1), (double)count, NULL);
  }
  return NULL;
}

kn_status kn_batches_open(const kn_samples *samples, size_t memory_limit, const char *what, kn_batches **out_batches) {
  *out_batches = NULL;
  kn_batches *reader = kn_alloc(sizeof *reader);
  if (!reader) return kn_status_out_of_memory();
  reader->samples = samples;
  pthread_mutex_init(&reader->lock, NULL);
  pthread_cond_init(&reader->changed, NULL);
  kn_status status = kn_tensor_bytes(samples->dtype, samples->rank, samples->shape, &reader->sample_bytes);
  if (!status) status = read_labels(reader);
  if (!status) status = fill_cache(reader, memory_limit, what);
  if (!status) {
    reader->thread_started = kn_thread_start(&reader->thread, NULL, read_batches, reader) == 0;
    if (!reader->thread_started) status = kn_status_make(KN_IO_ERROR, "no thread could be started");
  }
  if (status)
    kn_batches_close(reader);
  else
    *out_batches = reader;
  return status;
}

void kn_batches_close(kn_batches *reader) {
  if (!reader) return;
  if (reader->thread_started) {
    pthread_mutex_lock(&reader->lock);
    reader->stop = true;
    pthread_cond_broadcast(&reader->changed);
    pthread_mutex_unlock(&reader->lock);
    kn_thread_join(&reader->thread);
  }
  kn_status_free(reader->status);
  pthread_cond_destroy(&reader->changed);
  pthread_mutex_destroy(&reader->lock);
  kn_free(reader->cache);
  kn_free(reader->labels);
  kn_free(reader);
}

void kn_batches_begin(kn_batches *reader, const size_t *order, size_t count, kn_batch_place out) {
  pthread_mutex_lock(&reader->lock);
  while (reader->busy) pthread_cond_wait(&reader->changed, &reader->lock);
  reader->order = order;
  reader->count = count;
  reader->out = out;
  reader->busy = true;
  pthread_cond_broadcast(&reader->changed);
  pthread_mutex_unlock(&reader->lock);
}

kn_status kn_batches_wait(kn_batches *reader) {
  pthread_mutex_lock(&reader->lock);
  while (reader->busy) pthread_cond_wait(&reader->changed, &reader->lock);
  kn_status status = reader->status;
  reader->status = NULL;
  pthread_mutex_unlock(&reader->lock);
  return status;
}
