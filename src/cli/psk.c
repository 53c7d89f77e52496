/* `kenning psk`: makes a key for targets. */
#include "cli/command.h"
#include "transport/psk.h"

#include <stdio.h>

int kn_command_psk(int argc, char **argv) {
  const kn_command *command = kn_command_find("psk");
  kn_instance options;
  kn_positionals positionals;
  bool done;
  kn_status status = kn_command_parse(command, argc, argv, 1, 1, &options, &positionals, &done);
  if (!status && !done) {
    status = kn_psk_make(positionals.items[0]);
    if (!status)
      printf("%s: a new key; give a copy to the other end, and name both by --psk-file\n", positionals.items[0]);
  }
  kn_free(positionals.items);
  kn_instance_destroy(&options);
  return kn_command_finish(status);
}
