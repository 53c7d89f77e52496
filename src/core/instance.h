/* Instances of blocks and the binding of their options. */
#ifndef KENNING_CORE_INSTANCE_H
#define KENNING_CORE_INSTANCE_H

#include "core/json.h"
#include <kenning/block.h>

enum { KN_OPTION_LIMIT = 64 };  /* rows of one class; the bits of kn_instance.given */
enum { KN_MEMBER_FAULTS = 64 }; /* of one JSON object that are told */

typedef struct kn_instance {
  const kn_class *cls;
  void *self;     /* cls->instance_size bytes; starts with the options of the kind */
  char *where;    /* place of the block in the scenario, for messages; or NULL */
  bool inserted;  /* nobody named it: a conversion between two blocks of the scenario */
  uint64_t given; /* bit i: the i-th row (kn_option_at order) was set by the user */
  /* What set them in the scenario's JSON, which lives as long as the scenario; or NULL. For places of messages. */
  yyjson_val *parameters;
} kn_instance;

/* Rows of a class in order: its own, those of its bases, those of its kind. NULL past the end. */
const kn_option *kn_option_at(const kn_class *cls, size_t index);
size_t kn_option_count(const kn_class *cls);
/* Row by JSON key or alias; index into *out_index (may be NULL). */
const kn_option *kn_option_find(const kn_class *cls, const char *name, size_t *out_index);
/* The row's flag with dashes into `out` ("--dataset-root"). */
const char *kn_option_flag(const kn_option *option, char out[96]);
/* "bool", "integer", ...; for messages and documentation. */
const char *kn_option_type_name(const kn_option *option);
/* The default as JSON text ("\"default\"", "0.25", "null") into `out`. */
const char *kn_option_default_text(const kn_option *option, char *out, size_t size);

/* The bounds of a row as text; false when it has none. */
bool kn_option_range_text(const kn_option *option, char out_lowest[32], char out_highest[32]);
/* The class's name without its package. */
const char *kn_class_short_name(const kn_class *cls);

/* Allocates an instance with every option at its default. */
kn_status kn_instance_create(const kn_class *cls, kn_instance *out_instance) KN_MUST_USE;
/* Frees options and memory (not `close`: whoever opened closes). A zeroed instance is allowed. */
void kn_instance_destroy(kn_instance *instance);

/* Binds a JSON object of parameters; reports all faults, each with its place. NULL value: no parameters. */
kn_status kn_instance_set_json(kn_instance *instance, const kn_json *json, yyjson_val *parameters) KN_MUST_USE;
/* Binds one member of such an object; one that the class does not have is passed over. */
kn_status kn_instance_set_member(kn_instance *instance, const kn_json *json, yyjson_val *key,
                                 yyjson_val *value) KN_MUST_USE;
/* Sets one option from text, as on the command line; what is given to a list again is appended. `where` names the flag
 * in messages. */
kn_status kn_instance_set_text(kn_instance *instance, const kn_option *option, size_t index, const char *text,
                               const char *where) KN_MUST_USE;
/* Appends to a list option (several values after one flag); clears the list when `first`. */
kn_status kn_instance_append_text(kn_instance *instance, const kn_option *option, size_t index, const char *text,
                                  bool first, const char *where) KN_MUST_USE;
/* What is told instead of the faults of `left` more members of an object, behind KN_MEMBER_FAULTS others; NULL for
 * none. */
kn_status kn_instance_more_faults(const char *where, size_t left) KN_MUST_USE;
/* Required options that nobody gave: one fault each. */
kn_status kn_instance_check_required(const kn_instance *instance) KN_MUST_USE;
/* Paths flagged KN_OPTION_INPUT that do not exist, and roots of data sets that are not to be downloaded: one fault
 * each, at its place in `json`, that of the instance's scenario. */
kn_status kn_instance_check_files(const kn_json *json, const kn_instance *instance) KN_MUST_USE;

/* The options as a JSON object, every one written out (2026's build_cfg). */
yyjson_mut_val *kn_instance_to_json(const kn_instance *instance, yyjson_mut_doc *doc);
bool kn_instance_was_given(const kn_instance *instance, size_t index);

/* The closest name to `name` among `count` names for "did you mean", or NULL when none is near. */
const char *kn_closest_name(const char *name, const char *const *names, size_t count);

#endif
