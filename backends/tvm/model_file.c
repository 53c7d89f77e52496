#include "model_file.h"

#include <stdio.h>
#include <string.h>

#include <kenning/services.h>

#include "archive.h"
#include "shared_object.h"
#include "objects.h"
#include "processor.h"

static const char symbol[] = "kenning_tvm_model", heading[] = "kenning-tvm-model 1\n", member_name[] = "model.so";

static const char *const flavours[] = {[KN_TVM_AUTO] = "auto", [KN_TVM_RELAX] = "relax", [KN_TVM_RELAY] = "relay"};
static const char *const executors[] = {
    [KN_TVM_GRAPH] = "graph", [KN_TVM_VM] = "vm", [KN_TVM_AOT] = "aot", [KN_TVM_C_SOURCES] = "c"};

const char *kn_tvm_flavour_name(kn_tvm_flavour flavour) { return flavours[flavour]; }
const char *kn_tvm_executor_name(kn_tvm_executor executor) { return executors[executor]; }

const char *kn_tvm_model_file_fact(const kn_tvm_model_file *file, const char *name) {
  for (size_t i = 0; i < file->fact_count; i++)
    if (!strcmp(file->facts[i].name, name)) return file->facts[i].value;
  return NULL;
}

/* ---- the description ---- */

static int position(const char *const *names, size_t count, const char *name) {
  for (size_t i = 1; i < count; i++)
    if (name && !strcmp(names[i], name)) return (int)i;
  return 0;
}

static kn_status read_facts(kn_tvm_model_file *file, const char *text, size_t bytes) {
  size_t lines = 0, length = strlen(heading);
  if (bytes < length || memcmp(text, heading, length) != 0)
    return kn_status_make(KN_INCOMPATIBLE, "the model was compiled by a newer kenning: compile it again");
  file->description = kn_strndup(text + length, bytes - length);
  if (!file->description) return kn_status_out_of_memory();
  for (const char *c = file->description; *c; c++) lines += *c == '\n';
  file->facts = kn_alloc_array(lines + 1, sizeof *file->facts);
  if (!file->facts) return kn_status_out_of_memory();
  for (char *line = file->description, *end; (end = strchr(line, '\n')); line = end + 1) {
    *end = '\0';
    char *space = strchr(line, ' ');
    if (!space) continue;
    *space = '\0';
    file->facts[file->fact_count++] = (kn_tvm_fact){line, space + 1};
  }
  return NULL;
}

static kn_status read_description(kn_tvm_model_file *file, const char *text, size_t bytes) {
  KN_TRY(read_facts(file, text, bytes));
  const char *spec = kn_tvm_model_file_fact(file, "io_specification");
  file->flavour =
      (kn_tvm_flavour)position(flavours, sizeof flavours / sizeof *flavours, kn_tvm_model_file_fact(file, "flavour"));
  file->executor = (kn_tvm_executor)position(executors, sizeof executors / sizeof *executors,
                                             kn_tvm_model_file_fact(file, "executor"));
  if (!file->flavour || !file->executor || !spec)
    return kn_status_make(KN_BAD_DATA, "the description inside the compiled model is incomplete");
  return kn_iospec_parse(spec, strlen(spec), "the description of the compiled model", &file->spec);
}

/* ---- models from elsewhere ---- */

static bool holds(const kn_tvm_model_file *file, const char *text) {
  return memmem(file->library, file->library_bytes, text, strlen(text)) != NULL;
}

static kn_status recognize(kn_tvm_model_file *file, const kn_tvm_elf *elf) {
  const char *data;
  size_t bytes;
  kn_tvm_elf_symbol(elf, "__tvm_ffi__library_bin", &data, &bytes);
  if (data) {
    file->flavour = KN_TVM_RELAX;
    file->executor = KN_TVM_VM;
    return NULL;
  }
  kn_tvm_elf_symbol(elf, "__tvm_dev_mblob", &data, &bytes);
  if (!data)
    return kn_status_make(KN_BAD_DATA, "this library was not compiled by a TVM that is known here (0.8 to 0.27)");
  file->flavour = KN_TVM_RELAY;
  file->executor = holds(file, "AotExecutorFactory") ? KN_TVM_AOT
                   : holds(file, "VMExecutable")     ? KN_TVM_VM
                                                     : KN_TVM_GRAPH;
  return NULL;
}

static kn_status read_library(kn_tvm_model_file *file, const char *bytes, size_t count) {
  kn_tvm_elf elf;
  const char *text;
  size_t length;
  file->library = bytes;
  file->library_bytes = count;
  KN_TRY(kn_tvm_elf_read(bytes, count, &elf));
  kn_tvm_elf_symbol(&elf, symbol, &text, &length);
  return text ? read_description(file, text, length) : recognize(file, &elf);
}

/* ---- archives ---- */

static kn_status check_sum(const kn_tvm_member *library, const kn_tvm_member *sum) {
  char hex[65];
  KN_TRY(kn_sha256(library->data, library->bytes, hex));
  if (sum->data && sum->bytes == 64 && !memcmp(sum->data, hex, 64)) return NULL;
  return kn_status_make(KN_BAD_DATA, "the library in the archive is damaged: its SHA-256 is not the one beside it");
}

static kn_status read_objects(kn_tvm_model_file *file, size_t count) {
  char *linked;
  size_t bytes;
  KN_TRY(kn_tvm_objects_link(file->contents, count, &linked, &bytes));
  kn_free(file->contents);
  file->contents = linked;
  return read_library(file, linked, bytes);
}

static kn_status read_archive(kn_tvm_model_file *file, size_t count) {
  kn_tvm_member library, sum, sources;
  KN_TRY(kn_tvm_archive_find(file->contents, count, member_name, &library));
  KN_TRY(kn_tvm_archive_find(file->contents, count, "model.so.sha256", &sum));
  KN_TRY(kn_tvm_archive_find(file->contents, count, "description.txt", &sources));
  if (library.data) {
    KN_TRY(check_sum(&library, &sum));
    return read_library(file, library.data, library.bytes);
  }
  return sources.data ? read_description(file, sources.data, sources.bytes) : read_objects(file, count);
}

kn_status kn_tvm_model_file_read(const char *path, kn_tvm_model_file *out_file) {
  size_t count;
  *out_file = (kn_tvm_model_file){0};
  KN_TRY(kn_file_read(path, (size_t)1 << 36, &out_file->contents, &count));
  kn_status status = kn_tvm_archive_is(out_file->contents, count) ? read_archive(out_file, count)
                                                                  : read_library(out_file, out_file->contents, count);
  return kn_status_annotate(status, "while reading %s", path);
}

void kn_tvm_model_file_clear(kn_tvm_model_file *file) {
  kn_free(file->contents);
  kn_free(file->description);
  kn_free(file->facts);
  kn_iospec_clear(&file->spec);
  *file = (kn_tvm_model_file){0};
}

kn_status kn_tvm_model_file_fits(const kn_tvm_model_file *file) {
  kn_tvm_elf elf;
  char missing[256];
  if (!file->library)
    return kn_status_make(KN_INCOMPATIBLE,
                          "the model is compiled to C sources, which are built into a program of their own; for this "
                          "runtime compile it for a target such as llvm");
  KN_TRY(kn_tvm_elf_read(file->library, file->library_bytes, &elf));
  if (elf.machine != kn_tvm_elf_machine_here())
    return kn_status_make(KN_INCOMPATIBLE, "the model is compiled for %s, and this machine is %s",
                          kn_tvm_elf_machine_name(elf.machine), kn_tvm_elf_machine_name(kn_tvm_elf_machine_here()));
  const char *features = kn_tvm_model_file_fact(file, "processor_features");
  if (!features || !kn_tvm_processor_lacks(features, missing, sizeof missing)) return NULL;
  return kn_status_make(KN_INCOMPATIBLE,
                        "the model is compiled for processors with %s, which this one does not have: "
                        "compile it for another -mcpu",
                        missing);
}
