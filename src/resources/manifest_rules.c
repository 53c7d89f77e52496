#include "resources/manifest_rules.h"

#include <string.h>

#include "resources/place.h"
#include "resources/wheel.h"

static bool only(const char *text, const char *allowed) { return *text && strspn(text, allowed) == strlen(text); }

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

/* What a package must look like; NULL: it does. Nothing that a client would take for an option gets through. */
static const char *package_fault(int client, const char *package) {
  const char *equals;
  size_t colons = 0;
  switch (client) {
    case KN_CLIENT_PIP:
      equals = strstr(package, "==");
      if (!equals || equals == package || !only(equals + 2, LETTERS DIGITS ".+!_-") ||
          strspn(package, LETTERS DIGITS "._-") != (size_t)(equals - package) || *package == '-')
        return "a pip package is written name==version";
      return NULL;
    case KN_CLIENT_CARGO:
      equals = strstr(package, "==");
      if (!equals || equals == package || !only(equals + 2, LETTERS DIGITS ".+-") ||
          strspn(package, LETTERS DIGITS "_-") != (size_t)(equals - package) || *package == '-')
        return "a cargo package is written name==version";
      return NULL;
    case KN_CLIENT_MVN:
      for (const char *c = package; *c; c++) colons += *c == ':';
      if (!only(package, LETTERS DIGITS "._:-") || (colons != 3 && colons != 4) || *package == '-' || *package == ':' ||
          strstr(package, "::") || strstr(package, "..") || package[strlen(package) - 1] == ':')
        return "a Maven package is written group:artifact:version:extension or "
               "group:artifact:version:extension:classifier";
      return NULL;
    default:
      return "its client is unknown";
  }
}

static bool member_is_safe(const char *member) {
  if (!*member || *member == '/' || member[strlen(member) - 1] == '/' || strchr(member, '\\')) return false;
  for (const char *part = member; part; part = strchr(part, '/')) {
    part += *part == '/';
    size_t length = strcspn(part, "/");
    if (length == 0 || (length <= 2 && !strncmp(part, "..", length))) return false;
  }
  return true;
}

/* "3.11" */
static bool is_python_version(const char *text) {
  return strlen(text) <= 4 && !strncmp(text, "3.", 2) && only(text + 2, DIGITS);
}

static bool is_sha256(const char *text) { return strlen(text) == 64 && only(text, DIGITS "abcdef"); }

static bool is_file_name(const char *text) { return only(text, LETTERS DIGITS "_.-") && *text != '.'; }

static void fault(kn_status *faults, const char *where, const char *what, const char *value, const char *why) {
  *faults = kn_status_join(*faults,
                           kn_status_make_at(KN_INVALID_ARGUMENT, where, "'%s' is \"%.120s\": %s", what, value, why));
}

/* What files and sources have in common. */
kn_status kn_manifest_check_source(const kn_instance *instance) {
  const kn_manifest_file *file = instance->self;
  const char *where = instance->where, *why = package_fault(file->client, file->package);
  kn_status faults = NULL;
  if (why) fault(&faults, where, "package", file->package, why);
  if (!is_sha256(file->sha256))
    fault(&faults, where, "sha256", file->sha256, "it must be 64 lower-case hexadecimal digits");
  if (file->python && !is_python_version(file->python))
    fault(&faults, where, "python", file->python, "it must be a version such as 3.11");
  if (file->platform && !only(file->platform, LETTERS DIGITS "_."))
    fault(&faults, where, "platform", file->platform, "it must be a tag such as manylinux_2_27_x86_64");
  if (file->client != KN_CLIENT_PIP && (file->python || file->platform))
    fault(&faults, where, "client", kn_client_name((kn_client)file->client), "only pip takes python and platform");
  return faults;
}

static void check_key(kn_status *faults, const char *where, const char *key) {
  if (!only(key, "abcdefghijklmnopqrstuvwxyz" DIGITS "_"))
    fault(faults, where, "key", key, "it takes lower-case letters, digits and _");
}

static void check_version_function(kn_status *faults, const char *where, const char *name) {
  if (name && !only(name, LETTERS DIGITS "_"))
    fault(faults, where, "version_function", name, "it must be the name of a C function");
}

kn_status kn_manifest_check_file(const kn_instance *instance) {
  const kn_manifest_file *file = instance->self;
  const char *where = instance->where;
  kn_status faults = kn_manifest_check_source(instance);
  check_key(&faults, where, file->key);
  if (!member_is_safe(file->member))
    fault(&faults, where, "member", file->member, "it must be a path inside the package, without ..");
  if (file->name && (!member_is_safe(file->name) || strchr(file->name, '/')))
    fault(&faults, where, "name", file->name, "it must be the name of a file, without a directory");
  if (file->client == KN_CLIENT_CARGO)
    fault(&faults, where, "client", kn_client_name((kn_client)file->client),
          "its packages are sources, for a build: no file is taken out of them");
  check_version_function(&faults, where, file->version_function);
  return faults;
}

kn_status kn_manifest_check_build(const kn_instance *instance) {
  const kn_manifest_build *build = instance->self;
  const char *where = instance->where;
  kn_status faults = NULL;
  check_key(&faults, where, build->key);
  check_version_function(&faults, where, build->version_function);
  if (!is_file_name(build->script))
    fault(&faults, where, "script", build->script, "it must be the name of a file in the build directory");
  if (!is_file_name(build->result)) fault(&faults, where, "result", build->result, "it must be the name of a file");
  for (size_t i = 0; i < build->programs.count; i++)
    if (!only(build->programs.items[i], LETTERS DIGITS "_.+-"))
      fault(&faults, where, "programs", build->programs.items[i], "it must be the name of a program");
  return faults;
}

static void check_requirements(kn_status *faults, const char *where, const char *what, const kn_string_list *list) {
  for (size_t i = 0; i < list->count; i++) {
    const char *text = list->items[i], *equals = strstr(text, "==");
    /* Behind the version an environment marker may follow: name==version; platform_machine == "x86_64". */
    if (!equals || equals == text || strspn(text, LETTERS DIGITS "._-") != (size_t)(equals - text) || *text == '-' ||
        strchr(text, '\n'))
      fault(faults, where, what, text, "each must be a requirement with an exact version, name==version");
  }
}

/* Every requirement has a wheel, and every wheel a requirement. */
static void check_wheels(kn_status *faults, const char *where, const kn_manifest_environment *environment) {
  const struct {
    const char *name;
    const kn_string_list *list;
  } rows[] = {{"python_packages", &environment->python_packages},
              {"no_deps", &environment->no_deps},
              {"constraints", &environment->constraints},
              {"foreign_packages", &environment->foreign_packages}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    for (size_t j = 0; j < rows[i].list->count; j++)
      if (!kn_wheel_is_known(environment, rows[i].list->items[j]))
        fault(faults, where, rows[i].name, rows[i].list->items[j],
              "'wheels' has no checksum of it; scripts/pin-wheels writes them");
  for (size_t i = 0; i < environment->wheels.count; i++) {
    const char *wheel = environment->wheels.items[i], *equals = strstr(wheel, ".whl=");
    bool wanted = false;
    if (!equals || strchr(wheel, '/') || !is_sha256(equals + strlen(".whl="))) {
      fault(faults, where, "wheels", wheel, "each must be name.whl=sha256");
      continue;
    }
    for (size_t j = 0; j < sizeof rows / sizeof *rows; j++)
      for (size_t k = 0; k < rows[j].list->count && !wanted; k++)
        wanted = kn_wheel_is_of(wheel, rows[j].list->items[k]);
    if (!wanted) fault(faults, where, "wheels", wheel, "no package of the environment is this one");
  }
}

kn_status kn_manifest_check_environment(const kn_instance *instance) {
  const kn_manifest_environment *environment = instance->self;
  const char *where = instance->where;
  kn_status faults = NULL;
  if (!kn_place_is_name(environment->name))
    fault(&faults, where, "name", environment->name, "it takes lower-case letters, digits, - and _");
  if (!environment->python_packages.count)
    fault(&faults, where, "python_packages", "", "there must be at least one package");
  check_requirements(&faults, where, "python_packages", &environment->python_packages);
  check_requirements(&faults, where, "no_deps", &environment->no_deps);
  check_requirements(&faults, where, "constraints", &environment->constraints);
  check_requirements(&faults, where, "foreign_packages", &environment->foreign_packages);
  if (environment->foreign_packages.count && (!environment->foreign_python || !environment->foreign_platform))
    fault(&faults, where, "foreign_packages", environment->foreign_packages.items[0],
          "foreign_python and foreign_platform must say which wheels are meant");
  if (environment->foreign_python && !is_python_version(environment->foreign_python))
    fault(&faults, where, "foreign_python", environment->foreign_python, "it must be a version such as 3.10");
  if (environment->foreign_platform && !only(environment->foreign_platform, LETTERS DIGITS "_."))
    fault(&faults, where, "foreign_platform", environment->foreign_platform,
          "it must be a tag such as manylinux_2_27_x86_64");
  check_wheels(&faults, where, environment);
  if (environment->prepare && !is_file_name(environment->prepare))
    fault(&faults, where, "prepare", environment->prepare, "it must be the name of a file in the build directory");
  for (size_t i = 0; i < environment->imports.count; i++)
    if (!only(environment->imports.items[i], LETTERS DIGITS "_."))
      fault(&faults, where, "imports", environment->imports.items[i], "it is no name of a Python module");
  if (environment->python_min && !is_python_version(environment->python_min))
    fault(&faults, where, "python_min", environment->python_min, "it must be a version such as 3.11");
  if (environment->python_max && !is_python_version(environment->python_max))
    fault(&faults, where, "python_max", environment->python_max, "it must be a version such as 3.11");
  return faults;
}

kn_status kn_manifest_check_names(const kn_manifest *manifest) {
  kn_status faults = NULL;
  for (size_t i = 0; i < manifest->file_count; i++) {
    const kn_manifest_file *a = kn_manifest_file_at(manifest, i);
    for (size_t j = i + 1; j < manifest->file_count; j++) {
      const kn_manifest_file *b = kn_manifest_file_at(manifest, j);
      if (a->arch == b->arch && strcmp(a->key, b->key) != 0 &&
          !strcmp(kn_manifest_file_name(a), kn_manifest_file_name(b)))
        fault(&faults, manifest->files[j].where, "member", b->member, "another file is called the same");
    }
    const kn_manifest_build *build = kn_manifest_build_of(manifest);
    if (build && (!strcmp(build->key, a->key) || !strcmp(build->result, kn_manifest_file_name(a))))
      fault(&faults, manifest->build.where, "result", build->result, "a file has this key or name");
  }
  return faults;
}
