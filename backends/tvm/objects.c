#include "objects.h"

#include <string.h>

#include <kenning/process.h>
#include <kenning/services.h>

#include "archive.h"

enum { MOST_OBJECTS = 64, LINK_TIMEOUT_S = 300 };

kn_status kn_tvm_find_compiler(const char *purpose, char **out_path) {
  static const char *const names[] = {"cc", "gcc", "clang"};
  kn_status status = NULL;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    kn_status_free(status);
    status = kn_process_find(names[i], out_path);
    if (kn_status_code(status) != KN_NOT_INSTALLED) return status;
  }
  kn_status_free(status);
  return kn_status_make(KN_NOT_INSTALLED, "%s needs a C compiler; on Debian: apt-get install gcc", purpose);
}

typedef struct object_files {
  char *paths[MOST_OBJECTS];
  size_t count;
} object_files;

static bool ends_in(const char *name, const char *end) {
  size_t a = strlen(name), b = strlen(end);
  return a > b && !strcmp(name + a - b, end);
}

/* Writes the object files out; the names are ours, whatever theirs are. */
static kn_status collect(const char *archive, size_t count, const char *directory, object_files *to) {
  kn_tvm_member member;
  size_t at = 0;
  bool sources = false;
  for (;;) {
    KN_TRY(kn_tvm_archive_next(archive, count, &at, &member));
    if (!member.data) break;
    sources |= ends_in(member.name, ".c");
    if (!ends_in(member.name, ".o")) continue;
    if (to->count == MOST_OBJECTS)
      return kn_status_make(KN_BAD_DATA, "the archive holds more than %d object files", MOST_OBJECTS);
    char *path = to->paths[to->count] = kn_format("%s/%zu.o", directory, to->count);
    if (!path) return kn_status_out_of_memory();
    to->count++;
    KN_TRY(kn_file_write(path, member.data, member.bytes));
  }
  if (to->count) return NULL;
  return kn_status_make(KN_BAD_DATA, "the archive holds neither a compiled library nor object files%s",
                        sources ? ", but C sources: they need TVM's headers to be built" : "");
}

static kn_status run(const object_files *objects, const char *compiler, const char *output) {
  const char *arguments[MOST_OBJECTS + 6];
  size_t n = 0;
  arguments[n++] = compiler;
  arguments[n++] = "-shared";
  arguments[n++] = "-fPIC";
  arguments[n++] = "-o";
  arguments[n++] = output;
  for (size_t i = 0; i < objects->count; i++) arguments[n++] = objects->paths[i];
  arguments[n] = NULL;
  kn_process_request request = {.arguments = arguments, .timeout_s = LINK_TIMEOUT_S};
  return kn_status_annotate(kn_process_run(&request, NULL), "while linking the object files of the archive");
}

static kn_status link_in(const char *archive, size_t count, const char *directory, object_files *objects,
                         char **out_library, size_t *out_bytes) {
  char *compiler = NULL, *output = kn_format("%s/linked.so", directory);
  kn_status status = output ? collect(archive, count, directory, objects) : kn_status_out_of_memory();
  if (!status) status = kn_tvm_find_compiler("a model that is an archive of object files", &compiler);
  if (!status) status = run(objects, compiler, output);
  if (!status) status = kn_file_read(output, (size_t)1 << 36, out_library, out_bytes);
  kn_free(output);
  kn_free(compiler);
  return status;
}

kn_status kn_tvm_objects_link(const char *archive, size_t count, char **out_library, size_t *out_bytes) {
  *out_library = NULL;
  object_files objects = {0};
  char *directory;
  KN_TRY(kn_directory_temporary(NULL, "kenning-tvm", &directory));
  kn_status status = link_in(archive, count, directory, &objects, out_library, out_bytes);
  for (size_t i = 0; i < objects.count; i++) kn_free(objects.paths[i]);
  kn_directory_discard(directory);
  return status;
}
