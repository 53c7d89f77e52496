/* A model compiled for a device, with its inputs and outputs bound to an io specification. */
#ifndef KN_VINO_SESSION_H
#define KN_VINO_SESSION_H

#include "api.h"
#include "model_file.h"

/* How a model is compiled. */
typedef struct kn_vino_settings {
  const char *device;    /* "CPU" */
  const char *precision; /* "f32", "bf16", "f16", "" for the device's own choice */
  int64_t threads;       /* 0: the engine's choice */
  int64_t streams;
  const char *cache_dir; /* or NULL */
} kn_vino_settings;

typedef struct kn_vino_session {
  const kn_vino_api *api;
  kn_vino_settings settings;
  kn_vino_format format;
  kn_vino_core *core;
  kn_vino_model *model;
  kn_vino_compiled *compiled;
  kn_vino_request *request;
  kn_iospec found;         /* in the model's order, shapes concrete */
  kn_iospec spec;          /* in the order in which tensors are handed over */
  kn_vino_tensor **inputs; /* by position in the spec; they share the request's memory */
  kn_vino_tensor **outputs;
  bool ran; /* the outputs have values */
} kn_vino_session;

/* Reads, sizes for request->batch samples and compiles a model. Dimensions that the model leaves open are taken from
 * the batch (the first) and from request->spec (the others). Codes: KN_NOT_FOUND, KN_BAD_DATA (the file),
 * KN_INCOMPATIBLE (batch, open dimensions, io specification, operators, device), KN_BACKEND_FAILED. After a failure,
 * and for a zeroed session, kn_vino_session_close does what is left to do. */
kn_status kn_vino_session_open(kn_vino_session *session, const kn_vino_api *api, const kn_load_request *request,
                               const kn_vino_settings *settings) KN_MUST_USE;
void kn_vino_session_close(kn_vino_session *session);

/* What really runs, for the report: compiles the model once more with the engine's profiler and runs it on the inputs
 * at hand. Sets "threads", "inference_precision", "kernels" ({kernel: nodes}), "instruction_set", "executed_nodes". */
kn_status kn_vino_session_examine(const kn_vino_session *session, kn_record *record) KN_MUST_USE;

/* kn_vino_api.core_compile_model with the settings. */
kn_status kn_vino_compile(const kn_vino_session *session, bool profiled, kn_vino_compiled **out_compiled) KN_MUST_USE;

/* ---- model_shape.c ---- */

/* Appends the model's inputs (or outputs) to *list. Open dimensions are -1. */
kn_status kn_vino_describe(const kn_vino_api *api, const kn_vino_model *model, bool outputs,
                           kn_iolist *list) KN_MUST_USE;
/* Gives the inputs their concrete shapes: those of *inputs, which become so, and the model's. */
kn_status kn_vino_settle(const kn_vino_api *api, const kn_vino_model *model, const kn_load_request *request,
                         kn_iolist *inputs) KN_MUST_USE;

#endif
