/* The answer of a target to one request: its frames, whatever stands between them, and what it says when it refuses. */
#ifndef KENNING_TARGET_ANSWER_H
#define KENNING_TARGET_ANSWER_H

#include "target/client.h"

/* Where the payload of an answer goes. */
typedef struct kn_answer {
  uint8_t *data;
  size_t capacity; /* of `data` */
  size_t limit;    /* `grows`: the most it may become */
  bool grows;      /* `data` is the client's own, with room for one byte behind */
  size_t bytes;
  bool refused;   /* the target said no: the connection is fine */
  bool disturbed; /* a checksum was wrong; what was read is worth nothing */
} kn_answer;

/* When a message of so many bytes must be over. */
int64_t kn_client_deadline(const kn_client *client, uint64_t bytes);
bool kn_client_has_sums(const kn_client *client);
/* For messages: never NULL. */
const char *kn_answer_name(uint64_t type);
/* What to do about a target with a key, which this host does not have. */
kn_status kn_client_lacks_key(void) KN_MUST_USE KN_NEVER_NULL;
kn_status kn_client_read(kn_client *client, void *to, size_t bytes, int64_t until) KN_MUST_USE;
/* Makes room for `bytes` bytes, as far as the answer may have them. */
kn_status kn_answer_reserve(kn_answer *answer, size_t bytes) KN_MUST_USE;
/* The header of the answer's next frame, the `first` or a later one, with which its time begins. A refusal is told, and
 * answer->refused set. */
kn_status kn_answer_begin(kn_client *client, kn_message type, bool first, kn_frame *frame, uint8_t *sum,
                          kn_answer *answer) KN_MUST_USE;
/* The payload behind a header whose bytes have the given sum. */
kn_status kn_answer_payload(kn_client *client, const kn_frame *frame, uint8_t sum, kn_answer *answer) KN_MUST_USE;
/* Asks for the whole answer again after one that was disturbed: KN_BAD_DATA when that was done often enough. */
kn_status kn_answer_again(kn_client *client, kn_message type, kn_answer *answer) KN_MUST_USE;
/* All of it. */
kn_status kn_answer_read(kn_client *client, kn_message type, kn_answer *answer) KN_MUST_USE;

#endif
