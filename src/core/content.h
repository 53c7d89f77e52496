/* What a file is by its content, whatever its name says. */
#ifndef KENNING_CORE_CONTENT_H
#define KENNING_CORE_CONTENT_H

#include <kenning/status.h>

typedef struct kn_content {
  const char *format; /* of models ("keras", "onnx", ...); NULL: none of those that are known by their content */
  const char *words;  /* "an HDF5 file, as Keras writes them"; NULL: nothing is known of it */
  bool archive;       /* of any members: its first one does not tell what it is */
} kn_content;

enum { KN_CONTENT_HEAD = 1024 };

/* By the first bytes of a file; KN_CONTENT_HEAD of them, or all. A pure function. */
kn_content kn_content_of(const void *data, size_t length);
/* Of a file, or of a directory: a SavedModel by its saved_model.pb. KN_NOT_FOUND, KN_IO_ERROR, and what
 * kn_file_check_input refuses. */
kn_status kn_content_read(const char *path, kn_content *out_content) KN_MUST_USE;
/* Whether every model of this format is known by its content. */
bool kn_content_tells(const char *format);

#endif
