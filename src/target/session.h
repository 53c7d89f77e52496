/* What a target does with the bytes of one client: pure state, no descriptor, no deadline. Whoever owns the connection
 * asks where the next bytes go (window), says how many came (received), lets the target work when a message is whole,
 * and sends what the session wants sent (replies). So it never blocks, and hostile bytes can be tried without a peer.
 * One thread at a time. */
#ifndef KENNING_TARGET_SESSION_H
#define KENNING_TARGET_SESSION_H

#include "core/instance.h"
#include "target/engine.h"
#include "wire/frame.h"

/* What both ends must agree on. */
typedef struct kn_wire_config {
  kn_wire_format format;
  bool big_endian;      /* the format of 2022 alone */
  bool checksums;       /* sums are sent and demanded; not in the format of 2022 */
  uint32_t frame_limit; /* bytes of one frame with its header, at least 64; 2022: no fragments */
} kn_wire_config;

typedef struct kn_session_config {
  kn_wire_config wire;
  const char *model_path;  /* where models are put; the client has no say in it */
  bool in_place;           /* the model is there: an empty MODEL loads it, another is refused */
  uint64_t model_limit;    /* bytes */
  kn_instance *optimizers; /* that the target's scenario offers; NULL: none */
  size_t optimizer_count;
  bool sampled; /* the machine is sampled while a model is loaded */
} kn_session_config;

/* Why a request was refused: the words that may be on the wire, and the code that hosts get which understand codes.
 * What a call of the runtime says has its own code. Details are in the target's own log. Never renumbered. */
#define KN_REFUSALS(X)                                  \
  X(NONE, 0, "none", KN_OK)                             \
  X(UNKNOWN_TYPE, 1, "unknown type", KN_INCOMPATIBLE)   \
  X(WRONG_STATE, 2, "wrong state", KN_INVALID_ARGUMENT) \
  X(WRONG_SIZE, 3, "wrong size", KN_INCOMPATIBLE)       \
  X(TOO_LARGE, 4, "too large", KN_INCOMPATIBLE)         \
  X(BAD_CHECKSUM, 5, "bad checksum", KN_IO_ERROR)       \
  X(BAD_FRAGMENT, 6, "bad fragment", KN_BAD_DATA)       \
  X(BAD_FRAME, 7, "bad frame", KN_BAD_DATA)             \
  X(NOT_SUPPORTED, 8, "not supported", KN_INCOMPATIBLE) \
  X(BAD_DATA, 9, "bad data", KN_BAD_DATA)               \
  X(STORAGE, 10, "storage failed", KN_IO_ERROR)         \
  X(ENGINE, 11, "engine failed", KN_BACKEND_FAILED)     \
  X(MEMORY, 12, "out of memory", KN_OUT_OF_MEMORY)      \
  X(NOT_HERE, 13, "not here", KN_NOT_FOUND)

typedef enum kn_refusal {
#define KN_REFUSAL_NUMBER(name, number, text, code) KN_REFUSED_##name = number,
  KN_REFUSALS(KN_REFUSAL_NUMBER)
#undef KN_REFUSAL_NUMBER
} kn_refusal;

typedef enum kn_session_next {
  KN_SESSION_READ, /* more bytes are needed */
  KN_SESSION_WORK, /* a message is whole: send the replies, then call kn_target_session_work */
  KN_SESSION_CLOSE /* what follows on the connection cannot be understood: send the replies and close it */
} kn_session_next;

typedef struct kn_target_session kn_target_session;

/* `engine` is open and outlives the session; strings of `config` too. */
kn_status kn_target_session_create(const kn_session_config *config, kn_target_engine *engine,
                                   kn_target_session **out_session) KN_MUST_USE;
void kn_target_session_destroy(kn_target_session *session); /* NULL is allowed */

/* Where the next bytes go: at least one, never beyond the end of the message. Valid until the next call. */
void *kn_target_session_window(kn_target_session *session, size_t *out_bytes);
kn_session_next kn_target_session_received(kn_target_session *session, size_t bytes) KN_MUST_USE;
/* KN_SESSION_READ or KN_SESSION_CLOSE. */
kn_session_next kn_target_session_work(kn_target_session *session) KN_MUST_USE;

/* What is to be sent; kn_target_session_sent empties it. */
const void *kn_target_session_replies(const kn_target_session *session, size_t *out_bytes);
void kn_target_session_sent(kn_target_session *session);

/* Payload bytes of the message under way as far as its frames have told, those that have come included. */
uint64_t kn_target_session_size(const kn_target_session *session);
/* Whether a message is under way. */
bool kn_target_session_amid(const kn_target_session *session);

/* Whether the client and this target have agreed on the extensions (wire/extension.h). */
bool kn_target_session_extended(const kn_target_session *session);

const char *kn_refusal_text(kn_refusal refusal);
kn_code kn_refusal_code(kn_refusal refusal);

#endif
