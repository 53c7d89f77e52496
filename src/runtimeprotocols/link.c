#include "runtimeprotocols/link.h"

enum { FRAME_LIMIT = 1 << 20, SLOWEST = 32 << 10 };
#define ENDLESS_S 1e8 /* three years are as good as no limit, and no clock overflows */
#define GAP_S 0.01    /* a Python host has read the first answer by then */

const kn_choice kn_wire_choices[] = {
    {"2022", KN_WIRE_2022, "6-byte header, of the original's first years"},
    {"8-byte", KN_WIRE_8, "8-byte header with checksum and flags, up to the original's tag v0.8.2"},
    {"12-byte", KN_WIRE_12, "12-byte header, the original's since May 2026"},
    {0}};

kn_link_config kn_link_configure(const kn_link_options *options) {
  return (kn_link_config){.wire = {.format = (kn_wire_format)options->wire, .frame_limit = FRAME_LIMIT},
                          .timeout_s = options->timeout > 0 ? options->timeout : ENDLESS_S,
                          .gap_s = GAP_S,
                          .idle_s = options->idle_timeout,
                          .engine_s = options->engine_timeout,
                          .offer = options->extensions,
                          .heartbeat_s = options->heartbeat,
                          .retries = (int)options->retries,
                          .slowest = SLOWEST,
                          .model_limit = (uint64_t)options->model_limit_mib << 20,
                          .tensor_limit = (uint64_t)options->tensor_limit_mib << 20};
}
