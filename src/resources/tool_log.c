#include "resources/tool_log.h"

#include <dirent.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/file.h"
#include "resources/place.h"

static int is_log(const struct dirent *entry) {
  size_t length = strlen(entry->d_name);
  return length > 4 && !strcmp(entry->d_name + length - 4, ".log");
}

/* Names start with the time, so the order of names is the order of age. */
static void remove_old(const char *directory) {
  struct dirent **entries = NULL;
  int count = scandir(directory, &entries, is_log, alphasort);
  for (int i = 0; i < count; i++) {
    char *path = i < count - (KN_TOOL_LOGS_KEPT - 1) ? kn_format("%s/%s", directory, entries[i]->d_name) : NULL;
    if (path) (void)unlink(path);
    kn_free(path);
    free(entries[i]);
  }
  free(entries);
}

static kn_status create(const char *directory, const char *name, FILE **out_file, char **out_path) {
  static atomic_uint counter;
  KN_TRY(kn_directory_make(directory));
  remove_old(directory);
  struct tm now;
  time_t seconds = time(NULL);
  char date[32] = "";
  if (gmtime_r(&seconds, &now)) strftime(date, sizeof date, "%Y%m%dT%H%M%SZ", &now);
  *out_path = kn_format("%s/%s-%ld-%u-%s.log", directory, date, (long)getpid(), atomic_fetch_add(&counter, 1), name);
  if (!*out_path) return kn_status_out_of_memory();
  *out_file = fopen(*out_path, "we");
  if (*out_file) return NULL;
  kn_status status = kn_file_fault(*out_path, "write", errno);
  kn_free(*out_path);
  *out_path = NULL;
  return status;
}

kn_status kn_tool_log_open(const char *name, FILE **out_file, char **out_path) {
  *out_file = NULL;
  *out_path = NULL;
  char *state;
  KN_TRY(kn_place_state(&state));
  char *directory = kn_format("%s/log", state);
  kn_free(state);
  if (!directory) return kn_status_out_of_memory();
  kn_status status = create(directory, name, out_file, out_path);
  kn_free(directory);
  return status;
}
