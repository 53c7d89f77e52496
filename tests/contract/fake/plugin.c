#define KN_PLUGIN_MAIN
#include <kenning/plugin.h>

#include <stdlib.h>
#include <string.h>

#include "fake.h"

static const char *const function_names[FAKE_FUNCTIONS] = {[FAKE_OPEN] = "open",
                                                           [FAKE_INFO] = "info",
                                                           [FAKE_LABEL] = "label",
                                                           [FAKE_LOAD_SAMPLE] = "sample",
                                                           [FAKE_SAMPLE_ID] = "sample_id",
                                                           [FAKE_FRAMEWORK] = "framework",
                                                           [FAKE_FORMAT] = "format",
                                                           [FAKE_SPEC] = "spec",
                                                           [FAKE_WEIGHTS] = "weights",
                                                           [FAKE_TRAIN] = "train",
                                                           [FAKE_COMPILE] = "compile",
                                                           [FAKE_LOAD] = "load",
                                                           [FAKE_LOADED_SPEC] = "loaded_spec",
                                                           [FAKE_SET_INPUT] = "set_input",
                                                           [FAKE_INVOKE] = "invoke",
                                                           [FAKE_OUTPUT] = "output",
                                                           [FAKE_STATISTICS] = "statistics"};

kn_status fake_call(fake_calls *calls, fake_function function) {
  size_t call = atomic_fetch_add(&calls->counts[function], 1) + 1;
  const char *name = function_names[function];
  for (size_t i = 0; i < calls->fail.count; i++) {
    const char *row = calls->fail.items[i];
    size_t length = strlen(name);
    if (strncmp(row, name, length) != 0 || row[length] != ':') continue;
    char *end;
    unsigned long long wanted = strtoull(row + length + 1, &end, 10);
    if (wanted != call) continue;
    kn_code code = *end == ':' ? (kn_code)strtol(end + 1, NULL, 10) : KN_BACKEND_FAILED;
    if (code == KN_OUT_OF_MEMORY) return kn_status_out_of_memory();
    return kn_status_make(code, "call %zu of %s fails as it was asked to", call, name);
  }
  return NULL;
}

/* Blocks that were opened and not closed; tests look it up by name. */
KN_EXPORT atomic_int fake_open_blocks;

kn_status fake_open(fake_calls *calls) {
  if (!calls->open) atomic_fetch_add(&fake_open_blocks, 1);
  calls->open = true; /* also when opening fails half-way */
  return fake_call(calls, FAKE_OPEN);
}

void fake_close(fake_calls *calls) {
  if (calls->open) atomic_fetch_sub(&fake_open_blocks, 1);
  calls->open = false;
}

KN_PLUGIN("fake", "1.0", "Apache-2.0", NULL, &fake_dataset_class, &fake_wrapper_class, &fake_optimizer_class,
          &fake_runtime_class, &fake_protocol_class, &fake_converter_class)
