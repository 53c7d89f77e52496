/* Converter tools: scripts of back-ends, run by the Python of the framework's own environment. */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kenning/process.h>
#include <kenning/services.h>

#include "core/file.h"
#include "core/number.h"
#include "core/text.h"
#include "resources/hash.h"
#include "resources/installation.h"
#include "resources/place.h"
#include "resources/tool.h"
#include "resources/tool_log.h"

static const double default_timeout_s = 3600;

/* The user's Python settings stay outside; what a framework says while it starts stays short; nothing is written
 * beside the scripts. */
static const char *const environment_changes[] = {"PYTHONNOUSERSITE=1",
                                                  "PYTHONUNBUFFERED=1",
                                                  "PYTHONDONTWRITEBYTECODE=1",
                                                  "PYTHONIOENCODING=utf-8",
                                                  "PYTHONPATH",
                                                  "PYTHONHOME",
                                                  "PYTHONSTARTUP",
                                                  "VIRTUAL_ENV",
                                                  "TF_CPP_MIN_LOG_LEVEL=2",
                                                  "ORT_DISABLE_TELEMETRY=1",
                                                  NULL};

typedef struct run {
  const kn_tool_request *request;
  kn_record *result;
  FILE *log;
  double done, total; /* where the tool says it is; total 0: it has said nothing */
  char stage[96];
  char *error; /* text of its last ERROR line */
  kn_code error_code;
  bool full;      /* it said that a disk is */
  char lacks[96]; /* what it could not import, in Python's words; "": nothing */
} run;

/* The rest of `line` behind the word `word` and a space, or NULL. */
static const char *after(const char *line, const char *word) {
  size_t length = strlen(word);
  return !strncmp(line, word, length) && line[length] == ' ' ? line + length + 1 : NULL;
}

static kn_status take_result(run *r, const char *rest) {
  const char *space = strchr(rest, ' ');
  size_t length = space ? (size_t)(space - rest) : strlen(rest);
  if (!r->result || !length) return NULL;
  char *key = kn_strndup(rest, length);
  if (!key) return kn_status_out_of_memory();
  kn_status status = kn_record_set_string(r->result, key, space ? space + 1 : "");
  kn_free(key);
  return status;
}

static void take_progress(run *r, const char *rest) {
  char *end;
  double done = kn_number_read(rest, &end);
  if (end == rest || *end != ' ') return;
  const char *second = end + 1;
  double total = kn_number_read(second, &end);
  if (end == second || (*end && *end != ' ') || !(total > 0) || !(done >= 0)) return;
  if (!(done < total)) return; /* the full count belongs to the end of the run */
  r->done = done;
  r->total = total;
  snprintf(r->stage, sizeof r->stage, "%s", *end ? end + 1 : "");
  if (r->request->progress) kn_progress(r->request->progress, done, total, r->stage);
}

static kn_status take_error(run *r, const char *rest) {
  static const struct {
    const char *word;
    kn_code code;
  } kinds[] = {{"invalid", KN_INVALID_ARGUMENT},
               {"incompatible", KN_INCOMPATIBLE},
               {"baddata", KN_BAD_DATA},
               {"missing", KN_NOT_INSTALLED}};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    const char *text = after(rest, kinds[i].word);
    if (!text) continue;
    kn_free(r->error);
    r->error = kn_strdup(text);
    r->error_code = kinds[i].code;
    return r->error ? NULL : kn_status_out_of_memory();
  }
  return NULL;
}

static kn_status take_line(void *context, kn_stream stream, const char *line) {
  run *r = context;
  /* A log that cannot be written is no reason to stop: kn_tool_log_open has said so if the disk was full before. */
  (void)fprintf(r->log, "%s\n", line);
  if (strcasestr(line, "no space left on device") || strcasestr(line, "disk quota exceeded")) r->full = true;
  if (after(line, "ModuleNotFoundError:") || after(line, "ImportError:"))
    snprintf(r->lacks, sizeof r->lacks, "%s", strchr(line, ' ') + 1);
  if (stream != KN_STREAM_OUT) return NULL;
  const char *rest;
  if ((rest = after(line, "PROGRESS"))) take_progress(r, rest);
  if ((rest = after(line, "RESULT"))) return take_result(r, rest);
  if ((rest = after(line, "ERROR"))) return take_error(r, rest);
  return NULL;
}

static void show_time(void *context, double elapsed_s) {
  run *r = context;
  char text[sizeof r->stage + 32];
  if (!r->request->progress) return;
  snprintf(text, sizeof text, "%s%s%.0f s", r->stage, *r->stage ? ", " : "", elapsed_s);
  kn_progress(r->request->progress, r->done, r->total, text);
}

/* Where a tool writes, as far as its arguments tell: where our first temporary file or directory is, else beside its
 * last file. */
static kn_status disk_is_full(const run *r, const char *scratch) {
  const char *place = NULL;
  int length = 0;
  for (const char *const *argument = r->request->arguments; argument && *argument; argument++) {
    const char *value = strncmp(*argument, "--", 2) ? NULL : strchr(*argument, '='),
               *path = value ? value + 1 : *argument;
    const char *ours = strncmp(path, ".tmp-", 5) ? strstr(path, "/.tmp-") : path;
    const char *end = ours ? ours : strrchr(path, '/');
    if (!end) continue;
    place = path;
    length = end == path ? 1 : (int)(end - path); /* "." or "/" */
    if (ours) break;
  }
  return kn_status_make(
      KN_IO_ERROR,
      "the disk is full: no space left on device for what %s writes, in %.*s%s%s (TMPDIR says where); "
      "free some space or choose another place",
      r->request->script, length, place ? place : "", place ? " or " : "", scratch);
}

/* `specification` is a file's path, or NULL. */
static const char **command_line(const char *python, const char *script, const char *const *arguments,
                                 const char *specification) {
  size_t count = 0;
  while (arguments && arguments[count]) count++;
  const char **result = kn_alloc_array(count + 5, sizeof *result);
  if (!result) return NULL;
  result[0] = python;
  result[1] = script;
  for (size_t i = 0; i < count; i++) result[i + 2] = arguments[i];
  if (!specification) return result;
  result[count + 2] = "--specification";
  result[count + 3] = specification;
  return result;
}

/* *out_path is NULL where the request has none. */
static kn_status write_specification(const kn_iospec *spec, const char *scratch, char **out_path) {
  *out_path = NULL;
  if (!spec) return NULL;
  *out_path = kn_format("%s/specification.json", scratch);
  return *out_path ? kn_iospec_write(spec, *out_path) : kn_status_out_of_memory();
}

/* What the tool said itself outweighs that it failed. */
static kn_status explain(run *r, kn_status status, int signal, const char *log_path, const char *scratch) {
  kn_code code = kn_status_code(status);
  if (code == KN_BACKEND_FAILED && r->full) {
    kn_status_free(status);
    return disk_is_full(r, scratch);
  }
  if (code == KN_BACKEND_FAILED && r->error) {
    kn_status_free(status);
    status = kn_status_make(r->error_code, "%s", r->error);
  }
  if (code == KN_BACKEND_FAILED && !r->error && *r->lacks) {
    kn_status_free(status);
    status =
        kn_status_make(KN_NOT_INSTALLED, "the Python environment of %s is damaged: %s; run: kenning install --force %s",
                       r->request->framework, r->lacks, r->request->framework);
  }
  if (code == KN_BACKEND_FAILED && signal == SIGKILL)
    status =
        kn_status_annotate(status, "the kernel ends programs so when memory runs out: free some, and run it again");
  if (code == KN_BACKEND_FAILED || code == KN_TIMEOUT)
    status = kn_status_annotate(status, "everything %s said is in %s", r->request->script, log_path);
  return status;
}

static kn_status run_logged(run *r, const char *python, const char *script, const char *log_path, const char *scratch) {
  char *specification;
  kn_status status = write_specification(r->request->specification, scratch, &specification);
  const char **arguments = command_line(python, script, r->request->arguments, specification);
  char *temporary = kn_format("TMPDIR=%s", scratch);
  const char *environment[sizeof environment_changes / sizeof *environment_changes + 1];
  memcpy(environment, environment_changes, sizeof environment_changes);
  environment[sizeof environment_changes / sizeof *environment_changes - 1] = temporary;
  environment[sizeof environment_changes / sizeof *environment_changes] = NULL;
  kn_process_request process = {
      .arguments = arguments,
      .environment = environment,
      .timeout_s = r->request->timeout_s > 0 ? r->request->timeout_s : default_timeout_s,
      .memory_limit_bytes = r->request->memory_limit_bytes,
      .line = take_line,
      .tick = show_time,
      .context = r,
  };
  kn_process_result result = {0};
  if (!status) status = arguments && temporary ? kn_process_run(&process, &result) : kn_status_out_of_memory();
  (void)fclose(r->log);
  if (status) {
    status = explain(r, status, result.signal, log_path, scratch);
  } else if (r->request->progress) {
    char text[32];
    snprintf(text, sizeof text, "%.1f s", result.seconds);
    kn_progress(r->request->progress, 1, 1, text);
  }
  kn_free(r->error);
  kn_free(arguments);
  kn_free(specification);
  kn_free(temporary);
  return status;
}

static kn_status run_script(run *r, const char *python, const char *script) {
  char *log_path, *scratch = NULL;
  /* What the tool and its libraries want to keep for a while goes with it. */
  KN_TRY(kn_directory_temporary(NULL, "kenning-tool", &scratch));
  kn_status status = kn_tool_log_open(r->request->script, &r->log, &log_path);
  if (!status) {
    status = run_logged(r, python, script, log_path, scratch);
    kn_free(log_path);
  }
  kn_directory_discard(scratch);
  return status;
}

static kn_status script_path(const char *framework, const char *script, char **out_path) {
  *out_path = NULL;
  if (strchr(script, '/')) return kn_status_make(KN_INTERNAL, "the tool '%s' is no plain file name", script);
  char *name = kn_format("tool/%s", script);
  if (!name) return kn_status_out_of_memory();
  kn_status status = kn_place_backend(framework, name, out_path);
  kn_free(name);
  return status;
}

kn_status kn_tool_run_by(const char *python, const char *path, const kn_tool_request *request, kn_record *result) {
  run r = {.request = request, .result = result};
  return run_script(&r, python, path);
}

kn_status kn_tool_run(const kn_tool_request *request, kn_record *result) {
  char *script, *python = NULL;
  KN_TRY(script_path(request->framework, request->script, &script));
  kn_installation installation;
  kn_status status = kn_installation_read(request->framework, &installation);
  if (!status) status = kn_installation_python(&installation, &python);
  kn_installation_clear(&installation);
  if (!status) status = kn_tool_run_by(python, script, request, result);
  kn_free(python);
  kn_free(script);
  return status;
}

static int is_source(const struct dirent *entry) {
  size_t length = strlen(entry->d_name);
  return length > 3 && !strcmp(entry->d_name + length - 3, ".py");
}

kn_status kn_tool_identity(const char *framework, const char *script, char **out_identity) {
  *out_identity = NULL;
  char *path, *python = NULL;
  KN_TRY(script_path(framework, script, &path));
  kn_installation installation;
  kn_text text = {0};
  kn_status status = kn_installation_read(framework, &installation);
  if (!status) status = kn_installation_python(&installation, &python);
  if (!status) {
    kn_text_format(&text, "%s\n%s\n", script, installation.environment.lock_sha256);
    *strrchr(path, '/') = '\0';
    status = kn_hash_entries(path, is_source, &text); /* they may import one another */
  }
  if (!status) status = kn_text_status(&text);
  char hex[65];
  if (!status) status = kn_sha256(text.data, text.length, hex);
  if (!status) {
    *out_identity = kn_strdup(hex);
    if (!*out_identity) status = kn_status_out_of_memory();
  }
  kn_text_clear(&text);
  kn_installation_clear(&installation);
  kn_free(python);
  kn_free(path);
  return status;
}
