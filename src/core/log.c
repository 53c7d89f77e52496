#include "core/log.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static kn_log_level threshold = KN_LOG_INFO;
static atomic_bool cancelled; /* lock-free: set by a signal handler, read by every thread */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool line_open; /* a progress line without newline stands on the terminal */

void kn_log_set_level(kn_log_level level) { threshold = level; }

static bool colour(void) {
  const char *no_color = getenv("NO_COLOR");
  return isatty(STDERR_FILENO) && !(no_color && *no_color);
}

static void close_line(void) {
  if (line_open) fputc('\n', stderr);
  line_open = false;
}

/* What files hold stands in messages: nothing of it may command the terminal, also not the control characters of UTF-8
 * from U+0080 on. */
static void print_text(const char *text, size_t length) {
  for (size_t i = 0; i < length; i++) {
    unsigned char c = (unsigned char)text[i], next = i + 1 < length ? (unsigned char)text[i + 1] : 0;
    bool command = (c < ' ' && c != '\t') || c == 0x7f || (c == 0xc2 && next >= 0x80 && next < 0xa0);
    fputc(command ? '?' : c, stderr);
    i += command && c == 0xc2;
  }
}

/* The lines of a message. */
static void print_message(const char *format, va_list arguments) {
  char room[1024], *text = room;
  va_list again;
  va_copy(again, arguments);
  int length = vsnprintf(room, sizeof room, format, arguments);
  if (length >= (int)sizeof room) text = kn_vformat(format, again);
  va_end(again);
  if (!text) text = room; /* its beginning, for lack of memory */
  for (const char *at = text; length >= 0;) {
    size_t bytes = strcspn(at, "\n");
    print_text(at, bytes);
    at += bytes;
    if (!*at) break;
    fputc(*at++, stderr);
  }
  if (text != room) kn_free(text);
}

void kn_vlog(kn_log_level level, const char *format, va_list arguments) {
  if (level < threshold) return;
  if ((unsigned)level > KN_LOG_CRITICAL) level = KN_LOG_CRITICAL; /* plug-ins may err */
  static const char *const labels[] = {"debug: ", "", "warning: ", "error: ", "error: "};
  static const char *const colours[] = {"\033[2m", "", "\033[33m", "\033[31m", "\033[31m"};
  bool use_colour = colour() && colours[level][0];
  pthread_mutex_lock(&lock);
  close_line();
  fprintf(stderr, "kenning: %s%s%s", use_colour ? colours[level] : "", labels[level], use_colour ? "\033[0m" : "");
  print_message(format, arguments);
  fputc('\n', stderr);
  pthread_mutex_unlock(&lock);
}

void kn_log(kn_log_level level, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  kn_vlog(level, format, arguments);
  va_end(arguments);
}

/* `text` with every line indented. */
static void print_lines(const char *text, const char *indent) {
  for (const char *at = text; *at;) {
    size_t length = strcspn(at, "\n");
    fputs(indent, stderr);
    print_text(at, length);
    fputc('\n', stderr);
    at += length + (at[length] == '\n');
  }
}

void kn_log_status(kn_status status) {
  pthread_mutex_lock(&lock);
  close_line();
  bool use_colour = colour();
  for (size_t i = 0; i < kn_status_count(status); i++) {
    const char *where = kn_status_where(status, i), *message = kn_status_message(status, i);
    size_t first = strcspn(message, "\n");
    if (!where) where = "kenning";
    print_text(where, strlen(where));
    fprintf(stderr, ": %serror:%s ", use_colour ? "\033[31m" : "", use_colour ? "\033[0m" : "");
    print_text(message, first);
    fputc('\n', stderr);
    if (message[first]) print_lines(message + first + 1, "    ");
    print_lines(kn_status_context(status, i), "    ");
  }
  pthread_mutex_unlock(&lock);
}

void kn_progress(const char *what, double done, double total, const char *detail) {
  static int64_t last_shown;
  static int last_percent = -1;
  static char last_what[64];
  if (threshold > KN_LOG_INFO) return;
  bool terminal = isatty(STDERR_FILENO), end = total > 0 && done >= total;
  int percent = total > 0 ? (int)(100 * done / total) : 0;
  int64_t now = kn_now_ns();
  pthread_mutex_lock(&lock);
  bool fresh = strncmp(last_what, what, sizeof last_what - 1) != 0;
  /* On a terminal ten times a second; elsewhere a line every tenth of the way or every five seconds. */
  bool due =
      fresh || end ||
      (terminal ? now - last_shown > 100000000 : percent / 10 != last_percent / 10 || now - last_shown > 5000000000);
  if (due) {
    if (fresh || !terminal) close_line();
    if (terminal) fputs("\r\033[K", stderr);
    fputs("kenning: ", stderr);
    print_text(what, strlen(what));
    if (total > 0) fprintf(stderr, " %3d%%", percent);
    if (detail && *detail) fputs("  ", stderr);
    if (detail) print_text(detail, strlen(detail));
    line_open = terminal && !end;
    if (!line_open) fputc('\n', stderr);
    fflush(stderr);
    snprintf(last_what, sizeof last_what, "%s", end ? "" : what);
    last_shown = now;
    last_percent = percent;
  }
  pthread_mutex_unlock(&lock);
}

void kn_cancel(void) { atomic_store_explicit(&cancelled, true, memory_order_relaxed); }
void kn_cancel_reset(void) { atomic_store_explicit(&cancelled, false, memory_order_relaxed); }
bool kn_cancelled(void) { return atomic_load_explicit(&cancelled, memory_order_relaxed); }

int64_t kn_now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC_RAW, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}
