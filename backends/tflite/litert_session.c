#include "litert_session.h"

#include "api.h"

#include <string.h>

#define TRY(call, what)                                                                                           \
  do {                                                                                                            \
    int litert_status_ = (call);                                                                                  \
    if (litert_status_)                                                                                           \
      return kn_status_make(KN_BACKEND_FAILED, "LiteRT %s: %s (%d)", what, kn_litert_status_text(litert_status_), \
                            litert_status_);                                                                      \
  } while (0)

/* ---- opening ---- */

static kn_status read_file(kn_litert_session *session, const char *path) {
  size_t bytes;
  KN_TRY(kn_file_read(path, (size_t)1 << 36, &session->bytes, &bytes));
  KN_TRY(kn_status_annotate(kn_tflite_model_read(session->bytes, bytes, &session->file), "while reading %s", path));
  const kn_litert_setting settings[] = {
      {KN_LITERT_SETTING_SEVERITY, {KN_LITERT_INTEGER, {.integer = KN_LITERT_SILENT}}},
      {KN_LITERT_SETTING_ACCELERATORS, {KN_LITERT_INTEGER, {.integer = KN_LITERT_CPU}}}};
  TRY(session->api->CreateEnvironment(2, settings, &session->environment), "could not be started");
  int status = session->api->CreateModelFromBuffer(session->environment, session->bytes, bytes, &session->model);
  if (!status) return NULL;
  return kn_status_make(KN_BAD_DATA, "%s is no model that LiteRT %s accepts: %s", path, session->api->version,
                        kn_litert_status_text(status));
}

/* Options are TOML; the payload is freed by `destroy`, also when adding fails. */
static kn_status add_options(kn_litert_session *session, const char *identifier, char *payload) {
  kn_litert_opaque *opaque;
  if (!payload) return kn_status_out_of_memory();
  TRY(session->api->CreateOpaqueOptions(identifier, payload, kn_free, &opaque), "did not take its options");
  TRY(session->api->AddOpaqueOptions(session->options, opaque), "did not take its options");
  return NULL;
}

/* What is wrong with the model LiteRT writes to stderr alone. */
static kn_status refusal(const kn_litert_session *session, int status) {
  char *where = kn_tflite_suspect_text(&session->file, "");
  if (!where) return kn_status_out_of_memory();
  kn_status refused = kn_status_make(KN_INCOMPATIBLE,
                                     "LiteRT %s does not take the model%s: %s (%d); what it writes itself stands above",
                                     session->api->version, where, kn_litert_status_text(status), status);
  kn_free(where);
  return refused;
}

/* The number of threads goes to XNNPACK and to LiteRT's own kernels under two names. */
static kn_status compile(kn_litert_session *session, int32_t threads) {
  const kn_litert_api *api = session->api;
  TRY(api->CreateOptions(&session->options), "could not make options");
  TRY(api->SetOptionsHardwareAccelerators(session->options, KN_LITERT_CPU), "did not take its options");
  KN_TRY(add_options(session, "xnnpack", kn_format("num_threads = %d\n", threads)));
  KN_TRY(add_options(session, "cpu_delegate", kn_format("num_threads = %d\n", threads)));
  int status = api->CreateCompiledModel(session->environment, session->model, session->options, &session->compiled);
  return status ? refusal(session, status) : NULL;
}

/* The file's tensor of this name. A signature may have another order than the file. */
static kn_status find_tensor(const kn_litert_session *session, kn_litert_tensor *tensor, bool output,
                             const kn_tflite_tensor **out_tensor) {
  const kn_tflite_tensor *tensors = output ? session->file.outputs : session->file.inputs;
  size_t count = output ? session->file.output_count : session->file.input_count;
  const char *name;
  *out_tensor = NULL;
  TRY(session->api->GetTensorName(tensor, &name), "does not tell the name of a tensor");
  for (size_t i = 0; i < count; i++)
    if (!strcmp(tensors[i].name, name)) {
      *out_tensor = &tensors[i];
      return NULL;
    }
  return kn_status_make(KN_INCOMPATIBLE, "the model's first signature has a tensor '%s' that is not its %s", name,
                        output ? "output" : "input");
}

static kn_status describe(const kn_tflite_tensor *tensor, const kn_iolist *given, const kn_litert_type *type,
                          size_t order, kn_iolist *list) {
  kn_ioentry entry = {.name = (char *)(uintptr_t)kn_tflite_tensor_name(tensor, given),
                      .dtype = kn_tflite_engine_dtype(type->element),
                      .rank = type->layout.rank,
                      .order = (int64_t)order,
                      .quantized = tensor->quantized,
                      .scale = (double)tensor->scale,
                      .zero_point = tensor->zero_point,
                      .prequantized_dtype = tensor->quantized ? KN_FLOAT32 : KN_DTYPE_NONE};
  if (entry.dtype == KN_DTYPE_NONE || entry.rank > KN_MAX_RANK)
    return kn_status_make(KN_INCOMPATIBLE, "'%s' has a type or rank that is not supported (%s, %u dimensions)",
                          tensor->name, kn_tflite_type_name(tensor->type), entry.rank);
  for (uint32_t i = 0; i < entry.rank; i++) entry.shape[i] = type->layout.shape[i];
  return kn_iolist_add(list, &entry);
}

/* Gives the batch to an input whose first dimension is free. */
static kn_status resize(kn_litert_session *session, size_t index, const kn_tflite_tensor *tensor, int64_t batch,
                        kn_litert_type *type) {
  bool open = tensor->rank && tensor->dynamic[0];
  if (tensor->rank && !open && tensor->shape[0] != batch)
    return kn_status_make(KN_INCOMPATIBLE,
                          "the model is made for %lld sample(s) per inference, not for %lld: set inference_batch_size "
                          "to %lld or convert the model with a free first dimension",
                          (long long)tensor->shape[0], (long long)batch, (long long)tensor->shape[0]);
  if (!open) return NULL;
  for (uint32_t i = 0; i < type->layout.rank; i++)
    type->layout.shape[i] = i ? (int32_t)tensor->shape[i] : (int32_t)batch;
  TRY(session->api->CompiledModelResizeInputTensor(session->compiled, 0, index, type->layout.shape, type->layout.rank),
      "could not resize an input");
  return NULL;
}

static kn_status make_buffer(kn_litert_session *session, bool output, size_t index, const kn_litert_type *type,
                             kn_litert_side *side) {
  const kn_litert_api *api = session->api;
  kn_litert_requirements *requirements;
  TRY(output ? api->GetCompiledModelOutputBufferRequirements(session->compiled, 0, index, &requirements)
             : api->GetCompiledModelInputBufferRequirements(session->compiled, 0, index, &requirements),
      "does not tell what a tensor needs");
  TRY(api->CreateManagedTensorBufferFromRequirements(session->environment, type, requirements, &side->buffers[index]),
      "could not make a tensor");
  return NULL;
}

static kn_status prepare_inputs(kn_litert_session *session, kn_litert_signature *signature,
                                const kn_load_request *request, kn_iolist *list) {
  kn_litert_type types[KN_LITERT_MOST_TENSORS];
  for (size_t i = 0; i < session->inputs.count; i++) {
    kn_litert_tensor *tensor;
    const kn_tflite_tensor *file;
    TRY(session->api->GetSignatureInputTensorByIndex(signature, i, &tensor), "does not tell its inputs");
    TRY(session->api->GetRankedTensorType(tensor, &types[i]), "does not tell the type of an input");
    KN_TRY(find_tensor(session, tensor, false, &file));
    KN_TRY(resize(session, i, file, request->batch, &types[i]));
    KN_TRY(describe(file, kn_iospec_model_input(request->spec), &types[i], i, list));
  }
  for (size_t i = 0; i < session->inputs.count; i++)
    KN_TRY(make_buffer(session, false, i, &types[i], &session->inputs));
  return NULL;
}

/* After the inputs have their sizes. */
static kn_status prepare_outputs(kn_litert_session *session, kn_litert_signature *signature,
                                 const kn_load_request *request, kn_iolist *list) {
  kn_litert_layout layouts[KN_LITERT_MOST_TENSORS];
  int told =
      session->api->GetCompiledModelOutputTensorLayouts(session->compiled, 0, session->outputs.count, layouts, true);
  if (told) return refusal(session, told); /* operators are prepared now */
  for (size_t i = 0; i < session->outputs.count; i++) {
    kn_litert_tensor *tensor;
    const kn_tflite_tensor *file;
    kn_litert_type type;
    TRY(session->api->GetSignatureOutputTensorByIndex(signature, i, &tensor), "does not tell its outputs");
    TRY(session->api->GetRankedTensorType(tensor, &type), "does not tell the type of an output");
    KN_TRY(find_tensor(session, tensor, true, &file));
    type.layout = layouts[i];
    KN_TRY(describe(file, request->spec ? &request->spec->output : NULL, &type, i, list));
    KN_TRY(make_buffer(session, true, i, &type, &session->outputs));
  }
  return NULL;
}

static kn_status count_tensors(kn_litert_session *session, kn_litert_signature *signature) {
  TRY(session->api->GetNumSignatureInputs(signature, &session->inputs.count), "does not tell its inputs");
  TRY(session->api->GetNumSignatureOutputs(signature, &session->outputs.count), "does not tell its outputs");
  if (session->inputs.count == session->file.input_count && session->outputs.count == session->file.output_count &&
      session->inputs.count <= KN_LITERT_MOST_TENSORS && session->outputs.count <= KN_LITERT_MOST_TENSORS)
    return NULL;
  size_t counts[] = {session->inputs.count, session->outputs.count};
  session->inputs.count = session->outputs.count = 0;
  return kn_status_make(KN_INCOMPATIBLE,
                        "the model's first signature has %zu inputs and %zu outputs, its graph %zu and %zu; at most %d "
                        "are possible: take engine 'tflite'",
                        counts[0], counts[1], session->file.input_count, session->file.output_count,
                        KN_LITERT_MOST_TENSORS);
}

static kn_status bind(kn_litert_session *session, const kn_load_request *request, const kn_iospec *found) {
  const kn_iolist *outputs = request->spec ? &request->spec->output : NULL;
  KN_TRY(kn_iolist_bind(kn_iospec_model_input(request->spec), &found->input, "input", &session->spec.input,
                        session->inputs.places));
  return kn_iolist_bind(outputs, &found->output, "output", &session->spec.output, session->outputs.places);
}

static kn_status prepare(kn_litert_session *session, const kn_load_request *request) {
  size_t signatures;
  kn_litert_signature *signature;
  TRY(session->api->GetNumModelSignatures(session->model, &signatures), "does not tell its signatures");
  if (!signatures)
    return kn_status_make(KN_INCOMPATIBLE, "LiteRT sees no signature in the model: take engine 'tflite'");
  TRY(session->api->GetModelSignature(session->model, 0, &signature), "does not tell its signatures");
  KN_TRY(count_tensors(session, signature));
  kn_iospec found = {0};
  kn_status status = prepare_inputs(session, signature, request, &found.input);
  if (!status) status = prepare_outputs(session, signature, request, &found.output);
  if (!status) status = bind(session, request, &found);
  kn_iospec_clear(&found);
  return status;
}

static kn_status open_session(kn_litert_session *session, const kn_load_request *request, int32_t threads) {
  if (request->batch < 1 || request->batch > INT32_MAX)
    return kn_status_make(KN_INVALID_ARGUMENT, "%lld samples per inference are not possible",
                          (long long)request->batch);
  KN_TRY(read_file(session, request->path));
  KN_TRY(compile(session, threads));
  return prepare(session, request);
}

kn_status kn_litert_session_open(kn_litert_session *session, const kn_litert_api *api, const kn_load_request *request,
                                 int32_t threads) {
  *session = (kn_litert_session){.api = api};
  kn_status status = open_session(session, request, threads);
  session->loaded = !status;
  if (status) kn_litert_session_close(session);
  return kn_status_annotate(status, "while loading %s", request->path);
}

static void destroy_buffers(const kn_litert_api *api, kn_litert_side *side) {
  for (size_t i = 0; i < side->count; i++)
    if (side->buffers[i]) api->DestroyTensorBuffer(side->buffers[i]);
}

void kn_litert_session_close(kn_litert_session *session) {
  const kn_litert_api *api = session->api;
  if (api) {
    destroy_buffers(api, &session->inputs);
    destroy_buffers(api, &session->outputs);
    if (session->compiled) api->DestroyCompiledModel(session->compiled);
    if (session->options) api->DestroyOptions(session->options);
    if (session->model) api->DestroyModel(session->model);
    if (session->environment) api->DestroyEnvironment(session->environment);
  }
  kn_tflite_model_clear(&session->file);
  kn_iospec_clear(&session->spec);
  kn_free(session->bytes);
  *session = (kn_litert_session){0};
}

/* ---- one inference ---- */

typedef kn_status (*kn_litert_copy)(const kn_ioentry *entry, const kn_tensor_view *view, void *data);

static kn_status copy_out(const kn_ioentry *entry, const kn_tensor_view *view, void *data) {
  return kn_ioentry_fetch(entry, data, view);
}

static kn_status exchange(kn_litert_session *session, kn_litert_side *side, const kn_iolist *list,
                          const kn_tensor_view *views, int mode, kn_litert_copy copy) {
  for (size_t i = 0; i < list->count; i++) {
    kn_litert_buffer *buffer = side->buffers[side->places[i]];
    void *data;
    TRY(session->api->LockTensorBuffer(buffer, &data, mode), "does not give access to a tensor");
    kn_status status = copy(&list->entries[i], &views[i], data);
    int unlocked = session->api->UnlockTensorBuffer(buffer);
    KN_TRY(status);
    TRY(unlocked, "does not take a tensor back");
  }
  return NULL;
}

kn_status kn_litert_session_store(kn_litert_session *session, const kn_tensor_view *inputs) {
  return exchange(session, &session->inputs, &session->spec.input, inputs, KN_LITERT_WRITE, kn_ioentry_store);
}

kn_status kn_litert_session_run(kn_litert_session *session) {
  TRY(session->api->RunCompiledModel(session->compiled, 0, session->inputs.count, session->inputs.buffers,
                                     session->outputs.count, session->outputs.buffers),
      "failed to run the model");
  return NULL;
}

kn_status kn_litert_session_fetch(kn_litert_session *session, const kn_tensor_view *outputs) {
  return exchange(session, &session->outputs, &session->spec.output, outputs, KN_LITERT_READ, copy_out);
}

kn_status kn_litert_session_describe(const kn_litert_session *session, kn_record *record) {
  bool all = false;
  kn_record *entry;
  TRY(session->api->CompiledModelIsFullyAccelerated(session->compiled, &all), "does not tell where operators run");
  KN_TRY(kn_record_set_int(record, "operators", (int64_t)session->file.operators));
  KN_TRY(kn_record_append_object(record, "delegates", &entry));
  KN_TRY(kn_record_set_string(entry, "name", "XNNPACK"));
  /* LiteRT tells whether everything runs there, not how much of the rest does. */
  if (all) KN_TRY(kn_record_set_int(entry, "operators", (int64_t)session->file.operators));
  return kn_record_set_bool(record, "fully_accelerated", all);
}
