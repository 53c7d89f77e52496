/* The clock of deadlines and the waiting for descriptors. Tests put another one in its place, so that what takes hours
 * takes no time. */
#ifndef KENNING_TRANSPORT_DEADLINE_H
#define KENNING_TRANSPORT_DEADLINE_H

#include <kenning/base.h>
#include <poll.h>

typedef struct kn_deadline_clock {
  void *context;
  int64_t (*now)(void *context);                                                   /* ns */
  int (*wait)(void *context, struct pollfd *list, size_t count, int milliseconds); /* as poll(2) */
} kn_deadline_clock;

/* NULL: the machine's, kn_now_ns and poll. Before there are other threads. */
void kn_deadline_use(const kn_deadline_clock *clock);
int64_t kn_deadline_now(void);
/* `seconds` from now. */
int64_t kn_deadline_after(double seconds);
int kn_deadline_wait(struct pollfd *list, size_t count, int milliseconds);

#endif
