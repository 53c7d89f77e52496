#include "support/unit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/log.h"
#include "datasets/image_input.h"
#include "support/directory.h"
#include "unit/datasets/opened.h"

extern const kn_class kn_image_folder_dataset_class;
static const kn_class *const cls = &kn_image_folder_dataset_class;

static void make_directory(const char *directory, const char *name) {
  char *path = kt_path(directory, name);
  assert_int_equal(mkdir(path, 0755), 0);
  free(path);
}

/* Puts a copy of a test image, or text (`image` NULL), at `directory`/`name`. */
static void put(const char *directory, const char *name, const char *image) {
  char *path = kt_path(directory, name);
  if (image) {
    char place[128];
    snprintf(place, sizeof place, "tests/unit/imaging/data/%s", image);
    char *source = kt_source_path(place);
    size_t bytes;
    char *data = kt_file_read(source, &bytes);
    kt_file_write(path, data, bytes);
    free(data);
    free(source);
  } else {
    kt_file_write_text(path, "no image");
  }
  free(path);
}

/* Two classes with three images, and things that do not count. */
static char *make_set(void) {
  char *root = kt_directory_make();
  make_directory(root, "b class");
  make_directory(root, "Z");
  make_directory(root, "empty");
  make_directory(root, ".hidden");
  make_directory(root, "b class/inner");
  put(root, "b class/2.png", "rgb.png");
  put(root, "b class/10.jpg", "baseline-420.jpg");
  put(root, "b class/.hidden.jpg", NULL);
  put(root, "b class/readme.txt", NULL);
  put(root, "Z/only", "grey.jpg");
  put(root, ".hidden/3.png", "rgb.png");
  put(root, "labels.csv", NULL);
  return root;
}

static void classes_and_files_come_in_the_order_of_bytes(void **state) {
  (void)state;
  char *root = make_set();
  opened set;
  assert_null(OPEN(cls, &set, "dataset_root", root));
  assert_int_equal(set.info.classes, 3);
  assert_string_equal(set.info.class_names[0], "Z");
  assert_string_equal(set.info.class_names[1], "b class");
  assert_string_equal(set.info.class_names[2], "empty");
  assert_int_equal(set.info.count, 3);
  static const char *const ids[] = {"Z/only", "b class/10.jpg", "b class/2.png"};
  static const int64_t labels[] = {0, 1, 1};
  for (size_t i = 0; i < 3; i++) {
    char id[64];
    assert_null(set.ops->sample_id(set.self, i, id, sizeof id));
    assert_string_equal(id, ids[i]);
    assert_int_equal(opened_label(&set, i), labels[i]);
  }
  char small[8];
  assert_fault(set.ops->sample_id(set.self, 1, small, sizeof small), KN_INVALID_ARGUMENT, "room for 8");
  assert_false(set.info.split_published);
  opened_close(&set);
  kt_directory_remove(root);
}

/* The expected values straight from the pixels, by the formulas of the original. */
static float expected_value(const char *type, const uint8_t *pixel, int c) {
  static const float mean[] = {0.485f, 0.456f, 0.406f}, deviation[] = {0.229f, 0.224f, 0.225f};
  static const float blue_first_mean[] = {103.939f, 116.779f, 123.68f};
  if (!strcmp(type, "torch")) return ((float)pixel[c] / 255.0f - mean[c]) / deviation[c];
  if (!strcmp(type, "tf")) return (float)pixel[c] / 127.5f - 1.0f;
  if (!strcmp(type, "caffe")) return (float)pixel[2 - c] - blue_first_mean[c];
  if (!strcmp(type, "unit")) return (float)pixel[c] / 255.0f;
  return (float)pixel[c];
}

static void samples_are_resized_and_preprocessed(void **state) {
  (void)state;
  static const char *const types[] = {"torch", "tf", "caffe", "unit", "none"};
  char *root = make_set();
  char *file = kt_path(root, "b class/10.jpg");
  kn_image image, small;
  assert_null(kn_image_read(file, &image));
  assert_null(kn_image_resize(&image, 12, 9, KN_RESAMPLE_BILINEAR, &small));
  for (size_t t = 0; t < sizeof types / sizeof *types; t++)
    for (int planar = 0; planar < 2; planar++) {
      opened set;
      assert_null(OPEN(cls, &set, "dataset_root", root, "image_width", "12", "image_height", "9", "resampling",
                       "bilinear", "preprocess_type", types[t], "image_memory_layout", planar ? "NCHW" : "NHWC"));
      assert_string_equal(set.info.layout, planar ? "NCHW" : "NHWC");
      assert_int_equal(set.info.shape[planar ? 0 : 2], 3);
      assert_int_equal(set.info.shape[planar ? 1 : 0], 9);
      assert_int_equal(set.info.shape[planar ? 2 : 1], 12);
      kn_tensor_view sample = opened_load(&set, 1), from_file = opened_tensor(&set);
      assert_null(set.ops->load_file(set.self, file, &from_file));
      assert_memory_equal(sample.data, from_file.data, sample.bytes);
      const float *values = sample.data;
      for (size_t i = 0; i < 9 * 12; i++)
        for (int c = 0; c < 3; c++) {
          float value = values[planar ? (size_t)c * 9 * 12 + i : i * 3 + (size_t)c];
          if (value != expected_value(types[t], small.pixels + i * 3, c)) fail_msg("%s, pixel %zu", types[t], i);
        }
      kn_tensor_free(&sample);
      kn_tensor_free(&from_file);
      opened_close(&set);
    }
  kn_image_clear(&image);
  kn_image_clear(&small);
  free(file);
  kt_directory_remove(root);
}

typedef struct loader {
  const opened *set;
  const kn_tensor_view *expected; /* of each sample */
  bool right;
  pthread_t thread;
} loader;

static void *load_many(void *argument) {
  loader *at = argument;
  kn_tensor_view sample;
  at->right = !kn_tensor_create(at->set->info.dtype, at->set->info.rank, at->set->info.shape, &sample);
  for (size_t i = 0; i < 60 && at->right; i++) {
    at->right = !at->set->ops->load(at->set->self, i % 3, &sample) &&
                !memcmp(sample.data, at->expected[i % 3].data, sample.bytes);
  }
  kn_tensor_free(&sample);
  return NULL;
}

static void several_threads_load_at_once(void **state) {
  (void)state;
  char *root = make_set();
  opened set;
  assert_null(OPEN(cls, &set, "dataset_root", root, "image_width", "32", "image_height", "32"));
  kn_tensor_view expected[3];
  for (size_t i = 0; i < 3; i++) expected[i] = opened_load(&set, i);
  loader loaders[4];
  for (size_t i = 0; i < 4; i++) {
    loaders[i] = (loader){.set = &set, .expected = expected};
    assert_int_equal(pthread_create(&loaders[i].thread, NULL, load_many, &loaders[i]), 0);
  }
  for (size_t i = 0; i < 4; i++) {
    pthread_join(loaders[i].thread, NULL);
    assert_true(loaders[i].right);
  }
  for (size_t i = 0; i < 3; i++) kn_tensor_free(&expected[i]);
  opened_close(&set);
  kt_directory_remove(root);
}

static void files_that_are_no_images_are_all_named(void **state) {
  (void)state;
  char *root = make_set();
  put(root, "Z/broken.jpg", NULL);
  put(root, "Z/wrong.png", "grey.jpg");
  char *empty = kt_path(root, "empty/zero.jpg");
  kt_file_write(empty, "", 0);
  opened set;
  kn_status status = OPEN(cls, &set, "dataset_root", root);
  opened_close(&set);
  assert_int_equal(kn_status_count(status), 3);
  static const char *const places[] = {"Z/broken.jpg", "Z/wrong.png", "empty/zero.jpg"};
  for (size_t i = 0; i < 3; i++) assert_non_null(strstr(kn_status_where(status, i), places[i]));
  assert_fault(status, KN_BAD_DATA, "the file is empty");
  for (int i = 0; i < 30; i++) {
    char name[32];
    snprintf(name, sizeof name, "Z/broken%02d.jpg", i);
    put(root, name, NULL);
  }
  status = OPEN(cls, &set, "dataset_root", root);
  opened_close(&set);
  assert_int_equal(kn_status_count(status), 21);
  assert_fault(status, KN_BAD_DATA, "13 more files cannot be used");
  free(empty);
  kt_directory_remove(root);
}

/* The first bytes are right, so only loading finds it. */
static void a_damaged_image_is_named_when_it_is_loaded(void **state) {
  (void)state;
  char *root = make_set();
  char *path = kt_path(root, "b class/2.png");
  size_t bytes;
  char *data = kt_file_read(path, &bytes);
  kt_file_write(path, data, bytes / 2);
  free(data);
  opened set;
  assert_null(OPEN(cls, &set, "dataset_root", root));
  kn_tensor_view sample = opened_tensor(&set);
  assert_fault(set.ops->load(set.self, 2, &sample), KN_BAD_DATA, path);
  kn_tensor_free(&sample);
  kn_tensor_view wrong;
  assert_null(kn_tensor_create(KN_FLOAT32, 3, (int64_t[]){3, 224, 224}, &wrong));
  assert_fault(set.ops->load(set.self, 1, &wrong), KN_INVALID_ARGUMENT, "does not fit");
  kn_tensor_free(&wrong);
  opened_close(&set);
  free(path);
  kt_directory_remove(root);
}

static void a_set_without_images_is_refused(void **state) {
  (void)state;
  char *root = kt_directory_make();
  opened set;
  assert_fault(OPEN(cls, &set, "dataset_root", root), KN_BAD_DATA, "the data set is empty");
  opened_close(&set);
  make_directory(root, "class");
  put(root, "loose.png", "rgb.png");
  assert_fault(OPEN(cls, &set, "dataset_root", root), KN_BAD_DATA, "the data set is empty");
  opened_close(&set);
  char *missing = kt_path(root, "missing");
  assert_fault(OPEN(cls, &set, "dataset_root", missing), KN_NOT_FOUND, "cannot list the directory");
  opened_close(&set);
  free(missing);
  kt_directory_remove(root);
}

static void failing_allocations_leave_nothing_behind(void **state) {
  (void)state;
  char *root = make_set();
  opened set;
  assert_null(OPEN(cls, &set, "dataset_root", root, "image_width", "8", "image_height", "8"));
  kn_tensor_view sample = opened_load(&set, 1);
  opened_exhaust(&set, &sample);
  kn_tensor_free(&sample);
  opened_close(&set);
  kt_directory_remove(root);
}

static void looking_through_files_can_be_stopped(void **state) {
  (void)state;
  char *root = make_set();
  opened set;
  kn_cancel();
  kn_status status = OPEN(cls, &set, "dataset_root", root);
  kn_cancel_reset();
  assert_fault(status, KN_CANCELLED, "stopped");
  opened_close(&set);
  kt_directory_remove(root);
}

int main(void) {
  kn_log_set_level(KN_LOG_ERROR);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(classes_and_files_come_in_the_order_of_bytes),
      cmocka_unit_test(samples_are_resized_and_preprocessed),
      cmocka_unit_test(several_threads_load_at_once),
      cmocka_unit_test(files_that_are_no_images_are_all_named),
      cmocka_unit_test(a_damaged_image_is_named_when_it_is_loaded),
      cmocka_unit_test(a_set_without_images_is_refused),
      cmocka_unit_test(looking_through_files_can_be_stopped),
      cmocka_unit_test(failing_allocations_leave_nothing_behind),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
