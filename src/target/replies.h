/* Replies of a target under construction, framed in the format of the wire. */
#ifndef KENNING_TARGET_REPLIES_H
#define KENNING_TARGET_REPLIES_H

#include "target/session.h"

typedef struct kn_replies {
  uint8_t *data;
  size_t bytes, capacity;
  bool lost; /* memory was exhausted: what is there is not whole, the connection must end */
} kn_replies;

/* A successful reply, in as many frames as it takes; 2022: OK. */
void kn_replies_success(kn_replies *replies, const kn_wire_config *wire, uint64_t type, const void *payload,
                        size_t bytes);
/* A refusal; today's formats tell the words in a LOGS message before. `code` other than KN_OK stands behind it. */
void kn_replies_refusal(kn_replies *replies, const kn_wire_config *wire, uint64_t type, kn_refusal refusal,
                        kn_code code);
/* A message without payload that answers nothing. */
void kn_replies_notice(kn_replies *replies, const kn_wire_config *wire, kn_message type);
void kn_replies_clear(kn_replies *replies);

#endif
