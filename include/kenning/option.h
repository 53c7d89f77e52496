/* Option tables: the one declaration of a block's parameters. From the rows come JSON binding and validation,
 * command-line flags, `kenning info`, JSON Schema, the reference documentation and shell completion. */
#ifndef KENNING_OPTION_H
#define KENNING_OPTION_H

#include <kenning/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct kn_string_list {
  char **items;
  size_t count;
} kn_string_list;

typedef struct kn_int_list {
  int64_t *items;
  size_t count;
} kn_int_list;

/* The type of a row fixes the type of the struct member it fills. */
typedef enum kn_option_type {
  KN_OPTION_BOOL = 1,    /* bool */
  KN_OPTION_INT,         /* int64_t */
  KN_OPTION_FLOAT,       /* double */
  KN_OPTION_STRING,      /* char *, owned by the instance, NULL when not given and without default */
  KN_OPTION_PATH,        /* char *; as KN_OPTION_STRING; relative to the working directory */
  KN_OPTION_ENUM,        /* int: the value of the chosen kn_choice */
  KN_OPTION_STRING_LIST, /* kn_string_list */
  KN_OPTION_INT_LIST     /* kn_int_list */
} kn_option_type;

enum {
  KN_OPTION_REQUIRED = 1, /* must be given */
  KN_OPTION_NULLABLE = 2, /* JSON null is accepted and means "the default" */
  KN_OPTION_INPUT = 4,    /* a path that must exist before a run (`kenning check --files`) */
  KN_OPTION_OUTPUT = 8,   /* a path that the block writes */
  /* Paths only: a URI will do, the block gets a local path. */
  KN_OPTION_RESOURCE = 16,
  KN_OPTION_DIRECTORY = 32, /* with RESOURCE: of a directory; the URI is that of an archive */
  KN_OPTION_MODEL = 64      /* with RESOURCE: the io specification "<URI>.json" comes along where there is one */
};

typedef struct kn_choice {
  const char *name; /* NULL ends the list */
  int value;
  const char *help;
} kn_choice;

typedef struct kn_option {
  const char *name; /* JSON key; the flag is --name with '_' turned into '-' */
  const char *help; /* one sentence, no full stop; units where there are any */
  kn_option_type type;
  unsigned flags;
  size_t offset; /* KN_FIELD(struct, member) */
  union {
    bool b;
    int64_t i; /* integers; for enums the value of the default choice */
    double f;
    const char *s;
  } def;           /* default; lists start empty */
  double min, max; /* inclusive range of numbers; min == max: unbounded */
  const kn_choice *choices;
  const char *flag;           /* replaces the derived flag, with its dashes ("--model-path") */
  const char *const *aliases; /* other JSON keys of this row (NULL-terminated); two spellings in one object: error */
  const char *deprecated;     /* why, and what to use instead */
  size_t given; /* KN_GIVEN(struct, member): a bool that becomes true when the user gave the row; 0: nobody asks */
} kn_option;

#define KN_FIELD(type, member) .offset = offsetof(type, member)
#define KN_GIVEN(type, member) .given = offsetof(type, member)

#ifdef __cplusplus
}
#endif
#endif
