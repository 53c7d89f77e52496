/* TVM with relax: its virtual machine takes our tensors and returns new ones. */
#include "session.h"

#include <string.h>

typedef struct state {
  const kn_relax_api *api;
  kn_relax_object *get_function, *library, *machine, *run, *set_threads;
  kn_relax_value *arguments; /* tensors over memory of ours */
  kn_relax_value result;
} state;

static _Thread_local int32_t threads_here; /* of TVM's pool in this thread; 0: its default */

/* What follows the header of an object. */
static const void *body(const kn_relax_object *object) { return (const char *)object + sizeof *object; }

static kn_status failure(const kn_relax_api *api, const char *what) {
  kn_relax_object *object = NULL;
  api->ErrorMoveFromRaised(&object);
  if (!object) return kn_status_make(KN_BACKEND_FAILED, "TVM %s", what);
  const kn_relax_error *error = body(object);
  int length;
  const char *line = kn_tvm_last_line(error->message.data, error->message.size, &length);
  kn_status status = kn_status_make(KN_BACKEND_FAILED, "TVM %s: %.*s", what, length, line);
  api->ObjectDecRef(object);
  return status;
}

static void release(const kn_relax_api *api, kn_relax_object **object) {
  if (*object) api->ObjectDecRef(*object);
  *object = NULL;
}

static void clear(const kn_relax_api *api, kn_relax_value *value) {
  if (value->type >= KN_RELAX_OBJECTS && value->object) api->ObjectDecRef(value->object);
  *value = (kn_relax_value){0};
}

/* ---- calls ---- */

static kn_relax_value text_value(const char *text) { return (kn_relax_value){.type = KN_RELAX_TEXT, .text = text}; }
static kn_relax_value int_value(int64_t integer) { return (kn_relax_value){.type = KN_RELAX_INT, .integer = integer}; }
static kn_relax_value object_value(int32_t type, kn_relax_object *object) {
  return (kn_relax_value){.type = type, .object = object};
}

/* The result must be an object of the type `wanted`; KN_RELAX_NONE: it is let go. */
static kn_status call(const kn_relax_api *api, kn_relax_object *function, kn_relax_value *arguments, int32_t count,
                      int32_t wanted, kn_relax_object **out_object, const char *what) {
  kn_relax_value result = {0};
  if (api->FunctionCall(function, arguments, count, &result)) return failure(api, what);
  if (wanted == KN_RELAX_NONE) {
    clear(api, &result);
    return NULL;
  }
  if (result.type != wanted) {
    clear(api, &result);
    return kn_status_make(KN_INCOMPATIBLE, "TVM %s: the compiled model is of another kind", what);
  }
  *out_object = result.object;
  return NULL;
}

static kn_status find_global(const kn_relax_api *api, const char *name, kn_relax_object **out_function) {
  const kn_relax_bytes bytes = {name, strlen(name)};
  if (api->FunctionGetGlobal(&bytes, out_function) || !*out_function)
    return kn_status_make(KN_INCOMPATIBLE, "%s has no function %s", api->path, name);
  return NULL;
}

static kn_status find(const state *at, kn_relax_object *module, const char *name, kn_relax_object **out_function) {
  enum { FROM_IMPORTS = 1 };
  kn_relax_value arguments[] = {
      object_value(KN_RELAX_MODULE, module), text_value(name), {.type = KN_RELAX_BOOL, .integer = FROM_IMPORTS}};
  return kn_status_annotate(
      call(at->api, at->get_function, arguments, 3, KN_RELAX_FUNCTION, out_function, "could not look into the model"),
      "while looking for '%s'", name);
}

/* ---- loading ---- */

typedef struct memory {
  kn_dl_managed managed;
  int64_t shape[KN_MAX_RANK], strides[KN_MAX_RANK];
  kn_tensor_view view;
} memory;

static void free_memory(kn_dl_managed *self) {
  memory *at = self->context;
  kn_tensor_free(&at->view);
  kn_free(at);
}

/* A tensor over memory of ours; TVM's object owns it. */
static kn_status make_input(const kn_relax_api *api, const kn_ioentry *entry, kn_relax_value *out_value) {
  memory *at = kn_alloc(sizeof *at);
  if (!at) return kn_status_out_of_memory();
  kn_status status = kn_tensor_create(entry->dtype, entry->rank, entry->shape, &at->view);
  if (status) {
    kn_free(at);
    return status;
  }
  int64_t step = 1;
  for (uint32_t k = entry->rank; k-- > 0; step *= entry->shape[k]) {
    at->shape[k] = entry->shape[k];
    at->strides[k] = step;
  }
  at->managed = (kn_dl_managed){.tensor = {.data = at->view.data,
                                           .device = {KN_DL_CPU, 0},
                                           .rank = (int32_t)entry->rank,
                                           .type = kn_dl_type_of(entry->dtype),
                                           .shape = at->shape,
                                           .strides = at->strides},
                                .context = at,
                                .deleter = free_memory};
  kn_relax_object *tensor;
  if (api->TensorFromDLPack(&at->managed, 0, 1, &tensor)) {
    free_memory(&at->managed);
    return failure(api, "did not take an input");
  }
  *out_value = object_value(KN_RELAX_TENSOR, tensor);
  return NULL;
}

static kn_status make_machine(state *at, const char *path) {
  enum { POOLED = 2 };
  kn_relax_object *load = NULL, *make = NULL, *prepare = NULL;
  kn_relax_value name = text_value(path), devices[] = {int_value(KN_DL_CPU), int_value(0), int_value(POOLED)};
  kn_status status = find_global(at->api, "ffi.ModuleLoadFromFile", &load);
  if (!status) status = call(at->api, load, &name, 1, KN_RELAX_MODULE, &at->library, "could not load the model");
  if (!status) status = find(at, at->library, "vm_load_executable", &make);
  if (!status) status = call(at->api, make, NULL, 0, KN_RELAX_MODULE, &at->machine, "could not load the model");
  if (!status) status = find(at, at->machine, "vm_initialization", &prepare);
  if (!status) status = call(at->api, prepare, devices, 3, KN_RELAX_NONE, NULL, "could not prepare the model");
  release(at->api, &load);
  release(at->api, &make);
  release(at->api, &prepare);
  return status;
}

static kn_status open_engine(kn_tvm_libraries *libraries, const char *library) {
  return kn_relax_api_open(&libraries->relax, library);
}

static kn_status load(kn_tvm_session *session, const char *path) {
  state *at = kn_alloc(sizeof *at);
  if (!at) return kn_status_out_of_memory();
  session->state = at;
  at->api = &session->libraries->relax;
  at->arguments = kn_alloc_array(session->spec.input.count, sizeof *at->arguments);
  if (!at->arguments) return kn_status_out_of_memory();
  KN_TRY(find_global(at->api, "ffi.ModuleGetFunction", &at->get_function));
  KN_TRY(find_global(at->api, "runtime.config_threadpool", &at->set_threads));
  KN_TRY(make_machine(at, path));
  KN_TRY(find(at, at->machine, "main", &at->run));
  for (size_t i = 0; i < session->spec.input.count; i++) {
    KN_TRY(make_input(at->api, &session->spec.input.entries[i], &at->arguments[i]));
    /* The object's own description of it: { header, DLTensor }. */
    session->inputs[i] = (kn_dl_tensor *)(uintptr_t)body(at->arguments[i].object);
  }
  return NULL;
}

/* ---- running ---- */

/* TVM keeps a pool of threads for every thread that runs models. */
static kn_status choose_threads(const kn_tvm_session *session, const state *at) {
  enum { BIG_CORES = 1 };
  if (threads_here == session->threads) return NULL;
  kn_relax_value arguments[] = {int_value(BIG_CORES), int_value(session->threads)};
  KN_TRY(call(at->api, at->set_threads, arguments, 2, KN_RELAX_NONE, NULL, "could not set its threads"));
  threads_here = session->threads;
  return NULL;
}

/* The memory of the last results goes back to TVM's pool and is taken again. */
static int invoke(kn_tvm_session *session) {
  state *at = session->state;
  clear(at->api, &at->result);
  return at->api->FunctionCall(at->run, at->arguments, (int32_t)session->spec.input.count, &at->result);
}

static kn_status run(kn_tvm_session *session) {
  state *at = session->state;
  KN_TRY(choose_threads(session, at));
  if (!invoke(session)) return NULL;
  at->result = (kn_relax_value){0};
  return failure(at->api, "failed to run the model");
}

static kn_status fetch(kn_tvm_session *session) {
  const state *at = session->state;
  const kn_relax_value *values = &at->result;
  int64_t count = 1;
  if (values->type == KN_RELAX_NONE)
    return kn_status_make(KN_INVALID_ARGUMENT, "there are no results yet: the model has not run");
  if (values->type == KN_RELAX_ARRAY) {
    const kn_relax_sequence *sequence = body(values->object);
    count = sequence->size;
    values = sequence->data;
  }
  if (count != (int64_t)session->spec.output.count)
    return kn_status_make(KN_INCOMPATIBLE, "the compiled model has %lld outputs, its io specification %zu",
                          (long long)count, session->spec.output.count);
  for (size_t i = 0; i < session->spec.output.count; i++) {
    if (values[i].type != KN_RELAX_TENSOR)
      return kn_status_make(KN_INCOMPATIBLE, "output %zu of the compiled model is no tensor", i);
    session->outputs[i] = body(values[i].object);
  }
  return NULL;
}

static void unload(kn_tvm_session *session) {
  state *at = session->state;
  clear(at->api, &at->result);
  for (size_t i = 0; at->arguments && i < session->spec.input.count; i++) clear(at->api, &at->arguments[i]);
  release(at->api, &at->run);
  release(at->api, &at->machine);
  release(at->api, &at->library);
  release(at->api, &at->get_function);
  release(at->api, &at->set_threads);
  kn_free(at->arguments);
  kn_free(at);
  session->state = NULL;
}

const kn_tvm_engine kn_tvm_relax_engine = {open_engine, load, run, invoke, fetch, unload};
