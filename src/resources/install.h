/* `kenning install`: puts frameworks in place, whole or not at all. */
#ifndef KENNING_RESOURCES_INSTALL_H
#define KENNING_RESOURCES_INSTALL_H

#include "resources/manifest.h"

typedef struct kn_install_request {
  const char *const *frameworks;
  size_t count;
  bool force;        /* install again what is there */
  bool offline;      /* take the downloads that are there, ask nobody */
  bool dry_run;      /* say what would be done */
  bool only_library; /* no Python environments */
  kn_arch arch;      /* whose libraries; 0: this machine's */
} kn_install_request;

/* Says on the log what is done. KN_NOT_INSTALLED names what must be installed first; other codes as everywhere. One
 * installation at a time per data directory: others wait. */
kn_status kn_install(const kn_install_request *request) KN_MUST_USE;

#endif
