/* The commands of `kenning` that serve a target. */
#include "cli/server.h"

#include <string.h>

static const char *const worker[] = {"server", "--worker", NULL};

int kn_command_server(int argc, char **argv) { return kn_serve(argc, argv, worker); }

int kn_command_inference_server(int argc, char **argv) { return kn_serve(argc, argv, worker); }

/* S.json [--verbosity LEVEL], as the original has it. */
int kn_command_json_inference_server(int argc, char **argv) {
  enum { MOST = 8 };
  char *arguments[MOST + 2] = {argv[0]}, flag[] = "--json-cfg";
  int count = 1;
  bool named = false;
  for (int i = 1; i < argc && count < MOST; i++) {
    bool value = i > 1 && (!strcmp(argv[i - 1], "--verbosity") || !strcmp(argv[i - 1], "--launcher"));
    if (argv[i][0] != '-' && !value && !named) {
      arguments[count++] = flag;
      named = true;
    }
    arguments[count++] = argv[i];
  }
  return kn_serve(count, arguments, worker);
}
