/* Model formats and the ways from one to another: a graph whose edges are the optimizers that need neither parameters
 * but the path of their result nor samples. */
#ifndef KENNING_CORE_FORMATS_H
#define KENNING_CORE_FORMATS_H

#include "core/scenario.h"

/* One edge. */
typedef struct kn_conversion {
  const kn_class *cls;
  const char *from, *to;
} kn_conversion;

enum { KN_CONVERSION_STEPS = 8 };

typedef struct kn_conversion_path {
  kn_conversion steps[KN_CONVERSION_STEPS];
  size_t count; /* 0: the formats meet as they are */
} kn_conversion_path;

/* Edge `index` of the graph, in the order of the registry; false past the last. Load the registry first. */
bool kn_conversion_at(size_t index, kn_conversion *out_conversion);
/* A shortest way from any of `from` to any of `to` (NULL-terminated lists); of several the one whose edges come first.
 * False when there is none. */
bool kn_conversion_find(const char *const *from, const char *const *to, kn_conversion_path *out_path);

/* An optimizer that makes `to` of `from`, but only where a scenario names it; NULL: there is none. */
const kn_class *kn_conversion_named_only(const char *from, const char *to);

/* ".onnx" for "onnx"; "" where a model is a directory or has no ending of its own. */
const char *kn_format_ending(const char *format);
/* Format that a path's ending stands for. NULL: none. */
const char *kn_format_of_name(const char *path);

/* Formats that a block gives (NULL-terminated, perhaps in `chosen`); NULL: not known. Of an optimizer with a choice
 * what its options choose; of a model wrapper what its model file is, or will be by its name, where its class has that
 * format. */
const char *const *kn_formats_given(const kn_instance *block, const char *chosen[2]);

/* Puts conversions into the scenario where a block gives what the next does not take, and says so. Blocks between which
 * there is no way stay as they are, for kn_scenario_check to tell. */
kn_status kn_scenario_bridge(kn_scenario *scenario) KN_MUST_USE;
/* Puts a conversion of the wrapper's model to ONNX, written to `path`, in front of all optimizers. KN_INCOMPATIBLE when
 * there is no way. */
kn_status kn_scenario_convert_to_onnx(kn_scenario *scenario, const char *path) KN_MUST_USE;

#endif
