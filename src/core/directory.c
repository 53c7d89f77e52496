#include "core/file.h"
#include "core/temporary.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char making[] = "make the directory";

kn_status kn_directory_make(const char *path) {
  char *partial = kn_strdup(path);
  if (!partial) return kn_status_out_of_memory();
  kn_status status = NULL;
  for (char *p = partial; !status; p++) {
    if (*p && (*p != '/' || p == partial)) continue;
    char end = *p;
    *p = '\0';
    struct stat found;
    if (*partial && mkdir(partial, 0777) != 0 && errno != EEXIST) {
      /* Every parent exists by now: a file system such as /proc that lacks the name refuses to make it. */
      status = kn_file_fault(partial, making, errno == ENOENT ? EPERM : errno);
    } else if (*partial && stat(partial, &found) == 0 && !S_ISDIR(found.st_mode)) {
      status = kn_file_fault(partial, making, ENOTDIR);
    }
    *p = end;
    if (!end) break;
  }
  kn_free(partial);
  return status;
}

kn_status kn_directory_check_parent(const char *path, bool *out_there) {
  char *above = kn_strdup(path);
  kn_status status = above ? NULL : kn_status_out_of_memory();
  *out_there = true;
  for (char *slash = above; !status && *out_there && (slash = strchr(slash + 1, '/'));) {
    struct stat found;
    *slash = '\0';
    if (stat(above, &found) == 0) {
      if (!S_ISDIR(found.st_mode)) status = kn_file_fault(above, making, ENOTDIR);
    } else if (errno != ENOENT || lstat(above, &found) == 0) { /* a link that leads nowhere too */
      status = kn_file_fault(above, making, errno);
    } else {
      *out_there = false;
      char *trial = kn_temporary_name(above);
      if (!trial)
        status = kn_status_out_of_memory();
      else if (mkdir(trial, 0700) != 0) /* a file system such as /proc that lacks the name refuses to make it */
        status = kn_file_fault(above, making, errno == ENOENT ? EPERM : errno);
      else
        (void)rmdir(trial);
      kn_free(trial);
    }
    *slash = '/';
  }
  kn_free(above);
  return status;
}

kn_status kn_directory_make_parent(const char *path) {
  const char *slash = strrchr(path, '/');
  if (!slash || slash == path) return NULL;
  char *parent = kn_strndup(path, (size_t)(slash - path));
  if (!parent) return kn_status_out_of_memory();
  kn_status status = kn_directory_make(parent);
  kn_free(parent);
  return status;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *where) {
  (void)status;
  (void)type;
  (void)where;
  return remove(path) != 0 && errno != ENOENT ? -1 : 0;
}

static kn_status remove_in_place(const char *path) {
  if (nftw(path, remove_entry, 32, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) != 0 && errno != ENOENT)
    return kn_file_fault(path, "remove", errno);
  return NULL;
}

/* A directory loses its name first: whoever is interrupted here leaves nothing that looks whole. Where it cannot be
 * renamed (a mount, a name that is none), and where it has a temporary name, it goes as it is. */
kn_status kn_directory_remove(const char *path) {
  struct stat found;
  const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
  bool named = *name && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && strncmp(name, ".tmp-", 5) != 0;
  if (!named || lstat(path, &found) != 0 || !S_ISDIR(found.st_mode)) return remove_in_place(path);
  char *temporary = kn_temporary_name(path);
  if (!temporary) return kn_status_out_of_memory();
  kn_status status = remove_in_place(rename(path, temporary) == 0 ? temporary : path);
  kn_free(temporary);
  return status;
}

static _Thread_local uint64_t counted_bytes;

static int count_entry(const char *path, const struct stat *status, int type, struct FTW *where) {
  (void)path;
  (void)where;
  if (type == FTW_F && S_ISREG(status->st_mode)) counted_bytes += (uint64_t)status->st_size;
  return 0;
}

uint64_t kn_directory_bytes(const char *path) {
  counted_bytes = 0;
  /* What vanishes meanwhile ends the walk early: a figure that is late by one look. */
  if (nftw(path, count_entry, 16, FTW_PHYS) != 0) return counted_bytes;
  return counted_bytes;
}

kn_status kn_directory_temporary(const char *beside, const char *name, char **out_directory) {
  const char *base = getenv("TMPDIR");
  char *wish = beside ? kn_strdup(beside) : kn_format("%s/%s", base && *base ? base : "/tmp", name), *directory = NULL;
  *out_directory = NULL;
  kn_status status = wish ? kn_file_temporary(wish, &directory) : kn_status_out_of_memory();
  kn_free(wish);
  if (!status && mkdir(directory, 0700) != 0) status = kn_file_fault(directory, "make", errno);
  if (status)
    kn_free(directory);
  else
    *out_directory = directory;
  return status;
}

void kn_directory_discard(char *directory) {
  kn_status status = directory ? kn_directory_remove(directory) : NULL;
  if (status) kn_log(KN_LOG_WARNING, "%s", kn_status_message(status, 0));
  kn_status_free(status);
  kn_free(directory);
}
