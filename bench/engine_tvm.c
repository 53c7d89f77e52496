#include "tvm/runtime.c" /* the session is inside its instance */

#include "engine.h"

static int invoke(void *instance) {
  tvm_runtime *runtime = instance;
  return runtime->session.engine->invoke(&runtime->session);
}

int main(int argc, char **argv) {
  const bench_engine engine = {.name = "tvm", .runtime = &kn_tvm_runtime_class, .invoke = invoke};
  return bench_engine_main(&engine, argc, argv);
}
