/* JPEG by libjpeg-turbo, opened on use. The library reports errors by calling back and does not expect that call to
 * return, so setjmp and longjmp are the only way out; they stay inside this file. */
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>
/* After jpeglib.h, which it needs. */
#include <jerror.h>

#include "imaging/decoder.h"
#include "core/library.h"

#define FUNCTIONS(X)         \
  X(jpeg_std_error)          \
  X(jpeg_CreateDecompress)   \
  X(jpeg_destroy_decompress) \
  X(jpeg_mem_src)            \
  X(jpeg_read_header)        \
  X(jpeg_start_decompress)   \
  X(jpeg_read_scanlines)     \
  X(jpeg_finish_decompress)

static struct { FUNCTIONS(KN_LIBRARY_POINTER) } jpeg;

static const char *const names[] = {FUNCTIONS(KN_LIBRARY_NAME)};

/* The structs are those of the header, so the library must be of the same interface version. */
#if JPEG_LIB_VERSION >= 80
#define LIBRARY_FILE "libjpeg.so.8"
#else
#define LIBRARY_FILE "libjpeg.so.62"
#endif

static kn_library library = {.file = LIBRARY_FILE,
                             .package = "libjpeg62-turbo",
                             .names = names,
                             .count = sizeof names / sizeof *names,
                             .table = &jpeg};

/* A progressive file may hold any number of scans over all its pixels; real ones hold about ten. */
enum { MAX_SCANS = 200 };

typedef struct decoder {
  struct jpeg_decompress_struct info;
  struct jpeg_error_mgr errors;
  struct jpeg_progress_mgr progress;
  jmp_buf escape;
  char message[JMSG_LENGTH_MAX];
  bool out_of_memory;
  const uint8_t *data;
  size_t bytes;
  const char *name;
  kn_image image;
  uint8_t *cmyk;    /* one row of [width,4] where the file is CMYK */
  kn_status status; /* fault of ours, not of libjpeg's */
} decoder;

static _Noreturn void give_up(j_common_ptr info) {
  decoder *at = info->client_data;
  at->out_of_memory = info->err->msg_code == JERR_OUT_OF_MEMORY;
  info->err->format_message(info, at->message);
  longjmp(at->escape, 1);
}

/* Level -1 is a warning. libjpeg carries on with grey or garbage after most of them: those mean damage. The harmless
 * ones leave every pixel as it was written. */
static void on_message(j_common_ptr info, int level) {
  if (level >= 0) return;
  switch (info->err->msg_code) {
    case JWRN_ADOBE_XFORM:
    case JWRN_BOGUS_ICC:
    case JWRN_EXTRANEOUS_DATA:
    case JWRN_JFIF_MAJOR:
    case JWRN_NOT_SEQUENTIAL:
      return;
    default:
      give_up(info);
  }
}

static void on_print(j_common_ptr info) { (void)info; }

static void on_progress(j_common_ptr info) {
  decoder *at = info->client_data;
  if (at->info.input_scan_number <= MAX_SCANS) return;
  snprintf(at->message, sizeof at->message, "more than %d scans", MAX_SCANS);
  longjmp(at->escape, 1);
}

/* round(a * b / 255) for a, b in 0..255. */
static uint8_t multiply_255(uint32_t a, uint32_t b) {
  uint32_t product = a * b + 128;
  return (uint8_t)((product + (product >> 8)) >> 8);
}

/* Adobe stores 255 - ink, so a stored value is the light that is left: rgb = (light - ink of black), Pillow's way. */
static void cmyk_to_rgb(const uint8_t *stored, uint32_t width, uint8_t *rgb) {
  for (uint32_t x = 0; x < width; x++, stored += 4, rgb += 3)
    for (int c = 0; c < 3; c++) {
      int light = stored[3] - multiply_255(255u - stored[c], stored[3]);
      rgb[c] = (uint8_t)(light < 0 ? 0 : light);
    }
}

static kn_status prepare(decoder *at) {
  struct jpeg_decompress_struct *info = &at->info;
  bool cmyk = info->jpeg_color_space == JCS_CMYK || info->jpeg_color_space == JCS_YCCK;
  if (info->jpeg_color_space == JCS_UNKNOWN)
    return kn_status_make_at(KN_BAD_DATA, at->name, "JPEG images of %d components cannot be read",
                             info->num_components);
  info->out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
  KN_TRY(kn_image_create(info->image_width, info->image_height, at->name, &at->image));
  if (cmyk && !(at->cmyk = kn_alloc_array(info->image_width, 4))) return kn_status_out_of_memory();
  return NULL;
}

/* False after a fault: `status` holds ours, `message` libjpeg's. */
static bool run(decoder *at) {
  struct jpeg_decompress_struct *info = &at->info;
  if (setjmp(at->escape)) return false;
  jpeg.jpeg_CreateDecompress(info, JPEG_LIB_VERSION, sizeof *info);
  info->progress = &at->progress;
  jpeg.jpeg_mem_src(info, at->data, at->bytes);
  jpeg.jpeg_read_header(info, TRUE);
  at->status = prepare(at);
  if (at->status) return false;
  jpeg.jpeg_start_decompress(info);
  while (info->output_scanline < info->output_height) {
    uint8_t *row = at->image.pixels + (size_t)info->output_scanline * info->output_width * 3;
    JSAMPROW target = at->cmyk ? at->cmyk : row;
    jpeg.jpeg_read_scanlines(info, &target, 1);
    if (at->cmyk) cmyk_to_rgb(at->cmyk, info->output_width, row);
  }
  jpeg.jpeg_finish_decompress(info);
  return true;
}

kn_status kn_jpeg_decode(const uint8_t *data, size_t bytes, const char *name, kn_image *out_image) {
  KN_TRY(kn_library_use(&library));
  decoder at = {.data = data, .bytes = bytes, .name = name, .progress.progress_monitor = on_progress};
  at.info.err = jpeg.jpeg_std_error(&at.errors);
  at.errors.error_exit = give_up;
  at.errors.emit_message = on_message;
  at.errors.output_message = on_print;
  at.info.client_data = &at;
  bool done = run(&at);
  jpeg.jpeg_destroy_decompress(&at.info);
  kn_free(at.cmyk);
  if (done) {
    *out_image = at.image;
    return NULL;
  }
  kn_image_clear(&at.image);
  if (at.status) return at.status;
  if (at.out_of_memory) return kn_status_out_of_memory();
  return kn_status_make_at(KN_BAD_DATA, name, "damaged or incomplete JPEG image: %s", at.message);
}
