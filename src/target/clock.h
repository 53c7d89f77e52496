/* Two clocks on one time line. The target is asked for its time again and again; the exchange with the shortest round
 * trip tells most: whatever the two ways took, the target's answer fell between its question and its answer here, so
 * the offset is known to half of the round trip (D. Mills, RFC 5905, section 8). Clocks run at different speeds, so
 * this is done at the beginning and at the end of a run, and what lies between is interpolated. */
#ifndef KENNING_TARGET_CLOCK_H
#define KENNING_TARGET_CLOCK_H

#include "target/client.h"

enum { KN_CLOCK_ROUNDS = 16 };

/* At one moment. */
typedef struct kn_clock_offset {
  int64_t target_ns; /* on the target's clock */
  int64_t offset_ns; /* target's clock less this one's */
  int64_t error_ns;  /* bound of the offset's error: half of the shortest round trip */
} kn_clock_offset;

typedef struct kn_clock_line {
  kn_clock_offset offsets[2]; /* `count` of them, the earlier one first */
  size_t count;
} kn_clock_line;

/* Chooses from `rounds` exchanges: ours before, the target's, ours after, in ns. rounds > 0. */
kn_clock_offset kn_clock_offset_of(const int64_t (*exchanges)[3], size_t rounds);
/* Asks the target and adds what it says: the first offset stays, the last one is replaced. */
kn_status kn_clock_ask(kn_client *client, kn_clock_line *line) KN_MUST_USE;
/* A moment of the target's clock on this machine's; line->count > 0. */
int64_t kn_clock_here(const kn_clock_line *line, int64_t target_ns);

#endif
