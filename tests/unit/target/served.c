#include "unit/target/served.h"

#include "support/status.h"
#include "support/unit.h"

#include <sys/socket.h>

kn_link_config kt_link_of(const kn_wire_config *wire, double timeout_s) {
  return (kn_link_config){.wire = *wire,
                          .hello = wire->format != KN_WIRE_2022,
                          .timeout_s = timeout_s,
                          .idle_s = timeout_s,
                          .slowest = 1e9,
                          .model_limit = 1000,
                          .tensor_limit = 1000};
}

void kt_connect_pair(kn_connection *one, kn_connection *other) {
  int ends[2];
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  kt_assert_ok(kn_connection_adopt(ends[0], one));
  kt_assert_ok(kn_connection_adopt(ends[1], other));
}

void *kt_serve(void *served) {
  kt_served *s = served;
  const kn_session_config config = {.wire = s->link.wire, .model_path = s->target.model, .model_limit = 1000};
  s->status = kn_worker_serve(&s->connection, &s->link, &config, &s->target.engine);
  kn_connection_close(&s->connection);
  return NULL;
}
