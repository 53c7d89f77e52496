#include "imaging/scratch.h"

#include <pthread.h>

/* Larger blocks are not kept. */
enum { KEPT_BYTES = 16 << 20 };

typedef struct block {
  size_t bytes;
  void *memory;
} block;

static _Thread_local block kept; /* also while it is taken */
static pthread_key_t at_exit;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool has_key;

static void release(void *memory) { kn_free(memory); }

static void make_key(void) { has_key = !pthread_key_create(&at_exit, release); }

void *kn_scratch_take(size_t bytes) {
  if (bytes <= kept.bytes) return kept.memory;
  if (bytes > KEPT_BYTES) return kn_realloc(NULL, bytes);
  pthread_once(&once, make_key);
  if (!has_key) return kn_realloc(NULL, bytes);
  void *memory = kn_realloc(NULL, bytes);
  if (!memory) return NULL;
  if (pthread_setspecific(at_exit, memory) != 0) return memory; /* freed when it is returned */
  kn_free(kept.memory);
  kept = (block){bytes, memory};
  return memory;
}

void kn_scratch_return(void *scratch) {
  if (scratch != kept.memory) kn_free(scratch);
}
