#include "onnxruntime/runtime.c" /* the session is inside its instance */

#include "engine.h"

static int invoke(void *instance) {
  const onnx_runtime *runtime = instance;
  const kn_ort_session_state *at = &runtime->session;
  return runtime->api.Run(at->session, NULL, at->inputs.names, (const kn_ort_value *const *)at->inputs.values,
                          at->inputs.list.count, at->outputs.names, at->outputs.list.count, at->outputs.values) != NULL;
}

int main(int argc, char **argv) {
  const bench_engine engine = {.name = "onnxruntime", .runtime = &kn_onnx_runtime_class, .invoke = invoke};
  return bench_engine_main(&engine, argc, argv);
}
