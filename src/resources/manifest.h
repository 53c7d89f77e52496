/* What `kenning install` puts in place for a framework: backends/<framework>/manifest.json. The format is described in
 * docs/install.md. */
#ifndef KENNING_RESOURCES_MANIFEST_H
#define KENNING_RESOURCES_MANIFEST_H

#include "core/instance.h"

/* The registries' ordinary clients. */
typedef enum kn_client { KN_CLIENT_PIP = 1, KN_CLIENT_MVN, KN_CLIENT_CARGO, KN_CLIENT_COUNT } kn_client;
/* "pip", "mvn", "cargo". */
const char *kn_client_name(kn_client client);

typedef enum kn_arch { KN_ARCH_ANY = 1, KN_ARCH_X86_64, KN_ARCH_AARCH64, KN_ARCH_OTHER } kn_arch;
/* This machine's. */
kn_arch kn_arch_here(void);
const char *kn_arch_name(kn_arch arch);

typedef struct kn_manifest_framework {
  char *name;
  char *summary;
  char *version;
  char *license; /* SPDX */
} kn_manifest_framework;

/* One file to take out of one package. Several entries of one key and architecture are alternatives, best first. Of a
 * source, a package that a build takes as a whole, there are arch, client, package, sha256 (of the package),
 * download_bytes, python and platform. */
typedef struct kn_manifest_file {
  char *key;
  int arch;   /* kn_arch */
  int client; /* kn_client */
  char *package;
  char *member; /* path inside the package; its last part is the file's name */
  char *name;   /* the file's name where that of the member is taken, or NULL */
  char *sha256; /* of the member */
  int64_t bytes;
  int64_t download_bytes; /* of the package */
  char *version;          /* that the library reports, where it does */
  char *version_function; /* const char *(*)(void) of the library, or NULL */
  char *python;           /* pip: "3.11" when the package is one for that Python; NULL: for any */
  char *platform;         /* pip: platform tag; NULL: that of the running Python */
} kn_manifest_file;

/* A Python environment for the framework's tools. */
typedef struct kn_manifest_environment {
  char *name;
  kn_string_list python_packages;  /* pip requirements with exact versions */
  kn_string_list no_deps;          /* installed after them, without what they depend on */
  kn_string_list constraints;      /* exact versions of what the packages depend on */
  kn_string_list foreign_packages; /* for another Python or beside a package of the same name: in a directory of their
                                      own, <environment>/foreign, without what they depend on */
  char *foreign_python, *foreign_platform; /* "3.10" and the platform tag that their wheels are for */
  kn_string_list wheels;                   /* "name.whl=sha256" of all of them, for every Python and machine */
  char *prepare;                           /* script in the back-end's build directory that is run by the new
                                              environment's Python before anything is imported, or NULL */
  kn_string_list imports;                  /* modules that must import */
  char *python_min, *python_max;           /* "3.10", "3.13"; inclusive, or NULL */
  int64_t download_bytes;                  /* of all packages, those of files too */
  int64_t disk_bytes;
} kn_manifest_environment;

/* A file that is made on this machine, of sources, by a script of the back-end. */
typedef struct kn_manifest_build {
  char *key;               /* what the result is to the back-end */
  char *script;            /* in the back-end's build directory, with what it compiles */
  char *result;            /* name of the file it makes */
  char *version;           /* of the result */
  char *version_function;  /* as of a file */
  kn_string_list programs; /* that must be on PATH, besides Python */
  char *debian_packages;   /* that bring them */
  bool with_environment;   /* the script runs in the framework's Python environment */
  int64_t bytes;           /* size of the result, about */
  int64_t work_bytes;      /* disk taken while it is made */
} kn_manifest_build;

typedef struct kn_manifest {
  kn_instance framework; /* kn_manifest_framework */
  kn_instance *files;    /* kn_manifest_file */
  size_t file_count;
  kn_instance build;    /* kn_manifest_build; .self NULL: nothing is made */
  kn_instance *sources; /* kn_manifest_file */
  size_t source_count;
  kn_instance environment; /* kn_manifest_environment; .self NULL: none */
} kn_manifest;

/* Reads and validates the manifest of a framework; all faults at once, each with its place. An unknown framework is
 * KN_NOT_FOUND with what there is. */
kn_status kn_manifest_read(const char *framework, kn_manifest *out_manifest) KN_MUST_USE;
/* The same from a file. */
kn_status kn_manifest_read_file(const char *path, kn_manifest *out_manifest) KN_MUST_USE;
void kn_manifest_clear(kn_manifest *manifest);

const kn_manifest_framework *kn_manifest_head(const kn_manifest *manifest);
const kn_manifest_file *kn_manifest_file_at(const kn_manifest *manifest, size_t index);
const kn_manifest_file *kn_manifest_source_at(const kn_manifest *manifest, size_t index);
/* NULL when there is none. */
const kn_manifest_build *kn_manifest_build_of(const kn_manifest *manifest);
const kn_manifest_environment *kn_manifest_environment_of(const kn_manifest *manifest);
/* Whether the entry is for this machine's architecture. */
bool kn_manifest_file_is_for_here(const kn_manifest_file *file);
/* What the file is called once installed: its name, else the last part of the member's path. */
const char *kn_manifest_file_name(const kn_manifest_file *file);

#endif
