#include "contract/fixtures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "core/text.h"
#include "support/directory.h"
#include "support/status.h"

/* `text` with every name replaced by its value. */
static char *substitute(const char *text, const char *const names[][2], size_t count) {
  kn_text out = {0};
  while (*text) {
    size_t which = 0;
    while (which < count && strncmp(text, names[which][0], strlen(names[which][0])) != 0) which++;
    if (which < count) {
      kn_text_add(&out, names[which][1]);
      text += strlen(names[which][0]);
    } else {
      kn_text_add_bytes(&out, text++, 1);
    }
  }
  kt_assert_ok(kn_text_status(&out));
  return out.data;
}

void fixtures_read(const char *path, const char *source, fixtures *out) {
  char *text = kt_file_read(path, NULL), *own = strchr(path, '/') ? strdup(path) : strdup("./");
  assert_non_null(own);
  *strrchr(own, '/') = '\0';
  const char *fashion_mnist = getenv("KENNING_TEST_FASHION_MNIST");
  const char *const names[][2] = {
      {"@source", source},
      {"@table", own},
      {"@fashion-mnist", fashion_mnist ? fashion_mnist : "/usr/share/datasets/fashion-mnist"}};
  char *filled = substitute(text, names, 3);
  kt_assert_ok(kn_json_parse(path, filled, strlen(filled), &out->json));
  kn_free(filled);
  free(own);
  free(text);
}

void fixtures_clear(fixtures *table) { kn_json_clear(&table->json); }

yyjson_val *fixtures_dataset(const fixtures *table, const char *class_name) {
  return yyjson_obj_get(yyjson_obj_get(table->json.root, "datasets"), class_name);
}

static void put(const char *root, const char *name, const void *data, size_t bytes) {
  char *path = kt_path(root, name);
  kt_assert_ok(kn_file_write(path, data, bytes));
  free(path);
}

const char *fixtures_make_dataset(yyjson_val *row, const char *root) {
  size_t i, count, bytes;
  yyjson_val *key, *value;
  const char *needs = yyjson_get_str(yyjson_obj_get(row, "needs"));
  if (needs && access(needs, R_OK) != 0) return yyjson_get_str(yyjson_obj_get(row, "reason"));
  yyjson_obj_foreach(yyjson_obj_get(row, "files"), i, count, key, value) {
    char *data = kt_file_read(yyjson_get_str(value), &bytes);
    put(root, yyjson_get_str(key), data, bytes);
    free(data);
  }
  yyjson_obj_foreach(yyjson_obj_get(row, "texts"), i, count, key, value)
      put(root, yyjson_get_str(key), yyjson_get_str(value), yyjson_get_len(value));
  return NULL;
}

static yyjson_val *models(const fixtures *table) { return yyjson_obj_get(table->json.root, "models"); }

size_t fixtures_model_count(const fixtures *table) { return yyjson_arr_size(models(table)); }

void fixtures_model(const fixtures *table, size_t index, model_fixture *out) {
  yyjson_val *row = yyjson_arr_get(models(table), index);
  *out = (model_fixture){.name = yyjson_get_str(yyjson_obj_get(row, "name")),
                         .format = yyjson_get_str(yyjson_obj_get(row, "format")),
                         .file = yyjson_get_str(yyjson_obj_get(row, "file")),
                         .text = yyjson_get_str(yyjson_obj_get(row, "text")),
                         .spec = yyjson_get_str(yyjson_obj_get(row, "spec")),
                         .weights = yyjson_get_str(yyjson_obj_get(row, "weights")),
                         .inputs = yyjson_get_str(yyjson_obj_get(row, "inputs")),
                         .except = yyjson_get_str(yyjson_obj_get(row, "except")),
                         .fragile = yyjson_get_str(yyjson_obj_get(row, "fragile")),
                         .stays = yyjson_get_str(yyjson_obj_get(row, "stays")),
                         .outputs = yyjson_get_str(yyjson_obj_get(row, "outputs")),
                         .dtype = KN_FLOAT32};
  yyjson_val *shape = yyjson_obj_get(row, "shape"), *size;
  size_t i, count;
  if (!out->name || !out->format || !kn_json_int(yyjson_obj_get(row, "classes"), &out->classes) ||
      yyjson_arr_size(shape) >= KN_MAX_RANK)
    kt_fail("model %zu of the fixtures lacks name, format, classes or shape", index);
  kn_json_number(yyjson_obj_get(row, "tolerance"), &out->tolerance);
  out->rank = (uint32_t)yyjson_arr_size(shape);
  yyjson_arr_foreach(shape, i, count, size) assert_true(kn_json_int(size, &out->shape[i]));
}

yyjson_val *fixtures_parameters(const fixtures *table, const char *class_name) {
  return yyjson_obj_get(yyjson_obj_get(table->json.root, "parameters"), class_name);
}
