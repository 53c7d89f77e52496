/* PNG by libpng, opened on use. libpng does not expect its error function to return, so setjmp and longjmp are the only
 * way out; they stay inside this file. */
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <png.h>

#include "imaging/decoder.h"
#include "core/library.h"

#define FUNCTIONS(X)                \
  X(png_create_read_struct)         \
  X(png_create_info_struct)         \
  X(png_destroy_read_struct)        \
  X(png_set_read_fn)                \
  X(png_get_io_ptr)                 \
  X(png_get_error_ptr)              \
  X(png_error)                      \
  X(png_set_user_limits)            \
  X(png_set_chunk_malloc_max)       \
  X(png_read_info)                  \
  X(png_get_image_width)            \
  X(png_get_image_height)           \
  X(png_set_expand_gray_1_2_4_to_8) \
  X(png_set_palette_to_rgb)         \
  X(png_get_color_type)             \
  X(png_set_strip_16)               \
  X(png_set_strip_alpha)            \
  X(png_set_gray_to_rgb)            \
  X(png_set_interlace_handling)     \
  X(png_read_update_info)           \
  X(png_get_rowbytes)               \
  X(png_read_row)                   \
  X(png_read_end)

static struct { FUNCTIONS(KN_LIBRARY_POINTER) } png;

static const char *const names[] = {FUNCTIONS(KN_LIBRARY_NAME)};

static kn_library library = {.file = "libpng16.so.16",
                             .package = "libpng16-16",
                             .names = names,
                             .count = sizeof names / sizeof *names,
                             .table = &png};

/* Compressed text and profiles unpack to at most this; they are not used. */
enum { CHUNK_LIMIT_BYTES = 8 << 20 };

typedef struct decoder {
  png_structp png;
  png_infop info;
  jmp_buf escape;
  char message[200];
  const uint8_t *data;
  size_t bytes, position;
  const char *name;
  kn_image image;
  kn_status status; /* fault of ours, not of libpng's */
} decoder;

static _Noreturn void on_error(png_structp handle, png_const_charp message) {
  decoder *at = png.png_get_error_ptr(handle);
  snprintf(at->message, sizeof at->message, "%s", message);
  longjmp(at->escape, 1);
}

/* Warnings are about chunks that do not change the pixels. */
static void on_warning(png_structp handle, png_const_charp message) {
  (void)handle;
  (void)message;
}

static void on_read(png_structp handle, png_bytep out, size_t bytes) {
  decoder *at = png.png_get_io_ptr(handle);
  if (bytes > at->bytes - at->position) png.png_error(handle, "the file ends early");
  memcpy(out, at->data + at->position, bytes);
  at->position += bytes;
}

/* Asks libpng to turn whatever the file holds into 8-bit RGB. */
static void ask_for_rgb(decoder *at) {
  int color = png.png_get_color_type(at->png, at->info);
  if (color == PNG_COLOR_TYPE_PALETTE) png.png_set_palette_to_rgb(at->png);
  if (color == PNG_COLOR_TYPE_GRAY) png.png_set_expand_gray_1_2_4_to_8(at->png);
  if (!(color & PNG_COLOR_MASK_COLOR)) png.png_set_gray_to_rgb(at->png);
  png.png_set_strip_16(at->png);
  /* Also for a palette with transparency, which becomes RGBA. */
  png.png_set_strip_alpha(at->png);
}

/* False after a fault: `status` holds ours, `message` libpng's. */
static bool run(decoder *at) {
  if (setjmp(at->escape)) return false;
  at->png = png.png_create_read_struct(PNG_LIBPNG_VER_STRING, at, on_error, on_warning);
  at->info = at->png ? png.png_create_info_struct(at->png) : NULL;
  if (!at->info) {
    at->status = kn_status_out_of_memory();
    return false;
  }
  png.png_set_read_fn(at->png, at, on_read);
  png.png_set_user_limits(at->png, KN_IMAGE_MAX_SIDE, KN_IMAGE_MAX_SIDE);
  png.png_set_chunk_malloc_max(at->png, CHUNK_LIMIT_BYTES);
  png.png_read_info(at->png, at->info);
  at->status = kn_image_create(png.png_get_image_width(at->png, at->info), png.png_get_image_height(at->png, at->info),
                               at->name, &at->image);
  if (at->status) return false;
  ask_for_rgb(at);
  int passes = png.png_set_interlace_handling(at->png);
  png.png_read_update_info(at->png, at->info);
  size_t row_bytes = (size_t)at->image.width * 3;
  if (png.png_get_rowbytes(at->png, at->info) != row_bytes) png.png_error(at->png, "unexpected kind of pixels");
  for (int pass = 0; pass < passes; pass++)
    for (uint32_t y = 0; y < at->image.height; y++) png.png_read_row(at->png, at->image.pixels + y * row_bytes, NULL);
  png.png_read_end(at->png, NULL);
  return true;
}

kn_status kn_png_decode(const uint8_t *data, size_t bytes, const char *name, kn_image *out_image) {
  KN_TRY(kn_library_use(&library));
  decoder at = {.data = data, .bytes = bytes, .name = name};
  bool done = run(&at);
  png.png_destroy_read_struct(&at.png, &at.info, NULL);
  if (done) {
    *out_image = at.image;
    return NULL;
  }
  kn_image_clear(&at.image);
  if (at.status) return at.status;
  return kn_status_make_at(KN_BAD_DATA, name, "damaged or incomplete PNG image: %s", at.message);
}
