#include "pipeline/ring.h"

#include <kenning/services.h>
#include <pthread.h>
#include <time.h>

#include "support/status.h"

typedef struct traffic {
  kn_ring ring;
  _Atomic size_t held[16]; /* ticket + 1 of what the slot holds */
  long loader_pause_ns, consumer_pause_ns;
} traffic;

static void rest(long ns) {
  if (ns) nanosleep(&(struct timespec){.tv_nsec = ns}, NULL);
}

static void *load(void *context) {
  traffic *t = context;
  size_t ticket;
  while (kn_ring_claim(&t->ring, &ticket)) {
    rest(t->loader_pause_ns);
    atomic_store(&t->held[ticket % t->ring.slots], ticket + 1);
    kn_ring_publish(&t->ring, ticket);
  }
  return NULL;
}

/* Passes `total` tickets, or stops after `stop` of them. */
static void pass(size_t slots, size_t total, size_t loaders, size_t stop, long loader_pause, long consumer_pause) {
  static traffic t;
  t = (traffic){.loader_pause_ns = loader_pause, .consumer_pause_ns = consumer_pause};
  kt_assert_ok(kn_ring_create(slots, total, &t.ring));
  pthread_t threads[8];
  for (size_t i = 0; i < loaders; i++) assert_int_equal(pthread_create(&threads[i], NULL, load, &t), 0);
  for (size_t ticket = 0; ticket < stop; ticket++) {
    if (!kn_ring_ready(&t.ring, ticket)) kn_ring_wait(&t.ring, ticket);
    assert_int_equal(atomic_load(&t.held[ticket % slots]), ticket + 1);
    rest(t.consumer_pause_ns);
    assert_int_equal(atomic_load(&t.held[ticket % slots]), ticket + 1); /* nobody touched it meanwhile */
    kn_ring_release(&t.ring, ticket);
  }
  kn_ring_stop(&t.ring);
  for (size_t i = 0; i < loaders; i++) pthread_join(threads[i], NULL);
  kn_ring_clear(&t.ring);
}

static void tickets_come_in_order(void **state) {
  (void)state;
  for (size_t loaders = 1; loaders <= 4; loaders++) {
    pass(4, 20000, loaders, 20000, 0, 0);
    pass(5, 20000, loaders, 20000, 0, 0); /* no power of two, and odd */
    pass(16, 20000, loaders, 20000, 0, 0);
  }
  pass(2, 5000, 1, 5000, 0, 0);
  pass(2, 5000, 2, 5000, 0, 0);
}

static void either_side_may_be_slow(void **state) {
  (void)state;
  pass(4, 200, 3, 200, 200000, 0);
  pass(4, 200, 3, 200, 0, 200000);
  pass(4, 3, 3, 3, 0, 0); /* fewer tickets than slots */
}

static void stopping_wakes_sleeping_loaders(void **state) {
  (void)state;
  for (size_t stop = 0; stop < 12; stop++) pass(4, 1000000, 4, stop, 0, stop % 3 ? 0 : 3000000);
}

static void a_ring_has_a_limit(void **state) {
  (void)state;
  kn_ring ring;
  kt_assert_fault(kn_ring_create(4, (size_t)1 << 31, &ring), KN_INVALID_ARGUMENT, "at most");
  kn_ring_clear(&ring);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tickets_come_in_order),
      cmocka_unit_test(either_side_may_be_slow),
      cmocka_unit_test(stopping_wakes_sleeping_loaders),
      cmocka_unit_test(a_ring_has_a_limit),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
