#include "ir_file.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "model_file.h"

static size_t count(const char *text, const char *word) {
  size_t found = 0;
  for (const char *at = text; (at = strstr(at, word)); at += strlen(word)) found++;
  return found;
}

kn_status kn_vino_ir_count(const char *path, kn_vino_ir_census *out_census) {
  char *text;
  size_t bytes;
  *out_census = (kn_vino_ir_census){0};
  KN_TRY(kn_file_read(path, (size_t)1 << 32, &text, &bytes));
  bool whole = strstr(text, "<net ") && strstr(text, "</net>") && strlen(text) == bytes;
  size_t ends = count(text, " type=\"Const\"") + count(text, " type=\"Parameter\"") + count(text, " type=\"Result\"");
  size_t layers = count(text, "<layer ");
  out_census->layers = layers > ends ? layers - ends : 0;
  out_census->fake_quantize = count(text, " type=\"FakeQuantize\"");
  out_census->weighted = count(text, " type=\"Convolution\"") + count(text, " type=\"GroupConvolution\"") +
                         count(text, " type=\"MatMul\"") + count(text, " type=\"ConvolutionBackpropData\"");
  out_census->integer_constants = count(text, "element_type=\"i8\"") + count(text, "element_type=\"u8\"");
  kn_free(text);
  return whole ? NULL : kn_status_make(KN_BAD_DATA, "%s is no OpenVINO IR", path);
}

void kn_vino_ir_remove(const char *path) {
  char *weights = kn_vino_weights_path(path);
  (void)unlink(path);
  if (weights) (void)unlink(weights);
  kn_free(weights);
}

static kn_status publish(const char *temporary, const char *temporary_weights, const char *path, const char *weights) {
  if (unlink(path) != 0 && errno != ENOENT)
    return kn_status_make(KN_IO_ERROR, "%s cannot be replaced: %s", path, strerror(errno));
  KN_TRY(kn_file_publish(temporary_weights, weights));
  return kn_file_publish(temporary, path);
}

kn_status kn_vino_ir_publish(const char *temporary, const char *path) {
  char *temporary_weights = kn_vino_weights_path(temporary), *weights = kn_vino_weights_path(path);
  kn_status status =
      temporary_weights && weights ? publish(temporary, temporary_weights, path, weights) : kn_status_out_of_memory();
  if (status) kn_vino_ir_remove(temporary);
  kn_free(temporary_weights);
  kn_free(weights);
  return status;
}
