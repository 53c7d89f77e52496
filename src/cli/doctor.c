/* doctor: what works on this machine, and what mends the rest. */
#include "cli/options.h"
#include "core/log.h"
#include "core/record_json.h"
#include "measurements/environment.h"
#include "resources/health.h"

#include <dlfcn.h>
#include <errno.h>
#include <kenning/services.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const kn_option kn_doctor_options[] = {{"json", "Print JSON", KN_OPTION_BOOL, 0, KN_FIELD(kn_doctor_values, json)},
                                       KN_VERBOSITY_ROW(kn_doctor_values),
                                       {0}};

/* `kenning doctor --open-library PATH FUNCTION`, which doctor runs as a child: a library that crashes takes no more
 * than that along. */
static const char open_flag[] = "--open-library";

static int open_library(const char *path, const char *function) {
  void *handle;
  kn_status status = kn_library_open(path, &handle);
  if (status) return kn_command_finish(status);
  const char *(*version)(void);
  *(void **)(void *)&version = dlsym(handle, function);
  if (!version) return kn_command_finish(kn_status_make(KN_INCOMPATIBLE, "%s has no function %s", path, function));
  const char *text = version();
  printf("%s\n", text ? text : "");
  fflush(stdout);
  _exit(0); /* what the library leaves to be done at exit is not looked at */
}

static kn_status print_json(kn_record *machine_and_findings) {
  char *text = yyjson_mut_write_opts(kn_record_document(machine_and_findings), YYJSON_WRITE_PRETTY, &kn_json_allocator,
                                     NULL, NULL);
  if (!text) return kn_status_out_of_memory();
  puts(text);
  kn_free(text);
  return NULL;
}

static kn_status report_json(const kn_examination *findings) {
  kn_record *record, *machine;
  KN_TRY(kn_record_create(&record));
  kn_status status = kn_record_set_string(record, "kenning_version", KENNING_VERSION);
  if (!status) status = kn_record_set_bool(record, "well", kn_examination_well(findings));
  if (!status) status = kn_record_object(record, "machine", &machine);
  if (!status) status = kn_environment_put(machine);
  for (size_t i = 0; i < findings->count && !status; i++) {
    const kn_symptom *finding = &findings->items[i];
    kn_record *item;
    status = kn_record_append_object(record, "findings", &item);
    if (!status) status = kn_record_set_string(item, "group", finding->group);
    if (!status) status = kn_record_set_string(item, "name", finding->name);
    if (!status) status = kn_record_set_string(item, "health", kn_health_name(finding->health));
    if (!status) status = kn_record_set_string(item, "detail", finding->detail);
    if (!status && finding->command) status = kn_record_set_string(item, "command", finding->command);
  }
  if (!status) status = print_json(record);
  kn_record_destroy(record);
  return status;
}

static void print_member(yyjson_mut_val *machine, const char *key, const char *label) {
  yyjson_mut_val *value = yyjson_mut_obj_get(machine, key);
  if (yyjson_mut_is_str(value)) printf("  %-8s %s\n", label, yyjson_mut_get_str(value));
  if (yyjson_mut_is_int(value)) printf("  %-8s %lld\n", label, (long long)yyjson_mut_get_sint(value));
}

static kn_status print_machine(void) {
  kn_record *record;
  KN_TRY(kn_record_create(&record));
  kn_status status = kn_environment_put(record);
  if (!status) {
    yyjson_mut_val *machine = kn_record_value(record);
    printf("kenning %s\n\nmachine\n", KENNING_VERSION);
    print_member(machine, "os", "system");
    print_member(machine, "kernel", "kernel");
    print_member(machine, "cpu_model", "CPU");
    print_member(machine, "cpu_count", "cores");
    print_member(machine, "governor", "governor");
    yyjson_mut_val *memory = yyjson_mut_obj_get(machine, "memory_total_bytes");
    if (yyjson_mut_is_int(memory)) printf("  %-8s %.1f GB\n", "memory", (double)yyjson_mut_get_sint(memory) / 1e9);
  }
  kn_record_destroy(record);
  return status;
}

static int widest_name(const kn_examination *findings) {
  size_t widest = 0;
  for (size_t i = 0; i < findings->count; i++) {
    size_t width = strlen(findings->items[i].name);
    if (width > widest) widest = width;
  }
  return (int)widest;
}

static kn_status report_text(const kn_examination *findings) {
  KN_TRY(print_machine());
  size_t faults = 0;
  int width = widest_name(findings);
  for (size_t i = 0; i < findings->count; i++) {
    const kn_symptom *finding = &findings->items[i];
    if (!i || strcmp(finding->group, findings->items[i - 1].group) != 0) printf("\n%s\n", finding->group);
    printf("  %-8s %-*s  %s\n", kn_health_name(finding->health), width, finding->name, finding->detail);
    if (finding->command) printf("  %-8s %-*s    %s\n", "", width, "", finding->command);
    faults += finding->health >= KN_HEALTH_MISSING;
  }
  if (faults)
    printf("\n%zu %s to be mended; the commands stand above.\n", faults, faults == 1 ? "thing is" : "things are");
  else
    printf("\nAll is well.\n");
  return NULL;
}

static kn_status examine(const kn_doctor_values *values, const kn_positionals *frameworks, bool *out_well) {
  kn_examination findings;
  char *self = realpath("/proc/self/exe", NULL);
  if (!self) return kn_status_make(KN_IO_ERROR, "/proc/self/exe: %s", strerror(errno));
  kn_status status = kn_health_check(frameworks->items, frameworks->count,
                                     (const char *const[]){self, "doctor", open_flag, NULL}, &findings);
  free(self);
  if (status) return status;
  status = values->json ? report_json(&findings) : report_text(&findings);
  *out_well = kn_examination_well(&findings);
  kn_examination_clear(&findings);
  return status;
}

int kn_command_doctor(int argc, char **argv) {
  if (argc == 4 && !strcmp(argv[1], open_flag)) return open_library(argv[2], argv[3]);
  kn_instance options;
  kn_positionals frameworks;
  bool done, well = true;
  kn_status status = kn_command_parse(kn_command_find("doctor"), argc, argv, 0, 64, &options, &frameworks, &done);
  if (!status && !done) {
    const kn_doctor_values *values = options.self;
    kn_log_set_level((kn_log_level)values->common.verbosity);
    status = examine(values, &frameworks, &well);
  }
  kn_free(frameworks.items);
  kn_instance_destroy(&options);
  int code = kn_command_finish(status);
  return code ? code : well ? 0 : 3;
}
