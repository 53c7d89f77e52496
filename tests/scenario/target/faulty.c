/* A plug-in whose runtime does what engines do at their worst. */
#define KN_PLUGIN_MAIN
#include <kenning/plugin.h>

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FAULT_NONE, FAULT_CRASH, FAULT_HANG, FAULT_EXIT, FAULT_SLOW, FAULT_SPIN, FAULT_TALK, FAULT_LEAVE };

typedef struct faulty_runtime {
  kn_runtime_options base;
  int fault;
  int64_t after;
  char *save_model_path;
  kn_iospec spec;
  bool loaded;
  int64_t count;
} faulty_runtime;

static const kn_choice faults[] = {{"none", FAULT_NONE, "it works"},
                                   {"crash", FAULT_CRASH, "it writes where there is nothing"},
                                   {"hang", FAULT_HANG, "it never returns"},
                                   {"exit", FAULT_EXIT, "it ends the process"},
                                   {"slow", FAULT_SLOW, "an inference takes 20 ms"},
                                   {"spin", FAULT_SPIN, "it never returns and works"},
                                   {"talk", FAULT_TALK, "it says a million words, then crashes"},
                                   {"leave", FAULT_LEAVE, "it crashes, and a process of its own lives on"},
                                   {0}};

static void talk(void) {
  for (int i = 0; i < 100000; i++) (void)!write(i % 2 ? STDOUT_FILENO : STDERR_FILENO, "bla bla bla\n", 12);
  (void)!write(STDERR_FILENO, "that was \033[31mmy\033[0m last word\n", 32);
}

/* The child keeps what it has got besides connections and outputs. */
static void leave_child(void) {
  if (fork() != 0) return;
  for (int fd = 0; fd < 1024; fd++) {
    int type;
    socklen_t size = sizeof type;
    if (fd < 3 || getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0) close(fd);
  }
  sleep(20);
  _exit(0);
}

static const kn_option options[] = {
    {"fault", "What goes wrong", KN_OPTION_ENUM, 0, KN_FIELD(faulty_runtime, fault), .choices = faults},
    {"after", "Inferences that go well before", KN_OPTION_INT, 0, KN_FIELD(faulty_runtime, after), .min = 0,
     .max = 1000000},
    {"save_model_path", "Where models are put", KN_OPTION_PATH, 0, KN_FIELD(faulty_runtime, save_model_path),
     .def.s = "faulty.bin"},
    {0}};

static kn_status open_runtime(void *self) {
  (void)self;
  return NULL;
}

static void unload(void *self) {
  faulty_runtime *runtime = self;
  kn_iospec_clear(&runtime->spec);
  runtime->loaded = false;
}

static kn_status load(void *self, const kn_load_request *request) {
  faulty_runtime *runtime = self;
  unload(self);
  char *data;
  size_t bytes;
  if (!request->spec) return kn_status_make(KN_INVALID_ARGUMENT, "an io specification is needed");
  KN_TRY(kn_file_read(request->path, 1 << 20, &data, &bytes));
  bool garbage = bytes >= 7 && !memcmp(data, "garbage", 7);
  kn_free(data);
  if (garbage) return kn_status_make(KN_BAD_DATA, "%s is no model", request->path);
  KN_TRY(kn_iospec_copy(request->spec, &runtime->spec));
  runtime->loaded = true;
  return NULL;
}

static kn_status check(const faulty_runtime *runtime) {
  return runtime->loaded ? NULL : kn_status_make(KN_INVALID_ARGUMENT, "no model is loaded");
}

static kn_status iospec(void *self, kn_iospec *out_spec) {
  KN_TRY(check(self));
  return kn_iospec_copy(&((faulty_runtime *)self)->spec, out_spec);
}

static kn_status set_input(void *self, const kn_tensor_view *inputs, size_t count) {
  (void)inputs, (void)count;
  return check(self);
}

static kn_status invoke(void *self) {
  faulty_runtime *runtime = self;
  KN_TRY(check(self));
  if (runtime->count++ < runtime->after) return NULL;
  switch (runtime->fault) {
    case FAULT_CRASH:
      abort();
    case FAULT_HANG:
      for (;;) pause();
    case FAULT_SPIN:
      for (volatile unsigned i = 0;; i++) continue;
    case FAULT_TALK:
      talk();
      abort();
    case FAULT_LEAVE:
      leave_child();
      abort();
    case FAULT_EXIT:
      _exit(3);
    case FAULT_SLOW:
      usleep(20000);
      return NULL;
    default:
      return NULL;
  }
}

static kn_status output(void *self, const kn_tensor_view *outputs, size_t count) {
  KN_TRY(check(self));
  for (size_t i = 0; i < count; i++) memset(outputs[i].data, 0, outputs[i].bytes);
  return NULL;
}

static kn_status statistics(void *self, kn_record *out_record) {
  KN_TRY(check(self));
  return kn_record_set_int(out_record, "threads", 1);
}

static const char *model_path(void *self) { return ((faulty_runtime *)self)->save_model_path; }

static const kn_inference_ops inference = {.struct_size = sizeof inference,
                                           .load = load,
                                           .unload = unload,
                                           .iospec = iospec,
                                           .set_input = set_input,
                                           .invoke = invoke,
                                           .output = output,
                                           .statistics = statistics};
static const kn_runtime_ops ops = {.struct_size = sizeof ops,
                                   .open = open_runtime,
                                   .close = unload,
                                   .model_path = model_path,
                                   .inference = &inference};
static const kn_class cls = {.struct_size = sizeof(kn_class),
                             .name = "kenning.runtimes.faulty.FaultyRuntime",
                             .kind = KN_KIND_RUNTIME,
                             .summary = "Fails as engines do",
                             .options = options,
                             .instance_size = sizeof(faulty_runtime),
                             .ops = &ops,
                             .input_formats = (const char *const[]){"any", NULL}};

/* ---- an optimizer that says what it was told ---- */

typedef struct telling_optimizer {
  kn_optimizer_options base;
  int64_t level;
  int mode;
  char *words;
} telling_optimizer;

static const kn_choice modes[] = {{"plain", 0, "as it is"}, {"loud", 1, "louder"}, {0}};
static const kn_option telling_options[] = {
    {"level", "A number", KN_OPTION_INT, 0, KN_FIELD(telling_optimizer, level), .min = 0, .max = 9},
    {"mode", "A choice", KN_OPTION_ENUM, 0, KN_FIELD(telling_optimizer, mode), .choices = modes},
    {"words", "A text", KN_OPTION_STRING, 0, KN_FIELD(telling_optimizer, words), .def.s = "none"},
    {0}};

static kn_status open_optimizer(void *self) {
  (void)self;
  return NULL;
}

static void close_optimizer(void *self) { (void)self; }

static kn_status compile(void *self, const kn_compile_request *request, kn_iospec *out_spec, kn_record *out_record) {
  const telling_optimizer *optimizer = self;
  char *data;
  size_t bytes;
  KN_TRY(kn_file_read(request->input_path, 1 << 20, &data, &bytes));
  char *text = kn_format("%s|%lld %d %s", data, (long long)optimizer->level, optimizer->mode, optimizer->words);
  kn_free(data);
  if (!text) return kn_status_out_of_memory();
  kn_status status = kn_file_write(optimizer->base.compiled_model_path, text, strlen(text));
  kn_free(text);
  if (!status) status = kn_iospec_copy(request->input_spec, out_spec);
  if (!status) status = kn_record_set_string(out_record, "compiler_framework", "telling");
  return status ? status : kn_record_set_string(out_record, "compiler_version", "1");
}

static const kn_optimizer_ops optimizer_ops = {
    .struct_size = sizeof optimizer_ops, .open = open_optimizer, .close = close_optimizer, .compile = compile};
static const kn_class optimizer_cls = {.struct_size = sizeof(kn_class),
                                       .name = "kenning.optimizers.telling.TellingOptimizer",
                                       .kind = KN_KIND_OPTIMIZER,
                                       .summary = "Puts its parameters behind the model",
                                       .options = telling_options,
                                       .instance_size = sizeof(telling_optimizer),
                                       .ops = &optimizer_ops,
                                       .input_formats = (const char *const[]){"any", NULL},
                                       .output_formats = (const char *const[]){"any", NULL}};

KN_PLUGIN("faulty", "1.0", "Apache-2.0", NULL, &cls, &optimizer_cls)
