/* TVM with relay: graph and ahead-of-time executors, whose tensors stay where they are, and the virtual machine. */
#include <string.h>

#include <kenning/services.h>

#include "session.h"

enum { MOST_ARGUMENTS = 17 };

typedef struct call {
  kn_relay_value values[MOST_ARGUMENTS];
  int codes[MOST_ARGUMENTS], count;
} call;

typedef struct state {
  const kn_relay_api *api;
  void *library, *executor; /* modules */
  void *run, *get_output, *set_threads;
  kn_dl_tensor **outputs; /* owned arrays */
  call run_arguments;
  bool ran;
} state;

static _Thread_local int32_t threads_here; /* of TVM's pool in this thread; 0: its default */

static kn_status failure(const kn_relay_api *api, const char *what) {
  int length;
  const char *text = api->GetLastError(), *line = kn_tvm_last_line(text ? text : "", text ? strlen(text) : 0, &length);
  return kn_status_make(KN_BACKEND_FAILED, "TVM %s: %.*s", what, length, line);
}

/* ---- calls ---- */

static void add(call *to, int code, kn_relay_value value) {
  to->values[to->count] = value;
  to->codes[to->count++] = code;
}

static void add_int(call *to, int64_t value) { add(to, KN_RELAY_INT, (kn_relay_value){.integer = value}); }
static void add_text(call *to, const char *text) { add(to, KN_RELAY_STRING, (kn_relay_value){.text = text}); }

/* `wanted`: code of the result, -1 for any that needs no freeing. `out_handle`: NULL where nobody looks at it. */
static kn_status run_call(const state *at, void *function, call *arguments, int wanted, void **out_handle,
                          const char *what) {
  kn_relay_value value = {0};
  int code = 0;
  if (at->api->FuncCall(function, arguments->values, arguments->codes, arguments->count, &value, &code))
    return failure(at->api, what);
  if (wanted >= 0 && code != wanted)
    return kn_status_make(KN_BACKEND_FAILED, "TVM %s: it returned something else (type %d)", what, code);
  if (out_handle) *out_handle = value.handle;
  return NULL;
}

static kn_status find(const state *at, void *module, const char *name, void **out_function) {
  *out_function = NULL;
  if (at->api->ModGetFunction(module, name, 0, out_function)) return failure(at->api, "could not look into the model");
  if (*out_function) return NULL;
  return kn_status_make(KN_INCOMPATIBLE, "the compiled model has no function '%s'", name);
}

/* Finds a function of the executor, calls it, forgets it. */
static kn_status call_by_name(const state *at, const char *name, call *arguments, int wanted, void **out_handle) {
  void *function;
  KN_TRY(find(at, at->executor, name, &function));
  kn_status status = run_call(at, function, arguments, wanted, out_handle, "could not prepare the model");
  at->api->FuncFree(function);
  return status;
}

/* ---- executors ---- */

static kn_status make_executor(state *at, const char *factory, call *arguments) {
  void *function, *made = NULL;
  KN_TRY(find(at, at->library, factory, &function));
  kn_status status = run_call(at, function, arguments, KN_RELAY_MODULE, &made, "could not load the model");
  at->api->FuncFree(function);
  if (!status) at->executor = made;
  return status;
}

/* The executor's own tensors are written and read in place. */
static kn_status bind_graph(kn_tvm_session *session, state *at) {
  call arguments = {0};
  add(&arguments, KN_RELAY_DEVICE, (kn_relay_value){.device = {KN_DL_CPU, 0}});
  KN_TRY(make_executor(at, "default", &arguments));
  for (size_t i = 0; i < session->spec.input.count; i++) {
    void *input = NULL;
    call name = {0};
    add_text(&name, session->spec.input.entries[i].name);
    KN_TRY(call_by_name(at, "get_input", &name, -1, &input));
    if (!input)
      return kn_status_make(KN_INCOMPATIBLE, "the compiled model has no input '%s'",
                            session->spec.input.entries[i].name);
    session->inputs[i] = input;
  }
  for (size_t i = 0; i < session->spec.output.count; i++) {
    void *output = NULL;
    call index = {0};
    add_int(&index, (int64_t)i);
    KN_TRY(call_by_name(at, "get_output", &index, KN_RELAY_ARRAY, &output));
    at->outputs[i] = output;
  }
  return find(at, at->executor, "run", &at->run);
}

/* The ahead-of-time executor does nothing but call the compiled function on its tensors, and in doing so forgets a
 * handle of each in every run (AotExecutor::Run): the function is called without it, inputs in their order, then
 * outputs. Models with a name of their own keep the executor. */
static kn_status bind_main(kn_tvm_session *session, state *at) {
  static const char main_function[] = "tvmgen_default___tvm_main__";
  enum { IMPORTS = 1 };
  const size_t inputs = session->spec.input.count, outputs = session->spec.output.count;
  KN_TRY(bind_graph(session, at));
  void *function = NULL;
  if (inputs + outputs > MOST_ARGUMENTS) return NULL;
  if (at->api->ModGetFunction(at->library, main_function, IMPORTS, &function))
    return failure(at->api, "could not look into the model");
  if (!function) return NULL;
  at->api->FuncFree(at->run);
  at->run = function;
  for (size_t i = 0; i < inputs; i++) {
    void *input = NULL;
    call index = {0};
    add_int(&index, (int64_t)i);
    KN_TRY(call_by_name(at, "get_input", &index, KN_RELAY_ARRAY, &input));
    add(&at->run_arguments, KN_RELAY_TENSOR, (kn_relay_value){.handle = input});
    at->api->ArrayFree(input); /* the executor has it too */
  }
  for (size_t i = 0; i < outputs; i++)
    add(&at->run_arguments, KN_RELAY_TENSOR, (kn_relay_value){.handle = at->outputs[i]});
  return NULL;
}

static kn_status allocate_input(const state *at, const kn_ioentry *entry, kn_dl_tensor **out_tensor) {
  kn_dl_type type = kn_dl_type_of(entry->dtype);
  if (at->api->ArrayAlloc(entry->shape, (int)entry->rank, type.code, type.bits, type.lanes, KN_DL_CPU, 0, out_tensor))
    return failure(at->api, "could not allocate an input");
  return NULL;
}

/* The machine takes the tensors that it is given once, and makes new results in every run. */
static kn_status bind_vm(kn_tvm_session *session, state *at) {
  call none = {0}, devices = {0}, inputs = {0};
  enum { POOLED = 2 };
  if (session->spec.input.count >= MOST_ARGUMENTS)
    return kn_status_make(KN_INCOMPATIBLE, "models of more than %d inputs are not supported", MOST_ARGUMENTS - 1);
  KN_TRY(make_executor(at, "vm_load_executable", &none));
  add_int(&devices, KN_DL_CPU);
  add_int(&devices, 0);
  add_int(&devices, POOLED);
  KN_TRY(call_by_name(at, "init", &devices, -1, NULL));
  add_text(&inputs, "main");
  for (size_t i = 0; i < session->spec.input.count; i++) {
    KN_TRY(allocate_input(at, &session->spec.input.entries[i], &session->inputs[i]));
    add(&inputs, KN_RELAY_ARRAY, (kn_relay_value){.handle = session->inputs[i]});
  }
  KN_TRY(call_by_name(at, "set_input", &inputs, -1, NULL));
  KN_TRY(find(at, at->executor, "get_output", &at->get_output));
  add_text(&at->run_arguments, "main");
  return find(at, at->executor, "invoke_stateful", &at->run);
}

/* ---- the engine ---- */

static kn_status open_engine(kn_tvm_libraries *libraries, const char *library) {
  return kn_relay_api_open(&libraries->relay, library);
}

static int count_team(int number, kn_relay_team *team, void *context) {
  if (!number) *(int32_t *)context = team->count;
  return 0;
}

/* Builds with OpenMP, such as the one that is installed, run loops on one thread whatever they are told: that is asked
 * of the library by a loop that counts. */
static void limit_threads(kn_tvm_session *session, const kn_relay_api *api) {
  int32_t found = session->threads;
  if (found == 1 || api->BackendParallelLaunch(count_team, &found, 0) || found < 1 || found >= session->threads) return;
  kn_log(KN_LOG_INFO, "one inference takes %d thread%s and not %d: relay's run time library (%s) has no more", found,
         found == 1 ? "" : "s", session->threads, api->path);
  session->threads = found;
}

static kn_status load(kn_tvm_session *session, const char *path) {
  state *at = kn_alloc(sizeof *at);
  if (!at) return kn_status_out_of_memory();
  session->state = at;
  at->api = &session->libraries->relay;
  at->outputs = kn_alloc_array(session->spec.output.count, sizeof *at->outputs);
  if (!at->outputs) return kn_status_out_of_memory();
  if (at->api->ModLoadFromFile(path, "so", &at->library)) return failure(at->api, "could not load the model");
  if (at->api->FuncGetGlobal("runtime.config_threadpool", &at->set_threads) || !at->set_threads)
    return kn_status_make(KN_INCOMPATIBLE, "%s cannot set the number of its threads", at->api->path);
  limit_threads(session, at->api);
  if (session->executor == KN_TVM_VM) return bind_vm(session, at);
  return session->executor == KN_TVM_AOT ? bind_main(session, at) : bind_graph(session, at);
}

/* TVM keeps a pool of threads for every thread that runs models. */
static kn_status choose_threads(const kn_tvm_session *session, const state *at) {
  if (threads_here == session->threads) return NULL;
  enum { BIG_CORES = 1 };
  call arguments = {0};
  add_int(&arguments, BIG_CORES);
  add_int(&arguments, session->threads);
  KN_TRY(run_call(at, at->set_threads, &arguments, -1, NULL, "could not set its threads"));
  threads_here = session->threads;
  return NULL;
}

static int invoke(kn_tvm_session *session) {
  state *at = session->state;
  kn_relay_value value;
  int code;
  return at->api->FuncCall(at->run, at->run_arguments.values, at->run_arguments.codes, at->run_arguments.count, &value,
                           &code);
}

static kn_status run(kn_tvm_session *session) {
  state *at = session->state;
  KN_TRY(choose_threads(session, at));
  if (invoke(session)) return failure(at->api, "failed to run the model");
  at->ran = true;
  return NULL;
}

static kn_status fetch(kn_tvm_session *session) {
  state *at = session->state;
  if (!at->ran) return kn_status_make(KN_INVALID_ARGUMENT, "there are no results yet: the model has not run");
  for (size_t i = 0; i < session->spec.output.count; i++) {
    if (session->executor == KN_TVM_VM) {
      void *output = NULL;
      call index = {0};
      add_int(&index, (int64_t)i);
      KN_TRY(run_call(at, at->get_output, &index, KN_RELAY_ARRAY, &output, "could not hand over a result"));
      if (at->outputs[i]) at->api->ArrayFree(at->outputs[i]);
      at->outputs[i] = output;
    }
    session->outputs[i] = at->outputs[i];
  }
  return NULL;
}

static void unload(kn_tvm_session *session) {
  state *at = session->state;
  const kn_relay_api *api = at->api;
  void *functions[] = {at->run, at->get_output};
  for (size_t i = 0; i < 2; i++)
    if (functions[i]) api->FuncFree(functions[i]);
  for (size_t i = 0; at->outputs && i < session->spec.output.count; i++)
    if (at->outputs[i]) api->ArrayFree(at->outputs[i]);
  for (size_t i = 0; i < session->spec.input.count; i++)
    if (session->inputs[i]) api->ArrayFree(session->inputs[i]);
  if (at->executor) api->ModFree(at->executor);
  if (at->library) api->ModFree(at->library);
  kn_free(at->outputs);
  kn_free(at);
  session->state = NULL;
}

const kn_tvm_engine kn_tvm_relay_engine = {open_engine, load, run, invoke, fetch, unload};
