#include "datasets/debian_package.h"

#include <dirent.h>
#include <string.h>
#include <unistd.h>

#include <kenning/process.h>
#include <kenning/services.h>

typedef struct download {
  const char *progress; /* shown while it runs; NULL: nothing */
  bool unknown;         /* apt's lists do not know the package */
} download;

/* apt speaks English under LC_ALL=C. */
static kn_status on_line(void *context, kn_stream stream, const char *text) {
  download *at = context;
  (void)stream;
  if (strstr(text, "Unable to locate package") || strstr(text, "no installation candidate") ||
      strstr(text, "Can't select candidate version"))
    at->unknown = true;
  return NULL;
}

static void on_tick(void *context, double elapsed_s) {
  const download *at = context;
  if (at->progress) kn_progress(at->progress, elapsed_s, 0, NULL);
}

static kn_status run(const char *directory, download *at, const char *const *arguments) {
  return kn_process_run(&(kn_process_request){.arguments = arguments,
                                              .environment = (const char *const[]){"LC_ALL=C", NULL},
                                              .directory = directory,
                                              .timeout_s = 1800,
                                              .line = on_line,
                                              .tick = on_tick,
                                              .context = at},
                        NULL);
}

static kn_status fetch(const char *package, const char *directory, download *at) {
  at->unknown = false;
  return run(directory, at, (const char *const[]){"apt-get", "-q", "download", package, NULL});
}

static kn_status fetch_with_update(const char *package, const char *directory, download *at) {
  kn_status status = fetch(package, directory, at);
  if (!status || !at->unknown) return status;
  if (geteuid() != 0) {
    kn_status_free(status);
    return kn_status_make(KN_NOT_INSTALLED,
                          "apt does not know the package %s: run `sudo apt-get update`, then try again", package);
  }
  kn_status_free(status);
  kn_log(KN_LOG_INFO, "apt does not know the package %s: updating its lists", package);
  KN_TRY(run(directory, at, (const char *const[]){"apt-get", "-q", "update", NULL}));
  return fetch(package, directory, at);
}

/* The file that apt left: its name holds the version. */
static kn_status find(const char *package, const char *directory, char **out_file) {
  *out_file = NULL;
  DIR *listing = opendir(directory);
  bool found = false;
  for (struct dirent *entry; listing && !found && (entry = readdir(listing));) {
    size_t named = strlen(package), length = strlen(entry->d_name);
    found = length > named + 4 && !strncmp(entry->d_name, package, named) && entry->d_name[named] == '_' &&
            !strcmp(entry->d_name + length - 4, ".deb");
    if (found) *out_file = kn_format("%s/%s", directory, entry->d_name);
  }
  if (listing) closedir(listing);
  if (!found)
    return kn_status_make(KN_BACKEND_FAILED, "apt-get said it had fetched %s, but %s holds no such package", package,
                          directory);
  return *out_file ? NULL : kn_status_out_of_memory();
}

kn_status kn_debian_package_unpack(const char *package, const char *directory) {
  char *progress = kn_format("fetching the Debian package %s", package);
  if (!progress) return kn_status_out_of_memory();
  download at = {.progress = progress};
  char *file = NULL;
  kn_status status = fetch_with_update(package, directory, &at);
  if (!status) kn_progress(progress, 1, 1, NULL);
  at.progress = NULL;
  if (!status) status = find(package, directory, &file);
  if (!status) status = run(NULL, &at, (const char *const[]){"dpkg-deb", "-x", file, directory, NULL});
  kn_free(file);
  kn_free(progress);
  return kn_status_annotate(status, "while fetching the Debian package %s", package);
}
