#include <kenning/production.h>

#include <string.h>

/* One production under way: the directory that it works in, and what is in it. */
typedef struct workshop {
  const kn_production *production;
  char *directory, *result, *companion; /* companion NULL: there is none */
  char *companion_key;
} workshop;

static kn_status open_workshop(const kn_production *production, workshop *at) {
  const char *slash = strrchr(production->path, '/'), *end = strrchr(slash ? slash : production->path, '.');
  *at = (workshop){.production = production};
  KN_TRY(kn_directory_temporary(production->path, NULL, &at->directory));
  at->result = production->name ? kn_format("%s/%s", at->directory, production->name)
                                : kn_format("%s/model%s", at->directory, end ? end : "");
  if (!at->result) return kn_status_out_of_memory();
  if (!production->companion) return NULL;
  at->companion = kn_format("%s/%s", at->directory, production->companion);
  at->companion_key = kn_format("%s\ncompanion", production->key);
  return at->companion && at->companion_key ? NULL : kn_status_out_of_memory();
}

static void close_workshop(workshop *at) {
  kn_directory_discard(at->directory);
  kn_free(at->result);
  kn_free(at->companion);
  kn_free(at->companion_key);
}

/* Both files, or it is no hit. */
static kn_status look_up(const workshop *at, bool *out_hit) {
  *out_hit = false;
  if (at->companion) {
    bool found;
    KN_TRY(kn_cache_lookup(at->companion_key, at->companion, &found));
    if (!found) return NULL;
  }
  return kn_cache_lookup(at->production->key, at->result, out_hit);
}

/* A full cache is no reason to lose the result. The companion first: a result without it is no hit. */
static void keep(const workshop *at) {
  kn_status status = at->companion ? kn_cache_store(at->companion_key, at->companion) : NULL;
  if (!status) status = kn_cache_store(at->production->key, at->result);
  if (status) kn_log(KN_LOG_WARNING, "the result is not cached: %s", kn_status_message(status, 0));
  kn_status_free(status);
}

static kn_status obtain(const workshop *at, kn_record *record) {
  const kn_production *production = at->production;
  kn_record *tool;
  char hex[65];
  bool hit;
  KN_TRY(look_up(at, &hit));
  if (hit) {
    kn_log(KN_LOG_INFO, "the result is taken from the cache");
  } else {
    KN_TRY(kn_record_object(record, "converter", &tool));
    KN_TRY(production->make(production->context, at->result, tool));
  }
  kn_status status = production->judge(production->context, at->result, record);
  if (hit) status = kn_status_annotate(status, "the cache held it; `kenning cache clear` removes what it holds");
  KN_TRY(status);
  if (!hit) keep(at);
  KN_TRY(kn_sha256_file(at->result, hex));
  KN_TRY(kn_record_set_string(record, "sha256", hex));
  return kn_record_set_bool(record, "cached", hit);
}

kn_status kn_production_run(const kn_production *production, kn_record *record) {
  workshop at;
  kn_status status = open_workshop(production, &at);
  if (!status) status = obtain(&at, record);
  if (!status)
    status = production->publish ? production->publish(production->context, at.result)
                                 : kn_file_publish(at.result, production->path);
  close_workshop(&at);
  return status;
}
