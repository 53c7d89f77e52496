/* Commands of the program. A command declares its flags in an option table, as blocks do. */
#ifndef KENNING_CLI_COMMAND_H
#define KENNING_CLI_COMMAND_H

#include "core/instance.h"

typedef struct kn_command {
  const char *name;
  const char *summary;
  const char *usage;                 /* behind "kenning NAME" */
  const kn_option *options;          /* NULL: none */
  size_t options_size;               /* size of the struct that the rows fill */
  bool chains;                       /* train, optimize, test, report: several in one call */
  int (*run)(int argc, char **argv); /* argv[0] is the command's name, argv[-1] the program's; the exit code */
} kn_command;

/* All commands, ended by a row without name. */
extern const kn_command kn_commands[];
const kn_command *kn_command_find(const char *name);

/* Before anything is opened: handlers of SIGINT and SIGTERM that let the run end by itself (kn_cancelled), and write
 * `text` to stderr; SIGPIPE is ignored; of stdin, stdout and stderr those that are closed are as good as closed, but
 * their numbers are taken. */
void kn_prepare_program(const char *text);
/* Prints a status and frees it; the exit code that belongs to it: 0 done, 1 the run failed, 2 bad arguments, scenario
 * or input, 3 something must be installed. */
int kn_command_finish(kn_status status);

/* Whether flags of the blocks that its other arguments name are flags of the command. */
bool kn_command_takes_blocks(const kn_command *command);
/* A class that carries a command's option rows, so that the code for blocks' options serves commands too. */
kn_class kn_command_class(const kn_command *command);

typedef struct kn_positionals {
  const char **items; /* point into argv */
  size_t count;
} kn_positionals;

/* Parses argv[1..]: flags go to every instance that has the row (the command's own and those of blocks), the rest are
 * positionals. All faults at once. "--flag value", "--flag=value", switches "--flag", "--no-flag"; list flags take all
 * values up to the next flag; after "--" everything is positional. "--Class.flag" goes to the blocks of that class
 * only. A row given twice is a fault, except that lists of strings grow. `out_help` is set by --help / -h. Free `items`
 * with kn_free. */
kn_status kn_arguments_parse(int argc, char **argv, kn_instance **instances, size_t instance_count,
                             kn_positionals *out_positionals, bool *out_help) KN_MUST_USE;
/* What stands between the words of a command's usage: nothing where it takes none. */
static inline const char *kn_usage_gap(const kn_command *command) { return *command->usage ? " " : ""; }
/* Help: usage, the command's flags, then the flags of each block. */
void kn_arguments_help(const kn_command *command, kn_instance **blocks, size_t block_count);
/* Parses for a command without blocks; prints the help and sets *out_done when asked for it. `expected` positionals:
 * at least `minimum`, at most `maximum`. */
kn_status kn_command_parse(const kn_command *command, int argc, char **argv, size_t minimum, size_t maximum,
                           kn_instance *out_options, kn_positionals *out_positionals, bool *out_done) KN_MUST_USE;

/* The verbosity rows that every running command has: first member of its options struct. */
typedef struct kn_common_options {
  int verbosity; /* kn_log_level */
  bool offline;  /* of commands with KN_RESOURCE_ROWS */
  char *resources_uri;
} kn_common_options;
#define KN_VERBOSITY_ROW(type)                                                                            \
  {                                                                                                       \
    "verbosity", "Least severity of what is logged", KN_OPTION_ENUM, 0, KN_FIELD(type, common.verbosity), \
        .def.i = 1, .choices = kn_verbosity_choices                                                       \
  }
extern const kn_choice kn_verbosity_choices[];
/* Those of commands that may download. */
#define KN_RESOURCE_ROWS(type)                                                                                   \
  {"offline", "Download nothing: take what the cache has", KN_OPTION_BOOL, 0, KN_FIELD(type, common.offline)}, { \
    "resources_uri", "What kenning:/// stands for; default: KENNING_RESOURCES_URI, else the original's",         \
        KN_OPTION_STRING, 0, KN_FIELD(type, common.resources_uri)                                                \
  }

int kn_command_list(int argc, char **argv);
int kn_command_info(int argc, char **argv);
int kn_command_convert(int argc, char **argv);
int kn_command_onnx_conversion(int argc, char **argv);
int kn_command_schema(int argc, char **argv);
int kn_command_reference(int argc, char **argv);
int kn_command_completion(int argc, char **argv);
int kn_command_check(int argc, char **argv);
int kn_command_chain(int argc, char **argv);
int kn_command_json_inference_tester(int argc, char **argv);
int kn_command_inference_tester(int argc, char **argv);
int kn_command_inference_performance(int argc, char **argv);
int kn_command_model_training(int argc, char **argv);
int kn_command_render_report(int argc, char **argv);
int kn_command_server(int argc, char **argv);
int kn_command_inference_server(int argc, char **argv);
int kn_command_json_inference_server(int argc, char **argv);
int kn_command_install(int argc, char **argv);
int kn_command_doctor(int argc, char **argv);
int kn_command_cache(int argc, char **argv);
int kn_command_psk(int argc, char **argv);

extern const kn_option kn_list_options[], kn_check_options[], kn_chain_options[], kn_json_tester_options[],
    kn_tester_options[], kn_performance_options[], kn_model_training_options[], kn_render_options[];

#endif
