/* Paths of a scenario that are URIs: fetched before the blocks open, so that blocks see local paths alone. */
#ifndef KENNING_PIPELINE_SOURCES_H
#define KENNING_PIPELINE_SOURCES_H

#include "core/scenario.h"

typedef struct kn_source {
  char **option;  /* of a block of the scenario */
  char *original; /* what stood there; owned */
} kn_source;

typedef struct kn_sources {
  kn_source *items;
  size_t count;
} kn_sources;

/* Puts local paths in the place of URIs. All faults at once where nothing must be downloaded to find them. Restore
 * also after a failure. */
kn_status kn_sources_fetch(const kn_scenario *scenario, kn_sources *out_sources) KN_MUST_USE;
/* Puts the scenario back as it was. A zeroed struct is allowed. */
void kn_sources_restore(kn_sources *sources);
/* Whether an option holds a downloaded file, which nobody may write to. */
bool kn_sources_downloaded(const kn_sources *sources, const char *const *option);

#endif
