#include "wire/message.h"

static const struct {
  const char *name;
  kn_direction direction;
  uint8_t action;
} messages[] = {
#define ROW(name, number, direction, action) [number] = {#name, direction, action},
    KN_MESSAGES(ROW)
#undef ROW
};

static_assert(sizeof messages / sizeof messages[0] == KN_MESSAGE_COUNT, "the numbers have no gap");

const char *kn_message_name(uint64_t type) { return type < KN_MESSAGE_COUNT ? messages[type].name : NULL; }

kn_direction kn_message_direction(uint64_t type) {
  return type < KN_MESSAGE_COUNT ? messages[type].direction : KN_NOTICE;
}

uint8_t kn_message_action(uint64_t type) {
  return type < KN_MESSAGE_COUNT ? messages[type].action : messages[KN_MESSAGE_PING].action;
}
