/* A runtime on a target, with the functions of one on this machine. */
#ifndef KENNING_TARGET_REMOTE_H
#define KENNING_TARGET_REMOTE_H

#include "measurements/timeline.h"
#include "target/clock.h"
#include "wire/iolayout.h"

typedef struct kn_remote {
  const kn_instance *protocol;
  kn_client client;
  kn_link_config link;
  bool opened;     /* the protocol: to be closed */
  bool connecting; /* what the last load did last: where it failed, it failed at that */
  char *model_path;
  kn_identity identity; /* of the model; sha256 "": not known yet */
  kn_iospec spec;
  kn_iolayout input, output;
  kn_tensor_view input_payload, output_payload; /* used where there is more than one tensor */
  const void *inputs;                           /* of the inference under way, to be sent again if need be */
  void *outputs;
  int tries;         /* reconnections that are left; full again after every inference */
  size_t reconnects; /* amid the run */
  bool model_sent;
  double model_seconds; /* until the target had loaded it */
  kn_infer_times now;   /* of the inference under way */
  struct kn_moments {   /* of all inferences, of a target that tells them */
    kn_infer_times *items;
    size_t count, capacity;
  } moments;
  kn_clock_line clock;
  kn_record *statistics; /* the target's answer, asked for once; NULL: not yet */
} kn_remote;

/* `self` is a kn_remote with `protocol` set and client.connection.fd -1. load needs the io specification of the model;
 * the connection is made by load and ended by unload. Inputs and outputs of an inference must stay where they are from
 * set_input until output: when the connection breaks they are sent on another one, as often as the protocol's `retries`
 * allow. */
extern const kn_inference_ops kn_remote_inference;

/* Puts what is known about the target's part of the run: target_inference_step and its timestamps, on the target's
 * clock and where it was asked for its time also on this machine's, the use of the target's machine and process, and
 * `target_clock`. `inferences` were run. What the target says is taken where it is numbers of the expected form; after
 * a failure there is what is known without asking. */
kn_status kn_remote_measurements(kn_remote *remote, size_t inferences, kn_record *record) KN_MUST_USE;
/* Puts `wire`: where the time of inferences `first` up to `count` went, of which `times` are all. */
kn_status kn_remote_wire(const kn_remote *remote, const kn_inference_times *times, size_t first, size_t count,
                         kn_record *record) KN_MUST_USE;
/* Asks the target for its statistics unless that was done. */
kn_status kn_remote_ask_statistics(kn_remote *remote) KN_MUST_USE;

#endif
