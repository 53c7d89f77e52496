#include "resources/hash.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"

enum { PIECE_BYTES = 1 << 20, DIGEST_BYTES = 32 };

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
  bool ready;
} crypto;
static pthread_mutex_t opening = PTHREAD_MUTEX_INITIALIZER;

static kn_status open_crypto_locked(void) {
  static const char file[] = "libcrypto.so.3";
  void *handle;
  if (crypto.ready) return NULL;
  kn_status status = kn_library_open(file, &handle);
  if (status) return kn_status_annotate(status, "checksums take %s; install the Debian package libssl3", file);
#define CRYPTO_RESOLVE(type, name, parameters)           \
  *(void **)(void *)&crypto.name = dlsym(handle, #name); \
  if (!crypto.name)                                      \
    return kn_status_make(KN_NOT_INSTALLED, "%s lacks %s; install the Debian package libssl3", file, #name);
  CRYPTO_FUNCTIONS(CRYPTO_RESOLVE)
#undef CRYPTO_RESOLVE
  crypto.ready = true;
  return NULL;
}

static kn_status open_crypto(void) {
  pthread_mutex_lock(&opening);
  kn_status status = open_crypto_locked();
  pthread_mutex_unlock(&opening);
  return status;
}

static kn_status failed(void) { return kn_status_make(KN_BACKEND_FAILED, "libcrypto could not compute SHA-256"); }

kn_status kn_hash_begin(kn_hash *out_hash) {
  *out_hash = (kn_hash){0};
  KN_TRY(open_crypto());
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
  return crypto.EVP_DigestUpdate(hash->context, data, bytes) == 1 ? NULL : failed();
}

void kn_hash_abandon(kn_hash *hash) {
  if (hash->context) crypto.EVP_MD_CTX_free(hash->context);
  hash->context = NULL;
}

kn_status kn_hash_end(kn_hash *hash, char out_hex[65]) {
  static const char digits[] = "0123456789abcdef";
  unsigned char sum[64] = {0};
  unsigned bytes = 0;
  int done = crypto.EVP_DigestFinal_ex(hash->context, sum, &bytes);
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

static kn_status hash_descriptor(int file, const char *path, char *piece, char out_hex[65]) {
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

kn_status kn_sha256_file(const char *path, char out_hex[65]) {
  out_hex[0] = '\0';
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return kn_file_fault(path, "read", errno);
  char *piece = kn_alloc(PIECE_BYTES);
  kn_status status = piece ? hash_descriptor(file, path, piece, out_hex) : kn_status_out_of_memory();
  kn_free(piece);
  close(file);
  return status;
}
