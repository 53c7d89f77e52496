/* Threads of ours. Each has a stack of its own for handlers of signals, so that a stack that is full is told as every
 * other crash is (core/crash.h). Threads that engines start are theirs: one that fills its stack ends without a line.
 */
#ifndef KENNING_CORE_THREAD_H
#define KENNING_CORE_THREAD_H

#include <pthread.h>

/* Stays where it is until the thread has ended. */
typedef struct kn_thread {
  pthread_t id;
  void *(*body)(void *);
  void *context;
} kn_thread;

/* Starts body(context); `attributes` may be NULL. 0, or the error number of pthread_create. */
int kn_thread_start(kn_thread *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *context);
/* Waits until it has ended. */
void kn_thread_join(kn_thread *thread);

#endif
