#include "core/thread.h"

#include "core/crash.h"

/* What fills a stack grows away from this frame, so the room for handlers can lie in it. */
static void *run(void *self) {
  const kn_thread *thread = self;
  char room[KN_CRASH_STACK_BYTES];
  kn_crash_use_stack(room);
  void *result = thread->body(thread->context);
  kn_crash_use_stack(NULL);
  return result;
}

int kn_thread_start(kn_thread *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *context) {
  thread->body = body;
  thread->context = context;
  return pthread_create(&thread->id, attributes, run, thread);
}

void kn_thread_join(kn_thread *thread) { pthread_join(thread->id, NULL); }
