#include "transport/address.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

kn_status kn_address_resolve(const char *host, int64_t port, bool passive, kn_address *out_list, size_t *out_count) {
  char service[16];
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | (passive ? AI_PASSIVE : 0)};
  struct addrinfo *list = NULL;
  *out_count = 0;
  snprintf(service, sizeof service, "%lld", (long long)port);
  int error = getaddrinfo(host, service, &hints, &list);
  for (const struct addrinfo *item = list; !error && item && *out_count < KN_ADDRESSES; item = item->ai_next) {
    if (item->ai_addrlen > sizeof out_list->name) continue;
    memcpy(&out_list[*out_count].name, item->ai_addr, item->ai_addrlen);
    out_list[(*out_count)++].size = item->ai_addrlen;
  }
  if (!error) freeaddrinfo(list);
  if (*out_count) return NULL;
  return kn_status_make(error == EAI_MEMORY ? KN_OUT_OF_MEMORY : KN_NOT_FOUND, "host '%.200s' has no address: %s", host,
                        error == EAI_SYSTEM ? strerror(errno) : gai_strerror(error));
}
