/* Lets each allocation of a host's part of a run fail, from the connection to the last figure, against a target whose
 * answers lie ready: the run is told to be out of memory, or all it gave is whole, and the next one works. */
#include "core/log.h"
#include "core/memory.h"
#include "core/record_json.h"
#include "core/registry.h"
#include "fuzz/wire/memory_connection.h"
#include "support/directory.h"
#include "support/status.h"
#include "support/unit.h"
#include "target/optimizing.h"
#include "target/remote.h"
#include "torture/system.h"
#include "wire/packed.h"

#include <errno.h>
#include <kenning/services.h>
#include <string.h>
#include <unistd.h>

#define SPEC                                                                                  \
  "{\"input\": [{\"name\": \"x\", \"shape\": [1, 4], \"dtype\": \"float32\", \"order\": 0}, " \
  "{\"name\": \"z\", \"shape\": [1, 4], \"dtype\": \"float32\", \"order\": 1}], "             \
  "\"output\": [{\"name\": \"y\", \"shape\": [1, 2], \"dtype\": \"float32\", \"order\": 0}, " \
  "{\"name\": \"w\", \"shape\": [1, 2], \"dtype\": \"float32\", \"order\": 1}]}"
#define STATISTICS                                                                                                \
  "{\"target\": {\"peak_rss_bytes\": 4096, \"model_hash_seconds\": 0.5, \"runtime\": {\"threads\": 2, "           \
  "\"library_version\": \"1.2\"}}, \"target_inference_step\": [0.25, 0.5], \"target_inference_step_timestamp\": " \
  "[1, 2], \"session_utilization_cpus_percent\": [[1, 2]], \"session_utilization_mem_percent\": [3], "            \
  "\"session_utilization_timestamp\": [4], \"session_utilization_temperature_celsius\": {\"cpu\": [50]}, "        \
  "\"process_rss_bytes\": [5], \"process_cpu_percent\": [6], \"process_timestamp\": [7], "                        \
  "\"allocation_stats\": {\"host_bytes_peak\": 8}}"

enum { INFERENCES = 2, MOST_ALLOCATIONS = 2000 };

typedef struct target {
  bool extended, packed;
  char *model;
  uint8_t said[8192];
} target;

static target peer;

static kn_status open_protocol(void *self, kn_link_config *out_config) {
  const target *t = self;
  *out_config = (kn_link_config){.wire = {.format = KN_WIRE_12, .frame_limit = 1 << 20},
                                 .timeout_s = 5,
                                 .slowest = 1e6,
                                 .offer = t->extended,
                                 .packed = t->packed,
                                 .model_limit = 1 << 20,
                                 .tensor_limit = 1 << 20};
  return NULL;
}

static void close_protocol(void *self) { (void)self; }

static size_t add_clock(uint8_t *said, size_t count) {
  const uint8_t clock[8] = {1};
  for (int i = 0; i < KN_CLOCK_ROUNDS; i++)
    count = kt_memory_answer(said, count, KN_MESSAGE_CLOCK, clock, sizeof clock);
  return count;
}

static size_t add_inference(const target *t, uint8_t *said, size_t count) {
  uint8_t inferred[KN_INFER_PREFIX + 16] = {0};
  for (size_t i = 0; i < 16; i++) inferred[KN_INFER_PREFIX + i] = (uint8_t)i;
  if (t->extended) return kt_memory_answer(said, count, KN_MESSAGE_INFER, inferred, sizeof inferred);
  count = kt_memory_done(said, count, KN_MESSAGE_DATA);
  count = kt_memory_done(said, count, KN_MESSAGE_PROCESS);
  return kt_memory_answer(said, count, KN_MESSAGE_OUTPUT, inferred + KN_INFER_PREFIX, 16);
}

static size_t add_statistics(const target *t, uint8_t *said, size_t count) {
  const kn_packed_row rows[] = {{"host_bytes_peak", KN_PACKED_ALLOCATION, 8}, {"inference_total", KN_PACKED_TIME, 9}};
  uint8_t packed[2 * KN_PACKED_ROW];
  for (size_t i = 0; i < 2; i++) kn_packed_statistics_write(&rows[i], packed + i * KN_PACKED_ROW);
  return t->packed ? kt_memory_answer(said, count, KN_MESSAGE_STATS, packed, sizeof packed)
                   : kt_memory_answer(said, count, KN_MESSAGE_STATS, STATISTICS, sizeof STATISTICS - 1);
}

static kn_status connect_to(void *self, const char *model_path, int64_t deadline_ns, kn_connection *out_connection) {
  target *t = self;
  const uint8_t specified[] = {2, 'K', 'N', 1};
  (void)model_path, (void)deadline_ns;
  size_t count = kt_memory_answer(t->said, 0, KN_MESSAGE_IO_SPEC, specified, t->extended ? 4 : 1);
  count = kt_memory_done(t->said, count, t->extended ? KN_MESSAGE_IDENTITY : KN_MESSAGE_MODEL);
  if (t->extended) count = add_clock(t->said, count);
  for (int i = 0; i < INFERENCES; i++) count = add_inference(t, t->said, count);
  if (t->extended) count = add_clock(t->said, count);
  count = add_statistics(t, t->said, count);
  *out_connection = kt_memory_connection(t->said, count, false);
  return NULL;
}

static kn_status connect_for_optimizers(void *self, const char *model_path, int64_t deadline_ns,
                                        kn_connection *out_connection) {
  target *t = self;
  (void)model_path, (void)deadline_ns;
  size_t count = kt_memory_done(t->said, 0, KN_MESSAGE_OPTIMIZERS);
  count = kt_memory_done(t->said, count, KN_MESSAGE_UNOPTIMIZED_MODEL);
  count = kt_memory_answer(t->said, count, KN_MESSAGE_OPTIMIZE_MODEL, "optimized", 9);
  *out_connection = kt_memory_connection(t->said, count, false);
  return NULL;
}

static const kn_runtimeprotocol_ops run_ops = {
    .struct_size = sizeof run_ops, .open = open_protocol, .close = close_protocol, .connect = connect_to};
static const kn_runtimeprotocol_ops optimize_ops = {.struct_size = sizeof optimize_ops,
                                                    .open = open_protocol,
                                                    .close = close_protocol,
                                                    .connect = connect_for_optimizers};
static const kn_class run_class = {.struct_size = sizeof(kn_class), .name = "test.Run", .ops = &run_ops};
static const kn_class optimize_class = {.struct_size = sizeof(kn_class), .name = "test.Optimize", .ops = &optimize_ops};

/* ---- a run ---- */

static kn_status expect(bool holds, const char *what) {
  return holds ? NULL : kn_status_make(KN_BAD_DATA, "wrong: %s", what);
}

static kn_status infer(kn_remote *remote) {
  float x[2][4] = {{1}}, y[2][2] = {{0}};
  const kn_tensor_view inputs[] = {{.data = x[0], .bytes = 16, .dtype = KN_FLOAT32, .rank = 2, .shape = {1, 4}},
                                   {.data = x[1], .bytes = 16, .dtype = KN_FLOAT32, .rank = 2, .shape = {1, 4}}};
  const kn_tensor_view outputs[] = {{.data = y[0], .bytes = 8, .dtype = KN_FLOAT32, .rank = 2, .shape = {1, 2}},
                                    {.data = y[1], .bytes = 8, .dtype = KN_FLOAT32, .rank = 2, .shape = {1, 2}}};
  KN_TRY(kn_remote_inference.set_input(remote, inputs, 2));
  KN_TRY(kn_remote_inference.invoke(remote));
  KN_TRY(kn_remote_inference.output(remote, outputs, 2));
  return expect(((const uint8_t *)y)[15] == 15, "the output");
}

static kn_status measure(kn_remote *remote, kn_record *record) {
  static const kn_inference_times times[INFERENCES] = {{.output_end = 5000}, {.output_end = 6000}};
  KN_TRY(kn_remote_measurements(remote, INFERENCES, record));
  KN_TRY(kn_remote_inference.statistics(remote, record));
  KN_TRY(kn_remote_wire(remote, times, 0, INFERENCES, record));
  yyjson_mut_val *root = kn_record_value(record);
  if (peer.packed) return expect(yyjson_mut_obj_get(root, "allocation_stats"), "allocation_stats");
  KN_TRY(expect(yyjson_mut_obj_get(root, "process_peak_rss_bytes"), "the peak"));
  return expect(yyjson_mut_obj_get(root, "session_utilization_temperature_celsius"), "the temperature");
}

static kn_status session(kn_remote *remote, const kn_iospec *spec, kn_record *record) {
  kn_iospec copy;
  KN_TRY(kn_remote_inference.load(remote, &(kn_load_request){.path = peer.model, .spec = spec, .batch = 1}));
  KN_TRY(kn_remote_inference.iospec(remote, &copy));
  kn_status status = expect(copy.input.count == 2, "the io specification");
  kn_iospec_clear(&copy);
  for (int i = 0; i < INFERENCES && !status; i++) status = infer(remote);
  return status ? status : measure(remote, record);
}

static kn_status run(const kn_iospec *spec) {
  const kn_instance protocol = {.cls = &run_class, .self = &peer};
  kn_remote remote = {.protocol = &protocol, .client.connection.fd = -1};
  kn_record *record;
  KN_TRY(kn_record_create(&record));
  kn_status status = session(&remote, spec, record);
  kn_record_destroy(record);
  kn_remote_inference.unload(&remote);
  return status;
}

/* ---- optimizers ---- */

static kn_instance optimizers[2];
static char *result;

static kn_status optimize(const kn_iospec *spec) {
  const kn_instance protocol = {.cls = &optimize_class, .self = &peer};
  const kn_optimizing optimizing = {.protocol = &protocol,
                                    .optimizers = optimizers,
                                    .count = 2,
                                    .model_path = peer.model,
                                    .format = peer.packed ? NULL : "onnx",
                                    .spec = spec,
                                    .result_path = result};
  unlink(result);
  kn_status status = kn_optimizing_run(&optimizing);
  bool there = !access(result, F_OK);
  if (status && there) {
    kn_status_free(status);
    return kn_status_make(KN_BAD_DATA, "wrong: half a result");
  }
  return status ? status : expect(there, "the result");
}

/* ---- the driver ---- */

static void let_fail(const char *what, kn_status (*operation)(const kn_iospec *spec)) {
  kn_iospec spec;
  kt_assert_ok(kn_iospec_parse(SPEC, sizeof SPEC - 1, "test", &spec));
  kt_assert_ok(operation(&spec));
  uint64_t before = kn_memory_allocations();
  kt_assert_ok(operation(&spec));
  uint64_t needed = kn_memory_allocations() - before;
  assert_in_range(needed, 10, MOST_ALLOCATIONS);
  for (uint64_t n = 0; n < needed; n++) {
    kn_memory_fail_after(n);
    kn_status status = operation(&spec);
    kn_memory_fail_after(UINT64_MAX);
    kn_code code = kn_status_code(status);
    if (code != KN_OK && code != KN_OUT_OF_MEMORY)
      kt_fail("%s, allocation %llu of %llu: %s", what, (unsigned long long)n, (unsigned long long)needed,
              kn_status_message(status, 0));
    kn_status_free(status);
  }
  kt_assert_ok(operation(&spec));
  kn_iospec_clear(&spec);
}

static void runs(void **state) {
  (void)state;
  peer.extended = true;
  let_fail("a run", run);
  peer.extended = false;
  let_fail("a run without extensions", run);
  peer.packed = true;
  let_fail("a run without JSON", run);
  peer.packed = false;
}

static void optimizers_on_a_target(void **state) {
  (void)state;
  let_fail("optimizers", optimize);
  peer.packed = true; /* here: the format of the model is not known */
  let_fail("optimizers of an unknown format", optimize);
  peer.packed = false;
}

/* ---- files that are sent ---- */

static kn_client client_of(kn_wire_format format, bool checksums) {
  const kn_link_config link = {
      .wire = {.format = format, .frame_limit = 64, .checksums = checksums}, .timeout_s = 5, .slowest = 1e6};
  size_t count = kt_memory_done(peer.said, 0, KN_MESSAGE_MODEL);
  kn_client client;
  kt_assert_ok(kn_client_open(kt_memory_connection(peer.said, count, false), &link, &client));
  return client;
}

static void what_the_format_of_2022_cannot_say(void **state) {
  kn_client client = client_of(KN_WIRE_2022, false);
  const uint64_t most = kn_frame_payload_limit(KN_WIRE_2022);
  kt_assert_fault(kn_client_upload(&client, KN_MESSAGE_DATA, "x", (size_t)most + 1), KN_INCOMPATIBLE,
                  "has no messages");
  kn_client_close(&client);
  char *large = kt_path(*state, "large");
  kt_file_write_text(large, "");
  assert_int_equal(truncate(large, (off_t)most + 1), 0); /* takes no room */
  client = client_of(KN_WIRE_2022, false);
  kt_assert_fault(kn_client_upload_file(&client, KN_MESSAGE_MODEL, large), KN_INCOMPATIBLE, "too large");
  kn_client_close(&client);
  free(large);
}

static void a_model_that_cannot_be_read(void **state) {
  (void)state;
  static const struct {
    const char *function;
    int error;
    kn_code code;
  } cases[] = {{"open", EIO, KN_IO_ERROR},
               {"open", ENOENT, KN_NOT_FOUND},
               {"fstat", EIO, KN_IO_ERROR},
               {"read", EIO, KN_IO_ERROR},
               {"read", EINTR, KN_OK}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    kn_client client = client_of(KN_WIRE_12, true);
    kt_system_fail(cases[i].function, 1, cases[i].error);
    kn_status status = kn_client_upload_file(&client, KN_MESSAGE_MODEL, peer.model);
    assert_true(kt_system_mend());
    /* The answers that lie ready have no sums: the upload went on to them. */
    const char *said = kn_status_message(status, 0);
    if (cases[i].code ? kn_status_code(status) != cases[i].code : !strstr(said, "closed the connection"))
      kt_fail("%s: %s: %s", cases[i].function, strerror(cases[i].error), said);
    kn_status_free(status);
    kn_client_close(&client);
  }
}

static int set_up(void **state) {
  static char *directory;
  const kn_class *cls;
  kn_log_set_level(KN_LOG_CRITICAL + 1);
  directory = kt_directory_make();
  peer.model = kt_path(directory, "model.onnx");
  result = kt_path(directory, "result.onnx");
  kt_file_write_text(peer.model, "a model");
  kt_assert_ok(kn_registry_find("ModelInserter", KN_KIND_OPTIMIZER, &cls));
  for (int i = 0; i < 2; i++) kt_assert_ok(kn_instance_create(cls, &optimizers[i]));
  *state = directory;
  return 0;
}

static int tear_down(void **state) {
  for (int i = 0; i < 2; i++) kn_instance_destroy(&optimizers[i]);
  free(peer.model);
  free(result);
  kt_directory_remove(*state);
  kn_registry_unload();
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(runs), cmocka_unit_test(optimizers_on_a_target),
                                     cmocka_unit_test(what_the_format_of_2022_cannot_say),
                                     cmocka_unit_test(a_model_that_cannot_be_read)};
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
