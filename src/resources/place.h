/* Where things are kept and found. Every path is made absolute; free it with kn_free. Nothing is created here. */
#ifndef KENNING_RESOURCES_PLACE_H
#define KENNING_RESOURCES_PLACE_H

#include <kenning/option.h>

/* Frameworks and environments: $KENNING_DATA_DIR, else $XDG_DATA_HOME/kenning, else ~/.local/share/kenning. */
kn_status kn_place_data(char **out_path) KN_MUST_USE;
/* Downloads and tool results: $KENNING_CACHE_DIR, else $XDG_CACHE_HOME/kenning, else ~/.cache/kenning. */
kn_status kn_place_cache(char **out_path) KN_MUST_USE;
/* Logs: $KENNING_STATE_DIR, else $XDG_STATE_HOME/kenning, else ~/.local/state/kenning. */
kn_status kn_place_state(char **out_path) KN_MUST_USE;

/* A file that came with the program: share/kenning beside the program (build tree) or beside its bin/ (installed);
 * $KENNING_SHARE_DIR replaces both. KN_NOT_FOUND when it is in neither. */
kn_status kn_place_share(const char *name, char **out_path) KN_MUST_USE;
/* A file of a back-end ("manifest.json", "tool/convert.py"): backends/<framework>/ in each directory of
 * KENNING_PLUGIN_PATH, then in share/kenning. KN_NOT_FOUND. */
kn_status kn_place_backend(const char *framework, const char *name, char **out_path) KN_MUST_USE;
/* Names of the back-ends that have a manifest.json, sorted. Free with kn_place_free_names. */
kn_status kn_place_backends(kn_string_list *out_names) KN_MUST_USE;
void kn_place_free_names(kn_string_list *names);

/* A framework's name becomes part of paths: lower-case letters, digits, '_' and '-' only. */
bool kn_place_is_name(const char *name);

#endif
