/* The messages of Kenning's wire formats. One table; the formats differ in the header in front of a payload and in
 * what a reply looks like (docs/protocol.md). */
#ifndef KENNING_WIRE_MESSAGE_H
#define KENNING_WIRE_MESSAGE_H

#include <assert.h>
#include <kenning/base.h>

/* What a request carries and what its reply carries. An upload is answered by success or failure alone. */
typedef enum kn_direction {
  KN_UPLOAD = 1, /* payload in the request */
  KN_COMMAND,    /* none: the target does something */
  KN_DOWNLOAD,   /* payload in the reply */
  KN_NOTICE      /* no request of a client */
} kn_direction;

/* X(name, number, direction, action): `action` is the one byte by which a target says what it did or failed to do
 * (the original's ServerAction). Numbers 2 to 7 are the same in all formats; the format of 2022 has its replies
 * OK = 0 and ERROR = 1 where today's has PING and STATUS. */
#define KN_MESSAGES(X)                   \
  X(PING, 0, KN_NOTICE, 12)              \
  X(STATUS, 1, KN_NOTICE, 12)            \
  X(DATA, 2, KN_UPLOAD, 5)               \
  X(MODEL, 3, KN_UPLOAD, 3)              \
  X(PROCESS, 4, KN_COMMAND, 6)           \
  X(OUTPUT, 5, KN_DOWNLOAD, 7)           \
  X(STATS, 6, KN_DOWNLOAD, 8)            \
  X(IO_SPEC, 7, KN_UPLOAD, 2)            \
  X(TRACE_DATA, 8, KN_NOTICE, 12)        \
  X(OPTIMIZERS, 9, KN_UPLOAD, 10)        \
  X(OPTIMIZE_MODEL, 10, KN_DOWNLOAD, 9)  \
  X(RUNTIME, 11, KN_UPLOAD, 11)          \
  X(UNOPTIMIZED_MODEL, 12, KN_UPLOAD, 4) \
  X(LOGS, 13, KN_NOTICE, 12)

/* Ours, the same in all formats, for peers that have agreed on them (wire/extension.h). */
#define KN_EXTENSIONS(X)        \
  X(INFER, 48, KN_DOWNLOAD, 6)  \
  X(CLOCK, 49, KN_DOWNLOAD, 12) \
  X(IDENTITY, 50, KN_UPLOAD, 3) \
  X(HEARTBEAT, 51, KN_NOTICE, 6)

typedef enum kn_message {
#define KN_MESSAGE_NUMBER(name, number, direction, action) KN_MESSAGE_##name = number,
  KN_MESSAGES(KN_MESSAGE_NUMBER) KN_MESSAGE_COUNT,
  KN_EXTENSIONS(KN_MESSAGE_NUMBER)
#undef KN_MESSAGE_NUMBER
} kn_message;

/* Replies of the format of 2022. */
enum { KN_REPLY_OK = 0, KN_REPLY_ERROR = 1 };

static_assert(KN_MESSAGE_COUNT == 14, "a message was added: give it its handler in target/session.c");
static_assert(KN_MESSAGE_HEARTBEAT < 64, "the 8-byte header has six bits for the type");
static_assert(KN_MESSAGE_DATA == 2 && KN_MESSAGE_IO_SPEC == 7, "the numbers that all formats share");

/* Whether a number is that of an extension. */
bool kn_message_extends(uint64_t type);
/* NULL for a number that is none. */
const char *kn_message_name(uint64_t type);
/* KN_NOTICE for a number that is none. */
kn_direction kn_message_direction(uint64_t type);
uint8_t kn_message_action(uint64_t type);

#endif
