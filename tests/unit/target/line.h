/* A serial line: two pseudo-terminals with a relay between them that passes bytes on at the pace of 115200 baud. */
#ifndef TESTS_UNIT_TARGET_LINE_H
#define TESTS_UNIT_TARGET_LINE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

typedef struct line {
  int masters[2];
  char names[2][64]; /* of the host's end and of the target's */
  pthread_t relay;
  atomic_bool stop;
  size_t disturb[2]; /* the byte of this number, of those that go to the target and of those that come back, is changed;
                        0: none */
  atomic_size_t passed[2];
} line;

void open_line(line *l, size_t disturb, size_t disturb_back);
void close_line(line *l);

#endif
