#include "transport/deadline.h"

#include <kenning/services.h>

static const kn_deadline_clock *other;

void kn_deadline_use(const kn_deadline_clock *clock) { other = clock; }

int64_t kn_deadline_now(void) { return other ? other->now(other->context) : kn_now_ns(); }

int64_t kn_deadline_after(double seconds) { return kn_deadline_now() + (int64_t)(seconds * 1e9); }

int kn_deadline_wait(struct pollfd *list, size_t count, int milliseconds) {
  return other ? other->wait(other->context, list, count, milliseconds) : poll(list, count, milliseconds);
}
