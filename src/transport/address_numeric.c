#include "transport/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

kn_status kn_address_resolve(const char *host, int64_t port, bool passive, kn_address *out_list, size_t *out_count) {
  struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons((in_port_t)port)};
  struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons((in_port_t)port)};
  const char *number = strcmp(host, "localhost") ? host : "127.0.0.1";
  (void)passive;
  *out_count = 1;
  if (inet_pton(AF_INET, number, &four.sin_addr) == 1) {
    memcpy(&out_list->name, &four, sizeof four);
    out_list->size = sizeof four;
    return NULL;
  }
  if (inet_pton(AF_INET6, number, &six.sin6_addr) == 1) {
    memcpy(&out_list->name, &six, sizeof six);
    out_list->size = sizeof six;
    return NULL;
  }
  *out_count = 0;
  return kn_status_make(KN_NOT_FOUND, "host '%.200s' is no address; a static program takes numbers such as 127.0.0.1",
                        host);
}
