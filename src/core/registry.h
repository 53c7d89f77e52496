/* Classes: built-in ones and those of plug-ins. */
#ifndef KENNING_CORE_REGISTRY_H
#define KENNING_CORE_REGISTRY_H

#include <kenning/block.h>
#include <kenning/plugin.h>

typedef struct kn_registered {
  const kn_class *cls;
  const kn_plugin *plugin; /* NULL: built in */
  const char *plugin_path; /* NULL: built in */
} kn_registered;

/* Loads the plug-ins once (KENNING_PLUGIN_PATH, `plugins` beside the executable, ../lib/kenning/plugins). Plug-ins
 * that do not fit are skipped with a warning; the status is for out-of-memory and the like. Main thread. */
kn_status kn_registry_load(void) KN_MUST_USE;
void kn_registry_unload(void);
size_t kn_registry_count(void);
const kn_registered *kn_registry_at(size_t index);
const kn_registered *kn_registry_of(const kn_class *cls);
/* Finds a class by the seed's dotted path, today's spelling, or the bare class name. `kind` 0: any. KN_NOT_FOUND with
 * the nearest names. */
kn_status kn_registry_find(const char *name, kn_kind kind, const kn_class **out_class) KN_MUST_USE;
/* "dataset", "modelwrapper", ...; and the JSON Schema / list heading "data sets". */
const char *kn_kind_name(kn_kind kind);
const kn_option *kn_kind_options(kn_kind kind);
/* The table given to plug-ins. */
extern const kn_host kn_host_table;

/* What a kind asks of the options that its blocks inherit, in the manner of kn_class.check. */
kn_status kn_kind_check(kn_kind kind, const void *self) KN_MUST_USE;
/* Shares of the training samples, which must not be more than all of them: KN_INVALID_ARGUMENT. */
kn_status kn_kind_check_fractions(double validation, double calibration) KN_MUST_USE;

#endif
