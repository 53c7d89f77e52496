#include "support/unit.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "datasets/faults.h"
#include "imaging/resize.h"
#include "support/directory.h"
#include "support/http_server.h"
#include "support/program.h"
#include "unit/datasets/opened.h"
#include "unit/resources/tar_writer.h"

extern const kn_class kn_pet_dataset_class;
static const kn_class *const cls = &kn_pet_dataset_class;

static const char list[] =
    "#Image CLASS-ID SPECIES BREED ID\n"
    "#ID: 1:37 Class ids\n"
    "Abyssinian_100 1 1 1\n"
    "Abyssinian_2 1 1 1\n"
    "american_pit_bull_terrier_7 2 2 1\r\n"
    "\n"
    "Bengal_1 3 1 2\n";

static void write_annotation(const char *root, const char *name, const char *text) {
  char place[64];
  snprintf(place, sizeof place, "annotations/%s", name);
  char *path = kt_path(root, place);
  kt_file_write_text(path, text);
  free(path);
}

/* A set with the four images of `list`. */
static char *make_set(void) {
  static const char *const names[] = {"Abyssinian_100", "Abyssinian_2", "american_pit_bull_terrier_7", "Bengal_1"};
  char *root = kt_directory_make();
  char *annotations = kt_path(root, "annotations"), *images = kt_path(root, "images");
  assert_int_equal(mkdir(annotations, 0755), 0);
  assert_int_equal(mkdir(images, 0755), 0);
  write_annotation(root, "list.txt", list);
  char *source = kt_source_path("tests/unit/imaging/data/baseline-420.jpg");
  size_t bytes;
  char *data = kt_file_read(source, &bytes);
  for (size_t i = 0; i < 4; i++) {
    char name[64];
    snprintf(name, sizeof name, "%s.jpg", names[i]);
    char *path = kt_path(images, name);
    kt_file_write(path, data, bytes);
    free(path);
  }
  free(data);
  free(source);
  free(annotations);
  free(images);
  return root;
}

static void breeds_are_read(void **state) {
  (void)state;
  char *root = make_set();
  opened set;
  assert_null(OPEN(cls, &set, "root", root));
  assert_int_equal(set.info.count, 4);
  assert_int_equal(set.info.classes, 3);
  assert_string_equal(set.info.class_names[0], "Abyssinian");
  assert_string_equal(set.info.class_names[1], "american_pit_bull_terrier");
  assert_string_equal(set.info.class_names[2], "Bengal");
  static const int64_t labels[] = {0, 0, 1, 2};
  for (size_t i = 0; i < 4; i++) assert_int_equal(opened_label(&set, i), labels[i]);
  char id[64];
  assert_null(set.ops->sample_id(set.self, 2, id, sizeof id));
  assert_string_equal(id, "images/american_pit_bull_terrier_7.jpg");
  assert_false(set.info.split_published);
  assert_int_equal(set.ops->published_split(set.self, 0), KN_SPLIT_NONE);
  opened_close(&set);
  kt_directory_remove(root);
}

static void species_are_read(void **state) {
  (void)state;
  char *root = make_set();
  opened set;
  assert_null(OPEN(cls, &set, "dataset_root", root, "classify_by", "species"));
  assert_int_equal(set.info.classes, 2);
  assert_string_equal(set.info.class_names[0], "cat");
  assert_string_equal(set.info.class_names[1], "dog");
  static const int64_t labels[] = {0, 0, 1, 0};
  for (size_t i = 0; i < 4; i++) assert_int_equal(opened_label(&set, i), labels[i]);
  opened_close(&set);
  kt_directory_remove(root);
}

static void samples_are_what_the_original_computes(void **state) {
  (void)state;
  static const float mean[] = {0.485f, 0.456f, 0.406f}, deviation[] = {0.229f, 0.224f, 0.225f};
  char *root = make_set();
  char *file = kt_path(root, "images/Bengal_1.jpg");
  kn_image image, square;
  assert_null(kn_image_read(file, &image));
  assert_null(kn_image_resize(&image, 224, 224, KN_RESAMPLE_BICUBIC, &square));
  for (int standardize = 0; standardize < 2; standardize++) {
    opened set;
    assert_null(OPEN(cls, &set, "dataset_root", root, "image_memory_layout", "NCHW", "standardize",
                     standardize ? "true" : "false"));
    assert_int_equal(set.info.shape[0], 3);
    assert_int_equal(set.info.shape[1], 224);
    kn_tensor_view sample = opened_load(&set, 3);
    const float *values = sample.data;
    for (size_t i = 0; i < 224 * 224; i++)
      for (size_t c = 0; c < 3; c++) {
        float unit = (float)square.pixels[i * 3 + c] / 255.0f;
        assert_true(values[c * 224 * 224 + i] == (standardize ? (unit - mean[c]) / deviation[c] : unit));
      }
    kn_tensor_free(&sample);
    opened_close(&set);
  }
  kn_image_clear(&image);
  kn_image_clear(&square);
  free(file);
  kt_directory_remove(root);
}

static void the_published_split_is_used(void **state) {
  (void)state;
  char *root = make_set();
  write_annotation(root, "trainval.txt", "Bengal_1 3 1 2\nAbyssinian_2 1 1 1\n");
  write_annotation(root, "test.txt", "american_pit_bull_terrier_7 2 2 1\nAbyssinian_100 1 1 1\n");
  opened set;
  assert_null(OPEN(cls, &set, "dataset_root", root));
  assert_true(set.info.split_published);
  static const kn_split splits[] = {KN_SPLIT_TEST, KN_SPLIT_TRAIN, KN_SPLIT_TEST, KN_SPLIT_TRAIN};
  for (size_t i = 0; i < 4; i++) assert_int_equal(set.ops->published_split(set.self, i), splits[i]);
  opened_close(&set);
  kt_directory_remove(root);
}

/* Opens the set with another list.txt, and expects a fault at a line. */
static void assert_list_fault(const char *text, const char *where, const char *part) {
  char *root = make_set();
  write_annotation(root, "list.txt", text);
  opened set;
  kn_status status = OPEN(cls, &set, "dataset_root", root);
  assert_non_null(status);
  if (!strstr(kn_status_where(status, 0), where)) fail_msg("%s instead of %s", kn_status_where(status, 0), where);
  assert_fault(status, KN_BAD_DATA, part);
  opened_close(&set);
  kt_directory_remove(root);
}

static void contradictions_are_found_with_their_line(void **state) {
  (void)state;
  static const struct {
    const char *text, *where, *fault;
  } cases[] = {
      {"A_1 1 1 1\nA_2 x 1 1\n", "list.txt:2", "the class id is x, it must be 1 to 37"},
      {"A_1 0 1 1\n", "list.txt:1", "the class id is 0"},
      {"A_1 38 1 1\n", "list.txt:1", "the class id is 38"},
      {"A_1 99999999999999999999 1 1\n", "list.txt:1", "the class id is 99999999999999999999"},
      {"A_1 1 3 1\n", "list.txt:1", "the species is 3, it must be 1 to 2"},
      {"A_1 1 1\n", "list.txt:1", "the breed id is missing"},
      {"A_1\n", "list.txt:1", "the class id is missing"},
      {"A_1 1 1 1 1\n", "list.txt:1", "\"1\" stands behind the four fields"},
      {"Abyssinian 1 1 1\n", "list.txt:1", "is not the name of an image"},
      {"../../etc/a_1 1 1 1\n", "list.txt:1", "is not the name of an image"},
      {"_1 1 1 1\n", "list.txt:1", "is not the name of an image"},
      {"#\nA_1 1 1 1\nB_1 1 1 1\n", "list.txt:3", "class id 1 is B here and A in line 2"},
      {"AB_1 1 1 1\nA_1 1 1 1\n", "list.txt:2", "class id 1 is A here and AB in line 1"},
      {"A_1 1 1 1\nA_2 1 2 1\n", "list.txt:2", "other numbers for species or breed than in line 1"},
      {"A_1 1 1 1\nA_2 1 1 2\n", "list.txt:2", "other numbers for species or breed than in line 1"},
      {"A_1 1 1 1\nA_2 2 1 1\n", "list.txt:2", "A has class id 2 here and 1 in line 1"},
      {"A_1 1 1 1\nB_1 3 1 1\n", "list.txt", "no image has class id 2, but ids go up to 3"},
      {"A_1 1 1 1\nA_1 1 1 1\n", "list.txt:2", "A_1 stands in line 1 already"},
      {"# nothing\n", "list.txt", "the data set is empty"},
      {"", "list.txt", "the data set is empty"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    assert_list_fault(cases[i].text, cases[i].where, cases[i].fault);
}

/* Everything that is wrong with lines, with classes, and with the split is told at once, each with its line. */
static void all_faults_are_told_at_once(void **state) {
  (void)state;
  static const struct {
    const char *list, *where[3], *fault[3];
  } cases[] = {
      {"A_1 x 1 1\nB 2 1 1\nC_1 3 1 1 9\n",
       {"list.txt:1", "list.txt:2", "list.txt:3"},
       {"the class id is x", "B is not the name", "\"9\" stands behind"}},
      {"A_1 1 1 1\nB_1 1 1 1\nA_2 1 2 1\nC_1 3 1 1\n",
       {"list.txt:2", "list.txt:3", "list.txt"},
       {"class id 1 is B", "A has other numbers", "no image has class id 2"}},
      {"A_1 1 1 1\nB_1 2 1 2\nA_1 1 1 1\nB_1 2 1 2\nA_1 1 1 1\n",
       {"list.txt:3", "list.txt:5", "list.txt:4"},
       {"A_1 stands in line 1", "A_1 stands in line 3", "B_1 stands in line 2"}},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char *root = make_set();
    write_annotation(root, "list.txt", cases[i].list);
    opened set;
    kn_status status = OPEN(cls, &set, "dataset_root", root);
    assert_int_equal(kn_status_count(status), 3);
    for (size_t k = 0; k < 3; k++) {
      kt_assert_contains(kn_status_where(status, k), cases[i].where[k]);
      kt_assert_contains(kn_status_message(status, k), cases[i].fault[k]);
    }
    kn_status_free(status);
    opened_close(&set);
    kt_directory_remove(root);
  }
}

/* A file of another kind is wrong in every line: what is not shown is counted. */
static void many_faults_are_counted(void **state) {
  (void)state;
  char text[60 * 4 + 1] = "";
  for (size_t i = 0; i < 60; i++) memcpy(text + i * 4, "x,1\n", 5);
  char *root = make_set();
  write_annotation(root, "list.txt", text);
  opened set;
  kn_status status = OPEN(cls, &set, "dataset_root", root);
  assert_int_equal(kn_status_count(status), KN_FAULTS_SHOWN + 1);
  assert_string_equal(kn_status_message(status, KN_FAULTS_SHOWN), "40 more lines are wrong");
  kn_status_free(status);
  opened_close(&set);
  kt_directory_remove(root);
}

static void split_files_must_fit_the_list(void **state) {
  (void)state;
  static const struct {
    const char *train, *test, *where, *fault;
  } cases[] = {
      {"Bengal_9 3 1 2\n", "", "trainval.txt:1", "Bengal_9 is not in list.txt"},
      {"Bengal_1 2 1 2\n", "", "trainval.txt:1", "Bengal_1 has other numbers than in line 7 of list.txt"},
      {"Bengal_1 3 1 2\n", "#\nBengal_1 3 1 2\n", "test.txt:2", "Bengal_1 is in the published split already"},
      {"Bengal_1 3 1 2\n", "", "list.txt:3", "Abyssinian_100 is neither in trainval.txt nor in test.txt"},
      {"Bengal_1 3 1 2 x\n", "Bengal_9 3 1 2\n", "trainval.txt:1", "\"x\" stands behind"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char *root = make_set();
    write_annotation(root, "trainval.txt", cases[i].train);
    write_annotation(root, "test.txt", cases[i].test);
    opened set;
    kn_status status = OPEN(cls, &set, "dataset_root", root);
    assert_non_null(status);
    assert_non_null(strstr(kn_status_where(status, 0), cases[i].where));
    assert_fault(status, KN_BAD_DATA, cases[i].fault);
    opened_close(&set);
    kt_directory_remove(root);
  }
}

static void missing_images_and_missing_sets_are_named(void **state) {
  (void)state;
  char *root = make_set();
  char *image = kt_path(root, "images/Bengal_1.jpg");
  assert_int_equal(unlink(image), 0);
  opened set;
  assert_fault(OPEN(cls, &set, "dataset_root", root), KN_NOT_FOUND, "images/Bengal_1.jpg");
  opened_close(&set);
  write_annotation(root, "test.txt", list);
  assert_fault(OPEN(cls, &set, "dataset_root", root), KN_NOT_FOUND, "trainval.txt");
  opened_close(&set);
  char *nowhere = kt_path(root, "nowhere");
  assert_fault(OPEN(cls, &set, "dataset_root", nowhere), KN_NOT_FOUND, "annotations.tar.gz");
  opened_close(&set);
  assert_fault(OPEN(cls, &set, "dataset_root", nowhere, "download_dataset", "true", "archives_uri", nowhere),
               KN_NOT_FOUND, "nowhere/images.tar.gz");
  opened_close(&set);
  free(nowhere);
  free(image);
  kt_directory_remove(root);
}

/* Serves the set of make_set as its publisher does. */
typedef struct publisher {
  char *directory;
  kt_http_server *server;
  char *uri;
} publisher;

static publisher publish(void) {
  publisher at = {.directory = kt_directory_make()};
  static const char *const names[] = {"images", "annotations"};
  char *root = make_set();
  for (size_t i = 0; i < 2; i++) {
    char *from = kt_path(root, names[i]), file[64];
    snprintf(file, sizeof file, "%s.tar.gz", names[i]);
    char *archive = kt_path(at.directory, file);
    kt_tar_write_directory(archive, from, names[i]);
    free(archive);
    free(from);
  }
  kt_directory_remove(root);
  at.server = kt_http_server_start(at.directory);
  at.uri = kt_http_server_uri(at.server, "");
  char *cache = kt_path(at.directory, "cache");
  setenv("KENNING_CACHE_DIR", cache, 1);
  free(cache);
  return at;
}

static void unpublish(publisher *at) {
  kt_http_server_stop(at->server);
  kt_directory_remove(at->directory);
  free(at->uri);
  unsetenv("KENNING_CACHE_DIR");
}

static int entries(const char *directory) {
  struct dirent **found;
  int count = scandir(directory, &found, NULL, NULL);
  for (int i = 0; i < count; i++) free(found[i]);
  if (count >= 0) free(found);
  return count - 2;
}

static void a_missing_set_is_downloaded(void **state) {
  (void)state;
  publisher at = publish();
  char *place = kt_directory_make(), *root = kt_path(place, "a/b");
  opened set;
  for (int again = 0; again < 2; again++) {
    assert_null(OPEN(cls, &set, "dataset_root", root, "download_dataset", "true", "archives_uri", at.uri));
    assert_int_equal(set.info.count, 4);
    opened_close(&set);
    assert_int_equal(entries(root), 2);
  }
  char *requests = kt_http_server_requests(at.server);
  assert_string_equal(requests, "/images.tar.gz -\n/annotations.tar.gz -\n");
  free(requests);
  /* What an interrupted call lacks is added. */
  char *annotations = kt_path(root, "annotations");
  kt_directory_remove(annotations);
  assert_null(OPEN(cls, &set, "dataset_root", root, "download_dataset", "true", "archives_uri", at.uri));
  /* A set that vanishes while it is used. */
  char *image = kt_path(root, "images/Bengal_1.jpg");
  assert_int_equal(unlink(image), 0);
  kn_tensor_view sample = opened_tensor(&set);
  assert_fault(set.ops->load(set.self, 3, &sample), KN_NOT_FOUND, "images/Bengal_1.jpg");
  kn_tensor_free(&sample);
  opened_close(&set);
  free(image);
  free(root);
  kt_directory_remove(place);
  unpublish(&at);
}

static void what_is_no_set_leaves_nothing(void **state) {
  (void)state;
  publisher at = publish();
  char *place = kt_directory_make(), *root = kt_path(place, "set");
  char *archive = kt_path(at.directory, "images.tar.gz");
  size_t bytes;
  char *whole = kt_file_read(archive, &bytes);
  opened set;
  kt_file_write(archive, whole, bytes / 2);
  assert_fault(OPEN(cls, &set, "dataset_root", root, "download_dataset", "true", "archives_uri", at.uri), KN_BAD_DATA,
               "damaged or incomplete");
  opened_close(&set);
  assert_int_equal(entries(root), 0);
  /* Mended, it is asked for again. */
  kt_file_write(archive, whole, bytes);
  assert_null(OPEN(cls, &set, "dataset_root", root, "download_dataset", "true", "archives_uri", at.uri));
  opened_close(&set);
  kt_directory_remove(root);
  root = kt_path(place, "set");
  kt_tar_write(archive,
               (const kt_tar_entry[]){{.name = "images/../../x", .type = '0', .content = "x"}, {.name = NULL}});
  assert_fault(OPEN(cls, &set, "dataset_root", root, "download_dataset", "true", "archives_uri", at.directory),
               KN_BAD_DATA, "leads out");
  opened_close(&set);
  kt_tar_write(archive, (const kt_tar_entry[]){{.name = "pictures/x", .type = '0', .content = "x"}, {.name = NULL}});
  assert_fault(OPEN(cls, &set, "dataset_root", root, "download_dataset", "true", "archives_uri", at.directory),
               KN_BAD_DATA, "no directory images");
  opened_close(&set);
  assert_int_equal(entries(root), 0);
  assert_int_equal(entries(place), 1);
  free(whole);
  free(archive);
  free(root);
  kt_directory_remove(place);
  unpublish(&at);
}

static void failing_allocations_leave_nothing_behind(void **state) {
  (void)state;
  char *root = make_set();
  write_annotation(root, "trainval.txt", "Bengal_1 3 1 2\nAbyssinian_2 1 1 1\n");
  write_annotation(root, "test.txt", "american_pit_bull_terrier_7 2 2 1\nAbyssinian_100 1 1 1\n");
  opened set;
  assert_null(OPEN(cls, &set, "dataset_root", root));
  opened_exhaust(&set, NULL);
  opened_close(&set);
  kt_directory_remove(root);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(breeds_are_read),
      cmocka_unit_test(species_are_read),
      cmocka_unit_test(samples_are_what_the_original_computes),
      cmocka_unit_test(the_published_split_is_used),
      cmocka_unit_test(contradictions_are_found_with_their_line),
      cmocka_unit_test(all_faults_are_told_at_once),
      cmocka_unit_test(many_faults_are_counted),
      cmocka_unit_test(split_files_must_fit_the_list),
      cmocka_unit_test(missing_images_and_missing_sets_are_named),
      cmocka_unit_test(a_missing_set_is_downloaded),
      cmocka_unit_test(what_is_no_set_leaves_nothing),
      cmocka_unit_test(failing_allocations_leave_nothing_behind),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
