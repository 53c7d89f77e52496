/* What a target says that it measured, arbitrary bytes, read by a host: JSON or a packed layout. What gets into the
 * record of the run are lists of numbers that belong together. */
#include "core/log.h"
#include "core/record_json.h"
#include "memory_connection.h"
#include "target/remote.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INFERENCES = 2, MOST = 65536 };

static kn_status open_protocol(void *self, kn_link_config *out_config) {
  (void)self;
  *out_config = (kn_link_config){.wire = {.format = KN_WIRE_12, .frame_limit = 1 << 20},
                                 .timeout_s = 5,
                                 .slowest = 1e6,
                                 .model_limit = 1 << 20,
                                 .tensor_limit = 1 << 20};
  return NULL;
}

static void close_protocol(void *self) { (void)self; }

static uint8_t said[MOST + 1024];

/* The answers that loading takes lie ready before the host asks. */
static kn_status connect_to(void *self, const char *model_path, int64_t deadline_ns, kn_connection *out_connection) {
  (void)self, (void)model_path, (void)deadline_ns;
  size_t count = kt_memory_done(said, 0, KN_MESSAGE_IO_SPEC);
  count = kt_memory_done(said, count, KN_MESSAGE_MODEL);
  *out_connection = kt_memory_connection(said, count, false);
  return NULL;
}

static const kn_runtimeprotocol_ops ops = {
    .struct_size = sizeof ops, .open = open_protocol, .close = close_protocol, .connect = connect_to, .in_place = true};
static const kn_class cls = {.struct_size = sizeof(kn_class),
                             .name = "kenning.runtimeprotocols.fuzz.Fuzz",
                             .kind = KN_KIND_RUNTIMEPROTOCOL,
                             .summary = "Says what it is given",
                             .ops = &ops};

static void check_numbers(yyjson_mut_val *list, bool nested) {
  size_t i, count;
  yyjson_mut_val *item;
  if (!yyjson_mut_is_arr(list)) abort();
  yyjson_mut_arr_foreach(list, i, count, item) {
    if (nested)
      check_numbers(item, false);
    else if (!yyjson_mut_is_num(item))
      abort();
  }
}

static void check_record(kn_record *record) {
  static const char *const lists[] = {"target_inference_step",
                                      "target_inference_step_timestamp",
                                      "session_utilization_mem_percent",
                                      "session_utilization_timestamp",
                                      "process_rss_bytes",
                                      "process_timestamp"};
  yyjson_mut_val *root = kn_record_value(record), *list;
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
    if ((list = yyjson_mut_obj_get(root, lists[i]))) check_numbers(list, false);
  if ((list = yyjson_mut_obj_get(root, "session_utilization_cpus_percent"))) check_numbers(list, true);
  if ((list = yyjson_mut_obj_get(root, lists[0])) && yyjson_mut_arr_size(list) != INFERENCES) abort();
}

/* Loaded once: the rest of a session is fuzzed elsewhere. */
static kn_remote remote;

static void load(void) {
  static const kn_instance protocol = {.cls = &cls};
  static const char spec_json[] =
      "{\"input\": [{\"name\": \"x\", \"shape\": [1, 4], \"dtype\": \"float32\"}], "
      "\"output\": [{\"name\": \"y\", \"shape\": [1, 2], \"dtype\": \"float32\"}]}";
  kn_iospec spec;
  kn_log_set_level(KN_LOG_CRITICAL);
  remote = (kn_remote){.protocol = &protocol, .client.connection.fd = -1};
  if (kn_iospec_parse(spec_json, sizeof spec_json - 1, "fuzz", &spec)) abort();
  const kn_load_request request = {.path = "model", .spec = &spec, .batch = 1};
  if (kn_remote_inference.load(&remote, &request)) abort();
  kn_iospec_clear(&spec);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size > MOST) return 0;
  if (!remote.protocol) load();
  remote.client.connection = kt_memory_connection(said, kt_memory_answer(said, 0, KN_MESSAGE_STATS, data, size), false);
  kn_record *record;
  if (kn_record_create(&record)) abort();
  static const kn_inference_times times[INFERENCES] = {{.output_end = 5000}, {.output_end = 6000}};
  kn_status status = kn_remote_measurements(&remote, INFERENCES, record);
  if (!status) check_record(record);
  kn_status_free(status);
  kn_status_free(kn_remote_inference.statistics(&remote, record));
  if (kn_remote_wire(&remote, times, 0, INFERENCES, record)) abort();
  kn_record_destroy(record);
  kn_record_destroy(remote.statistics);
  remote.statistics = NULL;
  return 0;
}
