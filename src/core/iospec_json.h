/* Io specifications as JSON in memory. */
#ifndef KENNING_CORE_IOSPEC_JSON_H
#define KENNING_CORE_IOSPEC_JSON_H

#include <kenning/iospec.h>

/* What kn_iospec_write writes; free with kn_free. */
kn_status kn_iospec_text(const kn_iospec *spec, char **out_json, size_t *out_bytes) KN_MUST_USE;

#endif
