#include "resources/venv.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kenning/process.h>

#include "core/file.h"
#include "core/text.h"
#include "resources/place.h"
#include "resources/tool.h"
#include "resources/wheel.h"

enum { SHORT_TIMEOUT_S = 120, IMPORT_TIMEOUT_S = 600, MAXIMUM_ARGUMENTS = 32 };

void kn_venv_clear(kn_installed_environment *environment) {
  kn_free(environment->name);
  kn_free(environment->directory);
  kn_free(environment->definition_sha256);
  kn_free(environment->lock_sha256);
  kn_free(environment->python);
  *environment = (kn_installed_environment){0};
}

/* ---- plan ---- */

static int minor_of(const char *version) {
  return !strncmp(version, "3.", 2) ? (int)strtol(version + 2, NULL, 10) : -1;
}

/* "3.11.2" into *out_version. */
static kn_status python_version(const char *python, char **out_version) {
  kn_status status =
      kn_process_output((const char *const[]){python, "-c", "import platform; print(platform.python_version())", NULL},
                        SHORT_TIMEOUT_S, out_version);
  if (kn_status_code(status) == KN_NOT_INSTALLED)
    return kn_status_annotate(status, "on Debian: apt-get install python3 python3-pip python3-venv");
  if (!status) (*out_version)[strcspn(*out_version, "\n")] = '\0';
  return status;
}

static kn_status check_python(const kn_manifest_environment *definition, const char *version) {
  int minor = minor_of(version);
  if ((definition->python_min && minor < minor_of(definition->python_min)) ||
      (definition->python_max && minor > minor_of(definition->python_max)))
    return kn_status_make(KN_INCOMPATIBLE,
                          "the Python environment '%s' takes Python %s to %s, and python3 is %s; name another by "
                          "KENNING_PYTHON",
                          definition->name, definition->python_min ? definition->python_min : "3",
                          definition->python_max ? definition->python_max : "3", version);
  return NULL;
}

static void add_list(kn_text *text, const char *what, const kn_string_list *list) {
  for (size_t i = 0; i < list->count; i++) kn_text_format(text, "%s %s\n", what, list->items[i]);
}

/* The script that prepares the environment, in the back-end's build directory. */
static kn_status prepare_path(const kn_manifest *manifest, char **out_path) {
  char *name = kn_format("build/%s", kn_manifest_environment_of(manifest)->prepare);
  *out_path = NULL;
  if (!name) return kn_status_out_of_memory();
  kn_status status = kn_place_backend(kn_manifest_head(manifest)->name, name, out_path);
  kn_free(name);
  return status;
}

static kn_status add_prepare(const kn_manifest *manifest, kn_text *text) {
  char *path, hex[65];
  KN_TRY(prepare_path(manifest, &path));
  kn_status status = kn_sha256_file(path, hex);
  if (!status) kn_text_format(text, "prepare %s\n", hex);
  kn_free(path);
  return status;
}

static kn_status definition_hash(const kn_manifest *manifest, const char *version, char hex[65]) {
  const kn_manifest_environment *definition = kn_manifest_environment_of(manifest);
  kn_text text = {0};
  kn_text_format(&text, "name %s\npython 3.%d\n", definition->name, minor_of(version));
  add_list(&text, "package", &definition->python_packages);
  add_list(&text, "no_deps", &definition->no_deps);
  add_list(&text, "constraint", &definition->constraints);
  add_list(&text, "foreign", &definition->foreign_packages);
  kn_status status = definition->prepare ? add_prepare(manifest, &text) : NULL;
  if (!status) status = kn_text_status(&text);
  if (!status) status = kn_sha256(text.data, text.length, hex);
  kn_text_clear(&text);
  return status;
}

/* The packages that were put in, written last: its presence says that the environment is whole. */
static kn_status lock_path(const char *directory, char **out_path) {
  *out_path = kn_format("%s/kenning-lock.txt", directory);
  return *out_path ? NULL : kn_status_out_of_memory();
}

static kn_status find_lock(kn_installed_environment *environment) {
  char *path, hex[65];
  KN_TRY(lock_path(environment->directory, &path));
  kn_status status = NULL;
  if (kn_file_exists(path, NULL)) {
    status = kn_sha256_file(path, hex);
    if (!status) {
      kn_free(environment->lock_sha256);
      environment->lock_sha256 = kn_strdup(hex);
      if (!environment->lock_sha256) status = kn_status_out_of_memory();
    }
  }
  kn_free(path);
  return status;
}

static kn_status plan(const kn_manifest *manifest, const kn_downloads *downloads,
                      kn_installed_environment *environment) {
  const kn_manifest_environment *definition = kn_manifest_environment_of(manifest);
  char hex[65], *data;
  KN_TRY(python_version(downloads->python, &environment->python));
  KN_TRY(check_python(definition, environment->python));
  KN_TRY(definition_hash(manifest, environment->python, hex));
  KN_TRY(kn_place_data(&data));
  environment->name = kn_strdup(definition->name);
  environment->definition_sha256 = kn_strdup(hex);
  environment->directory = kn_format("%s/environments/%s-%.12s", data, definition->name, hex);
  kn_free(data);
  if (!environment->name || !environment->definition_sha256 || !environment->directory)
    return kn_status_out_of_memory();
  return find_lock(environment);
}

kn_status kn_venv_plan(const kn_manifest *manifest, const kn_downloads *downloads,
                       kn_installed_environment *out_environment) {
  *out_environment = (kn_installed_environment){0};
  kn_status status = plan(manifest, downloads, out_environment);
  if (status) kn_venv_clear(out_environment);
  return status;
}

/* ---- making ---- */

typedef struct build {
  const kn_manifest *manifest;
  const kn_manifest_environment *definition; /* of it */
  const kn_downloads *downloads;
  const char *staging; /* becomes the environment by one rename */
  char *python;        /* its interpreter */
  char *wheels;        /* where wheels are kept */
  char *requirements;  /* what is put in, for pip */
} build;

/* pip with the arguments every call has and `options`, for the packages of a requirements file: exactly these, and each
 * one of the wheels whose checksum is there. */
static kn_status run_pip(const build *b, const char *verb, const char *const *options, const char *requirements,
                         const char *grows, int64_t expected, const char *what) {
  const char *arguments[MAXIMUM_ARGUMENTS] = {0};
  size_t n = 0;
  /* -I: whatever the user has put on Python's path is not taken for something installed. */
  const char *const common[] = {
      b->python,        "-I",  "-m",           "pip",     verb,        "--only-binary=:all:", "--no-cache-dir",
      "--progress-bar", "off", "--find-links", b->wheels, "--no-deps", "--require-hashes",    "--requirement",
      requirements};
  for (size_t i = 0; i < sizeof common / sizeof *common; i++) arguments[n++] = common[i];
  while (*options && n + 1 < MAXIMUM_ARGUMENTS) arguments[n++] = *options++;
  kn_client_run run = {.arguments = arguments,
                       .grows = grows,
                       .expected = expected,
                       .what = what,
                       .attempts = strcmp(verb, "download") == 0 ? KN_TRANSFER_ATTEMPTS : 1};
  return kn_client_run_command(b->downloads, &run);
}

/* Whether the foreign packages are for this machine: their platform ends in its name. */
static bool takes_foreign(const kn_manifest_environment *definition) {
  const char *here = kn_arch_name(kn_arch_here()), *platform = definition->foreign_platform;
  size_t length = strlen(here), whole = platform ? strlen(platform) : 0;
  return definition->foreign_packages.count && whole > length && !strcmp(platform + whole - length, here);
}

/* <environment>/foreign. */
static kn_status foreign_directory(const char *environment, char **out_path) {
  *out_path = kn_format("%s/foreign", environment);
  return *out_path ? NULL : kn_status_out_of_memory();
}

/* Wheels for another Python hold what needs no particular one: libraries that are opened through ctypes. */
static kn_status put_in_foreign(const build *b) {
  const kn_manifest_environment *d = b->definition;
  char *directory, *abi = kn_format("cp3%s", d->foreign_python + 2);
  char *requirements = kn_format("%s/foreign-requirements.txt", b->staging);
  kn_status status = foreign_directory(b->staging, &directory);
  if (!status && (!abi || !requirements)) status = kn_status_out_of_memory();
  if (!status)
    status = kn_wheel_write_requirements(d, (const kn_string_list *const[]){&d->foreign_packages}, 1, requirements);
  if (!status) {
    const char *const fetch[] = {
        "--dest", b->wheels,    "--implementation",  "cp", "--python-version", d->foreign_python, "--abi",
        abi,      "--platform", d->foreign_platform, NULL};
    const char *const install[] = {"--no-index", "--target",         directory,           "--implementation",
                                   "cp",         "--python-version", d->foreign_python,   "--abi",
                                   abi,          "--platform",       d->foreign_platform, NULL};
    if (!b->downloads->offline)
      status =
          run_pip(b, "download", fetch, requirements, b->downloads->directory, 0, "downloading more Python packages");
    if (!status)
      status = run_pip(b, "install", install, requirements, b->staging, 0, "installing more Python packages");
  }
  kn_free(directory);
  kn_free(requirements);
  kn_free(abi);
  return status;
}

/* First everything is fetched, where it stays for the next time; then it is put in without asking anybody. */
static kn_status put_in(const build *b) {
  const kn_manifest_environment *d = b->definition;
  const kn_string_list *const lists[] = {&d->python_packages, &d->no_deps, &d->constraints};
  KN_TRY(kn_wheel_write_requirements(d, lists, sizeof lists / sizeof *lists, b->requirements));
  KN_TRY(kn_wheel_check_all(d, b->wheels));
  if (!b->downloads->offline) {
    int64_t missing = d->download_bytes - (int64_t)kn_directory_bytes(b->wheels);
    KN_TRY(run_pip(b, "download", (const char *const[]){"--dest", b->wheels, NULL}, b->requirements,
                   b->downloads->directory, missing > 0 ? missing : 0, "downloading Python packages"));
  }
  KN_TRY(run_pip(b, "install", (const char *const[]){"--no-index", NULL}, b->requirements, b->staging, d->disk_bytes,
                 "installing Python packages"));
  return takes_foreign(d) ? put_in_foreign(b) : NULL;
}

static kn_status prepare(const build *b) {
  char *script;
  if (!b->definition->prepare) return NULL;
  KN_TRY(prepare_path(b->manifest, &script));
  const kn_tool_request request = {.script = b->definition->prepare,
                                   .arguments = (const char *const[]){"--environment", b->staging, NULL},
                                   .timeout_s = IMPORT_TIMEOUT_S};
  kn_status status = kn_tool_run_by(b->python, script, &request, NULL);
  kn_free(script);
  return kn_status_annotate(status, "while preparing the new Python environment");
}

static kn_status try_imports(const build *b) {
  for (size_t i = 0; i < b->definition->imports.count; i++) {
    char *code = kn_format("import %s", b->definition->imports.items[i]);
    if (!code) return kn_status_out_of_memory();
    kn_log(KN_LOG_INFO, "trying: %s", code);
    kn_process_request request = {.arguments = (const char *const[]){b->python, "-I", "-c", code, NULL},
                                  .timeout_s = IMPORT_TIMEOUT_S};
    kn_status status = kn_process_run(&request, NULL);
    kn_free(code);
    if (status) return kn_status_annotate(status, "while trying the new Python environment");
  }
  return NULL;
}

/* The programs that packages bring name the staging directory, and nothing here runs them. */
static kn_status remove_programs(const build *b) {
  char *directory = kn_format("%s/bin", b->staging);
  if (!directory) return kn_status_out_of_memory();
  DIR *listing = opendir(directory);
  kn_status status = NULL;
  for (struct dirent *entry; listing && !status && (entry = readdir(listing));) {
    if (*entry->d_name == '.' || !strncmp(entry->d_name, "python", 6)) continue;
    char *path = kn_format("%s/%s", directory, entry->d_name);
    status = path ? kn_directory_remove(path) : kn_status_out_of_memory();
    kn_free(path);
  }
  if (listing) closedir(listing);
  kn_free(directory);
  return status;
}

/* Names and versions, one a line; those in the directory of foreign packages, where there is one, behind the others. */
static kn_status installed_packages(const char *environment, const char *python, char **out_text) {
  char *foreign, *local = NULL, *more = NULL;
  KN_TRY(foreign_directory(environment, &foreign));
  kn_status status = kn_process_output((const char *const[]){python, "-I", "-m", "pip", "freeze", "--local", NULL},
                                       SHORT_TIMEOUT_S, &local);
  if (!status && access(foreign, F_OK) == 0)
    status = kn_process_output((const char *const[]){python, "-I", "-m", "pip", "freeze", "--path", foreign, NULL},
                               SHORT_TIMEOUT_S, &more);
  kn_free(foreign);
  if (!status && more) {
    *out_text = kn_format("%s%s", local, more);
    if (!*out_text) status = kn_status_out_of_memory();
  } else if (!status) {
    *out_text = local;
    local = NULL;
  }
  kn_free(local);
  kn_free(more);
  return status;
}

static kn_status write_lock(const build *b, const char *version) {
  char *packages, *path = NULL;
  kn_text text = {0};
  KN_TRY(installed_packages(b->staging, b->python, &packages));
  kn_text_format(&text, "# Python %s\n%s", version, packages);
  kn_status status = kn_text_status(&text);
  if (!status) status = lock_path(b->staging, &path);
  if (!status) status = kn_file_write(path, text.data, text.length);
  kn_free(path);
  kn_text_clear(&text);
  kn_free(packages);
  return status;
}

static kn_status create_venv(const build *b) {
  kn_log(KN_LOG_INFO, "making the Python environment '%s'", b->definition->name);
  kn_process_request request = {
      .arguments = (const char *const[]){b->downloads->python, "-m", "venv", b->staging, NULL},
      .timeout_s = IMPORT_TIMEOUT_S};
  kn_status status = kn_process_run(&request, NULL);
  kn_code code = kn_status_code(status);
  if (code != KN_BACKEND_FAILED && code != KN_NOT_INSTALLED) return status;
  kn_status missing = kn_status_make(KN_NOT_INSTALLED,
                                     "python3 -m venv fails; on Debian: apt-get install python3-venv"
                                     "\n%s",
                                     kn_status_message(status, 0));
  kn_status_free(status);
  return missing;
}

static kn_status fill(build *b, const char *version) {
  KN_TRY(create_venv(b));
  KN_TRY(put_in(b));
  KN_TRY(remove_programs(b));
  KN_TRY(prepare(b));
  KN_TRY(try_imports(b));
  return write_lock(b, version);
}

/* Puts the staging directory in the place of `final`. */
static kn_status exchange(const char *staging, const char *final) {
  KN_TRY(kn_directory_remove(final));
  if (rename(staging, final) != 0) return kn_status_make(KN_IO_ERROR, "%s: cannot be put in place: %m", final);
  return NULL;
}

static kn_status make_in(const char *staging, const kn_manifest *manifest, const kn_downloads *downloads,
                         kn_installed_environment *environment) {
  build b = {.manifest = manifest,
             .definition = kn_manifest_environment_of(manifest),
             .downloads = downloads,
             .staging = staging};
  b.python = kn_format("%s/bin/python3", staging);
  b.requirements = kn_format("%s/requirements.txt", staging);
  kn_status status = b.python && b.requirements ? kn_downloads_wheels(downloads, &b.wheels) : kn_status_out_of_memory();
  if (!status) status = kn_directory_make(b.wheels);
  if (!status) status = fill(&b, environment->python);
  if (!status) status = exchange(staging, environment->directory);
  kn_free(b.wheels);
  kn_free(b.requirements);
  kn_free(b.python);
  return status;
}

kn_status kn_venv_make(const kn_manifest *manifest, const kn_downloads *downloads, bool force,
                       kn_installed_environment *environment) {
  KN_TRY(find_lock(environment));
  if (environment->lock_sha256 && !force) return NULL;
  char *staging = kn_format("%s.new-%ld", environment->directory, (long)getpid());
  if (!staging) return kn_status_out_of_memory();
  kn_status status = kn_directory_remove(staging);
  if (!status) status = kn_directory_make(staging);
  if (!status) status = make_in(staging, manifest, downloads, environment);
  if (status) status = kn_status_join(status, kn_directory_remove(staging));
  kn_free(staging);
  return status ? status : find_lock(environment);
}

/* ---- checking ---- */

/* Sizes, not contents, of what the packages say they consist of; programs beside them were removed on purpose, and
 * Python writes compiled files anew. */
static const char count_files[] =
    "import glob, importlib.metadata as m, os, sys\n"
    "lost, first = 0, ''\n"
    "here = sys.argv[1]\n"
    "places = glob.glob(glob.escape(here) + '/lib/python3*/site-packages')\n"
    "for d in m.distributions(path=places + [here + '/foreign']):\n"
    "  for f in d.files or ():\n"
    "    if f.size is None or '..' in f.parts or f.suffix == '.pyc': continue\n"
    "    path = f.locate()\n"
    "    try: whole = os.stat(path).st_size == f.size\n"
    "    except OSError: whole = False\n"
    "    if whole: continue\n"
    "    lost += 1\n"
    "    first = first or f'{path} of {d.metadata[\"Name\"]} {d.version}'\n"
    "if lost: print(f'{first}' + (f' and {lost - 1} more' if lost > 1 else ''))\n";

static kn_status check_files(const char *environment, const char *python) {
  char *text = NULL;
  kn_status status = kn_process_output((const char *const[]){python, "-I", "-c", count_files, environment, NULL},
                                       SHORT_TIMEOUT_S, &text);
  if (!status && *text) {
    text[strcspn(text, "\n")] = '\0';
    status = kn_status_make(KN_NOT_INSTALLED, "missing or of another size than was installed: %s", text);
  }
  kn_free(text);
  return status;
}

kn_status kn_venv_check(const kn_installed_environment *environment) {
  char *python = kn_format("%s/bin/python3", environment->directory), *path = NULL, *packages = NULL, *lock = NULL;
  size_t bytes;
  if (!python) return kn_status_out_of_memory();
  kn_status status = lock_path(environment->directory, &path);
  if (!status) status = kn_file_read(path, 1 << 20, &lock, &bytes);
  if (!status) status = installed_packages(environment->directory, python, &packages);
  if (!status) {
    const char *expected = strchr(lock, '\n');
    if (!expected || strcmp(expected + 1, packages) != 0)
      status = kn_status_make(KN_NOT_INSTALLED, "the packages in %s are not those that were installed",
                              environment->directory);
    else
      status = check_files(environment->directory, python);
  } else if (kn_status_code(status) == KN_NOT_FOUND || kn_status_code(status) == KN_BACKEND_FAILED) {
    kn_status broken =
        kn_status_make(KN_NOT_INSTALLED, "%s does not work: %s", environment->directory, kn_status_message(status, 0));
    kn_status_free(status);
    status = broken;
  }
  kn_free(lock);
  kn_free(packages);
  kn_free(path);
  kn_free(python);
  return status;
}
