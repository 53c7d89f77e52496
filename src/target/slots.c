#include "target/slots.h"

#include "transport/deadline.h"

#include <errno.h>
#include <fcntl.h>
#include <kenning/services.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
  LOOK_MS = 1000,    /* the host looks so often whether the user wants to stop */
  WATCH_NS = 100000, /* to be woken takes about so long: a wait that is likely to be shorter is spent looking */
  LIKELY_NS = 2 * WATCH_NS
};

typedef struct kn_slot_request {
  uint64_t input, input_bytes; /* offsets in the file */
  uint64_t output, output_bytes;
} kn_slot_request;

typedef struct kn_slot_reply {
  uint32_t code; /* kn_code */
  char message[252];
} kn_slot_reply;

static kn_status fault(const char *what) {
  return kn_status_make(KN_IO_ERROR, "memory cannot be shared with a worker: %s: %s", what, strerror(errno));
}

/* poll, which looks for WATCH_NS before it sleeps if the last wait was about as short. After long ones the processor is
 * left to the engine. */
static int wait_for(struct pollfd *ends, nfds_t count, int sleep_ms, int64_t *last_ns) {
  const int64_t begun = kn_now_ns();
  bool watch = *last_ns < LIKELY_NS;
  int ready = 0;
  while (watch && (ready = poll(ends, count, 0)) == 0) {
    watch = kn_now_ns() - begun < WATCH_NS;
    sched_yield(); /* whom it waits for may want this very processor */
  }
  if (!ready) ready = kn_deadline_wait(ends, count, sleep_ms);
  *last_ns = kn_now_ns() - begun;
  return ready;
}

/* ---- the host's end ---- */

/* The file goes with the first message. */
static kn_status hand_over(int channel, int memory) {
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(int))];
  } control = {0};
  char byte = 0;
  struct iovec piece = {&byte, 1};
  struct msghdr message = {
      .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room};
  struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(rights), &memory, sizeof memory);
  return sendmsg(channel, &message, MSG_NOSIGNAL) == 1 ? NULL : fault("sendmsg");
}

kn_status kn_slots_create(kn_slots *out_slots, int *out_peer) {
  int ends[2];
  *out_slots = (kn_slots){.channel = -1, .memory = -1};
  *out_peer = -1;
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return fault("socketpair");
  out_slots->channel = ends[0];
  *out_peer = ends[1];
  out_slots->memory = memfd_create("kenning-slots", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  kn_status status = NULL;
  /* The worker never finds less behind its mapping than it has looked at. */
  if (out_slots->memory < 0 || fcntl(out_slots->memory, F_ADD_SEALS, F_SEAL_SHRINK) < 0) status = fault("memfd_create");
  if (!status) status = hand_over(ends[0], out_slots->memory);
  if (!status) return NULL;
  close(*out_peer);
  *out_peer = -1;
  kn_slots_clear(out_slots);
  return status;
}

void kn_slots_clear(kn_slots *slots) {
  for (size_t i = 0; i < slots->count; i++) munmap(slots->blocks[i].data, slots->blocks[i].bytes);
  kn_free(slots->blocks);
  if (slots->channel >= 0) close(slots->channel);
  if (slots->memory >= 0) close(slots->memory);
  *slots = (kn_slots){.channel = -1, .memory = -1};
}

kn_status kn_slots_memory(kn_slots *slots, size_t bytes, void **out_data) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  size_t room, end;
  *out_data = NULL;
  if (!kn_add_size(bytes ? bytes : 1, page - 1, &room)) return kn_status_out_of_memory();
  room -= room % page;
  if (!kn_add_size(slots->bytes, room, &end)) return kn_status_out_of_memory();
  kn_slot_block *blocks = kn_realloc(slots->blocks, (slots->count + 1) * sizeof *blocks);
  if (!blocks) return kn_status_out_of_memory();
  slots->blocks = blocks;
  if (ftruncate(slots->memory, (off_t)end) < 0) return fault("ftruncate");
  void *data = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_SHARED, slots->memory, (off_t)slots->bytes);
  if (data == MAP_FAILED) return fault("mmap");
  blocks[slots->count++] = (kn_slot_block){.data = data, .offset = slots->bytes, .bytes = room};
  slots->bytes = end;
  *out_data = data;
  return NULL;
}

static const kn_slot_block *block_of(const kn_slots *slots, const void *data, size_t bytes) {
  uintptr_t at = (uintptr_t)data;
  for (size_t i = 0; i < slots->count; i++) {
    uintptr_t begin = (uintptr_t)slots->blocks[i].data;
    if (at >= begin && at - begin <= slots->blocks[i].bytes && bytes <= slots->blocks[i].bytes - (at - begin))
      return &slots->blocks[i];
  }
  return NULL;
}

bool kn_slots_hold(const kn_slots *slots, const void *data, size_t bytes) {
  return block_of(slots, data, bytes) != NULL;
}

static uint64_t offset_of(const kn_slot_block *block, const void *data) {
  return block->offset + (uint64_t)((const uint8_t *)data - block->data);
}

static kn_status receive(kn_slots *slots, kn_slot_reply *reply) {
  struct pollfd channel = {.fd = slots->channel, .events = POLLIN};
  const int64_t until = slots->timeout_s > 0 ? kn_deadline_after(slots->timeout_s) : INT64_MAX;
  const bool hasty = slots->timeout_s > 0 && slots->timeout_s * 1000 < LOOK_MS;
  const int look_ms = hasty ? (int)(slots->timeout_s * 1000) + 1 : LOOK_MS;
  for (;;) {
    ssize_t got = -1;
    if (wait_for(&channel, 1, look_ms, &slots->last_wait_ns) >= 0)
      got = recv(channel.fd, reply, sizeof *reply, MSG_DONTWAIT);
    if (got == (ssize_t)sizeof *reply) return NULL;
    if (got >= 0) return kn_status_make(KN_IO_ERROR, "the worker is gone");
    if (errno != EINTR && errno != EAGAIN) return kn_status_make(KN_IO_ERROR, "the worker: %s", strerror(errno));
    if (kn_cancelled()) return kn_status_make(KN_CANCELLED, "stopped while the worker was at work");
    if (kn_deadline_now() >= until) return kn_status_make(KN_TIMEOUT, "the worker did not answer in time");
  }
}

kn_status kn_slots_infer(kn_slots *slots, const void *input, size_t input_bytes, void *output, size_t output_bytes) {
  const kn_slot_block *from = block_of(slots, input, input_bytes), *to = block_of(slots, output, output_bytes);
  if (!from || !to) return kn_status_make(KN_INTERNAL, "tensors outside of shared memory");
  const kn_slot_request request = {.input = offset_of(from, input),
                                   .input_bytes = input_bytes,
                                   .output = offset_of(to, output),
                                   .output_bytes = output_bytes};
  kn_slot_reply reply = {0};
  ssize_t sent;
  while ((sent = send(slots->channel, &request, sizeof request, MSG_NOSIGNAL)) < 0 && errno == EINTR) continue;
  if (sent != (ssize_t)sizeof request) return kn_status_make(KN_IO_ERROR, "the worker is gone");
  KN_TRY(receive(slots, &reply));
  if (!reply.code) return NULL;
  reply.message[sizeof reply.message - 1] = '\0';
  return kn_status_make((kn_code)reply.code, "%s", reply.message);
}

/* ---- the worker's end ---- */

kn_status kn_slots_peer_open(int channel, kn_slots_peer *out_peer) {
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(int))];
  } control = {0};
  char byte;
  struct iovec piece = {&byte, 1};
  struct msghdr message = {
      .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room};
  *out_peer = (kn_slots_peer){.channel = channel, .memory = -1};
  ssize_t got;
  while ((got = recvmsg(channel, &message, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR) continue;
  struct cmsghdr *rights = got == 1 ? CMSG_FIRSTHDR(&message) : NULL;
  if (!rights || rights->cmsg_type != SCM_RIGHTS || rights->cmsg_len != CMSG_LEN(sizeof(int)))
    return kn_status_make(KN_IO_ERROR, "the host hands over no memory");
  memcpy(&out_peer->memory, CMSG_DATA(rights), sizeof out_peer->memory);
  return NULL;
}

void kn_slots_peer_close(kn_slots_peer *peer) {
  if (peer->data) munmap(peer->data, peer->mapped);
  if (peer->channel >= 0) close(peer->channel);
  if (peer->memory >= 0) close(peer->memory);
  *peer = (kn_slots_peer){.channel = -1, .memory = -1};
}

/* Maps what the file has become. */
static kn_status map_all(kn_slots_peer *peer) {
  struct stat found;
  if (fstat(peer->memory, &found) < 0) return fault("fstat");
  if (peer->data) munmap(peer->data, peer->mapped);
  peer->data = NULL;
  peer->mapped = 0;
  void *data = mmap(NULL, (size_t)found.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, peer->memory, 0);
  if (data == MAP_FAILED) return fault("mmap");
  peer->data = data;
  peer->mapped = (size_t)found.st_size;
  return NULL;
}

static bool within(const kn_slots_peer *peer, uint64_t offset, uint64_t bytes) {
  return offset % 64 == 0 && offset <= peer->mapped && bytes <= peer->mapped - offset;
}

static kn_status run(kn_slots_peer *peer, kn_target_engine *engine, const kn_slot_request *request) {
  if (!engine->loaded) return kn_status_make(KN_INVALID_ARGUMENT, "no model is loaded");
  if (request->input_bytes != engine->input.bytes || request->output_bytes != engine->output.bytes)
    return kn_status_make(KN_INCOMPATIBLE, "the model takes %zu bytes and gives %zu, not %llu and %llu",
                          engine->input.bytes, engine->output.bytes, (unsigned long long)request->input_bytes,
                          (unsigned long long)request->output_bytes);
  bool there =
      within(peer, request->input, request->input_bytes) && within(peer, request->output, request->output_bytes);
  if (!there) KN_TRY(map_all(peer));
  if (!within(peer, request->input, request->input_bytes) || !within(peer, request->output, request->output_bytes))
    return kn_status_make(KN_INVALID_ARGUMENT, "tensors outside of shared memory");
  KN_TRY(kn_target_engine_input(engine, peer->data + request->input));
  KN_TRY(kn_target_engine_process(engine));
  return kn_target_engine_output(engine, peer->data + request->output);
}

/* False when the host is gone. */
static bool serve_one(kn_slots_peer *peer, kn_target_engine *engine) {
  kn_slot_request request;
  ssize_t got = recv(peer->channel, &request, sizeof request, MSG_DONTWAIT);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  if (got != (ssize_t)sizeof request) return false;
  kn_slot_reply reply = {0};
  kn_status status = run(peer, engine, &request);
  if (status) {
    reply.code = (uint32_t)kn_status_code(status);
    snprintf(reply.message, sizeof reply.message, "%s", kn_status_message(status, 0));
    kn_status_free(status);
  }
  return send(peer->channel, &reply, sizeof reply, MSG_NOSIGNAL) == (ssize_t)sizeof reply;
}

kn_status kn_slots_serve(kn_slots_peer *peer, kn_target_engine *engine, int fd) {
  struct pollfd both[] = {{.fd = peer->channel, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
  while (both[0].fd >= 0) {
    if (wait_for(both, 2, -1, &peer->last_wait_ns) < 0) {
      if (errno != EINTR) return kn_status_make(KN_IO_ERROR, "waiting for the host failed: %s", strerror(errno));
      if (kn_cancelled()) return kn_status_make(KN_CANCELLED, "stopped");
      continue;
    }
    if (both[0].revents && !serve_one(peer, engine)) both[0].fd = -1;
    if (both[1].revents) return NULL;
  }
  return NULL;
}
