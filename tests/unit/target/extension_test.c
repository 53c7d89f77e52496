/* What our two ends agree on beyond the original: that both know it, inferences in one round trip, models that are
 * there already, clocks, codes, signs of life. */
#include "support/directory.h"
#include "support/status.h"
#include "support/unit.h"
#include "target/clock.h"
#include "target/heartbeat.h"
#include "target/remote.h"
#include "target/worker.h"
#include "unit/target/peer.h"
#include "wire/packed.h"

#include <kenning/services.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- offers ---- */

static void offers_are_found_where_they_are(void **state) {
  (void)state;
  uint8_t text[64] = "{\"input\": []}", packed[KN_PACKED_IOSPEC] = {1};
  size_t length = strlen((char *)text);
  assert_false(kn_offer_found(text, length));
  kn_offer_write(text + length);
  assert_true(kn_offer_found(text, length + KN_OFFER_BYTES));
  for (size_t i = 0; i < KN_OFFER_BYTES; i++) {
    assert_true(text[length + i] == ' ' || text[length + i] == '\t');
    text[length + i] ^= ' ' ^ '\t';
    assert_false(kn_offer_found(text, length + KN_OFFER_BYTES));
    text[length + i] ^= ' ' ^ '\t';
  }
  assert_false(kn_offer_found(text, length + KN_OFFER_BYTES - 1));
  assert_false(kn_offer_found(text + length, KN_OFFER_BYTES));
  assert_false(kn_offer_found(packed, sizeof packed));
  kn_offer_write_packed(packed);
  assert_true(kn_offer_found(packed, sizeof packed));
  packed[sizeof packed - KN_GRANT_BYTES - 1] = 'x'; /* a name that fills its field is no padding */
  assert_false(kn_offer_found(packed, sizeof packed));
}

static void a_code_of_the_wire_is_a_code(void **state) {
  (void)state;
#define SAME(name, number, text) \
  if (number) assert_int_equal(kn_code_of_wire(number), KN_##name);
  KN_CODES(SAME)
#undef SAME
  assert_int_equal(kn_code_of_wire(KN_OK), KN_BACKEND_FAILED);
  assert_int_equal(kn_code_of_wire(0xFFFF), KN_BACKEND_FAILED);
}

/* ---- clocks ---- */

static void the_shortest_round_trip_tells_the_offset(void **state) {
  (void)state;
  /* The target is 1000 ahead; the way there takes 5, 1, 400, the way back 300, 3, 2. */
  static const int64_t exchanges[][3] = {{0, 1005, 305}, {1000, 2001, 1004}, {2000, 3400, 2402}};
  kn_clock_offset offset = kn_clock_offset_of(exchanges, 3);
  assert_int_equal(offset.error_ns, 2);
  assert_true(offset.offset_ns >= 998 && offset.offset_ns <= 1002);
  assert_int_equal(offset.target_ns, 2001);
}

static void clocks_of_different_speed_are_mapped(void **state) {
  (void)state;
  kn_clock_line line = {.offsets = {{.target_ns = 10000, .offset_ns = 5000}}, .count = 1};
  assert_int_equal(kn_clock_here(&line, 12000), 7000);
  line.offsets[1] = (kn_clock_offset){.target_ns = 20000, .offset_ns = 5100};
  line.count = 2;
  assert_int_equal(kn_clock_here(&line, 10000), 5000);
  assert_int_equal(kn_clock_here(&line, 20000), 14900);
  assert_int_equal(kn_clock_here(&line, 15000), 9950);
}

/* ---- both ends ---- */

typedef struct served {
  kt_target target;
  kn_link_config link;
  kn_connection connection, host;
  pthread_t thread;
  kn_status status;
} served;

static kn_link_config link_of(const kn_wire_config *wire) {
  return (kn_link_config){.wire = *wire,
                          .hello = wire->format != KN_WIRE_2022,
                          .offer = true,
                          .timeout_s = 20,
                          .idle_s = 20,
                          .slowest = 1e9,
                          .model_limit = 1000,
                          .tensor_limit = 1000};
}

static void *serve(void *context) {
  served *s = context;
  const kn_session_config config = {.wire = s->link.wire, .model_path = s->target.model, .model_limit = 1000};
  s->status = kn_worker_serve(&s->connection, &s->link, &config, &s->target.engine);
  kn_connection_close(&s->connection);
  return NULL;
}

static void start(served *s) {
  int ends[2];
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  kt_assert_ok(kn_connection_adopt(ends[0], &s->host));
  kt_assert_ok(kn_connection_adopt(ends[1], &s->connection));
  assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void finish(served *s, kn_client *client) {
  kn_client_close(client);
  pthread_join(s->thread, NULL);
  kt_assert_ok(s->status);
}

static void infer(kn_client *client, float first) {
  const float input[4] = {first, 2, 3, 4};
  float output[2] = {0};
  kn_infer_times times;
  kt_assert_ok(kn_client_infer_begin(client, input, sizeof input));
  kt_assert_ok(kn_client_infer_wait(client, &times));
  assert_true(times.whole > 0 && times.whole <= times.start && times.start <= times.end && times.end <= times.ready);
  kt_assert_ok(kn_client_infer_finish(client, output, sizeof output));
  assert_memory_equal(output, input, sizeof output);
}

static void one_round_trip_in_every_format(void **state) {
  (void)state;
  for (size_t i = 0; i < KT_WIRES; i++) {
    served s = {.link = link_of(&kt_wires[i])};
    kt_target_open(&s.target, &kt_wires[i]);
    start(&s);
    kn_client client;
    kn_infer_times times;
    kt_assert_ok(kn_client_open(s.host, &s.link, &client));
    kt_assert_ok(kn_client_specify(&client, KT_SPEC, strlen(KT_SPEC)));
    assert_true(client.extended);
    kt_assert_ok(kn_client_infer_begin(&client, "1234567890123456", 16));
    kt_assert_fault(kn_client_infer_wait(&client, &times), KN_INVALID_ARGUMENT, "refused INFER"); /* no model */
    kt_assert_ok(kn_client_upload(&client, KN_MESSAGE_MODEL, "model", 5));
    for (int k = 0; k < 3; k++) infer(&client, (float)k);
    float input[4] = {7, 8, 9, 10}, output[2]; /* the original's three messages are there as ever */
    kt_assert_ok(kn_client_upload(&client, KN_MESSAGE_DATA, input, sizeof input));
    kt_assert_ok(kn_client_process(&client));
    kt_assert_ok(kn_client_output(&client, output, sizeof output));
    assert_memory_equal(output, input, sizeof output);
    assert_int_equal(s.target.engine.steps.count, 4);
    int64_t there, before = kn_now_ns();
    kt_assert_ok(kn_client_clock(&client, &there));
    assert_true(there >= before && there <= kn_now_ns()); /* it is the same clock here */
    kn_clock_line line = {0};
    kt_assert_ok(kn_clock_ask(&client, &line));
    assert_true(llabs(line.offsets[0].offset_ns) <= line.offsets[0].error_ns + 1);
    finish(&s, &client);
    kt_target_close(&s.target);
  }
}

/* Those who were not offered anything get and understand what the original has, and nothing else. */
static void nothing_is_granted_unasked(void **state) {
  (void)state;
  for (size_t i = 0; i < KT_WIRES; i++) {
    served s = {.link = link_of(&kt_wires[i])};
    s.link.offer = false;
    kt_target_open(&s.target, &kt_wires[i]);
    start(&s);
    kn_client client;
    int64_t clock;
    kt_assert_ok(kn_client_open(s.host, &s.link, &client));
    kt_assert_ok(kn_client_specify(&client, KT_SPEC, strlen(KT_SPEC)));
    assert_false(client.extended);
    kt_assert_fault(kn_client_clock(&client, &clock), KN_BACKEND_FAILED, "refused CLOCK");
    kt_assert_ok(kn_client_upload(&client, KN_MESSAGE_MODEL, "model", 5));
    finish(&s, &client);
    kt_target_close(&s.target);
  }
}

static void a_refusal_has_its_code(void **state) {
  (void)state;
  for (size_t i = 0; i < KT_WIRES; i++) {
    served s = {.link = link_of(&kt_wires[i])};
    kt_target_open(&s.target, &kt_wires[i]);
    start(&s);
    kn_client client;
    kt_assert_ok(kn_client_open(s.host, &s.link, &client));
    kt_assert_ok(kn_client_specify(&client, KT_SPEC, strlen(KT_SPEC)));
    kt_assert_fault(kn_client_process(&client), KN_INVALID_ARGUMENT, "refused PROCESS");
    kt_assert_fault(kn_client_upload(&client, KN_MESSAGE_STATUS + 62, NULL, 0), KN_INCOMPATIBLE, "refused a message");
    finish(&s, &client);
    kt_target_close(&s.target);
  }
}

/* ---- models that are there ---- */

static kn_identity identity_of(const char *text) {
  kn_identity identity = {.bytes = strlen(text)};
  kt_assert_ok(kn_sha256(text, strlen(text), identity.sha256));
  return identity;
}

static void a_model_that_is_there_is_not_sent_again(void **state) {
  (void)state;
  const kn_wire_config *wire = &kt_wires[4];
  served s = {.link = link_of(wire)};
  kt_target_open(&s.target, wire);
  kt_file_write_text(s.target.model, "the model");
  start(&s);
  kn_client client;
  bool loaded;
  kt_assert_ok(kn_client_open(s.host, &s.link, &client));
  kt_assert_ok(kn_client_specify(&client, KT_SPEC, strlen(KT_SPEC)));
  kn_identity wanted = identity_of("the model"), other = identity_of("the modem"), longer = identity_of("the model!");
  kt_assert_ok(kn_client_identify(&client, &other, &loaded)); /* as long, but another */
  assert_false(loaded);
  kt_assert_ok(kn_client_identify(&client, &longer, &loaded));
  assert_false(loaded);
  assert_false(s.target.engine.loaded);
  kt_assert_ok(kn_client_identify(&client, &wanted, &loaded));
  assert_true(loaded);
  infer(&client, 5);
  kt_file_write_text(s.target.model, "the modem"); /* what is loaded is looked at each time */
  kt_assert_ok(kn_client_identify(&client, &wanted, &loaded));
  assert_false(loaded);
  unlink(s.target.model);
  kt_assert_ok(kn_client_identify(&client, &wanted, &loaded));
  assert_false(loaded);
  infer(&client, 6); /* the one that was loaded still is */
  finish(&s, &client);
  kt_target_close(&s.target);
}

/* ---- signs of life ---- */

static kn_status slow_invoke(void *self) {
  (void)self;
  usleep(400000);
  return NULL;
}

static void slow_inference(double heartbeat_s, const kn_wire_config *wire, kn_code code) {
  served s = {.link = link_of(wire)};
  s.link.heartbeat_s = heartbeat_s;
  kt_target_open(&s.target, wire);
  kn_inference_ops ops = *s.target.engine.ops;
  ops.invoke = slow_invoke;
  s.target.engine.ops = &ops;
  start(&s);
  kn_client client;
  kn_link_config impatient = s.link;
  impatient.timeout_s = 0.2;
  kn_infer_times times;
  float input[4] = {1, 2, 3, 4}, output[2];
  kt_assert_ok(kn_client_open(s.host, &impatient, &client));
  kt_assert_ok(kn_client_specify(&client, KT_SPEC, strlen(KT_SPEC)));
  kt_assert_ok(kn_client_upload(&client, KN_MESSAGE_MODEL, "model", 5));
  kt_assert_ok(kn_client_infer_begin(&client, input, sizeof input));
  kn_status status = kn_client_infer_wait(&client, &times);
  assert_int_equal(kn_status_code(status), code);
  kn_status_free(status);
  if (!code) kt_assert_ok(kn_client_infer_finish(&client, output, sizeof output));
  kn_client_close(&client);
  pthread_join(s.thread, NULL);
  kn_status_free(s.status);
  kt_target_close(&s.target);
}

/* A target that works longer than the host's timeout is waited for as long as it gives signs of life. */
static void a_slow_target_is_not_a_dead_one(void **state) {
  (void)state;
  slow_inference(0.03, &kt_wires[4], KN_OK);
  slow_inference(0.03, &kt_wires[5], KN_OK); /* with checksums, in small frames */
  slow_inference(0.03, &kt_wires[0], KN_OK);
  slow_inference(0, &kt_wires[4], KN_TIMEOUT);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(offers_are_found_where_they_are),
      cmocka_unit_test(a_code_of_the_wire_is_a_code),
      cmocka_unit_test(the_shortest_round_trip_tells_the_offset),
      cmocka_unit_test(clocks_of_different_speed_are_mapped),
      cmocka_unit_test(one_round_trip_in_every_format),
      cmocka_unit_test(nothing_is_granted_unasked),
      cmocka_unit_test(a_refusal_has_its_code),
      cmocka_unit_test(a_model_that_is_there_is_not_sent_again),
      cmocka_unit_test(a_slow_target_is_not_a_dead_one),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
