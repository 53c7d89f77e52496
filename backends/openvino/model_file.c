#include "model_file.h"

#include <errno.h>
#include <kenning/protobuf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
  HEAD_BYTES = 512,
  NEWEST_OPERATOR_SET = 27 /* of those that OpenVINO 2026.4 has schemas for */,
  NEWEST_FORMAT = 14 /* of the ONNX that has this set */
};

const char *kn_vino_format_name(kn_vino_format format) {
  static const char *const names[] = {[KN_VINO_IR] = "openvino",
                                      [KN_VINO_ONNX] = "onnx",
                                      [KN_VINO_TFLITE] = "tflite",
                                      [KN_VINO_SAVED_MODEL] = "saved_model"};
  return names[format];
}

static bool ends_with(const char *text, const char *end) {
  size_t length = strlen(text), tail = strlen(end);
  return length >= tail && !strcmp(text + length - tail, end);
}

char *kn_vino_weights_path(const char *path) {
  int stem = (int)strlen(path) - (ends_with(path, ".xml") ? 4 : 0);
  return kn_format("%.*s.bin", stem, path);
}

/* A ModelProto is a sequence of protobuf fields; it begins with its field 1, ir_version, a small number (onnx.proto3),
 * or with one of the others that writers put first. */
static bool is_onnx(const unsigned char *head, size_t length, const char *path) {
  if (length < 2) return false;
  if (head[0] == 0x08 && head[1] >= 1 && head[1] < 0x80) return true;
  /* producer_name, graph: only where the name says the same. */
  return ends_with(path, ".onnx") && (head[0] == 0x12 || head[0] == 0x3a || head[0] == 0x42);
}

static kn_status other_framework(const unsigned char *head, size_t length, const char *path) {
  static const struct {
    const char *magic;
    size_t length;
    const char *what;
  } others[] = {{"\x89HDF\r\n\x1a\n", 8, "an HDF5 file, as Keras writes them"},
                {"PK\x03\x04", 4, "a zip archive, as Keras and PyTorch write them"},
                {"\x7f"
                 "ELF",
                 4, "a library, as TVM makes them"},
                {"\x80\x02", 2, "a pickle of Python"}};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    if (length >= others[i].length && !memcmp(head, others[i].magic, others[i].length))
      return kn_status_make(KN_INCOMPATIBLE,
                            "%s is %s; OpenVINO reads ONNX, OpenVINO IR, TensorFlow Lite and SavedModels", path,
                            others[i].what);
  return kn_status_make(KN_BAD_DATA,
                        "%s is no model that OpenVINO reads: neither ONNX, OpenVINO IR, TensorFlow Lite nor SavedModel",
                        path);
}

static kn_status recognize(const unsigned char *head, size_t length, const char *path, kn_vino_format *out_format) {
  const char *text = (const char *)head;
  if (length >= 8 && !memcmp(head + 4, "TFL3", 4))
    *out_format = KN_VINO_TFLITE;
  else if (strstr(text, "<net ") && text[strspn(text, "\xef\xbb\xbf \t\r\n")] == '<')
    *out_format = KN_VINO_IR;
  else if (is_onnx(head, length, path))
    *out_format = KN_VINO_ONNX;
  else
    return other_framework(head, length, path);
  return NULL;
}

/* ---- the operator set of an ONNX model ---- */

/* OperatorSetIdProto: domain = 1, version = 2. `*out_version` stays for the sets of other domains. */
static bool read_operator_set(kn_protobuf message, uint64_t *out_version) {
  kn_protobuf_field field;
  uint64_t version = 0;
  bool own = true;
  while (kn_protobuf_next(&message, &field)) {
    if (field.number == 1) own = !kn_protobuf_length(field.bytes) || kn_protobuf_is(field.bytes, "ai.onnx");
    if (field.number == 2) version = field.value;
  }
  if (!kn_protobuf_ended(&message)) return false;
  if (own) *out_version = version;
  return true;
}

/* Of the ModelProto's fields only ir_version (1) and opset_import (8) are read, the others are stepped over; 0 where
 * the walk ends early: then the engine says what is wrong. */
static uint64_t operator_set_of(kn_protobuf message, uint64_t *out_format) {
  kn_protobuf_field field;
  uint64_t version = 0;
  while (kn_protobuf_next(&message, &field)) {
    if (field.number == 1) *out_format = field.value;
    if (field.number == 8 && !read_operator_set(field.bytes, &version)) break;
  }
  return version;
}

/* OpenVINO takes operators of a set that it does not know for those of the newest it knows, without a word. */
static kn_status check_operator_set(const char *path) {
  const void *data;
  size_t bytes;
  KN_TRY(kn_file_map(path, &data, &bytes));
  uint64_t form = 0, version = operator_set_of(kn_protobuf_of(data, bytes), &form);
  kn_file_unmap(data, bytes);
  if (form > NEWEST_FORMAT)
    return kn_status_make(KN_INCOMPATIBLE,
                          "%s is of ONNX's file format %llu; OpenVINO 2026.4 knows up to %d: export the model with an "
                          "older ONNX",
                          path, (unsigned long long)form, NEWEST_FORMAT);
  if (version <= NEWEST_OPERATOR_SET) return NULL;
  return kn_status_make(KN_INCOMPATIBLE,
                        "%s uses operator set %llu; OpenVINO 2026.4 knows up to %d: export the model for that or an "
                        "older one",
                        path, (unsigned long long)version, NEWEST_OPERATOR_SET);
}

/* ---- the file ---- */

static kn_status read_head(const char *path, kn_vino_format *out_format) {
  unsigned char head[HEAD_BYTES + 1] = {0};
  FILE *file = fopen(path, "rbe");
  if (!file) return kn_status_make(KN_IO_ERROR, "cannot read %s: %s", path, strerror(errno));
  size_t length = fread(head, 1, HEAD_BYTES, file);
  fclose(file);
  KN_TRY(recognize(head, length, path, out_format));
  return *out_format == KN_VINO_ONNX ? check_operator_set(path) : NULL;
}

kn_status kn_vino_format_of(const char *path, kn_vino_format *out_format) {
  struct stat found;
  *out_format = KN_VINO_IR;
  if (stat(path, &found) != 0)
    return kn_status_make(errno == ENOENT ? KN_NOT_FOUND : KN_IO_ERROR, "%s: %s", path, strerror(errno));
  if (S_ISREG(found.st_mode)) return read_head(path, out_format);
  if (!S_ISDIR(found.st_mode)) return kn_status_make(KN_BAD_DATA, "%s is neither a file nor a directory", path);
  char *inner = kn_format("%s/saved_model.pb", path);
  if (!inner) return kn_status_out_of_memory();
  bool whole = access(inner, R_OK) == 0;
  kn_free(inner);
  *out_format = KN_VINO_SAVED_MODEL;
  return whole ? NULL : kn_status_make(KN_BAD_DATA, "%s is a directory without saved_model.pb: no SavedModel", path);
}

/* ---- names ---- */

static kn_status link_in(const char *directory, const char *path, const char *end, char **out_name) {
  char *target = realpath(path, NULL), *name = kn_format("%s/model%s", directory, end);
  kn_status status = name ? NULL : kn_status_out_of_memory();
  if (!status && (!target || symlink(target, name) != 0))
    status = kn_status_make(KN_IO_ERROR, "cannot make a link to %s: %s", path, strerror(errno));
  free(target);
  if (status)
    kn_free(name);
  else
    *out_name = name;
  return status;
}

static kn_status make_link(const char *path, const char *end, char **out_name) {
  char *directory;
  KN_TRY(kn_directory_temporary(NULL, "kenning-openvino", &directory));
  kn_status status = link_in(directory, path, end, out_name);
  if (status)
    kn_directory_discard(directory);
  else
    kn_free(directory);
  return status;
}

/* The frontends of TensorFlow Lite and ONNX are chosen by the end of the name; an IR is known by its content. */
kn_status kn_vino_name_make(kn_vino_format format, const char *path, char **out_name) {
  const char *end = format == KN_VINO_ONNX ? ".onnx" : format == KN_VINO_TFLITE ? ".tflite" : "";
  *out_name = NULL;
  if (!ends_with(path, end)) return make_link(path, end, out_name);
  *out_name = kn_strdup(path);
  return *out_name ? NULL : kn_status_out_of_memory();
}

/* Not kn_directory_discard: nothing but the link can go, whatever name is given. */
void kn_vino_name_free(const char *path, char *name) {
  if (name && strcmp(name, path) != 0) {
    (void)unlink(name);
    *strrchr(name, '/') = '\0';
    (void)rmdir(name);
  }
  kn_free(name);
}
