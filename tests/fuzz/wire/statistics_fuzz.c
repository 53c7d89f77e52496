/* What a target says that it measured, arbitrary bytes, read by a host: JSON or a packed layout. What gets into the
 * record of the run are lists of numbers that belong together. */
#include "core/log.h"
#include "core/record_json.h"
#include "target/remote.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INFERENCES = 2 };

typedef struct fuzz_target {
  const uint8_t *data;
  size_t size;
  int peer;
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

static void answer(int fd, uint64_t type, const void *payload, size_t bytes) {
  const kn_frame frame = {
      .type = type,
      .flow = KN_FLOW_TRANSMISSION,
      .flags = KN_FLAG_SUCCESS | KN_FLAG_FIRST | KN_FLAG_LAST | KN_FLAG_KENNING | (bytes ? KN_FLAG_PAYLOAD : 0),
      .payload = (uint32_t)bytes};
  uint8_t header[KN_FRAME_HEADER_MAXIMUM];
  kn_frame_encode(KN_WIRE_12, false, &frame, header);
  if (write(fd, header, sizeof header) < 0 || (bytes && write(fd, payload, bytes) < 0)) abort();
}

/* All answers lie ready before the host asks. */
static kn_status connect_to(void *self, const char *model_path, int64_t deadline_ns, kn_connection *out_connection) {
  fuzz_target *target = self;
  (void)model_path, (void)deadline_ns;
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0) abort();
  const uint8_t specified = kn_message_action(KN_MESSAGE_IO_SPEC), loaded = kn_message_action(KN_MESSAGE_MODEL);
  answer(ends[1], KN_MESSAGE_IO_SPEC, &specified, 1);
  answer(ends[1], KN_MESSAGE_MODEL, &loaded, 1);
  answer(ends[1], KN_MESSAGE_STATS, target->data, target->size);
  shutdown(ends[1], SHUT_WR);
  target->peer = ends[1];
  return kn_connection_adopt(ends[0], out_connection);
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
  if (size > 65536) return 0;
  kn_log_set_level(KN_LOG_CRITICAL);
  fuzz_target target = {.data = data, .size = size, .peer = -1};
  const kn_instance protocol = {.cls = &cls, .self = &target};
  kn_remote remote = {.protocol = &protocol, .client.connection.fd = -1};
  kn_iospec spec;
  kn_record *record;
  if (kn_iospec_parse(spec_json, sizeof spec_json - 1, "fuzz", &spec) || kn_record_create(&record)) abort();
  const kn_load_request request = {.path = "model", .spec = &spec, .batch = 1};
  if (kn_remote_inference.load(&remote, &request)) abort();
  kn_status status = kn_remote_measurements(&remote, INFERENCES, record);
  if (!status) check_record(record);
  kn_status_free(status);
  kn_record_destroy(record);
  kn_remote_inference.unload(&remote);
  close(target.peer);
  kn_iospec_clear(&spec);
  return 0;
}
