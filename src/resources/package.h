/* Packages fetched by the registries' ordinary clients, so that the user's mirrors and proxies hold. They are kept in
 * <cache>/downloads and found there again. */
#ifndef KENNING_RESOURCES_PACKAGE_H
#define KENNING_RESOURCES_PACKAGE_H

#include "resources/manifest.h"

typedef struct kn_downloads {
  char *directory; /* <cache>/downloads */
  char *python;    /* interpreter that runs pip */
  bool offline;    /* take what is there, ask nobody */
} kn_downloads;

/* The interpreter is $KENNING_PYTHON, else python3 on PATH; its absence shows when it is used. */
kn_status kn_downloads_open(bool offline, kn_downloads *out_downloads) KN_MUST_USE;
void kn_downloads_close(kn_downloads *downloads);
/* <downloads>/pip, where wheels lie side by side; a directory for pip's --find-links. Free with kn_free. */
kn_status kn_downloads_wheels(const kn_downloads *downloads, char **out_path) KN_MUST_USE;

/* KN_NOT_INSTALLED, with what to install, when the client is not at hand. */
kn_status kn_client_check(const kn_downloads *downloads, kn_client client) KN_MUST_USE;

/* Path of the file's package among the downloads; *out_path is NULL when it is not there. */
kn_status kn_package_find(const kn_downloads *downloads, const kn_manifest_file *file, char **out_path) KN_MUST_USE;
/* The same, fetched when it is not there. Shows progress. */
kn_status kn_package_fetch(const kn_downloads *downloads, const kn_manifest_file *file, char **out_path) KN_MUST_USE;
/* Takes the member out of the package into `directory`, under its last name, and checks its sum. A package whose
 * member is damaged is removed, so that the next try fetches it anew. */
kn_status kn_package_unpack(const kn_downloads *downloads, const kn_manifest_file *file, const char *package_path,
                            const char *directory) KN_MUST_USE;

/* Runs a client with the changes to its environment that all of them need (temporary files among the downloads) and
 * shows how `grows` grows by `expected` bytes meanwhile. A failure for want of disk space is told as such. A failure
 * is tried again as often as `attempts` says: connections break, and not every client begins again by itself. */
enum { KN_TRANSFER_ATTEMPTS = 3 };
typedef struct kn_client_run {
  const char *const *arguments;
  const char *directory; /* working directory or NULL */
  const char *grows;     /* directory or file */
  int64_t expected;      /* bytes; 0: unknown */
  const char *what;      /* for the progress line */
  const char *variable;  /* one more change to the environment, or NULL */
  int attempts;          /* 0: one */
} kn_client_run;
kn_status kn_client_run_command(const kn_downloads *downloads, const kn_client_run *run) KN_MUST_USE;

#endif
