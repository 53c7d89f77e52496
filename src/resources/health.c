#include "resources/health.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <kenning/process.h>
#include <kenning/services.h>

#include "core/dynamic.h"
#include "core/file.h"
#include "resources/manifest.h"
#include "resources/place.h"
#include "resources/venv.h"

enum { PROGRAM_TIMEOUT_S = 60, OPEN_TIMEOUT_S = 120, OPENER_ARGUMENTS = 6 };

const char *kn_health_name(kn_health health) {
  static const char *const names[] = {"ok", "note", "missing", "damaged"};
  return names[health];
}

void kn_examination_clear(kn_examination *findings) {
  for (size_t i = 0; i < findings->count; i++) {
    kn_free(findings->items[i].name);
    kn_free(findings->items[i].detail);
    kn_free(findings->items[i].command);
  }
  for (size_t i = 0; i < findings->group_count; i++) kn_free(findings->groups[i]);
  kn_free(findings->items);
  kn_free(findings->groups);
  *findings = (kn_examination){0};
}

bool kn_examination_well(const kn_examination *findings) {
  for (size_t i = 0; i < findings->count; i++)
    if (findings->items[i].health >= KN_HEALTH_MISSING) return false;
  return true;
}

/* Adds a finding; takes `detail`, which is NULL when memory was exhausted. `command` may be NULL. */
static kn_status add(kn_examination *findings, const char *group, kn_health health, const char *name, char *detail,
                     const char *command) {
  kn_symptom *items = kn_realloc(findings->items, (findings->count + 1) * sizeof *items);
  if (items) findings->items = items;
  char *name_copy = kn_strdup(name), *command_copy = command ? kn_strdup(command) : NULL;
  if (!items || !detail || !name_copy || (command && !command_copy)) {
    kn_free(name_copy);
    kn_free(command_copy);
    kn_free(detail);
    return kn_status_out_of_memory();
  }
  items[findings->count++] =
      (kn_symptom){.group = group, .health = health, .name = name_copy, .detail = detail, .command = command_copy};
  return NULL;
}

/* A status that says what is wrong becomes a finding; one that says that looking itself failed is returned. */
static kn_status add_status(kn_examination *findings, const char *group, kn_health health, const char *name,
                            kn_status status, const char *command) {
  kn_code code = kn_status_code(status);
  if (code == KN_OUT_OF_MEMORY || code == KN_CANCELLED) return status;
  const char *where = kn_status_where(status, 0);
  char *detail = kn_format("%s%s%s", where ? where : "", where ? ": " : "", kn_status_message(status, 0));
  kn_status_free(status);
  return add(findings, group, health, name, detail, command);
}

/* ---- programs and libraries ---- */

typedef struct program {
  const char *name;
  const char *arguments[6]; /* that show its version or that it works */
  const char *purpose;
  const char *package;
  kn_health without;
} program;

static const program programs[] = {
    {"python3", {"python3", "--version"}, "converters, kenning install", "python3", KN_HEALTH_MISSING},
    {"pip", {"python3", "-m", "pip", "--version"}, "kenning install", "python3-pip", KN_HEALTH_MISSING},
    {"venv",
     {"python3", "-c", "import venv, ensurepip; print(ensurepip.version())"},
     "environments of converters",
     "python3-venv",
     KN_HEALTH_MISSING},
    {"gnuplot", {"gnuplot", "--version"}, "plots of RST and Markdown reports", "gnuplot-nox", KN_HEALTH_MISSING},
    {"mvn", {"mvn", "--version"}, "fetching what only the Maven repository has", "maven", KN_HEALTH_NOTE},
    {"apt-get", {"apt-get", "--version"}, "fetching data sets of Debian", "apt", KN_HEALTH_NOTE},
    {"dpkg-deb", {"dpkg-deb", "--version"}, "unpacking data sets of Debian", "dpkg", KN_HEALTH_NOTE},
    {"setpriv", {"setpriv", "--version"}, "ending tools together with kenning", "util-linux", KN_HEALTH_NOTE},
};

static const struct {
  const char *name;
  const char *files[3]; /* any of them */
  const char *purpose;
  const char *package;
} libraries[] = {
    {"libcrypto", {"libcrypto.so.3"}, "checksums", "libssl3"},
    {"zlib", {"libz.so.1"}, "compressed data sets", "zlib1g"},
    {"libcurl", {"libcurl.so.4"}, "downloads of models and data sets", "libcurl4"},
    {"libarchive", {"libarchive.so.13"}, "data sets in archives", "libarchive13"},
    {"libjpeg", {"libjpeg.so.62", "libjpeg.so.8"}, "JPEG images", "libjpeg62-turbo"},
    {"libpng", {"libpng16.so.16"}, "PNG images", "libpng16-16"},
    {"HDF5", {"libhdf5_serial.so.103", "libhdf5_serial.so.310", "libhdf5.so"}, "Keras model files", "libhdf5-103-1"},
};

static kn_status check_program(const program *p, kn_examination *findings) {
  const char *arguments[7];
  memcpy(arguments, p->arguments, sizeof p->arguments);
  arguments[6] = NULL;
  const char *python = getenv("KENNING_PYTHON");
  if (!strcmp(arguments[0], "python3") && python && *python) arguments[0] = python;
  char *text, command[128];
  kn_status status = kn_process_output(arguments, PROGRAM_TIMEOUT_S, &text);
  if (!status) {
    text[strcspn(text, "\n")] = '\0';
    return add(findings, "programs", KN_HEALTH_OK, p->name, text, NULL);
  }
  kn_code code = kn_status_code(status);
  if (code == KN_OUT_OF_MEMORY || code == KN_CANCELLED) return status;
  kn_status_free(status);
  snprintf(command, sizeof command, "apt-get install %s", p->package);
  return add(findings, "programs", p->without, p->name, kn_format("not there; for %s", p->purpose), command);
}

static kn_status check_libraries(kn_examination *findings) {
  for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
    void *handle = NULL;
    const char *file = NULL, *fault;
    for (size_t j = 0; j < 3 && libraries[i].files[j] && !handle; j++) {
      file = libraries[i].files[j];
      handle = kn_dynamic_open(file, &fault);
    }
    if (handle) {
      kn_dynamic_close(handle);
      KN_TRY(add(findings, "libraries", KN_HEALTH_OK, libraries[i].name, kn_strdup(file), NULL));
    } else {
      char command[128];
      snprintf(command, sizeof command, "apt-get install %s", libraries[i].package);
      KN_TRY(add(findings, "libraries", KN_HEALTH_MISSING, libraries[i].name,
                 kn_format("not there; for %s", libraries[i].purpose), command));
    }
  }
  return NULL;
}

/* ---- places ---- */

static kn_status check_place(const char *name, const char *path, kn_examination *findings) {
  kn_status status = kn_directory_make(path);
  if (status) return add_status(findings, "places", KN_HEALTH_MISSING, name, status, NULL);
  if (access(path, W_OK) != 0)
    return add(findings, "places", KN_HEALTH_MISSING, name, kn_format("%s may not be written to", path), NULL);
  struct statvfs found;
  if (statvfs(path, &found) != 0) return add(findings, "places", KN_HEALTH_OK, name, kn_strdup(path), NULL);
  double free_gb = (double)found.f_bavail * (double)found.f_frsize / 1e9;
  return add(findings, "places", free_gb < 1 ? KN_HEALTH_NOTE : KN_HEALTH_OK, name,
             kn_format("%s, %.1f GB free", path, free_gb), NULL);
}

static kn_status check_places(kn_examination *findings) {
  static const struct {
    const char *name;
    kn_status (*place)(char **out_path);
  } places[] = {{"data", kn_place_data}, {"cache", kn_place_cache}, {"state", kn_place_state}};
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    char *path;
    kn_status status = places[i].place(&path);
    if (!status) {
      status = check_place(places[i].name, path, findings);
      kn_free(path);
    } else {
      status = add_status(findings, "places", KN_HEALTH_MISSING, places[i].name, status, NULL);
    }
    KN_TRY(status);
  }
  return NULL;
}

/* ---- frameworks ---- */

typedef struct checkup {
  kn_examination *findings;
  const char *group;
  const char *const *opener;
  char again[128]; /* command that installs it anew */
} checkup;

/* Opens the library in a process of its own: a crash there is a finding here. */
static kn_status open_library(const checkup *c, const kn_installed_file *file) {
  const char *arguments[OPENER_ARGUMENTS + 3] = {0};
  size_t n = 0;
  while (n < OPENER_ARGUMENTS && c->opener[n]) {
    arguments[n] = c->opener[n];
    n++;
  }
  arguments[n++] = file->path;
  arguments[n] = file->version_function;
  char *text;
  kn_status status = kn_process_output(arguments, OPEN_TIMEOUT_S, &text);
  if (status) return add_status(c->findings, c->group, KN_HEALTH_DAMAGED, file->key, status, c->again);
  text[strcspn(text, "\n")] = '\0';
  kn_health health = strcmp(text, file->version) != 0 ? KN_HEALTH_DAMAGED : KN_HEALTH_OK;
  char *detail = health ? kn_format("%s reports version %s instead of %s", file->path, text, file->version)
                        : kn_format("%s, version %s, opens", file->path, file->version);
  kn_free(text);
  return add(c->findings, c->group, health, file->key, detail, health ? c->again : NULL);
}

static kn_status check_file(const checkup *c, const kn_installed_file *file) {
  char hex[65];
  kn_log(KN_LOG_DEBUG, "checking %s", file->path);
  kn_status status = kn_sha256_file(file->path, hex);
  if (status) return add_status(c->findings, c->group, KN_HEALTH_DAMAGED, file->key, status, c->again);
  if (strcmp(hex, file->sha256) != 0)
    return add(c->findings, c->group, KN_HEALTH_DAMAGED, file->key,
               kn_format("%s is not as it was installed: its SHA-256 is %s", file->path, hex), c->again);
  /* Only the library itself has a version to tell; the others are opened by it. */
  if (file->version_function) return open_library(c, file);
  return add(c->findings, c->group, KN_HEALTH_OK, file->key, kn_format("%s, whole", file->path), NULL);
}

static kn_status check_venv(const checkup *c, const kn_installation *installation, const kn_manifest *manifest) {
  const kn_installed_environment *environment = &installation->environment;
  if (!kn_manifest_environment_of(manifest)) return NULL;
  if (!environment->name)
    return add(c->findings, c->group, KN_HEALTH_NOTE, "environment", kn_strdup("not installed: converters cannot run"),
               c->again);
  kn_status status = kn_venv_check(environment);
  if (status) return add_status(c->findings, c->group, KN_HEALTH_DAMAGED, "environment", status, c->again);
  return add(c->findings, c->group, KN_HEALTH_OK, "environment",
             kn_format("%s, Python %s", environment->directory, environment->python), NULL);
}

static kn_status check_installed(checkup *c, const kn_manifest *manifest) {
  const char *name = kn_manifest_head(manifest)->name;
  kn_installation installation;
  kn_status status = kn_installation_read(name, &installation);
  if (status) {
    snprintf(c->again, sizeof c->again, "kenning install %s", name);
    return add_status(c->findings, c->group, KN_HEALTH_MISSING, "installation", status, c->again);
  }
  for (size_t i = 0; i < installation.file_count && !status; i++) status = check_file(c, &installation.files[i]);
  if (!status) status = check_venv(c, &installation, manifest);
  kn_installation_clear(&installation);
  return status;
}

static kn_status add_group(kn_examination *findings, const char *name, const char **out_group) {
  char **groups = kn_realloc(findings->groups, (findings->group_count + 1) * sizeof *groups);
  if (groups) findings->groups = groups;
  char *copy = groups ? kn_strdup(name) : NULL;
  if (!copy) return kn_status_out_of_memory();
  groups[findings->group_count++] = copy;
  *out_group = copy;
  return NULL;
}

/* `asked`: by its name, so that a wrong name is the caller's fault. */
static kn_status check_framework(const char *name, bool asked, const char *const *opener, kn_examination *findings) {
  checkup c = {.findings = findings, .opener = opener};
  snprintf(c.again, sizeof c.again, "kenning install --force %s", name);
  kn_manifest manifest;
  KN_TRY(add_group(findings, name, &c.group));
  kn_status status = kn_manifest_read(name, &manifest);
  if (status) return asked ? status : add_status(findings, c.group, KN_HEALTH_DAMAGED, "manifest", status, NULL);
  status = check_installed(&c, &manifest);
  kn_manifest_clear(&manifest);
  return status;
}

static kn_status check_frameworks(const char *const *frameworks, size_t count, const char *const *opener,
                                  kn_examination *findings) {
  kn_string_list names = {0};
  bool asked = count;
  if (!asked) {
    KN_TRY(kn_place_backends(&names));
    frameworks = (const char *const *)names.items;
    count = names.count;
  }
  kn_status status = NULL;
  for (size_t i = 0; i < count && !status; i++) {
    kn_progress("checking frameworks", (double)i, (double)count, frameworks[i]); /* reads all that they have on disk */
    status = check_framework(frameworks[i], asked, opener, findings);
  }
  if (!status && count) kn_progress("checking frameworks", 1, 1, NULL);
  kn_place_free_names(&names);
  return status;
}

kn_status kn_health_check(const char *const *frameworks, size_t count, const char *const *opener,
                          kn_examination *out_findings) {
  *out_findings = (kn_examination){0};
  kn_status status = check_frameworks(frameworks, count, opener, out_findings);
  for (size_t i = 0; i < sizeof programs / sizeof *programs && !status; i++)
    status = check_program(&programs[i], out_findings);
  if (!status) status = check_libraries(out_findings);
  if (!status) status = check_places(out_findings);
  if (status) kn_examination_clear(out_findings);
  return status;
}
