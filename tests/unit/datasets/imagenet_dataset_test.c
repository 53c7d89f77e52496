#include "support/unit.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "imaging/resize.h"
#include "support/directory.h"
#include "unit/datasets/opened.h"

extern const kn_class kn_imagenet_dataset_class;
static const kn_class *const cls = &kn_imagenet_dataset_class;

static const char labels[] = "{\"one.jpg\": 281, \"n01440764/two.JPEG\": \"0\", \"three\": 999}\n";

static void write_text(const char *root, const char *name, const char *text) {
  char *path = kt_path(root, name);
  kt_file_write_text(path, text);
  free(path);
}

static char *make_set(void) {
  static const char *const names[] = {"images/one.jpg", "images/n01440764/two.JPEG", "images/three"};
  char *root = kt_directory_make(), *images = kt_path(root, "images"), *inner = kt_path(images, "n01440764");
  assert_int_equal(mkdir(images, 0755), 0);
  assert_int_equal(mkdir(inner, 0755), 0);
  char *source = kt_source_path("tests/unit/imaging/data/baseline-420.jpg");
  size_t bytes;
  char *data = kt_file_read(source, &bytes);
  for (size_t i = 0; i < 3; i++) {
    char *path = kt_path(root, names[i]);
    kt_file_write(path, data, bytes);
    free(path);
  }
  write_text(root, "labels.json", labels);
  free(data);
  free(source);
  free(inner);
  free(images);
  return root;
}

static void labels_are_read_in_their_order(void **state) {
  (void)state;
  char *root = make_set(), id[64];
  opened set;
  assert_null(OPEN(cls, &set, "dataset_root", root));
  assert_int_equal(set.info.count, 3);
  assert_int_equal(set.info.classes, 1000);
  assert_string_equal(set.info.class_names[0], "0");
  assert_string_equal(set.info.class_names[999], "999");
  static const int64_t expected[] = {281, 0, 999};
  for (size_t i = 0; i < 3; i++) assert_int_equal(opened_label(&set, i), expected[i]);
  assert_null(set.ops->sample_id(set.self, 1, id, sizeof id));
  assert_string_equal(id, "images/n01440764/two.JPEG");
  opened_close(&set);
  kt_directory_remove(root);
}

/* The original's operations on a pixel, in float32 and in its order. */
static float expected_value(const char *type, const uint8_t *pixel, size_t c) {
  static const float mean[] = {0.485f, 0.456f, 0.406f}, deviation[] = {0.229f, 0.224f, 0.225f};
  static const float caffe[] = {103.939f, 116.779f, 123.68f};
  if (!strcmp(type, "caffe")) return (float)pixel[2 - c] - caffe[c];
  if (!strcmp(type, "tf")) return (float)pixel[c] / 127.5f - 1.0f;
  if (!strcmp(type, "torch")) return ((float)pixel[c] / 255.0f - mean[c]) / deviation[c];
  return (float)pixel[c];
}

static void samples_are_what_the_original_computes(void **state) {
  (void)state;
  static const char *const types[] = {"caffe", "tf", "torch", "none"};
  char *root = make_set(), *file = kt_path(root, "images/one.jpg");
  kn_image image, square;
  assert_null(kn_image_read(file, &image));
  assert_null(kn_image_resize(&image, 224, 224, KN_RESAMPLE_BICUBIC, &square));
  for (size_t t = 0; t < 8; t++) {
    const char *type = types[t % 4];
    bool planar = t >= 4;
    opened set;
    assert_null(OPEN(cls, &set, "dataset_root", root, "preprocess_type", type, "image_memory_layout",
                     planar ? "NCHW" : "NHWC"));
    kn_tensor_view sample = opened_load(&set, 0);
    const float *values = sample.data;
    for (size_t i = 0; i < 224 * 224; i++)
      for (size_t c = 0; c < 3; c++)
        assert_true(values[planar ? c * 224 * 224 + i : i * 3 + c] == expected_value(type, square.pixels + i * 3, c));
    kn_tensor_free(&sample);
    opened_close(&set);
  }
  opened set; /* the default */
  assert_null(OPEN(cls, &set, "dataset_root", root));
  kn_tensor_view sample = opened_load(&set, 0);
  assert_true(((const float *)sample.data)[0] == expected_value("caffe", square.pixels, 0));
  kn_tensor_free(&sample);
  opened_close(&set);
  kn_image_clear(&image);
  kn_image_clear(&square);
  free(file);
  kt_directory_remove(root);
}

static void class_maps_name_the_classes(void **state) {
  (void)state;
  static const struct {
    const char *map;
    size_t count;
  } cases[] = {
      {"tench\r\ngold fish\ngreat white shark\n\n", 3},
      {"[\"tench\", \"gold fish\", \"great white shark\"]", 3},
      {"{\"1\": [\"n2\", \"gold fish\"], \"0\": [\"n1\", \"tench\"], \"2\": [\"n3\", \"great white shark\"]}", 3},
      {"{\"1\": \"gold fish\", \"0\": \"tench\", \"2\": \"great white shark\"}", 3},
  };
  char *root = make_set(), *map = kt_path(root, "map");
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    kt_file_write_text(map, cases[i].map);
    write_text(root, "labels.json", i == 2 ? "{\"one.jpg\": \"n3\"}" : "{\"one.jpg\": 2}");
    opened set;
    assert_null(OPEN(cls, &set, "dataset_root", root, "class_names", map));
    assert_int_equal(set.info.classes, cases[i].count);
    assert_string_equal(set.info.class_names[0], "tench");
    assert_string_equal(set.info.class_names[1], "gold fish");
    assert_string_equal(set.info.class_names[2], "great white shark");
    assert_int_equal(opened_label(&set, 0), 2);
    opened_close(&set);
  }
  static const char *const faults[][2] = {
      {"", "0 classes are named"},
      {"a\n\nb\n", "line 2 is empty"},
      {"[\"a\", 3]", "class 1 has no name"},
      {"{\"0\": \"a\", \"2\": \"b\"}", "2 is no class number from 0 to 1"},
      {"{\"0\": \"a\", \"0\": \"b\"}", "0 is no class number"},
      {"[1", "map"},
  };
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
    kt_file_write_text(map, faults[i][0]);
    opened set;
    assert_fault(OPEN(cls, &set, "dataset_root", root, "class_names", map), KN_BAD_DATA, faults[i][1]);
    opened_close(&set);
  }
  free(map);
  kt_directory_remove(root);
}

static void wrong_labels_are_found_with_their_place(void **state) {
  (void)state;
  static const char *const cases[][3] = {
      {"{\"one.jpg\": 1000}", "labels.json:1:", "one.jpg has no class from 0 to 999"},
      {"{\"one.jpg\": -1}", "labels.json:1:", "has no class"},
      {"{\"one.jpg\": 1.5}", "labels.json:1:", "has no class"},
      {"{\"one.jpg\": \"cat\"}", "labels.json:1:", "has no class"},
      {"{\"one.jpg\": 1,\n\"one.jpg\": 2}", "labels.json:2:", "stands here twice"},
      {"{\"../one.jpg\": 1}", "labels.json:1:", "not the name of an image"},
      {"{\"/one.jpg\": 1}", "labels.json:1:", "not the name of an image"},
      {"{\"a/../../one.jpg\": 1}", "labels.json:1:", "not the name of an image"},
      {"{}", "labels.json", "an object is expected"},
      {"[1]", "labels.json", "an object is expected"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char *root = make_set();
    write_text(root, "labels.json", cases[i][0]);
    opened set;
    kn_status status = OPEN(cls, &set, "dataset_root", root);
    assert_non_null(status);
    assert_non_null(strstr(kn_status_where(status, 0), cases[i][1]));
    assert_fault(status, KN_BAD_DATA, cases[i][2]);
    opened_close(&set);
    kt_directory_remove(root);
  }
}

static void what_is_missing_is_told(void **state) {
  (void)state;
  char *root = make_set();
  opened set;
  write_text(root, "images/text.txt", "text");
  write_text(root, "labels.json", "{\"text.txt\": 1}");
  assert_fault(OPEN(cls, &set, "dataset_root", root), KN_BAD_DATA, "not a JPEG or PNG");
  opened_close(&set);
  write_text(root, "labels.json", "{\"nowhere.jpg\": 1}");
  assert_fault(OPEN(cls, &set, "dataset_root", root), KN_NOT_FOUND, "nowhere.jpg");
  opened_close(&set);
  char *path = kt_path(root, "labels.json");
  assert_int_equal(unlink(path), 0);
  assert_fault(OPEN(cls, &set, "dataset_root", root, "download_dataset", "true"), KN_NOT_FOUND, "by hand");
  opened_close(&set);
  free(path);
  kt_directory_remove(root);
}

static void failing_allocations_leave_nothing_behind(void **state) {
  (void)state;
  char *root = make_set(), *map = kt_path(root, "map");
  kt_file_write_text(map, "{\"0\": [\"n1\", \"tench\"], \"1\": [\"n2\", \"gold fish\"]}");
  write_text(root, "labels.json", "{\"one.jpg\": \"n2\", \"three\": 0}");
  opened set;
  assert_null(OPEN(cls, &set, "dataset_root", root, "class_names", map));
  opened_exhaust(&set, NULL);
  opened_close(&set);
  free(map);
  kt_directory_remove(root);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(labels_are_read_in_their_order), cmocka_unit_test(samples_are_what_the_original_computes),
      cmocka_unit_test(class_maps_name_the_classes),    cmocka_unit_test(wrong_labels_are_found_with_their_place),
      cmocka_unit_test(what_is_missing_is_told),        cmocka_unit_test(failing_allocations_leave_nothing_behind),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
