#include "inference.h"

#include <kenning/layout.h>

static kn_status check_loaded(const inference *loaded) {
  return loaded->module || loaded->package ? NULL : kn_status_make(KN_INVALID_ARGUMENT, "no model is loaded");
}

void inference_unload(inference *loaded) {
  if (loaded->module) loaded->torch->torch_shim_free(loaded->module);
  package_close(loaded->package);
  for (size_t i = 0; i < INFERENCE_TENSORS; i++) kn_tensor_free(&loaded->memory[i]);
  kn_iospec_clear(&loaded->spec);
  kn_free(loaded->planar);
  *loaded = (inference){0};
}

kn_status inference_iospec(const inference *loaded, kn_iospec *out_spec) {
  KN_TRY(check_loaded(loaded));
  return kn_iospec_copy(&loaded->spec, out_spec);
}

/* ---- running ---- */

kn_status inference_set_input(inference *loaded, const kn_tensor_view *inputs, size_t count) {
  KN_TRY(check_loaded(loaded));
  KN_TRY(kn_iolist_check_count(&loaded->spec.input, count, "input"));
  for (size_t i = 0; i < count; i++) {
    const kn_ioentry *entry = &loaded->spec.input.entries[i];
    void *data = loaded->inputs[loaded->input_places[i]].data;
    if (!loaded->planar) {
      KN_TRY(kn_ioentry_store(entry, &inputs[i], data));
      continue;
    }
    KN_TRY(kn_ioentry_store(entry, &inputs[i], loaded->planar));
    kn_layout_make_planar(loaded->planar, data, (size_t)entry->shape[0], loaded->pixels, loaded->channels,
                          sizeof(float));
  }
  return NULL;
}

kn_status inference_invoke(inference *loaded) {
  KN_TRY(check_loaded(loaded));
  loaded->has_run = true;
  if (loaded->package) return package_run(loaded->package);
  return torch_result(loaded->torch, loaded->torch->torch_shim_run(loaded->module), "run the model");
}

static kn_status result_of(inference *loaded, size_t index, torch_shim_tensor *out) {
  if (loaded->package) return package_output(loaded->package, index, out);
  return torch_result(loaded->torch, loaded->torch->torch_shim_output(loaded->module, (int32_t)index, out),
                      "give its output");
}

kn_status inference_output(inference *loaded, const kn_tensor_view *outputs, size_t count) {
  KN_TRY(check_loaded(loaded));
  KN_TRY(kn_iolist_check_count(&loaded->spec.output, count, "output"));
  for (size_t i = 0; i < count; i++) {
    const kn_ioentry *entry = &loaded->spec.output.entries[i];
    torch_shim_tensor result;
    KN_TRY(result_of(loaded, loaded->output_places[i], &result));
    bool same = torch_kn_dtype_of(result.dtype) == entry->dtype && (uint32_t)result.rank == entry->rank;
    for (uint32_t k = 0; same && k < entry->rank; k++) same = result.shape[k] == entry->shape[k];
    if (!same)
      return kn_status_make(KN_BACKEND_FAILED, "the model's output '%s' has changed its shape or type", entry->name);
    KN_TRY(kn_ioentry_fetch(entry, result.data, &outputs[i]));
  }
  return NULL;
}

kn_status inference_statistics(const inference *loaded, kn_record *out_record) {
  kn_record *delegate;
  KN_TRY(check_loaded(loaded));
  KN_TRY(kn_record_set_int(out_record, "threads", loaded->threads));
  KN_TRY(kn_record_append_object(out_record, "delegates", &delegate));
  KN_TRY(kn_record_set_string(delegate, "name", loaded->how));
  if (loaded->module) {
    KN_TRY(kn_record_set_int(delegate, "operators", (int64_t)loaded->operator_count));
    KN_TRY(kn_record_set_int(out_record, "operators", (int64_t)loaded->operator_count));
    KN_TRY(kn_record_set_int(out_record, "weights_bytes", (int64_t)loaded->weights_bytes));
  }
  KN_TRY(kn_record_set_string(out_record, "library", loaded->torch->path));
  return kn_record_set_string(out_record, "library_version", loaded->torch->torch_shim_version());
}
