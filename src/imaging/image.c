#include "imaging/image.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <kenning/services.h>

#include "core/file.h"
#include "imaging/decoder.h"

enum { SIGNATURE_BYTES = 16, FILE_LIMIT_BYTES = 256 << 20 };

/* First bytes of a format: `bytes` at `offset`. Sources: ITU-T T.81 (JPEG), ISO/IEC 15948 (PNG), the formats' own
 * specifications. */
static const struct signature {
  const char *format;
  const char *bytes;
  size_t length, offset;
  kn_status (*decode)(const uint8_t *data, size_t bytes, const char *name, kn_image *out_image); /* NULL: not read */
} signatures[] = {
    {"JPEG", "\xff\xd8\xff", 3, 0, kn_jpeg_decode},
    {"PNG", "\x89PNG\r\n\x1a\n", 8, 0, kn_png_decode},
    {"GIF", "GIF8", 4, 0, NULL},
    {"WebP", "WEBP", 4, 8, NULL},
    {"TIFF", "II*\0", 4, 0, NULL},
    {"TIFF", "MM\0*", 4, 0, NULL},
    {"HEIF", "ftyphei", 7, 4, NULL},
    {"AVIF", "ftypavif", 8, 4, NULL},
    {"JPEG 2000", "\0\0\0\x0cjP  ", 8, 0, NULL},
    {"BMP", "BM", 2, 0, NULL},
};

static const struct extension {
  const char *name;
  const char *format;
} extensions[] = {{"jpg", "JPEG"},  {"jpeg", "JPEG"}, {"jpe", "JPEG"},  {"jfif", "JPEG"}, {"png", "PNG"},
                  {"apng", "PNG"},  {"gif", "GIF"},   {"webp", "WebP"}, {"tif", "TIFF"},  {"tiff", "TIFF"},
                  {"heic", "HEIF"}, {"heif", "HEIF"}, {"avif", "AVIF"}, {"bmp", "BMP"},   {"jp2", "JPEG 2000"}};

static const struct signature *signature_of(const void *data, size_t bytes) {
  for (size_t i = 0; i < sizeof signatures / sizeof *signatures; i++) {
    const struct signature *at = &signatures[i];
    if (bytes >= at->offset + at->length && !memcmp((const char *)data + at->offset, at->bytes, at->length)) return at;
  }
  return NULL;
}

/* The extension without its dot, NULL when the name has none. */
static const char *extension_of(const char *path) {
  const char *slash = strrchr(path, '/');
  const char *dot = strrchr(slash ? slash : path, '.');
  return dot && dot[1] ? dot + 1 : NULL;
}

/* The image format that an extension stands for, or NULL. */
static const char *promised_format(const char *extension) {
  for (size_t i = 0; extension && i < sizeof extensions / sizeof *extensions; i++)
    if (!strcasecmp(extension, extensions[i].name)) return extensions[i].format;
  return NULL;
}

static kn_status refuse_format(const char *name, const struct signature *found) {
  if (!found) return kn_status_make_at(KN_BAD_DATA, name, "this is not an image: its content is neither JPEG nor PNG");
  return kn_status_make_at(KN_BAD_DATA, name, "this is a %s image; JPEG and PNG can be read: convert it",
                           found->format);
}

/* Judges name and first bytes together. An image may go without an extension. */
static kn_status check(const char *path, const void *data, size_t bytes, bool *out_image) {
  const char *extension = extension_of(path);
  const char *promised = promised_format(extension);
  const struct signature *found = signature_of(data, bytes);
  bool readable = found && found->decode;
  *out_image = false;
  if (!bytes) return kn_status_make_at(KN_BAD_DATA, path, "the file is empty");
  if (readable && extension && (!promised || strcmp(promised, found->format)))
    return kn_status_make_at(KN_BAD_DATA, path, "the content is a %s image, but the name ends in .%s: rename the file",
                             found->format, extension);
  if (!readable && (promised || (found && !extension))) return refuse_format(path, found);
  *out_image = readable;
  return NULL;
}

kn_status kn_image_check_file(const char *path, bool *out_image) {
  *out_image = false;
  int file;
  KN_TRY(kn_file_open(path, &file));
  char head[SIGNATURE_BYTES];
  ssize_t bytes;
  do bytes = read(file, head, sizeof head);
  while (bytes < 0 && errno == EINTR);
  int error = errno;
  close(file);
  if (bytes < 0) return kn_file_fault(path, "read", error);
  return check(path, head, (size_t)bytes, out_image);
}

kn_status kn_image_check_size(uint32_t width, uint32_t height, const char *name) {
  if (!width || !height) return kn_status_make_at(KN_BAD_DATA, name, "the image has no pixels");
  if (width > KN_IMAGE_MAX_SIDE || height > KN_IMAGE_MAX_SIDE || (uint64_t)width * height > KN_IMAGE_MAX_PIXELS)
    return kn_status_make_at(KN_BAD_DATA, name,
                             "the image is too large: %u x %u pixels, the limits are %d a side and %d in all", width,
                             height, KN_IMAGE_MAX_SIDE, KN_IMAGE_MAX_PIXELS);
  return NULL;
}

kn_status kn_image_create(uint32_t width, uint32_t height, const char *name, kn_image *out_image) {
  *out_image = (kn_image){0};
  KN_TRY(kn_image_check_size(width, height, name));
  uint8_t *pixels = kn_realloc(NULL, (size_t)width * height * 3); /* kn_alloc would zero them */
  if (!pixels) return kn_status_out_of_memory();
  *out_image = (kn_image){width, height, pixels};
  return NULL;
}

void kn_image_clear(kn_image *image) {
  kn_free(image->pixels);
  *image = (kn_image){0};
}

kn_status kn_image_decode(const void *data, size_t bytes, const char *name, kn_image *out_image) {
  *out_image = (kn_image){0};
  if (!bytes) return kn_status_make_at(KN_BAD_DATA, name, "the file is empty");
  const struct signature *found = signature_of(data, bytes);
  return found && found->decode ? found->decode(data, bytes, name, out_image) : refuse_format(name, found);
}

kn_status kn_image_read(const char *path, kn_image *out_image) {
  *out_image = (kn_image){0};
  char *data = NULL;
  size_t bytes = 0;
  KN_TRY(kn_file_read(path, FILE_LIMIT_BYTES, &data, &bytes));
  bool is_image;
  kn_status status = check(path, data, bytes, &is_image);
  if (!status) status = kn_image_decode(data, bytes, path, out_image);
  kn_free(data);
  return status;
}
