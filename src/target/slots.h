/* Tensors that host and isolated worker share: a file in memory that both have mapped, and a pair of sockets on which
 * few bytes say which part of it holds the inputs and which is to receive the outputs. What is decoded into a slot is
 * what the runtime reads; nothing is copied. Both ends are programs of one user on one machine. */
#ifndef KENNING_TARGET_SLOTS_H
#define KENNING_TARGET_SLOTS_H

#include "target/engine.h"

typedef struct kn_slot_block {
  uint8_t *data;
  size_t offset, bytes;
} kn_slot_block;

/* The host's end. One thread at a time. */
typedef struct kn_slots {
  int channel, memory; /* -1: none */
  size_t bytes;        /* of the file */
  kn_slot_block *blocks;
  size_t count;
  double timeout_s; /* an inference may take so long; 0: no limit */
  int64_t last_wait_ns;
} kn_slots;

/* *out_peer is the worker's end of the channel, close-on-exec. */
kn_status kn_slots_create(kn_slots *out_slots, int *out_peer) KN_MUST_USE;
/* {.channel = -1, .memory = -1} is allowed. What kn_slots_memory gave is gone. */
void kn_slots_clear(kn_slots *slots);
/* Zeroed shared memory that begins at a page; it goes with `slots`. */
kn_status kn_slots_memory(kn_slots *slots, size_t bytes, void **out_data) KN_MUST_USE;
/* Whether all `bytes` from `data` on are shared. */
bool kn_slots_hold(const kn_slots *slots, const void *data, size_t bytes);
/* One inference: both lie in shared memory. A runtime that fails is its own status; a worker that is gone
 * KN_IO_ERROR, one that is silent KN_TIMEOUT. */
kn_status kn_slots_infer(kn_slots *slots, const void *input, size_t input_bytes, void *output,
                         size_t output_bytes) KN_MUST_USE;

/* The worker's end. */
struct kn_slots_peer {
  int channel, memory;
  uint8_t *data;
  size_t mapped;
  int64_t last_wait_ns;
};
typedef struct kn_slots_peer kn_slots_peer;

/* Takes over `channel`. */
kn_status kn_slots_peer_open(int channel, kn_slots_peer *out_peer) KN_MUST_USE;
/* {.channel = -1, .memory = -1} is allowed. */
void kn_slots_peer_close(kn_slots_peer *peer);
/* Runs what the host asks for until `fd` can be read or the host is gone. */
kn_status kn_slots_serve(kn_slots_peer *peer, kn_target_engine *engine, int fd) KN_MUST_USE;

#endif
