/* Execution providers: what runs the operators. The processor's own is always there and always last. */
#include "session.h"

#include <string.h>

static const char cpu[] = "CPUExecutionProvider";

/* Providers that are added by a name of their own; the others by "CUDA" and the like, which is what stands before
 * "ExecutionProvider". */
static kn_status add_cuda(const kn_ort_session_state *state) {
  const kn_ort_api *api = state->api;
  kn_ort_cuda_options *cuda = NULL;
  KN_ORT_TRY(api, CreateCUDAProviderOptions(&cuda), "cannot use CUDA");
  kn_status status =
      kn_ort_failure(api, api->SessionOptionsAppendExecutionProvider_CUDA_V2(state->options, cuda), "cannot use CUDA");
  api->ReleaseCUDAProviderOptions(cuda);
  return status;
}

static kn_status add_by_name(const kn_ort_session_state *state, const char *name) {
  const kn_ort_api *api = state->api;
  static const char suffix[] = "ExecutionProvider";
  size_t length = strlen(name), tail = sizeof suffix - 1;
  bool dressed = length > tail && !strcmp(name + length - tail, suffix);
  char *bare = kn_strndup(name, dressed ? length - tail : length);
  if (!bare) return kn_status_out_of_memory();
  if (!strcmp(bare, "Xnnpack")) memcpy(bare, "XNNPACK", sizeof "XNNPACK");
  kn_ort_status *failed = api->SessionOptionsAppendExecutionProvider(state->options, bare, NULL, NULL, 0);
  kn_free(bare);
  kn_status status = kn_ort_failure(api, failed, "cannot use an execution provider");
  return kn_status_annotate(status, "while adding %s", name);
}

static bool listed(char *const *list, int count, const char *name) {
  for (int i = 0; i < count; i++)
    if (!strcmp(list[i], name)) return true;
  return false;
}

static kn_status missing(const kn_ort_api *api, char *const *list, int count, const char *name) {
  char *names = kn_strdup("");
  for (int i = 0; names && i < count; i++) {
    char *longer = kn_format("%s%s%s", names, i ? ", " : "", list[i]);
    kn_free(names);
    names = longer;
  }
  if (!names) return kn_status_out_of_memory();
  kn_status status = kn_status_make(KN_NOT_INSTALLED,
                                    "%s has no execution provider %.100s; it has %s. Name one of these, or a library "
                                    "that has it with the parameter 'library'",
                                    api->path, name, names);
  kn_free(names);
  return status;
}

static kn_status add(const kn_ort_session_state *state, char *const *list, int count, const char *name) {
  if (!listed(list, count, name)) return missing(state->api, list, count, name);
  if (!strcmp(name, cpu)) return NULL;
  return strcmp(name, "CUDAExecutionProvider") ? add_by_name(state, name) : add_cuda(state);
}

kn_status kn_ort_add_providers(const kn_ort_session_state *state, const kn_string_list *providers) {
  const kn_ort_api *api = state->api;
  char **list = NULL;
  int count = 0;
  KN_ORT_TRY(api, GetAvailableProviders(&list, &count), "does not tell its execution providers");
  kn_status status = NULL;
  for (size_t i = 0; i < providers->count && !status; i++) status = add(state, list, count, providers->items[i]);
  kn_status freed =
      kn_ort_failure(api, api->ReleaseAvailableProviders(list, count), "cannot release its list of providers");
  return kn_status_join(status, freed);
}
