#include "pipeline/held_model.h"

#include "core/file.h"
#include "core/model_file.h"
#include "resources/hash.h"

#include <ftw.h>
#include <kenning/services.h>
#include <string.h>
#include <unistd.h>

/* ---- holding ---- */

static _Thread_local struct {
  uint64_t bytes;
  struct timespec modified;
} walked;

static bool later(struct timespec one, struct timespec other) {
  return one.tv_sec != other.tv_sec ? one.tv_sec > other.tv_sec : one.tv_nsec > other.tv_nsec;
}

static int walk_entry(const char *path, const struct stat *found, int type, struct FTW *where) {
  (void)path;
  (void)where;
  if (type == FTW_F && S_ISREG(found->st_mode)) walked.bytes += (uint64_t)found->st_size;
  if ((type == FTW_F || type == FTW_D) && later(found->st_mtim, walked.modified)) walked.modified = found->st_mtim;
  return 0;
}

/* What there is under the name now; all zero: nothing. */
static void look(const char *path, kn_held_file *out) {
  struct stat found;
  if (stat(path, &found) != 0) return;
  out->regular = S_ISREG(found.st_mode);
  out->device = found.st_dev;
  out->inode = found.st_ino;
  out->bytes = out->regular ? (uint64_t)found.st_size : 0;
  out->modified = found.st_mtim;
  if (!S_ISDIR(found.st_mode)) return;
  walked.bytes = 0;
  walked.modified = found.st_mtim;
  (void)nftw(path, walk_entry, 16, FTW_PHYS); /* what vanishes meanwhile ends the walk: the next look differs */
  out->bytes = walked.bytes;
  out->modified = walked.modified;
}

/* Takes `path`. */
static void hold(char *path, kn_held_file *out) {
  out->path = path;
  struct stat found;
  kn_status unreadable = kn_file_open(path, &out->file);
  kn_status_free(unreadable); /* told where the hash is wanted */
  if (out->file < 0 || fstat(out->file, &found) != 0) {
    look(path, out);
    return;
  }
  out->regular = true;
  out->bytes = (uint64_t)found.st_size;
  out->device = found.st_dev;
  out->inode = found.st_ino;
  out->modified = found.st_mtim;
}

static kn_status hold_companions(const char *path, kn_held_model *model) {
  kn_companions companions;
  KN_TRY(kn_model_file_companions(path, &companions));
  kn_status status = NULL;
  if (companions.count) model->companions = kn_alloc_array(companions.count, sizeof *model->companions);
  if (companions.count && !model->companions) status = kn_status_out_of_memory();
  for (size_t i = 0; !status && i < companions.count; i++) {
    model->companions[i].file = -1;
    hold(companions.paths[i], &model->companions[i]);
    companions.paths[i] = NULL;
    model->companion_count++;
  }
  kn_companions_clear(&companions);
  return status;
}

kn_status kn_held_model_open(const char *role, const char *path, const char *format, int64_t weights_bytes,
                             kn_held_model *out_model) {
  *out_model = (kn_held_model){.role = role, .format = format, .weights_bytes = weights_bytes, .main = {.file = -1}};
  char *copy = kn_strdup(path);
  if (!copy) return kn_status_out_of_memory();
  hold(copy, &out_model->main);
  return out_model->main.regular ? hold_companions(path, out_model) : NULL;
}

static void release(kn_held_file *held) {
  if (held->path && held->file >= 0) close(held->file);
  kn_free(held->path);
  *held = (kn_held_file){.file = -1};
}

void kn_held_model_close(kn_held_model *model) {
  release(&model->main);
  for (size_t i = 0; i < model->companion_count; i++) release(&model->companions[i]);
  kn_free(model->companions);
  model->companions = NULL;
  model->companion_count = 0;
}

bool kn_held_model_exists(const kn_held_model *model) { return model->main.regular || model->main.bytes; }

uint64_t kn_held_model_bytes(const kn_held_model *model) {
  uint64_t bytes = model->main.bytes;
  for (size_t i = 0; i < model->companion_count; i++) bytes += model->companions[i].bytes;
  return bytes;
}

/* ---- what became of it ---- */

static bool written(const kn_held_file *held, const kn_held_file *now) {
  return held->bytes != now->bytes || later(held->modified, now->modified) || later(now->modified, held->modified);
}

static const char *change_of(const kn_held_file *held) {
  if (!held->path) return NULL;
  kn_held_file now = {0};
  struct stat found;
  if (held->file >= 0 && fstat(held->file, &found) == 0) {
    now.bytes = (uint64_t)found.st_size;
    now.modified = found.st_mtim;
    if (written(held, &now)) return "written";
  }
  now = (kn_held_file){0};
  look(held->path, &now);
  if (now.device != held->device || now.inode != held->inode) return held->file >= 0 ? "replaced" : "written";
  return written(held, &now) ? "written" : NULL;
}

/* Of several files, "written" counts more than "replaced". */
const char *kn_held_model_change(const kn_held_model *model) {
  const char *change = change_of(&model->main);
  for (size_t i = 0; i < model->companion_count && (!change || strcmp(change, "written") != 0); i++) {
    const char *other = change_of(&model->companions[i]);
    if (other) change = other;
  }
  return change;
}

/* ---- recording ---- */

/* A run does not fail for a hash. */
static kn_status put_hash(const kn_held_file *held, kn_record *record) {
  char hash[65];
  kn_status status = held->file >= 0 ? kn_hash_descriptor(held->file, held->path, hash)
                                     : kn_sha256_file(held->path, hash); /* says why it cannot be read */
  if (!status) return kn_record_set_string(record, "sha256", hash);
  kn_log(KN_LOG_WARNING, "%s is recorded without its hash: %s", held->path, kn_status_message(status, 0));
  kn_status_free(status);
  return NULL;
}

static kn_status put_companions(const kn_held_model *model, bool hash, kn_record *entry) {
  for (size_t i = 0; i < model->companion_count; i++) {
    const kn_held_file *held = &model->companions[i];
    kn_record *record;
    KN_TRY(kn_record_append_object(entry, "companions", &record));
    KN_TRY(kn_record_set_string(record, "path", held->path));
    KN_TRY(kn_record_set_int(record, "bytes", (int64_t)held->bytes));
    if (hash) KN_TRY(put_hash(held, record));
  }
  return NULL;
}

kn_status kn_held_model_put(const kn_held_model *model, kn_record *entry) {
  const char *change = kn_held_model_change(model);
  bool known = !change || strcmp(change, "written") != 0;
  if (change)
    kn_log(KN_LOG_WARNING, "the model %s was %s during the run: %s", model->main.path, change,
           known ? "size and hash are recorded of what was there before it was read; whether that is what ran is not "
                   "certain"
                 : "what ran is not known, so no hash is recorded");
  KN_TRY(kn_record_set_string(entry, "role", model->role));
  KN_TRY(kn_record_set_string(entry, "path", model->main.path));
  if (model->format) KN_TRY(kn_record_set_string(entry, "format", model->format));
  KN_TRY(kn_record_set_int(entry, "bytes", (int64_t)kn_held_model_bytes(model)));
  if (change) KN_TRY(kn_record_set_string(entry, "changed", change));
  if (known && model->main.regular) KN_TRY(put_hash(&model->main, entry));
  return put_companions(model, known, entry);
}
