/* cache: what is kept so that it need not be made or fetched again. */
#include "cli/options.h"
#include "core/file.h"
#include "core/log.h"
#include "core/record_json.h"
#include "resources/place.h"
#include "resources/store.h"

#include <kenning/resource.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

const kn_option kn_cache_options[] = {
    {"json", "Print JSON", KN_OPTION_BOOL, 0, KN_FIELD(kn_cache_values, json)}, KN_VERBOSITY_ROW(kn_cache_values), {0}};

/* Directories below the cache's own. */
static const struct part {
  const char *name;
  const char *what;
} parts[] = {{"resources", "models and data that were downloaded"},
             {"results", "results of converters"},
             {"downloads", "packages that kenning install fetched"}};

enum { PARTS = sizeof parts / sizeof *parts };

static kn_status part_path(const char *name, char **out_path) {
  char *cache;
  *out_path = NULL;
  KN_TRY(kn_place_cache(&cache));
  *out_path = kn_format("%s/%s", cache, name);
  kn_free(cache);
  return *out_path ? NULL : kn_status_out_of_memory();
}

static void format_time(const struct timespec *when, char out[32]) {
  struct tm calendar;
  if (!gmtime_r(&when->tv_sec, &calendar) || !strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &calendar)) out[0] = '\0';
}

static kn_status print_json(kn_record *record) {
  char *text = yyjson_mut_write_opts(kn_record_document(record), YYJSON_WRITE_PRETTY, &kn_json_allocator, NULL, NULL);
  if (!text) return kn_status_out_of_memory();
  puts(text);
  kn_free(text);
  return NULL;
}

static kn_status put_stored(kn_record *record, const kn_stored *stored) {
  kn_record *item;
  char used[32];
  format_time(&stored->used, used);
  KN_TRY(kn_record_append_object(record, "resources", &item));
  KN_TRY(kn_record_set_string(item, "uri", stored->uri));
  KN_TRY(kn_record_set_string(item, "path", stored->path));
  KN_TRY(kn_record_set_int(item, "bytes", (int64_t)stored->bytes));
  return kn_record_set_string(item, "used", used);
}

static kn_status size(const kn_cache_values *values) {
  kn_record *record = NULL;
  if (values->json) KN_TRY(kn_record_create(&record));
  kn_status status = NULL;
  for (size_t i = 0; i < PARTS && !status; i++) {
    char *path = NULL;
    status = part_path(parts[i].name, &path);
    uint64_t bytes = path ? kn_directory_bytes(path) : 0;
    if (!status && record) status = kn_record_set_int(record, parts[i].name, (int64_t)bytes);
    if (!status && !record) printf("%9.1f MB  %s: %s\n", (double)bytes / 1e6, path, parts[i].what);
    kn_free(path);
  }
  if (!status && record) status = print_json(record);
  kn_record_destroy(record);
  return status;
}

/* Models and data one by one; then how much there is of everything. */
static kn_status list(const kn_cache_values *values) {
  kn_stored_list stored;
  kn_record *record = NULL;
  KN_TRY(kn_store_list(&stored));
  kn_status status = values->json ? kn_record_create(&record) : NULL;
  if (!status && record) status = kn_record_set_strings(record, "resources", NULL, 0);
  for (size_t i = 0; i < stored.count && !status; i++) {
    char used[32];
    format_time(&stored.items[i].used, used);
    if (record)
      status = put_stored(record, &stored.items[i]);
    else
      printf("%s  %9.1f MB  %s\n", used, (double)stored.items[i].bytes / 1e6, stored.items[i].uri);
  }
  if (!status && record) status = print_json(record);
  if (!status && !record) status = size(values);
  kn_record_destroy(record);
  kn_stored_list_clear(&stored);
  return status;
}

static kn_status clear_part(const char *name) {
  char *path;
  KN_TRY(part_path(name, &path));
  kn_status status = kn_directory_remove(path);
  kn_free(path);
  return status;
}

static bool is_part(const char *name) {
  for (size_t i = 0; i < PARTS; i++)
    if (!strcmp(name, parts[i].name)) return true;
  return false;
}

/* Parts and URIs; without any, all parts. */
static kn_status clear(const char *const *names, size_t count) {
  kn_status faults = NULL;
  for (size_t i = 0; !count && i < PARTS; i++) faults = kn_status_join(faults, clear_part(parts[i].name));
  for (size_t i = 0; i < count; i++)
    faults = kn_status_join(faults, is_part(names[i]) ? clear_part(names[i]) : kn_resource_forget(names[i]));
  return faults;
}

static kn_status act(const kn_cache_values *values, const kn_positionals *words) {
  const char *verb = words->items[0];
  bool clears = !strcmp(verb, "clear");
  if (words->count > 1 && !clears)
    return kn_status_make(KN_INVALID_ARGUMENT, "unexpected argument '%.200s'; only clear takes names", words->items[1]);
  if (clears) return clear(words->items + 1, words->count - 1);
  if (!strcmp(verb, "list")) return list(values);
  if (!strcmp(verb, "size")) return size(values);
  return kn_status_make(KN_NOT_FOUND, "kenning cache cannot '%.40s'; it can list, size and clear", verb);
}

int kn_command_cache(int argc, char **argv) {
  kn_instance options;
  kn_positionals words;
  bool done;
  kn_status status = kn_command_parse(kn_command_find("cache"), argc, argv, 1, SIZE_MAX, &options, &words, &done);
  if (!status && !done) {
    const kn_cache_values *values = options.self;
    kn_log_set_level((kn_log_level)values->common.verbosity);
    status = act(values, &words);
  }
  kn_free(words.items);
  kn_instance_destroy(&options);
  return kn_command_finish(status);
}
