/* What a model really runs with: the kernels that the engine chose, by its own profiler. */
#include "session.h"

#include <stdlib.h>
#include <string.h>

/* What the engine made of the settings. */
static kn_status settle(const kn_vino_session *session, kn_record *record) {
  const kn_vino_api *api = session->api;
  char *precision = NULL, *threads = NULL;
  int result = api->compiled_model_get_property(session->compiled, "INFERENCE_PRECISION_HINT", &precision);
  if (result == KN_VINO_OK)
    result = api->compiled_model_get_property(session->compiled, "INFERENCE_NUM_THREADS", &threads);
  kn_status status;
  if (result == KN_VINO_OK) {
    status = kn_record_set_string(record, "inference_precision", precision);
    if (!status) status = kn_record_set_int(record, "threads", strtoll(threads, NULL, 10));
  } else {
    status = kn_vino_fault(api, KN_BACKEND_FAILED, "does not tell how it compiled the model", result);
  }
  api->free(precision);
  api->free(threads);
  return status;
}

/* Kernels are called "brgconv_avx2_f32", "jit_avx512_core_amx_bf16", "ref_any_f32", "unknown_i64". */
static const char *instruction_set(const char *kernel) {
  static const char *const sets[] = {"amx",
                                     "avx512_core_vnni",
                                     "avx512_core_bf16",
                                     "avx512",
                                     "avx2_vnni",
                                     "avx2",
                                     "avx",
                                     "sse42",
                                     "sve",
                                     "neon",
                                     "asimd",
                                     "acl"};
  for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
    if (strstr(kernel, sets[i])) return sets[i];
  return NULL;
}

static int by_kernel(const void *a, const void *b) {
  const kn_vino_profile *x = a, *y = b;
  return strcmp(x->exec_type ? x->exec_type : "", y->exec_type ? y->exec_type : "");
}

/* `profiles` becomes sorted. */
static kn_status count_kernels(kn_vino_profiles *profiles, kn_record *record) {
  kn_record *kernels;
  int64_t executed = 0, run = 0, most_us = -1;
  const char *set = NULL;
  KN_TRY(kn_record_object(record, "kernels", &kernels));
  if (profiles->count) qsort(profiles->items, profiles->count, sizeof *profiles->items, by_kernel);
  for (size_t i = 0; i < profiles->count; i++) {
    const kn_vino_profile *node = &profiles->items[i];
    if (node->status != KN_VINO_EXECUTED || !node->exec_type) continue;
    executed++;
    run++;
    KN_TRY(kn_record_set_int(kernels, node->exec_type, run));
    if (i + 1 < profiles->count && by_kernel(node, node + 1) != 0) run = 0;
    /* That of the longest node: one operator without a fast kernel does not name the whole. */
    if (node->real_us > most_us && instruction_set(node->exec_type)) {
      most_us = node->real_us;
      set = instruction_set(node->exec_type);
    }
  }
  KN_TRY(kn_record_set_int(record, "executed_nodes", executed));
  return kn_record_set_string(record, "instruction_set", set ? set : "unknown");
}

/* The inputs that the request at hand holds. */
static kn_status copy_inputs(const kn_vino_session *session, const kn_vino_request *to) {
  const kn_vino_api *api = session->api;
  for (size_t i = 0; i < session->found.input.count; i++) {
    kn_vino_tensor *source = NULL, *target = NULL;
    void *from = NULL, *at = NULL;
    size_t bytes = 0;
    int result = api->infer_request_get_input_tensor_by_index(session->request, i, &source);
    if (result == KN_VINO_OK) result = api->infer_request_get_input_tensor_by_index(to, i, &target);
    if (result == KN_VINO_OK) result = api->tensor_get_byte_size(source, &bytes);
    if (result == KN_VINO_OK) result = api->tensor_data(source, &from);
    if (result == KN_VINO_OK) result = api->tensor_data(target, &at);
    if (result == KN_VINO_OK) memcpy(at, from, bytes);
    if (source) api->tensor_free(source);
    if (target) api->tensor_free(target);
    if (result != KN_VINO_OK) return kn_vino_fault(api, KN_BACKEND_FAILED, "has no place for an input", result);
  }
  return NULL;
}

static kn_status profile(const kn_vino_session *session, kn_vino_request *request, kn_record *record) {
  const kn_vino_api *api = session->api;
  kn_vino_profiles profiles = {0};
  KN_TRY(copy_inputs(session, request));
  int result = api->infer_request_infer(request);
  if (result == KN_VINO_OK) result = api->infer_request_get_profiling_info(request, &profiles);
  if (result != KN_VINO_OK) return kn_vino_fault(api, KN_BACKEND_FAILED, "does not tell what it runs", result);
  kn_status status = count_kernels(&profiles, record);
  api->profiling_info_list_free(&profiles);
  return status;
}

kn_status kn_vino_session_examine(const kn_vino_session *session, kn_record *record) {
  const kn_vino_api *api = session->api;
  kn_vino_compiled *compiled = NULL;
  kn_vino_request *request = NULL;
  KN_TRY(settle(session, record));
  KN_TRY(kn_vino_compile(session, true, &compiled));
  int result = api->compiled_model_create_infer_request(compiled, &request);
  kn_status status = result == KN_VINO_OK ? profile(session, request, record)
                                          : kn_vino_fault(api, KN_BACKEND_FAILED, "cannot prepare the model", result);
  if (request) api->infer_request_free(request);
  api->compiled_model_free(compiled);
  return status;
}
