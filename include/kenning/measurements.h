/* What a run measured. docs/measurements.md defines the keys of the file. */
#ifndef KENNING_MEASUREMENTS_H
#define KENNING_MEASUREMENTS_H

#include <kenning/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Owned by who ran; one thread at a time. */
typedef struct kn_measurements kn_measurements;

/* Writes the measurement file, whole or not at all; missing directories are made. KN_IO_ERROR. */
KN_API kn_status kn_measurements_write(const kn_measurements *measurements, const char *path) KN_MUST_USE;
/* The same as JSON text of *out_bytes bytes and a NUL; free with kn_free. */
KN_API kn_status kn_measurements_text(const kn_measurements *measurements, char **out_text,
                                      size_t *out_bytes) KN_MUST_USE;
KN_API void kn_measurements_destroy(kn_measurements *measurements); /* NULL is allowed */

#ifdef __cplusplus
}
#endif
#endif
