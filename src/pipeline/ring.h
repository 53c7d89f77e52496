/* Tickets 0, 1, 2, ... pass through a ring of slots: loader threads fill slot `ticket % slots`, one consumer takes the
 * tickets in order and gives the slots back. No lock; a thread sleeps only when there is nothing to do for it, and
 * sleeping loaders are woken when half the ring is empty, so that the consumer seldom makes a system call. */
#ifndef KENNING_PIPELINE_RING_H
#define KENNING_PIPELINE_RING_H

#include <kenning/status.h>
#include <stdatomic.h>

typedef struct kn_ring {
  size_t slots;            /* at least 2, and at least the number of loaders */
  size_t total;            /* tickets to pass, at most 2^31 */
  atomic_size_t next;      /* ticket that the next loader takes */
  _Atomic uint32_t *ready; /* per slot: the ticket after the one that it holds */
  _Atomic uint32_t done;   /* tickets that the consumer has given back */
  _Atomic uint32_t stopped;
  _Atomic uint32_t loaders_asleep;  /* on `done` */
  _Atomic uint32_t consumer_asleep; /* on `published` */
  _Atomic uint32_t published;       /* changes when the consumer is woken */
} kn_ring;

kn_status kn_ring_create(size_t slots, size_t total, kn_ring *out_ring) KN_MUST_USE;
/* No thread may use it any more. A zeroed ring is allowed. */
void kn_ring_clear(kn_ring *ring);

/* Loaders: takes the next ticket and waits until its slot is free. False when there is none or the ring is stopped. */
bool kn_ring_claim(kn_ring *ring, size_t *out_ticket) KN_MUST_USE;
/* Loaders: the slot of a claimed ticket is filled. */
void kn_ring_publish(kn_ring *ring, size_t ticket);

/* Consumer: whether the slot of `ticket` is filled; waiting until it is. */
static inline bool kn_ring_ready(kn_ring *ring, size_t ticket) {
  return atomic_load(&ring->ready[ticket % ring->slots]) == (uint32_t)(ticket + 1);
}
void kn_ring_wait(kn_ring *ring, size_t ticket);
/* Consumer: gives back the slot of `ticket`, which is one more than that of the call before. */
void kn_ring_release(kn_ring *ring, size_t ticket);
/* Consumer: no further ticket is claimed. */
void kn_ring_stop(kn_ring *ring);

#endif
