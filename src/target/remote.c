#include "target/remote.h"

#include "core/external_data.h"
#include "core/file.h"
#include "core/record_json.h"
#include "wire/packed.h"
#include "transport/deadline.h"

#include <kenning/services.h>
#include <string.h>

enum { MOMENTS_AT_FIRST = 1024, PAUSE_SLICE_MS = 20 };
static const int64_t FIRST_PAUSE_NS = 100000000, LONGEST_PAUSE_NS = 2000000000;

static void unload(void *self) {
  kn_remote *remote = self;
  kn_client_close(&remote->client);
  if (remote->opened) {
    const kn_runtimeprotocol_ops *ops = remote->protocol->cls->ops;
    ops->close(remote->protocol->self);
  }
  kn_iospec_clear(&remote->spec);
  kn_iolayout_clear(&remote->input);
  kn_iolayout_clear(&remote->output);
  kn_tensor_free(&remote->input_payload);
  kn_tensor_free(&remote->output_payload);
  kn_record_destroy(remote->statistics);
  kn_free(remote->moments.items);
  kn_free(remote->model_path);
  *remote = (kn_remote){.protocol = remote->protocol, .connecting = remote->connecting, .client.connection.fd = -1};
}

/* Why the connection ended, where that is known. */
static kn_status explain(const kn_remote *remote, kn_status status) {
  const kn_runtimeprotocol_ops *ops = remote->protocol->cls->ops;
  bool broken = status && remote->client.connection.fd < 0;
  return broken && ops->explain ? ops->explain(remote->protocol->self, status) : status;
}

/* ---- connecting ---- */

static void fill_batch(kn_iolist *list, int64_t batch) {
  for (size_t i = 0; i < list->count; i++)
    if (list->entries[i].rank && list->entries[i].shape[0] == -1) list->entries[i].shape[0] = batch;
}

static kn_status make_payload(size_t count, size_t bytes, kn_tensor_view *out_payload) {
  if (count < 2) return NULL;
  int64_t shape[1] = {(int64_t)bytes};
  return kn_tensor_create(KN_UINT8, 1, shape, out_payload);
}

/* What is known before there is a target. */
static kn_status prepare(kn_remote *remote, const kn_load_request *request) {
  const kn_runtimeprotocol_ops *ops = remote->protocol->cls->ops;
  remote->opened = remote->connecting = true;
  KN_TRY(ops->open(remote->protocol->self, &remote->link));
  remote->connecting = false;
  size_t limit = (size_t)remote->link.tensor_limit;
  KN_TRY(kn_iospec_copy(request->spec, &remote->spec));
  fill_batch(&remote->spec.input, request->batch);
  fill_batch(&remote->spec.output, request->batch);
  KN_TRY(kn_iolayout_create(&remote->spec.input, limit, &remote->input));
  KN_TRY(kn_iolayout_create(&remote->spec.output, limit, &remote->output));
  KN_TRY(make_payload(remote->input.count, remote->input.bytes, &remote->input_payload));
  KN_TRY(make_payload(remote->output.count, remote->output.bytes, &remote->output_payload));
  remote->tries = remote->link.retries;
  remote->model_path = kn_strdup(request->path);
  return remote->model_path ? NULL : kn_status_out_of_memory();
}

static kn_status specify(kn_remote *remote) {
  if (remote->link.packed) {
    uint8_t packed[KN_PACKED_IOSPEC];
    KN_TRY(kn_packed_iospec_write(&remote->spec, "model", packed));
    return kn_client_specify(&remote->client, packed, sizeof packed);
  }
  char *json;
  size_t bytes;
  KN_TRY(kn_iospec_text(&remote->spec, &json, &bytes));
  kn_status status = kn_client_specify(&remote->client, json, bytes);
  kn_free(json);
  return status;
}

/* Whether the target has the model already. Where it cannot be hashed, the model is sent. */
static kn_status identify(kn_remote *remote, bool *out_loaded) {
  kn_identity *model = &remote->identity;
  *out_loaded = false;
  if (!remote->client.extended || !kn_file_exists(remote->model_path, &model->bytes)) return NULL;
  kn_status status = model->sha256[0] ? NULL : kn_sha256_file(remote->model_path, model->sha256);
  if (!status) return kn_client_identify(&remote->client, model, out_loaded);
  kn_log(KN_LOG_DEBUG, "the model is sent: %s", kn_status_message(status, 0));
  kn_status_free(status);
  return NULL;
}

/* One file travels: the external data of an ONNX model would stay behind. */
static kn_status check_alone(const char *path) {
  kn_external_data data;
  KN_TRY(kn_external_data_read(path, &data));
  kn_status status = data.count ? kn_status_make(KN_INCOMPATIBLE,
                                                 "%s belongs to the model %s, and a target is sent one file: write the "
                                                 "model into one, or compile it with an optimizer",
                                                 data.files[0].path, path)
                                : NULL;
  kn_external_data_clear(&data);
  return status;
}

static kn_status send_model(kn_remote *remote) {
  const kn_runtimeprotocol_ops *ops = remote->protocol->cls->ops;
  if (ops->in_place) return kn_client_upload(&remote->client, KN_MESSAGE_MODEL, NULL, 0);
  KN_TRY(check_alone(remote->model_path));
  bool loaded;
  int64_t start = kn_now_ns();
  kn_status status = identify(remote, &loaded);
  if (!status && !loaded) {
    status = kn_client_upload_file(&remote->client, KN_MESSAGE_MODEL, remote->model_path);
    remote->model_sent = true;
  }
  remote->model_seconds += (double)(kn_now_ns() - start) / 1e9;
  return status;
}

/* From nothing to a target that has loaded the model. */
static kn_status establish(kn_remote *remote) {
  const kn_runtimeprotocol_ops *ops = remote->protocol->cls->ops;
  kn_connection connection;
  kn_client_close(&remote->client);
  remote->connecting = true;
  KN_TRY(
      ops->connect(remote->protocol->self, remote->model_path, kn_deadline_after(remote->link.timeout_s), &connection));
  KN_TRY(kn_client_open(connection, &remote->link, &remote->client));
  remote->connecting = false;
  KN_TRY(specify(remote));
  KN_TRY(send_model(remote));
  return remote->client.extended && !remote->clock.count ? kn_clock_ask(&remote->client, &remote->clock) : NULL;
}

static void pause_before(unsigned attempt) {
  int64_t until = kn_deadline_now() + (attempt < 5 ? FIRST_PAUSE_NS << attempt : LONGEST_PAUSE_NS);
  while (!kn_cancelled() && kn_deadline_now() < until) (void)kn_deadline_wait(NULL, 0, PAUSE_SLICE_MS);
}

/* Whether trying again may help. */
static bool passes(kn_code code) {
  return code == KN_IO_ERROR || code == KN_TIMEOUT || code == KN_BUSY || code == KN_BAD_DATA || code == KN_NOT_FOUND;
}

/* Takes the failure of a connection; NULL when there is a new one whose target has the model, otherwise the last
 * failure. A target that refuses is not asked again. */
static kn_status reconnect(kn_remote *remote, kn_status status) {
  for (unsigned attempt = 0; status && remote->tries > 0 && remote->client.connection.fd < 0; attempt++) {
    if (!passes(kn_status_code(status))) break;
    kn_log(KN_LOG_WARNING, "%s: connecting again, %d of %d tries left", kn_status_message(status, 0), remote->tries,
           remote->link.retries);
    kn_status_free(status);
    remote->tries--;
    pause_before(attempt);
    status = establish(remote);
    if (!status) remote->reconnects++;
  }
  return status;
}

static kn_status load(void *self, const kn_load_request *request) {
  kn_remote *remote = self;
  unload(remote);
  remote->connecting = false;
  if (!request->spec)
    return kn_status_make(KN_INVALID_ARGUMENT, "a target needs the io specification of the model: %s.json is missing",
                          request->path);
  kn_status status = prepare(remote, request);
  if (!status) {
    status = reconnect(remote, establish(remote));
    status = explain(remote, status);
    remote->reconnects = 0; /* those amid the run count */
  }
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

static kn_status send_input(kn_remote *remote) {
  kn_client *client = &remote->client;
  const void *data = remote->inputs;
  size_t bytes = remote->input.bytes;
  return client->extended ? kn_client_infer_begin(client, data, bytes)
                          : kn_client_upload(client, KN_MESSAGE_DATA, data, bytes);
}

static kn_status run(kn_remote *remote) {
  kn_client *client = &remote->client;
  return client->extended ? kn_client_infer_wait(client, &remote->now) : kn_client_process(client);
}

static kn_status fetch_output(kn_remote *remote) {
  kn_client *client = &remote->client;
  return client->extended ? kn_client_infer_finish(client, remote->outputs, remote->output.bytes)
                          : kn_client_output(client, remote->outputs, remote->output.bytes);
}

/* A step; where the connection breaks, all steps up to this one again on a new connection. */
typedef kn_status (*kn_step)(kn_remote *remote);
static const kn_step steps[] = {send_input, run, fetch_output};
enum { INPUT, RUN, OUTPUT };

static kn_status perform(kn_remote *remote, int step) {
  kn_status status = steps[step](remote);
  /* The inputs arrived disturbed, or the wish to hear the outputs again, which cannot be told a second time. */
  for (int tries = 0; status && remote->client.misheard && step != INPUT && tries < 3; tries++) {
    kn_status_free(status);
    status = NULL;
    remote->client.misheard = false;
    for (int i = INPUT; i <= step && !status; i++) status = steps[i](remote);
  }
  while (status && remote->tries > 0 && remote->client.connection.fd < 0 && passes(kn_status_code(status))) {
    status = reconnect(remote, status);
    if (status) break;
    for (int i = INPUT; i <= step && !status; i++) status = steps[i](remote);
  }
  return explain(remote, status);
}

static kn_status set_input(void *self, const kn_tensor_view *inputs, size_t count) {
  kn_remote *remote = self;
  KN_TRY(check_loaded(remote));
  KN_TRY(check_views(&remote->input, inputs, count));
  uint8_t *payload = remote->input_payload.data;
  if (count > 1)
    for (size_t i = 0; i < count; i++) memcpy(payload + remote->input.offsets[i], inputs[i].data, inputs[i].bytes);
  remote->inputs = count == 1 ? inputs->data : payload;
  return perform(remote, INPUT);
}

static kn_status invoke(void *self) {
  kn_remote *remote = self;
  KN_TRY(check_loaded(remote));
  if (!remote->inputs) return kn_status_make(KN_INVALID_ARGUMENT, "there is no input");
  return perform(remote, RUN);
}

/* When it happened on the target; without memory the times of this run are not complete, and left out. */
static void keep_moments(kn_remote *remote) {
  if (!remote->client.extended) return;
  struct kn_moments *moments = &remote->moments;
  if (moments->count == moments->capacity) {
    size_t capacity = moments->capacity ? moments->capacity * 2 : MOMENTS_AT_FIRST, bytes;
    if (!kn_mul_size(capacity, sizeof *moments->items, &bytes)) return;
    kn_infer_times *items = kn_realloc(moments->items, bytes);
    if (!items) return;
    moments->items = items;
    moments->capacity = capacity;
  }
  moments->items[moments->count++] = remote->now;
}

static kn_status output(void *self, const kn_tensor_view *outputs, size_t count) {
  kn_remote *remote = self;
  KN_TRY(check_loaded(remote));
  KN_TRY(check_views(&remote->output, outputs, count));
  uint8_t *payload = remote->output_payload.data;
  remote->outputs = count == 1 ? outputs->data : payload;
  KN_TRY(perform(remote, OUTPUT));
  keep_moments(remote);
  remote->tries = remote->link.retries; /* it works again */
  if (count > 1)
    for (size_t i = 0; i < count; i++) memcpy(outputs[i].data, payload + remote->output.offsets[i], outputs[i].bytes);
  return NULL;
}

static kn_status statistics(void *self, kn_record *out_record) {
  kn_remote *remote = self;
  KN_TRY(check_loaded(remote));
  KN_TRY(kn_remote_ask_statistics(remote));
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

const kn_inference_ops kn_remote_inference = {.struct_size = sizeof(kn_inference_ops),
                                              .load = load,
                                              .unload = unload,
                                              .iospec = iospec,
                                              .set_input = set_input,
                                              .invoke = invoke,
                                              .output = output,
                                              .statistics = statistics};
