#include "resources/hash.h"

#include <errno.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "core/library.h"
#include "core/model_file.h"

enum { PIECE_BYTES = 1 << 20, DIGEST_BYTES = KN_SHA256_BYTES };

/* libcrypto's functions with prototypes of our own: its context and digest types are opaque. */
#define CRYPTO_FUNCTIONS(X)                                                    \
  X(void *, EVP_MD_CTX_new, (void))                                            \
  X(void, EVP_MD_CTX_free, (void *context))                                    \
  X(const void *, EVP_sha256, (void))                                          \
  X(int, EVP_DigestInit_ex, (void *context, const void *digest, void *engine)) \
  X(int, EVP_DigestUpdate, (void *context, const void *data, size_t bytes))    \
  X(int, EVP_DigestFinal_ex, (void *context, unsigned char *sum, unsigned *bytes))

static struct {
#define CRYPTO_SLOT(type, name, parameters) type(*name) parameters;
  CRYPTO_FUNCTIONS(CRYPTO_SLOT)
#undef CRYPTO_SLOT
} crypto;
#define CRYPTO_NAME(type, name, parameters) #name,
static const char *const names[] = {CRYPTO_FUNCTIONS(CRYPTO_NAME)};
#undef CRYPTO_NAME
static kn_library library = {.file = "libcrypto.so.3",
                             .package = "libssl3",
                             .names = names,
                             .count = sizeof names / sizeof *names,
                             .table = &crypto};

static kn_status failed(void) { return kn_status_make(KN_BACKEND_FAILED, "libcrypto could not compute SHA-256"); }

/* Without libcrypto, as on a small target, plain C has to do; it takes several times as long. */
static kn_status begin_plain(kn_status missing, kn_hash *hash) {
  if (kn_status_code(missing) != KN_NOT_INSTALLED) return missing;
  kn_status_free(missing);
  hash->plain = kn_alloc(sizeof *hash->plain);
  if (!hash->plain) return kn_status_out_of_memory();
  kn_sha256_begin(hash->plain);
  return NULL;
}

kn_status kn_hash_begin(kn_hash *out_hash) {
  *out_hash = (kn_hash){0};
  kn_status missing = kn_library_use(&library);
  if (missing) return begin_plain(missing, out_hash);
  void *context = crypto.EVP_MD_CTX_new();
  if (!context) return kn_status_out_of_memory();
  if (crypto.EVP_DigestInit_ex(context, crypto.EVP_sha256(), NULL) != 1) {
    crypto.EVP_MD_CTX_free(context);
    return failed();
  }
  out_hash->context = context;
  return NULL;
}

kn_status kn_hash_add(kn_hash *hash, const void *data, size_t bytes) {
  if (hash->context) return crypto.EVP_DigestUpdate(hash->context, data, bytes) == 1 ? NULL : failed();
  kn_sha256_add(hash->plain, data, bytes);
  return NULL;
}

void kn_hash_abandon(kn_hash *hash) {
  if (hash->context) crypto.EVP_MD_CTX_free(hash->context);
  kn_free(hash->plain);
  *hash = (kn_hash){0};
}

kn_status kn_hash_end(kn_hash *hash, char out_hex[65]) {
  static const char digits[] = "0123456789abcdef";
  unsigned char sum[64] = {0};
  unsigned bytes = DIGEST_BYTES;
  int done = 1;
  if (hash->context)
    done = crypto.EVP_DigestFinal_ex(hash->context, sum, &bytes);
  else
    kn_sha256_end(hash->plain, sum);
  kn_hash_abandon(hash);
  out_hex[0] = '\0';
  if (done != 1 || bytes != DIGEST_BYTES) return failed();
  for (size_t i = 0; i < DIGEST_BYTES; i++) {
    out_hex[2 * i] = digits[sum[i] >> 4];
    out_hex[2 * i + 1] = digits[sum[i] & 15];
  }
  out_hex[64] = '\0';
  return NULL;
}

kn_status kn_sha256(const void *data, size_t bytes, char out_hex[65]) {
  kn_hash hash;
  out_hex[0] = '\0';
  KN_TRY(kn_hash_begin(&hash));
  kn_status status = kn_hash_add(&hash, data, bytes);
  if (status) {
    kn_hash_abandon(&hash);
    return status;
  }
  return kn_hash_end(&hash, out_hex);
}

static kn_status hash_pieces(int file, const char *path, char *piece, char out_hex[65]) {
  kn_hash hash;
  KN_TRY(kn_hash_begin(&hash));
  kn_status status = NULL;
  while (!status) {
    ssize_t got = read(file, piece, PIECE_BYTES);
    if (got == 0) return kn_hash_end(&hash, out_hex);
    if (got > 0) {
      status = kn_hash_add(&hash, piece, (size_t)got);
    } else if (errno != EINTR) {
      status = kn_file_fault(path, "read", errno);
    }
  }
  kn_hash_abandon(&hash);
  return status;
}

kn_status kn_hash_descriptor(int file, const char *path, char out_hex[65]) {
  out_hex[0] = '\0';
  char *piece = kn_alloc(PIECE_BYTES);
  kn_status status = piece ? hash_pieces(file, path, piece, out_hex) : kn_status_out_of_memory();
  kn_free(piece);
  return status;
}

kn_status kn_sha256_file(const char *path, char out_hex[65]) {
  out_hex[0] = '\0';
  int file;
  KN_TRY(kn_file_open(path, &file));
  kn_status status = kn_hash_descriptor(file, path, out_hex);
  close(file);
  return status;
}

/* ---- of directories ---- */

static int by_name(const FTSENT **a, const FTSENT **b) { return strcmp((*a)->fts_name, (*b)->fts_name); }

static kn_status add_file(kn_text *list, const FTSENT *entry, size_t root_length) {
  char hex[65];
  KN_TRY(kn_sha256_file(entry->fts_path, hex));
  kn_text_format(list, "%s %s\n", hex, entry->fts_path + root_length);
  return NULL;
}

static kn_status add_files(kn_text *list, FTS *walk, size_t root_length) {
  for (FTSENT *entry; (entry = fts_read(walk));) {
    if (entry->fts_info == FTS_ERR || entry->fts_info == FTS_DNR || entry->fts_info == FTS_NS)
      return kn_file_fault(entry->fts_path, "read", entry->fts_errno);
    if (entry->fts_info == FTS_F) KN_TRY(add_file(list, entry, root_length));
  }
  return kn_text_status(list);
}

static kn_status hash_directory(const char *path, char out_hex[65]) {
  char *roots[] = {(char *)(uintptr_t)path, NULL};
  kn_text list = {0};
  FTS *walk = fts_open(roots, FTS_LOGICAL | FTS_NOCHDIR, by_name);
  kn_status status = walk ? add_files(&list, walk, strlen(path)) : kn_file_fault(path, "read", errno);
  if (walk) fts_close(walk);
  if (!status) status = kn_sha256(list.data ? list.data : "", list.length, out_hex);
  kn_text_clear(&list);
  return status;
}

/* ---- of the files in one directory ---- */

kn_status kn_hash_entries(const char *directory, int (*wanted)(const struct dirent *entry), kn_text *list) {
  struct dirent **entries = NULL;
  int count = scandir(directory, &entries, wanted, alphasort);
  kn_status status = NULL;
  for (int i = 0; i < count; i++) {
    char hex[65], *path = status ? NULL : kn_format("%s/%s", directory, entries[i]->d_name);
    if (!status) status = path ? kn_sha256_file(path, hex) : kn_status_out_of_memory();
    if (!status) kn_text_format(list, "%s %s\n", hex, entries[i]->d_name);
    kn_free(path);
    free(entries[i]);
  }
  free(entries);
  return status;
}

/* ---- of models ---- */

static kn_status hash_list(const char *path, const kn_companions *companions, char out_hex[65]) {
  kn_text text = {0};
  char hex[65];
  kn_status status = kn_sha256_file(path, hex);
  if (!status) kn_text_format(&text, "%s\n", hex);
  for (size_t i = 0; i < companions->count && !status; i++) {
    const char *slash = strrchr(companions->paths[i], '/');
    status = kn_sha256_file(companions->paths[i], hex);
    if (!status) kn_text_format(&text, "%s %s\n", hex, slash ? slash + 1 : companions->paths[i]);
  }
  if (!status) status = kn_text_status(&text);
  if (!status) status = kn_sha256(text.data, text.length, out_hex);
  kn_text_clear(&text);
  return status;
}

kn_status kn_sha256_path(const char *path, char out_hex[65]) {
  struct stat found;
  kn_companions companions;
  out_hex[0] = '\0';
  if (stat(path, &found) == 0 && S_ISDIR(found.st_mode)) return hash_directory(path, out_hex);
  KN_TRY(kn_model_file_companions(path, &companions));
  kn_status status = companions.count ? hash_list(path, &companions, out_hex) : kn_sha256_file(path, out_hex);
  kn_companions_clear(&companions);
  return status;
}
