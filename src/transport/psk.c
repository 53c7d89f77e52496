#include "transport/psk.h"

#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DIGITS = 2 * KN_PSK_BYTES };

static int value_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

static kn_status check_owner(int file, const char *path) {
  struct stat found;
  if (fstat(file, &found) < 0) return kn_file_input_fault(path, "read", errno);
  if (found.st_uid != geteuid() && found.st_uid != 0)
    return kn_status_make(KN_INVALID_ARGUMENT, "%s belongs to another user: a key must be one's own", path);
  if (found.st_mode & 077)
    return kn_status_make(KN_INVALID_ARGUMENT, "others may use %s (mode %03o): chmod 600 %s", path,
                          (unsigned)found.st_mode & 0777, path);
  return NULL;
}

static kn_status read_key(int file, const char *path, uint8_t *key) {
  char text[DIGITS + 2];
  size_t bytes = 0;
  KN_TRY(check_owner(file, path));
  while (bytes < sizeof text) {
    ssize_t got = read(file, text + bytes, sizeof text - bytes);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return kn_file_input_fault(path, "read", errno);
    if (!got) break;
    bytes += (size_t)got;
  }
  bool whole = bytes == DIGITS || (bytes == DIGITS + 1 && text[DIGITS] == '\n');
  for (size_t i = 0; whole && i < KN_PSK_BYTES; i++) {
    int high = value_of(text[2 * i]), low = value_of(text[2 * i + 1]);
    whole = high >= 0 && low >= 0;
    key[i] = (uint8_t)((unsigned)high << 4 | (unsigned)low);
  }
  explicit_bzero(text, sizeof text);
  if (whole) return NULL;
  explicit_bzero(key, KN_PSK_BYTES);
  return kn_status_make(KN_BAD_DATA,
                        "%s is no key, which is one line of %d hexadecimal digits; 'kenning psk FILE' makes one", path,
                        DIGITS);
}

kn_status kn_psk_read(const char *path, uint8_t out_key[KN_PSK_BYTES]) {
  int file;
  memset(out_key, 0, KN_PSK_BYTES);
  KN_TRY(kn_file_open(path, &file));
  kn_status status = read_key(file, path, out_key);
  close(file);
  return status;
}

static kn_status write_key(int file, const char *path) {
  static const char digits[] = "0123456789abcdef";
  uint8_t key[KN_PSK_BYTES];
  char text[DIGITS + 1];
  if (getrandom(key, sizeof key, 0) != (ssize_t)sizeof key) return kn_file_fault("/dev/urandom", "read", errno);
  for (size_t i = 0; i < sizeof key; i++) {
    text[2 * i] = digits[key[i] >> 4];
    text[2 * i + 1] = digits[key[i] & 15];
  }
  text[DIGITS] = '\n';
  ssize_t written = write(file, text, sizeof text);
  explicit_bzero(key, sizeof key);
  explicit_bzero(text, sizeof text);
  if (written == (ssize_t)sizeof text && fsync(file) == 0) return NULL;
  return kn_file_fault(path, "write", written < 0 || written == (ssize_t)sizeof text ? errno : ENOSPC);
}

kn_status kn_psk_make(const char *path) {
  KN_TRY(kn_directory_make_parent(path));
  int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (file < 0 && errno == EEXIST)
    return kn_status_make(
        KN_INVALID_ARGUMENT,
        "%s is there already, and a key is not overwritten: choose another name, or remove the file if no "
        "host and target use it any more",
        path);
  if (file < 0) return kn_file_fault(path, "write", errno);
  kn_status status = fchmod(file, 0600) < 0 ? kn_file_fault(path, "protect", errno) : write_key(file, path);
  close(file);
  if (status) unlink(path);
  return status;
}
