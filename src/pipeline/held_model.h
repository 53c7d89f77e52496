/* A model that a run reads, held open from before it is read: what is recorded of it when the run has ended is what was
 * there then, whatever has become of its name. Opening costs nothing that a measurement could show; the hash is taken
 * at the end, of the file that is held. */
#ifndef KENNING_PIPELINE_HELD_MODEL_H
#define KENNING_PIPELINE_HELD_MODEL_H

#include <kenning/record.h>
#include <sys/stat.h>

/* A file, or a directory (its bytes and when they changed last; nothing is held open). */
typedef struct kn_held_file {
  char *path; /* owned; NULL: there is none */
  int file;   /* descriptor; -1: a directory, or a file that cannot be read */
  bool regular;
  uint64_t bytes;
  dev_t device;
  ino_t inode;
  struct timespec modified; /* of a directory: the latest of what is in it */
} kn_held_file;

typedef struct kn_held_model {
  const char *role; /* "input", "compiled" */
  const char *format;
  int64_t weights_bytes; /* negative: unknown */
  kn_held_file main;
  kn_held_file *companions; /* that belong to it and lie beside it */
  size_t companion_count;
} kn_held_model;

/* Copies `path`. A model that is not there is none: main.bytes is 0. Close it also after a failure. */
kn_status kn_held_model_open(const char *role, const char *path, const char *format, int64_t weights_bytes,
                             kn_held_model *out_model) KN_MUST_USE;
void kn_held_model_close(kn_held_model *model);

bool kn_held_model_exists(const kn_held_model *model);
/* Bytes of the whole model. */
uint64_t kn_held_model_bytes(const kn_held_model *model);
/* What became of the model since it was opened: NULL (nothing), "replaced" (its name is another file's, or nobody's:
 * what was there is still known) or "written" (in place, or in a directory: what was there is not known any more). */
const char *kn_held_model_change(const kn_held_model *model);
/* Path, format, bytes and hashes into an entry of "models", and "changed" with a warning where it did. */
kn_status kn_held_model_put(const kn_held_model *model, kn_record *entry) KN_MUST_USE;

#endif
