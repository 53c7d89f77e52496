/* Our side of bench/pixels, which alternates it with Pillow's.
 *
 *   bench-pixels FILE
 *
 * For each line "whole N", "decode N", "resize N" or "numbers N" on stdin it does that N times with the image and
 * writes a line with the nanoseconds of each time. "whole" reads the file, decodes, resizes to 224 x 224 and turns the
 * bytes into standardized float32; the others are its parts. "sets" writes the names of the instruction sets, "set
 * NAME" chooses one. "sum" writes the SHA-256 of the resized pixels. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kenning/services.h>
#include <kenning/tensor.h>

#include "datasets/image_input.h"
#include "imaging/convolve.h"

enum { SIDE = 224 };

typedef struct work {
  const char *path;
  kn_image_input input;
  kn_image image, resized;
  kn_tensor_view tensor;
} work;

static kn_status decode(work *at) {
  kn_image image;
  KN_TRY(kn_image_read(at->path, &image));
  kn_image_clear(&image);
  return NULL;
}

static kn_status resize(work *at) {
  kn_image image;
  KN_TRY(kn_image_resize(&at->image, SIDE, SIDE, KN_RESAMPLE_BICUBIC, &image));
  kn_image_clear(&image);
  return NULL;
}

static kn_status numbers(work *at) { return kn_pixels_write(&at->resized, &at->input.table, false, &at->tensor); }

static kn_status whole(work *at) { return kn_image_input_load(&at->input, at->path, &at->tensor); }

static kn_status repeat(work *at, kn_status (*step)(work *at), long count) {
  for (long i = 0; i < count; i++) {
    int64_t start = kn_now_ns();
    KN_TRY(step(at));
    printf("%lld%c", (long long)(kn_now_ns() - start), i + 1 < count ? ' ' : '\n');
  }
  return NULL;
}

static kn_status obey(work *at, char *line) {
  static const struct {
    const char *name;
    kn_status (*step)(work *at);
  } steps[] = {{"whole", whole}, {"decode", decode}, {"resize", resize}, {"numbers", numbers}};
  char *rest, *word = strtok_r(line, " \n", &rest), *argument = strtok_r(NULL, " \n", &rest);
  for (size_t i = 0; word && argument && i < sizeof steps / sizeof *steps; i++)
    if (!strcmp(word, steps[i].name)) return repeat(at, steps[i].step, strtol(argument, NULL, 10));
  if (word && !strcmp(word, "sets")) {
    for (const char *const *set = kn_convolve_sets(); *set; set++) printf("%s%c", *set, set[1] ? ' ' : '\n');
    return NULL;
  }
  if (word && argument && !strcmp(word, "set")) {
    kn_convolve_use(argument);
    printf("\n");
    return NULL;
  }
  if (word && !strcmp(word, "sum")) {
    char sum[65];
    KN_TRY(kn_sha256(at->resized.pixels, (size_t)SIDE * SIDE * 3, sum));
    printf("%s\n", sum);
    return NULL;
  }
  return kn_status_make(KN_INVALID_ARGUMENT, "bench-pixels does not know '%s'", line);
}

static kn_status serve(work *at) {
  char line[256];
  kn_image_input_make(SIDE, SIDE, KN_IMAGE_NHWC, KN_RESAMPLE_BICUBIC, KN_IMAGE_PREPROCESS_TORCH, &at->input);
  KN_TRY(kn_tensor_create(KN_FLOAT32, 3, (int64_t[]){SIDE, SIDE, 3}, &at->tensor));
  KN_TRY(kn_image_read(at->path, &at->image));
  KN_TRY(kn_image_resize(&at->image, SIDE, SIDE, KN_RESAMPLE_BICUBIC, &at->resized));
  while (fgets(line, sizeof line, stdin)) {
    KN_TRY(obey(at, line));
    fflush(stdout);
  }
  return NULL;
}

int main(int argc, char **argv) {
  work at = {.path = argc == 2 ? argv[1] : NULL};
  if (!at.path) {
    fprintf(stderr, "usage: bench-pixels FILE\n");
    return 2;
  }
  kn_status status = serve(&at);
  if (status) fprintf(stderr, "bench-pixels: %s\n", kn_status_message(status, 0));
  bool failed = status;
  kn_status_free(status);
  kn_image_clear(&at.image);
  kn_image_clear(&at.resized);
  kn_tensor_free(&at.tensor);
  return failed;
}
