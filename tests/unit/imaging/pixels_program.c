/* Our side of compare_with_pillow.py: for each line "WIDTH HEIGHT FILTER PATH" it writes the image, resized unless
 * WIDTH is 0, to stdout: a line "WIDTH HEIGHT" and the bytes of the pixels; or a line "fault MESSAGE". */
#include <stdio.h>
#include <string.h>

#include "imaging/resize.h"

static kn_status make(const char *path, uint32_t width, uint32_t height, unsigned filter, kn_image *out_image) {
  kn_image image;
  *out_image = (kn_image){0};
  KN_TRY(kn_image_read(path, &image));
  if (!width) {
    *out_image = image;
    return NULL;
  }
  kn_status status = kn_image_resize(&image, width, height, (kn_resample)filter, out_image);
  kn_image_clear(&image);
  return status;
}

int main(void) {
  char line[4096], path[4096];
  while (fgets(line, sizeof line, stdin)) {
    unsigned width, height, filter;
    if (sscanf(line, "%u %u %u %4095[^\n]", &width, &height, &filter, path) != 4 || filter > KN_RESAMPLE_LANCZOS)
      return 2;
    kn_image image;
    kn_status status = make(path, width, height, filter, &image);
    if (status) {
      printf("fault %s\n", kn_status_message(status, 0));
    } else {
      printf("%u %u\n", image.width, image.height);
      fwrite(image.pixels, 3, (size_t)image.width * image.height, stdout);
    }
    kn_status_free(status);
    kn_image_clear(&image);
    fflush(stdout);
  }
  return 0;
}
