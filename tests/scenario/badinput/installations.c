/* Engines that are not what was installed, and others in their place: something to install (exit code 3), or told what
 * the library is not (2); the loader is not asked about files that would end the process by a signal. */
#include "resources/place.h"
#include "scenario/badinput/engines.h"
#include "support/directory.h"
#include "support/status.h"
#include "support/unit.h"

#include <dirent.h>
#include <elf.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A data directory that has the engine's files as links. */
typedef struct place {
  char *data, *directory; /* of the framework, of its files */
  char *lock;
  char variable[600];
} place;

static void link_all(const char *from, const char *to) {
  DIR *list = opendir(from);
  assert_non_null(list);
  assert_int_equal(mkdir(to, 0700), 0);
  for (struct dirent *entry; (entry = readdir(list));) {
    if (*entry->d_name == '.') continue;
    char *source = kt_path(from, entry->d_name), *target = kt_path(to, entry->d_name);
    assert_int_equal(symlink(source, target), 0);
    free(source);
    free(target);
  }
  closedir(list);
}

static place make_place(const engine *one) {
  char *root, path[600];
  place p = {.data = kt_directory_make()};
  kt_assert_ok(kn_place_data(&root));
  snprintf(path, sizeof path, "%s/%s", root, one->framework);
  char *framework = kt_path(p.data, one->framework), *lock = kt_path(path, "lock.json");
  p.lock = kt_path(framework, "lock.json");
  assert_int_equal(mkdir(framework, 0700), 0);
  size_t bytes;
  char *content = kt_file_read(lock, &bytes);
  kt_file_write(p.lock, content, bytes);
  free(content);
  DIR *list = opendir(path);
  assert_non_null(list);
  for (struct dirent *entry; (entry = readdir(list));) {
    char *inner = kt_path(path, entry->d_name), *here = kt_path(framework, entry->d_name);
    struct stat found;
    if (*entry->d_name != '.' && stat(inner, &found) == 0 && S_ISDIR(found.st_mode) && !p.directory) {
      link_all(inner, here);
      p.directory = strdup(here);
    }
    free(inner);
    free(here);
  }
  closedir(list);
  assert_non_null(p.directory);
  snprintf(p.variable, sizeof p.variable, "KENNING_DATA_DIR=%s", p.data);
  kn_free(root);
  free(framework);
  free(lock);
  return p;
}

static void drop_place(place *p) {
  free(p->directory);
  free(p->lock);
  kt_directory_remove(p->data);
}

/* Every file of the installation in turn, cut to half of what it was. */
static void refuse_changed(const engine *one, const place *p, const char *work, const char *model) {
  const char *environment[] = {p->variable, NULL};
  char command[128];
  snprintf(command, sizeof command, "run: kenning install --force %s", one->framework);
  DIR *list = opendir(p->directory);
  size_t seen = 0;
  assert_non_null(list);
  for (struct dirent *entry; (entry = readdir(list)); seen++) {
    if (*entry->d_name == '.') {
      seen--;
      continue;
    }
    char *path = kt_path(p->directory, entry->d_name), *whole = realpath(path, NULL), first[64] = {0};
    FILE *file = fopen(whole, "rbe");
    assert_non_null(file);
    assert_int_equal(fread(first, 1, sizeof first, file), sizeof first);
    (void)fclose(file);
    for (int i = 0; i < (seen ? 1 : 2); i++) {
      assert_int_equal(unlink(path), 0);
      if (!i) kt_file_write(path, first, sizeof first);
      kt_run run = run_model(one, work, model, one->shape, false, environment);
      const char *parts[] = {entry->d_name, i ? "is gone" : "is not what was installed", command, NULL};
      assert_refused(&run, 3, parts, work, 0);
    }
    (void)unlink(path);
    assert_int_equal(symlink(whole, path), 0);
    free(whole);
    free(path);
  }
  closedir(list);
}

void what_was_installed_is_what_runs(void **state) {
  const engine *one = *state;
  need(one);
  char *work = kt_directory_make(), *model = kt_source_path(one->model), command[128];
  place p = make_place(one);
  const char *environment[] = {p.variable, NULL};
  refuse_changed(one, &p, work, model);
  kt_file_write_text(p.lock, "{\"kenning_schema\": \"1.0\", \"installation\": {");
  snprintf(command, sizeof command,
           "is damaged (not valid JSON: unexpected end of data); run: kenning install --force %s", one->framework);
  kt_run run = run_model(one, work, model, one->shape, false, environment);
  assert_refused(&run, 3, (const char *const[]){command, NULL}, work, 0);
  assert_int_equal(unlink(p.lock), 0);
  snprintf(command, sizeof command, "%s is not installed; run: kenning install %s", one->framework, one->framework);
  run = run_model(one, work, model, one->shape, false, environment);
  assert_refused(&run, 3, (const char *const[]){command, NULL}, work, 0);
  drop_place(&p);
  free(model);
  kt_directory_remove(work);
}

/* Bytes of an ELF file that are loaded; what is behind (names for debuggers) may be more. */
static size_t loaded_bytes(const char *file) {
  const Elf64_Ehdr *head = (const Elf64_Ehdr *)(const void *)file;
  const Elf64_Phdr *part = (const Elf64_Phdr *)(const void *)(file + head->e_phoff);
  size_t end = 0;
  for (int i = 0; i < head->e_phnum; i++)
    if (part[i].p_type == PT_LOAD && part[i].p_offset + part[i].p_filesz > end)
      end = part[i].p_offset + part[i].p_filesz;
  return end;
}

/* A text, half a library, one for another machine, and a whole one of somebody else. */
void libraries_of_ones_own_are_judged(void **state) {
  const engine *one = *state;
  need(one);
  size_t bytes;
  char *work = kt_directory_make(), *model = kt_source_path(one->model), *directory = kt_directory_make(),
       *path = kt_path(directory, "lib.so"), variable[600];
  const char *environment[] = {variable, NULL};
  snprintf(variable, sizeof variable, "%s=%s", one->variable, path);
  char *library = kt_file_read("/proc/self/exe", &bytes); /* an ELF file; what it is becomes another matter below */
  Elf64_Ehdr *head = (Elf64_Ehdr *)(void *)library;
  head->e_type = ET_DYN;
  unsigned short machine = head->e_machine;
  const char *const parts[][3] = {{"lib.so is no library"}, {"cut off"}, {"is for "}};
  for (int i = 0; i < 3; i++) {
    head->e_machine = i == 2 ? (machine == EM_AARCH64 ? EM_X86_64 : EM_AARCH64) : machine;
    if (i)
      kt_file_write(path, library, i == 1 ? loaded_bytes(library) / 2 : bytes);
    else
      kt_file_write_text(path, "this is no library, however long the text is; it goes on and on\n");
    kt_run run = run_model(one, work, model, one->shape, false, environment);
    /* LiteRT is known by its hash alone. */
    if (!strcmp(one->framework, "litert"))
      assert_refused(&run, 2, (const char *const[]){"kenning install litert", NULL}, work, 0);
    else
      assert_refused(&run, 3, parts[i], work, 0);
  }
  snprintf(variable, sizeof variable, "%s=%s/libkenning.so", one->variable, getenv("KENNING_TEST_RELEASE_DIR"));
  kt_run run = run_model(one, work, model, one->shape, false, environment);
  assert_refused(&run, 2, (const char *const[]){"kenning install ", one->framework, NULL}, work, 0);
  free(library);
  free(path);
  free(model);
  kt_directory_remove(directory);
  kt_directory_remove(work);
}
