#include "session.h"
#include "archive.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* ---- the file ---- */

/* A module is an archive that begins as zip archives do, with the member "module.fb". */
static kn_status check_file(const char *path) {
  struct stat found;
  if (stat(path, &found) != 0)
    return kn_status_make(errno == ENOENT ? KN_NOT_FOUND : KN_IO_ERROR, "%s: %s", path, strerror(errno));
  if (!S_ISREG(found.st_mode)) return kn_status_make(KN_BAD_DATA, "%s is no file", path);
  char head[64] = "";
  FILE *file = fopen(path, "rbe");
  if (!file) return kn_status_make(KN_IO_ERROR, "cannot read %s: %s", path, strerror(errno));
  size_t length = fread(head, 1, sizeof head, file);
  fclose(file);
  if (length >= 39 && !memcmp(head, "PK\3\4", 4) && !memcmp(head + 30, "module.fb", 9)) return NULL;
  bool other = (length > 8 && !memcmp(head + 4, "TFL3", 4)) || (length > 1 && head[0] == 8);
  return kn_status_make(other ? KN_INCOMPATIBLE : KN_BAD_DATA,
                        "%s is no IREE module (.vmfb)%s; IREECompiler makes one of an ONNX or TensorFlow Lite model",
                        path, other ? ", but looks like a model of another framework" : "");
}

/* ---- the function ---- */

static kn_status choose(kn_iree_session *session, const char *wanted, size_t *out_index) {
  const kn_iree_api *api = session->api;
  const char *name;
  size_t count = 0;
  bool found = false;
  for (; (name = api->function_name(session->program, count)); count++)
    if (wanted && !strcmp(name, wanted)) {
      *out_index = count;
      found = true;
    }
  if (!wanted && count == 1) {
    *out_index = 0;
    found = true;
  }
  if (found) {
    session->function = kn_strdup(api->function_name(session->program, *out_index));
    return session->function ? NULL : kn_status_out_of_memory();
  }
  char list[256] = "none";
  size_t length = 0;
  for (size_t i = 0; i < count && length < sizeof list; i++)
    length += (size_t)snprintf(list + length, sizeof list - length, "%s%s", i ? ", " : "",
                               api->function_name(session->program, i));
  if (wanted) return kn_status_make(KN_INCOMPATIBLE, "the module has no function '%.80s'; it has: %s", wanted, list);
  return kn_status_make(KN_INCOMPATIBLE, "which function of the module? Set `function` to one of: %s", list);
}

static kn_status describe(const kn_iree_argument *arguments, size_t count, kn_iolist *list) {
  for (size_t i = 0; i < count; i++) {
    kn_ioentry entry = {.name = (char *)(uintptr_t)arguments[i].name,
                        .dtype = kn_iree_dtype(arguments[i].tensor.type),
                        .rank = arguments[i].tensor.rank,
                        .order = (int64_t)i};
    for (uint32_t k = 0; k < entry.rank; k++) entry.shape[k] = arguments[i].tensor.shape[k];
    KN_TRY(kn_iolist_add(list, &entry));
  }
  return NULL;
}

/* Dimensions that the module leaves open are the batch (the first) or told by the specification (the others). */
static kn_status settle(const kn_load_request *request, kn_iree_argument *input, const kn_ioentry *said) {
  kenning_iree_tensor *tensor = &input->tensor;
  for (uint32_t k = 0; k < tensor->rank; k++) {
    if (tensor->shape[k] >= 0) {
      if (k == 0 && tensor->shape[0] != request->batch && request->batch != 1)
        return kn_status_make(KN_INCOMPATIBLE,
                              "'%s' takes %lld samples at a time and not %lld: the module was compiled for that many",
                              input->name, (long long)tensor->shape[0], (long long)request->batch);
      continue;
    }
    if (k == 0)
      tensor->shape[0] = request->batch;
    else if (said && said->rank == tensor->rank && said->shape[k] > 0)
      tensor->shape[k] = said->shape[k];
    else
      return kn_status_make(KN_INCOMPATIBLE,
                            "the module leaves dimension %u of its input '%s' open; give the io specification (the "
                            ".json file beside it) a concrete shape",
                            k, input->name);
  }
  return NULL;
}

static kn_status fail(kn_code code, const char *what, int result, const kenning_iree_words *words) {
  return result ? kn_iree_fault(code, what, words) : NULL;
}

/* The shapes of outputs are known for sure after a run. */
static kn_status learn_outputs(kn_iree_session *session, kn_iree_declaration *declaration) {
  kenning_iree_words words = {""};
  bool open = false;
  for (size_t i = 0; i < declaration->output_count; i++) {
    const kenning_iree_tensor *tensor = &declaration->outputs[i].tensor;
    for (uint32_t k = 0; k < tensor->rank; k++) open = open || tensor->shape[k] < 0;
  }
  if (!open) return NULL;
  const kn_iree_api *api = session->api;
  KN_TRY(fail(KN_INCOMPATIBLE, "cannot run the module on zeros, which tells the shapes of its outputs",
              api->invoke(session->program, &words), &words));
  for (size_t i = 0; i < declaration->output_count; i++)
    KN_TRY(fail(KN_BACKEND_FAILED, "does not tell an output's shape",
                api->output_tensor(session->program, i, &declaration->outputs[i].tensor, &words), &words));
  return NULL;
}

static kn_status prepare(kn_iree_session *session, const kn_load_request *request, size_t index,
                         kn_iree_declaration *declaration) {
  const kn_iolist *given = kn_iospec_model_input(request->spec);
  kenning_iree_tensor *tensors = kn_alloc_array(declaration->input_count + 1, sizeof *tensors);
  if (!tensors) return kn_status_out_of_memory();
  kn_status status = NULL;
  for (size_t i = 0; i < declaration->input_count && !status; i++) {
    status = settle(request, &declaration->inputs[i], given && i < given->count ? &given->entries[i] : NULL);
    tensors[i] = declaration->inputs[i].tensor;
  }
  kenning_iree_words words = {""};
  if (!status)
    status = fail(KN_BACKEND_FAILED, "cannot prepare the module",
                  session->api->prepare(session->program, index, tensors, declaration->input_count, &words), &words);
  kn_free(tensors);
  if (!status) status = learn_outputs(session, declaration);
  if (!status) status = describe(declaration->inputs, declaration->input_count, &session->found.input);
  if (!status) status = describe(declaration->outputs, declaration->output_count, &session->found.output);
  return status;
}

static kn_status read_function(kn_iree_session *session, const kn_load_request *request, size_t index) {
  const char *text = session->api->declaration(session->program, index);
  if (!*text)
    return kn_status_make(KN_INCOMPATIBLE,
                          "the module does not declare its function '%s': compile it with "
                          "IREECompiler, or without stripping",
                          session->function);
  kn_iree_declaration declaration;
  kn_status status = kn_iree_declaration_parse(text, &declaration);
  if (!status && (!declaration.input_count || !declaration.output_count))
    status =
        kn_status_make(KN_INCOMPATIBLE, "the module's function '%s' has no inputs or no outputs", session->function);
  if (!status) status = prepare(session, request, index, &declaration);
  kn_iree_declaration_clear(&declaration);
  return status;
}

/* ---- binding ---- */

enum { NAME_BYTES = sizeof((kn_iree_argument){0}.name) };

/* As tool/compile.py spells a name in declarations, and their reader cuts it. */
static void spell(const char *name, char out_text[NAME_BYTES]) {
  size_t length = 0;
  for (; *name && length + 1 < NAME_BYTES; name++) {
    char c = *name;
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("_./-", c);
    if (((unsigned char)c & 0xC0) == 0x80) continue; /* within a letter of several bytes */
    out_text[length++] = plain ? c : '_';
  }
  out_text[length] = '\0';
}

/* Names of the specification that the declaration cannot hold: what it has instead gets them back. */
static kn_status restore_names(const kn_iolist *given, kn_iolist *found) {
  for (size_t i = 0; given && i < given->count; i++) {
    char spelled[NAME_BYTES];
    const char *name = given->entries[i].name;
    if (!name) continue;
    spell(name, spelled);
    if (!strcmp(spelled, name)) continue;
    for (size_t k = 0; k < found->count; k++) {
      if (strcmp(found->entries[k].name, spelled) != 0) continue;
      char *copy = kn_strdup(name);
      if (!copy) return kn_status_out_of_memory();
      kn_free(found->entries[k].name);
      found->entries[k].name = copy;
      break;
    }
  }
  return NULL;
}

static kn_status bind(kn_iree_session *session, const kn_load_request *request) {
  session->inputs = kn_alloc_array(session->found.input.count, sizeof *session->inputs);
  session->outputs = kn_alloc_array(session->found.output.count, sizeof *session->outputs);
  session->output_bytes = kn_alloc_array(session->found.output.count, sizeof *session->output_bytes);
  if (!session->inputs || !session->outputs || !session->output_bytes) return kn_status_out_of_memory();
  const kn_iolist *inputs = kn_iospec_model_input(request->spec);
  const kn_iolist *outputs = request->spec ? &request->spec->output : NULL;
  KN_TRY(restore_names(inputs, &session->found.input));
  KN_TRY(restore_names(outputs, &session->found.output));
  KN_TRY(kn_iolist_bind(inputs, &session->found.input, "input", &session->spec.input, session->inputs));
  KN_TRY(kn_iolist_bind(outputs, &session->found.output, "output", &session->spec.output, session->outputs));
  for (size_t i = 0; i < session->spec.output.count; i++) {
    const kn_ioentry *entry = &session->spec.output.entries[i];
    size_t bytes;
    KN_TRY(kn_tensor_bytes(entry->dtype, entry->rank, entry->shape, &bytes));
    if (!bytes) return kn_status_make(KN_INCOMPATIBLE, "the module's output '%s' is empty", entry->name);
    session->output_bytes[i] = kn_alloc(bytes);
    if (!session->output_bytes[i]) return kn_status_out_of_memory();
  }
  return NULL;
}

static kn_status open_session(kn_iree_session *session, const kn_load_request *request,
                              const kn_iree_settings *settings) {
  if (request->batch < 1 || request->batch > INT32_MAX)
    return kn_status_make(KN_INVALID_ARGUMENT, "%lld samples per inference are not possible",
                          (long long)request->batch);
  KN_TRY(check_file(request->path));
  KN_TRY(kn_iree_archive_check(request->path));
  kenning_iree_words words = {""};
  KN_TRY(fail(KN_INCOMPATIBLE, "cannot load the module",
              session->api->open(settings->driver, (int)settings->threads, request->path, &session->program, &words),
              &words));
  size_t index = 0;
  KN_TRY(choose(session, settings->function, &index));
  KN_TRY(read_function(session, request, index));
  return bind(session, request);
}

kn_status kn_iree_session_open(kn_iree_session *session, const kn_iree_api *api, const kn_load_request *request,
                               const kn_iree_settings *settings) {
  *session = (kn_iree_session){.api = api};
  kn_status status = open_session(session, request, settings);
  if (status) kn_iree_session_close(session);
  return kn_status_annotate(status, "while loading %s", request->path);
}

void kn_iree_session_close(kn_iree_session *session) {
  if (session->program) session->api->close(session->program);
  for (size_t i = 0; session->output_bytes && i < session->found.output.count; i++) kn_free(session->output_bytes[i]);
  kn_free(session->output_bytes);
  kn_free(session->inputs);
  kn_free(session->outputs);
  kn_free(session->function);
  kn_iospec_clear(&session->found);
  kn_iospec_clear(&session->spec);
  *session = (kn_iree_session){0};
}
