#include "core/content.h"
#include "core/file.h"

#include <errno.h>
#include <kenning/protobuf.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- magic numbers ---- */

#define MAGIC(at, text, name, told)                               \
  {                                                               \
    at, text, sizeof(text) - 1, { .format = name, .words = told } \
  }

static const struct {
  size_t offset;
  const char *bytes;
  size_t length;
  kn_content content;
} magics[] = {
    MAGIC(0, "\x89HDF\r\n\x1a\n", "keras", "an HDF5 file, as Keras writes them"),
    MAGIC(4, "TFL3", "tflite", "a TensorFlow Lite model"),
    MAGIC(0, "\x12\x01\0\0\0\0\0\0", "mxnet", "a list of arrays, as MXNet writes them"),
    MAGIC(0,
          "\x7f"
          "ELF",
          NULL, "a program or a library (ELF)"),
    MAGIC(257, "ustar", NULL, "a tar archive"),
    MAGIC(0, "\x1f\x8b", NULL, "compressed by gzip"),
    MAGIC(0,
          "\xfd"
          "7zXZ",
          NULL, "compressed by xz"),
    MAGIC(0, "\x28\xb5\x2f\xfd", NULL, "compressed by zstd"),
    MAGIC(0, "\x80\x02", NULL, "a pickle of Python"),
    MAGIC(0, "\x80\x03", NULL, "a pickle of Python"),
    MAGIC(0, "\x80\x04", NULL, "a pickle of Python"),
    MAGIC(0, "\x89PNG", NULL, "a PNG image"),
    MAGIC(0, "\xff\xd8\xff", NULL, "a JPEG image"),
    MAGIC(0, "%PDF", NULL, "a PDF document"),
    MAGIC(0, "version https://git-lfs", NULL,
          "a pointer of Git LFS to the file, not the file: `git lfs pull` fetches it"),
    MAGIC(0, "\xff\xfe", NULL, "UTF-16 text"),
    MAGIC(0, "\xfe\xff", NULL, "UTF-16 text"),
};

/* ---- formats without one ---- */

static bool begins(const char *text, size_t length, const char *with) {
  size_t wanted = strlen(with);
  return length >= wanted && !memcmp(text, with, wanted);
}

static bool holds(const char *text, size_t length, const char *word) {
  for (size_t i = 0; i < length; i++)
    if (begins(text + i, length - i, word)) return true;
  return false;
}

/* Archives are told apart by the name of their first member, which stands behind 30 bytes of header (APPNOTE.TXT of
 * PKWARE, 4.3.7): Keras writes three names of its own, PyTorch everything into one directory. */
static kn_content of_zip(const unsigned char *head, size_t length) {
  static const char *const keras[] = {"metadata.json", "config.json", "model.weights.h5"};
  size_t name_length = length >= 30 ? (size_t)head[26] | (size_t)head[27] << 8 : 0;
  const char *name = (const char *)head + 30;
  kn_content zip = {NULL, "a zip archive", true};
  if (!name_length || name_length > length - 30) return zip;
  for (size_t i = 0; i < sizeof keras / sizeof *keras; i++)
    if (name_length == strlen(keras[i]) && !memcmp(name, keras[i], name_length))
      return (kn_content){"keras", "a zip archive, as Keras writes them", false};
  static const char module[] = "module.fb";
  if (name_length == strlen(module) && !memcmp(name, module, name_length))
    return (kn_content){"iree", "a module of IREE", false};
  static const char *const torch[] = {"/data.pkl",       "/data/",           "/extra/",
                                      "/code/",          "/version",         "/byteorder",
                                      "/archive_format", "/.format_version", "/.storage_alignment"};
  const char *inner = memchr(name, '/', name_length);
  size_t rest = inner ? name_length - (size_t)(inner - name) : 0;
  for (size_t i = 0; i < sizeof torch / sizeof *torch; i++)
    if (begins(inner, rest, torch[i])) return (kn_content){"torch", "a zip archive, as PyTorch writes them", false};
  return zip;
}

/* A ModelProto (onnx.proto) begins with field 1, ir_version, a small number, and goes on with one of its others, of
 * which producer_name is a short text. A SavedModel (saved_model.proto) begins the same, but its field 2 is the graph.
 */
static kn_content of_protobuf(const unsigned char *head, size_t length) {
  enum { IR_VERSION = 0x08, PRODUCER = 0x12, LONGEST_NAME = 256 };
  static const unsigned char others[] = {0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42, 0x72};
  if (length < 4 || head[0] != IR_VERSION || head[1] < 1 || head[1] > 0x7f) return (kn_content){0};
  const kn_content onnx = {.format = "onnx", .words = "an ONNX model"};
  for (size_t i = 0; i < sizeof others; i++)
    if (head[2] == others[i]) return onnx;
  if (head[2] != PRODUCER) return (kn_content){0};
  kn_protobuf rest = kn_protobuf_of(head + 2, length - 2);
  kn_protobuf_field name;
  bool text = kn_protobuf_next(&rest, &name) && kn_protobuf_length(name.bytes) < LONGEST_NAME;
  for (const uint8_t *at = name.bytes.at; text && at < name.bytes.end; at++) text = *at >= ' ' && *at < 0x7f;
  if (text) return onnx;
  if (head[1] != 1) return (kn_content){0};
  return (kn_content){.words = "the graph of a SavedModel: give its directory"};
}

static kn_content of_markup(const char *text, size_t length) {
  size_t start = begins(text, length, "\xef\xbb\xbf") ? 3 : 0;
  while (start < length && strchr(" \t\r\n", text[start]) && text[start]) start++;
  if (start == length || text[start] != '<') return (kn_content){0};
  if (holds(text, length, "<net ")) return (kn_content){.format = "openvino", .words = "an OpenVINO IR"};
  if (holds(text, length, "<!DOCTYPE html") || holds(text, length, "<!doctype html") || holds(text, length, "<html"))
    return (kn_content){.words = "an HTML page, as downloads that failed leave them"};
  return (kn_content){.words = "XML"};
}

kn_content kn_content_of(const void *data, size_t length) {
  const unsigned char *head = data;
  if (!length) return (kn_content){.words = "empty"};
  for (size_t i = 0; i < sizeof magics / sizeof *magics; i++)
    if (length >= magics[i].offset + magics[i].length &&
        !memcmp(head + magics[i].offset, magics[i].bytes, magics[i].length))
      return magics[i].content;
  if (begins(data, length, "PK\x03\x04")) return of_zip(head, length);
  if (*head == '{' && holds(data, length, "\"nodes\"") && holds(data, length, "\"op\""))
    return (kn_content){"mxnet", "a graph of MXNet", false};
  kn_content content = of_markup(data, length);
  return content.words ? content : of_protobuf(head, length);
}

bool kn_content_tells(const char *format) {
  static const char *const known[] = {"keras", "tflite", "openvino", "saved_model"};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (!strcmp(known[i], format)) return true;
  return false;
}

/* ---- files ---- */

static kn_status read_head(const char *path, unsigned char *head, size_t *out_length) {
  int file;
  *out_length = 0;
  KN_TRY(kn_file_open(path, &file));
  ssize_t got = 1;
  while (got > 0 && *out_length < KN_CONTENT_HEAD) {
    got = read(file, head + *out_length, KN_CONTENT_HEAD - *out_length);
    if (got > 0) *out_length += (size_t)got;
    if (got < 0 && errno == EINTR) got = 1;
  }
  kn_status status = got < 0 ? kn_file_input_fault(path, "read", errno) : NULL;
  close(file);
  return status;
}

kn_status kn_content_read(const char *path, kn_content *out_content) {
  struct stat found;
  *out_content = (kn_content){0};
  KN_TRY(kn_file_check_input(path, true));
  if (stat(path, &found) == 0 && S_ISDIR(found.st_mode)) {
    char *graph = kn_format("%s/saved_model.pb", path);
    if (!graph) return kn_status_out_of_memory();
    *out_content = kn_file_exists(graph, NULL) ? (kn_content){.format = "saved_model", .words = "a SavedModel"}
                                               : (kn_content){.words = "a directory without saved_model.pb"};
    kn_free(graph);
    return NULL;
  }
  unsigned char head[KN_CONTENT_HEAD];
  size_t length;
  KN_TRY(read_head(path, head, &length));
  *out_content = kn_content_of(head, length);
  return NULL;
}
