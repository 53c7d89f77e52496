/* engine.h over IREE's runtime. Compiled at installation, against the headers of the source that is compiled too. */
#define _GNU_SOURCE /* sched_getaffinity */
#include "engine.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "iree/base/tooling/flags.h"
#include "iree/modules/hal/types.h"
#include "iree/runtime/api.h"

#define EXPORT(result, name, parameters) __attribute__((visibility("default"))) result kenning_iree_##name parameters;
KENNING_IREE_FUNCTIONS(EXPORT)
#undef EXPORT

enum { MOST_FUNCTIONS = 64, MOST_INPUTS = 64 };

struct kenning_iree_program {
  iree_runtime_instance_t *instance;
  iree_hal_device_t *device;
  iree_runtime_session_t *session;
  int threads;
  struct {
    iree_vm_function_t function;
    char *name, *declaration;
  } functions[MOST_FUNCTIONS];
  size_t function_count;
  iree_runtime_call_t call;
  int prepared;
  struct {
    iree_hal_buffer_view_t *view;
    iree_hal_buffer_mapping_t mapping;
  } inputs[MOST_INPUTS];
  size_t input_count;
};

const char *kenning_iree_version(void) { return KENNING_IREE_VERSION; }

int kenning_iree_interface_number(void) { return KENNING_IREE_INTERFACE; }

/* Frees the status. */
static int tell(iree_status_t status, kenning_iree_words *words) {
  if (iree_status_is_ok(status)) return 0;
  int code = (int)iree_status_code(status);
  iree_host_size_t length = 0;
  if (!iree_status_format(status, sizeof words->text, words->text, &length))
    snprintf(words->text, sizeof words->text, "%s", iree_status_code_string(iree_status_code(status)));
  iree_status_free(status);
  return code;
}

static int complain(kenning_iree_words *words, const char *text) {
  snprintf(words->text, sizeof words->text, "%s", text);
  return IREE_STATUS_FAILED_PRECONDITION;
}

/* ---- opening ---- */

static int processors(void) {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

/* The number of workers is a flag of the process, read when the driver is made. */
static iree_status_t create_device(kenning_iree_program *program, const char *driver, int threads) {
  if (!threads) threads = processors();
  program->threads = strcmp(driver, "local-task") == 0 ? threads : 1;
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  char name[] = "kenning", flag[64];
  snprintf(flag, sizeof flag, "--task_topology_group_count=%d", threads);
  char *list[] = {name, flag, NULL}, **arguments = list;
  int count = 2;
  pthread_mutex_lock(&lock);
  iree_status_t status = iree_flags_parse(IREE_FLAGS_PARSE_MODE_DEFAULT, &count, &arguments);
  if (iree_status_is_ok(status))
    status = iree_runtime_instance_try_create_default_device(program->instance, iree_make_cstring_view(driver),
                                                             &program->device);
  pthread_mutex_unlock(&lock);
  return status;
}

static char *copy(iree_string_view_t text) {
  char *result = malloc(text.size + 1);
  if (!result) return NULL;
  memcpy(result, text.data, text.size);
  result[text.size] = '\0';
  return result;
}

/* The functions of the module that was loaded last: those before it are IREE's own. */
static iree_status_t list_functions(kenning_iree_program *program) {
  iree_vm_context_t *context = iree_runtime_session_context(program->session);
  iree_vm_module_t *module = iree_vm_context_module_at(context, iree_vm_context_module_count(context) - 1);
  iree_vm_module_signature_t signature = iree_vm_module_signature(module);
  for (iree_host_size_t i = 0; i < signature.export_function_count; i++) {
    iree_vm_function_t function;
    IREE_RETURN_IF_ERROR(
        iree_vm_module_lookup_function_by_ordinal(module, IREE_VM_FUNCTION_LINKAGE_EXPORT, i, &function));
    iree_string_view_t name = iree_vm_function_name(&function);
    /* "__init" and the like, and the variants that do not wait for what they began. */
    if (iree_string_view_starts_with(name, IREE_SV("__")) || iree_string_view_ends_with(name, IREE_SV("$async")))
      continue;
    if (program->function_count == MOST_FUNCTIONS)
      return iree_make_status(IREE_STATUS_RESOURCE_EXHAUSTED, "the module exports more than %d functions",
                              MOST_FUNCTIONS);
    size_t at = program->function_count++;
    program->functions[at].function = function;
    program->functions[at].name = copy(name);
    program->functions[at].declaration =
        copy(iree_vm_function_lookup_attr_by_name(&function, IREE_SV("iree.abi.declaration")));
    if (!program->functions[at].name || !program->functions[at].declaration)
      return iree_make_status(IREE_STATUS_RESOURCE_EXHAUSTED, "out of memory");
  }
  return iree_ok_status();
}

static iree_status_t open_program(kenning_iree_program *program, const char *driver, int threads, const char *path) {
  iree_runtime_instance_options_t instance_options;
  iree_runtime_instance_options_initialize(&instance_options);
  iree_runtime_instance_options_use_all_available_drivers(&instance_options);
  IREE_RETURN_IF_ERROR(iree_runtime_instance_create(&instance_options, iree_allocator_system(), &program->instance));
  IREE_RETURN_IF_ERROR(create_device(program, driver, threads));
  iree_runtime_session_options_t session_options;
  iree_runtime_session_options_initialize(&session_options);
  IREE_RETURN_IF_ERROR(iree_runtime_session_create_with_device(program->instance, &session_options, program->device,
                                                               iree_allocator_system(), &program->session));
  IREE_RETURN_IF_ERROR(iree_runtime_session_append_bytecode_module_from_file(program->session, path));
  return list_functions(program);
}

int kenning_iree_open(const char *driver, int threads, const char *path, kenning_iree_program **out_program,
                      kenning_iree_words *words) {
  *out_program = NULL;
  kenning_iree_program *program = calloc(1, sizeof *program);
  if (!program) return complain(words, "out of memory");
  int code = tell(open_program(program, driver, threads, path), words);
  if (code)
    kenning_iree_close(program);
  else
    *out_program = program;
  return code;
}

static void drop_call(kenning_iree_program *program) {
  for (size_t i = 0; i < program->input_count; i++) {
    if (program->inputs[i].mapping.contents.data)
      iree_status_ignore(iree_hal_buffer_unmap_range(&program->inputs[i].mapping));
    iree_hal_buffer_view_release(program->inputs[i].view);
  }
  memset(program->inputs, 0, sizeof program->inputs);
  program->input_count = 0;
  if (program->prepared) iree_runtime_call_deinitialize(&program->call);
  program->prepared = 0;
}

void kenning_iree_close(kenning_iree_program *program) {
  if (!program) return;
  drop_call(program);
  for (size_t i = 0; i < program->function_count; i++) {
    free(program->functions[i].name);
    free(program->functions[i].declaration);
  }
  iree_runtime_session_release(program->session);
  iree_hal_device_release(program->device);
  iree_runtime_instance_release(program->instance);
  free(program);
}

int kenning_iree_threads(const kenning_iree_program *program) { return program->threads; }

const char *kenning_iree_function_name(kenning_iree_program *program, size_t index) {
  return index < program->function_count ? program->functions[index].name : NULL;
}

const char *kenning_iree_declaration(kenning_iree_program *program, size_t index) {
  return index < program->function_count ? program->functions[index].declaration : NULL;
}

/* ---- types ---- */

static const iree_hal_element_type_t element_types[] = {
    [KENNING_IREE_F32] = IREE_HAL_ELEMENT_TYPE_FLOAT_32,   [KENNING_IREE_F16] = IREE_HAL_ELEMENT_TYPE_FLOAT_16,
    [KENNING_IREE_BF16] = IREE_HAL_ELEMENT_TYPE_BFLOAT_16, [KENNING_IREE_F64] = IREE_HAL_ELEMENT_TYPE_FLOAT_64,
    [KENNING_IREE_I8] = IREE_HAL_ELEMENT_TYPE_SINT_8,      [KENNING_IREE_U8] = IREE_HAL_ELEMENT_TYPE_UINT_8,
    [KENNING_IREE_I16] = IREE_HAL_ELEMENT_TYPE_SINT_16,    [KENNING_IREE_U16] = IREE_HAL_ELEMENT_TYPE_UINT_16,
    [KENNING_IREE_I32] = IREE_HAL_ELEMENT_TYPE_SINT_32,    [KENNING_IREE_U32] = IREE_HAL_ELEMENT_TYPE_UINT_32,
    [KENNING_IREE_I64] = IREE_HAL_ELEMENT_TYPE_SINT_64,    [KENNING_IREE_U64] = IREE_HAL_ELEMENT_TYPE_UINT_64,
    [KENNING_IREE_BOOL] = IREE_HAL_ELEMENT_TYPE_BOOL_8};

/* MLIR's integers have no sign, and programs say so of their results. */
static kenning_iree_type type_of(iree_hal_element_type_t type) {
  switch (type) {
    case IREE_HAL_ELEMENT_TYPE_INT_8:
      return KENNING_IREE_I8;
    case IREE_HAL_ELEMENT_TYPE_INT_16:
      return KENNING_IREE_I16;
    case IREE_HAL_ELEMENT_TYPE_INT_32:
      return KENNING_IREE_I32;
    case IREE_HAL_ELEMENT_TYPE_INT_64:
      return KENNING_IREE_I64;
    default:
      break;
  }
  for (size_t i = 1; i < sizeof element_types / sizeof *element_types; i++)
    if (element_types[i] == type) return (kenning_iree_type)i;
  return KENNING_IREE_NONE;
}

/* ---- calling ---- */

static iree_status_t make_input(kenning_iree_program *program, const kenning_iree_tensor *tensor) {
  iree_hal_dim_t shape[KENNING_IREE_MAX_RANK];
  for (uint32_t k = 0; k < tensor->rank; k++) shape[k] = (iree_hal_dim_t)tensor->shape[k];
  iree_hal_element_type_t type = element_types[tensor->type];
  iree_device_size_t bytes = 0;
  IREE_RETURN_IF_ERROR(
      iree_hal_buffer_compute_view_size(tensor->rank, shape, type, IREE_HAL_ENCODING_TYPE_DENSE_ROW_MAJOR, &bytes));
  iree_hal_buffer_params_t params = {.type = IREE_HAL_MEMORY_TYPE_DEVICE_LOCAL | IREE_HAL_MEMORY_TYPE_HOST_VISIBLE,
                                     .access = IREE_HAL_MEMORY_ACCESS_ALL,
                                     .usage = IREE_HAL_BUFFER_USAGE_DEFAULT | IREE_HAL_BUFFER_USAGE_MAPPING_PERSISTENT};
  iree_hal_buffer_t *buffer = NULL;
  IREE_RETURN_IF_ERROR(
      iree_hal_allocator_allocate_buffer(iree_hal_device_allocator(program->device), params, bytes, &buffer));
  size_t at = program->input_count++;
  iree_status_t status =
      iree_hal_buffer_view_create(buffer, tensor->rank, shape, type, IREE_HAL_ENCODING_TYPE_DENSE_ROW_MAJOR,
                                  iree_allocator_system(), &program->inputs[at].view);
  if (iree_status_is_ok(status))
    status = iree_hal_buffer_map_range(buffer, IREE_HAL_MAPPING_MODE_PERSISTENT, IREE_HAL_MEMORY_ACCESS_ALL, 0, bytes,
                                       &program->inputs[at].mapping);
  iree_hal_buffer_release(buffer);
  if (iree_status_is_ok(status)) memset(program->inputs[at].mapping.contents.data, 0, bytes);
  return status;
}

static iree_status_t prepare(kenning_iree_program *program, size_t index, const kenning_iree_tensor *inputs,
                             size_t count) {
  if (index >= program->function_count || count > MOST_INPUTS)
    return iree_make_status(IREE_STATUS_OUT_OF_RANGE, "no such function, or more than %d inputs", MOST_INPUTS);
  IREE_RETURN_IF_ERROR(
      iree_runtime_call_initialize(program->session, program->functions[index].function, &program->call));
  program->prepared = 1;
  for (size_t i = 0; i < count; i++) {
    IREE_RETURN_IF_ERROR(make_input(program, &inputs[i]));
  }
  return iree_ok_status();
}

int kenning_iree_prepare(kenning_iree_program *program, size_t index, const kenning_iree_tensor *inputs, size_t count,
                         kenning_iree_words *words) {
  drop_call(program);
  int code = tell(prepare(program, index, inputs, count), words);
  if (code) drop_call(program);
  return code;
}

void *kenning_iree_input_data(kenning_iree_program *program, size_t index) {
  return index < program->input_count ? program->inputs[index].mapping.contents.data : NULL;
}

static iree_status_t invoke(kenning_iree_program *program) {
  iree_runtime_call_reset(&program->call);
  for (size_t i = 0; i < program->input_count; i++) {
    IREE_RETURN_IF_ERROR(iree_runtime_call_inputs_push_back_buffer_view(&program->call, program->inputs[i].view));
  }
  return iree_runtime_call_invoke(&program->call, 0);
}

int kenning_iree_invoke(kenning_iree_program *program, kenning_iree_words *words) {
  if (!program->prepared) return complain(words, "no function is prepared");
  return tell(invoke(program), words);
}

size_t kenning_iree_output_count(kenning_iree_program *program) {
  return program->prepared ? iree_vm_list_size(iree_runtime_call_outputs(&program->call)) : 0;
}

/* Borrowed from the call's list. */
static iree_hal_buffer_view_t *output_view(kenning_iree_program *program, size_t index) {
  iree_vm_ref_t value = {0};
  iree_vm_list_t *list = iree_runtime_call_outputs(&program->call);
  if (!iree_status_is_ok(iree_vm_list_get_ref_assign(list, index, &value))) return NULL;
  return iree_hal_buffer_view_isa(value) ? iree_hal_buffer_view_deref(value) : NULL;
}

int kenning_iree_output_tensor(kenning_iree_program *program, size_t index, kenning_iree_tensor *out_tensor,
                               kenning_iree_words *words) {
  memset(out_tensor, 0, sizeof *out_tensor);
  if (index >= kenning_iree_output_count(program)) return complain(words, "there is no such output");
  iree_hal_buffer_view_t *view = output_view(program, index);
  if (!view) return complain(words, "the function returns something that is no tensor");
  size_t rank = iree_hal_buffer_view_shape_rank(view);
  if (rank > KENNING_IREE_MAX_RANK) return complain(words, "an output has too many dimensions");
  out_tensor->rank = (uint32_t)rank;
  for (size_t k = 0; k < rank; k++) out_tensor->shape[k] = (int64_t)iree_hal_buffer_view_shape_dim(view, k);
  out_tensor->type = type_of(iree_hal_buffer_view_element_type(view));
  return 0;
}

int kenning_iree_output_data(kenning_iree_program *program, size_t index, void *out, size_t bytes,
                             kenning_iree_words *words) {
  if (index >= kenning_iree_output_count(program)) return complain(words, "there is no such output");
  iree_hal_buffer_view_t *view = output_view(program, index);
  if (!view) return complain(words, "the function returns something that is no tensor");
  if (iree_hal_buffer_view_byte_length(view) != bytes) return complain(words, "an output changed its size");
  return tell(iree_hal_device_transfer_d2h(program->device, iree_hal_buffer_view_buffer(view), 0, out, bytes,
                                           IREE_HAL_TRANSFER_BUFFER_FLAG_DEFAULT, iree_infinite_timeout()),
              words);
}
