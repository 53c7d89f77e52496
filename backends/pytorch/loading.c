/* Loading models: what a file is, what it takes, and how it becomes something that runs. */
#include <kenning/layout.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inference.h"

#define EXTRA_MEMBER "kenning.json"

/* ---- modules of state dictionaries ---- */

static torch_shim_tensor shim_tensor(kn_dtype dtype, uint32_t rank, const int64_t *shape, const void *data) {
  torch_shim_tensor tensor = {.data = (void *)(uintptr_t)data, .dtype = torch_dtype_of(dtype), .rank = (int32_t)rank};
  memcpy(tensor.shape, shape, rank * sizeof *shape);
  return tensor;
}

static int32_t when_trained(const network_state *state) {
  if (state->buffer) return -1;
  if (!state->base) return TORCH_SHIM_ALWAYS;
  return state->normalization ? TORCH_SHIM_NEVER : TORCH_SHIM_UNFROZEN;
}

static kn_status fill_module(const torch_api *torch, const network *n, const state_dict *state,
                             torch_shim_module *module) {
  for (size_t i = 0; i < n->state_count; i++) {
    const state_tensor *from = state_dict_find(state, n->states[i].name);
    if (!from) return kn_status_make(KN_INTERNAL, "there is no tensor '%s'", n->states[i].name);
    const torch_shim_tensor tensor = shim_tensor(from->dtype, from->rank, from->shape, from->data);
    KN_TRY(torch_result(torch, torch->torch_shim_add(module, from->name, &tensor, when_trained(&n->states[i])),
                        "take the weights"));
  }
  return torch_result(torch, torch->torch_shim_define(module, n->source), "compile the network");
}

kn_status inference_make_module(const torch_api *torch, const network *n, const state_dict *state,
                                torch_shim_module **out_module) {
  KN_TRY(torch_result(torch, torch->torch_shim_create(n->name, out_module), "make a module"));
  kn_status status = fill_module(torch, n, state, *out_module);
  if (status) {
    torch->torch_shim_free(*out_module);
    *out_module = NULL;
  }
  return status;
}

/* ---- what the model takes ---- */

/* A TorchScript module does not tell the shapes of its inputs. */
static kn_status no_shape(void) {
  return kn_status_make(
      KN_INCOMPATIBLE,
      "the model does not say the shapes of its inputs; put an io specification beside it (the model's "
      "name with .json behind it)");
}

static kn_status add_input(kn_iolist *list, uint32_t rank, const int64_t *sample) {
  kn_ioentry entry = {.name = (char *)(uintptr_t) "input", .dtype = KN_FLOAT32, .rank = rank + 1, .shape = {-1}};
  memcpy(entry.shape + 1, sample, rank * sizeof *sample);
  return kn_iolist_add(list, &entry);
}

/* `compiled`: the code takes one number of samples, the one that the list says. */
static kn_status make_concrete(kn_iolist *list, int64_t batch, bool compiled) {
  for (size_t i = 0; i < list->count; i++) {
    kn_ioentry *entry = &list->entries[i];
    entry->order = (int64_t)i;
    if (compiled && entry->rank && entry->shape[0] > 0 && entry->shape[0] != batch)
      return kn_status_make(KN_INCOMPATIBLE,
                            "the package is compiled for %lld sample(s) per inference, not for %lld: compile it again "
                            "with this batch_size",
                            (long long)entry->shape[0], (long long)batch);
    if (entry->rank) entry->shape[0] = batch;
    for (uint32_t k = 1; k < entry->rank; k++)
      if (entry->shape[k] < 1)
        return kn_status_make(KN_INCOMPATIBLE,
                              "dimension %u of the input '%s' is open: give an io specification with all of them", k,
                              entry->name);
    if (torch_dtype_of(entry->dtype) < 0)
      return kn_status_make(KN_INCOMPATIBLE, "the input '%s' is %s, which PyTorch does not have", entry->name,
                            kn_dtype_name(entry->dtype));
  }
  return NULL;
}

/* What the model says itself (`own`), else what stands beside it, else what the data set gives. */
static kn_status choose_inputs(const kn_iospec *own, const kn_load_request *request, const sample_shape *sample,
                               bool compiled, kn_iolist *out_list) {
  const kn_iolist *given = kn_iospec_model_input(request->spec), *told = kn_iospec_model_input(own);
  if (!told) told = given;
  if (!told && !sample->rank) return no_shape();
  if (!told) KN_TRY(add_input(out_list, sample->rank, sample->shape));
  for (size_t i = 0; told && i < told->count; i++) KN_TRY(kn_iolist_add(out_list, &told->entries[i]));
  if (out_list->count > INFERENCE_TENSORS)
    return kn_status_make(KN_INCOMPATIBLE, "the model has %zu inputs; %d are supported", out_list->count,
                          INFERENCE_TENSORS);
  return make_concrete(out_list, request->batch, compiled);
}

static kn_status set_inputs(const kn_iolist *found, inference *loaded) {
  for (size_t i = 0; i < found->count; i++) {
    const kn_ioentry *entry = &found->entries[i];
    loaded->inputs[i] = shim_tensor(entry->dtype, entry->rank, entry->shape, NULL);
    if (!loaded->package) continue;
    kn_tensor_free(&loaded->memory[i]);
    KN_TRY(kn_tensor_create(entry->dtype, entry->rank, entry->shape, &loaded->memory[i]));
    loaded->inputs[i].data = loaded->memory[i].data;
  }
  if (loaded->package) return package_set_inputs(loaded->package, loaded->inputs, found->count);
  return torch_result(loaded->torch,
                      loaded->torch->torch_shim_inputs(loaded->module, loaded->inputs, (int32_t)found->count),
                      "make the inputs");
}

/* The model runs once on zeros: only then are the shapes of its outputs known, and its memory taken. */
static kn_status try_inputs(const kn_iolist *found, inference *loaded) {
  KN_TRY(set_inputs(found, loaded));
  kn_status status = inference_invoke(loaded);
  loaded->has_run = false;
  return status;
}

/* Where nothing tells the layout and the data are images in NHWC, PyTorch's own layout is tried too. */
static kn_status try_planar(const sample_shape *sample, kn_iolist *found, kn_status failed, inference *loaded) {
  kn_ioentry *entry = &found->entries[0];
  const int64_t planar[] = {sample->shape[2], sample->shape[0], sample->shape[1]};
  memcpy(entry->shape + 1, planar, sizeof planar);
  kn_status status = try_inputs(found, loaded);
  if (status) {
    kn_status_free(status);
    return failed;
  }
  kn_status_free(failed);
  kn_log(KN_LOG_INFO, "the model takes images in NCHW; those of the data set are turned");
  return NULL;
}

/* ---- what it gives ---- */

static kn_status describe_outputs(const kn_iospec *own, inference *loaded, kn_iolist *out_list) {
  int32_t count = loaded->package ? (int32_t)package_output_count(loaded->package)
                                  : loaded->torch->torch_shim_output_count(loaded->module);
  if (count < 0) return torch_result(loaded->torch, -1, "tell its outputs");
  if (count < 1 || count > INFERENCE_TENSORS)
    return kn_status_make(KN_INCOMPATIBLE, "the model has %d outputs; 1 to %d are supported", count, INFERENCE_TENSORS);
  for (int32_t i = 0; i < count; i++) {
    char name[32];
    torch_shim_tensor tensor;
    (void)snprintf(name, sizeof name, count > 1 ? "output_%d" : "output", i);
    KN_TRY(loaded->package ? package_output(loaded->package, (size_t)i, &tensor)
                           : torch_result(loaded->torch, loaded->torch->torch_shim_output(loaded->module, i, &tensor),
                                          "give its output"));
    kn_ioentry entry = {
        .name = name, .rank = (uint32_t)tensor.rank, .order = i, .dtype = torch_kn_dtype_of(tensor.dtype)};
    if (own->output.count == (size_t)count && own->output.entries[i].name) entry.name = own->output.entries[i].name;
    memcpy(entry.shape, tensor.shape, sizeof tensor.shape);
    size_t bytes;
    kn_status status = kn_tensor_bytes(entry.dtype, entry.rank, entry.shape, &bytes);
    if (status || entry.dtype == KN_DTYPE_NONE || !bytes) {
      kn_status_free(status);
      return kn_status_make(KN_INCOMPATIBLE, "the model's output '%s' is empty or has a type that is not supported",
                            entry.name);
    }
    KN_TRY(kn_iolist_add(out_list, &entry));
  }
  return NULL;
}

static kn_status turn(const sample_shape *sample, inference *loaded) {
  kn_ioentry *entry = &loaded->spec.input.entries[0];
  size_t bytes;
  if (loaded->spec.input.count != 1 || entry->dtype != KN_FLOAT32 ||
      !kn_layout_is_planar(sample->shape, sample->rank, entry->shape, entry->rank))
    return NULL;
  KN_TRY(kn_tensor_bytes(KN_FLOAT32, entry->rank, entry->shape, &bytes));
  loaded->planar = kn_alloc(bytes);
  if (!loaded->planar) return kn_status_out_of_memory();
  KN_TRY(kn_iolist_add(&loaded->spec.processed_input, entry));
  loaded->channels = (size_t)sample->shape[2];
  loaded->pixels = (size_t)sample->shape[0] * (size_t)sample->shape[1];
  memcpy(entry->shape + 1, sample->shape, 3 * sizeof *entry->shape);
  return NULL;
}

/* ---- files ---- */

static kn_status load_script(const char *path, kn_iospec *own, inference *loaded) {
  KN_TRY(package_read_spec(path, own));
  int32_t code = loaded->torch->torch_shim_load(path, EXTRA_MEMBER, &loaded->module);
  if (!code) return NULL;
  kn_status status = torch_result(loaded->torch, code, "load the model");
  kn_status bad = kn_status_make(KN_BAD_DATA, "%s", kn_status_message(status, 0)); /* the file is at fault */
  kn_status_free(status);
  return bad;
}

static kn_status load_state(const char *path, kn_iospec *own, inference *loaded) {
  state_dict state;
  network n;
  KN_TRY(state_dict_read(path, &state));
  kn_status status = network_of_state(path, &state, &n);
  if (!status) {
    status = inference_make_module(loaded->torch, &n, &state, &loaded->module);
    if (!status) status = add_input(&own->input, n.input_rank, n.input);
    network_clear(&n);
  }
  state_dict_clear(&state);
  return status;
}

static kn_status open_model(const char *path, torch_file kind, kn_iospec *own, inference *loaded) {
  const torch_api *torch = loaded->torch;
  if (kind == TORCH_FILE_PACKAGE) {
    loaded->how = "AOTInductor";
    KN_TRY(package_read_spec(path, own));
    return package_open(torch, path, loaded->threads, &loaded->package);
  }
  loaded->how = "TorchScript, optimized for inference";
  KN_TRY(kind == TORCH_FILE_SCRIPT ? load_script(path, own, loaded) : load_state(path, own, loaded));
  KN_TRY(torch_result(torch,
                      torch->torch_shim_parameters(loaded->module, &loaded->weights_bytes, &loaded->operator_count),
                      "count its weights"));
  return torch_result(torch, torch->torch_shim_prepare(loaded->module), "prepare the model for inference");
}

static kn_status bind(const kn_load_request *request, const kn_iolist *inputs, const kn_iolist *outputs,
                      inference *loaded) {
  const kn_iospec *spec = request->spec;
  KN_TRY(kn_iolist_bind(kn_iospec_model_input(spec), inputs, "input", &loaded->spec.input, loaded->input_places));
  return kn_iolist_bind(spec ? &spec->output : NULL, outputs, "output", &loaded->spec.output, loaded->output_places);
}

static kn_status load(const kn_load_request *request, const inference_options *options, torch_file kind, kn_iospec *own,
                      kn_iospec *found, inference *loaded) {
  const sample_shape *sample = &options->sample;
  KN_TRY(open_model(request->path, kind, own, loaded));
  KN_TRY(choose_inputs(own, request, sample, loaded->package != NULL, &found->input));
  kn_status status = try_inputs(&found->input, loaded);
  bool told = kn_iospec_model_input(own) || kn_iospec_model_input(request->spec);
  if (status && !told && sample->rank == 3) status = try_planar(sample, &found->input, status, loaded);
  KN_TRY(status);
  KN_TRY(describe_outputs(own, loaded, &found->output));
  KN_TRY(bind(request, &found->input, &found->output, loaded));
  return turn(sample, loaded);
}

/* A package brings an OpenMP library of its own beside libtorch's. Each knows only of its own threads and lets them
 * spin for long, in the way of the other's, which with as many threads as processors takes most of the time of a small
 * network. libgomp spins this briefly by itself where it knows of more threads than processors. It reads the variable
 * when it is opened. */
static void spin_briefly(void) { (void)setenv("GOMP_SPINCOUNT", "1000", 0); }

kn_status inference_load(const kn_load_request *request, const inference_options *options, inference *out_inference) {
  torch_file kind;
  kn_iospec own = {0}, found = {0};
  *out_inference = (inference){0};
  if (request->batch < 1 || request->batch > INT32_MAX)
    return kn_status_make(KN_INVALID_ARGUMENT, "%lld samples per inference are not possible",
                          (long long)request->batch);
  kn_status status = torch_file_kind(request->path, &kind);
  if (!status && kind == TORCH_FILE_PACKAGE) spin_briefly();
  if (!status) status = torch_api_open(options->library, &out_inference->torch);
  if (!status) {
    out_inference->threads = torch_threads(out_inference->torch, options->threads);
    status = load(request, options, kind, &own, &found, out_inference);
  }
  kn_iospec_clear(&own);
  kn_iospec_clear(&found);
  if (status) inference_unload(out_inference);
  return kn_status_annotate(status, "while loading %s", request->path);
}
