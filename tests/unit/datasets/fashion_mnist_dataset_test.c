/* The published files are no part of the tests. Where they are at hand (KENNING_TEST_FASHION_MNIST or the place of the
 * Debian package) they are read; everything else works with files made here. */
#include "support/unit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>

#include "core/log.h"
#include "datasets/debian_package.h"
#include "datasets/fashion_mnist_files.h"
#include "imaging/resize.h"
#include "support/directory.h"
#include "unit/datasets/opened.h"

extern const kn_class kn_fashion_mnist_dataset_class;
static const kn_class *const cls = &kn_fashion_mnist_dataset_class;

static const char *const names[KN_FASHION_MNIST_FILES] = {"train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz",
                                                          "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"};

/* Writes `count` items of `rank` - 1 dimensions of `side`, every value `value`. */
static void write_idx(const char *root, const char *name, uint32_t rank, uint32_t count, uint32_t side, uint8_t value) {
  char *path = kt_path(root, name);
  gzFile file = gzopen(path, "wb1");
  assert_non_null(file);
  const uint32_t shape[3] = {count, side, side};
  uint8_t head[16] = {0, 0, 8, (uint8_t)rank};
  for (uint32_t i = 0; i < rank; i++)
    for (uint32_t b = 0; b < 4; b++) head[4 + 4 * i + b] = (uint8_t)(shape[i] >> (24 - 8 * b));
  assert_int_equal(gzwrite(file, head, 4 + 4 * rank), 4 + 4 * rank);
  size_t bytes = rank == 3 ? (size_t)count * side * side : count;
  uint8_t *values = malloc(bytes);
  memset(values, value, bytes);
  assert_int_equal(gzwrite(file, values, (unsigned)bytes), bytes);
  free(values);
  assert_int_equal(gzclose(file), Z_OK);
  free(path);
}

static void files_that_are_not_the_published_ones_are_refused(void **state) {
  (void)state;
  char *root = kt_directory_make();
  static const struct {
    kn_fashion_mnist_file file;
    uint32_t rank, count, side;
    uint8_t value;
    const char *fault;
  } cases[] = {
      {KN_FASHION_MNIST_TEST_LABELS, 1, 9999, 1, 0, "9999 samples instead of the 10000"},
      {KN_FASHION_MNIST_TEST_LABELS, 1, 10000, 1, 10, "sample 0 has the label 10, labels are 0 to 9"},
      {KN_FASHION_MNIST_TEST_LABELS, 1, 10000, 1, 9, "this is not the published file of Fashion-MNIST"},
      {KN_FASHION_MNIST_TEST_LABELS, 3, 10000, 1, 9, "this is not an IDX file of bytes with 1 dimensions"},
      {KN_FASHION_MNIST_TEST_IMAGES, 3, 10000, 27, 0, "images of 27 x 27 pixels instead of 28 x 28"},
      {KN_FASHION_MNIST_TEST_IMAGES, 3, 10000, 28, 0, "this is not the published file of Fashion-MNIST"},
      {KN_FASHION_MNIST_TRAIN_LABELS, 1, 10000, 1, 0, "10000 samples instead of the 60000"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    write_idx(root, names[cases[i].file], cases[i].rank, cases[i].count, cases[i].side, cases[i].value);
    kn_idx idx;
    kn_status status = kn_fashion_mnist_read(root, cases[i].file, &idx);
    assert_non_null(strstr(kn_status_where(status, 0), names[cases[i].file]));
    assert_fault(status, KN_BAD_DATA, cases[i].fault);
    assert_null(idx.content);
  }
  kt_directory_remove(root);
}

static void missing_files_are_named_with_a_way_out(void **state) {
  (void)state;
  char *root = kt_directory_make();
  opened set;
  assert_fault(OPEN(cls, &set, "dataset_root", root), KN_NOT_FOUND, "download_dataset");
  opened_close(&set);
  write_idx(root, names[0], 1, 1, 1, 0);
  assert_fault(OPEN(cls, &set, "dataset_root", root), KN_NOT_FOUND, names[1]);
  opened_close(&set);
  kt_directory_remove(root);
}

/* ---- apt-get and dpkg-deb replaced by scripts ---- */

static char *programs; /* directory that is PATH's first */
static char *old_path;

static void write_program(const char *name, const char *text) {
  char *path = kt_path(programs, name);
  kt_file_write_text(path, text);
  assert_int_equal(chmod(path, 0755), 0);
  free(path);
}

static int make_programs(void **state) {
  (void)state;
  programs = kt_directory_make();
  old_path = strdup(getenv("PATH"));
  char *path = NULL;
  if (asprintf(&path, "%s:%s", programs, old_path) < 0) return -1;
  setenv("PATH", path, 1);
  free(path);
  return 0;
}

static int remove_programs(void **state) {
  (void)state;
  setenv("PATH", old_path, 1);
  free(old_path);
  kt_directory_remove(programs);
  return 0;
}

static void a_package_is_fetched_and_unpacked(void **state) {
  (void)state;
  write_program("apt-get",
                "#!/bin/sh\n[ \"$2 $3\" = 'download thing' ] && [ \"$LC_ALL\" = C ] && echo x > thing_1.0_all.deb\n");
  write_program("dpkg-deb", "#!/bin/sh\n[ \"$1\" = -x ] && mkdir \"$3/usr\" && cp \"$2\" \"$3/usr/copy\"\n");
  char *directory = kt_directory_make();
  char *copy = kt_path(directory, "usr/copy");
  assert_null(kn_debian_package_unpack("thing", directory));
  char *text = kt_file_read(copy, NULL);
  assert_string_equal(text, "x\n");
  free(text);
  free(copy);
  kt_directory_remove(directory);
}

static void a_package_that_apt_does_not_know_is_no_mystery(void **state) {
  (void)state;
  /* The lists are found once apt-get update has run. */
  write_program("apt-get",
                "#!/bin/sh\nlists=$(dirname \"$0\")/lists\n"
                "if [ \"$2\" = update ]; then touch \"$lists\"; exit 0; fi\n"
                "if [ -e \"$lists\" ]; then echo x > thing_1.0_all.deb; exit 0; fi\n"
                "echo 'E: Unable to locate package thing' >&2; exit 100\n");
  write_program("dpkg-deb", "#!/bin/sh\nexit 0\n");
  char *directory = kt_directory_make();
  kn_status status = kn_debian_package_unpack("thing", directory);
  if (geteuid() == 0)
    assert_null(status);
  else
    assert_fault(status, KN_NOT_INSTALLED, "sudo apt-get update");
  kt_directory_remove(directory);
}

static void apts_own_words_are_shown_when_it_fails(void **state) {
  (void)state;
  write_program("apt-get", "#!/bin/sh\necho 'E: Failed to fetch: the cable is cut' >&2; exit 100\n");
  char *directory = kt_directory_make();
  assert_fault(kn_debian_package_unpack("thing", directory), KN_BACKEND_FAILED, "the cable is cut");
  write_program("apt-get", "#!/bin/sh\nexit 0\n");
  assert_fault(kn_debian_package_unpack("thing", directory), KN_BACKEND_FAILED, "holds no such package");
  kt_directory_remove(directory);
}

static void a_damaged_download_leaves_nothing_behind(void **state) {
  (void)state;
  if (!access("/usr/share/datasets/fashion-mnist", F_OK))
    kt_skip("the installed data set would be copied, and nothing fetched");
  write_program("apt-get", "#!/bin/sh\necho x > dataset-fashion-mnist_1_all.deb\n");
  write_program("dpkg-deb",
                "#!/bin/sh\nto=$3/usr/share/datasets/fashion-mnist; mkdir -p $to\n"
                "for f in train-images-idx3 train-labels-idx1 t10k-images-idx3 t10k-labels-idx1; do\n"
                "echo damaged > $to/$f-ubyte.gz; done\n");
  char *directory = kt_directory_make();
  char *root = kt_path(directory, "deep/root");
  opened set;
  assert_fault(OPEN(cls, &set, "dataset_root", root, "download_dataset", "true"), KN_BAD_DATA, "not an IDX file");
  opened_close(&set);
  assert_int_equal(kt_directory_entries(root), 0);
  free(root);
  kt_directory_remove(directory);
}

/* ---- the published files, where they are at hand ---- */

static const char *published(void) {
  const char *root = getenv("KENNING_TEST_FASHION_MNIST");
  return root && *root ? root : "/usr/share/datasets/fashion-mnist";
}

static void *load_first_test_image(void *argument) {
  const opened *set = argument;
  kn_tensor_view sample;
  bool right = !kn_tensor_create(KN_FLOAT32, 3, set->info.shape, &sample) &&
               !set->ops->load(set->self, KN_FASHION_MNIST_TRAIN, &sample);
  kn_tensor_free(&sample);
  return right ? argument : NULL;
}

static void the_published_set_is_read(void **state) {
  (void)state;
  if (access(published(), R_OK)) kt_skip("the data set at %s", published());
  opened set;
  assert_null(OPEN(cls, &set, "dataset_root", published(), "image_memory_layout", "NCHW"));
  assert_int_equal(set.info.count, 70000);
  assert_int_equal(set.info.classes, 10);
  assert_true(set.info.split_published);
  assert_int_equal(set.info.shape[0], 1);
  assert_int_equal(set.info.shape[2], 28);
  size_t labels[2][10] = {{0}};
  for (size_t i = 0; i < 70000; i++) {
    assert_int_equal(set.ops->published_split(set.self, i), i < 60000 ? KN_SPLIT_TRAIN : KN_SPLIT_TEST);
    labels[i < 60000][opened_label(&set, i)]++;
  }
  for (int c = 0; c < 10; c++) assert_true(labels[1][c] == 6000 && labels[0][c] == 1000);
  /* Several threads want the images before they are read. */
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) assert_int_equal(pthread_create(&threads[i], NULL, load_first_test_image, &set), 0);
  for (int i = 0; i < 4; i++) {
    void *right = NULL;
    pthread_join(threads[i], &right);
    assert_non_null(right);
  }
  /* Sums over the first training and test image, from the files by zcat and od. */
  static const struct {
    size_t index;
    const char *id;
    int64_t label;
    double sum;
  } samples[] = {{0, "train/00000", 9, 76247}, {60000, "test/00000", 9, 33456}};
  for (size_t i = 0; i < 2; i++) {
    char id[32];
    assert_null(set.ops->sample_id(set.self, samples[i].index, id, sizeof id));
    assert_string_equal(id, samples[i].id);
    assert_int_equal(opened_label(&set, samples[i].index), samples[i].label);
    kn_tensor_view sample = opened_load(&set, samples[i].index);
    const float *values = sample.data;
    double sum = 0;
    for (size_t p = 0; p < 784; p++) {
      assert_true(values[p] >= 0 && values[p] <= 1);
      sum += (double)values[p] * 255;
    }
    assert_int_equal((int)(sum + 0.5), (int)samples[i].sum);
    kn_tensor_free(&sample);
  }
  opened_close(&set);
}

/* A picture from outside is calibrated on as Pillow's convert("L").resize((28, 28)) and a division by 255 make it. */
static void pictures_from_outside_become_grey(void **state) {
  (void)state;
  char *root = kt_directory_make(), *file = kt_source_path("tests/unit/imaging/data/rgb.png");
  opened set;
  assert_fault(OPEN(cls, &set, "dataset_root", root), KN_NOT_FOUND, "download_dataset"); /* its files are not needed */
  kn_tensor_view out;
  assert_null(kn_tensor_create(KN_FLOAT32, 3, (int64_t[]){28, 28, 1}, &out));
  assert_null(set.ops->load_file(set.self, file, &out));
  kn_image image, small;
  assert_null(kn_image_read(file, &image));
  for (size_t i = 0; i < (size_t)image.width * image.height; i++) {
    const uint8_t *p = image.pixels + i * 3;
    uint8_t grey = (uint8_t)((p[0] * 19595 + p[1] * 38470 + p[2] * 7471 + 32768) / 65536);
    memset(image.pixels + i * 3, grey, 3);
  }
  assert_null(kn_image_resize(&image, 28, 28, KN_RESAMPLE_BICUBIC, &small));
  for (size_t i = 0; i < 28 * 28; i++) assert_true(((const float *)out.data)[i] == (float)small.pixels[i * 3] / 255.0f);
  kn_image_clear(&small);
  kn_image_clear(&image);
  kn_tensor_free(&out);
  opened_close(&set);
  free(file);
  kt_directory_remove(root);
}

int main(void) {
  kn_log_set_level(KN_LOG_WARNING);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(files_that_are_not_the_published_ones_are_refused),
      cmocka_unit_test(missing_files_are_named_with_a_way_out),
      cmocka_unit_test_setup_teardown(a_package_is_fetched_and_unpacked, make_programs, remove_programs),
      cmocka_unit_test_setup_teardown(a_package_that_apt_does_not_know_is_no_mystery, make_programs, remove_programs),
      cmocka_unit_test_setup_teardown(apts_own_words_are_shown_when_it_fails, make_programs, remove_programs),
      cmocka_unit_test_setup_teardown(a_damaged_download_leaves_nothing_behind, make_programs, remove_programs),
      cmocka_unit_test(pictures_from_outside_become_grey),
      cmocka_unit_test(the_published_set_is_read),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
