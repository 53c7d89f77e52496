#include "openvino/runtime.c" /* the session is inside its instance */

#include "engine.h"

static int invoke(void *instance) {
  const vino_runtime *runtime = instance;
  return runtime->api.infer_request_infer(runtime->session.request);
}

int main(int argc, char **argv) {
  const bench_engine engine = {.name = "openvino", .runtime = &kn_vino_runtime_class, .invoke = invoke};
  return bench_engine_main(&engine, argc, argv);
}
