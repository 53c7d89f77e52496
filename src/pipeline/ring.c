#include "pipeline/ring.h"

#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Sleeps while *word == expected; may return early. */
static void sleep_on(_Atomic uint32_t *word, uint32_t expected) {
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0);
}

static void wake(_Atomic uint32_t *word) { syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0); }

kn_status kn_ring_create(size_t slots, size_t total, kn_ring *out_ring) {
  *out_ring = (kn_ring){0};
  if (total > INT32_MAX) return kn_status_make(KN_INVALID_ARGUMENT, "%zu inferences: at most %d", total, INT32_MAX);
  out_ring->ready = kn_alloc_array(slots, sizeof *out_ring->ready);
  if (!out_ring->ready) return kn_status_out_of_memory();
  out_ring->slots = slots;
  out_ring->total = total;
  return NULL;
}

void kn_ring_clear(kn_ring *ring) {
  kn_free(ring->ready);
  *ring = (kn_ring){0};
}

bool kn_ring_claim(kn_ring *ring, size_t *out_ticket) {
  size_t ticket = atomic_fetch_add(&ring->next, 1);
  *out_ticket = ticket;
  if (ticket >= ring->total) return false;
  for (;;) {
    /* In this order: kn_ring_stop sets `stopped` before it moves `done`. */
    uint32_t done = atomic_load(&ring->done);
    if (atomic_load(&ring->stopped)) return false;
    if (ticket < ring->slots || (int32_t)((uint32_t)(ticket - ring->slots) - done) < 0) return true;
    /* Announced first, by this thread or another one, then looked again, then asleep: see kn_ring_release. */
    if (atomic_exchange(&ring->loaders_asleep, 1)) sleep_on(&ring->done, done);
  }
}

void kn_ring_publish(kn_ring *ring, size_t ticket) {
  atomic_store(&ring->ready[ticket % ring->slots], (uint32_t)(ticket + 1));
  if (!atomic_load(&ring->consumer_asleep)) return;
  atomic_fetch_add(&ring->published, 1);
  wake(&ring->published);
}

void kn_ring_wait(kn_ring *ring, size_t ticket) {
  atomic_store(&ring->consumer_asleep, 1);
  for (;;) {
    uint32_t published = atomic_load(&ring->published);
    if (kn_ring_ready(ring, ticket)) break;
    sleep_on(&ring->published, published);
  }
  atomic_store(&ring->consumer_asleep, 0);
}

void kn_ring_release(kn_ring *ring, size_t ticket) {
  uint32_t done = (uint32_t)(ticket + 1);
  size_t half = ring->slots / 2;
  if ((ticket + 1) % half) {
    atomic_store_explicit(&ring->done, done, memory_order_release);
    return;
  }
  /* The announcement is taken before `done` moves. Who announced before that has looked at an older `done`: it is
   * woken, or does not fall asleep any more. Who announces later stays announced, and is woken the next time at the
   * latest: it sleeps for a ticket t only with `done` at most t - slots, and from there to t, when the ticket is
   * wanted, `done` passes two multiples of half the ring. */
  bool asleep = atomic_exchange(&ring->loaders_asleep, 0);
  atomic_store(&ring->done, done);
  if (asleep) wake(&ring->done);
}

void kn_ring_stop(kn_ring *ring) {
  atomic_store(&ring->stopped, 1);
  /* Sleepers look at `done`: it has to change. */
  atomic_fetch_add(&ring->done, 1);
  wake(&ring->done);
}
