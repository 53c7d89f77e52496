#include "tflite/runtime.c" /* the interpreter is inside its instance */

#include "engine.h"

static int invoke(void *instance) {
  const tflite_runtime *runtime = instance;
  return runtime->api.InterpreterInvoke(runtime->session.interpreter);
}

int main(int argc, char **argv) {
  const bench_engine engine = {.name = "tflite", .runtime = &kn_tflite_runtime_class, .invoke = invoke};
  return bench_engine_main(&engine, argc, argv);
}
