/* How an optimizer comes to its result: from the cache or from a tool, judged either way, there whole or not at all. */
#ifndef KN_TFLITE_PRODUCTION_H
#define KN_TFLITE_PRODUCTION_H

#include <kenning/block.h>
#include <kenning/services.h>

typedef struct kn_tflite_production {
  const char *path; /* of the result */
  const char *key;  /* text that names everything it depends on */
  void *context;
  /* Writes the result to `path`, a temporary file; `record` gets what the tool reported. */
  kn_status (*make)(void *context, const char *path, kn_record *record);
  /* Whether the file is what was asked for, and what there is to tell about it. */
  kn_status (*judge)(void *context, const char *path, kn_record *record);
} kn_tflite_production;

/* `record` gets "cached" and what `make` and `judge` tell. */
kn_status kn_tflite_produce(const kn_tflite_production *production, kn_record *record) KN_MUST_USE;

#endif
