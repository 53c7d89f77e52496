#include "package.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

#include "shared/zip_file.h"

enum { MOST_TENSORS = 16, LAYOUT_STRIDED = 0 };
static const size_t file_limit = SIZE_MAX / 4;

typedef struct container container; /* AOTInductorModelContainerHandle */

/* What a package exports: torch/csrc/inductor/aoti_runtime/interface.h, without the common prefix. */
#define PACKAGE_FUNCTIONS(X)                                                                        \
  X(CreateWithDevice, (container * *out, size_t models, const char *device, const char *directory)) \
  X(Delete, (container * container))                                                                \
  X(GetNumInputs, (container * container, size_t * out))                                            \
  X(GetNumOutputs, (container * container, size_t * out))                                           \
  X(Run, (container * container, aoti_tensor * *inputs, size_t input_count, aoti_tensor * *outputs, \
          size_t output_count, void *stream, void *executor))

struct package {
  const torch_api *torch;
#define PACKAGE_SLOT(name, parameters) int32_t(*name) parameters;
  PACKAGE_FUNCTIONS(PACKAGE_SLOT)
#undef PACKAGE_SLOT
  void *library;
  container *container;
  /* Of the OpenMP that the compiled code uses, which need not be libtorch's; NULL where it uses none. */
  void (*set_threads)(int threads);
  int threads;
  size_t input_count, output_count;
  const torch_shim_tensor *inputs;
  int64_t strides[MOST_TENSORS][TORCH_SHIM_MAX_RANK];
  aoti_tensor *outputs[MOST_TENSORS];
  void *compact[MOST_TENSORS]; /* outputs that had to be brought into order */
};

static kn_status spec_of(const char *path, const char *data, size_t bytes, kn_iospec *out_spec) {
  zip_file archive;
  KN_TRY(zip_parse(path, data, bytes, &archive));
  const zip_member *member = zip_find_end(&archive, "/kenning.json");
  kn_status status = member ? zip_verify(path, member) : NULL;
  if (member && !status) status = kn_iospec_parse((const char *)member->data, member->bytes, path, out_spec);
  if (!status) status = zip_verify_all(path, &archive, true);
  zip_clear(&archive);
  return status;
}

kn_status package_read_spec(const char *path, kn_iospec *out_spec) {
  char *data;
  size_t bytes;
  *out_spec = (kn_iospec){0};
  KN_TRY(kn_file_read(path, file_limit, &data, &bytes));
  kn_status status = spec_of(path, data, bytes, out_spec);
  kn_free(data);
  if (kn_status_code(status) == KN_INVALID_ARGUMENT) { /* of the specification: it is damaged, whatever the reason */
    kn_status bad = kn_status_make(KN_BAD_DATA, "%s holds an io specification that is none: %s", path,
                                   kn_status_message(status, 0));
    kn_status_free(status);
    status = bad;
  }
  return status;
}

static kn_status producer_of(const char *path, const char *data, size_t bytes, char **out_version) {
  zip_file archive;
  KN_TRY(zip_parse(path, data, bytes, &archive));
  const zip_member *member = zip_find_end(&archive, "/kenning.version");
  kn_status status = member ? zip_verify(path, member) : NULL;
  if (!status) *out_version = member ? kn_strndup((const char *)member->data, member->bytes) : kn_strdup("unknown");
  if (!status && !*out_version) status = kn_status_out_of_memory();
  zip_clear(&archive);
  return status;
}

kn_status package_read_producer(const char *path, char **out_version) {
  char *data;
  size_t bytes;
  *out_version = NULL;
  KN_TRY(kn_file_read(path, file_limit, &data, &bytes));
  kn_status status = producer_of(path, data, bytes, out_version);
  kn_free(data);
  return status;
}

static kn_status load_functions(const char *path, package *p) {
#define SYMBOL(name, parameters) {"AOTInductorModelContainer" #name, offsetof(package, name)},
  static const kn_symbol symbols[] = {PACKAGE_FUNCTIONS(SYMBOL)};
#undef SYMBOL
  KN_TRY(kn_library_functions(p->library, path, symbols, sizeof symbols / sizeof *symbols,
                              "it is no package for CPUs of AOTInductor", p));
  *(void **)&p->set_threads = dlsym(p->library, "omp_set_num_threads");
  return NULL;
}

/* A library has to be a file to be opened; once it is open the file is not needed any more. */
static kn_status open_library(const char *path, const zip_member *member, package *p) {
  char *directory, *file;
  KN_TRY(kn_directory_temporary(NULL, "kenning-package", &directory));
  file = kn_format("%s/model.so", directory);
  kn_status status = file ? kn_file_write(file, member->data, member->bytes) : kn_status_out_of_memory();
  if (!status) status = kn_library_open(file, &p->library);
  if (kn_status_code(status) == KN_NOT_INSTALLED) {
    kn_status other = kn_status_make(
        KN_INCOMPATIBLE, "%s was compiled for another version of PyTorch or another machine; compile it again: %s",
        path, kn_status_message(status, 0));
    kn_status_free(status);
    status = other;
  }
  kn_free(file);
  kn_directory_discard(directory);
  return status;
}

static kn_status result(const package *p, int32_t code, const char *what) {
  (void)p;
  return code ? kn_status_make(KN_BACKEND_FAILED, "the package of AOTInductor could not %s", what) : NULL;
}

static kn_status open_archive(const char *path, const char *data, size_t bytes, package *p) {
  zip_file archive;
  KN_TRY(zip_parse(path, data, bytes, &archive));
  const zip_member *member = zip_find_end(&archive, ".so");
  kn_status status =
      member ? zip_verify(path, member) : kn_status_make(KN_BAD_DATA, "%s holds no compiled model", path);
  if (!status) status = open_library(path, member, p);
  zip_clear(&archive);
  if (!status) status = load_functions(path, p);
  if (!status) status = result(p, p->CreateWithDevice(&p->container, 1, "cpu", NULL), "be loaded");
  if (!status) status = result(p, p->GetNumInputs(p->container, &p->input_count), "tell its inputs");
  if (!status) status = result(p, p->GetNumOutputs(p->container, &p->output_count), "tell its outputs");
  if (!status && (p->input_count > MOST_TENSORS || p->output_count > MOST_TENSORS))
    status = kn_status_make(KN_INCOMPATIBLE, "%s has %zu inputs and %zu outputs; %d are supported", path,
                            p->input_count, p->output_count, MOST_TENSORS);
  return status;
}

kn_status package_open(const torch_api *torch, const char *path, int64_t threads, package **out_package) {
  char *data;
  size_t bytes;
  *out_package = NULL;
  KN_TRY(kn_file_read(path, file_limit, &data, &bytes));
  package *p = kn_alloc(sizeof *p);
  kn_status status = p ? NULL : kn_status_out_of_memory();
  if (p) *p = (package){.torch = torch, .threads = (int)threads};
  if (!status) status = open_archive(path, data, bytes, p);
  kn_free(data);
  if (status)
    package_close(p);
  else
    *out_package = p;
  return status;
}

static void drop_outputs(package *p) {
  for (size_t i = 0; i < p->output_count; i++) {
    if (p->outputs[i]) (void)p->torch->aoti_torch_delete_tensor_object(p->outputs[i]);
    p->outputs[i] = NULL;
  }
}

void package_close(package *opened) {
  if (!opened) return;
  if (opened->output_count <= MOST_TENSORS) drop_outputs(opened);
  for (size_t i = 0; i < MOST_TENSORS; i++) kn_free(opened->compact[i]);
  if (opened->container) (void)opened->Delete(opened->container);
  kn_free(opened);
}

size_t package_input_count(const package *opened) { return opened->input_count; }
size_t package_output_count(const package *opened) { return opened->output_count; }

kn_status package_set_inputs(package *opened, const torch_shim_tensor *inputs, size_t count) {
  if (count != opened->input_count)
    return kn_status_make(KN_INCOMPATIBLE, "the compiled model takes %zu inputs, the io specification says %zu",
                          opened->input_count, count);
  opened->inputs = inputs;
  for (size_t i = 0; i < count; i++) {
    int64_t stride = 1;
    for (int32_t k = inputs[i].rank; k-- > 0;) {
      opened->strides[i][k] = stride;
      stride *= inputs[i].shape[k];
    }
  }
  return NULL;
}

/* A run takes its inputs over, so they are made for each: handles on the same data. */
kn_status package_run(package *opened) {
  aoti_tensor *inputs[MOST_TENSORS];
  const torch_api *torch = opened->torch;
  drop_outputs(opened);
  for (size_t i = 0; i < opened->input_count; i++) {
    const torch_shim_tensor *input = &opened->inputs[i];
    KN_TRY(result(opened,
                  torch->aoti_torch_create_tensor_from_blob_v2(
                      input->data, input->rank, input->shape, opened->strides[i], 0, input->dtype,
                      torch->aoti_torch_device_type_cpu(), 0, &inputs[i], LAYOUT_STRIDED, NULL, 0),
                  "take its input"));
  }
  /* The number belongs to the calling thread. */
  if (opened->set_threads) opened->set_threads(opened->threads);
  return result(
      opened,
      opened->Run(opened->container, inputs, opened->input_count, opened->outputs, opened->output_count, NULL, NULL),
      "run");
}

static kn_status make_compact(package *p, size_t index, const int64_t *strides, torch_shim_tensor *out) {
  size_t size = kn_dtype_size(torch_kn_dtype_of(out->dtype)), bytes;
  KN_TRY(kn_tensor_bytes(torch_kn_dtype_of(out->dtype), (uint32_t)out->rank, out->shape, &bytes));
  if (!p->compact[index]) p->compact[index] = kn_alloc(bytes);
  unsigned char *to = p->compact[index];
  const unsigned char *from = out->data;
  int64_t at[TORCH_SHIM_MAX_RANK] = {0}, place = 0;
  if (!to) return kn_status_out_of_memory();
  for (size_t done = 0; done < bytes; done += size) {
    memcpy(to + done, from + (size_t)place * size, size);
    for (int32_t i = out->rank; i-- > 0;) {
      place += strides[i];
      if (++at[i] < out->shape[i]) break;
      place -= strides[i] * at[i];
      at[i] = 0;
    }
  }
  out->data = to;
  return NULL;
}

kn_status package_output(package *opened, size_t index, torch_shim_tensor *out) {
  const torch_api *torch = opened->torch;
  aoti_tensor *tensor = opened->outputs[index];
  int64_t rank, *shape, *strides, expected = 1;
  bool compact = true;
  if (!tensor) return kn_status_make(KN_INVALID_ARGUMENT, "the model has not run");
  int32_t code = torch->aoti_torch_get_dim(tensor, &rank);
  if (!code) code = torch->aoti_torch_get_sizes(tensor, &shape);
  if (!code) code = torch->aoti_torch_get_strides(tensor, &strides);
  if (!code) code = torch->aoti_torch_get_dtype(tensor, &out->dtype);
  if (!code) code = torch->aoti_torch_get_data_ptr(tensor, &out->data);
  KN_TRY(result(opened, code, "describe its output"));
  if (rank < 0 || rank > TORCH_SHIM_MAX_RANK)
    return kn_status_make(KN_INCOMPATIBLE, "a result has %lld dimensions", (long long)rank);
  out->rank = (int32_t)rank;
  for (int64_t i = rank; i-- > 0;) {
    out->shape[i] = shape[i];
    compact = compact && (shape[i] == 1 || strides[i] == expected);
    expected *= shape[i];
  }
  return compact ? NULL : make_compact(opened, index, strides, out);
}
