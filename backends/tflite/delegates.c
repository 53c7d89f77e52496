#include "delegates.h"
#include "model_file.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

enum { DELEGATE_CODE = 51 }; /* BuiltinOperator_DELEGATE: what the engine puts in place of the operators taken */

/* ---- observers ---- */

static int observe(kn_tfl_context *context, kn_tfl_delegate *delegate) {
  kn_tflite_observer *observer = delegate->data;
  kn_tfl_int_array *plan;
  if (observer->closed) return KN_TFL_OK;
  if (observer->api->OpaqueContextGetExecutionPlan(context, &plan) != KN_TFL_OK) return KN_TFL_OK;
  for (int i = 0; i < plan->size; i++) {
    kn_tfl_node *node;
    kn_tfl_operator *operator_;
    if (observer->api->OpaqueContextGetNodeAndRegistration(context, plan->data[i], &node, &operator_) != KN_TFL_OK)
      continue;
    int code = observer->api->OperatorGetBuiltInCode(operator_);
    if (code == DELEGATE_CODE) {
      observer->kernels++;
    } else {
      observer->operators++;
      observer->by_code[code >= 0 && code < KN_TFLITE_OPERATOR_CODES ? code : KN_TFLITE_OPERATOR_CODES - 1]++;
    }
  }
  return KN_TFL_OK;
}

/* ---- delegates of the user ---- */

/* The libraries report errors without a pointer of ours. */
static _Thread_local char delegate_words[256];

static void hear_delegate(const char *text) { snprintf(delegate_words, sizeof delegate_words, "%s", text); }

static kn_status open_external(const char *library, kn_tflite_delegate *out_delegate) {
  typedef kn_tfl_delegate *(*create_fn)(char **keys, char **values, size_t count, void (*report)(const char *));
  typedef void (*destroy_fn)(kn_tfl_delegate *);
  void *handle;
  KN_TRY(kn_library_open(library, &handle));
  void *symbols[2] = {dlsym(handle, "tflite_plugin_create_delegate"), dlsym(handle, "tflite_plugin_destroy_delegate")};
  if (!symbols[0] || !symbols[1])
    return kn_status_make(KN_INCOMPATIBLE,
                          "%s is no TensorFlow Lite delegate: it lacks tflite_plugin_create_delegate or "
                          "tflite_plugin_destroy_delegate",
                          library);
  create_fn create;
  destroy_fn destroy;
  memcpy(&create, &symbols[0], sizeof create);
  memcpy(&destroy, &symbols[1], sizeof destroy);
  delegate_words[0] = '\0';
  kn_tfl_delegate *delegate = create(NULL, NULL, 0, hear_delegate);
  if (!delegate)
    return kn_status_make(KN_BACKEND_FAILED, "%s could not make its delegate%s%s", library,
                          delegate_words[0] ? ": " : " (is its device connected?)", delegate_words);
  *out_delegate = (kn_tflite_delegate){.name = kn_strdup(library), .delegate = delegate, .destroy = destroy};
  return out_delegate->name ? NULL : kn_status_out_of_memory();
}

/* ---- the list ---- */

static kn_status create_xnnpack(const kn_tflite_api *api, int32_t threads, kn_tflite_delegate *out_delegate) {
  /* The library applies XNNPACK only when asked to; without it models run 4 to 15 times slower. Flags stay at their
   * defaults, which differ between versions. */
  kn_tfl_xnnpack_options options = api->XNNPackDelegateOptionsDefault();
  options.num_threads = threads;
  kn_tfl_delegate *delegate = api->XNNPackDelegateCreate(&options);
  if (!delegate) return kn_status_make(KN_BACKEND_FAILED, "the XNNPACK delegate could not be made");
  *out_delegate =
      (kn_tflite_delegate){.name = kn_strdup("XNNPACK"), .delegate = delegate, .destroy = api->XNNPackDelegateDelete};
  return out_delegate->name ? NULL : kn_status_out_of_memory();
}

static kn_status create_all(const kn_tflite_api *api, const kn_string_list *libraries, int32_t threads,
                            kn_tflite_delegates *delegates) {
  size_t count = libraries->count + 1;
  delegates->list = kn_alloc_array(count, sizeof *delegates->list);
  delegates->observers = kn_alloc_array(count + 1, sizeof *delegates->observers);
  if (!delegates->list || !delegates->observers) return kn_status_out_of_memory();
  delegates->count = count;
  for (size_t i = 0; i <= count; i++) {
    kn_tflite_observer *observer = &delegates->observers[i];
    observer->api = api;
    observer->delegate =
        (kn_tfl_delegate){.data = observer, .prepare = observe, .flags = KN_TFL_DELEGATE_ALLOWS_DYNAMIC_TENSORS};
  }
  for (size_t i = 0; i < libraries->count; i++)
    KN_TRY(kn_status_annotate(open_external(libraries->items[i], &delegates->list[i]), "while opening delegate %s",
                              libraries->items[i]));
  return create_xnnpack(api, threads, &delegates->list[count - 1]);
}

kn_status kn_tflite_delegates_create(const kn_tflite_api *api, const kn_string_list *libraries, int32_t threads,
                                     kn_tflite_delegates *out_delegates) {
  *out_delegates = (kn_tflite_delegates){0};
  kn_status status = create_all(api, libraries, threads, out_delegates);
  if (status) kn_tflite_delegates_destroy(out_delegates);
  return status;
}

void kn_tflite_delegates_add(const kn_tflite_delegates *delegates, const kn_tflite_api *api, kn_tfl_options *options) {
  for (size_t i = 0; i <= delegates->count; i++) {
    api->InterpreterOptionsAddDelegate(options, &delegates->observers[i].delegate);
    if (i < delegates->count) api->InterpreterOptionsAddDelegate(options, delegates->list[i].delegate);
  }
}

void kn_tflite_delegates_settle(kn_tflite_delegates *delegates) {
  for (size_t i = 0; i <= delegates->count; i++) delegates->observers[i].closed = true;
}

void kn_tflite_delegates_destroy(kn_tflite_delegates *delegates) {
  for (size_t i = 0; i < delegates->count; i++) {
    kn_tflite_delegate *at = &delegates->list[i];
    if (at->delegate) at->destroy(at->delegate);
    kn_free(at->name);
  }
  kn_free(delegates->list);
  kn_free(delegates->observers);
  *delegates = (kn_tflite_delegates){0};
}

kn_status kn_tflite_delegates_describe(const kn_tflite_delegates *delegates, kn_record *record) {
  const kn_tflite_observer *observers = delegates->observers;
  kn_record *entry;
  KN_TRY(kn_record_set_int(record, "operators", (int64_t)observers[0].operators));
  for (size_t i = 0; i < delegates->count; i++) {
    KN_TRY(kn_record_append_object(record, "delegates", &entry));
    KN_TRY(kn_record_set_string(entry, "name", delegates->list[i].name));
    KN_TRY(kn_record_set_int(entry, "operators", (int64_t)(observers[i].operators - observers[i + 1].operators)));
    KN_TRY(kn_record_set_int(entry, "parts", (int64_t)(observers[i + 1].kernels - observers[i].kernels)));
  }
  const kn_tflite_observer *last = &observers[delegates->count];
  for (int code = 0; code < KN_TFLITE_OPERATOR_CODES; code++) {
    if (!last->by_code[code]) continue;
    const char *name = kn_tflite_operator_name(code);
    KN_TRY(kn_record_append_object(record, "builtin_operators", &entry));
    KN_TRY(kn_record_set_string(entry, "name", name ? name : "unknown operator"));
    KN_TRY(kn_record_set_int(entry, "operators", (int64_t)last->by_code[code]));
  }
  return NULL;
}
