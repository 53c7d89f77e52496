#include "iree/runtime.c" /* the session is inside its instance */

#include "engine.h"

static int invoke(void *instance) {
  const iree_runtime *runtime = instance;
  kenning_iree_words words;
  return runtime->api.invoke(runtime->session.program, &words);
}

int main(int argc, char **argv) {
  const bench_engine engine = {.name = "iree", .runtime = &kn_iree_runtime_class, .invoke = invoke};
  return bench_engine_main(&engine, argc, argv);
}
