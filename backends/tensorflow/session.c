#include "session.h"

/* ConfigProto (tensorflow/core/protobuf/config.proto) with intra_op_parallelism_threads = 2 and
 * inter_op_parallelism_threads = 5: varint fields. One operation after another in the calling thread (-1), each spread
 * over the threads: operations that run side by side contend for the same cores, and handing each over to another
 * thread costs microseconds. */
static size_t encode_config(int64_t threads, bool fuse, unsigned char out[32]) {
  /* graph_options = 10 { rewrite_options = 10 { remapping = 14: OFF (tensorflow/core/protobuf/rewriter_config.proto) }
   * } */
  static const unsigned char unfused[] = {10 << 3 | 2, 4, 10 << 3 | 2, 2, 14 << 3, 2};
  size_t length = 0;
  const struct {
    unsigned char tag;
    uint64_t value;
  } fields[] = {{2 << 3, (uint64_t)threads}, {5 << 3, UINT64_MAX}};
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
    uint64_t value = fields[i].value;
    out[length++] = fields[i].tag;
    for (; value >= 0x80; value >>= 7) out[length++] = (unsigned char)(value | 0x80);
    out[length++] = (unsigned char)value;
  }
  for (size_t i = 0; !fuse && i < sizeof unfused; i++) out[length++] = unfused[i];
  return length;
}

typedef TF_Session *(*session_maker)(const tf_api *tf, const TF_SessionOptions *options, const void *context,
                                     TF_Graph *graph, TF_Status *status);

typedef struct saved_model_place {
  const char *directory, *tag;
} saved_model_place;

static TF_Session *make_new(const tf_api *tf, const TF_SessionOptions *options, const void *context, TF_Graph *graph,
                            TF_Status *status) {
  (void)context;
  return tf->TF_NewSession(graph, options, status);
}

static TF_Session *make_loaded(const tf_api *tf, const TF_SessionOptions *options, const void *context, TF_Graph *graph,
                               TF_Status *status) {
  const saved_model_place *place = context;
  return tf->TF_LoadSessionFromSavedModel(options, NULL, place->directory, &place->tag, 1, graph, NULL, status);
}

static kn_status make_session(const tf_api *tf, TF_Graph *graph, int64_t threads, bool fuse, session_maker make,
                              const void *context, const char *what, TF_Session **out_session) {
  unsigned char config[32];
  size_t length = encode_config(kn_thread_count(threads), fuse, config);
  *out_session = NULL;
  TF_Status *status = tf->TF_NewStatus();
  TF_SessionOptions *options = tf->TF_NewSessionOptions();
  kn_status failed = status && options ? NULL : kn_status_out_of_memory();
  if (!failed) {
    tf->TF_SetConfig(options, config, length, status);
    failed = tf_status_take(tf, status, "set the number of threads");
  }
  if (!failed) {
    *out_session = make(tf, options, context, graph, status);
    failed = tf_status_take(tf, status, what);
  }
  if (options) tf->TF_DeleteSessionOptions(options);
  if (status) tf->TF_DeleteStatus(status);
  return failed;
}

kn_status session_open(const tf_api *tf, TF_Graph *graph, int64_t threads, bool fuse, TF_Session **out_session) {
  return make_session(tf, graph, threads, fuse, make_new, NULL, "start a session", out_session);
}

kn_status session_load(const tf_api *tf, const char *directory, const char *tag, int64_t threads, TF_Graph *graph,
                       TF_Session **out_session) {
  const saved_model_place place = {directory, tag};
  return make_session(tf, graph, threads, true, make_loaded, &place, "load the SavedModel", out_session);
}

void session_close(const tf_api *tf, TF_Session *session) {
  TF_Status *status = session ? tf->TF_NewStatus() : NULL;
  if (!status) return;
  tf->TF_CloseSession(session, status);
  tf->TF_DeleteSession(session, status);
  tf->TF_DeleteStatus(status);
}
