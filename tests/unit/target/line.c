#include "unit/target/line.h"

#include "support/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <termios.h>
#include <unistd.h>

enum { BYTES_PER_SECOND = 11520, PIECE = 64 };

static int open_terminal(char *name, size_t size) {
  int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  assert_true(master >= 0);
  assert_int_equal(grantpt(master), 0);
  assert_int_equal(unlockpt(master), 0);
  assert_int_equal(ptsname_r(master, name, size), 0);
  /* Raw from the start, and the other end stays open: otherwise the first reader gets an error before it is. */
  int slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
  assert_true(slave >= 0);
  struct termios settings;
  assert_int_equal(tcgetattr(slave, &settings), 0);
  cfmakeraw(&settings);
  assert_int_equal(tcsetattr(slave, TCSANOW, &settings), 0);
  return master;
}

static void *relay(void *context) {
  line *l = context;
  while (!l->stop) {
    struct pollfd both[] = {{.fd = l->masters[0], .events = POLLIN}, {.fd = l->masters[1], .events = POLLIN}};
    if (poll(both, 2, 20) <= 0) continue;
    for (int i = 0; i < 2; i++) {
      uint8_t bytes[PIECE];
      ssize_t got = both[i].revents & POLLIN ? read(l->masters[i], bytes, sizeof bytes) : 0;
      if (got <= 0) continue;
      for (ssize_t k = 0; k < got; k++)
        if (++l->passed[i] == l->disturb[i]) bytes[k] ^= 0x10;
      usleep((useconds_t)(got * 1000000 / BYTES_PER_SECOND));
      for (ssize_t sent = 0; sent < got;) {
        ssize_t now = write(l->masters[1 - i], bytes + sent, (size_t)(got - sent));
        if (now > 0)
          sent += now;
        else if (errno != EINTR && errno != EAGAIN)
          return NULL;
      }
    }
  }
  return NULL;
}

void open_line(line *l, size_t disturb, size_t disturb_back) {
  *l = (line){.disturb = {disturb, disturb_back}};
  for (int i = 0; i < 2; i++) l->masters[i] = open_terminal(l->names[i], sizeof l->names[i]);
  assert_int_equal(pthread_create(&l->relay, NULL, relay, l), 0);
}

void close_line(line *l) {
  l->stop = true;
  pthread_join(l->relay, NULL);
  for (int i = 0; i < 2; i++) close(l->masters[i]);
}
