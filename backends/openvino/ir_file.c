#include "ir_file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model_file.h"

static size_t count(const char *text, const char *word) {
  size_t found = 0;
  for (const char *at = text; (at = strstr(at, word)); at += strlen(word)) found++;
  return found;
}

/* ---- is it whole ---- */

/* Value of the attribute `name` (with its blank, '=' and quote) within the tag that begins at `tag`. */
static bool attribute(const char *tag, const char *name, uint64_t *out_value) {
  const char *end = strchr(tag, '>'), *at = strstr(tag, name);
  if (!end || !at || at > end) return false;
  at += strlen(name);
  char *rest;
  errno = 0;
  *out_value = strtoull(at, &rest, 10);
  return rest != at && *rest == '"' && !errno;
}

/* How many bytes of weights the layers refer to: constants are "<data ... offset="N" ... size="N" .../>". */
static kn_status weights_wanted(const char *path, const char *text, uint64_t *out_bytes) {
  *out_bytes = 0;
  for (const char *tag = text; (tag = strstr(tag, "<data ")); tag++) {
    uint64_t offset, bytes, end;
    if (!attribute(tag, " offset=\"", &offset) || !attribute(tag, " size=\"", &bytes)) continue;
    if (__builtin_add_overflow(offset, bytes, &end))
      return kn_status_make(KN_BAD_DATA, "%s is damaged at byte %zu: a constant ends beyond all files", path,
                            (size_t)(tag - text));
    if (end > *out_bytes) *out_bytes = end;
  }
  return NULL;
}

static kn_status check_weights(const char *path, const char *text) {
  char *weights = kn_vino_weights_path(path);
  uint64_t wanted;
  struct stat found;
  kn_status status = weights ? weights_wanted(path, text, &wanted) : kn_status_out_of_memory();
  if (!status && stat(weights, &found) != 0)
    status = kn_status_make(errno == ENOENT ? KN_NOT_FOUND : KN_IO_ERROR,
                            "%s: %s; an OpenVINO IR is two files side by side, and these are its weights", weights,
                            strerror(errno));
  else if (!status && (uint64_t)found.st_size < wanted)
    status = kn_status_make(KN_BAD_DATA,
                            "%s is cut off: it has %llu bytes, and the layers of %s need %llu; copy or make both files "
                            "again",
                            weights, (unsigned long long)found.st_size, path, (unsigned long long)wanted);
  kn_free(weights);
  return status;
}

enum { NEWEST_VERSION = 11 };

/* OpenVINO does not say that the version is why it does not read the file. */
static kn_status check_version(const char *path, const char *text) {
  static const char key[] = " version=\"";
  const char *net = strstr(text, "<net "), *version = strstr(net, key), *end = strchr(net, '>');
  long number = version && end && version < end ? strtol(version + strlen(key), NULL, 10) : 0;
  if (number <= NEWEST_VERSION) return NULL;
  return kn_status_make(
      KN_INCOMPATIBLE,
      "%s is an OpenVINO IR of version %ld; OpenVINO 2026.4 reads up to %d: make it with that OpenVINO "
      "or an older one",
      path, number, NEWEST_VERSION);
}

kn_status kn_vino_ir_check(const char *path) {
  char *text;
  size_t bytes;
  kn_status status;
  KN_TRY(kn_file_read(path, (size_t)1 << 32, &text, &bytes));
  if (strlen(text) != bytes)
    status = kn_status_make(KN_BAD_DATA, "%s is damaged at byte %zu: an OpenVINO IR is text", path, strlen(text));
  else if (!strstr(text, "<net "))
    status = kn_status_make(KN_BAD_DATA, "%s is no OpenVINO IR: it has no <net>", path);
  else if (!strstr(text, "</net>"))
    status = kn_status_make(KN_BAD_DATA, "%s is cut off: it ends after %zu bytes without </net>; copy or make it again",
                            path, bytes);
  else
    status = check_version(path, text);
  if (!status) status = check_weights(path, text);
  kn_free(text);
  return status;
}

/* ---- what is in it ---- */

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

/* A file that is to be replaced, while it is not yet. */
typedef struct replaced {
  char path[PATH_MAX], aside[PATH_MAX + 16]; /* "" where there is none */
} replaced;

/* What a link leads to is what goes aside, not the link. */
static kn_status set_aside(const char *path, replaced *file) {
  struct stat found;
  int error = realpath(path, file->path) ? 0 : errno;
  file->aside[0] = '\0';
  if (error == ENOENT) return NULL;
  if (!error && stat(file->path, &found) == 0 && !S_ISREG(found.st_mode)) return NULL; /* kn_file_publish judges it */
  snprintf(file->aside, sizeof file->aside, "%s.replaced", file->path);
  if (!error && rename(file->path, file->aside) == 0) return NULL;
  if (!error) error = errno;
  file->aside[0] = '\0';
  return kn_status_make(KN_IO_ERROR, "%s cannot be replaced: %s", path, strerror(error));
}

static void settle(const replaced *file, bool restore) {
  if (!file->aside[0]) return;
  if (restore)
    (void)rename(file->aside, file->path);
  else
    (void)unlink(file->aside);
}

/* Old layers never meet new weights: both old files are out of the way before, and come back when something fails. */
static kn_status publish(const char *temporary, const char *temporary_weights, const char *path, const char *weights) {
  replaced old, old_weights = {.aside = ""};
  kn_status status = set_aside(path, &old);
  if (!status) status = set_aside(weights, &old_weights);
  if (!status) status = kn_file_publish(temporary_weights, weights);
  if (!status) status = kn_file_publish(temporary, path);
  settle(&old_weights, status != NULL);
  settle(&old, status != NULL);
  return status;
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
