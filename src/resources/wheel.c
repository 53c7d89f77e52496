#include "resources/wheel.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "core/text.h"

/* Names of wheels write '_' where requirements may write '-' or '.', and letters of either case. */
static bool same_project(const char *a, size_t a_length, const char *b, size_t b_length) {
  if (a_length != b_length) return false;
  for (size_t i = 0; i < a_length; i++) {
    char x = a[i] == '-' || a[i] == '.' ? '_' : (char)tolower((unsigned char)a[i]);
    char y = b[i] == '-' || b[i] == '.' ? '_' : (char)tolower((unsigned char)b[i]);
    if (x != y) return false;
  }
  return true;
}

enum { MAXIMUM_PARTS = 6 };

typedef struct wheel_name {
  const char *parts[MAXIMUM_PARTS]; /* name, version, perhaps build, python, abi, platform; not terminated */
  size_t lengths[MAXIMUM_PARTS];
  size_t count;
} wheel_name;

/* Up to ".whl", whatever follows. */
static bool take_apart(const char *name, wheel_name *out_name) {
  *out_name = (wheel_name){0};
  const char *end = strstr(name, ".whl");
  if (!end) return false;
  for (const char *at = name; at <= end; at += out_name->lengths[out_name->count - 1] + 1) {
    if (out_name->count == MAXIMUM_PARTS) return false;
    const char *dash = memchr(at, '-', (size_t)(end - at));
    out_name->parts[out_name->count] = at;
    out_name->lengths[out_name->count++] = (size_t)((dash ? dash : end) - at);
  }
  return out_name->count >= MAXIMUM_PARTS - 1;
}

static bool is_of(const wheel_name *wheel, const char *requirement) {
  const char *version = strstr(requirement, "==");
  if (!version || !same_project(wheel->parts[0], wheel->lengths[0], requirement, (size_t)(version - requirement)))
    return false;
  return strcspn(version + 2, "; ") == wheel->lengths[1] && !strncmp(version + 2, wheel->parts[1], wheel->lengths[1]);
}

bool kn_wheel_is_of(const char *name, const char *requirement) {
  wheel_name wheel;
  return take_apart(name, &wheel) && is_of(&wheel, requirement);
}

bool kn_wheel_fits(const char *name, const kn_manifest_file *file) {
  wheel_name wheel;
  const char *end = strstr(name, ".whl");
  if (!end || end[strlen(".whl")] || !take_apart(name, &wheel) || !is_of(&wheel, file->package)) return false;
  char tag[16];
  size_t python = wheel.count - 3;
  snprintf(tag, sizeof tag, "cp3%s", file->python ? file->python + 2 : "");
  if (file->python && (strlen(tag) != wheel.lengths[python] || strncmp(tag, wheel.parts[python], strlen(tag)) != 0))
    return false;
  return !file->platform || strstr(wheel.parts[wheel.count - 1], file->platform);
}

/* An entry of a manifest's "wheels", "name.whl=sha256": its checksum. */
static const char *sha256_of(const char *entry) { return strrchr(entry, '=') + 1; }

bool kn_wheel_is_known(const kn_manifest_environment *environment, const char *requirement) {
  for (size_t i = 0; i < environment->wheels.count; i++)
    if (kn_wheel_is_of(environment->wheels.items[i], requirement)) return true;
  return false;
}

static kn_status check(const char *path, const char *wanted) {
  char hex[65];
  if (!kn_file_exists(path, NULL)) return NULL;
  KN_TRY(kn_sha256_file(path, hex));
  if (!strcmp(hex, wanted)) return NULL;
  (void)unlink(path);
  return kn_status_make(KN_BACKEND_FAILED,
                        "%s is not the wheel that was tested: its SHA-256 is %s, not %s; it was removed, the same "
                        "command fetches it again",
                        path, hex, wanted);
}

kn_status kn_wheel_check_all(const kn_manifest_environment *environment, const char *directory) {
  for (size_t i = 0; i < environment->wheels.count; i++) {
    const char *entry = environment->wheels.items[i], *wanted = sha256_of(entry);
    char *path = kn_format("%s/%.*s", directory, (int)(wanted - entry - 1), entry);
    if (!path) return kn_status_out_of_memory();
    kn_status status = check(path, wanted);
    kn_free(path);
    KN_TRY(status);
  }
  return NULL;
}

static void add_requirement(kn_text *text, const kn_manifest_environment *environment, const char *requirement) {
  kn_text_add(text, requirement);
  for (size_t i = 0; i < environment->wheels.count; i++)
    if (kn_wheel_is_of(environment->wheels.items[i], requirement))
      kn_text_format(text, " --hash=sha256:%s", sha256_of(environment->wheels.items[i]));
  kn_text_add(text, "\n");
}

kn_status kn_wheel_write_requirements(const kn_manifest_environment *environment, const kn_string_list *const *lists,
                                      size_t list_count, const char *path) {
  kn_text text = {0};
  for (size_t i = 0; i < list_count; i++)
    for (size_t j = 0; j < lists[i]->count; j++) add_requirement(&text, environment, lists[i]->items[j]);
  kn_status status = kn_text_status(&text);
  if (!status) status = kn_file_write(path, text.data, text.length);
  kn_text_clear(&text);
  return status;
}
