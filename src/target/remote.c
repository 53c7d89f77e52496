#include "target/remote.h"

#include "core/iospec_json.h"
#include "core/record_json.h"
#include "wire/packed.h"

#include <kenning/services.h>
#include <string.h>

enum { STATISTICS_LIMIT = 256 << 20 };

static void unload(void *self) {
  kn_remote *remote = self;
  kn_client_close(&remote->client);
  if (remote->opened) {
    const kn_runtimeprotocol_ops *ops = remote->protocol->cls->ops;
    ops->close(remote->protocol->self);
  }
  remote->opened = false;
  kn_iospec_clear(&remote->spec);
  kn_iolayout_clear(&remote->input);
  kn_iolayout_clear(&remote->output);
  kn_tensor_free(&remote->input_payload);
  kn_tensor_free(&remote->output_payload);
  kn_record_destroy(remote->statistics);
  remote->statistics = NULL;
}

/* Why the connection ended, where that is known. */
static kn_status explain(const kn_remote *remote, kn_status status) {
  const kn_runtimeprotocol_ops *ops = remote->protocol->cls->ops;
  bool broken = status && remote->client.connection.fd < 0;
  return broken && ops->explain ? ops->explain(remote->protocol->self, status) : status;
}

/* ---- loading ---- */

static kn_status connect_to_target(kn_remote *remote, const char *model_path) {
  const kn_runtimeprotocol_ops *ops = remote->protocol->cls->ops;
  kn_link_config link;
  kn_connection connection;
  remote->opened = true;
  KN_TRY(ops->open(remote->protocol->self, &link));
  KN_TRY(ops->connect(remote->protocol->self, model_path, kn_now_ns() + (int64_t)(link.timeout_s * 1e9), &connection));
  return kn_client_open(connection, &link, &remote->client);
}

static void fill_batch(kn_iolist *list, int64_t batch) {
  for (size_t i = 0; i < list->count; i++)
    if (list->entries[i].rank && list->entries[i].shape[0] == -1) list->entries[i].shape[0] = batch;
}

static kn_status make_payload(size_t count, size_t bytes, kn_tensor_view *out_payload) {
  if (count < 2) return NULL;
  int64_t shape[1] = {(int64_t)bytes};
  return kn_tensor_create(KN_UINT8, 1, shape, out_payload);
}

static kn_status specify(kn_remote *remote, const kn_load_request *request) {
  size_t limit = (size_t)remote->client.link.tensor_limit;
  KN_TRY(kn_iospec_copy(request->spec, &remote->spec));
  fill_batch(&remote->spec.input, request->batch);
  fill_batch(&remote->spec.output, request->batch);
  KN_TRY(kn_iolayout_create(&remote->spec.input, limit, &remote->input));
  KN_TRY(kn_iolayout_create(&remote->spec.output, limit, &remote->output));
  KN_TRY(make_payload(remote->input.count, remote->input.bytes, &remote->input_payload));
  KN_TRY(make_payload(remote->output.count, remote->output.bytes, &remote->output_payload));
  if (remote->client.link.packed) {
    uint8_t packed[KN_PACKED_IOSPEC];
    KN_TRY(kn_packed_iospec_write(&remote->spec, "model", packed));
    return kn_client_upload(&remote->client, KN_MESSAGE_IO_SPEC, packed, sizeof packed);
  }
  char *json;
  size_t bytes;
  KN_TRY(kn_iospec_text(&remote->spec, &json, &bytes));
  kn_status status = kn_client_upload(&remote->client, KN_MESSAGE_IO_SPEC, json, bytes);
  kn_free(json);
  return status;
}

static kn_status load(void *self, const kn_load_request *request) {
  kn_remote *remote = self;
  unload(remote);
  if (!request->spec)
    return kn_status_make(KN_INVALID_ARGUMENT, "a target needs the io specification of the model: %s.json is missing",
                          request->path);
  const kn_runtimeprotocol_ops *ops = remote->protocol->cls->ops;
  kn_status status = connect_to_target(remote, request->path);
  if (!status) status = specify(remote, request);
  if (!status)
    status = ops->in_place ? kn_client_upload(&remote->client, KN_MESSAGE_MODEL, NULL, 0)
                           : kn_client_upload_file(&remote->client, KN_MESSAGE_MODEL, request->path);
  status = explain(remote, status);
  if (status) unload(remote);
  return status;
}

static kn_status check_loaded(const kn_remote *remote) {
  return remote->input.views ? NULL : kn_status_make(KN_INVALID_ARGUMENT, "no model is loaded");
}

static kn_status iospec(void *self, kn_iospec *out_spec) {
  kn_remote *remote = self;
  KN_TRY(check_loaded(remote));
  return kn_iospec_copy(&remote->spec, out_spec);
}

/* ---- one inference ---- */

static kn_status check_views(const kn_iolayout *layout, const kn_tensor_view *views, size_t count) {
  if (count != layout->count)
    return kn_status_make(KN_INVALID_ARGUMENT, "the model has %zu tensors there, not %zu", layout->count, count);
  for (size_t i = 0; i < count; i++)
    if (views[i].dtype != layout->views[i].dtype || views[i].bytes != layout->views[i].bytes)
      return kn_status_make(KN_INVALID_ARGUMENT, "tensor %zu does not have the type and size of the io specification",
                            i);
  return NULL;
}

static kn_status set_input(void *self, const kn_tensor_view *inputs, size_t count) {
  kn_remote *remote = self;
  KN_TRY(check_loaded(remote));
  KN_TRY(check_views(&remote->input, inputs, count));
  if (count == 1)
    return explain(remote, kn_client_upload(&remote->client, KN_MESSAGE_DATA, inputs->data, inputs->bytes));
  uint8_t *payload = remote->input_payload.data;
  for (size_t i = 0; i < count; i++) memcpy(payload + remote->input.offsets[i], inputs[i].data, inputs[i].bytes);
  return explain(remote, kn_client_upload(&remote->client, KN_MESSAGE_DATA, payload, remote->input.bytes));
}

static kn_status invoke(void *self) {
  kn_remote *remote = self;
  KN_TRY(check_loaded(remote));
  return explain(remote, kn_client_process(&remote->client));
}

static kn_status output(void *self, const kn_tensor_view *outputs, size_t count) {
  kn_remote *remote = self;
  KN_TRY(check_loaded(remote));
  KN_TRY(check_views(&remote->output, outputs, count));
  if (count == 1) return explain(remote, kn_client_output(&remote->client, outputs->data, outputs->bytes));
  uint8_t *payload = remote->output_payload.data;
  KN_TRY(kn_client_output(&remote->client, payload, remote->output.bytes));
  for (size_t i = 0; i < count; i++) memcpy(outputs[i].data, payload + remote->output.offsets[i], outputs[i].bytes);
  return NULL;
}

/* ---- what the target measured ---- */

/* Targets without JSON: "allocation_stats" as the original names them, the rest under "target". */
static kn_status unpack_statistics(const uint8_t *bytes, size_t count, kn_record *record) {
  static const char *const groups[] = {"target", "allocation_stats", "target"};
  for (size_t i = 0; i < kn_packed_statistics_count(count); i++) {
    kn_packed_row row;
    kn_record *group;
    if (!kn_packed_statistics_row(bytes, count, i, &row)) continue;
    KN_TRY(kn_record_object(record, groups[row.kind], &group));
    if (row.kind == KN_PACKED_TIME)
      KN_TRY(kn_record_set_number(group, row.name, (double)row.value / 1e9));
    else
      KN_TRY(kn_record_set_int(group, row.name, row.value > INT64_MAX ? INT64_MAX : (int64_t)row.value));
  }
  return NULL;
}

static kn_status read_statistics(kn_remote *remote, const char *text, size_t bytes) {
  if (bytes && text[0] == '{') return kn_record_parse(text, bytes, &remote->statistics);
  if (bytes && !kn_packed_statistics_count(bytes))
    return kn_status_make(KN_BAD_DATA, "%zu bytes of statistics are neither JSON nor of a known layout", bytes);
  KN_TRY(kn_record_create(&remote->statistics));
  return unpack_statistics((const uint8_t *)text, bytes, remote->statistics);
}

static kn_status ask_statistics(kn_remote *remote) {
  if (remote->statistics) return NULL;
  char *text;
  size_t bytes;
  KN_TRY(kn_client_statistics(&remote->client, STATISTICS_LIMIT, &text, &bytes));
  kn_status status = read_statistics(remote, text, bytes);
  kn_free(text);
  return kn_status_annotate(status, "while reading what the target measured");
}

static kn_status statistics(void *self, kn_record *out_record) {
  kn_remote *remote = self;
  KN_TRY(check_loaded(remote));
  KN_TRY(ask_statistics(remote));
  yyjson_mut_val *runtime =
      yyjson_mut_obj_get(yyjson_mut_obj_get(kn_record_value(remote->statistics), "target"), "runtime");
  yyjson_mut_val *threads = yyjson_mut_obj_get(runtime, "threads");
  if (yyjson_mut_is_int(threads)) KN_TRY(kn_record_set_int(out_record, "threads", yyjson_mut_get_sint(threads)));
  static const char *const keys[] = {"library_version", "library_sha256"};
  for (size_t i = 0; i < 2; i++) {
    const char *text = yyjson_mut_get_str(yyjson_mut_obj_get(runtime, keys[i]));
    if (text) KN_TRY(kn_record_set_string(out_record, keys[i], text));
  }
  return kn_record_set_string(out_record, "protocol", remote->protocol->cls->name);
}

/* A list of finite numbers, each a list of them where `nested`. */
static bool is_numbers(yyjson_mut_val *list, bool nested) {
  if (!yyjson_mut_is_arr(list)) return false;
  size_t i, count;
  yyjson_mut_val *item;
  yyjson_mut_arr_foreach(list, i, count, item) {
    if (nested ? !is_numbers(item, false) : !yyjson_mut_is_num(item)) return false;
  }
  return true;
}

/* An object of numbers. */
static bool is_amounts(yyjson_mut_val *object) {
  if (!yyjson_mut_is_obj(object)) return false;
  size_t i, count;
  yyjson_mut_val *key, *value;
  yyjson_mut_obj_foreach(object, i, count, key, value) {
    if (!yyjson_mut_is_num(value)) return false;
  }
  return true;
}

static kn_status copy_value(kn_record *record, const char *key, yyjson_mut_val *value) {
  yyjson_mut_val *copy = yyjson_mut_val_mut_copy(kn_record_document(record), value);
  return copy ? kn_record_set_value(record, key, copy) : kn_status_out_of_memory();
}

/* Lists that belong together have equal lengths; others are left out, as what is no list of numbers. */
static kn_status take_group(kn_record *record, yyjson_mut_val *from, const char *const *keys, size_t count,
                            const char *nested) {
  yyjson_mut_val *first = yyjson_mut_obj_get(from, keys[0]);
  bool whole = true;
  for (size_t i = 0; i < count; i++) {
    yyjson_mut_val *list = yyjson_mut_obj_get(from, keys[i]);
    whole = whole && is_numbers(list, nested && !strcmp(keys[i], nested)) &&
            yyjson_mut_arr_size(list) == yyjson_mut_arr_size(first);
  }
  if (!whole && first) kn_log(KN_LOG_WARNING, "what the target says about '%s' is not taken: it is malformed", keys[0]);
  for (size_t i = 0; whole && i < count; i++) KN_TRY(copy_value(record, keys[i], yyjson_mut_obj_get(from, keys[i])));
  return NULL;
}

kn_status kn_remote_measurements(kn_remote *remote, size_t inferences, kn_record *record) {
  static const char *const steps[] = {"target_inference_step", "target_inference_step_timestamp"};
  static const char *const session[] = {"session_utilization_cpus_percent", "session_utilization_mem_percent",
                                        "session_utilization_timestamp"};
  static const char *const process[] = {"process_rss_bytes", "process_cpu_percent", "process_timestamp"};
  KN_TRY(ask_statistics(remote));
  yyjson_mut_val *root = kn_record_value(remote->statistics);
  yyjson_mut_val *list = yyjson_mut_obj_get(root, steps[0]);
  if (list && yyjson_mut_arr_size(list) != inferences)
    kn_log(KN_LOG_WARNING, "the target measured %zu inferences of %zu: its times are not taken",
           yyjson_mut_arr_size(list), inferences);
  else
    KN_TRY(take_group(record, root, steps, 2, NULL));
  KN_TRY(take_group(record, root, session, 3, session[0]));
  KN_TRY(take_group(record, root, process, 3, NULL));
  yyjson_mut_val *allocation = yyjson_mut_obj_get(root, "allocation_stats");
  if (is_amounts(allocation)) KN_TRY(copy_value(record, "allocation_stats", allocation));
  yyjson_mut_val *peak = yyjson_mut_obj_get(yyjson_mut_obj_get(root, "target"), "peak_rss_bytes");
  if (!yyjson_mut_is_uint(peak) && !yyjson_mut_is_sint(peak)) return NULL;
  return kn_record_set_int(record, "process_peak_rss_bytes", yyjson_mut_get_sint(peak));
}

const kn_inference_ops kn_remote_inference = {.struct_size = sizeof(kn_inference_ops),
                                              .load = load,
                                              .unload = unload,
                                              .iospec = iospec,
                                              .set_input = set_input,
                                              .invoke = invoke,
                                              .output = output,
                                              .statistics = statistics};
