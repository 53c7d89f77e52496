/* install: puts frameworks in place. */
#include "cli/options.h"
#include "core/log.h"
#include "resources/install.h"
#include "resources/installation.h"
#include "resources/manifest.h"
#include "resources/place.h"

#include <stdio.h>
#include <stdlib.h>

static const kn_choice arches[] = {
    {"here", 0, "this machine's"}, {"x86_64", KN_ARCH_X86_64, NULL}, {"aarch64", KN_ARCH_AARCH64, NULL}, {0}};

const kn_option kn_install_options[] = {
    {"list", "Show what can be installed and what is", KN_OPTION_BOOL, 0, KN_FIELD(kn_install_values, list)},
    {"force", "Install again what is there", KN_OPTION_BOOL, 0, KN_FIELD(kn_install_values, force)},
    {"offline", "Take packages that were downloaded before, ask no registry", KN_OPTION_BOOL, 0,
     KN_FIELD(kn_install_values, offline)},
    {"dry_run", "Say what would be done, and its size", KN_OPTION_BOOL, 0, KN_FIELD(kn_install_values, dry_run)},
    {"only_library", "Leave out the Python environment, which only converters need", KN_OPTION_BOOL, 0,
     KN_FIELD(kn_install_values, only_library)},
    {"arch", "Architecture of a target: its libraries go into a data directory of their own, no Python environment",
     KN_OPTION_ENUM, 0, KN_FIELD(kn_install_values, arch), .choices = arches},
    KN_VERBOSITY_ROW(kn_install_values),
    {0}};

static kn_status list_one(const char *name) {
  kn_manifest manifest;
  KN_TRY(kn_manifest_read(name, &manifest));
  const kn_manifest_framework *head = kn_manifest_head(&manifest);
  kn_installation installation;
  kn_status status = kn_installation_read(name, &installation);
  if (!status) {
    printf("%-14s %-10s installed %s in %s\n", name, installation.version, installation.date, installation.directory);
  } else if (kn_status_code(status) == KN_NOT_INSTALLED) {
    kn_status_free(status);
    status = NULL;
    printf("%-14s %-10s %s (licence %s)\n", name, head->version, head->summary, head->license);
  }
  kn_installation_clear(&installation);
  kn_manifest_clear(&manifest);
  return status;
}

static kn_status list_some(const kn_positionals *frameworks) {
  kn_status faults = NULL;
  for (size_t i = 0; i < frameworks->count; i++) faults = kn_status_join(faults, list_one(frameworks->items[i]));
  return faults;
}

static kn_status list_all(void) {
  kn_string_list names;
  KN_TRY(kn_place_backends(&names));
  kn_status status = NULL;
  /* What a broken manifest would install is left out; the others can be installed all the same. */
  for (size_t i = 0; i < names.count && kn_status_code(status) != KN_OUT_OF_MEMORY; i++) {
    kn_status fault = list_one(names.items[i]);
    for (size_t k = 0; k < kn_status_count(fault); k++)
      kn_log(KN_LOG_WARNING, "%s is left out: %s%s%s", names.items[i],
             kn_status_where(fault, k) ? kn_status_where(fault, k) : "", kn_status_where(fault, k) ? ": " : "",
             kn_status_message(fault, k));
    if (kn_status_code(fault) == KN_OUT_OF_MEMORY)
      status = fault;
    else
      kn_status_free(fault);
  }
  kn_place_free_names(&names);
  return status;
}

/* A target's files have a data directory of their own below this machine's. There is no other thread yet. */
static kn_status use_directory_of(kn_arch arch) {
  char *data;
  KN_TRY(kn_place_data(&data));
  char *directory = kn_format("%s/%s", data, kn_arch_name(arch));
  kn_free(data);
  if (!directory) return kn_status_out_of_memory();
  int failed = setenv("KENNING_DATA_DIR", directory, 1);
  kn_free(directory);
  return failed ? kn_status_out_of_memory() : NULL;
}

static kn_status install(const kn_install_values *values, const kn_positionals *frameworks) {
  if (values->arch) KN_TRY(use_directory_of((kn_arch)values->arch));
  if (values->list) return frameworks->count ? list_some(frameworks) : list_all();
  if (!frameworks->count)
    return kn_status_make(KN_INVALID_ARGUMENT, "which framework? `kenning install --list` shows them");
  kn_install_request request = {.frameworks = frameworks->items,
                                .count = frameworks->count,
                                .force = values->force,
                                .offline = values->offline,
                                .dry_run = values->dry_run,
                                .only_library = values->only_library || values->arch,
                                .arch = (kn_arch)values->arch};
  return kn_install(&request);
}

int kn_command_install(int argc, char **argv) {
  kn_instance options;
  kn_positionals frameworks;
  bool done;
  kn_status status = kn_command_parse(kn_command_find("install"), argc, argv, 0, 64, &options, &frameworks, &done);
  if (!status && !done) {
    const kn_install_values *values = options.self;
    kn_log_set_level((kn_log_level)values->common.verbosity);
    status = install(values, &frameworks);
  }
  kn_free(frameworks.items);
  kn_instance_destroy(&options);
  return kn_command_finish(status);
}
