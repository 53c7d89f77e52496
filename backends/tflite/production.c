#include "production.h"

#include <unistd.h>

/* A full cache is no reason to lose the result. */
static void keep(const char *key, const char *path) {
  kn_status status = kn_cache_store(key, path);
  if (status) kn_log(KN_LOG_WARNING, "the result is not cached: %s", kn_status_message(status, 0));
  kn_status_free(status);
}

static kn_status obtain(const kn_tflite_production *production, const char *path, kn_record *record) {
  bool hit;
  KN_TRY(kn_cache_lookup(production->key, path, &hit));
  if (hit) {
    kn_log(KN_LOG_INFO, "the result is taken from the cache");
  } else {
    kn_record *tool;
    KN_TRY(kn_record_object(record, "converter", &tool));
    KN_TRY(production->make(production->context, path, tool));
  }
  KN_TRY(production->judge(production->context, path, record));
  if (!hit) keep(production->key, path);
  return kn_record_set_bool(record, "cached", hit);
}

kn_status kn_tflite_produce(const kn_tflite_production *production, kn_record *record) {
  char *temporary;
  KN_TRY(kn_file_temporary(production->path, &temporary));
  kn_status status = obtain(production, temporary, record);
  if (!status) status = kn_file_publish(temporary, production->path);
  if (status) (void)unlink(temporary);
  kn_free(temporary);
  return status;
}
