/* Archives of any content: whatever they say, nothing but files and directories appears, and only where it should. */
#include <kenning/resource.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static char work[] = "/tmp/kenning-archive-XXXXXX";
static size_t entries;

static int judge(const char *path, const struct stat *found, int kind, struct FTW *at) {
  (void)kind, (void)at;
  if (!S_ISREG(found->st_mode) && !S_ISDIR(found->st_mode)) abort();
  if (S_ISREG(found->st_mode) && (found->st_nlink != 1 || found->st_mode & 07111)) abort();
  if (strstr(path, "/../")) abort();
  entries++;
  return 0;
}

static void remove_work(void) {
  kn_status status = kn_directory_remove(work);
  kn_status_free(status);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  static bool made;
  if (!made) {
    made = mkdtemp(work) != NULL && !atexit(remove_work);
    if (!made) abort();
  }
  int file = memfd_create("archive", MFD_CLOEXEC);
  char path[64], inner[64], target[80];
  snprintf(path, sizeof path, "/proc/self/fd/%d", file);
  snprintf(inner, sizeof inner, "%s/inner", work);
  snprintf(target, sizeof target, "%s/target", inner);
  if (file < 0 || write(file, data, bytes) != (ssize_t)bytes) abort();
  kn_status status = kn_archive_unpack(path, target);
  kn_code code = kn_status_code(status);
  if (code != KN_OK && code != KN_BAD_DATA && code != KN_IO_ERROR) abort();
  bool done = !status;
  kn_status_free(status);
  entries = 0;
  if (nftw(work, judge, 16, FTW_PHYS) != 0) abort();
  /* work, inner, and on success target with what is in it. */
  if (done != (access(target, F_OK) == 0) || (!done && entries > 2)) abort();
  status = kn_directory_remove(inner);
  if (status) abort();
  close(file);
  return 0;
}
