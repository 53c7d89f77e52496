/* A model on its way in: written to a file of its own beside the place where it belongs and put there only when it is
 * whole and on the disk, so that a model that was there before stays valid whatever happens in between. */
#ifndef KENNING_TARGET_UPLOAD_H
#define KENNING_TARGET_UPLOAD_H

#include <kenning/status.h>

typedef struct kn_upload {
  char *path;      /* where the model belongs */
  char *temporary; /* `path`.upload: one name, so that a killed server leaves at most one file behind */
  int fd;          /* locked while the upload is under way; -1: none is */
  uint64_t bytes;
} kn_upload;

/* KN_BUSY when another server receives into the same path. */
kn_status kn_upload_begin(const char *path, kn_upload *out_upload) KN_MUST_USE;
kn_status kn_upload_add(kn_upload *upload, const void *data, size_t bytes) KN_MUST_USE;
/* Waits until the data are on the disk and renames. */
kn_status kn_upload_commit(kn_upload *upload) KN_MUST_USE;
/* Removes what has arrived. Also after a commit, and for an upload that never began ({.fd = -1}). */
void kn_upload_clear(kn_upload *upload);

#endif
