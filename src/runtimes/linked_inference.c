/* Inference with a linked model: only in programs that have one. */
#include "runtimes/linked.h"
#include "runtimes/linked_model.h"

#include <kenning/services.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64 };

static const kn_linked_model *const model = &kn_linked_model_here;

static kn_status open_runtime(void *self) {
  (void)self;
  return NULL;
}

static void free_all(void **memory, size_t count) {
  for (size_t i = 0; memory && i < count; i++) free(memory[i]);
  kn_free(memory);
}

static void unload(void *self) {
  kn_linked_runtime *runtime = self;
  kn_iospec found = {.input = runtime->found_input, .output = runtime->found_output};
  free_all(runtime->inputs, model->input_count);
  free_all(runtime->outputs, model->output_count);
  kn_free(runtime->input_places);
  kn_free(runtime->output_places);
  kn_iospec_clear(&found);
  kn_iospec_clear(&runtime->spec);
  *runtime = (kn_linked_runtime){.base = runtime->base};
}

/* Hosts send the archive that the program was made of: what they evaluate is then what runs here. */
static kn_status check_file(const char *path) {
  char sha256[65];
  KN_TRY(kn_sha256_file(path, sha256));
  if (!strcmp(sha256, model->sha256)) return NULL;
  return kn_status_make(KN_INCOMPATIBLE,
                        "the model has the SHA-256 %.12s..., the one linked into this program %.12s...: build it with "
                        "KENNING_LINKED_MODEL set to the host's model file",
                        sha256, model->sha256);
}

static kn_status describe(size_t count, kn_linked_tensor (*tensor)(size_t), kn_iolist *list) {
  for (size_t i = 0; i < count; i++) {
    const kn_linked_tensor from = tensor(i);
    kn_ioentry entry = {.name = (char *)(uintptr_t)from.name, /* copied */
                        .dtype = kn_dtype_from_name(from.dtype),
                        .rank = from.rank,
                        .order = (int64_t)i,
                        .quantized = from.quantized,
                        .scale = from.scale,
                        .zero_point = from.zero_point};
    size_t bytes;
    if (!entry.dtype || from.rank > KN_MAX_RANK)
      return kn_status_make(KN_INCOMPATIBLE, "tensor '%s' of the linked model has type %s and %u dimensions", from.name,
                            from.dtype, (unsigned)from.rank);
    for (uint32_t k = 0; k < from.rank; k++) entry.shape[k] = from.shape[k];
    KN_TRY(kn_tensor_bytes(entry.dtype, entry.rank, entry.shape, &bytes));
    if (bytes != from.bytes)
      return kn_status_make(KN_INCOMPATIBLE, "tensor '%s' of the linked model has %zu bytes, its shape %zu", from.name,
                            from.bytes, bytes);
    KN_TRY(kn_iolist_add(list, &entry));
  }
  return NULL;
}

static kn_status allocate(size_t count, kn_linked_tensor (*tensor)(size_t), void ***out_memory) {
  *out_memory = kn_alloc_array(count, sizeof **out_memory);
  if (!*out_memory) return kn_status_out_of_memory();
  for (size_t i = 0; i < count; i++) {
    size_t room;
    if (!kn_add_size(tensor(i).bytes, ALIGNMENT - 1, &room)) return kn_status_out_of_memory();
    (*out_memory)[i] = aligned_alloc(ALIGNMENT, room ? room - room % ALIGNMENT + ALIGNMENT : ALIGNMENT);
    if (!(*out_memory)[i]) return kn_status_out_of_memory();
  }
  return NULL;
}

static kn_status bind(kn_linked_runtime *runtime, const kn_iospec *given) {
  KN_TRY(describe(model->input_count, model->input, &runtime->found_input));
  KN_TRY(describe(model->output_count, model->output, &runtime->found_output));
  runtime->input_places = kn_alloc_array(model->input_count, sizeof *runtime->input_places);
  runtime->output_places = kn_alloc_array(model->output_count, sizeof *runtime->output_places);
  if (!runtime->input_places || !runtime->output_places) return kn_status_out_of_memory();
  KN_TRY(kn_iolist_bind(kn_iospec_model_input(given), &runtime->found_input, "input", &runtime->spec.input,
                        runtime->input_places));
  KN_TRY(kn_iolist_bind(given ? &given->output : NULL, &runtime->found_output, "output", &runtime->spec.output,
                        runtime->output_places));
  KN_TRY(allocate(model->input_count, model->input, &runtime->inputs));
  return allocate(model->output_count, model->output, &runtime->outputs);
}

static kn_status load(void *self, const kn_load_request *request) {
  kn_linked_runtime *runtime = self;
  unload(runtime);
  KN_TRY(check_file(request->path));
  kn_status status = bind(runtime, request->spec);
  runtime->loaded = !status;
  if (status) unload(runtime);
  return status;
}

static kn_status check_loaded(const kn_linked_runtime *runtime, size_t count, size_t expected) {
  if (!runtime->loaded) return kn_status_make(KN_INVALID_ARGUMENT, "no model is loaded");
  if (count == expected) return NULL;
  return kn_status_make(KN_INVALID_ARGUMENT, "the model has %zu tensors there, not %zu", expected, count);
}

static kn_status iospec(void *self, kn_iospec *out_spec) {
  const kn_linked_runtime *runtime = self;
  KN_TRY(check_loaded(runtime, 0, 0));
  return kn_iospec_copy(&runtime->spec, out_spec);
}

static kn_status set_input(void *self, const kn_tensor_view *inputs, size_t count) {
  const kn_linked_runtime *runtime = self;
  KN_TRY(check_loaded(runtime, count, model->input_count));
  for (size_t i = 0; i < count; i++)
    KN_TRY(kn_ioentry_store(&runtime->spec.input.entries[i], &inputs[i], runtime->inputs[runtime->input_places[i]]));
  return NULL;
}

static kn_status invoke(void *self) {
  const kn_linked_runtime *runtime = self;
  KN_TRY(check_loaded(runtime, 0, 0));
  int code = model->run(runtime->inputs, runtime->outputs);
  return code ? kn_status_make(KN_BACKEND_FAILED, "the linked model returned %d", code) : NULL;
}

static kn_status output(void *self, const kn_tensor_view *outputs, size_t count) {
  const kn_linked_runtime *runtime = self;
  KN_TRY(check_loaded(runtime, count, model->output_count));
  for (size_t i = 0; i < count; i++)
    KN_TRY(
        kn_ioentry_fetch(&runtime->spec.output.entries[i], runtime->outputs[runtime->output_places[i]], &outputs[i]));
  return NULL;
}

static kn_status statistics(void *self, kn_record *out_record) {
  (void)self;
  KN_TRY(kn_record_set_int(out_record, "threads", 1));
  return kn_record_set_string(out_record, "linked_model_sha256", model->sha256);
}

static const kn_inference_ops inference = {.struct_size = sizeof(kn_inference_ops),
                                           .load = load,
                                           .unload = unload,
                                           .iospec = iospec,
                                           .set_input = set_input,
                                           .invoke = invoke,
                                           .output = output,
                                           .statistics = statistics};

const kn_runtime_ops kn_linked_runtime_ops = {
    .struct_size = sizeof(kn_runtime_ops), .open = open_runtime, .close = unload, .inference = &inference};
