#include "wire/message.h"

typedef struct kn_message_row {
  const char *name;
  kn_direction direction;
  uint8_t action;
} kn_message_row;

static const kn_message_row messages[] = {
#define ROW(name, number, direction, action) [number] = {#name, direction, action},
    KN_MESSAGES(ROW) KN_EXTENSIONS(ROW)
#undef ROW
};

#define ONE(name, number, direction, action) +1
static_assert(KN_MESSAGES(ONE) == KN_MESSAGE_COUNT, "the original's numbers have no gap");
#undef ONE

static const kn_message_row *find(uint64_t type) {
  bool known = type < sizeof messages / sizeof *messages && messages[type].name;
  return known ? &messages[type] : NULL;
}

bool kn_message_extends(uint64_t type) { return type >= KN_MESSAGE_COUNT && find(type); }

const char *kn_message_name(uint64_t type) {
  const kn_message_row *row = find(type);
  return row ? row->name : NULL;
}

kn_direction kn_message_direction(uint64_t type) {
  const kn_message_row *row = find(type);
  return row ? row->direction : KN_NOTICE;
}

uint8_t kn_message_action(uint64_t type) {
  const kn_message_row *row = find(type);
  return row ? row->action : messages[KN_MESSAGE_PING].action;
}
