#include "resources/cargo.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"

static char *crate_path(const char *directory, const char *package) {
  const char *version = strstr(package, "==");
  return kn_format("%s/%.*s-%s.crate", directory, (int)(version - package), package, version + 2);
}

kn_status kn_cargo_find(const char *directory, const char *package, char **out_path) {
  char *path = crate_path(directory, package);
  *out_path = NULL;
  if (!path) return kn_status_out_of_memory();
  if (kn_file_exists(path, NULL))
    *out_path = path;
  else
    kn_free(path);
  return NULL;
}

/* cargo fetches what a project depends on, so there is one that depends on this package, without its features: what
 * those ask for is not wanted. */
static kn_status write_project(const char *project, const char *package) {
  const char *version = strstr(package, "==");
  char *manifest = kn_format("%s/Cargo.toml", project), *library = kn_format("%s/lib.rs", project);
  char *text = kn_format(
      "[package]\nname = \"fetch\"\nversion = \"0.0.0\"\nedition = \"2021\"\n[lib]\npath = \"lib.rs\"\n"
      "[dependencies]\n%.*s = {version = \"=%s\", default-features = false}\n",
      (int)(version - package), package, version + 2);
  kn_status status = manifest && library && text ? NULL : kn_status_out_of_memory();
  if (!status) status = kn_file_write(manifest, text, strlen(text));
  if (!status) status = kn_file_write(library, "", 0);
  kn_free(text);
  kn_free(library);
  kn_free(manifest);
  return status;
}

/* <cargo home>/registry/cache, with a directory per registry: the user's mirror is one. */
static kn_status cache_directory(char **out_path) {
  const char *home = getenv("CARGO_HOME");
  if (home && *home) {
    *out_path = kn_format("%s/registry/cache", home);
  } else {
    home = getenv("HOME");
    *out_path = kn_format("%s/.cargo/registry/cache", home ? home : "");
  }
  return *out_path ? NULL : kn_status_out_of_memory();
}

/* Copies the package out of cargo's own cache, which it may clear at any time. */
static kn_status keep(const char *package, const char *directory) {
  char *cache, *found = NULL;
  KN_TRY(cache_directory(&cache));
  DIR *listing = opendir(cache);
  kn_status status = NULL;
  for (struct dirent *entry; listing && !found && !status && (entry = readdir(listing));) {
    if (*entry->d_name == '.') continue;
    char *registry = kn_format("%s/%s", cache, entry->d_name);
    status = registry ? kn_cargo_find(registry, package, &found) : kn_status_out_of_memory();
    kn_free(registry);
  }
  if (listing) closedir(listing);
  kn_free(cache);
  if (status || !found) return status; /* that nothing came is told by who asked */
  char *data = NULL, *path = crate_path(directory, package);
  size_t bytes;
  status = path ? kn_file_read(found, 0, &data, &bytes) : kn_status_out_of_memory();
  if (!status) status = kn_file_write(path, data, bytes);
  kn_free(data);
  kn_free(path);
  kn_free(found);
  return status;
}

kn_status kn_cargo_fetch(const kn_downloads *downloads, const char *package, const char *directory,
                         kn_client_run *run) {
  char *project = kn_format("%s/fetch.new-%ld", directory, (long)getpid());
  if (!project) return kn_status_out_of_memory();
  kn_status status = kn_directory_make(project);
  if (!status) status = write_project(project, package);
  if (!status) {
    run->directory = project;
    run->arguments = (const char *const[]){"cargo", "fetch", NULL};
    status = kn_client_run_command(downloads, run);
  }
  if (!status) status = keep(package, directory);
  status = kn_status_join(status, kn_directory_remove(project));
  kn_free(project);
  return status;
}
