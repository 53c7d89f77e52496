/* A class under a rule: its instances, its files, and what is cleaned up behind the rule however it ends. */
#ifndef TESTS_CONTRACT_SUBJECT_H
#define TESTS_CONTRACT_SUBJECT_H

#include "contract/fixtures.h"
#include "support/directory.h"
#include "support/instance.h"

enum { SUBJECT_BLOCKS = 8, SUBJECT_TENSORS = 64 };

typedef struct block {
  kn_instance instance;
  void *self;
  const kn_inference_ops *inference; /* of runtimes and of wrappers that have one */
  bool open;                         /* also half-open */
} block;

typedef struct subject {
  const kn_class *cls;
  const char *name; /* of the class, without its path */
  const fixtures *table;
  const model_fixture *model; /* NULL: none is needed */
  char *directory;            /* of this rule alone */
  char *model_path;           /* the model's own file, or a name where none is needed */
  kn_iospec spec;             /* of the model, where the fixture has to say it */
  block blocks[SUBJECT_BLOCKS];
  size_t block_count;
  kn_tensor_view tensors[SUBJECT_TENSORS];
  size_t tensor_count;
  kn_record *record; /* or NULL; goes with the rule */
  bool skipped;      /* the rule could not be checked here */
} subject;

typedef struct rule {
  const char *name;
  void (*check)(subject *at); /* NULL ends a list */
} rule;

extern const rule class_rules[], dataset_rules[], inference_rules[], wrapper_rules[], optimizer_rules[],
    protocol_rules[], converter_rules[];

/* End the rule: it cannot be checked because something is not there; it has nothing to say about this class. */
void subject_skip(subject *at, const char *reason) __attribute__((noreturn));
void subject_not_concerned(subject *at, const char *reason) __attribute__((noreturn));
/* Success, or the rule cannot be checked because something is not installed. Anything else fails. */
void subject_require(subject *at, kn_status status);
/* How a status for bad input must look: one that ends the program with 2, not as a failure of the run or of the
 * program. Takes the status over; NULL is refused too. */
void assert_bad_input_at(kn_status status, const char *what, const char *file, int line);
#define assert_bad_input(status, what) assert_bad_input_at(status, what, __FILE__, __LINE__)

/* Whether an optimizer puts a model of its own, "input_model_path", in the place of what it gets. */
bool subject_inserts(const kn_class *cls);
/* A fresh instance with its parameters: paths below the rule's directory, the rest from the fixtures. */
block *subject_block(subject *at);
/* Sets every switch and choice as the digits of `number` say; false once all combinations were there. */
bool subject_combine(subject *at, block *one, size_t number);
/* Calls the kind's open and close. */
kn_status block_open(subject *at, block *one);
void block_close(subject *at, block *one);
/* A tensor that is freed behind the rule. */
kn_tensor_view *subject_tensor(subject *at, kn_dtype dtype, uint32_t rank, const int64_t *shape);
/* The data set that the fixture's model is for. */
kn_dataset_info subject_dataset_info(const subject *at);
/* Path below the rule's directory; free with free(). */
char *subject_path(const subject *at, const char *name);
/* Entries in a directory, none of them hidden. */
size_t count_entries(const char *directory);

void subject_set_up(subject *at);
void subject_tear_down(subject *at);

/* Numbers that are the same on every run. */
void fill_random(kn_tensor_view *tensor, uint64_t seed);

#endif
