/* TensorFlow sessions with an explicit number of threads. */
#ifndef TENSORFLOW_SESSION_H
#define TENSORFLOW_SESSION_H

#include "api.h"

/* A session that runs `graph` with kn_thread_count(threads) threads. TensorFlow makes one pool of worker threads per
 * process, of the size that its first session asks for. `fuse` false: operations are not fused with others, which
 * grouped convolutions cannot be where TensorFlow does without oneDNN. */
kn_status session_open(const tf_api *tf, TF_Graph *graph, int64_t threads, bool fuse,
                       TF_Session **out_session) KN_MUST_USE;
/* Loads a SavedModel into an empty `graph`. */
kn_status session_load(const tf_api *tf, const char *directory, const char *tag, int64_t threads, TF_Graph *graph,
                       TF_Session **out_session) KN_MUST_USE;
/* NULL is allowed. */
void session_close(const tf_api *tf, TF_Session *session);

#endif
