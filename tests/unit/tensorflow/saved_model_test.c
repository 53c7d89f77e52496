/* Signatures of SavedModels, from protobuf messages made here. */
#include "support/unit.h"

#include <string.h>

#include <kenning/random.h>

#include "core/memory.h"
#include "support/directory.h"
#include "support/status.h"
#include "tensorflow/saved_model.h"

/* ---- messages under construction ---- */

typedef struct message {
  unsigned char data[4096];
  size_t size;
} message;

static void put_varint(message *m, uint64_t value) {
  for (; value >= 0x80; value >>= 7) m->data[m->size++] = (unsigned char)(value | 0x80);
  m->data[m->size++] = (unsigned char)value;
}

static void put_number(message *m, unsigned field, uint64_t value) {
  put_varint(m, field << 3);
  put_varint(m, value);
}

static void put_bytes(message *m, unsigned field, const void *data, size_t size) {
  put_varint(m, field << 3 | 2);
  put_varint(m, size);
  memcpy(m->data + m->size, data, size);
  m->size += size;
}

static void put_text(message *m, unsigned field, const char *text) { put_bytes(m, field, text, strlen(text)); }
static void put_message(message *m, unsigned field, const message *part) {
  put_bytes(m, field, part->data, part->size);
}

/* An entry of a map of tensors. */
static void put_tensor(message *signature, unsigned field, const char *key, const char *name, int type, int rank,
                       const int64_t *shape) {
  message sizes = {.size = 0}, info = {.size = 0}, entry = {.size = 0};
  for (int i = 0; i < rank; i++) {
    message dim = {.size = 0};
    put_number(&dim, 1, (uint64_t)shape[i]);
    put_message(&sizes, 2, &dim);
  }
  put_text(&info, 1, name);
  put_number(&info, 2, (uint64_t)type);
  put_message(&info, 3, &sizes);
  put_text(&entry, 1, key);
  put_message(&entry, 2, &info);
  put_message(signature, field, &entry);
}

static void put_signature(message *graph, const char *key, const message *signature) {
  message entry = {.size = 0};
  put_text(&entry, 1, key);
  put_message(&entry, 2, signature);
  put_message(graph, 5, &entry);
}

/* A model with `count` signatures, all alike but for the name of their output's operation. */
static message model_of(const char *const *keys, size_t count, const char *tag) {
  message model = {.size = 0}, graph = {.size = 0}, meta = {.size = 0};
  put_text(&meta, 4, tag);
  put_message(&graph, 1, &meta);
  for (size_t i = 0; i < count; i++) {
    message signature = {.size = 0};
    put_tensor(&signature, 1, "x", "serving_x:0", 1, 4, (int64_t[]){-1, 8, 8, 3});
    put_tensor(&signature, 2, "out_b", keys[i], 3, 2, (int64_t[]){-1, 5});
    put_tensor(&signature, 2, "out_a", "Call:1", 1, 2, (int64_t[]){-1, 7});
    put_signature(&graph, keys[i], &signature);
  }
  put_number(&model, 1, 1);
  put_message(&model, 2, &graph);
  return model;
}

/* ---- tests ---- */

static void the_serving_signature_is_taken(void **state) {
  (void)state;
  static const char *const orders[][4] = {{"serve", "serving_default", "__saved_model_init_op", "train"},
                                          {"serving_default", "serve", "a", "b"},
                                          {"a", "b", "c", "serving_default"}};
  for (size_t i = 0; i < 3; i++) {
    message m = model_of(orders[i], 4, "serve");
    saved_model model;
    kt_assert_ok(saved_model_parse(m.data, m.size, "m", &model));
    assert_string_equal(model.signature, "serving_default");
    assert_int_equal(model.inputs.count, 1);
    assert_string_equal(model.inputs.items[0].name, "x");
    assert_string_equal(model.inputs.items[0].operation, "serving_x");
    assert_int_equal(model.inputs.items[0].dtype, KN_FLOAT32);
    assert_int_equal(model.inputs.items[0].rank, 4);
    assert_memory_equal(model.inputs.items[0].shape, ((int64_t[]){-1, 8, 8, 3}), 4 * sizeof(int64_t));
    assert_int_equal(model.outputs.count, 2);
    assert_string_equal(model.outputs.items[0].name, "out_a");
    assert_string_equal(model.outputs.items[0].operation, "Call");
    assert_int_equal(model.outputs.items[0].index, 1);
    assert_string_equal(model.outputs.items[1].operation, "serving_default");
    assert_int_equal(model.outputs.items[1].index, 0);
    assert_int_equal(model.outputs.items[1].dtype, KN_INT32);
    saved_model_clear(&model);
  }
}

static void an_only_signature_will_do(void **state) {
  (void)state;
  static const char *const keys[] = {"__saved_model_init_op", "predict"};
  message m = model_of(keys, 2, "serve");
  saved_model model;
  kt_assert_ok(saved_model_parse(m.data, m.size, "m", &model));
  assert_string_equal(model.signature, "predict");
  saved_model_clear(&model);
}

static void others_are_refused(void **state) {
  (void)state;
  static const char *const keys[] = {"a", "b"};
  saved_model model;
  message m = model_of(keys, 2, "serve");
  kt_assert_fault(saved_model_parse(m.data, m.size, "m", &model), KN_INCOMPATIBLE, "serving_default");
  m = model_of(keys, 0, "serve");
  kt_assert_fault(saved_model_parse(m.data, m.size, "m", &model), KN_INCOMPATIBLE, "0 signatures");
  m = model_of(keys, 1, "train");
  kt_assert_fault(saved_model_parse(m.data, m.size, "m", &model), KN_INCOMPATIBLE, "'serve'");
  kt_assert_fault(saved_model_parse("", 0, "m", &model), KN_INCOMPATIBLE, "'serve'");
  kt_assert_fault(saved_model_parse("\xff\xff\xff\xff", 4, "m", &model), KN_BAD_DATA, "damaged");
  /* A tensor of nine dimensions, and one that is none. */
  message signature = {.size = 0}, graph = {.size = 0}, meta = {.size = 0};
  put_tensor(&signature, 1, "x", "x:0", 1, 9, (int64_t[9]){1, 1, 1, 1, 1, 1, 1, 1, 1});
  put_text(&meta, 4, "serve");
  put_message(&graph, 1, &meta);
  put_signature(&graph, "serving_default", &signature);
  m.size = 0;
  put_message(&m, 2, &graph);
  kt_assert_fault(saved_model_parse(m.data, m.size, "m", &model), KN_INCOMPATIBLE, "dimensions");
}

static void cut_and_changed_messages_do_no_harm(void **state) {
  (void)state;
  static const char *const keys[] = {"serve", "serving_default"};
  message m = model_of(keys, 2, "serve");
  saved_model model;
  for (size_t size = 1; size < m.size; size++) {
    unsigned char *exact = malloc(size);
    memcpy(exact, m.data, size);
    kn_status status = saved_model_parse(exact, size, "m", &model);
    assert_non_null(status);
    kn_status_free(status);
    free(exact);
  }
  for (uint64_t round = 0; round < 20000; round++) {
    message changed = m;
    for (int i = 0; i < 3; i++)
      changed.data[kn_random(round, (uint64_t)i) % m.size] = (unsigned char)kn_random(round, (uint64_t)i + 8);
    kn_status status = saved_model_parse(changed.data, changed.size, "m", &model);
    if (!status) saved_model_clear(&model);
    kn_status_free(status);
  }
}

static void directories_are_looked_at(void **state) {
  (void)state;
  static const char *const keys[] = {"serving_default"};
  message m = model_of(keys, 1, "serve");
  char *directory = kt_directory_make(), *file = kt_path(directory, "saved_model.pb");
  saved_model model;
  assert_false(saved_model_is_at(directory));
  kt_assert_fault(saved_model_read(directory, &model), KN_NOT_FOUND, "saved_model.pb");
  kt_file_write(file, m.data, m.size);
  assert_true(saved_model_is_at(directory));
  kt_assert_ok(saved_model_read(directory, &model));
  saved_model_clear(&model);
  free(file);
  kt_directory_remove(directory);
}

static void memory_may_run_out(void **state) {
  (void)state;
  static const char *const keys[] = {"serve", "serving_default"};
  message m = model_of(keys, 2, "serve");
  for (uint64_t n = 0;; n++) {
    saved_model model;
    kn_memory_fail_after(n);
    kn_status status = saved_model_parse(m.data, m.size, "m", &model);
    kn_memory_fail_after(UINT64_MAX);
    if (!status) {
      saved_model_clear(&model);
      break;
    }
    kt_assert_fault(status, KN_OUT_OF_MEMORY, NULL);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_serving_signature_is_taken),
      cmocka_unit_test(an_only_signature_will_do),
      cmocka_unit_test(others_are_refused),
      cmocka_unit_test(cut_and_changed_messages_do_no_harm),
      cmocka_unit_test(directories_are_looked_at),
      cmocka_unit_test(memory_may_run_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
