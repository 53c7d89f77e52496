/* What is installed for a framework: <data>/<framework>/lock.json, written last by `kenning install`, so that what it
 * names is whole. Paths in the file are relative to the data directory. */
#ifndef KENNING_RESOURCES_INSTALLATION_H
#define KENNING_RESOURCES_INSTALLATION_H

#include <kenning/option.h>

typedef struct kn_installed_file {
  char *key;     /* as in the manifest: "library" */
  char *path;    /* absolute */
  char *sha256;  /* of the file as it was installed */
  char *version; /* of the package */
  char *client;  /* "pip", "mvn"; "build" */
  char *package;
  char *version_function;  /* or NULL */
  char *definition_sha256; /* what it was made of, where it was made on this machine, else NULL */
  int64_t bytes;
} kn_installed_file;

typedef struct kn_installed_environment {
  char *name;              /* NULL: the framework has none */
  char *directory;         /* absolute */
  char *definition_sha256; /* of what the manifest asked for */
  char *lock_sha256;       /* of the Python version and the packages that were put in, for cache keys */
  char *python;            /* version */
} kn_installed_environment;

typedef struct kn_installation {
  char *framework;
  char *version;
  char *license;
  char *date;      /* ISO 8601, UTC */
  char *directory; /* absolute */
  kn_installed_file *files;
  size_t file_count;
  kn_installed_environment environment;
} kn_installation;

/* KN_NOT_INSTALLED, with the command to run, when there is none or its lock is damaged. */
kn_status kn_installation_read(const char *framework, kn_installation *out_installation) KN_MUST_USE;
kn_status kn_installation_write(const kn_installation *installation) KN_MUST_USE;
void kn_installation_clear(kn_installation *installation);
/* The file under `key`, or NULL. */
const kn_installed_file *kn_installation_file(const kn_installation *installation, const char *key);

/* Whether `framework` can be used: its library is there, or it is installed and has no library. Opens nothing. */
bool kn_installation_there(const char *framework);

/* The environment's interpreter; KN_NOT_INSTALLED when the framework has no environment or it is gone. */
kn_status kn_installation_python(const kn_installation *installation, char **out_path) KN_MUST_USE;

#endif
