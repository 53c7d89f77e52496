/* A plug-in whose blocks do little and fail on demand: the contract suite's own subject, and the source of failures in
 * tests of whole runs.
 *
 * The option "fail" of every block lists calls that fail: "FUNCTION:K" or "FUNCTION:K:CODE", the K-th call (from 1) of
 * a function of an instance, with the number of a kn_code (default: KN_BACKEND_FAILED). BROKEN, chosen when it is
 * built, breaks one rule of the contract; the suite must notice. */
#ifndef TESTS_CONTRACT_FAKE_H
#define TESTS_CONTRACT_FAKE_H

#include <kenning/block.h>
#include <kenning/services.h>
#include <stdatomic.h>

typedef enum fake_function {
  FAKE_OPEN,
  FAKE_INFO,
  FAKE_LABEL,
  FAKE_LOAD_SAMPLE,
  FAKE_SAMPLE_ID,
  FAKE_FRAMEWORK,
  FAKE_FORMAT,
  FAKE_SPEC,
  FAKE_WEIGHTS,
  FAKE_TRAIN,
  FAKE_COMPILE,
  FAKE_LOAD,
  FAKE_LOADED_SPEC,
  FAKE_SET_INPUT,
  FAKE_INVOKE,
  FAKE_OUTPUT,
  FAKE_STATISTICS,
  FAKE_FUNCTIONS
} fake_function;

typedef enum fake_breach {
  WHOLE, /* keeps every rule */
  LABEL_OUT_OF_RANGE,
  UNSTABLE_SAMPLES,
  SHARED_BUFFER, /* samples are made in one place that all threads share */
  NAMES_REPEAT,
  NO_END, /* samples beyond the last one are accepted */
  NOT_ALL_WRITTEN,
  INPUT_UNCHECKED,
  OUTPUT_DRIFTS,
  ALLOCATES,
  STATE_SHARED,    /* between instances */
  CUT_ACCEPTED,    /* models that end too soon are loaded */
  CRASH_AS_STATUS, /* bad models are reported as a fault of the program */
  STALE,           /* a failed load leaves the model before it loaded */
  LEFTOVER,        /* compiling leaves a temporary file */
  HALF_WRITTEN,    /* compiling writes its result before it looks at the input */
  MEMORY_IGNORED,  /* lack of memory is not reported */
  NO_FRAMES,       /* a protocol whose frames may have no bytes */
  NO_TIMEOUT,      /* a protocol that does not follow its option */
  SOCKET_KEPT,     /* a descriptor stays open when nobody is there */
  NOBODY_IS_A_BUG, /* a target that is not there is reported as a fault of the program */
  PLACE_STOLEN,    /* a second listener takes the first one's place */
  ANY_MODEL,       /* a converter that exports models it does not know */
  EXPORT_EMPTY,    /* without model.onnx */
  IMPORT_OF_NOTHING,
  UNTOLD /* a comparison without a difference */
} fake_breach;
#ifndef BROKEN
#define BROKEN WHOLE
#endif
#define IS_BROKEN(breach) (BROKEN == (breach))

/* First members of every block behind the options of its kind. */
typedef struct fake_calls {
  kn_string_list fail;
  atomic_size_t counts[FAKE_FUNCTIONS];
  bool open;
} fake_calls;

#define FAKE_FAIL_ROW(type) \
  { "fail", "Calls that fail, as FUNCTION:K or FUNCTION:K:CODE", KN_OPTION_STRING_LIST, 0, KN_FIELD(type, calls.fail) }

/* Counts a call; the status that was asked for it, or NULL. */
kn_status fake_call(fake_calls *calls, fake_function function);
/* The same for opening, which also counts open blocks. */
kn_status fake_open(fake_calls *calls);
void fake_close(fake_calls *calls);

enum { FAKE_FEATURES = 4, FAKE_CLASSES = 3 };
/* The model "file": a text that says what it is in its first line and ends with its last. */
#define FAKE_MODEL "fake model\nclasses 3\nfeatures 4\nthe end of the model\n"
#define FAKE_COMPILED "fake compiled\nclasses 3\nfeatures 4\nthe end of the model\n"
kn_status fake_model_check(const char *path, const char *content);
kn_status fake_spec(int64_t batch, kn_iospec *out_spec);

/* Inference of wrapper and runtime: gives back the first values of the input. */
typedef struct fake_engine {
  int64_t batch; /* 0: nothing is loaded */
  float *held;   /* [batch, FAKE_CLASSES] */
} fake_engine;
kn_status fake_engine_load(fake_engine *engine, const kn_load_request *request, const char *content);
void fake_engine_unload(fake_engine *engine);
kn_status fake_engine_set_input(fake_engine *engine, const kn_tensor_view *inputs, size_t count);
kn_status fake_engine_invoke(fake_engine *engine);
kn_status fake_engine_output(fake_engine *engine, const kn_tensor_view *outputs, size_t count);
kn_status fake_engine_loaded(const fake_engine *engine);

extern const kn_class fake_dataset_class, fake_wrapper_class, fake_optimizer_class, fake_runtime_class,
    fake_protocol_class, fake_converter_class;

#endif
