/* check: judges scenarios; opens no model, data set or framework. */
#include "cli/options.h"
#include "core/log.h"
#include "core/scenario.h"

#include <stdio.h>

int kn_command_check(int argc, char **argv) {
  kn_instance options;
  kn_positionals paths;
  bool done;
  kn_status status = kn_command_parse(kn_command_find("check"), argc, argv, 1, SIZE_MAX, &options, &paths, &done);
  const kn_check_values *values = options.self;
  kn_status faults = status;
  if (!status && !done) kn_log_set_level((kn_log_level)values->common.verbosity);
  for (size_t i = 0; !status && !done && i < paths.count; i++) {
    kn_scenario scenario;
    kn_status fault = values->files ? kn_scenario_read_with_files(paths.items[i], &scenario)
                                    : kn_scenario_read(paths.items[i], &scenario);
    if (!fault) printf("%s: ok\n", paths.items[i]);
    kn_scenario_clear(&scenario);
    faults = kn_status_join(faults, fault);
  }
  kn_free(paths.items);
  kn_instance_destroy(&options);
  int code = kn_command_finish(faults);
  return code == 3 ? 2 : code;
}
