/* Our side of bench/pixels, which alternates it with Pillow's.
 *
 *   bench-pixels FILE...
 *
 * For each line "whole N", "decode N", "resize N" or "numbers N" on stdin it does that N times, with the files in turn,
 * and writes a line with the nanoseconds of each time. "whole" reads the file, decodes, resizes to 224 x 224 and turns
 * the bytes into standardized float32; the others are its parts. "loaders THREADS N" lets the run loop load N samples
 * with so many loader threads for a runtime that does nothing, and writes the nanoseconds of all. "sets" writes the
 * names of the instruction sets, "set NAME" chooses one. "sum" writes the SHA-256 of each file's resized pixels. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kenning/services.h>

#include "core/instance.h"
#include "core/log.h"
#include "datasets/image_input.h"
#include "imaging/convolve.h"
#include "pipeline/loop.h"

enum { SIDE = 224, MAX_FILES = 64 };

extern const kn_class kn_null_runtime_class;

typedef struct work {
  char **files;
  size_t count;
  kn_image_input input;
  kn_image images[MAX_FILES], resized[MAX_FILES];
  kn_tensor_view tensor;
} work;

static kn_status decode(work *at, size_t i) {
  kn_image image;
  KN_TRY(kn_image_read(at->files[i], &image));
  kn_image_clear(&image);
  return NULL;
}

static kn_status resize(work *at, size_t i) {
  kn_image image;
  KN_TRY(kn_image_resize(&at->images[i], SIDE, SIDE, KN_RESAMPLE_BICUBIC, &image));
  kn_image_clear(&image);
  return NULL;
}

static kn_status numbers(work *at, size_t i) {
  return kn_pixels_write(&at->resized[i], &at->input.table, false, &at->tensor);
}

static kn_status whole(work *at, size_t i) { return kn_image_input_load(&at->input, at->files[i], &at->tensor); }

static kn_status repeat(work *at, kn_status (*step)(work *at, size_t i), size_t count) {
  for (size_t i = 0; i < count; i++) {
    int64_t start = kn_now_ns();
    KN_TRY(step(at, i % at->count));
    printf("%lld%c", (long long)(kn_now_ns() - start), i + 1 < count ? ' ' : '\n');
  }
  return NULL;
}

/* ---- loaders ---- */

static kn_status load_sample(void *context, size_t index, const kn_tensor_view *out) {
  const work *at = context;
  return kn_image_input_load(&at->input, at->files[index % at->count], out);
}

static kn_status run_loop(work *at, size_t loaders, size_t count) {
  const kn_inference_ops *ops = ((const kn_runtime_ops *)kn_null_runtime_class.ops)->inference;
  kn_samples samples = {.context = at,
                        .count = count,
                        .classes = 1,
                        .dtype = KN_FLOAT32,
                        .rank = 3,
                        .shape = {SIDE, SIDE, 3},
                        .identity = "",
                        .load = load_sample};
  kn_ioentry input = {.name = (char *)(uintptr_t) "in", .dtype = KN_FLOAT32, .rank = 4, .shape = {1, SIDE, SIDE, 3}};
  kn_ioentry output = {.name = (char *)(uintptr_t) "out", .dtype = KN_FLOAT32, .rank = 2, .shape = {1, 1}};
  kn_iospec made = {0}, spec = {0};
  kn_instance runtime = {0};
  kn_loop_result result = {0};
  kn_status status = kn_instance_create(&kn_null_runtime_class, &runtime);
  if (!status) status = kn_iolist_add(&made.input, &input);
  if (!status) status = kn_iolist_add(&made.output, &output);
  if (!status) status = ops->load(runtime.self, &(kn_load_request){.path = "", .spec = &made, .batch = 1});
  if (!status) status = ops->iospec(runtime.self, &spec);
  kn_loop_request request = {
      .inference = ops, .self = runtime.self, .spec = &spec, .samples = &samples, .batch = 1, .loaders = loaders};
  if (!status) status = kn_loop_run(&request, &result);
  if (!status) printf("%lld\n", (long long)(result.end_ns - result.start_ns));
  kn_loop_result_clear(&result);
  if (runtime.self) ops->unload(runtime.self);
  kn_instance_destroy(&runtime);
  kn_iospec_clear(&made);
  kn_iospec_clear(&spec);
  return status;
}

/* ---- orders ---- */

static kn_status print_sums(const work *at) {
  for (size_t i = 0; i < at->count; i++) {
    char sum[65];
    KN_TRY(kn_sha256(at->resized[i].pixels, (size_t)SIDE * SIDE * 3, sum));
    printf("%s%c", sum, i + 1 < at->count ? ' ' : '\n');
  }
  return NULL;
}

static void print_sets(void) {
  for (const char *const *set = kn_convolve_sets(); *set; set++) printf("%s%c", *set, set[1] ? ' ' : '\n');
}

static kn_status obey(work *at, char *line) {
  static const struct {
    const char *name;
    kn_status (*step)(work *at, size_t i);
  } steps[] = {{"whole", whole}, {"decode", decode}, {"resize", resize}, {"numbers", numbers}};
  char *rest = NULL, *word = strtok_r(line, " \n", &rest), *first = strtok_r(NULL, " \n", &rest);
  char *second = strtok_r(NULL, " \n", &rest);
  for (size_t i = 0; word && first && i < sizeof steps / sizeof *steps; i++)
    if (!strcmp(word, steps[i].name)) return repeat(at, steps[i].step, strtoul(first, NULL, 10));
  if (word && second && !strcmp(word, "loaders"))
    return run_loop(at, strtoul(first, NULL, 10), strtoul(second, NULL, 10));
  if (word && !strcmp(word, "sum")) return print_sums(at);
  if (word && !strcmp(word, "sets")) {
    print_sets();
  } else if (word && first && !strcmp(word, "set")) {
    kn_convolve_use(first);
    printf("%s\n", first);
  } else {
    return kn_status_make(KN_INVALID_ARGUMENT, "bench-pixels does not know '%s'", word ? word : "");
  }
  return NULL;
}

static kn_status serve(work *at) {
  char line[256];
  kn_image_input_make(SIDE, SIDE, KN_IMAGE_NHWC, KN_RESAMPLE_BICUBIC, KN_IMAGE_PREPROCESS_TORCH, &at->input);
  KN_TRY(kn_tensor_create(KN_FLOAT32, 3, (int64_t[]){SIDE, SIDE, 3}, &at->tensor));
  for (size_t i = 0; i < at->count; i++) {
    KN_TRY(kn_image_read(at->files[i], &at->images[i]));
    KN_TRY(kn_image_resize(&at->images[i], SIDE, SIDE, KN_RESAMPLE_BICUBIC, &at->resized[i]));
  }
  while (fgets(line, sizeof line, stdin)) {
    KN_TRY(obey(at, line));
    fflush(stdout);
  }
  return NULL;
}

int main(int argc, char **argv) {
  static work at;
  at = (work){.files = argv + 1, .count = (size_t)argc - 1};
  if (argc < 2 || argc > MAX_FILES + 1) {
    fprintf(stderr, "usage: bench-pixels FILE..., at most %d\n", MAX_FILES);
    return 2;
  }
  kn_status status = serve(&at);
  bool failed = status;
  if (failed) kn_log_status(status);
  kn_status_free(status);
  for (size_t i = 0; i < at.count; i++) {
    kn_image_clear(&at.images[i]);
    kn_image_clear(&at.resized[i]);
  }
  kn_tensor_free(&at.tensor);
  return failed;
}
