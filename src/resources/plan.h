/* What an installation would do: which file of which package, what is there already, how much must be fetched. */
#ifndef KENNING_RESOURCES_PLAN_H
#define KENNING_RESOURCES_PLAN_H

#include "resources/venv.h"

typedef struct kn_install_plan {
  kn_manifest manifest;
  kn_arch arch;                   /* whose files are taken */
  const kn_manifest_file **files; /* one per key, point into the manifest */
  size_t file_count;
  bool files_there;          /* all of them, and what is made, are installed and whole in size */
  char build_definition[65]; /* kn_build_definition; "": nothing is made */
  bool with_environment;
  bool environment_there;  /* the installed framework uses it */
  bool environment_shared; /* an earlier plan makes it */
  kn_installed_environment environment;
  int64_t download_bytes, disk_bytes; /* still to do */
  int64_t work_bytes;                 /* of the disk, while something is made */
} kn_install_plan;

typedef struct kn_plan_options {
  bool force;        /* install again what is there */
  bool only_library; /* no Python environment */
  kn_arch arch;      /* whose libraries; 0: this machine's */
} kn_plan_options;

/* Reads the manifest and looks at what is there. Says which alternative is taken for want of a client. */
kn_status kn_install_plan_make(const char *framework, const kn_plan_options *options, const kn_downloads *downloads,
                               kn_install_plan *out_plan) KN_MUST_USE;
void kn_install_plan_clear(kn_install_plan *plan);
/* What several plans of one run have in common is to be done and counted once. Call before the bytes are looked at. */
void kn_install_plans_share(kn_install_plan *plans, size_t count);
/* Version of the engine: of the first file, or of what is made. */
const char *kn_install_plan_version(const kn_install_plan *plan);
/* Nothing is to be done. */
bool kn_install_plan_done(const kn_install_plan *plan);
/* Fetches the packages of the files. Where a client fails, the next alternative is taken and said. */
kn_status kn_install_plan_fetch(kn_install_plan *plan, const kn_downloads *downloads) KN_MUST_USE;
/* Says in a few lines what will be fetched from where, and under which licence. */
void kn_install_plan_tell(const kn_install_plan *plan);

#endif
