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

typedef struct fuzz_target {
  const uint8_t *data;
  size_t size;
} fuzz_target;

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

/* Adds a frame behind the first `count` of the bytes. */
static size_t answer(uint8_t *out, size_t count, uint64_t type, const void *payload, size_t bytes) {
  const kn_frame frame = {
      .type = type,
      .flow = KN_FLOW_TRANSMISSION,
      .flags = KN_FLAG_SUCCESS | KN_FLAG_FIRST | KN_FLAG_LAST | KN_FLAG_KENNING | (bytes ? KN_FLAG_PAYLOAD : 0),
      .payload = (uint32_t)bytes};
  kn_frame_encode(KN_WIRE_12, false, &frame, out + count);
  count += kn_frame_header_size(KN_WIRE_12);
  if (bytes) memcpy(out + count, payload, bytes);
  return count + bytes;
}

/* All answers lie ready before the host asks. */
static kn_status connect_to(void *self, const char *model_path, int64_t deadline_ns, kn_connection *out_connection) {
  static uint8_t said[MOST + 1024];
  const fuzz_target *target = self;
  (void)model_path, (void)deadline_ns;
  const uint8_t specified = kn_message_action(KN_MESSAGE_IO_SPEC), loaded = kn_message_action(KN_MESSAGE_MODEL);
  size_t count = answer(said, 0, KN_MESSAGE_IO_SPEC, &specified, 1);
  count = answer(said, count, KN_MESSAGE_MODEL, &loaded, 1);
  count = answer(said, count, KN_MESSAGE_STATS, target->data, target->size);
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char spec_json[] =
      "{\"input\": [{\"name\": \"x\", \"shape\": [1, 4], \"dtype\": \"float32\"}], "
      "\"output\": [{\"name\": \"y\", \"shape\": [1, 2], \"dtype\": \"float32\"}]}";
  if (size > MOST) return 0;
  kn_log_set_level(KN_LOG_CRITICAL);
  fuzz_target target = {.data = data, .size = size};
  const kn_instance protocol = {.cls = &cls, .self = &target};
  kn_remote remote = {.protocol = &protocol, .client.connection.fd = -1};
  kn_iospec spec;
  kn_record *record;
  if (kn_iospec_parse(spec_json, sizeof spec_json - 1, "fuzz", &spec) || kn_record_create(&record)) abort();
  const kn_load_request request = {.path = "model", .spec = &spec, .batch = 1};
  if (kn_remote_inference.load(&remote, &request)) abort();
  static const kn_inference_times times[INFERENCES] = {{.output_end = 5000}, {.output_end = 6000}};
  kn_status status = kn_remote_measurements(&remote, INFERENCES, record);
  if (!status) check_record(record);
  kn_status_free(status);
  kn_status_free(kn_remote_inference.statistics(&remote, record));
  if (kn_remote_wire(&remote, times, 0, INFERENCES, record)) abort();
  kn_record_destroy(record);
  kn_remote_inference.unload(&remote);
  kn_iospec_clear(&spec);
  return 0;
}
