#include "cli/command.h"
#include "core/crash.h"
#include "core/registry.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const kn_command *kn_command_find(const char *name) {
  for (const kn_command *command = kn_commands; command->name; command++)
    if (!strcmp(command->name, name)) return command;
  return NULL;
}

/* Over the first command of each group. */
static const struct {
  const char *first, *heading;
} groups[] = {{"train", "scenarios; several of the first four in one call are a chain"},
              {"list", "blocks and model formats"},
              {"install", "this machine"},
              {"server", "targets"},
              {"model_training", "the scenarios of the original, `python -m kenning.scenarios.X`"}};

static void usage(FILE *out) {
  fprintf(out,
          "usage: kenning COMMAND ...\n\n"
          "Takes a neural network from data set and training through optimization to measured\n"
          "inference, and reports what was measured.\n");
  for (const kn_command *command = kn_commands; command->name; command++) {
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
      if (!strcmp(groups[i].first, command->name)) fprintf(out, "\n%s:\n", groups[i].heading);
    fprintf(out, "  %-24s %s\n", command->name, command->summary);
  }
  fprintf(out,
          "\n`kenning COMMAND --help` tells more. For a start, `kenning doctor` shows what is installed and\n"
          "`kenning list` what there is; a scenario is judged and run by\n\n"
          "  kenning check S.json\n"
          "  kenning optimize test report --json-cfg S.json --measurements M.json --to-html REPORT\n\n"
          "Exit codes: 0 done, 1 the run failed, 2 bad arguments, scenario or input, 3 something must be\n"
          "installed. `kenning --version` tells the version.\n");
}

/* What could not be written is no success. A reader that has seen enough (`| head`) needs no message. */
static int finish_output(int code) {
  errno = 0;
  if (!fflush(stdout) && !ferror(stdout)) return code;
  int error = errno; /* 0: an earlier write failed */
  struct stat found;
  if (fstat(STDOUT_FILENO, &found) != 0 || !S_ISFIFO(found.st_mode))
    fprintf(stderr, "kenning: error: standard output could not be written%s%s\n", error ? ": " : "",
            error == ENOSPC ? "the disk is full; free some space or choose another place"
            : error         ? strerror(error)
                            : "");
  return code ? code : 1;
}

int main(int argc, char **argv) {
  if (argc < 2) {
    usage(stderr);
    return 2;
  }
  if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
    const kn_command *command = argc > 2 ? kn_command_find(argv[2]) : NULL;
    if (command)
      kn_arguments_help(command, NULL, 0);
    else
      usage(stdout);
    return finish_output(0);
  }
  if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
    printf("kenning %s\n", KENNING_VERSION);
    return finish_output(0);
  }
  const kn_command *command = kn_command_find(argv[1]);
  if (!command && argv[1][0] == '-') {
    fprintf(stderr,
            "kenning: error: the command comes before its flags: kenning COMMAND %.64s ...; `kenning --help` lists "
            "the commands\n",
            argv[1]);
    return 2;
  }
  if (!command) {
    const char *names[64];
    size_t count = 0;
    for (const kn_command *c = kn_commands; c->name && count < 64; c++) names[count++] = c->name;
    const char *near = kn_closest_name(argv[1], names, count);
    fprintf(stderr, "kenning: error: there is no command '%.64s'%s%s%s\n", argv[1], near ? "; did you mean '" : "",
            near ? near : "", near ? "'?" : "; `kenning --help` lists them");
    return 2;
  }
  kn_prepare_program("\nkenning: stopping after this step; once more ends at once\n");
  kn_crash_install();
  int code = command->run(argc - 1, argv + 1);
  kn_registry_unload();
  return finish_output(code);
}
