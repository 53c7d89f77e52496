#include "resources/install.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "core/file.h"
#include "core/text.h"
#include "resources/build.h"
#include "resources/place.h"
#include "resources/plan.h"

/* ---- room ---- */

/* Free bytes of the file system that `path` is or will be on. */
static uint64_t free_bytes(const char *path) {
  char partial[4096];
  struct statvfs found;
  snprintf(partial, sizeof partial, "%s", path);
  while (statvfs(partial, &found) != 0) {
    char *slash = strrchr(partial, '/');
    if (!slash || slash == partial) return UINT64_MAX;
    *slash = '\0';
  }
  return (uint64_t)found.f_bavail * found.f_frsize;
}

static kn_status check_room(const kn_install_plan *plans, size_t count, const char *data,
                            const kn_downloads *downloads) {
  int64_t download = 0, disk = 0, work = 0;
  for (size_t i = 0; i < count; i++) {
    if (!downloads->offline) download += plans[i].download_bytes;
    disk += plans[i].disk_bytes;
    if (plans[i].work_bytes > work) work = plans[i].work_bytes;
  }
  disk += work; /* one after the other */
  uint64_t room = free_bytes(data), cache_room = free_bytes(downloads->directory);
  kn_log(KN_LOG_INFO, "to download: about %.0f MB; on disk then: %.0f MB in %s (%.0f MB are free)",
         (double)download / 1e6, (double)disk / 1e6, data, (double)room / 1e6);
  if (room < (uint64_t)disk)
    return kn_status_make(KN_IO_ERROR,
                          "%s has %.0f MB free and %.0f MB are needed; free some space or set "
                          "KENNING_DATA_DIR to another place",
                          data, (double)room / 1e6, (double)disk / 1e6);
  /* pip puts a package together beside the place where it ends up. */
  if (cache_room < 2 * (uint64_t)download)
    return kn_status_make(KN_IO_ERROR,
                          "%s has %.0f MB free and %.0f MB are needed; free some space or set KENNING_CACHE_DIR to "
                          "another place",
                          downloads->directory, (double)cache_room / 1e6, 2 * (double)download / 1e6);
  return NULL;
}

/* ---- files ---- */

/* The name of the directory of these files: version, and a hash of their hashes. */
static kn_status directory_name(const kn_install_plan *plan, char **out_name) {
  kn_text text = {0};
  kn_text_add(&text, "");
  char hex[65];
  *out_name = NULL;
  for (size_t i = 0; i < plan->file_count; i++)
    kn_text_format(&text, "%s %s\n", plan->files[i]->key, plan->files[i]->sha256);
  if (*plan->build_definition) kn_text_format(&text, "build %s\n", plan->build_definition);
  kn_status status = kn_text_status(&text);
  if (!status) status = kn_sha256(text.data, text.length, hex);
  kn_text_clear(&text);
  if (status) return status;
  *out_name = kn_format("%s-%.12s", kn_install_plan_version(plan), hex);
  return *out_name ? NULL : kn_status_out_of_memory();
}

/* A package that an interrupted run left damaged among the downloads is fetched anew, once. */
static kn_status unpack_file(const kn_manifest_file *file, const kn_downloads *downloads, const char *staging,
                             bool may_fetch) {
  char *package;
  KN_TRY(kn_package_fetch(downloads, file, &package));
  kn_status status = kn_package_unpack(downloads, file, package, staging);
  bool removed = status && !kn_file_exists(package, NULL);
  kn_free(package);
  if (!removed || !may_fetch || downloads->offline) return status;
  kn_log(KN_LOG_WARNING, "%s; fetching it again", kn_status_message(status, 0));
  kn_status_free(status);
  return unpack_file(file, downloads, staging, false);
}

static kn_status unpack_into(const kn_install_plan *plan, const kn_downloads *downloads, const char *staging) {
  KN_TRY(kn_directory_make(staging));
  for (size_t i = 0; i < plan->file_count; i++) KN_TRY(unpack_file(plan->files[i], downloads, staging, true));
  return NULL;
}

static kn_status make_build(const kn_install_plan *plan, const kn_downloads *downloads, const char *staging) {
  const kn_manifest_build *build = kn_manifest_build_of(&plan->manifest);
  if (!build) return NULL;
  char *work = kn_format("%s-work", staging);
  if (!work) return kn_status_out_of_memory();
  kn_build_places places = {
      .work = work, .files = staging, .environment = build->with_environment ? plan->environment.directory : NULL};
  kn_status status = kn_build_run(&plan->manifest, downloads, &places);
  kn_free(work);
  return status;
}

/* Fills `staging`, then makes it `final` by one rename. */
static kn_status install_files(const kn_install_plan *plan, const kn_downloads *downloads, const char *staging,
                               const char *final) {
  kn_status status = unpack_into(plan, downloads, staging);
  if (!status) status = make_build(plan, downloads, staging);
  if (!status) status = kn_directory_remove(final);
  if (!status && rename(staging, final) != 0) status = kn_file_fault(final, "put in place", errno);
  return status ? kn_status_join(status, kn_directory_remove(staging)) : NULL;
}

/* ---- the lock ---- */

static bool copy(char **to, const char *from) {
  if (!from) return true;
  *to = kn_strdup(from);
  return *to != NULL;
}

static bool describe_file(const kn_manifest_file *file, const char *directory, kn_installed_file *out_file) {
  out_file->bytes = file->bytes;
  out_file->path = kn_format("%s/%s", directory, kn_manifest_file_name(file));
  return out_file->path && copy(&out_file->key, file->key) && copy(&out_file->sha256, file->sha256) &&
         copy(&out_file->version, file->version) && copy(&out_file->package, file->package) &&
         copy(&out_file->client, kn_client_name((kn_client)file->client)) &&
         copy(&out_file->version_function, file->version_function);
}

/* What was made is known by what it was made of, and by its sum from now on. */
static kn_status describe_build(const kn_install_plan *plan, const char *directory, kn_installation *installation) {
  const kn_manifest_build *build = kn_manifest_build_of(&plan->manifest);
  if (!build) return NULL;
  kn_installed_file *file = &installation->files[installation->file_count++];
  char hex[65];
  uint64_t bytes = 0;
  const char *of = plan->manifest.source_count ? kn_manifest_source_at(&plan->manifest, 0)->package : build->script;
  file->path = kn_format("%s/%s", directory, build->result);
  if (!file->path || !copy(&file->key, build->key) || !copy(&file->version, build->version) ||
      !copy(&file->client, "build") || !copy(&file->package, of) ||
      !copy(&file->version_function, build->version_function) ||
      !copy(&file->definition_sha256, plan->build_definition))
    return kn_status_out_of_memory();
  KN_TRY(kn_sha256_file(file->path, hex));
  (void)kn_file_exists(file->path, &bytes);
  file->bytes = (int64_t)bytes;
  return copy(&file->sha256, hex) ? NULL : kn_status_out_of_memory();
}

static bool describe(const kn_install_plan *plan, const char *directory, kn_installation *installation) {
  const kn_manifest_framework *head = kn_manifest_head(&plan->manifest);
  char date[32] = "";
  struct tm now;
  time_t seconds = time(NULL);
  if (gmtime_r(&seconds, &now)) strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &now);
  if (!copy(&installation->framework, head->name) || !copy(&installation->version, kn_install_plan_version(plan)) ||
      !copy(&installation->license, head->license) || !copy(&installation->date, date) ||
      !copy(&installation->directory, directory))
    return false;
  installation->files = kn_alloc_array(plan->file_count + 1, sizeof *installation->files);
  for (size_t i = 0; installation->files && i < plan->file_count; i++) {
    installation->file_count++;
    if (!describe_file(plan->files[i], directory, &installation->files[i])) return false;
  }
  return installation->files != NULL;
}

static bool describe_environment(const kn_install_plan *plan, kn_installation *installation) {
  const kn_installed_environment *from = &plan->environment;
  kn_installed_environment *to = &installation->environment;
  return copy(&to->name, from->name) && copy(&to->directory, from->directory) &&
         copy(&to->definition_sha256, from->definition_sha256) && copy(&to->lock_sha256, from->lock_sha256) &&
         copy(&to->python, from->python);
}

/* An environment that an earlier installation had. */
static kn_status keep_environment(kn_installation *installation) {
  kn_installation before;
  kn_status status = kn_installation_read(installation->framework, &before);
  if (status) {
    if (kn_status_code(status) != KN_NOT_INSTALLED) return status;
    kn_status_free(status);
    return NULL;
  }
  installation->environment = before.environment;
  before.environment = (kn_installed_environment){0};
  kn_installation_clear(&before);
  return NULL;
}

static kn_status write_lock(const kn_install_plan *plan, const char *directory, bool with_environment) {
  kn_installation installation = {0};
  kn_status status = NULL;
  if (!describe(plan, directory, &installation) || (with_environment && !describe_environment(plan, &installation)))
    status = kn_status_out_of_memory();
  else
    status = describe_build(plan, directory, &installation);
  if (!status && !with_environment) status = keep_environment(&installation);
  if (!status) status = kn_installation_write(&installation);
  kn_installation_clear(&installation);
  return status;
}

/* ---- what is left over ---- */

/* What a program of an interrupted installation still writes into is no reason not to install. */
static kn_status remove_or_leave(const char *path) {
  kn_status status = kn_directory_remove(path);
  if (!status || kn_status_code(status) == KN_OUT_OF_MEMORY) return status;
  kn_log(KN_LOG_WARNING, "a leftover stays until the next installation: %s", kn_status_message(status, 0));
  kn_status_free(status);
  return NULL;
}

/* Removes the directories in `parent` that are not `keep` (NULL: all that an interrupted installation left). */
static kn_status remove_others(const char *parent, const char *keep) {
  DIR *listing = opendir(parent);
  kn_status status = NULL;
  for (struct dirent *entry; listing && !status && (entry = readdir(listing));) {
    const char *name = entry->d_name;
    if (!strcmp(name, ".") || !strcmp(name, "..") || !strcmp(name, "lock.json")) continue;
    if (keep ? !strcmp(name, keep) : !strstr(name, ".new-")) continue;
    char *path = kn_format("%s/%s", parent, name);
    status = path ? remove_or_leave(path) : kn_status_out_of_memory();
    kn_free(path);
  }
  if (listing) closedir(listing);
  return status;
}

/* Everything that is installed, by whichever version of this program. Free with kn_place_free_names. */
static kn_status list_installed(const char *data, kn_string_list *out_names) {
  *out_names = (kn_string_list){0};
  DIR *listing = opendir(data);
  kn_status status = NULL;
  for (struct dirent *entry; listing && !status && (entry = readdir(listing));) {
    if (*entry->d_name == '.' || !kn_place_is_name(entry->d_name)) continue;
    char **items = kn_realloc(out_names->items, (out_names->count + 1) * sizeof *items);
    if (items) out_names->items = items;
    if (!items || !(items[out_names->count] = kn_strdup(entry->d_name)))
      status = kn_status_out_of_memory();
    else
      out_names->count++;
  }
  if (listing) closedir(listing);
  if (status) kn_place_free_names(out_names);
  return status;
}

static kn_status is_used(const kn_string_list *frameworks, const char *environment, bool *out_used) {
  *out_used = false;
  for (size_t i = 0; i < frameworks->count && !*out_used; i++) {
    kn_installation installation;
    kn_status status = kn_installation_read(frameworks->items[i], &installation);
    if (!status && installation.environment.directory)
      *out_used = !strcmp(installation.environment.directory, environment);
    kn_code code = kn_status_code(status);
    if (status && code != KN_NOT_INSTALLED) return status;
    kn_status_free(status);
    kn_installation_clear(&installation);
  }
  return NULL;
}

/* Removes the environments that no installed framework uses any more. */
static kn_status remove_unused_environments(const char *data) {
  kn_string_list frameworks;
  KN_TRY(list_installed(data, &frameworks));
  char *parent = kn_format("%s/environments", data);
  DIR *listing = parent ? opendir(parent) : NULL;
  kn_status status = parent ? NULL : kn_status_out_of_memory();
  for (struct dirent *entry; listing && !status && (entry = readdir(listing));) {
    if (*entry->d_name == '.') continue;
    char *path = kn_format("%s/%s", parent, entry->d_name);
    bool used = true;
    status = path ? is_used(&frameworks, path, &used) : kn_status_out_of_memory();
    if (!status && !used) status = kn_directory_remove(path);
    kn_free(path);
  }
  if (listing) closedir(listing);
  kn_free(parent);
  kn_place_free_names(&frameworks);
  return status;
}

/* ---- one framework ---- */

static kn_status make_environment(kn_install_plan *plan, const kn_install_request *request,
                                  const kn_downloads *downloads) {
  if (!plan->with_environment) return NULL;
  return kn_venv_make(&plan->manifest, downloads, request->force && !plan->environment_shared, &plan->environment);
}

/* The library can be used as soon as it is there, also when the environment cannot be made; unless it is made in it. */
static kn_status install_parts(kn_install_plan *plan, const kn_install_request *request, const kn_downloads *downloads,
                               const char *staging, const char *final) {
  const char *name = kn_manifest_head(&plan->manifest)->name;
  const kn_manifest_build *build = kn_manifest_build_of(&plan->manifest);
  bool early = build ? build->with_environment : !plan->file_count;
  if (early) KN_TRY(make_environment(plan, request, downloads));
  if (!plan->files_there) {
    KN_TRY(install_files(plan, downloads, staging, final));
    KN_TRY(write_lock(plan, final, false));
    kn_log(KN_LOG_INFO, "%s %s is installed in %s", name, kn_install_plan_version(plan), final);
  }
  if (!plan->with_environment) return NULL;
  if (!early) KN_TRY(make_environment(plan, request, downloads));
  KN_TRY(write_lock(plan, final, true));
  kn_log(KN_LOG_INFO, "the tools of %s are installed in %s", name, plan->environment.directory);
  return NULL;
}

static kn_status install_framework(kn_install_plan *plan, const kn_install_request *request,
                                   const kn_downloads *downloads, const char *data) {
  const char *name = kn_manifest_head(&plan->manifest)->name;
  char *directory = NULL, *parent = kn_format("%s/%s", data, name);
  kn_status status = parent ? NULL : kn_status_out_of_memory();
  if (!status && !plan->files_there) status = kn_install_plan_fetch(plan, downloads);
  if (!status) status = directory_name(plan, &directory);
  char *final = status ? NULL : kn_format("%s/%s", parent, directory);
  char *staging = status ? NULL : kn_format("%s/%s.new-%ld", parent, directory, (long)getpid());
  if (!status && (!final || !staging)) status = kn_status_out_of_memory();
  if (!status) status = install_parts(plan, request, downloads, staging, final);
  if (!status) status = remove_others(parent, directory);
  kn_free(staging);
  kn_free(final);
  kn_free(directory);
  kn_free(parent);
  return kn_status_annotate(status, "while installing %s", name);
}

/* Under the lock, staging directories belong to nobody that lives. */
static kn_status remove_interrupted(const kn_install_request *request, const char *data) {
  kn_status status = NULL;
  for (size_t i = 0; i <= request->count && !status; i++) {
    char *parent = kn_format("%s/%s", data, i < request->count ? request->frameworks[i] : "environments");
    status = parent ? remove_others(parent, NULL) : kn_status_out_of_memory();
    kn_free(parent);
  }
  return status;
}

static kn_status install_planned(const kn_install_request *request, const kn_downloads *downloads, const char *data,
                                 kn_install_plan *plans) {
  bool done = true;
  kn_install_plans_share(plans, request->count);
  for (size_t i = 0; i < request->count; i++) {
    kn_install_plan_tell(&plans[i]);
    done = done && kn_install_plan_done(&plans[i]);
  }
  if (done) return NULL;
  KN_TRY(check_room(plans, request->count, data, downloads));
  if (request->dry_run) return NULL;
  for (size_t i = 0; i < request->count; i++)
    if (!kn_install_plan_done(&plans[i])) KN_TRY(install_framework(&plans[i], request, downloads, data));
  return remove_unused_environments(data);
}

/* A framework may have been installed by the one who held the lock, so the plans are made under it. */
static kn_status install_locked(const kn_install_request *request, const kn_downloads *downloads, const char *data) {
  kn_plan_options options = {.force = request->force, .only_library = request->only_library, .arch = request->arch};
  kn_install_plan *plans = kn_alloc_array(request->count, sizeof *plans);
  if (!plans) return kn_status_out_of_memory();
  kn_status status = NULL;
  for (size_t i = 0; i < request->count; i++)
    status = kn_status_join(status, kn_install_plan_make(request->frameworks[i], &options, downloads, &plans[i]));
  if (!status) status = install_planned(request, downloads, data, plans);
  for (size_t i = 0; i < request->count; i++) kn_install_plan_clear(&plans[i]);
  kn_free(plans);
  return status;
}

kn_status kn_install(const kn_install_request *request) {
  for (size_t i = 0; i < request->count; i++)
    if (!kn_place_is_name(request->frameworks[i]))
      return kn_status_make(KN_INVALID_ARGUMENT, "'%.64s' is no name of a framework", request->frameworks[i]);
  kn_downloads downloads;
  char *data, *lock_path = NULL;
  int lock = -1;
  KN_TRY(kn_place_data(&data));
  kn_status status = kn_downloads_open(request->offline, &downloads);
  if (!status && !request->dry_run) {
    lock_path = kn_format("%s/install.lock", data);
    status = lock_path ? kn_file_lock(lock_path, false, "waiting for another kenning install to end", &lock)
                       : kn_status_out_of_memory();
    if (!status) status = remove_interrupted(request, data);
  }
  if (!status) status = install_locked(request, &downloads, data);
  kn_file_unlock(lock);
  kn_downloads_close(&downloads);
  kn_free(lock_path);
  kn_free(data);
  return status;
}
