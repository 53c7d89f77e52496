#include "session.h"

#include "ir_file.h"
#include "shared/named_layers.h"

#include <stdio.h>
#include <string.h>

/* ---- compiling ---- */

kn_status kn_vino_compile(const kn_vino_session *session, bool profiled, kn_vino_compiled **out_compiled) {
  const kn_vino_settings *settings = &session->settings;
  char threads[24], streams[24];
  snprintf(threads, sizeof threads, "%lld", (long long)settings->threads);
  snprintf(streams, sizeof streams, "%lld", (long long)settings->streams);
  /* The precision comes last: without one, the arguments end before it. */
  size_t arguments = *settings->precision ? 12 : 10;
  int result = session->api->core_compile_model(
      session->core, session->model, settings->device, arguments, out_compiled, "PERFORMANCE_HINT", "LATENCY",
      "INFERENCE_NUM_THREADS", threads, "NUM_STREAMS", streams, "CACHE_DIR",
      settings->cache_dir && !profiled ? settings->cache_dir : "", "PERF_COUNT", profiled ? "YES" : "NO",
      "INFERENCE_PRECISION_HINT", settings->precision);
  if (result == KN_VINO_OK) return NULL;
  char what[96];
  snprintf(what, sizeof what, "cannot compile the model for device %.40s", settings->device);
  return kn_vino_fault(session->api, KN_INCOMPATIBLE, what, result);
}

/* ---- outputs ---- */

static kn_status output_tensor(const kn_vino_session *session, size_t index, kn_vino_tensor **out_tensor) {
  int result = session->api->infer_request_get_output_tensor_by_index(session->request, index, out_tensor);
  return result == KN_VINO_OK ? NULL
                              : kn_vino_fault(session->api, KN_BACKEND_FAILED, "has no place for an output", result);
}

static kn_status take_shape(const kn_vino_session *session, const kn_vino_tensor *tensor, kn_ioentry *entry) {
  kn_vino_shape shape = {0};
  int result = session->api->tensor_get_shape(tensor, &shape);
  if (result != KN_VINO_OK) return kn_vino_fault(session->api, KN_BACKEND_FAILED, "does not tell a shape", result);
  bool fits = shape.rank == (int64_t)entry->rank;
  int64_t elements = 1;
  for (int64_t k = 0; fits && k < shape.rank; k++) {
    entry->shape[k] = shape.dims[k];
    elements *= shape.dims[k] > 0;
  }
  session->api->shape_free(&shape);
  if (!fits) return kn_status_make(KN_BACKEND_FAILED, "the model's output '%s' changed its rank", entry->name);
  if (elements) return NULL;
  return kn_status_make(KN_INCOMPATIBLE, "the model's output '%s' is empty for such inputs", entry->name);
}

/* Where shapes are computed while the model runs, those of the outputs are known after the first run only. */
static kn_status learn_outputs(kn_vino_session *session) {
  bool known = true;
  for (size_t i = 0; i < session->found.output.count; i++) {
    const kn_ioentry *entry = &session->found.output.entries[i];
    for (uint32_t k = 0; k < entry->rank; k++) known = known && entry->shape[k] > 0;
  }
  if (known) return NULL;
  int result = session->api->infer_request_infer(session->request);
  if (result != KN_VINO_OK)
    return kn_vino_fault(session->api, KN_INCOMPATIBLE,
                         "cannot run the model on zeros, which tells the shapes of its outputs", result);
  for (size_t i = 0; i < session->found.output.count; i++) {
    kn_vino_tensor *tensor;
    KN_TRY(output_tensor(session, i, &tensor));
    kn_status status = take_shape(session, tensor, &session->found.output.entries[i]);
    session->api->tensor_free(tensor);
    KN_TRY(status);
  }
  return NULL;
}

/* ---- tensors ---- */

/* The request's own tensors have memory because all inputs have concrete shapes. */
static kn_status check_tensor(const kn_vino_session *session, const kn_vino_tensor *tensor, const kn_ioentry *entry,
                              bool clear) {
  size_t bytes = 0, wanted;
  void *data = NULL;
  KN_TRY(kn_tensor_bytes(entry->dtype, entry->rank, entry->shape, &wanted));
  int result = session->api->tensor_get_byte_size(tensor, &bytes);
  if (result == KN_VINO_OK) result = session->api->tensor_data(tensor, &data);
  if (result != KN_VINO_OK) return kn_vino_fault(session->api, KN_BACKEND_FAILED, "has no memory for a tensor", result);
  if (bytes != wanted || !bytes)
    return kn_status_make(KN_BACKEND_FAILED, "OpenVINO's tensor of '%s' has %zu bytes instead of %zu", entry->name,
                          bytes, wanted);
  if (clear) memset(data, 0, bytes);
  return NULL;
}

static kn_status take_inputs(kn_vino_session *session) {
  session->inputs = kn_alloc_array(session->found.input.count, sizeof *session->inputs);
  size_t *places = kn_alloc_array(session->found.input.count, sizeof *places);
  kn_status status = session->inputs && places ? NULL : kn_status_out_of_memory();
  const kn_iolist *given = kn_iospec_model_input(&session->spec);
  kn_iolist bound = {0};
  if (!status) status = kn_iolist_bind(given, &session->found.input, "input", &bound, places);
  for (size_t i = 0; i < bound.count && !status; i++) {
    int result =
        session->api->infer_request_get_input_tensor_by_index(session->request, places[i], &session->inputs[i]);
    status = result == KN_VINO_OK ? check_tensor(session, session->inputs[i], &bound.entries[i], true)
                                  : kn_vino_fault(session->api, KN_BACKEND_FAILED, "has no place for an input", result);
  }
  kn_free(places);
  kn_iospec old = session->spec;
  session->spec = (kn_iospec){.input = bound, .output = old.output};
  old.output = (kn_iolist){0};
  kn_iospec_clear(&old);
  return status;
}

static kn_status take_outputs(kn_vino_session *session) {
  session->outputs = kn_alloc_array(session->found.output.count, sizeof *session->outputs);
  size_t *places = kn_alloc_array(session->found.output.count, sizeof *places);
  kn_status status = session->outputs && places ? NULL : kn_status_out_of_memory();
  kn_iolist bound = {0};
  if (!status) status = kn_iolist_bind(&session->spec.output, &session->found.output, "output", &bound, places);
  for (size_t i = 0; i < bound.count && !status; i++) {
    status = output_tensor(session, places[i], &session->outputs[i]);
    if (!status) status = check_tensor(session, session->outputs[i], &bound.entries[i], false);
  }
  kn_free(places);
  kn_iospec old = {.output = session->spec.output};
  session->spec.output = bound;
  kn_iospec_clear(&old);
  return status;
}

/* ---- opening ---- */

static kn_status read_model(kn_vino_session *session, const char *path) {
  const kn_vino_api *api = session->api;
  KN_TRY(kn_vino_format_of(path, &session->format));
  if (session->format == KN_VINO_IR) KN_TRY(kn_vino_ir_check(path));
  int result = api->core_create(&session->core);
  if (result != KN_VINO_OK) return kn_vino_fault(api, KN_BACKEND_FAILED, "does not start", result);
  char *name;
  KN_TRY(kn_vino_name_make(session->format, path, &name));
  char *weights = session->format == KN_VINO_IR ? kn_vino_weights_path(path) : NULL;
  result = api->core_read_model(session->core, name, weights, &session->model);
  kn_free(weights);
  kn_vino_name_free(path, name);
  return result == KN_VINO_OK
             ? NULL
             : kn_status_name_layers(kn_vino_fault(api, KN_BAD_DATA, "cannot read the model", result), path);
}

static kn_status open_session(kn_vino_session *session, const kn_load_request *request) {
  const kn_vino_api *api = session->api;
  if (request->batch < 1 || request->batch > INT32_MAX)
    return kn_status_make(KN_INVALID_ARGUMENT, "%lld samples per inference are not possible",
                          (long long)request->batch);
  KN_TRY(read_model(session, request->path));
  KN_TRY(kn_vino_describe(api, session->model, false, &session->found.input));
  KN_TRY(kn_vino_settle(api, session->model, request, &session->found.input));
  KN_TRY(kn_vino_describe(api, session->model, true, &session->found.output));
  KN_TRY(kn_vino_compile(session, false, &session->compiled));
  int result = api->compiled_model_create_infer_request(session->compiled, &session->request);
  if (result != KN_VINO_OK) return kn_vino_fault(api, KN_BACKEND_FAILED, "cannot prepare the model", result);
  if (request->spec) KN_TRY(kn_iospec_copy(request->spec, &session->spec));
  KN_TRY(take_inputs(session));
  KN_TRY(learn_outputs(session));
  return take_outputs(session);
}

kn_status kn_vino_session_open(kn_vino_session *session, const kn_vino_api *api, const kn_load_request *request,
                               const kn_vino_settings *settings) {
  *session = (kn_vino_session){.api = api, .settings = *settings};
  kn_status status = open_session(session, request);
  if (status) kn_vino_session_close(session);
  return kn_status_annotate(status, "while loading %s", request->path);
}

static void free_tensors(const kn_vino_api *api, kn_vino_tensor **tensors, size_t count) {
  for (size_t i = 0; tensors && i < count; i++)
    if (tensors[i]) api->tensor_free(tensors[i]);
  kn_free(tensors);
}

void kn_vino_session_close(kn_vino_session *session) {
  const kn_vino_api *api = session->api;
  free_tensors(api, session->inputs, session->found.input.count);
  free_tensors(api, session->outputs, session->found.output.count);
  if (session->request) api->infer_request_free(session->request);
  if (session->compiled) api->compiled_model_free(session->compiled);
  if (session->model) api->model_free(session->model);
  if (session->core) api->core_free(session->core);
  kn_iospec_clear(&session->found);
  kn_iospec_clear(&session->spec);
  *session = (kn_vino_session){0};
}
