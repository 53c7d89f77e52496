/* A host's whole run on a target: of several tensors in batches, while memory runs out on either end, and what a host
 * asks that makes no sense. */
#include "core/memory.h"
#include "core/record_json.h"
#include "support/directory.h"
#include "support/status.h"
#include "support/unit.h"
#include "target/remote.h"
#include "target/worker.h"
#include "unit/target/peer.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST = 5000 };

/* Both ends of one connection in this process; the protocol of the host's end. */
typedef struct both {
  kn_link_config link;
  kt_target target;
  kn_connection worker;
  pthread_t thread;
  bool served;
  kn_code again; /* of connecting a second time */
  int attempts;
  kn_instance protocol;
  char *sent;
} both;

static void *serve(void *context) {
  both *b = context;
  const kn_session_config config = {.wire = b->link.wire, .model_path = b->target.model, .model_limit = 1000};
  kn_status_free(kn_worker_serve(&b->worker, &b->link, &config, &b->target.engine));
  kn_connection_close(&b->worker);
  return NULL;
}

static kn_status open_protocol(void *self, kn_link_config *out_config) {
  *out_config = ((both *)self)->link;
  return NULL;
}

static void close_protocol(void *self) { (void)self; }

static kn_status connect_to(void *self, const char *model_path, int64_t deadline_ns, kn_connection *out_connection) {
  both *b = self;
  int ends[2];
  (void)model_path, (void)deadline_ns;
  *out_connection = (kn_connection){.fd = -1};
  b->attempts++;
  if (b->served) return kn_status_make(b->again, "the target is gone");
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  kt_assert_ok(kn_connection_adopt(ends[0], out_connection));
  kt_assert_ok(kn_connection_adopt(ends[1], &b->worker));
  b->served = true;
  assert_int_equal(pthread_create(&b->thread, NULL, serve, b), 0);
  return NULL;
}

static const kn_runtimeprotocol_ops ops = {
    .struct_size = sizeof ops, .open = open_protocol, .close = close_protocol, .connect = connect_to};
static const kn_class cls = {.struct_size = sizeof cls, .name = "kenning.test.Both", .ops = &ops};

static void begin(both *b, size_t wire, bool packed, bool offer) {
  *b = (both){.again = KN_IO_ERROR,
              .link = {.wire = kt_wires[wire],
                       .hello = kt_wires[wire].format != KN_WIRE_2022 && !packed,
                       .ping = packed,
                       .packed = packed,
                       .offer = offer,
                       .timeout_s = 20,
                       .idle_s = 20,
                       .slowest = 1e9,
                       .model_limit = 1000,
                       .tensor_limit = 1000}};
  kt_target_open(&b->target, &b->link.wire);
  b->protocol = (kn_instance){.cls = &cls, .self = b};
  b->sent = kt_path(b->target.directory, "sent.bin");
  kt_file_write_text(b->sent, "a model in several frames where these are small: ..............................");
}

static void end(both *b) {
  if (b->served) pthread_join(b->thread, NULL);
  kt_target_close(&b->target);
  free(b->sent);
}

static kn_iospec make_spec(void) {
  kn_iospec spec;
  kt_assert_ok(kn_iospec_parse(KT_SPEC, strlen(KT_SPEC), "test", &spec));
  return spec;
}

static float input[4] = {3, 4, 5, 6};

static kn_tensor_view view_of(float *data, int64_t count) {
  return (kn_tensor_view){
      .data = data, .bytes = (size_t)count * sizeof *data, .dtype = KN_FLOAT32, .rank = 2, .shape = {1, count}};
}

/* Everything that a run asks of a target. */
static kn_status run(kn_remote *remote, const kn_load_request *request, kn_record *record) {
  const kn_inference_ops *inference = &kn_remote_inference;
  float result[2] = {0};
  kn_tensor_view in = view_of(input, 4), out = view_of(result, 2);
  KN_TRY(inference->load(remote, request));
  for (int i = 0; i < 2; i++) {
    KN_TRY(inference->set_input(remote, &in, 1));
    KN_TRY(inference->invoke(remote));
    KN_TRY(inference->output(remote, &out, 1));
    assert_memory_equal(result, input, sizeof result);
  }
  KN_TRY(inference->statistics(remote, record));
  return kn_remote_measurements(remote, 2, record);
}

static void run_out(size_t wire, bool packed, bool offer) {
  kn_iospec spec = make_spec();
  uint64_t n = 0;
  for (bool whole = false; !whole; n++) {
    both b;
    kn_record *record;
    assert_true(n < MOST);
    begin(&b, wire, packed, offer);
    kt_assert_ok(kn_record_create(&record));
    kn_remote remote = {.protocol = &b.protocol, .client.connection.fd = -1};
    const kn_load_request request = {.path = b.sent, .spec = &spec, .batch = 1};
    kn_memory_fail_after(n);
    kn_status status = run(&remote, &request, record);
    kn_remote_inference.unload(&remote);
    whole = !status;
    assert_true(whole || *kn_status_message(status, 0));
    kn_status_free(status);
    if (b.served) pthread_join(b.thread, NULL);
    b.served = false;
    kn_memory_fail_after(UINT64_MAX);
    kn_record_destroy(record);
    end(&b);
  }
  assert_true(n > 50); /* there is that much to go wrong */
  kn_iospec_clear(&spec);
}

static void memory_may_run_out_anywhere(void **state) {
  (void)state;
  run_out(4, false, true);
  run_out(5, false, true);
  run_out(0, false, false);
  run_out(5, true, true);
  run_out(5, true, false);
}

/* ---- what makes no sense ---- */

static void what_comes_too_early_is_refused(void **state) {
  (void)state;
  both b;
  begin(&b, 4, false, true);
  kn_iospec spec = make_spec(), told;
  kn_record *record;
  float result[2];
  kn_tensor_view in = view_of(input, 4), two[] = {in, in}, out = view_of(result, 2), other = view_of(input, 3);
  kn_remote remote = {.protocol = &b.protocol, .client.connection.fd = -1};
  const kn_inference_ops *inference = &kn_remote_inference;
  kt_assert_ok(kn_record_create(&record));
  kt_assert_fault(inference->iospec(&remote, &told), KN_INVALID_ARGUMENT, "no model");
  kt_assert_fault(inference->set_input(&remote, &in, 1), KN_INVALID_ARGUMENT, "no model");
  kt_assert_fault(inference->invoke(&remote), KN_INVALID_ARGUMENT, "no model");
  kt_assert_fault(inference->output(&remote, &out, 1), KN_INVALID_ARGUMENT, "no model");
  kt_assert_fault(inference->statistics(&remote, record), KN_INVALID_ARGUMENT, "no model");
  const kn_load_request bare = {.path = b.sent, .batch = 1}, request = {.path = b.sent, .spec = &spec, .batch = 1};
  kt_assert_fault(inference->load(&remote, &bare), KN_INVALID_ARGUMENT, "io specification");
  kt_assert_ok(inference->load(&remote, &request));
  kt_assert_ok(inference->iospec(&remote, &told));
  assert_int_equal(told.input.count, 1);
  kn_iospec_clear(&told);
  kt_assert_fault(inference->invoke(&remote), KN_INVALID_ARGUMENT, "no input");
  kt_assert_fault(kn_client_infer_finish(&remote.client, result, sizeof result), KN_INVALID_ARGUMENT, "under way");
  kt_assert_fault(inference->set_input(&remote, two, 2), KN_INVALID_ARGUMENT, "tensors");
  kt_assert_fault(inference->set_input(&remote, &other, 1), KN_INVALID_ARGUMENT, "size");
  other = in;
  other.dtype = KN_INT32;
  kt_assert_fault(inference->set_input(&remote, &other, 1), KN_INVALID_ARGUMENT, "type");
  kt_assert_ok(inference->set_input(&remote, &in, 1)); /* nothing was lost of that */
  kt_assert_ok(inference->invoke(&remote));
  kt_assert_ok(inference->output(&remote, &out, 1));
  assert_memory_equal(result, input, sizeof result);
  inference->unload(&remote);
  kn_record_destroy(record);
  kn_iospec_clear(&spec);
  end(&b);
}

/* A model that is no file with something in it is told before anything is sent. */
static void what_is_no_model_is_not_sent(void **state) {
  (void)state;
  for (int i = 0; i < 3; i++) {
    both b;
    begin(&b, 4, false, i > 0);
    kn_iospec spec = make_spec();
    kn_remote remote = {.protocol = &b.protocol, .client.connection.fd = -1};
    assert_int_equal(unlink(b.sent), 0);
    if (i == 1) assert_int_equal(mkdir(b.sent, 0700), 0);
    if (i == 2) kt_file_write_text(b.sent, "");
    const kn_load_request request = {.path = b.sent, .spec = &spec, .batch = 1};
    kt_assert_fault(kn_remote_inference.load(&remote, &request), i ? KN_INCOMPATIBLE : KN_NOT_FOUND, "sent.bin");
    kn_iospec_clear(&spec);
    end(&b);
  }
}

/* ---- several tensors, batches ---- */

/* Two inputs, two outputs: each output is its input, in the order of the model, not of the wire. */
static float held[2][8];

static kn_status load_pair(void *self, const kn_load_request *request) {
  (void)self;
  assert_int_equal(request->batch, 2);
  return NULL;
}

static void unload_pair(void *self) { (void)self; }

static const char pair_json[] =
    "{\"input\": [{\"name\": \"a\", \"shape\": [-1, 4], \"dtype\": \"float32\", \"order\": 1}, "
    "{\"name\": \"b\", \"shape\": [-1, 2], \"dtype\": \"float32\", \"order\": 0}], "
    "\"output\": [{\"name\": \"c\", \"shape\": [-1, 4], \"dtype\": \"float32\"}, "
    "{\"name\": \"d\", \"shape\": [-1, 2], \"dtype\": \"float32\"}]}";

static kn_status pair_spec(void *self, kn_iospec *out_spec) {
  (void)self;
  KN_TRY(kn_iospec_parse(pair_json, sizeof pair_json - 1, "test", out_spec));
  for (size_t i = 0; i < 2; i++) out_spec->input.entries[i].shape[0] = out_spec->output.entries[i].shape[0] = 2;
  return NULL;
}

static kn_status set_pair(void *self, const kn_tensor_view *inputs, size_t count) {
  (void)self;
  assert_int_equal(count, 2);
  for (size_t i = 0; i < 2; i++) memcpy(held[i], inputs[i].data, inputs[i].bytes);
  return NULL;
}

static kn_status invoke_pair(void *self) {
  (void)self;
  return NULL;
}

static kn_status get_pair(void *self, const kn_tensor_view *outputs, size_t count) {
  (void)self;
  assert_int_equal(count, 2);
  for (size_t i = 0; i < 2; i++) memcpy(outputs[i].data, held[i], outputs[i].bytes);
  return NULL;
}

static kn_status tell_pair(void *self, kn_record *out_record) {
  (void)self;
  KN_TRY(kn_record_set_string(out_record, "library_version", "1.2"));
  return kn_record_set_int(out_record, "threads", 3);
}

static const kn_inference_ops pair_ops = {.struct_size = sizeof pair_ops,
                                          .load = load_pair,
                                          .unload = unload_pair,
                                          .iospec = pair_spec,
                                          .set_input = set_pair,
                                          .invoke = invoke_pair,
                                          .output = get_pair,
                                          .statistics = tell_pair};

static void several_tensors_travel_in_batches(void **state) {
  (void)state;
  for (size_t wire = 0; wire < KT_WIRES; wire++) {
    both b;
    kn_iospec spec;
    kn_record *record;
    float a[8] = {1, 2, 3, 4, 5, 6, 7, 8}, d[4] = {9, 10, 11, 12}, results[2][8] = {{0}};
    kn_tensor_view in[2] = {view_of(a, 4), view_of(d, 2)}, out[2] = {view_of(results[0], 4), view_of(results[1], 2)};
    for (size_t i = 0; i < 2; i++) {
      in[i].shape[0] = out[i].shape[0] = 2;
      in[i].bytes *= 2;
      out[i].bytes *= 2;
    }
    begin(&b, wire, false, wire % 2);
    b.target.engine.ops = &pair_ops;
    kn_remote remote = {.protocol = &b.protocol, .client.connection.fd = -1};
    kt_assert_ok(kn_iospec_parse(pair_json, sizeof pair_json - 1, "test", &spec));
    const kn_load_request request = {.path = b.sent, .spec = &spec, .batch = 2};
    kt_assert_ok(kn_remote_inference.load(&remote, &request));
    kt_assert_ok(kn_remote_inference.set_input(&remote, in, 2));
    kt_assert_ok(kn_remote_inference.invoke(&remote));
    kt_assert_ok(kn_remote_inference.output(&remote, out, 2));
    assert_memory_equal(results[0], a, sizeof a);
    assert_memory_equal(results[1], d, sizeof d);
    kt_assert_ok(kn_record_create(&record));
    kt_assert_ok(kn_remote_inference.statistics(&remote, record));
    assert_int_equal(yyjson_mut_get_int(yyjson_mut_obj_get(kn_record_value(record), "threads")), 3);
    assert_string_equal(yyjson_mut_get_str(yyjson_mut_obj_get(kn_record_value(record), "library_version")), "1.2");
    kn_record_destroy(record);
    kn_remote_inference.unload(&remote);
    kn_iospec_clear(&spec);
    end(&b);
  }
}

/* A connection that breaks is made again where that may help, as often as was asked for. */
static void a_broken_connection_is_made_again_where_that_may_help(void **state) {
  (void)state;
  static const struct {
    kn_code again;
    int attempts; /* the first one included */
  } cases[] = {{KN_IO_ERROR, 3},  {KN_TIMEOUT, 3},      {KN_BUSY, 3},
               {KN_NOT_FOUND, 3}, {KN_INCOMPATIBLE, 2}, {KN_CANCELLED, 2}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    both b;
    kn_iospec spec = make_spec();
    float result[2];
    kn_tensor_view in = view_of(input, 4), out = view_of(result, 2);
    begin(&b, 4, false, i % 2);
    b.link.retries = 2;
    b.again = cases[i].again;
    kn_remote remote = {.protocol = &b.protocol, .client.connection.fd = -1};
    const kn_load_request request = {.path = b.sent, .spec = &spec, .batch = 1};
    kt_assert_ok(kn_remote_inference.load(&remote, &request));
    assert_int_equal(shutdown(remote.client.connection.fd, SHUT_RDWR), 0);
    kn_status status = kn_remote_inference.set_input(&remote, &in, 1);
    if (!status) status = kn_remote_inference.invoke(&remote);
    if (!status) status = kn_remote_inference.output(&remote, &out, 1);
    assert_int_equal(kn_status_code(status), cases[i].again);
    kn_status_free(status);
    assert_int_equal(b.attempts, cases[i].attempts);
    kn_remote_inference.unload(&remote);
    kn_iospec_clear(&spec);
    end(&b);
  }
}

/* More than what a session keeps of its answers. */
static void large_tensors_travel(void **state) {
  (void)state;
  enum { VALUES = 400000 };
  static const char json[] =
      "{\"input\": [{\"name\": \"x\", \"shape\": [1, 400000], \"dtype\": \"float32\"}], "
      "\"output\": [{\"name\": \"y\", \"shape\": [1, 400000], \"dtype\": \"float32\"}]}";
  float *sent = calloc(VALUES, sizeof *sent), *result = calloc(VALUES, sizeof *result);
  assert_true(sent && result);
  for (size_t i = 0; i < VALUES; i++) sent[i] = (float)i;
  for (size_t wire = 0; wire < KT_WIRES; wire++) {
    both b;
    kn_iospec spec;
    kn_tensor_view in = view_of(sent, VALUES), out = view_of(result, VALUES);
    begin(&b, wire, false, wire % 2);
    b.link.tensor_limit = b.target.engine.payload_limit = 8 << 20;
    kn_remote remote = {.protocol = &b.protocol, .client.connection.fd = -1};
    kt_assert_ok(kn_iospec_parse(json, sizeof json - 1, "test", &spec));
    const kn_load_request request = {.path = b.sent, .spec = &spec, .batch = 1};
    kt_assert_ok(kn_remote_inference.load(&remote, &request));
    for (int i = 0; i < 2; i++) {
      memset(result, 0, VALUES * sizeof *result);
      kt_assert_ok(kn_remote_inference.set_input(&remote, &in, 1));
      kt_assert_ok(kn_remote_inference.invoke(&remote));
      kt_assert_ok(kn_remote_inference.output(&remote, &out, 1));
      assert_memory_equal(result, sent, VALUES * sizeof *result);
    }
    kn_remote_inference.unload(&remote);
    kn_iospec_clear(&spec);
    end(&b);
  }
  free(sent);
  free(result);
}

/* The format of 2022 has no checksums: asking for them changes nothing. */
static void checksums_are_none_in_the_format_of_2022(void **state) {
  (void)state;
  for (int offer = 0; offer < 2; offer++) {
    both b;
    kn_record *record;
    kn_iospec spec = make_spec();
    begin(&b, 0, false, offer);
    b.link.wire.checksums = true;
    kn_remote remote = {.protocol = &b.protocol, .client.connection.fd = -1};
    const kn_load_request request = {.path = b.sent, .spec = &spec, .batch = 1};
    kt_assert_ok(kn_record_create(&record));
    kt_assert_ok(run(&remote, &request, record));
    kn_remote_inference.unload(&remote);
    kn_record_destroy(record);
    kn_iospec_clear(&spec);
    end(&b);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(memory_may_run_out_anywhere),
      cmocka_unit_test(what_comes_too_early_is_refused),
      cmocka_unit_test(what_is_no_model_is_not_sent),
      cmocka_unit_test(several_tensors_travel_in_batches),
      cmocka_unit_test(a_broken_connection_is_made_again_where_that_may_help),
      cmocka_unit_test(large_tensors_travel),
      cmocka_unit_test(checksums_are_none_in_the_format_of_2022),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
