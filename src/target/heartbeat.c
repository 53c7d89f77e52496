#include "target/heartbeat.h"

#include "target/replies.h"
#include "transport/deadline.h"

#include <kenning/services.h>
#include <signal.h>
#include <time.h>

/* The owner of the connection finds out by itself when it is broken. */
static void send_sign(kn_heartbeat *heartbeat) {
  const kn_link_config *link = heartbeat->link;
  kn_replies replies = {0};
  kn_replies_notice(&replies, &link->wire, KN_MESSAGE_HEARTBEAT);
  const kn_piece piece = {replies.data, replies.bytes};
  if (!replies.lost)
    kn_status_free(kn_connection_write(heartbeat->connection, &piece, 1, kn_deadline_after(link->timeout_s)));
  kn_replies_clear(&replies);
}

static struct timespec later(double seconds) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  int64_t ns = (int64_t)at.tv_sec * 1000000000 + at.tv_nsec + (int64_t)(seconds * 1e9);
  return (struct timespec){.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)};
}

/* It sleeps until work begins, and then from sign to sign. Work that is over before the first sign costs nothing but
 * this thread's being woken once in `heartbeat_s`. */
static void *beat(void *context) {
  kn_heartbeat *heartbeat = context;
  pthread_mutex_lock(&heartbeat->mutex);
  while (!heartbeat->ending) {
    struct timespec at = later(heartbeat->link->heartbeat_s);
    bool worked = heartbeat->working;
    int error = 0;
    while (!heartbeat->ending && !error) error = pthread_cond_timedwait(&heartbeat->wake, &heartbeat->mutex, &at);
    if (!heartbeat->ending && worked && heartbeat->working) send_sign(heartbeat);
  }
  pthread_mutex_unlock(&heartbeat->mutex);
  return NULL;
}

kn_status kn_heartbeat_start(kn_connection *connection, const kn_link_config *link, kn_heartbeat *out_heartbeat) {
  *out_heartbeat = (kn_heartbeat){.connection = connection, .link = link};
  if (link->heartbeat_s <= 0) return NULL;
  pthread_condattr_t attributes;
  if (pthread_condattr_init(&attributes)) return kn_status_out_of_memory();
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_mutex_init(&out_heartbeat->mutex, NULL);
  pthread_cond_init(&out_heartbeat->wake, &attributes);
  pthread_condattr_destroy(&attributes);
  /* Signals are for the thread that runs the engine. */
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = kn_thread_start(&out_heartbeat->thread, NULL, beat, out_heartbeat);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  out_heartbeat->started = !error;
  if (!error) return NULL;
  pthread_cond_destroy(&out_heartbeat->wake);
  pthread_mutex_destroy(&out_heartbeat->mutex);
  return kn_status_make(KN_IO_ERROR, "no thread can be started for signs of life");
}

void kn_heartbeat_stop(kn_heartbeat *heartbeat) {
  if (!heartbeat->started) return;
  pthread_mutex_lock(&heartbeat->mutex);
  heartbeat->ending = true;
  pthread_cond_signal(&heartbeat->wake);
  pthread_mutex_unlock(&heartbeat->mutex);
  kn_thread_join(&heartbeat->thread);
  pthread_cond_destroy(&heartbeat->wake);
  pthread_mutex_destroy(&heartbeat->mutex);
  heartbeat->started = false;
}

static void set_working(kn_heartbeat *heartbeat, bool working) {
  if (!heartbeat->started) return;
  pthread_mutex_lock(&heartbeat->mutex);
  heartbeat->working = working;
  pthread_mutex_unlock(&heartbeat->mutex);
}

void kn_heartbeat_begin(kn_heartbeat *heartbeat) { set_working(heartbeat, true); }

void kn_heartbeat_end(kn_heartbeat *heartbeat) { set_working(heartbeat, false); }
