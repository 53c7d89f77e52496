/* Options that all runtime protocols have. */
#ifndef KENNING_RUNTIMEPROTOCOLS_LINK_H
#define KENNING_RUNTIMEPROTOCOLS_LINK_H

#include "target/protocol.h"

/* First member of a protocol's instance. */
typedef struct kn_link_options {
  int wire; /* kn_wire_format */
  double timeout, idle_timeout, engine_timeout, heartbeat;
  int64_t model_limit_mib, tensor_limit_mib, retries;
  bool extensions;
} kn_link_options;

/* Rows of the struct `type` whose member `link` is a kn_link_options; `standard` is the wire format where none is
 * named. */
#define KN_LINK_ROWS(type, standard)                                                                    \
  {"wire",                                                                                              \
   "Wire format; both ends must name the same",                                                         \
   KN_OPTION_ENUM,                                                                                      \
   0,                                                                                                   \
   KN_FIELD(type, link.wire),                                                                           \
   .def.i = (standard),                                                                                 \
   .choices = kn_wire_choices},                                                                         \
      {"timeout",                                                                                       \
       "Seconds that a message may take besides the time for its bytes; 0 or less: no limit",           \
       KN_OPTION_FLOAT,                                                                                 \
       0,                                                                                               \
       KN_FIELD(type, link.timeout),                                                                    \
       .def.f = 60,                                                                                     \
       .min = -1,                                                                                       \
       .max = 86400},                                                                                   \
      {"idle_timeout",                                                                                  \
       "Seconds that a target waits for the next request of its client",                                \
       KN_OPTION_FLOAT,                                                                                 \
       0,                                                                                               \
       KN_FIELD(type, link.idle_timeout),                                                               \
       .def.f = 600,                                                                                    \
       .min = 0.001,                                                                                    \
       .max = 8640000},                                                                                 \
      {"engine_timeout",                                                                                \
       "Seconds that loading a model, or one inference, may take on the target",                        \
       KN_OPTION_FLOAT,                                                                                 \
       0,                                                                                               \
       KN_FIELD(type, link.engine_timeout),                                                             \
       .def.f = 50,                                                                                     \
       .min = 0.001,                                                                                    \
       .max = 86400},                                                                                   \
      {"model_limit",                                                                                   \
       "MiB that a target takes as a model",                                                            \
       KN_OPTION_INT,                                                                                   \
       0,                                                                                               \
       KN_FIELD(type, link.model_limit_mib),                                                            \
       .def.i = 2048,                                                                                   \
       .min = 1,                                                                                        \
       .max = 1 << 20},                                                                                 \
      {"heartbeat",                                                                                     \
       "Seconds between the signs of life of a target that works on a request; 0: none",                \
       KN_OPTION_FLOAT,                                                                                 \
       0,                                                                                               \
       KN_FIELD(type, link.heartbeat),                                                                  \
       .def.f = 1,                                                                                      \
       .min = 0,                                                                                        \
       .max = 86400},                                                                                   \
      {"retries",                                                                                       \
       "Times in a row that the host connects again, and goes on, when the connection breaks",          \
       KN_OPTION_INT,                                                                                   \
       0,                                                                                               \
       KN_FIELD(type, link.retries),                                                                    \
       .min = 0,                                                                                        \
       .max = 1000},                                                                                    \
      {"extensions",                                                                                    \
       "Offer targets what the original does not have; one that does not know them does not notice",    \
       KN_OPTION_BOOL,                                                                                  \
       0,                                                                                               \
       KN_FIELD(type, link.extensions),                                                                 \
       .def.b = true},                                                                                  \
  {                                                                                                     \
    "tensor_limit", "MiB that all inputs, or all outputs, of one inference may have", KN_OPTION_INT, 0, \
        KN_FIELD(type, link.tensor_limit_mib), .def.i = 256, .min = 1, .max = 2048                      \
  }

extern const kn_choice kn_wire_choices[];

/* The settings of a connection without fragments, checksums or greeting. */
kn_link_config kn_link_configure(const kn_link_options *options);

#endif
