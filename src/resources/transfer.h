/* Downloads over HTTP and HTTPS by libcurl, which is opened on use: resumed, tried again, bounded. */
#ifndef KENNING_RESOURCES_TRANSFER_H
#define KENNING_RESOURCES_TRANSFER_H

#include <kenning/status.h>

typedef struct kn_transfer {
  const char *uri;  /* http:// or https:// */
  const char *path; /* file that grows; what a broken transfer leaves in it is continued by the next one */
  const char *what; /* for the progress line */
  uint64_t limit_bytes;
  int attempts;         /* in a row that bring nothing; 0: 5 */
  double first_delay_s; /* before the second attempt, doubled each time up to 30 s; 0: 0.5 */
  double stall_s;       /* seconds without a byte after which an attempt ends; 0: $KENNING_DOWNLOAD_TIMEOUT, else 30 */
} kn_transfer;

/* Downloads the whole. Continues a part only when the server says by ETag or date that it is still the same (RFC 9110,
 * If-Range); these are kept in "<path>.validator". Follows at most 10 redirects and none from https to http.
 * KN_NOT_FOUND (404, 410), KN_IO_ERROR (network, server, disk), KN_BAD_DATA (larger than the limit),
 * KN_INVALID_ARGUMENT, KN_NOT_INSTALLED, KN_CANCELLED. One transfer per path at a time. */
kn_status kn_transfer_run(const kn_transfer *transfer) KN_MUST_USE;

#endif
