#include "resources/installation.h"

#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "core/instance.h"
#include "core/json.h"
#include "core/record_json.h"
#include "resources/place.h"

/* The file has one object per struct; each is bound by a table, as the options of blocks are. */
static const kn_option installation_rows[] = {
    {"framework", "name", KN_OPTION_STRING, KN_OPTION_REQUIRED, KN_FIELD(kn_installation, framework)},
    {"version", "version of the engine", KN_OPTION_STRING, KN_OPTION_REQUIRED, KN_FIELD(kn_installation, version)},
    {"license", "SPDX identifier", KN_OPTION_STRING, KN_OPTION_REQUIRED, KN_FIELD(kn_installation, license)},
    {"date", "when it was installed", KN_OPTION_STRING, KN_OPTION_REQUIRED, KN_FIELD(kn_installation, date)},
    {"directory", "below the data directory", KN_OPTION_STRING, KN_OPTION_REQUIRED,
     KN_FIELD(kn_installation, directory)},
    {0}};
static const kn_option file_rows[] = {
    {"key", "name in the manifest", KN_OPTION_STRING, KN_OPTION_REQUIRED, KN_FIELD(kn_installed_file, key)},
    {"path", "below the data directory", KN_OPTION_STRING, KN_OPTION_REQUIRED, KN_FIELD(kn_installed_file, path)},
    {"sha256", "of the file", KN_OPTION_STRING, KN_OPTION_REQUIRED, KN_FIELD(kn_installed_file, sha256)},
    {"bytes", "size", KN_OPTION_INT, KN_OPTION_REQUIRED, KN_FIELD(kn_installed_file, bytes)},
    {"version", "of the package", KN_OPTION_STRING, KN_OPTION_REQUIRED, KN_FIELD(kn_installed_file, version)},
    {"client", "that fetched it", KN_OPTION_STRING, KN_OPTION_REQUIRED, KN_FIELD(kn_installed_file, client)},
    {"package", "it was taken from", KN_OPTION_STRING, KN_OPTION_REQUIRED, KN_FIELD(kn_installed_file, package)},
    {"version_function", "that tells the library's version", KN_OPTION_STRING, KN_OPTION_NULLABLE,
     KN_FIELD(kn_installed_file, version_function)},
    {"definition_sha256", "of what it was made of", KN_OPTION_STRING, KN_OPTION_NULLABLE,
     KN_FIELD(kn_installed_file, definition_sha256)},
    {0}};
static const kn_option environment_rows[] = {
    {"name", "in the manifest", KN_OPTION_STRING, KN_OPTION_REQUIRED, KN_FIELD(kn_installed_environment, name)},
    {"directory", "below the data directory", KN_OPTION_STRING, KN_OPTION_REQUIRED,
     KN_FIELD(kn_installed_environment, directory)},
    {"definition_sha256", "of what was asked for", KN_OPTION_STRING, KN_OPTION_REQUIRED,
     KN_FIELD(kn_installed_environment, definition_sha256)},
    {"lock_sha256", "of what was put in", KN_OPTION_STRING, KN_OPTION_REQUIRED,
     KN_FIELD(kn_installed_environment, lock_sha256)},
    {"python", "version", KN_OPTION_STRING, KN_OPTION_REQUIRED, KN_FIELD(kn_installed_environment, python)},
    {0}};
static const kn_class installation_class = {.struct_size = sizeof(kn_class),
                                            .name = "installation",
                                            .options = installation_rows,
                                            .instance_size = sizeof(kn_installation)};
static const kn_class file_class = {
    .struct_size = sizeof(kn_class), .name = "file", .options = file_rows, .instance_size = sizeof(kn_installed_file)};
static const kn_class environment_class = {.struct_size = sizeof(kn_class),
                                           .name = "environment",
                                           .options = environment_rows,
                                           .instance_size = sizeof(kn_installed_environment)};

static void clear_file(kn_installed_file *file) {
  kn_free(file->key);
  kn_free(file->path);
  kn_free(file->sha256);
  kn_free(file->version);
  kn_free(file->client);
  kn_free(file->package);
  kn_free(file->version_function);
  kn_free(file->definition_sha256);
}

void kn_installation_clear(kn_installation *installation) {
  for (size_t i = 0; i < installation->file_count; i++) clear_file(&installation->files[i]);
  kn_free(installation->files);
  kn_free(installation->framework);
  kn_free(installation->version);
  kn_free(installation->license);
  kn_free(installation->date);
  kn_free(installation->directory);
  kn_free(installation->environment.name);
  kn_free(installation->environment.directory);
  kn_free(installation->environment.definition_sha256);
  kn_free(installation->environment.lock_sha256);
  kn_free(installation->environment.python);
  *installation = (kn_installation){0};
}

const kn_installed_file *kn_installation_file(const kn_installation *installation, const char *key) {
  for (size_t i = 0; i < installation->file_count; i++)
    if (!strcmp(installation->files[i].key, key)) return &installation->files[i];
  return NULL;
}

bool kn_installation_there(const char *framework) {
  char *path = NULL;
  kn_status status = kn_framework_file(framework, "library", NULL, &path);
  bool there = !status;
  kn_free(path);
  kn_status_free(status);
  if (there) return true;
  kn_installation installation;
  status = kn_installation_read(framework, &installation);
  there = !status && !installation.file_count && installation.environment.directory;
  kn_installation_clear(&installation);
  kn_status_free(status);
  return there;
}

static kn_status lock_path(const char *framework, char **out_path) {
  char *data;
  *out_path = NULL;
  if (!kn_place_is_name(framework)) return kn_status_make(KN_INVALID_ARGUMENT, "'%.64s' is no framework", framework);
  KN_TRY(kn_place_data(&data));
  *out_path = kn_format("%s/%s/lock.json", data, framework);
  kn_free(data);
  return *out_path ? NULL : kn_status_out_of_memory();
}

/* Binds one object into `out_struct`, which takes over what the strings own. */
static kn_status bind(const kn_class *cls, const kn_json *json, yyjson_val *object, void *out_struct) {
  if (!yyjson_is_obj(object)) return kn_status_make_at(KN_BAD_DATA, json->name, "'%s' is no object", cls->name);
  kn_instance instance;
  KN_TRY(kn_instance_create(cls, &instance));
  kn_status status = kn_instance_set_json(&instance, json, object);
  if (!status) status = kn_instance_check_required(&instance);
  if (!status) {
    memcpy(out_struct, instance.self, cls->instance_size);
    memset(instance.self, 0, cls->instance_size);
  }
  kn_instance_destroy(&instance);
  return status;
}

/* Puts the data directory before a relative path. */
static kn_status make_absolute(char **path, const char *data) {
  if (**path == '/' || strstr(*path, "..")) return kn_status_make(KN_BAD_DATA, "path %s leads elsewhere", *path);
  char *whole = kn_format("%s/%s", data, *path);
  if (!whole) return kn_status_out_of_memory();
  kn_free(*path);
  *path = whole;
  return NULL;
}

static kn_status parse_files(const kn_json *json, yyjson_val *list, const char *data, kn_installation *installation) {
  size_t i, count = yyjson_arr_size(list);
  yyjson_val *item;
  if (!yyjson_is_arr(list)) return kn_status_make_at(KN_BAD_DATA, json->name, "'files' is no list");
  installation->files = kn_alloc_array(count, sizeof *installation->files);
  if (!installation->files) return kn_status_out_of_memory();
  yyjson_arr_foreach(list, i, count, item) {
    KN_TRY(bind(&file_class, json, item, &installation->files[i]));
    installation->file_count++;
    KN_TRY(make_absolute(&installation->files[i].path, data));
  }
  return NULL;
}

static kn_status parse(const kn_json *json, const char *data, kn_installation *out_installation) {
  KN_TRY(bind(&installation_class, json, yyjson_obj_get(json->root, "installation"), out_installation));
  KN_TRY(make_absolute(&out_installation->directory, data));
  KN_TRY(parse_files(json, yyjson_obj_get(json->root, "files"), data, out_installation));
  yyjson_val *environment = yyjson_obj_get(json->root, "environment");
  if (!environment) return NULL;
  KN_TRY(bind(&environment_class, json, environment, &out_installation->environment));
  return make_absolute(&out_installation->environment.directory, data);
}

static kn_status read_lock(const char *path, kn_installation *out_installation) {
  kn_json json;
  char *data;
  KN_TRY(kn_json_read(path, &json));
  kn_status status = kn_place_data(&data);
  if (!status) {
    status = parse(&json, data, out_installation);
    kn_free(data);
  }
  kn_json_clear(&json);
  return status;
}

kn_status kn_installation_read(const char *framework, kn_installation *out_installation) {
  *out_installation = (kn_installation){0};
  char *path;
  KN_TRY(lock_path(framework, &path));
  kn_status status = read_lock(path, out_installation);
  if (status) {
    kn_installation_clear(out_installation);
    kn_code code = kn_status_code(status);
    if (code == KN_NOT_FOUND && access(path, F_OK) != 0) {
      kn_status_free(status);
      status = kn_status_make(KN_NOT_INSTALLED, "%s is not installed; run: kenning install %s", framework, framework);
    } else if (code != KN_OUT_OF_MEMORY && code != KN_IO_ERROR) {
      kn_status damaged = kn_status_make(KN_NOT_INSTALLED, "%s is damaged (%s); run: kenning install --force %s", path,
                                         kn_status_message(status, 0), framework);
      kn_status_free(status);
      status = damaged;
    }
  }
  kn_free(path);
  return status;
}

/* Adds the members of `self` under `name` (or, for lists, to `array`). Paths get the data directory taken away. */
static bool add_object(yyjson_mut_doc *doc, yyjson_mut_val *into, const char *name, const kn_class *cls,
                       const void *self, const char *data) {
  kn_instance instance = {.cls = cls, .self = (void *)(uintptr_t)self};
  yyjson_mut_val *object = kn_instance_to_json(&instance, doc);
  if (!object) return false;
  static const char *const paths[] = {"directory", "path"};
  size_t length = strlen(data);
  for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
    const char *path = yyjson_mut_get_str(yyjson_mut_obj_get(object, paths[i]));
    if (!path || strncmp(path, data, length) != 0 || path[length] != '/') continue;
    yyjson_mut_val *key = yyjson_mut_str(doc, paths[i]), *value = yyjson_mut_strcpy(doc, path + length + 1);
    if (!yyjson_mut_obj_replace(object, key, value)) return false;
  }
  return name ? yyjson_mut_obj_add_val(doc, into, name, object) : yyjson_mut_arr_append(into, object);
}

static bool build(const kn_installation *installation, yyjson_mut_doc *doc, const char *data) {
  yyjson_mut_val *root = yyjson_mut_obj(doc), *files = yyjson_mut_arr(doc);
  if (!root || !files) return false;
  yyjson_mut_doc_set_root(doc, root);
  bool done = yyjson_mut_obj_add_str(doc, root, "kenning_schema", "1.0") &&
              add_object(doc, root, "installation", &installation_class, installation, data) &&
              yyjson_mut_obj_add_val(doc, root, "files", files);
  for (size_t i = 0; done && i < installation->file_count; i++)
    done = add_object(doc, files, NULL, &file_class, &installation->files[i], data);
  if (done && installation->environment.name)
    done = add_object(doc, root, "environment", &environment_class, &installation->environment, data);
  return done;
}

kn_status kn_installation_write(const kn_installation *installation) {
  char *path, *data;
  KN_TRY(lock_path(installation->framework, &path));
  kn_status status = kn_place_data(&data);
  if (!status) {
    yyjson_mut_doc *doc = yyjson_mut_doc_new(&kn_json_allocator);
    size_t length = 0;
    char *text = doc && build(installation, doc, data)
                     ? yyjson_mut_write_opts(doc, YYJSON_WRITE_PRETTY_TWO_SPACES | YYJSON_WRITE_NEWLINE_AT_END,
                                             &kn_json_allocator, &length, NULL)
                     : NULL;
    status = text ? kn_file_write(path, text, length) : kn_status_out_of_memory();
    kn_free(text);
    yyjson_mut_doc_free(doc);
    kn_free(data);
  }
  kn_free(path);
  return status;
}

kn_status kn_installation_python(const kn_installation *installation, char **out_path) {
  *out_path = NULL;
  const char *directory = installation->environment.directory;
  if (!directory)
    return kn_status_make(KN_NOT_INSTALLED, "%s was installed without its Python environment; run: kenning install %s",
                          installation->framework, installation->framework);
  char *path = kn_format("%s/bin/python3", directory);
  if (!path) return kn_status_out_of_memory();
  if (access(path, X_OK) != 0) {
    kn_status status =
        kn_status_make(KN_NOT_INSTALLED, "%s is gone; run: kenning install --force %s", path, installation->framework);
    kn_free(path);
    return status;
  }
  *out_path = path;
  return NULL;
}
