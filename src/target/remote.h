/* A runtime on a target, with the functions of one on this machine. */
#ifndef KENNING_TARGET_REMOTE_H
#define KENNING_TARGET_REMOTE_H

#include "target/client.h"
#include "wire/iolayout.h"

typedef struct kn_remote {
  const kn_instance *protocol;
  kn_client client;
  bool opened; /* the protocol: to be closed */
  kn_iospec spec;
  kn_iolayout input, output;
  kn_tensor_view input_payload, output_payload; /* used where there is more than one tensor */
  kn_record *statistics;                        /* the target's answer, asked for once; NULL: not yet */
} kn_remote;

/* `self` is a kn_remote with `protocol` set and client.connection.fd -1. load needs the io specification of the model;
 * the connection is made by load and ended by unload. invoke is the whole exchange for one inference. */
extern const kn_inference_ops kn_remote_inference;

/* Puts what the target measured: target_inference_step and its timestamps (on the target's clock), the use of the
 * target's machine and process, and `target`. `inferences` were run. Only numbers of the expected form are taken. */
kn_status kn_remote_measurements(kn_remote *remote, size_t inferences, kn_record *record) KN_MUST_USE;

#endif
