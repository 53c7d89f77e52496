#include "datasets/imagenet_labels.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <kenning/services.h>

#include "core/json.h"
#include "datasets/faults.h"

enum { FILE_LIMIT_BYTES = 16 << 20 };

static kn_status fault_at(const kn_json *json, yyjson_val *key, yyjson_val *value, const char *format, ...)
    KN_PRINTF(4, 5);

static kn_status fault_at(const kn_json *json, yyjson_val *key, yyjson_val *value, const char *format, ...) {
  char where[KN_JSON_WHERE_SIZE];
  va_list arguments;
  va_start(arguments, format);
  kn_status status = kn_status_vmake_at(KN_BAD_DATA, kn_json_where(json, key, value, where), format, arguments);
  va_end(arguments);
  return status;
}

/* A number from 0 to below `count`; negative when `text` is none. */
static int64_t class_number(const char *text, size_t count) {
  char *end;
  errno = 0;
  long long value = strtoll(text, &end, 10);
  return errno || end == text || *end || value < 0 || (uint64_t)value >= count ? -1 : value;
}

/* ---- class maps ---- */

void kn_class_map_clear(kn_class_map *map) {
  for (size_t i = 0; i < map->count; i++) {
    if (map->names) kn_free(map->names[i]);
    if (map->synsets) kn_free(map->synsets[i]);
  }
  kn_free(map->names);
  kn_free(map->synsets);
  *map = (kn_class_map){0};
}

static kn_status make_room(size_t count, bool synsets, kn_class_map *map) {
  map->count = count;
  map->names = kn_alloc_array(count, sizeof *map->names);
  map->synsets = synsets ? kn_alloc_array(count, sizeof *map->synsets) : NULL;
  return map->names && (map->synsets || !synsets) ? NULL : kn_status_out_of_memory();
}

static kn_status number_classes(kn_class_map *map) {
  KN_TRY(make_room(KN_IMAGENET_CLASSES, false, map));
  for (size_t i = 0; i < map->count; i++)
    if (!(map->names[i] = kn_format("%zu", i))) return kn_status_out_of_memory();
  return NULL;
}

static kn_status check_count(const char *path, size_t count) {
  if (count >= 1 && count <= KN_IMAGENET_MAX_CLASSES) return NULL;
  return kn_status_make_at(KN_BAD_DATA, path, "%zu classes are named; 1 to %d are possible", count,
                           KN_IMAGENET_MAX_CLASSES);
}

/* A name per line; blank lines at the end do not count. */
static kn_status read_lines(const char *path, char *text, kn_class_map *map) {
  size_t end = strlen(text), count = 1, at = 0;
  while (end && strchr("\r\n \t", text[end - 1])) text[--end] = '\0';
  for (size_t i = 0; i < end; i++) count += text[i] == '\n';
  KN_TRY(check_count(path, end ? count : 0));
  KN_TRY(make_room(count, false, map));
  for (char *line = text, *rest; line; line = rest) {
    rest = strchr(line, '\n');
    size_t length = rest ? (size_t)(rest++ - line) : strlen(line);
    while (length && strchr("\r \t", line[length - 1])) length--;
    if (!length) return kn_status_make_at(KN_BAD_DATA, path, "line %zu is empty: each names a class", at + 1);
    if (!(map->names[at++] = kn_strndup(line, length))) return kn_status_out_of_memory();
  }
  return NULL;
}

static kn_status set_name(const kn_json *json, yyjson_val *key, yyjson_val *value, size_t index, kn_class_map *map) {
  yyjson_val *name = value;
  if (yyjson_is_arr(value) && yyjson_arr_size(value) == 2) {
    yyjson_val *synset = yyjson_arr_get_first(value);
    name = yyjson_arr_get(value, 1);
    if (!yyjson_is_str(synset)) name = NULL;
    if (name && map->synsets && !(map->synsets[index] = kn_strdup(yyjson_get_str(synset))))
      return kn_status_out_of_memory();
  }
  if (!yyjson_is_str(name))
    return fault_at(json, key, value, "class %zu has no name: a text or [synset, name] is expected", index);
  map->names[index] = kn_strdup(yyjson_get_str(name));
  return map->names[index] ? NULL : kn_status_out_of_memory();
}

static kn_status read_values(const kn_json *json, kn_class_map *map) {
  size_t count = yyjson_is_arr(json->root) ? yyjson_arr_size(json->root) : yyjson_obj_size(json->root), i, n;
  yyjson_val *key, *value;
  KN_TRY(check_count(json->name, count));
  KN_TRY(make_room(count, true, map));
  if (yyjson_is_arr(json->root)) {
    yyjson_arr_foreach(json->root, i, n, value) KN_TRY(set_name(json, NULL, value, i, map));
    return NULL;
  }
  yyjson_obj_foreach(json->root, i, n, key, value) {
    int64_t index = class_number(kn_json_key(key), count);
    if (index < 0 || map->names[index])
      return fault_at(json, key, value, "%s is no class number from 0 to %zu that stands here once", kn_json_key(key),
                      count - 1);
    KN_TRY(set_name(json, key, value, (size_t)index, map));
  }
  return NULL;
}

static kn_status read_map(const char *path, char *text, size_t bytes, kn_class_map *map) {
  if (memchr(text, 0, bytes)) return kn_status_make_at(KN_BAD_DATA, path, "this is not a text file");
  const char *start = text + strspn(text, " \t\r\n");
  if (*start != '[' && *start != '{') return read_lines(path, text, map);
  kn_json json;
  kn_status status = kn_json_parse(path, text, bytes, &json);
  if (!status) status = read_values(&json, map);
  kn_json_clear(&json);
  return status;
}

kn_status kn_class_map_read(const char *path, kn_class_map *out_map) {
  *out_map = (kn_class_map){0};
  char *text = NULL;
  size_t bytes;
  kn_status status = path ? kn_file_read(path, FILE_LIMIT_BYTES, &text, &bytes) : number_classes(out_map);
  if (!status && path) status = read_map(path, text, bytes, out_map);
  kn_free(text);
  if (status) kn_class_map_clear(out_map);
  return status;
}

/* ---- labels ---- */

void kn_image_labels_clear(kn_image_labels *labels) {
  for (size_t i = 0; i < labels->count; i++) kn_free(labels->items[i].image);
  kn_free(labels->items);
  *labels = (kn_image_labels){0};
}

/* A relative path of plain names. */
static bool stays_inside(const char *name) {
  if (!*name || *name == '/') return false;
  for (const char *part = name; *part; part += strspn(part, "/")) {
    size_t length = strcspn(part, "/");
    if (length == 2 && !strncmp(part, "..", 2)) return false;
    part += length;
  }
  return true;
}

static int64_t find_synset(const kn_class_map *map, const char *synset) {
  for (size_t i = 0; map->synsets && i < map->count; i++)
    if (map->synsets[i] && !strcmp(map->synsets[i], synset)) return (int64_t)i;
  return -1;
}

static kn_status read_label(const kn_json *json, yyjson_val *key, yyjson_val *value, const kn_class_map *map,
                            int64_t *out_label) {
  const char *text = yyjson_get_str(value);
  *out_label = -1;
  if (text) {
    *out_label = class_number(text, map->count);
    if (*out_label < 0) *out_label = find_synset(map, text);
  } else if (!kn_json_int(value, out_label) || *out_label >= (int64_t)map->count) {
    *out_label = -1;
  }
  if (*out_label >= 0) return NULL;
  return fault_at(json, key, value, "%s has no class from 0 to %zu%s", kn_json_key(key), map->count - 1,
                  map->synsets ? " and no synset of the class map" : "");
}

static kn_status read_entry(const kn_json *json, yyjson_val *key, yyjson_val *value, const kn_class_map *map,
                            kn_image_labels *labels) {
  const char *name = kn_json_key(key);
  if (!stays_inside(name)) return fault_at(json, key, value, "'%s' is not the name of an image below images/", name);
  kn_image_label *item = &labels->items[labels->count];
  KN_TRY(read_label(json, key, value, map, &item->label));
  if (!(item->image = kn_strdup(name))) return kn_status_out_of_memory();
  labels->count++;
  return NULL;
}

static int by_text(const void *a, const void *b) {
  return strcmp(kn_json_key(*(yyjson_val *const *)a), kn_json_key(*(yyjson_val *const *)b));
}

static kn_status check_once(const kn_json *json, size_t count) {
  yyjson_val **keys = kn_alloc_array(count, sizeof *keys), *key, *value;
  if (!keys) return kn_status_out_of_memory();
  size_t i, n;
  yyjson_obj_foreach(json->root, i, n, key, value) keys[i] = key;
  qsort(keys, count, sizeof *keys, by_text);
  kn_status status = NULL;
  for (i = 1; i < count && !status; i++)
    if (!by_text(&keys[i - 1], &keys[i]))
      status = fault_at(json, keys[i] > keys[i - 1] ? keys[i] : keys[i - 1], NULL, "%s stands here twice",
                        kn_json_key(keys[i]));
  kn_free(keys);
  return status;
}

static kn_status read_entries(const kn_json *json, const kn_class_map *map, kn_image_labels *labels) {
  size_t count = yyjson_obj_size(json->root), i, n;
  if (!yyjson_is_obj(json->root) || !count)
    return kn_status_make_at(KN_BAD_DATA, json->name,
                             "an object is expected that maps names of images to classes: {\"file1.png\": 1, ...}");
  labels->items = kn_alloc_array(count, sizeof *labels->items);
  if (!labels->items) return kn_status_out_of_memory();
  KN_TRY(check_once(json, count));
  kn_faults faults = {0};
  kn_status status = NULL;
  yyjson_val *key, *value;
  yyjson_obj_foreach(json->root, i, n, key, value) {
    status = kn_faults_keep(&faults, read_entry(json, key, value, map, labels));
    if (status) break;
  }
  return kn_status_join(kn_faults_take(&faults, json->name, "entries are wrong"), status);
}

kn_status kn_image_labels_read(const char *path, const kn_class_map *map, kn_image_labels *out_labels) {
  *out_labels = (kn_image_labels){0};
  kn_json json;
  KN_TRY(kn_json_read(path, &json));
  kn_status status = read_entries(&json, map, out_labels);
  kn_json_clear(&json);
  if (status) kn_image_labels_clear(out_labels);
  return status;
}
