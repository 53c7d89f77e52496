/* Models in the .keras format of Keras 2.12 and later and of Keras 3: a zip archive with config.json and
 * model.weights.h5, in which weights have numbers instead of names (layers/CLASS_N/vars/0). */
#ifndef TENSORFLOW_KERAS_ARCHIVE_H
#define TENSORFLOW_KERAS_ARCHIVE_H

#include "keras_model.h"

/* Whether the file is a zip archive. */
bool keras_archive_is_at(const char *path);
/* Fills config_text, keras_version and the file of `model`, whose path is set, from the archive. */
kn_status keras_archive_open(keras_model *model) KN_MUST_USE;
/* Describes the weights of the parsed network. KN_BAD_DATA. */
kn_status keras_archive_describe(keras_model *model) KN_MUST_USE;

#endif
