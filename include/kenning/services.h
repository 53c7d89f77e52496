/* What the host does for blocks: log, progress, cancelling, finding frameworks, running converter tools, hashing,
 * caching. The same names in the library and in plug-ins (there they go through the host table, see plugin.h). */
#ifndef KENNING_SERVICES_H
#define KENNING_SERVICES_H

#include <kenning/iospec.h>
#include <kenning/record.h>
#include <kenning/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum kn_log_level { KN_LOG_DEBUG = 0, KN_LOG_INFO, KN_LOG_WARNING, KN_LOG_ERROR, KN_LOG_CRITICAL } kn_log_level;

/* One line to stderr when `level` is at or above the chosen verbosity. Thread-safe. */
KN_API void kn_log(kn_log_level level, const char *format, ...) KN_PRINTF(2, 3);
KN_API void kn_vlog(kn_log_level level, const char *format, va_list arguments) KN_PRINTF(2, 0);

/* Shows progress on stderr: rate-limited, in place on a terminal, lines otherwise. `total` 0: unknown. `detail` (may be
 * NULL) is shown behind, e.g. "loss 0.31". The call with done == total ends the line. */
KN_API void kn_progress(const char *what, double done, double total, const char *detail);

/* True once the user asked to stop (Ctrl-C): finish the step at hand and return KN_CANCELLED. Cheap. */
KN_API bool kn_cancelled(void);

/* CLOCK_MONOTONIC_RAW in nanoseconds. */
KN_API int64_t kn_now_ns(void);

/* `wanted`; where it is not positive, one thread for each processor that this process may run on. At least 1. */
KN_API int64_t kn_thread_count(int64_t wanted);

/* Path of a framework's shared library, in this order: `parameter` (a block's own option, may be NULL), the
 * environment variable KENNING_<FRAMEWORK>_LIBRARY, what `kenning install <framework>` put in place under the name
 * `key` of the manifest ("library"). KN_NOT_INSTALLED, with the command to run, when there is none. Free with kn_free.
 */
KN_API kn_status kn_framework_file(const char *framework, const char *key, const char *parameter,
                                   char **out_path) KN_MUST_USE;

/* dlopen with RTLD_NOW | RTLD_LOCAL by absolute path; signal handlers that the library installs are put back. The
 * handle is never closed. KN_NOT_INSTALLED when `path` cannot be loaded; the loader's words are in the message. */
KN_API kn_status kn_library_open(const char *path, void **out_handle) KN_MUST_USE;

/* A function of a library, and where its address goes in the caller's table: offsetof. */
typedef struct kn_symbol {
  const char *name;
  size_t place;
} kn_symbol;
/* Finds `count` functions in a library that is open, and puts their addresses into `table`. KN_INCOMPATIBLE for the
 * first that it has not; `meaning` says what that tells of the library at `path`, and what to do ("it is none of
 * version 2; `kenning install x` provides one that fits"). */
KN_API kn_status kn_library_functions(void *handle, const char *path, const kn_symbol *symbols, size_t count,
                                      const char *meaning, void *table) KN_MUST_USE;

/* Opens a framework of which a process can have one copy only, since a second would register its operators twice. The
 * first call gives the path of its library, which lives as long as the process (found as by kn_framework_file under the
 * key "library"), to `opener`, which opens it and keeps what it needs; when that fails the next call tries again. Later
 * calls do nothing, or are KN_INCOMPATIBLE where they mean another file. Thread-safe; codes of `opener` and of
 * kn_framework_file. */
KN_API kn_status kn_library_open_once(const char *framework, const char *parameter,
                                      kn_status (*opener)(const char *path)) KN_MUST_USE;

/* A converter tool: a script of a back-end run by the Python of the framework's own environment, in a process of its
 * own. */
typedef struct kn_tool_request {
  const char *framework;        /* environment: `kenning install <framework>` makes it */
  const char *script;           /* file name in the plug-in's tool directory, e.g. "convert.py" */
  const char *const *arguments; /* NULL-terminated, without the script */
  /* Of the model that the tool reads, or NULL: a file that holds it is one more argument, "--specification FILE". */
  const kn_iospec *specification;
  double timeout_s;          /* 0: one hour */
  size_t memory_limit_bytes; /* 0: no limit */
  const char *progress;      /* shown while it runs; lines "PROGRESS done total text" of the tool move it */
} kn_tool_request;

/* Runs the tool and waits. Its stdout and stderr go to a log that is kept; on failure the status holds the last lines
 * and the log's path. Lines of the tool of the form "RESULT key value" (value up to the end of line) are put into
 * `result` (may be NULL) as strings. KN_NOT_INSTALLED without environment, KN_TIMEOUT, KN_CANCELLED,
 * KN_BACKEND_FAILED; a line "ERROR invalid|incompatible|baddata|missing text" of a failing tool sets the code and the
 * message. */
KN_API kn_status kn_tool_run(const kn_tool_request *request, kn_record *result) KN_MUST_USE;

/* Identity of a tool for cache keys: hash of the script and of the environment's lock. Free with kn_free. */
KN_API kn_status kn_tool_identity(const char *framework, const char *script, char **out_identity) KN_MUST_USE;

/* SHA-256 in lower-case hexadecimal. */
KN_API kn_status kn_sha256_file(const char *path, char out_hex[65]) KN_MUST_USE;
/* Of a file, or of the names and contents of all files below a directory, links followed; of a model that is several
 * files side by side (external data of ONNX, weights of an OpenVINO IR, ...) of all of them. */
KN_API kn_status kn_sha256_path(const char *path, char out_hex[65]) KN_MUST_USE;
KN_API kn_status kn_sha256(const void *data, size_t bytes, char out_hex[65]) KN_MUST_USE;

/* Content-addressed cache of tool results ($XDG_CACHE_HOME/kenning). `key` is any text: its hash names the entry.
 * Lookup copies the entry to `path` (whole or not at all) and sets *out_hit. Store copies `path` into the cache. Both
 * verify the entry's own hash; a damaged entry counts as a miss and is removed. */
KN_API kn_status kn_cache_lookup(const char *key, const char *path, bool *out_hit) KN_MUST_USE;
KN_API kn_status kn_cache_store(const char *key, const char *path) KN_MUST_USE;

/* Writes a whole file or nothing: temporary file in the same directory, fsync, rename. Missing parent directories are
 * made. */
KN_API kn_status kn_file_write(const char *path, const void *data, size_t bytes) KN_MUST_USE;
/* Reads a whole file of at most `limit` bytes (0: 1 GiB) into memory with a terminating NUL that is not counted. Free
 * with kn_free. KN_NOT_FOUND, KN_IO_ERROR, KN_BAD_DATA when larger. */
KN_API kn_status kn_file_read(const char *path, size_t limit, char **out_data, size_t *out_bytes) KN_MUST_USE;
/* Maps a regular file, for looking at parts of a large one: what is not touched is not read. An empty one gives NULL
 * and 0 bytes. Not for files that others may cut meanwhile. Give it back with kn_file_unmap, which takes that NULL too.
 * KN_NOT_FOUND, KN_INVALID_ARGUMENT (no permission), KN_BAD_DATA (no regular file), KN_IO_ERROR. */
KN_API kn_status kn_file_map(const char *path, const void **out_data, size_t *out_bytes) KN_MUST_USE;
KN_API void kn_file_unmap(const void *data, size_t bytes);
/* A name for a temporary file beside `path` (for producers that write by themselves), and the rename that publishes
 * it. kn_file_publish removes `temporary` when it fails. */
KN_API kn_status kn_file_temporary(const char *path, char **out_temporary) KN_MUST_USE;
KN_API kn_status kn_file_publish(const char *temporary, const char *path) KN_MUST_USE;
/* Makes a directory of one's own (mode 0700) for files that come and go: beside the file `beside`, or, where that is
 * NULL, in TMPDIR (else /tmp) with `name` in its name. Its name tells the process, so that the next one removes what a
 * killed one left. Give it back with kn_directory_discard, which removes it with all that is in it, links not followed,
 * and frees `directory` (may be NULL). */
KN_API kn_status kn_directory_temporary(const char *beside, const char *name, char **out_directory) KN_MUST_USE;
KN_API void kn_directory_discard(char *directory);

#ifdef __cplusplus
}
#endif
#endif
