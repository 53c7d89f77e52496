/* For writes that cannot be told MSG_NOSIGNAL: SIGPIPE, which would end the process of a user of the library, is held
 * back from this thread while they are made. */
#ifndef KENNING_TRANSPORT_PIPE_SIGNAL_H
#define KENNING_TRANSPORT_PIPE_SIGNAL_H

#include <kenning/base.h>
#include <signal.h>

typedef struct kn_pipe_signal {
  sigset_t before; /* what the thread blocked */
  bool pending;    /* one that is not of these writes */
} kn_pipe_signal;

kn_pipe_signal kn_pipe_signal_hold(void);
/* `raised`: a write may have raised the signal, which is taken. Leaves errno as it is. */
void kn_pipe_signal_release(const kn_pipe_signal *held, bool raised);

#endif
