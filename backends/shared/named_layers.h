/* Where the operators stand that an engine complains about: engines name the operator, and often not the layer. */
#ifndef KN_SHARED_NAMED_LAYERS_H
#define KN_SHARED_NAMED_LAYERS_H

#include <kenning/status.h>

/* Operators of the model at `path` (ONNX, OpenVINO IR, TensorFlow Lite, or the directory of a SavedModel) that `words`
 * are about, each with the first layer that is of it: "operator Frobnicate of the layer 'layer7'"; at most eight. These
 * are the ones whose types stand in the words, all custom ones for words about custom operators, and in any case those
 * whose number the schema of TensorFlow Lite does not have, which has no names of layers either: there it is the value
 * that an operator makes. "" where there are none, and for files that cannot be read. Free with kn_free; NULL without
 * memory. Any thread. */
char *kn_named_layers(const char *path, const char *words);

/* The same for the content of a file, which a NUL follows; `saved_model`: of a saved_model.pb. */
char *kn_named_layers_in(const char *data, size_t bytes, bool saved_model, const char *words);

/* Adds kn_named_layers of its message to a failure, as context. Takes `status`; NULL stays NULL. */
kn_status kn_status_name_layers(kn_status status, const char *path);

#endif
