/* Images: decoding of JPEG and PNG files. What a file holds is decided by its content. */
#ifndef KENNING_IMAGING_IMAGE_H
#define KENNING_IMAGING_IMAGE_H

#include <kenning/status.h>

/* Largest image that is decoded: 65,500 is libjpeg's own limit of a side; 2^27 pixels take 384 MiB. */
enum { KN_IMAGE_MAX_SIDE = 65500, KN_IMAGE_MAX_PIXELS = 1 << 27 };

/* [height,width,3] uint8: red, green, blue; rows without padding. */
typedef struct kn_image {
  uint32_t width, height;
  uint8_t *pixels;
} kn_image;

/* Decodes a whole file to RGB as Pillow's convert("RGB") does: grey and palette are expanded, alpha is dropped, CMYK is
 * taken as Adobe writes it (inverted), 16-bit channels keep their upper 8 bits (grey too, where Pillow clips), EXIF
 * orientation and colour profiles are not applied. `name` is used in messages. KN_BAD_DATA for anything that is not a
 * complete, undamaged JPEG or PNG image. Thread-safe. */
kn_status kn_image_decode(const void *data, size_t bytes, const char *name, kn_image *out_image) KN_MUST_USE;
/* The same from a file, whose extension must not contradict its content. */
kn_status kn_image_read(const char *path, kn_image *out_image) KN_MUST_USE;
/* Looks at the first bytes and the name of a file: KN_BAD_DATA when it is empty or is an image that kn_image_read would
 * refuse for its format or extension. *out_image is false when neither content nor name is that of an image. Opens no
 * library. */
kn_status kn_image_check_file(const char *path, bool *out_image) KN_MUST_USE;
/* Frees the pixels and zeroes the struct; a zeroed struct is allowed. */
void kn_image_clear(kn_image *image);

/* KN_BAD_DATA for an image beyond the limits above. */
kn_status kn_image_check_size(uint32_t width, uint32_t height, const char *name) KN_MUST_USE;
/* Pixels of undefined content for an image of the given size, within the limits above; KN_BAD_DATA beyond them. */
kn_status kn_image_create(uint32_t width, uint32_t height, const char *name, kn_image *out_image) KN_MUST_USE;

#endif
