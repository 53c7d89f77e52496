/* A runtime that loads nothing and computes nothing: what a run costs without a model, and scenarios on a machine
 * without any framework. */
#include <kenning/block.h>
#include <string.h>

enum { RESULT_ZEROS = 1, RESULT_ECHO };

typedef struct kn_null_runtime {
  kn_runtime_options base;
  int result;
  int64_t outputs;
  kn_iospec spec;      /* of the loaded "model" */
  kn_tensor_view held; /* [batch, outputs] float32 */
  size_t batch, row;   /* values per sample of `held` */
  size_t input_row;    /* values per sample of the input */
} kn_null_runtime;

static const kn_choice results[] = {{"zeros", RESULT_ZEROS, "every output is 0"},
                                    {"echo", RESULT_ECHO, "the outputs are the first values of the input"},
                                    {0}};

static const kn_option options[] = {
    {"result", "What the outputs are", KN_OPTION_ENUM, 0, KN_FIELD(kn_null_runtime, result), .def.i = RESULT_ZEROS,
     .choices = results},
    {"outputs", "Number of outputs per sample; 0: as the io specification says", KN_OPTION_INT, 0,
     KN_FIELD(kn_null_runtime, outputs), .def.i = 0, .min = 0, .max = 1 << 24},
    {0}};

static kn_status open_runtime(void *self) {
  (void)self;
  return NULL;
}

static void unload(void *self) {
  kn_null_runtime *runtime = self;
  kn_iospec_clear(&runtime->spec);
  kn_tensor_free(&runtime->held);
}

/* Fills in the batch where the specification leaves it open. */
static kn_status with_batch(kn_ioentry *entry, int64_t batch) {
  if (!entry->rank) return kn_status_make(KN_INCOMPATIBLE, "'%s' has no batch dimension", entry->name);
  if (entry->shape[0] != -1 && entry->shape[0] != batch)
    return kn_status_make(KN_INCOMPATIBLE, "'%s' is made for batches of %lld, the scenario runs batches of %lld",
                          entry->name, (long long)entry->shape[0], (long long)batch);
  entry->shape[0] = batch;
  return NULL;
}

static kn_status load_spec(kn_null_runtime *runtime, const kn_load_request *request) {
  if (!request->spec || request->spec->input.count != 1 || request->spec->output.count != 1)
    return kn_status_make(KN_INVALID_ARGUMENT,
                          "the null runtime needs an io specification with one input and one output");
  KN_TRY(kn_iospec_copy(request->spec, &runtime->spec));
  kn_ioentry *input = &runtime->spec.input.entries[0], *output = &runtime->spec.output.entries[0];
  KN_TRY(with_batch(input, request->batch));
  KN_TRY(with_batch(output, request->batch));
  size_t bytes;
  runtime->batch = (size_t)request->batch;
  KN_TRY(kn_tensor_bytes(input->dtype, input->rank - 1, input->shape + 1, &bytes));
  runtime->input_row = bytes / kn_dtype_size(input->dtype);
  KN_TRY(kn_tensor_bytes(KN_FLOAT32, output->rank - 1, output->shape + 1, &bytes));
  runtime->row = runtime->outputs ? (size_t)runtime->outputs : bytes / sizeof(float);
  if (runtime->outputs) {
    output->rank = 2;
    output->shape[1] = runtime->outputs;
  }
  output->dtype = KN_FLOAT32;
  output->quantized = false;
  output->prequantized_dtype = KN_DTYPE_NONE;
  if (runtime->result == RESULT_ECHO && (input->dtype != KN_FLOAT32 || runtime->input_row < runtime->row))
    return kn_status_make(KN_INCOMPATIBLE, "an echo of %zu values needs at least as many values of float32",
                          runtime->row);
  return kn_tensor_create(KN_FLOAT32, output->rank, output->shape, &runtime->held);
}

static kn_status load(void *self, const kn_load_request *request) {
  unload(self);
  kn_status status = load_spec(self, request);
  if (status) unload(self);
  return status;
}

static kn_status check_loaded(const kn_null_runtime *runtime) {
  return runtime->held.data ? NULL : kn_status_make(KN_INVALID_ARGUMENT, "no model is loaded");
}

static kn_status iospec(void *self, kn_iospec *out_spec) {
  const kn_null_runtime *runtime = self;
  KN_TRY(check_loaded(runtime));
  return kn_iospec_copy(&runtime->spec, out_spec);
}

static kn_status set_input(void *self, const kn_tensor_view *inputs, size_t count) {
  kn_null_runtime *runtime = self;
  KN_TRY(check_loaded(runtime));
  if (count != 1 || inputs->dtype != runtime->spec.input.entries[0].dtype ||
      kn_tensor_elements(inputs) != runtime->batch * runtime->input_row)
    return kn_status_make(KN_INVALID_ARGUMENT, "the input does not have the type and size of the io specification");
  if (runtime->result == RESULT_ZEROS) return NULL;
  const float *from = inputs->data;
  float *to = runtime->held.data;
  for (size_t i = 0; i < runtime->batch; i++)
    memcpy(to + i * runtime->row, from + i * runtime->input_row, runtime->row * sizeof *to);
  return NULL;
}

static kn_status invoke(void *self) { return check_loaded(self); }

static kn_status output(void *self, const kn_tensor_view *outputs, size_t count) {
  const kn_null_runtime *runtime = self;
  KN_TRY(check_loaded(runtime));
  if (count != 1 || outputs->dtype != KN_FLOAT32 || outputs->bytes != runtime->held.bytes)
    return kn_status_make(KN_INVALID_ARGUMENT, "the output does not have the size of the io specification");
  memcpy(outputs->data, runtime->held.data, runtime->held.bytes);
  return NULL;
}

static kn_status statistics(void *self, kn_record *out_record) {
  (void)self;
  return kn_record_set_int(out_record, "threads", 1);
}

static const kn_inference_ops inference = {.struct_size = sizeof(kn_inference_ops),
                                           .load = load,
                                           .unload = unload,
                                           .iospec = iospec,
                                           .set_input = set_input,
                                           .invoke = invoke,
                                           .output = output,
                                           .statistics = statistics};

static const kn_runtime_ops ops = {
    .struct_size = sizeof(kn_runtime_ops), .open = open_runtime, .close = unload, .inference = &inference};

extern const kn_class kn_null_runtime_class;
const kn_class kn_null_runtime_class = {.struct_size = sizeof(kn_class),
                                        .name = "kenning.runtimes.null.NullRuntime",
                                        .kind = KN_KIND_RUNTIME,
                                        .summary = "Runs nothing: shows what a run costs without a model",
                                        .options = options,
                                        .instance_size = sizeof(kn_null_runtime),
                                        .ops = &ops,
                                        .input_formats = (const char *const[]){"any", NULL}};
