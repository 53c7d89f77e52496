/* .keras archives: what is read from them, and what is refused. Comparison with Keras: tests/contract/tensorflow. */
#include "support/unit.h"

#include <string.h>

#include "support/directory.h"
#include "support/status.h"
#include "tensorflow/keras_model.h"

/* ---- archives of stored members: APPNOTE.TXT of the zip format, 4.3.7, 4.3.12, 4.3.16 ---- */

enum { MEMBER_LIMIT = 3, ARCHIVE_LIMIT = 64 << 10 };

typedef struct member {
  const char *name;
  const void *data;
  size_t bytes;
} member;

typedef struct archive {
  unsigned char data[ARCHIVE_LIMIT];
  size_t bytes;
} archive;

static void put(archive *a, uint32_t value, size_t bytes) {
  assert_true(a->bytes + bytes <= sizeof a->data);
  for (size_t i = 0; i < bytes; i++) a->data[a->bytes++] = (unsigned char)(value >> 8 * i);
}

static void put_bytes(archive *a, const void *data, size_t bytes) {
  assert_true(a->bytes + bytes <= sizeof a->data);
  memcpy(a->data + a->bytes, data, bytes);
  a->bytes += bytes;
}

static uint32_t crc32_of(const unsigned char *data, size_t bytes) {
  uint32_t crc = UINT32_MAX;
  for (size_t i = 0; i < bytes; i++) {
    crc ^= data[i];
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0xedb88320) : 0);
  }
  return ~crc;
}

/* What a local and a central header have in common: from the version to extract with to the lengths of name and extra
 * field. */
static void put_facts(archive *a, const member *m) {
  put(a, 20, 2);
  for (int i = 0; i < 4; i++) put(a, 0, 2); /* flags, method, time, date */
  put(a, crc32_of(m->data, m->bytes), 4);
  put(a, (uint32_t)m->bytes, 4);
  put(a, (uint32_t)m->bytes, 4);
  put(a, (uint32_t)strlen(m->name), 2);
  put(a, 0, 2);
}

static void make_archive(archive *a, const member *members) {
  size_t offsets[MEMBER_LIMIT], count = 0;
  a->bytes = 0;
  for (; count < MEMBER_LIMIT && members[count].name; count++) {
    offsets[count] = a->bytes;
    put(a, 0x04034b50, 4);
    put_facts(a, &members[count]);
    put_bytes(a, members[count].name, strlen(members[count].name));
    put_bytes(a, members[count].data, members[count].bytes);
  }
  size_t directory = a->bytes;
  for (size_t i = 0; i < count; i++) {
    put(a, 0x02014b50, 4);
    put(a, 20, 2);
    put_facts(a, &members[i]);
    put(a, 0, 2); /* comment */
    put(a, 0, 4); /* disk, internal attributes */
    put(a, 0, 4); /* external attributes */
    put(a, (uint32_t)offsets[i], 4);
    put_bytes(a, members[i].name, strlen(members[i].name));
  }
  size_t bytes = a->bytes - directory;
  put(a, 0x06054b50, 4);
  put(a, 0, 4);
  put(a, (uint32_t)count, 2);
  put(a, (uint32_t)count, 2);
  put(a, (uint32_t)bytes, 4);
  put(a, (uint32_t)directory, 4);
  put(a, 0, 2);
}

/* ---- a model ---- */

static const char metadata[] = "{\"keras_version\": \"3.15.1\"}";
#define DENSE(name) "{\"class_name\": \"Dense\", \"config\": {\"name\": \"" name "\", \"units\": 2}}"
static const char config[] =
    "{\"class_name\": \"Sequential\", \"config\": {\"name\": \"net\", \"layers\": [{\"class_name\": \"InputLayer\", "
    "\"config\": {\"batch_shape\": [null, 2], \"name\": \"in\"}}, " DENSE("first") ", " DENSE("second") "]}}";

typedef struct scratch {
  char *directory, *path, *weights_path;
  archive *archive;
} scratch;

static scratch scratch_make(void) {
  scratch s = {.directory = kt_directory_make(), .archive = malloc(sizeof *s.archive)};
  s.path = kt_path(s.directory, "model.keras");
  s.weights_path = kt_path(s.directory, "weights.h5");
  return s;
}

static void scratch_free(scratch *s) {
  free(s->path);
  free(s->weights_path);
  free(s->archive);
  kt_directory_remove(s->directory);
}

/* Weights of so many values in the two layers: 4 and 2 are right for kernel and bias. */
static char *make_weights(const scratch *s, bool second_bias, bool third, size_t *out_bytes) {
  static const float values[4] = {1, 2, 3, 4};
  const int64_t square[2] = {2, 2};
  hdf5_file file;
  kt_assert_ok(hdf5_file_create(s->weights_path, &file));
  kt_assert_ok(hdf5_write_dataset(&file, "/layers/dense/vars/0", 2, square, values));
  kt_assert_ok(hdf5_write_dataset(&file, "/layers/dense/vars/1", 1, square, values));
  kt_assert_ok(hdf5_write_dataset(&file, "/layers/dense_1/vars/0", 2, square, values));
  if (second_bias) kt_assert_ok(hdf5_write_dataset(&file, "/layers/dense_1/vars/1", 1, square, values + 2));
  if (third) kt_assert_ok(hdf5_write_dataset(&file, "/layers/dense_1/vars/2", 1, square, values));
  kt_assert_ok(hdf5_write_dataset(&file, "/optimizer/vars/0", 1, square, values));
  kt_assert_ok(hdf5_write_dataset(&file, "/optimizer/vars/1", 2, square, values));
  kt_assert_ok(hdf5_file_close(&file));
  return kt_file_read(s->weights_path, out_bytes);
}

static void save(const scratch *s, const member members[MEMBER_LIMIT]) {
  make_archive(s->archive, members);
  kt_file_write(s->path, s->archive->data, s->archive->bytes);
}

static void expect_refused(const scratch *s, const member members[MEMBER_LIMIT], const char *part) {
  keras_model model;
  save(s, members);
  kt_assert_fault(keras_model_open(s->path, &model), KN_BAD_DATA, part);
}

#define TEXT(name, text) \
  { (name), (text), strlen(text) }

static void weights_are_found(void **state) {
  (void)state;
  scratch s = scratch_make();
  size_t bytes;
  char *weights = make_weights(&s, true, false, &bytes);
  save(&s, (member[MEMBER_LIMIT]){
               TEXT("metadata.json", metadata), TEXT("config.json", config), {"model.weights.h5", weights, bytes}});
  keras_model model, again;
  kt_assert_ok(keras_model_open(s.path, &model));
  kt_assert_ok(keras_model_open(s.path, &again)); /* libhdf5 has both open */
  assert_string_equal(model.keras_version, "3.15.1");
  assert_int_equal(model.weights_bytes, 12 * sizeof(float));
  assert_int_equal(model.optimizer_bytes, 6 * sizeof(float));
  keras_weight *bias = keras_model_weight(&model, 2, "second", "bias");
  assert_non_null(bias);
  kt_assert_ok(keras_model_read_weight(&model, bias));
  assert_true(bias->values[0] == 3 && bias->values[1] == 4);
  keras_model_clear(&model);
  keras_model_clear(&again);
  free(weights);
  scratch_free(&s);
}

static void incomplete_archives_are_refused(void **state) {
  (void)state;
  scratch s = scratch_make();
  size_t bytes;
  char *weights = make_weights(&s, true, false, &bytes);
  const member version = TEXT("metadata.json", metadata), network = TEXT("config.json", config),
               file = {"model.weights.h5", weights, bytes};
  expect_refused(&s, (member[MEMBER_LIMIT]){version, file}, "it has no config.json");
  expect_refused(&s, (member[MEMBER_LIMIT]){version, network}, "it has no model.weights.h5");
  expect_refused(&s, (member[MEMBER_LIMIT]){network, file}, "keras_version");
  expect_refused(&s, (member[MEMBER_LIMIT]){version, network, {"model.weights.h5", weights, bytes / 2}},
                 "cannot be read");
  expect_refused(&s, (member[MEMBER_LIMIT]){version, TEXT("config.json", "{\"class_name\": "), file}, "not JSON");
  expect_refused(&s, (member[MEMBER_LIMIT]){network, network, file}, "holds config.json twice");
  free(weights);
  weights = make_weights(&s, false, false, &bytes);
  expect_refused(&s, (member[MEMBER_LIMIT]){version, network, {"model.weights.h5", weights, bytes}},
                 "weight 'bias' of layer 'second'");
  free(weights);
  weights = make_weights(&s, true, true, &bytes);
  expect_refused(&s, (member[MEMBER_LIMIT]){version, network, {"model.weights.h5", weights, bytes}},
                 "more than the 2 weights");
  free(weights);
  scratch_free(&s);
}

/* Every prefix, and every byte of the headers wrong: a message or the model, never a crash. */
static void damaged_archives_end_in_a_message(void **state) {
  (void)state;
  scratch s = scratch_make();
  size_t bytes, opened = 0, refused = 0;
  char *weights = make_weights(&s, true, false, &bytes);
  const member members[MEMBER_LIMIT] = {
      TEXT("metadata.json", metadata), TEXT("config.json", config), {"model.weights.h5", weights, bytes}};
  make_archive(s.archive, members);
  size_t step = s.archive->bytes / 150 + 1;
  for (size_t i = 0; i < s.archive->bytes; i += i < 700 ? 7 : step) {
    keras_model model;
    kt_file_write(s.path, s.archive->data, i);
    kt_assert_fault(keras_model_open(s.path, &model), KN_BAD_DATA, NULL);
    s.archive->data[i] ^= 0xff;
    kt_file_write(s.path, s.archive->data, s.archive->bytes);
    s.archive->data[i] ^= 0xff;
    kn_status status = keras_model_open(s.path, &model);
    opened += !status;
    refused += status != NULL;
    if (status)
      kt_assert_fault(status, KN_BAD_DATA, NULL);
    else
      keras_model_clear(&model);
  }
  assert_true(refused > opened); /* the checksum of each member is looked at */
  free(weights);
  scratch_free(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(weights_are_found),
      cmocka_unit_test(incomplete_archives_are_refused),
      cmocka_unit_test(damaged_archives_end_in_a_message),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
