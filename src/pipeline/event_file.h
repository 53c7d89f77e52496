/* Event files of TensorBoard: records of protocol buffers, appended. Written by hand from
 * tensorflow/core/util/event.proto, tensorflow/core/framework/summary.proto and the TFRecord format (length, masked
 * CRC-32C of it, data, masked CRC-32C of that). */
#ifndef KENNING_PIPELINE_EVENT_FILE_H
#define KENNING_PIPELINE_EVENT_FILE_H

#include <kenning/status.h>

typedef struct kn_event_file {
  char *path; /* NULL: not open */
  int descriptor;
} kn_event_file;

/* Makes DIRECTORY/events.out.tfevents.SECONDS.HOST.PID.NUMBER, and the directory. */
kn_status kn_event_file_create(const char *directory, kn_event_file *out_file) KN_MUST_USE;
/* A zeroed file is allowed. */
void kn_event_file_close(kn_event_file *file);

/* `tag` is cut at 512 bytes. */
kn_status kn_event_file_scalar(kn_event_file *file, const char *tag, int64_t step, double value) KN_MUST_USE;
/* Thirty intervals of equal width between the least and the greatest value. */
kn_status kn_event_file_histogram(kn_event_file *file, const char *tag, int64_t step, const float *values,
                                  size_t count) KN_MUST_USE;

/* CRC-32C (Castagnoli) of RFC 3720, appendix B.4. */
uint32_t kn_crc32c(const void *data, size_t bytes);

#endif
