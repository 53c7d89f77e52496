#include "wire/extension.h"

#include "wire/packed.h"

#include <assert.h>
#include <string.h>

static const char mark[] = {'K', 'N', KN_EXTENSION_VERSION};
static_assert(sizeof mark == KN_GRANT_BYTES, "the mark is the grant");
#define CODE_FITS(name, number, text) static_assert((number) <= UINT16_MAX, "a code takes two bytes on the wire");
KN_CODES(CODE_FITS)
#undef CODE_FITS

void kn_wire_put(uint8_t *out, uint64_t value, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) out[i] = (uint8_t)(value >> (8 * i));
}

uint64_t kn_wire_get(const uint8_t *in, size_t bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < bytes; i++) value |= (uint64_t)in[i] << (8 * i);
  return value;
}

/* ---- offer and grant ---- */

void kn_offer_write(uint8_t out[KN_OFFER_BYTES]) {
  for (size_t i = 0; i < KN_OFFER_BYTES; i++) out[i] = mark[i / 8] >> (7 - i % 8) & 1 ? '\t' : ' ';
}

void kn_offer_write_packed(uint8_t *packed) { memcpy(&packed[KN_PACKED_IOSPEC - sizeof mark], mark, sizeof mark); }

bool kn_offer_found(const uint8_t *payload, size_t bytes) {
  if (bytes == KN_PACKED_IOSPEC && payload[0] != '{')
    return !memcmp(payload + bytes - sizeof mark, mark, sizeof mark) && !payload[bytes - sizeof mark - 1];
  uint8_t offer[KN_OFFER_BYTES];
  kn_offer_write(offer);
  return bytes > sizeof offer && !memcmp(payload + bytes - sizeof offer, offer, sizeof offer);
}

void kn_grant_write(uint8_t out[KN_GRANT_BYTES]) { memcpy(out, mark, sizeof mark); }

bool kn_grant_found(const uint8_t *data, size_t bytes) {
  return bytes == sizeof mark && !memcmp(data, mark, sizeof mark);
}

/* ---- payloads ---- */

void kn_infer_times_write(const kn_infer_times *times, uint8_t out[KN_INFER_PREFIX]) {
  const int64_t values[] = {times->whole, times->start, times->end, times->ready};
  for (size_t i = 0; i < 4; i++) kn_wire_put(out + 8 * i, (uint64_t)values[i], 8);
}

static int64_t time_at(const uint8_t *in) {
  uint64_t value = kn_wire_get(in, 8);
  return value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

kn_infer_times kn_infer_times_read(const uint8_t in[KN_INFER_PREFIX]) {
  return (kn_infer_times){time_at(in), time_at(in + 8), time_at(in + 16), time_at(in + 24)};
}

static uint8_t digit(char c) { return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10); }

void kn_identity_write(const kn_identity *identity, uint8_t out[KN_IDENTITY_BYTES]) {
  for (size_t i = 0; i < 32; i++)
    out[i] = (uint8_t)(digit(identity->sha256[2 * i]) << 4 | digit(identity->sha256[2 * i + 1]));
  kn_wire_put(out + 32, identity->bytes, 8);
}

kn_identity kn_identity_read(const uint8_t in[KN_IDENTITY_BYTES]) {
  static const char digits[] = "0123456789abcdef";
  kn_identity identity = {.bytes = kn_wire_get(in + 32, 8)};
  for (size_t i = 0; i < 32; i++) {
    identity.sha256[2 * i] = digits[in[i] >> 4];
    identity.sha256[2 * i + 1] = digits[in[i] & 15];
  }
  return identity;
}

kn_code kn_code_of_wire(uint64_t number) {
  static const kn_code known[] = {
#define KNOWN(name, value, text) [value] = KN_##name,
      KN_CODES(KNOWN)
#undef KNOWN
  };
  bool refusal = number != KN_OK && number < sizeof known / sizeof *known;
  return refusal && known[number] != KN_OK ? known[number] : KN_BACKEND_FAILED;
}
