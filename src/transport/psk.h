/* Pre-shared keys in files: one line of 64 hexadecimal digits that only their owner can read. */
#ifndef KENNING_TRANSPORT_PSK_H
#define KENNING_TRANSPORT_PSK_H

#include <kenning/status.h>

enum { KN_PSK_BYTES = 32 };

/* KN_NOT_FOUND, KN_BAD_DATA for what is no key, KN_INVALID_ARGUMENT for a file that others may read or that belongs to
 * another user. Wipe the key when it has served. */
kn_status kn_psk_read(const char *path, uint8_t out_key[KN_PSK_BYTES]) KN_MUST_USE;
/* Makes a key from the system's random numbers, in a new file of mode 0600: an existing one is KN_INVALID_ARGUMENT. */
kn_status kn_psk_make(const char *path) KN_MUST_USE;

#endif
