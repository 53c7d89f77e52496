/* "runtime": {"type": "auto", "parameters": {...}}: which runtimes there are to choose from, and what may be given to
 * them. */
#ifndef KENNING_CORE_RUNTIME_CHOICE_H
#define KENNING_CORE_RUNTIME_CHOICE_H

#include "core/instance.h"

/* Runtimes that run models of formats of their own. What takes everything runs nothing: it is there for tests. */
bool kn_runtime_choice_has(const kn_class *cls);
/* Every parameter is one of a runtime to choose from, and of a value that one of them takes. KN_NOT_FOUND,
 * KN_INVALID_ARGUMENT; all faults at once. NULL `parameters`: none. Load the registry first. */
kn_status kn_runtime_choice_check(const kn_json *json, yyjson_val *parameters) KN_MUST_USE;

#endif
