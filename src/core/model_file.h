/* Model files: whether they are what they are taken for, and whole; and what belongs to them. */
#ifndef KENNING_CORE_MODEL_FILE_H
#define KENNING_CORE_MODEL_FILE_H

#include <kenning/iospec.h>

/* Specification of the model at `path`, read by the first class that reads `format` without its framework: a runtime
 * that describes files, or a model wrapper that needs no more than its path. Empty where there is none, and where that
 * class cannot read the model for reasons of its own. KN_BAD_DATA with the place of the damage, KN_NOT_FOUND for a file
 * that belongs to it. Load the registry first. */
kn_status kn_model_file_describe(const char *path, const char *format, kn_iospec *out_spec) KN_MUST_USE;

/* Whether the content of `path` is a model of one of `formats` (NULL-terminated; with "any" or "none" nothing is
 * asked). KN_BAD_DATA with what the file is instead, and what to do. *out_format: the one that it is, or NULL where
 * only a name could tell. */
kn_status kn_model_file_recognize(const char *path, const char *const *formats, const char **out_format) KN_MUST_USE;
/* The same, and whether the model is whole, so that no tool has to find out by breaking: KN_BAD_DATA with the place of
 * the damage, as kn_model_file_describe tells it; KN_NOT_FOUND and KN_BAD_DATA for external data of an ONNX model that
 * is missing or cut. */
kn_status kn_model_file_check(const char *path, const char *const *formats) KN_MUST_USE;

/* Files that belong to the model at `path` and lie beside it: the weights of an OpenVINO IR, the parameters of an MXNet
 * symbol, ..., and the external data of an ONNX model. Only those that are there. KN_BAD_DATA for a location outside
 * the model's directory. */
typedef struct kn_companions {
  char **paths;
  size_t count;
} kn_companions;
kn_status kn_model_file_companions(const char *path, kn_companions *out_companions) KN_MUST_USE;
void kn_companions_clear(kn_companions *companions);

#endif
