/* Scenarios of any content: bound or refused, with a place for every fault that is the file's. */
#include "core/log.h"
#include "core/scenario.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/record_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* What measurements keep of a scenario. */
static void write_back(const kn_scenario *scenario) {
  kn_record *record;
  if (kn_record_create(&record)) abort();
  yyjson_mut_doc *doc = kn_record_document(record);
  yyjson_mut_doc_set_root(doc, kn_scenario_to_json(scenario, doc));
  char *text = yyjson_mut_write(doc, 0, NULL);
  if (!text) abort();
  free(text);
  kn_record_destroy(record);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  unsetenv("KENNING_PLUGIN_PATH"); /* built-in classes alone: the same everywhere */
  kn_log_set_level(KN_LOG_CRITICAL);
  int file = memfd_create("scenario", MFD_CLOEXEC);
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", file);
  if (file < 0 || write(file, data, bytes) != (ssize_t)bytes) abort();
  kn_scenario scenario;
  kn_status status = kn_scenario_read(path, &scenario);
  kn_code code = kn_status_code(status);
  if (code > KN_INCOMPATIBLE || code == KN_CANCELLED) abort(); /* nothing but faults of the input */
  for (size_t i = 0; i < kn_status_count(status); i++)
    if (!kn_status_where(status, i) || !*kn_status_message(status, i)) abort();
  if (!status) {
    write_back(&scenario);
    kn_status_free(kn_scenario_check_files(&scenario));
    kn_status_free(kn_scenario_check_runnable(&scenario));
  }
  kn_status_free(status);
  kn_scenario_clear(&scenario);
  close(file);
  return 0;
}
