#include "mxnet/runtime.c" /* the predictor is inside its instance */

#include "engine.h"

static int invoke(void *instance) {
  const mxnet_runtime *runtime = instance;
  int result = runtime->loaded.mx->MXPredForward(runtime->loaded.predictor);
  return result ? result : runtime->loaded.mx->MXNDArrayWaitAll();
}

int main(int argc, char **argv) {
  const bench_engine engine = {.name = "mxnet", .runtime = &mxnet_runtime_class, .invoke = invoke};
  return bench_engine_main(&engine, argc, argv);
}
