/* `kenning doctor`: what works, what is missing, and the command that mends it. */
#ifndef KENNING_RESOURCES_HEALTH_H
#define KENNING_RESOURCES_HEALTH_H

#include <kenning/status.h>

typedef enum kn_health {
  KN_HEALTH_OK = 0,
  KN_HEALTH_NOTE,    /* not there and not needed, or worth knowing */
  KN_HEALTH_MISSING, /* to be installed */
  KN_HEALTH_DAMAGED  /* installed and not as it was */
} kn_health;

typedef struct kn_symptom {
  const char *group; /* static text, or a framework's name owned by the list */
  kn_health health;
  char *name;
  char *detail;
  char *command; /* that mends it, or NULL */
} kn_symptom;

typedef struct kn_examination {
  kn_symptom *items;
  size_t count;
  char **groups; /* owned names of groups */
  size_t group_count;
} kn_examination;

/* "ok", "note", "missing", "damaged". */
const char *kn_health_name(kn_health health);

/* Looks at programs, libraries, places and the named frameworks (count 0: all that have a manifest). `opener` is a
 * NULL-terminated command that opens a library in a process of its own: it gets the library's path and the name of its
 * version function behind it and prints the version. */
kn_status kn_health_check(const char *const *frameworks, size_t count, const char *const *opener,
                          kn_examination *out_findings) KN_MUST_USE;
void kn_examination_clear(kn_examination *findings);
/* True when nothing is missing or damaged. */
bool kn_examination_well(const kn_examination *findings);

#endif
