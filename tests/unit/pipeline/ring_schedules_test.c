/* The ring under chosen schedules. Its code is compiled into this test with atomic operations and futexes that first
 * hand on to the thread that a seeded choice names, so that one thread runs at a time and each schedule can be had
 * again; the one store of release order goes with what stands before it. A lost wake-up, which takes a preemption
 * between two given instructions, shows as threads that all sleep. */
#include <kenning/random.h>
#include <kenning/services.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "support/status.h"

static void step(void);
static long futex(long number, _Atomic uint32_t *word, int operation, uint32_t value, ...);

#undef atomic_load
#undef atomic_store
#undef atomic_exchange
#undef atomic_fetch_add
#define atomic_load(at) (step(), atomic_load_explicit(at, memory_order_seq_cst))
#define atomic_store(at, value) (step(), atomic_store_explicit(at, value, memory_order_seq_cst))
#define atomic_exchange(at, value) (step(), atomic_exchange_explicit(at, value, memory_order_seq_cst))
#define atomic_fetch_add(at, value) (step(), atomic_fetch_add_explicit(at, value, memory_order_seq_cst))
#define syscall futex
#include "pipeline/ring.c"  // NOLINT(bugprone-suspicious-include)

enum { THREADS = 5 }; /* the consumer and up to four loaders */

typedef struct runner {
  sem_t turn;
  _Atomic uint32_t *asleep_on;
  bool ended;
} runner;

static struct {
  kn_ring ring;
  size_t held[8]; /* ticket + 1 of what the slot holds */
  size_t last;    /* ticket before which the consumer stops */
  runner runners[THREADS];
  size_t threads;
  uint64_t seed, choices;
  unsigned patience; /* a thread is preempted at one step of so many */
  bool stuck, wrong;
  sem_t over;
} run;
static _Thread_local size_t self;

static uint64_t choose(uint64_t among) { return kn_random(run.seed, run.choices++) % among; }

/* The next thread to run, which may be this one; THREADS when none can. */
static size_t choose_runner(void) {
  size_t able[THREADS], count = 0;
  for (size_t i = 0; i < run.threads; i++)
    if (!run.runners[i].ended && !run.runners[i].asleep_on) able[count++] = i;
  return count ? able[choose(count)] : THREADS;
}

/* Lets another thread run, or reports that none can, and waits for this one's turn. */
static void hand_on(void) {
  size_t next = choose_runner();
  if (next == self) return;
  if (next == THREADS) {
    run.stuck = true;
    sem_post(&run.over);
  } else {
    sem_post(&run.runners[next].turn);
  }
  sem_wait(&run.runners[self].turn);
}

static void step(void) {
  if (choose(run.patience) == 0) hand_on();
}

static long futex(long number, _Atomic uint32_t *word, int operation, uint32_t value, ...) {
  assert_int_equal(number, SYS_futex);
  step();
  if (operation == FUTEX_WAIT_PRIVATE) {
    if (atomic_load_explicit(word, memory_order_seq_cst) != value) return -1;
    run.runners[self].asleep_on = word;
    hand_on();
  } else {
    for (size_t i = 0; i < run.threads; i++)
      if (run.runners[i].asleep_on == word) run.runners[i].asleep_on = NULL;
  }
  return 0;
}

static void begin(size_t index) {
  self = index;
  sem_wait(&run.runners[self].turn);
}

static void end(void) {
  run.runners[self].ended = true;
  bool all = true;
  for (size_t i = 0; i < run.threads; i++) all = all && run.runners[i].ended;
  size_t next = choose_runner();
  if (next != THREADS) {
    sem_post(&run.runners[next].turn);
    return;
  }
  run.stuck = !all;
  sem_post(&run.over);
}

static void *load(void *index) {
  begin((size_t)(uintptr_t)index);
  size_t ticket;
  while (kn_ring_claim(&run.ring, &ticket)) {
    step();
    run.held[ticket % run.ring.slots] = ticket + 1;
    kn_ring_publish(&run.ring, ticket);
  }
  end();
  return NULL;
}

static void *consume(void *index) {
  begin((size_t)(uintptr_t)index);
  for (size_t ticket = 0; ticket < run.last; ticket++) {
    if (!kn_ring_ready(&run.ring, ticket)) kn_ring_wait(&run.ring, ticket);
    step();
    if (run.held[ticket % run.ring.slots] != ticket + 1) run.wrong = true;
    kn_ring_release(&run.ring, ticket);
  }
  kn_ring_stop(&run.ring);
  end();
  return NULL;
}

static void follow(uint64_t seed, size_t slots, size_t loaders, size_t total, size_t last) {
  kn_ring ring;
  kt_assert_ok(kn_ring_create(slots, total, &ring));
  memset(&run, 0, sizeof run);
  run.ring = ring;
  run.last = last;
  run.threads = 1 + loaders;
  run.seed = seed;
  run.patience = 1u << (seed % 4);
  sem_init(&run.over, 0, 0);
  pthread_t threads[THREADS];
  for (size_t i = 0; i < run.threads; i++) {
    sem_init(&run.runners[i].turn, 0, 0);
    assert_int_equal(pthread_create(&threads[i], NULL, i ? load : consume, (void *)(uintptr_t)i), 0);
  }
  sem_post(&run.runners[choose(run.threads)].turn);
  sem_wait(&run.over);
  /* What is stuck stays so: those threads end with the program. */
  if (run.stuck)
    fail_msg("seed %llu, %zu slots, %zu loaders: all threads sleep", (unsigned long long)seed, slots, loaders);
  for (size_t i = 0; i < run.threads; i++) pthread_join(threads[i], NULL);
  if (run.wrong)
    fail_msg("seed %llu, %zu slots, %zu loaders: a slot was lost", (unsigned long long)seed, slots, loaders);
  kn_ring_clear(&run.ring);
}

static const struct { size_t slots, loaders; } rings[] = {{2, 1}, {2, 2}, {3, 2}, {4, 1}, {4, 2}, {5, 3}, {4, 4}};

enum { SCHEDULES = 400 }; /* of each ring */

static void nobody_sleeps_for_ever(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof rings / sizeof *rings; i++)
    for (uint64_t seed = 0; seed < SCHEDULES; seed++) {
      size_t total = 3 * rings[i].slots + 1;
      follow(seed, rings[i].slots, rings[i].loaders, total, total);
    }
}

static void stopping_wakes_who_sleeps(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof rings / sizeof *rings; i++)
    for (uint64_t seed = 0; seed < SCHEDULES / 4; seed++)
      follow(seed, rings[i].slots, rings[i].loaders, 1000, (size_t)seed % (2 * rings[i].slots));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nobody_sleeps_for_ever),
      cmocka_unit_test(stopping_wakes_who_sleeps),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
