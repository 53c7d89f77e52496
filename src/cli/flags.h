/* Scenarios given by classes and flags instead of a JSON file. */
#ifndef KENNING_CLI_FLAGS_H
#define KENNING_CLI_FLAGS_H

#include "cli/options.h"
#include "core/scenario.h"

/* What a command line names, parsed: the command's own options, the scenario, the remaining positionals. */
typedef struct kn_command_line {
  kn_class command_class;
  kn_instance options; /* .self is the command's values */
  kn_scenario scenario;
  kn_positionals positionals; /* those that name no class */
  bool help;                  /* was asked for and has been printed */
} kn_command_line;

typedef struct kn_flags_request {
  const kn_command *command;
  int argc;
  char **argv;
  bool positional_classes; /* MODELWRAPPER [RUNTIME] DATASET come as positionals */
  size_t classes_offset;   /* of the kn_class_flags in the values; SIZE_MAX: the command has none */
  size_t minimum, maximum; /* number of positionals besides classes */
} kn_flags_request;

/* Parses everything; all faults at once. Does not judge the scenario's rules (kn_scenario_check) where the command
 * takes no scenario. Clear with kn_command_line_clear, also after a failure. */
kn_status kn_command_line_parse(const kn_flags_request *request, kn_command_line *out_line) KN_MUST_USE;
void kn_command_line_clear(kn_command_line *line);

#endif
