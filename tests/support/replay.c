/* Drives a fuzz target over the files named on the command line, where libFuzzer is not at hand. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static int replay(const char *path) {
  FILE *file = fopen(path, "rb");
  struct stat status;
  if (!file || fstat(fileno(file), &status) != 0) {
    fprintf(stderr, "%s: %s\n", path, strerror(errno));
    if (file) fclose(file);
    return 1;
  }
  /* Exactly as many bytes as the input has, so that a read past its end is seen. */
  size_t bytes = (size_t)status.st_size;
  uint8_t *data = malloc(bytes ? bytes : 1);
  int failed = !data || fread(data, 1, bytes, file) != bytes;
  fclose(file);
  if (failed) {
    fprintf(stderr, "%s: cannot be read\n", path);
  } else {
    LLVMFuzzerTestOneInput(data, bytes);
  }
  free(data);
  return failed;
}

int main(int count, char **arguments) {
  int failed = count < 2;
  for (int i = 1; i < count; i++) failed |= replay(arguments[i]);
  printf("%d inputs\n", count - 1);
  return failed;
}
