#include "resources/manifest.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "core/text.h"
#include "resources/manifest_rules.h"
#include "resources/place.h"

static const kn_choice clients[] = {{"pip", KN_CLIENT_PIP, "the Python package index"},
                                    {"mvn", KN_CLIENT_MVN, "the Maven repository"},
                                    {"cargo", KN_CLIENT_CARGO, "the Rust package registry"},
                                    {0}};
static const kn_choice architectures[] = {
    {"any", KN_ARCH_ANY, "every machine"}, {"x86_64", KN_ARCH_X86_64, NULL}, {"aarch64", KN_ARCH_AARCH64, NULL}, {0}};

static const kn_option framework_rows[] = {
    {"name", "name of the framework, as in the directory's", KN_OPTION_STRING, KN_OPTION_REQUIRED,
     KN_FIELD(kn_manifest_framework, name)},
    {"summary", "one sentence", KN_OPTION_STRING, KN_OPTION_REQUIRED, KN_FIELD(kn_manifest_framework, summary)},
    {"version", "version of the framework", KN_OPTION_STRING, KN_OPTION_REQUIRED,
     KN_FIELD(kn_manifest_framework, version)},
    {"license", "SPDX identifier", KN_OPTION_STRING, KN_OPTION_REQUIRED, KN_FIELD(kn_manifest_framework, license)},
    {0}};

static const kn_option file_rows[] = {
    {"key", "what the file is to the back-end", KN_OPTION_STRING, KN_OPTION_REQUIRED, KN_FIELD(kn_manifest_file, key)},
    {"arch", "architecture", KN_OPTION_ENUM, KN_OPTION_REQUIRED, KN_FIELD(kn_manifest_file, arch),
     .choices = architectures},
    {"client", "who fetches the package", KN_OPTION_ENUM, KN_OPTION_REQUIRED, KN_FIELD(kn_manifest_file, client),
     .choices = clients},
    {"package", "package with its exact version", KN_OPTION_STRING, KN_OPTION_REQUIRED,
     KN_FIELD(kn_manifest_file, package)},
    {"member", "path inside the package", KN_OPTION_STRING, KN_OPTION_REQUIRED, KN_FIELD(kn_manifest_file, member)},
    {"name", "name of the installed file, in place of the member's", KN_OPTION_STRING, 0,
     KN_FIELD(kn_manifest_file, name)},
    {"sha256", "checksum of the member", KN_OPTION_STRING, KN_OPTION_REQUIRED, KN_FIELD(kn_manifest_file, sha256)},
    {"bytes", "size of the member", KN_OPTION_INT, KN_OPTION_REQUIRED, KN_FIELD(kn_manifest_file, bytes), .min = 1,
     .max = 1e12},
    {"download_bytes", "size of the package", KN_OPTION_INT, KN_OPTION_REQUIRED,
     KN_FIELD(kn_manifest_file, download_bytes), .min = 1, .max = 1e12},
    {"version", "version of the library", KN_OPTION_STRING, KN_OPTION_REQUIRED, KN_FIELD(kn_manifest_file, version)},
    {"version_function", "function of the library that tells its version", KN_OPTION_STRING, 0,
     KN_FIELD(kn_manifest_file, version_function)},
    {"python", "Python that the package is for", KN_OPTION_STRING, 0, KN_FIELD(kn_manifest_file, python)},
    {"platform", "platform tag of the package", KN_OPTION_STRING, 0, KN_FIELD(kn_manifest_file, platform)},
    {0}};

/* A source is a package as a whole, so that it has no member. */
static const kn_option source_rows[] = {
    {"arch", "architecture", KN_OPTION_ENUM, KN_OPTION_REQUIRED, KN_FIELD(kn_manifest_file, arch),
     .choices = architectures},
    {"client", "who fetches the package", KN_OPTION_ENUM, KN_OPTION_REQUIRED, KN_FIELD(kn_manifest_file, client),
     .choices = clients},
    {"package", "package with its exact version", KN_OPTION_STRING, KN_OPTION_REQUIRED,
     KN_FIELD(kn_manifest_file, package)},
    {"sha256", "checksum of the package", KN_OPTION_STRING, KN_OPTION_REQUIRED, KN_FIELD(kn_manifest_file, sha256)},
    {"download_bytes", "size of the package", KN_OPTION_INT, KN_OPTION_REQUIRED,
     KN_FIELD(kn_manifest_file, download_bytes), .min = 1, .max = 1e12},
    {"python", "Python that the package is for", KN_OPTION_STRING, 0, KN_FIELD(kn_manifest_file, python)},
    {"platform", "platform tag of the package", KN_OPTION_STRING, 0, KN_FIELD(kn_manifest_file, platform)},
    {0}};

static const kn_option build_rows[] = {
    {"key", "what the result is to the back-end", KN_OPTION_STRING, KN_OPTION_REQUIRED,
     KN_FIELD(kn_manifest_build, key)},
    {"script", "script in the build directory that makes it", KN_OPTION_STRING, KN_OPTION_REQUIRED,
     KN_FIELD(kn_manifest_build, script)},
    {"result", "name of the file that is made", KN_OPTION_STRING, KN_OPTION_REQUIRED,
     KN_FIELD(kn_manifest_build, result)},
    {"version", "version of the result", KN_OPTION_STRING, KN_OPTION_REQUIRED, KN_FIELD(kn_manifest_build, version)},
    {"version_function", "function of the library that tells its version", KN_OPTION_STRING, 0,
     KN_FIELD(kn_manifest_build, version_function)},
    {"programs", "programs that must be on PATH", KN_OPTION_STRING_LIST, 0, KN_FIELD(kn_manifest_build, programs)},
    {"debian_packages", "Debian packages that bring them", KN_OPTION_STRING, 0,
     KN_FIELD(kn_manifest_build, debian_packages)},
    {"with_environment", "whether the script runs in the Python environment", KN_OPTION_BOOL, 0,
     KN_FIELD(kn_manifest_build, with_environment)},
    {"bytes", "size of the result, about", KN_OPTION_INT, KN_OPTION_REQUIRED, KN_FIELD(kn_manifest_build, bytes),
     .min = 1, .max = 1e12},
    {"work_bytes", "disk taken while it is made", KN_OPTION_INT, KN_OPTION_REQUIRED,
     KN_FIELD(kn_manifest_build, work_bytes), .min = 1, .max = 1e12},
    {0}};

static const kn_option environment_rows[] = {
    {"name", "name of the environment", KN_OPTION_STRING, KN_OPTION_REQUIRED, KN_FIELD(kn_manifest_environment, name)},
    {"python_packages", "requirements with exact versions", KN_OPTION_STRING_LIST, KN_OPTION_REQUIRED,
     KN_FIELD(kn_manifest_environment, python_packages)},
    {"no_deps", "requirements put in without what they depend on", KN_OPTION_STRING_LIST, 0,
     KN_FIELD(kn_manifest_environment, no_deps)},
    {"constraints", "exact versions of what they depend on", KN_OPTION_STRING_LIST, 0,
     KN_FIELD(kn_manifest_environment, constraints)},
    {"foreign_packages", "requirements put into a directory of their own, without what they depend on",
     KN_OPTION_STRING_LIST, 0, KN_FIELD(kn_manifest_environment, foreign_packages)},
    {"foreign_python", "Python that the foreign packages are for", KN_OPTION_STRING, 0,
     KN_FIELD(kn_manifest_environment, foreign_python)},
    {"foreign_platform", "platform tag of the foreign packages", KN_OPTION_STRING, 0,
     KN_FIELD(kn_manifest_environment, foreign_platform)},
    {"wheels", "checksums of all wheels, name.whl=sha256", KN_OPTION_STRING_LIST, 0,
     KN_FIELD(kn_manifest_environment, wheels)},
    {"prepare", "script in the build directory that makes the packages importable", KN_OPTION_STRING, 0,
     KN_FIELD(kn_manifest_environment, prepare)},
    {"imports", "modules that must import", KN_OPTION_STRING_LIST, 0, KN_FIELD(kn_manifest_environment, imports)},
    {"python_min", "oldest Python", KN_OPTION_STRING, 0, KN_FIELD(kn_manifest_environment, python_min)},
    {"python_max", "newest Python", KN_OPTION_STRING, 0, KN_FIELD(kn_manifest_environment, python_max)},
    {"download_bytes", "size of all packages", KN_OPTION_INT, KN_OPTION_REQUIRED,
     KN_FIELD(kn_manifest_environment, download_bytes), .min = 1, .max = 1e12},
    {"disk_bytes", "size of the environment", KN_OPTION_INT, KN_OPTION_REQUIRED,
     KN_FIELD(kn_manifest_environment, disk_bytes), .min = 1, .max = 1e12},
    {0}};

static const kn_class framework_class = {.struct_size = sizeof(kn_class),
                                         .name = "framework",
                                         .options = framework_rows,
                                         .instance_size = sizeof(kn_manifest_framework)};
static const kn_class file_class = {
    .struct_size = sizeof(kn_class), .name = "file", .options = file_rows, .instance_size = sizeof(kn_manifest_file)};
static const kn_class source_class = {.struct_size = sizeof(kn_class),
                                      .name = "source",
                                      .options = source_rows,
                                      .instance_size = sizeof(kn_manifest_file)};
static const kn_class build_class = {.struct_size = sizeof(kn_class),
                                     .name = "build",
                                     .options = build_rows,
                                     .instance_size = sizeof(kn_manifest_build)};
static const kn_class environment_class = {.struct_size = sizeof(kn_class),
                                           .name = "environment",
                                           .options = environment_rows,
                                           .instance_size = sizeof(kn_manifest_environment)};

static const char *choice_name(const kn_choice *choices, int value) {
  for (; choices->name; choices++)
    if (choices->value == value) return choices->name;
  return "unknown";
}

const char *kn_client_name(kn_client client) { return choice_name(clients, (int)client); }
const char *kn_arch_name(kn_arch arch) { return choice_name(architectures, (int)arch); }

kn_arch kn_arch_here(void) {
  struct utsname system;
  if (uname(&system) != 0) return KN_ARCH_OTHER;
  for (const kn_choice *choice = architectures; choice->name; choice++)
    if (!strcmp(choice->name, system.machine)) return (kn_arch)choice->value;
  return KN_ARCH_OTHER;
}

const kn_manifest_framework *kn_manifest_head(const kn_manifest *manifest) { return manifest->framework.self; }

const kn_manifest_file *kn_manifest_file_at(const kn_manifest *manifest, size_t index) {
  return index < manifest->file_count ? manifest->files[index].self : NULL;
}

const kn_manifest_file *kn_manifest_source_at(const kn_manifest *manifest, size_t index) {
  return index < manifest->source_count ? manifest->sources[index].self : NULL;
}

const kn_manifest_build *kn_manifest_build_of(const kn_manifest *manifest) { return manifest->build.self; }

const kn_manifest_environment *kn_manifest_environment_of(const kn_manifest *manifest) {
  return manifest->environment.self;
}

bool kn_manifest_file_is_for_here(const kn_manifest_file *file) {
  return file->arch == KN_ARCH_ANY || file->arch == (int)kn_arch_here();
}

const char *kn_manifest_file_name(const kn_manifest_file *file) {
  const char *slash = strrchr(file->member, '/');
  if (file->name) return file->name;
  return slash ? slash + 1 : file->member;
}

void kn_manifest_clear(kn_manifest *manifest) {
  kn_instance_destroy(&manifest->framework);
  for (size_t i = 0; i < manifest->file_count; i++) kn_instance_destroy(&manifest->files[i]);
  kn_free(manifest->files);
  for (size_t i = 0; i < manifest->source_count; i++) kn_instance_destroy(&manifest->sources[i]);
  kn_free(manifest->sources);
  kn_instance_destroy(&manifest->build);
  kn_instance_destroy(&manifest->environment);
  *manifest = (kn_manifest){0};
}

/* ---- reading ---- */

static kn_status bind(const kn_class *cls, const kn_json *json, yyjson_val *key, yyjson_val *object,
                      kn_instance *out_instance) {
  char where[KN_JSON_WHERE_SIZE];
  yyjson_obj_iter fields = yyjson_obj_iter_with(object);
  yyjson_val *first = yyjson_obj_iter_next(&fields);
  kn_json_where(json, first ? first : key, NULL, where);
  if (!yyjson_is_obj(object)) return kn_status_make_at(KN_INVALID_ARGUMENT, where, "'%s' must be an object", cls->name);
  KN_TRY(kn_instance_create(cls, out_instance));
  out_instance->where = kn_strdup(where);
  if (!out_instance->where) return kn_status_out_of_memory();
  kn_status status = kn_instance_set_json(out_instance, json, object);
  return kn_status_join(status, kn_instance_check_required(out_instance));
}

/* A list of objects of one class, each judged by `check`. */
static kn_status bind_list(const kn_class *cls, kn_status (*check)(const kn_instance *), const kn_json *json,
                           yyjson_val *key, yyjson_val *list, kn_instance **out_items, size_t *out_count) {
  char where[KN_JSON_WHERE_SIZE];
  size_t i, count = yyjson_arr_size(list);
  yyjson_val *item;
  kn_json_where(json, key, NULL, where);
  if (!count)
    return kn_status_make_at(KN_INVALID_ARGUMENT, where, "'%s' must be a list of at least one %s", kn_json_key(key),
                             cls->name);
  *out_items = kn_alloc_array(count, sizeof **out_items);
  if (!*out_items) return kn_status_out_of_memory();
  kn_status faults = NULL;
  yyjson_arr_foreach(list, i, count, item) {
    kn_instance *next = &(*out_items)[*out_count];
    kn_status status = bind(cls, json, key, item, next);
    if (next->self) (*out_count)++;
    if (!status) status = check(next);
    faults = kn_status_join(faults, status);
  }
  return faults;
}

/* Something is put in place, and what is made has all it takes. */
static kn_status check_parts(const kn_json *json, const kn_manifest *manifest) {
  const kn_manifest_build *build = kn_manifest_build_of(manifest);
  if (!yyjson_obj_get(json->root, "files") && !yyjson_obj_get(json->root, "build") &&
      !yyjson_obj_get(json->root, "environment"))
    return kn_status_make_at(KN_INVALID_ARGUMENT, json->name, "'files' is missing");
  if (yyjson_obj_get(json->root, "sources") && !yyjson_obj_get(json->root, "build"))
    return kn_status_make_at(KN_INVALID_ARGUMENT, json->name, "'build' is missing: 'sources' are for it");
  if (build && build->with_environment && !yyjson_obj_get(json->root, "environment"))
    return kn_status_make_at(KN_INVALID_ARGUMENT, manifest->build.where,
                             "'environment' is missing, and the build runs in it");
  return NULL;
}

static kn_status bind_all(const kn_json *json, kn_manifest *manifest) {
  if (!yyjson_is_obj(json->root)) return kn_status_make_at(KN_INVALID_ARGUMENT, json->name, "a manifest is an object");
  kn_status faults = NULL;
  bool has_framework = false;
  size_t i, count;
  yyjson_val *key, *value;
  yyjson_obj_foreach(json->root, i, count, key, value) {
    const char *name = kn_json_key(key);
    char where[KN_JSON_WHERE_SIZE];
    kn_json_where(json, key, NULL, where);
    kn_status status = NULL;
    if (!strcmp(name, "kenning_schema")) {
      if (!yyjson_is_str(value) || strncmp(yyjson_get_str(value), "1.", 2) != 0)
        status = kn_status_make_at(KN_INCOMPATIBLE, where, "this program reads manifests of schema 1");
    } else if (!strcmp(name, "framework") && !has_framework) {
      has_framework = true;
      status = bind(&framework_class, json, key, value, &manifest->framework);
    } else if (!strcmp(name, "files") && !manifest->files) {
      status =
          bind_list(&file_class, kn_manifest_check_file, json, key, value, &manifest->files, &manifest->file_count);
    } else if (!strcmp(name, "sources") && !manifest->sources) {
      status = bind_list(&source_class, kn_manifest_check_source, json, key, value, &manifest->sources,
                         &manifest->source_count);
    } else if (!strcmp(name, "build") && !manifest->build.self) {
      status = bind(&build_class, json, key, value, &manifest->build);
      if (!status) status = kn_manifest_check_build(&manifest->build);
    } else if (!strcmp(name, "environment") && !manifest->environment.self) {
      status = bind(&environment_class, json, key, value, &manifest->environment);
      if (!status) status = kn_manifest_check_environment(&manifest->environment);
    } else {
      status = kn_status_make_at(
          KN_INVALID_ARGUMENT, where,
          "a manifest has no '%.64s' here; it has once each: framework, files, sources, build, environment", name);
    }
    faults = kn_status_join(faults, status);
  }
  if (!has_framework)
    faults = kn_status_join(faults, kn_status_make_at(KN_INVALID_ARGUMENT, json->name, "'framework' is missing"));
  faults = kn_status_join(faults, check_parts(json, manifest));
  return faults ? faults : kn_manifest_check_names(manifest);
}

kn_status kn_manifest_read_file(const char *path, kn_manifest *out_manifest) {
  *out_manifest = (kn_manifest){0};
  kn_json json;
  KN_TRY(kn_json_read(path, &json));
  kn_status status = bind_all(&json, out_manifest);
  kn_json_clear(&json);
  if (status) kn_manifest_clear(out_manifest);
  return status;
}

static kn_status unknown_framework(const char *framework) {
  kn_string_list names;
  KN_TRY(kn_place_backends(&names));
  kn_text list = {0};
  kn_text_add(&list, "");
  for (size_t i = 0; i < names.count; i++) kn_text_format(&list, "%s%s", i ? ", " : "", names.items[i]);
  kn_status status = kn_text_status(&list);
  const char *near = kn_closest_name(framework, (const char *const *)names.items, names.count);
  if (!status)
    status = kn_status_make(KN_NOT_FOUND, "there is no framework '%.64s' to install%s%s%s; there is: %s", framework,
                            near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "",
                            names.count ? list.data : "none");
  kn_text_clear(&list);
  kn_place_free_names(&names);
  return status;
}

kn_status kn_manifest_read(const char *framework, kn_manifest *out_manifest) {
  *out_manifest = (kn_manifest){0};
  char *path = NULL;
  kn_status status = kn_place_is_name(framework) ? kn_place_backend(framework, "manifest.json", &path)
                                                 : kn_status_make(KN_NOT_FOUND, "no name");
  if (kn_status_code(status) == KN_NOT_FOUND) {
    kn_status_free(status);
    return unknown_framework(framework);
  }
  if (!status) status = kn_manifest_read_file(path, out_manifest);
  if (!status && strcmp(kn_manifest_head(out_manifest)->name, framework) != 0) {
    status = kn_status_make_at(KN_INVALID_ARGUMENT, path, "this is the manifest of '%.64s', not of %s",
                               kn_manifest_head(out_manifest)->name, framework);
    kn_manifest_clear(out_manifest);
  }
  kn_free(path);
  return status;
}
