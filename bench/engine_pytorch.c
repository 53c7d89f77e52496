#include "pytorch/runtime.c" /* the module is inside its instance */

#include "engine.h"

static int invoke(void *instance) {
  const pytorch_runtime *runtime = instance;
  return runtime->loaded.torch->torch_shim_run(runtime->loaded.module);
}

int main(int argc, char **argv) {
  const bench_engine engine = {.name = "pytorch", .runtime = &pytorch_runtime_class, .invoke = invoke};
  return bench_engine_main(&engine, argc, argv);
}
