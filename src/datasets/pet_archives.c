#include "datasets/pet_archives.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <kenning/resource.h>

#include "core/file.h"

/* In the order in which they appear: whoever finds the annotations finds the images. */
static const struct archive {
  const char *directory; /* in it, and of the data set */
  const char *sha256;    /* of <directory>.tar.gz as published */
} archives[] = {{"images", "67195c5e1c01f1ab5f9b6a5d22b8c27a580d896ece458917e61d459337fa318d"},
                {"annotations", "52425fb6de5c424942b7626b428656fcbd798db970a937df61750c0f1d358e91"}};

enum { ARCHIVES = sizeof archives / sizeof *archives };

static bool is_directory(const char *path) {
  struct stat found;
  return !stat(path, &found) && S_ISDIR(found.st_mode);
}

/* Unpacks beside the place and takes the one directory over that is wanted. */
static kn_status unpack(const char *file, const char *name, const char *path) {
  char *beside = NULL;
  KN_TRY(kn_file_temporary(path, &beside));
  kn_status status = kn_archive_unpack(file, beside);
  char *inside = status ? NULL : kn_format("%s/%s", beside, name);
  if (!inside)
    status = status ? status : kn_status_out_of_memory();
  else if (!is_directory(inside))
    status = kn_status_make_at(KN_BAD_DATA, file, "the archive has no directory %s", name);
  else if (rename(inside, path) != 0 && !((errno == EEXIST || errno == ENOTEMPTY) && is_directory(path)))
    status = kn_file_fault(path, "make the directory", errno); /* else another process was first */
  kn_free(inside);
  status = kn_status_join(status, kn_directory_remove(beside));
  kn_free(beside);
  return status;
}

static kn_status fetch(const struct archive *archive, const char *uri, const char *path) {
  size_t length = strlen(uri);
  while (length && uri[length - 1] == '/') length--;
  bool published = !strncmp(uri, KN_PET_ARCHIVES_URI, length) && length == strlen(KN_PET_ARCHIVES_URI);
  char *source = kn_format("%.*s/%s.tar.gz%s%s", (int)length, uri, archive->directory, published ? "#sha256=" : "",
                           published ? archive->sha256 : "");
  char *file = NULL;
  kn_status status = source ? kn_resource_fetch(source, &file) : kn_status_out_of_memory();
  if (!status) status = unpack(file, archive->directory, path);
  /* The server may have sent half of it, or something else: the next call asks again. */
  if (kn_status_code(status) == KN_BAD_DATA && kn_resource_is_remote(source))
    kn_status_free(kn_resource_forget(source));
  kn_free(file);
  kn_free(source);
  return status;
}

static kn_status provide(const struct archive *archive, const char *root, const char *uri, bool download) {
  char *path = kn_format("%s/%s", root, archive->directory);
  if (!path) return kn_status_out_of_memory();
  kn_status status = NULL;
  if (!is_directory(path))
    status = download ? fetch(archive, uri, path)
                      : kn_status_make(KN_NOT_FOUND,
                                       "%s is missing: set download_dataset to true (--download-dataset), or unpack "
                                       "images.tar.gz and annotations.tar.gz of the Oxford-IIIT Pet data set in %s",
                                       path, root);
  kn_free(path);
  return status;
}

kn_status kn_pet_archives_provide(const char *root, const char *uri, bool download) {
  for (size_t i = 0; i < ARCHIVES; i++) KN_TRY(provide(&archives[i], root, uri, download));
  return NULL;
}
