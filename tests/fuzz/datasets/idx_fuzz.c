/* IDX files of any content, compressed or not. */
#include "datasets/idx.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  int file = memfd_create("idx", MFD_CLOEXEC);
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", file);
  if (file < 0 || write(file, data, bytes) != (ssize_t)bytes) abort();
  for (uint32_t rank = 1; rank <= 3; rank += 2) { /* labels, images */
    kn_idx idx;
    kn_status status = kn_idx_read(path, rank, &idx);
    if (status) {
      if (kn_status_code(status) != KN_BAD_DATA) abort();
    } else { /* every value that the head promises is there */
      size_t count = 1, sum = 0;
      for (uint32_t i = 0; i < rank; i++) count *= idx.shape[i];
      for (size_t i = 0; i < count; i++) sum += idx.values[i];
      volatile size_t used = sum;
      (void)used;
    }
    kn_status_free(status);
    kn_idx_clear(&idx);
  }
  close(file);
  return 0;
}
