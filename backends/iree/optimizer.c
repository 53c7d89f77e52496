/* IREECompiler: makes modules (.vmfb) of ONNX and TensorFlow Lite models. */
#include "iree.h"
#include "session.h"
#include "shared/named_layers.h"
#include "shared/processor_identity.h"

#include <stdio.h>
#include <string.h>

#include <kenning/production.h>

#define ALIASES(...) ((const char *const[]){__VA_ARGS__, NULL})

typedef struct iree_compiler {
  kn_optimizer_options options;
  int model_framework;
  int backend;
  kn_string_list compiler_args;
  char *target_cpu;
} iree_compiler;

static const kn_choice frameworks[] = {{"onnx", 0, "ONNX"},
                                       {"tflite", 1, "TensorFlow Lite"},
                                       {"keras", 2, "Keras; needs TFLiteCompiler before this one"},
                                       {"tf", 3, "TensorFlow; needs TFLiteCompiler before this one"},
                                       {"tensorflow", 3, "TensorFlow; needs TFLiteCompiler before this one"},
                                       {0}};

/* The names of 2022 beside today's. */
enum { BACKEND_LLVM_CPU, BACKEND_VMVX, BACKEND_VULKAN, BACKEND_CUDA };

static const kn_choice backends[] = {{"llvm-cpu", BACKEND_LLVM_CPU, "machine code for a processor"},
                                     {"dylib", BACKEND_LLVM_CPU, "the same, as it was called in 2022"},
                                     {"dylib-llvm-aot", BACKEND_LLVM_CPU, "the same, as it was called in 2022"},
                                     {"vmvx", BACKEND_VMVX, "not in the runtime that is installed"},
                                     {"vulkan", BACKEND_VULKAN, "not in the runtime that is installed"},
                                     {"vulkan-spirv", BACKEND_VULKAN, "not in the runtime that is installed"},
                                     {"cuda", BACKEND_CUDA, "not in the runtime that is installed"},
                                     {0}};

static const kn_option rows[] = {
    {"model_framework", "Format of the input model; a hint only, what the chain delivers decides", KN_OPTION_ENUM, 0,
     KN_FIELD(iree_compiler, model_framework), .choices = frameworks, .aliases = ALIASES("modelframework")},
    {"backend", "What the module is made for", KN_OPTION_ENUM, 0, KN_FIELD(iree_compiler, backend),
     .def.i = BACKEND_LLVM_CPU, .choices = backends},
    {"compiler_args", "Further flags for iree-compile, which outweigh those given by default", KN_OPTION_STRING_LIST,
     KN_OPTION_NULLABLE, KN_FIELD(iree_compiler, compiler_args), .aliases = ALIASES("compilerargs")},
    {"target_cpu", "LLVM's name of the processor that will run the module, such as znver3; host: this one",
     KN_OPTION_STRING, 0, KN_FIELD(iree_compiler, target_cpu), .def.s = "host"},
    {0}};

static kn_status compiler_check(const void *instance) {
  const iree_compiler *self = instance;
  kn_status faults = NULL;
  if (self->backend != BACKEND_LLVM_CPU)
    faults = kn_status_make(KN_INVALID_ARGUMENT,
                            "this backend's modules do not run in the runtime that `kenning install iree` makes: take "
                            "llvm-cpu");
  for (size_t i = 0; i < self->compiler_args.count; i++)
    if (strncmp(self->compiler_args.items[i], "--", 2) != 0)
      faults = kn_status_join(
          faults, kn_status_make(KN_INVALID_ARGUMENT, "compiler_args: '%.80s' is no flag; each begins with --",
                                 self->compiler_args.items[i]));
  return faults;
}

static kn_status compiler_open(void *instance) { return compiler_check(instance); }

static void compiler_close(void *instance) { (void)instance; /* nothing stays open */ }

/* ---- arguments of the tool ---- */

/* Strings one behind the other, each owned. */
typedef struct words {
  char **items;
  size_t count;
} words;

static kn_status add(words *list, char *word) {
  if (!word) return kn_status_out_of_memory();
  char **items = kn_realloc(list->items, (list->count + 2) * sizeof *items);
  if (!items) {
    kn_free(word);
    return kn_status_out_of_memory();
  }
  list->items = items;
  items[list->count++] = word;
  items[list->count] = NULL;
  return NULL;
}

static void clear(words *list) {
  for (size_t i = 0; i < list->count; i++) kn_free(list->items[i]);
  kn_free(list->items);
  *list = (words){0};
}

/* "name=1,3,224,224"; one sample where the specification leaves the batch open. */
static char *shape_word(const kn_ioentry *entry) {
  char text[192];
  size_t length = 0;
  text[0] = '\0';
  for (uint32_t k = 0; k < entry->rank && length < sizeof text; k++)
    length += (size_t)snprintf(text + length, sizeof text - length, "%s%lld", k ? "," : "",
                               (long long)(k == 0 && entry->shape[0] < 1 ? 1 : entry->shape[k]));
  return kn_format("--shapes=%s=%s", entry->name ? entry->name : "", text);
}

/* Everything that decides about the result but the paths. */
static kn_status settings_words(const iree_compiler *self, const kn_compile_request *request, words *list) {
  KN_TRY(add(list, kn_format("--format=%s", request->input_format)));
  KN_TRY(add(list, kn_format("--target-cpu=%s", self->target_cpu)));
  const kn_iolist *inputs = kn_iospec_model_input(request->input_spec);
  for (size_t i = 0; inputs && i < inputs->count; i++) KN_TRY(add(list, shape_word(&inputs->entries[i])));
  for (size_t i = 0; i < self->compiler_args.count; i++)
    KN_TRY(add(list, kn_format("--argument=%s", self->compiler_args.items[i])));
  return NULL;
}

/* ---- the cache ---- */

static kn_status make_key(const iree_compiler *self, const kn_compile_request *request, char **out_key) {
  char input[65], processor[65] = "", *tool = NULL;
  words list = {0};
  *out_key = NULL;
  KN_TRY(kn_sha256_path(request->input_path, input));
  if (!strcmp(self->target_cpu, "host")) KN_TRY(kn_processor_identity(processor));
  kn_status status = kn_tool_identity("iree", "compile.py", &tool);
  if (!status) status = settings_words(self, request, &list);
  char *key = status ? NULL : kn_format("iree module 1\ntool %s\ninput %s\nprocessor %s", tool, input, processor);
  for (size_t i = 0; key && i < list.count; i++) {
    char *longer = kn_format("%s\n%s", key, list.items[i]);
    kn_free(key);
    key = longer;
  }
  if (!status && !key) status = kn_status_out_of_memory();
  clear(&list);
  kn_free(tool);
  *out_key = key;
  return status;
}

/* ---- compiling ---- */

typedef struct work {
  const iree_compiler *self;
  const kn_compile_request *request;
  kn_iospec *spec;
} work;

static const char module_name[] = "module.vmfb", processor_name[] = "module.vmfb.cpu";

/* The importer ends by a signal where the number of an operator has no name. */
static kn_status check_numbers(const char *path) {
  char *unknown = kn_named_layers(path, "");
  kn_status status = unknown ? NULL : kn_status_out_of_memory();
  if (unknown && *unknown)
    status = kn_status_make(KN_INCOMPATIBLE,
                            "%s has the %s: a number that TensorFlow Lite did not have when this "
                            "was written",
                            path, unknown);
  kn_free(unknown);
  return status;
}

/* The tool leaves the name of the processor that it compiled for in PATH.cpu. */
static kn_status make(void *context, const char *path, kn_record *record) {
  const work *at = context;
  words list = {0};
  if (!strcmp(at->request->input_format, "tflite")) KN_TRY(check_numbers(at->request->input_path));
  kn_status status = add(&list, kn_format("--input=%s", at->request->input_path));
  if (!status) status = add(&list, kn_format("--output=%s", path));
  if (!status) status = settings_words(at->self, at->request, &list);
  if (!status)
    status = kn_tool_run(&(kn_tool_request){.framework = "iree",
                                            .script = "compile.py",
                                            .arguments = (const char *const *)list.items,
                                            .progress = "compile with IREE"},
                         record);
  clear(&list);
  status = kn_status_name_layers(status, at->request->input_path);
  return kn_status_annotate(status, "while compiling %s", at->request->input_path);
}

static kn_status record_processor(const char *path, kn_record *record) {
  char *note = kn_format("%s.cpu", path), *name = NULL;
  size_t bytes;
  kn_status status = note ? kn_file_read(note, 256, &name, &bytes) : kn_status_out_of_memory();
  if (!status) status = kn_record_set_string(record, "target_cpu", name);
  kn_free(name);
  kn_free(note);
  return status;
}

/* The input model's specification with the batch that the module is compiled for. */
static kn_status expected_spec(const kn_iospec *before, kn_iospec *out_spec) {
  const kn_iolist *inputs = kn_iospec_model_input(before);
  for (size_t i = 0; inputs && i < inputs->count; i++) {
    kn_ioentry entry = inputs->entries[i];
    if (entry.rank && entry.shape[0] < 1) entry.shape[0] = 1;
    KN_TRY(kn_iolist_add(&out_spec->input, &entry));
  }
  for (size_t i = 0; i < before->output.count; i++)
    KN_TRY(kn_iolist_add(&out_spec->output, &before->output.entries[i]));
  return NULL;
}

/* Loads the module: it must take and give what the model did. Its own shapes are the specification's from now on. */
static kn_status verify(const kn_compile_request *request, const char *path, kn_iospec *out_spec, kn_record *record) {
  kn_iree_api api = {0};
  kn_iree_session session;
  kn_iospec expected = {0};
  kn_status status = kn_iree_api_open(&api, NULL);
  if (!status) status = expected_spec(request->input_spec, &expected);
  if (status) {
    kn_iospec_clear(&expected);
    kn_iree_api_clear(&api);
    return status;
  }
  int64_t batch = expected.input.count && expected.input.entries[0].rank ? expected.input.entries[0].shape[0] : 1;
  const kn_iree_settings settings = {.driver = "local-sync"};
  status = kn_iree_session_open(&session, &api, &(kn_load_request){.path = path, .spec = &expected, .batch = batch},
                                &settings);
  if (!status) {
    status = kn_iospec_copy(&session.spec, out_spec);
    /* By the names that the model has, not by those of the declaration. */
    kn_iolist *lists[] = {&out_spec->input, &out_spec->output}, *names[] = {&expected.input, &expected.output};
    for (size_t l = 0; l < 2 && !status; l++)
      for (size_t i = 0; i < lists[l]->count && i < names[l]->count && !status; i++) {
        char *name = kn_strdup(names[l]->entries[i].name ? names[l]->entries[i].name : lists[l]->entries[i].name);
        if (!name) status = kn_status_out_of_memory();
        if (!status) {
          kn_free(lists[l]->entries[i].name);
          lists[l]->entries[i].name = name;
        }
      }
    if (!status) status = kn_record_set_string(record, "function", session.function);
    kn_iree_session_close(&session);
  }
  kn_iospec_clear(&expected);
  kn_iree_api_clear(&api);
  return kn_status_annotate(status, "while checking what IREE's compiler made");
}

static kn_status judge(void *context, const char *path, kn_record *record) {
  const work *at = context;
  KN_TRY(record_processor(path, record));
  KN_TRY(verify(at->request, path, at->spec, record));
  KN_TRY(kn_record_set_string(record, "compiler_framework", "iree"));
  KN_TRY(kn_record_set_string(record, "compiler_version", "3.13.0"));
  KN_TRY(kn_record_set_string(record, "backend", "llvm-cpu"));
  KN_TRY(kn_record_set_string(record, "target", at->self->target_cpu));
  return kn_record_set_string(record, "input_format", at->request->input_format);
}

static kn_status compiler_compile(void *instance, const kn_compile_request *request, kn_iospec *out_spec,
                                  kn_record *out_record) {
  work at = {.self = instance, .request = request, .spec = out_spec};
  char *key;
  *out_spec = (kn_iospec){0};
  if (strcmp(request->input_format, "onnx") != 0 && strcmp(request->input_format, "tflite") != 0)
    return kn_status_make(KN_INCOMPATIBLE, "IREECompiler takes ONNX and TensorFlow Lite models, and this is %s",
                          request->input_format);
  KN_TRY(make_key(at.self, request, &key));
  kn_status status = kn_production_run(&(kn_production){.path = at.self->options.compiled_model_path,
                                                        .key = key,
                                                        .name = module_name,
                                                        .companion = processor_name,
                                                        .context = &at,
                                                        .make = make,
                                                        .judge = judge},
                                       out_record);
  kn_free(key);
  if (status) kn_iospec_clear(out_spec);
  return status;
}

static const kn_optimizer_ops ops = {
    .struct_size = sizeof ops, .open = compiler_open, .close = compiler_close, .compile = compiler_compile};

const kn_class kn_iree_compiler_class = {.struct_size = sizeof(kn_class),
                                         .name = "kenning.compilers.iree.IREECompiler",
                                         .kind = KN_KIND_OPTIMIZER,
                                         .summary = "Compiles ONNX and TensorFlow Lite models with IREE",
                                         .framework = "iree",
                                         .options = rows,
                                         .instance_size = sizeof(iree_compiler),
                                         .ops = &ops,
                                         .input_formats = (const char *const[]){"onnx", "tflite", NULL},
                                         .output_formats = (const char *const[]){"iree", NULL},
                                         .check = compiler_check};
