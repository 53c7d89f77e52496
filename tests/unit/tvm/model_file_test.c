/* Compiled models as files: archives, libraries, descriptions, and what is no compiled model. */
#include <stdio.h>
#include <string.h>

#include "support/directory.h"
#include "support/status.h"
#include "tvm/archive.h"
#include "tvm/model_file.h"
#include "tvm/processor.h"
#include "tvm/shared_object.h"

/* TVM_DATA: directory of the models. */

static char *bytes_of(const char *name, size_t *out_bytes) {
  char path[512];
  snprintf(path, sizeof path, "%s/%s", TVM_DATA, name);
  return kt_file_read(path, out_bytes);
}

static kn_status read_bytes(const void *data, size_t bytes, kn_tvm_model_file *out_file) {
  char *directory = kt_directory_make(), *path = kt_path(directory, "model");
  kt_file_write(path, data, bytes);
  kn_status status = kn_tvm_model_file_read(path, out_file);
  free(path);
  kt_directory_remove(directory);
  return status;
}

static void refuse(const void *data, size_t bytes, kn_code code, const char *part) {
  kn_tvm_model_file file;
  kt_assert_fault(read_bytes(data, bytes, &file), code, part);
  kn_tvm_model_file_clear(&file);
}

static void models_say_what_they_are(void **state) {
  (void)state;
  static const struct {
    const char *name;
    kn_tvm_flavour flavour;
    kn_tvm_executor executor;
    const char *layers; /* the fact that is not 0 */
    kn_dtype dtype;
  } models[] = {{"int8.tar", KN_TVM_RELAY, KN_TVM_GRAPH, "integer_layers", KN_INT8},
                {"vm.tar", KN_TVM_RELAY, KN_TVM_VM, "float32_layers", KN_FLOAT32},
                {"aot.tar", KN_TVM_RELAY, KN_TVM_AOT, "float32_layers", KN_FLOAT32},
                {"relax.tar", KN_TVM_RELAX, KN_TVM_VM, "float32_layers", KN_FLOAT32},
                {"sources.tar", KN_TVM_RELAY, KN_TVM_C_SOURCES, "integer_layers", KN_INT8}};
  for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
    size_t bytes;
    char *data = bytes_of(models[i].name, &bytes);
    kn_tvm_model_file file;
    kt_assert_ok(read_bytes(data, bytes, &file));
    assert_int_equal(file.flavour, models[i].flavour);
    assert_int_equal(file.executor, models[i].executor);
    assert_string_equal(kn_tvm_model_file_fact(&file, models[i].layers), "2");
    assert_null(kn_tvm_model_file_fact(&file, "layers"));
    assert_int_equal(file.spec.input.count, 1);
    assert_string_equal(file.spec.input.entries[0].name, "serving_default_image:0");
    assert_int_equal(file.spec.input.entries[0].dtype, models[i].dtype);
    assert_int_equal(file.spec.input.entries[0].shape[1], 4);
    assert_int_equal(file.spec.input.entries[0].quantized, models[i].dtype == KN_INT8);
    assert_int_equal(file.spec.output.entries[0].shape[0], 1);
    if (models[i].executor == KN_TVM_C_SOURCES)
      kt_assert_fault(kn_tvm_model_file_fits(&file), KN_INCOMPATIBLE, "C sources");
    else if (kn_tvm_elf_machine_here() == 62)
      kt_assert_ok(kn_tvm_model_file_fits(&file));
    else
      kt_assert_fault(kn_tvm_model_file_fits(&file), KN_INCOMPATIBLE, "compiled for x86_64");
    kn_tvm_model_file_clear(&file);
    free(data);
  }
}

static void what_is_no_model_is_refused(void **state) {
  (void)state;
  size_t bytes;
  char *data = bytes_of("relax.tar", &bytes);
  refuse("", 0, KN_BAD_DATA, NULL);
  refuse("text and nothing else", 21, KN_BAD_DATA, "no ELF file");
  refuse(data, bytes / 2, KN_BAD_DATA, NULL);
  char *copy = malloc(bytes);
  assert_non_null(copy);
  for (size_t at = 0; at < bytes; at += 397) { /* a changed bit is noticed wherever it is, except in padding */
    memcpy(copy, data, bytes);
    copy[at] = (char)(copy[at] ^ 16);
    kn_tvm_model_file file;
    kn_status status = read_bytes(copy, bytes, &file);
    if (status) kt_assert_fault(status, KN_BAD_DATA, NULL);
    kn_tvm_model_file_clear(&file);
  }
  memcpy(copy, data, bytes);
  copy[512 + 5000] = (char)(copy[512 + 5000] ^ 1);
  refuse(copy, bytes, KN_BAD_DATA, "SHA-256");
  free(copy);
  free(data);
}

/* The library alone, without the archive and its sum: cut anywhere it is refused. */
static void libraries_are_whole(void **state) {
  (void)state;
  size_t bytes;
  char *data = bytes_of("relax.tar", &bytes);
  kn_tvm_member library;
  kt_assert_ok(kn_tvm_archive_find(data, bytes, "model.so", &library));
  assert_non_null(library.data);
  kn_tvm_model_file file;
  kt_assert_ok(read_bytes(library.data, library.bytes, &file));
  assert_int_equal(file.flavour, KN_TVM_RELAX);
  kn_tvm_model_file_clear(&file);
  for (size_t size = 4; size < library.bytes; size += 1 + size / 2) refuse(library.data, size, KN_BAD_DATA, NULL);
  char *copy = malloc(library.bytes);
  assert_non_null(copy);
  memcpy(copy, library.data, library.bytes);
  copy[18] = (char)183; /* e_machine: AArch64 */
  copy[19] = 0;
  kt_assert_ok(read_bytes(copy, library.bytes, &file));
  if (kn_tvm_elf_machine_here() == 62) kt_assert_fault(kn_tvm_model_file_fits(&file), KN_INCOMPATIBLE, "for aarch64");
  kn_tvm_model_file_clear(&file);
  copy[4] = 1; /* 32 bits */
  refuse(copy, library.bytes, KN_INCOMPATIBLE, "word size");
  /* Every byte of the headers and tables may be anything: no read outside, no crash. */
  kn_tvm_elf elf;
  for (size_t at = 0; at < library.bytes; at += at < 64 ? 1 : 173) {
    memcpy(copy, library.data, library.bytes);
    copy[at] = (char)0xff;
    kn_status_free(read_bytes(copy, library.bytes, &file));
    kn_tvm_model_file_clear(&file);
  }
  kt_assert_ok(kn_tvm_elf_read(library.data, library.bytes, &elf));
  free(copy);
  free(data);
}

/* Two members in an archive as TVM's own export writes it. */
static size_t add_member(char *to, const char *name, const char *data, size_t bytes) {
  memset(to, 0, 512);
  snprintf(to, 100, "%s", name);
  snprintf(to + 124, 12, "%011zo", bytes);
  memcpy(to + 257, "ustar", 6);
  to[156] = '0';
  unsigned sum = 8 * ' ';
  for (size_t i = 0; i < 512; i++) sum += (unsigned char)to[i];
  snprintf(to + 148, 8, "%06o", sum);
  memcpy(to + 512, data, bytes);
  return 512 + (bytes + 511) / 512 * 512;
}

static void archives_of_other_things_are_refused(void **state) {
  (void)state;
  static char archive[8192];
  size_t at = add_member(archive, "notes.txt", "hello", 5);
  refuse(archive, at + 1024, KN_BAD_DATA, "neither a compiled library nor object files");
  at += add_member(archive + at, "lib0.c", "int x;", 6);
  refuse(archive, at + 1024, KN_BAD_DATA, "C sources");
  refuse(archive, at, KN_BAD_DATA, "cut off");
  memset(archive, 0, sizeof archive);
  at = add_member(archive, "lib0.o", "this is no object file", 22);
  kn_tvm_model_file file;
  kn_status status = read_bytes(archive, at + 1024, &file);
  kn_tvm_model_file_clear(&file);
  if (kn_status_code(status) != KN_NOT_INSTALLED)
    kt_assert_fault(status, KN_BACKEND_FAILED, "while linking the object");
  archive[130] = '9';
  refuse(archive, at + 1024, KN_BAD_DATA, "damaged at byte 0");
}

static void processors_are_compared(void **state) {
  (void)state;
  char missing[64];
  assert_false(kn_tvm_processor_lacks("", missing, sizeof missing));
  assert_false(kn_tvm_processor_lacks("sse,sse2,fast-15bytenop", missing, sizeof missing));
#if defined __x86_64__
  bool lacks = !__builtin_cpu_supports("avx512vpopcntdq");
  assert_int_equal(kn_tvm_processor_lacks("sse2,avx512vpopcntdq", missing, sizeof missing), lacks);
  if (lacks) assert_string_equal(missing, "avx512vpopcntdq");
#endif
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(models_say_what_they_are), cmocka_unit_test(what_is_no_model_is_refused),
      cmocka_unit_test(libraries_are_whole),      cmocka_unit_test(archives_of_other_things_are_refused),
      cmocka_unit_test(processors_are_compared),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
