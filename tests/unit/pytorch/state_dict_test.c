#include "pytorch/state_dict.h"

#include <string.h>

#include "pytorch/network.h"
#include "support/directory.h"
#include "support/status.h"

#define DATA(name) PYTORCH_DATA "/" name

static const float *floats(const state_dict *state, const char *name) { return state_dict_find(state, name)->data; }

static void check_tiny(const char *path) {
  state_dict state;
  kt_assert_ok(state_dict_read(path, &state));
  assert_int_equal(state.count, 4);
  const state_tensor *turned = state_dict_find(&state, "turned"), *count = state_dict_find(&state, "count");
  assert_int_equal(turned->rank, 2);
  assert_int_equal(turned->shape[0], 3);
  const float expected[] = {0, 3, 1, 4, 2, 5}, row[] = {3, 4, 5};
  assert_memory_equal(turned->data, expected, sizeof expected);
  assert_memory_equal(floats(&state, "row"), row, sizeof row);
  int64_t seven;
  assert_int_equal(count->rank, 0);
  memcpy(&seven, count->data, sizeof seven);
  assert_int_equal(seven, 7);
  assert_int_equal(state_dict_find(&state, "half")->dtype, KN_FLOAT16);
  assert_null(state_dict_find(&state, "none"));
  state_dict_clear(&state);
}

static void archives_are_read(void **unused) {
  (void)unused;
  check_tiny(DATA("tiny.pth"));
}

static void files_before_1_6_are_read(void **unused) {
  (void)unused;
  check_tiny(DATA("legacy.pth"));
}

static void kinds_are_told(void **unused) {
  (void)unused;
  static const struct {
    const char *path;
    torch_file kind;
  } files[] = {{DATA("tiny.pth"), TORCH_FILE_STATE},
               {DATA("legacy.pth"), TORCH_FILE_STATE},
               {DATA("small.pt"), TORCH_FILE_SCRIPT}};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    torch_file kind;
    kt_assert_ok(torch_file_kind(files[i].path, &kind));
    assert_int_equal(kind, files[i].kind);
  }
  torch_file kind;
  kt_assert_fault(torch_file_kind(DATA("make_models.py"), &kind), KN_BAD_DATA, "no file of PyTorch's");
  kt_assert_fault(torch_file_kind(DATA("missing.pth"), &kind), KN_NOT_FOUND, NULL);
}

/* What a pickle names is told, and nothing of it is imported or called. */
static void code_is_refused_by_name(void **unused) {
  (void)unused;
  state_dict state;
  kt_assert_fault(state_dict_read(DATA("module.pth"), &state), KN_INCOMPATIBLE,
                  "torchvision.models.mobilenetv2.MobileNetV2");
  kt_assert_fault(state_dict_read(DATA("module.pth"), &state), KN_INCOMPATIBLE, "torch.jit.script(model).save(PATH)");
  kt_assert_fault(state_dict_read(DATA("attack.pth"), &state), KN_INCOMPATIBLE, "posix.system");
}

/* Every instruction that is not needed for plain data is refused, in an otherwise good pickle. */
static void other_instructions_are_refused(void **unused) {
  (void)unused;
  static const unsigned char allowed[] = "\x80\x95.(N\x88\x89}])KMJ\x8a\x8bGXT\x8cUc\x93RQbsatue\x85\x86\x87qr\x94hj";
  char *good;
  size_t bytes;
  kt_assert_ok(kn_file_read(DATA("legacy.pth"), 0, &good, &bytes));
  unsigned refused = 0;
  for (int instruction = 0; instruction < 256; instruction++) {
    if (memchr(allowed, instruction, sizeof allowed - 1)) continue;
    char *copy = kn_alloc(bytes);
    memcpy(copy, good, bytes);
    copy[17] = (char)instruction; /* the first of the second pickle, behind its protocol */
    state_dict state;
    kn_status status = state_dict_parse("tampered", copy, bytes, &state);
    kt_assert_fault(status, KN_INCOMPATIBLE, "instruction");
    refused++;
  }
  assert_true(refused > 200);
  kn_free(good);
}

static void cut_files_are_refused(void **unused) {
  (void)unused;
  static const char *const paths[] = {DATA("tiny.pth"), DATA("legacy.pth")};
  for (size_t p = 0; p < 2; p++) {
    char *good;
    size_t bytes;
    kt_assert_ok(kn_file_read(paths[p], 0, &good, &bytes));
    for (size_t length = 0; length < bytes; length += 7) {
      char *copy = kn_alloc(length);
      memcpy(copy, good, length);
      state_dict state;
      kt_assert_fault(state_dict_parse("cut", copy, length, &state), KN_BAD_DATA, NULL);
    }
    kn_free(good);
  }
}

/* One bit turned anywhere: an archive has checksums for what counts; neither reader ever leaves its bounds. */
static void damaged_files_do_no_harm(void **unused) {
  (void)unused;
  static const char *const paths[] = {DATA("tiny.pth"), DATA("legacy.pth")};
  for (size_t p = 0; p < 2; p++) {
    char *good;
    size_t bytes, taken = 0;
    kt_assert_ok(kn_file_read(paths[p], 0, &good, &bytes));
    for (size_t at = 0; at < bytes; at++) {
      char *copy = kn_alloc(bytes);
      memcpy(copy, good, bytes);
      copy[at] = (char)(copy[at] ^ 1 << at % 8);
      state_dict state;
      kn_status status = state_dict_parse("damaged", copy, bytes, &state);
      kn_code code = kn_status_code(status);
      kn_status_free(status);
      assert_true(code == KN_OK || code == KN_BAD_DATA || code == KN_INCOMPATIBLE);
      taken += code == KN_OK;
      state_dict_clear(&state);
    }
    assert_true(taken < bytes);
    kn_free(good);
  }
}

static void elements_have_checksums(void **unused) {
  (void)unused;
  char *data;
  size_t bytes;
  kt_assert_ok(kn_file_read(DATA("tiny.pth"), 0, &data, &bytes));
  const float three = 3;
  char *at = memmem(data, bytes, &three, sizeof three);
  assert_non_null(at);
  at[2] ^= 1;
  state_dict state;
  kt_assert_fault(state_dict_parse("tiny", data, bytes, &state), KN_BAD_DATA, "checksum");
}

/* ---- networks ---- */

static void known_networks_are_found(void **unused) {
  (void)unused;
  state_dict state;
  network n;
  kt_assert_ok(state_dict_read(DATA("fashion.pth"), &state));
  kt_assert_ok(network_of_state("fashion.pth", &state, &n));
  assert_string_equal(n.name, "FashionMNISTCNN");
  assert_int_equal(n.classes, 10);
  network_clear(&n);
  state_dict_clear(&state);
}

static void other_networks_are_refused(void **unused) {
  (void)unused;
  state_dict state;
  network n;
  kt_assert_ok(state_dict_read(DATA("tiny.pth"), &state));
  kt_assert_fault(network_of_state("tiny.pth", &state, &n), KN_INCOMPATIBLE,
                  "not known here (it begins with 'turned')");
  state_dict_clear(&state);
}

static void tensors_must_fit(void **unused) {
  (void)unused;
  state_dict state;
  network n;
  kt_assert_ok(state_dict_read(DATA("fashion.pth"), &state));
  state_tensor *weight = (state_tensor *)(uintptr_t)state_dict_find(&state, "conv_2.weight");
  weight->shape[2] = 5;
  kt_assert_fault(network_of_state("fashion.pth", &state, &n), KN_INCOMPATIBLE, "'conv_2.weight' has not the shape");
  weight->shape[2] = 3;
  weight->name[0] = 'x';
  kt_assert_fault(network_of_state("fashion.pth", &state, &n), KN_INCOMPATIBLE, "lack 'conv_2.weight'");
  state_dict_clear(&state);
}

/* Counts that torchvision's model has. */
static void mobilenet_is_torchvision_s(void **unused) {
  (void)unused;
  network n;
  kt_assert_ok(network_mobilenet_v2(1000, false, true, &n));
  int64_t parameters = 0;
  for (size_t i = 0; i < n.state_count; i++) {
    int64_t elements = 1;
    for (uint32_t k = 0; k < n.states[i].rank; k++) elements *= n.states[i].shape[k];
    if (!n.states[i].buffer) parameters += elements;
  }
  assert_int_equal(parameters, 3504872);
  assert_int_equal(n.state_count, 262); /* 314 entries less 52 counters of batches */
  network_clear(&n);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(archives_are_read),
                                     cmocka_unit_test(files_before_1_6_are_read),
                                     cmocka_unit_test(kinds_are_told),
                                     cmocka_unit_test(code_is_refused_by_name),
                                     cmocka_unit_test(other_instructions_are_refused),
                                     cmocka_unit_test(cut_files_are_refused),
                                     cmocka_unit_test(damaged_files_do_no_harm),
                                     cmocka_unit_test(elements_have_checksums),
                                     cmocka_unit_test(known_networks_are_found),
                                     cmocka_unit_test(other_networks_are_refused),
                                     cmocka_unit_test(tensors_must_fit),
                                     cmocka_unit_test(mobilenet_is_torchvision_s)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
