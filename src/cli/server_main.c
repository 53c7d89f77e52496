/* kenning-server: what runs on a target. The core, the protocols and the runtimes of the plug-ins beside it. */
#include "cli/server.h"
#include "core/builtin.h"
#include "core/registry.h"

#include <stdio.h>
#include <string.h>

extern const kn_class kn_linked_runtime_class, kn_null_runtime_class, kn_network_protocol_class,
    kn_network_protocol_today_class, kn_unix_protocol_class, kn_uart_protocol_class;

/* In place of the library's list: no data sets, no model wrappers. */
const kn_class *const kn_builtin_classes[] = {&kn_linked_runtime_class,
                                              &kn_null_runtime_class,
                                              &kn_network_protocol_class,
                                              &kn_network_protocol_today_class,
                                              &kn_unix_protocol_class,
                                              &kn_uart_protocol_class,
                                              NULL};

int main(int argc, char **argv) {
  static const char *const worker[] = {"--worker", NULL};
  static char name[] = "kenning-server";
  if (argc < 1) return 2;
  if (argc > 1 && !strcmp(argv[1], "--version")) {
    printf("kenning-server %s\n", KENNING_VERSION);
    return 0;
  }
  argv[0] = name;
  kn_prepare_program("");
  int code = kn_serve(argc, argv, worker);
  kn_registry_unload();
  return code;
}
