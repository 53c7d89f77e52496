/* Delegates of one interpreter: those the user named, then XNNPACK; and which of them took which operators. */
#ifndef KN_TFLITE_DELEGATES_H
#define KN_TFLITE_DELEGATES_H

#include "api.h"

enum { KN_TFLITE_OPERATOR_CODES = 256 };

/* Looks at the graph in the engine's own way: as a delegate that takes nothing. The engine calls it while it builds
 * the interpreter, after the delegates before it in the list; nothing of it remains when the model runs. */
typedef struct kn_tflite_observer {
  kn_tfl_delegate delegate; /* .data: this struct */
  const kn_tflite_api *api;
  bool closed;      /* the interpreter is built; later calls (the engine asks its delegates again after some changes of
                       shape) do not count */
  size_t operators; /* of the model that no delegate has taken, all subgraphs together */
  size_t kernels;   /* parts of the graph that delegates run */
  size_t by_code[KN_TFLITE_OPERATOR_CODES]; /* `operators` by number; those of larger numbers at 0xff */
} kn_tflite_observer;

typedef struct kn_tflite_delegate {
  char *name; /* "XNNPACK" or the library's path */
  kn_tfl_delegate *delegate;
  void (*destroy)(kn_tfl_delegate *delegate);
} kn_tflite_delegate;

typedef struct kn_tflite_delegates {
  kn_tflite_delegate *list;
  size_t count;
  kn_tflite_observer *observers; /* count + 1: before the first, after each */
} kn_tflite_delegates;

/* Creates the delegates: XNNPACK with `threads` threads after those of `libraries`. */
kn_status kn_tflite_delegates_create(const kn_tflite_api *api, const kn_string_list *libraries, int32_t threads,
                                     kn_tflite_delegates *out_delegates) KN_MUST_USE;
/* Adds them, with the observers between, to the options of an interpreter. */
void kn_tflite_delegates_add(const kn_tflite_delegates *delegates, const kn_tflite_api *api, kn_tfl_options *options);
/* After the interpreter is built: the counts stand. */
void kn_tflite_delegates_settle(kn_tflite_delegates *delegates);
/* After the interpreter is gone. A zeroed struct is allowed. */
void kn_tflite_delegates_destroy(kn_tflite_delegates *delegates);
/* "operators", "delegates": [{name, operators, parts}], "builtin_operators": [{name, operators}]. */
kn_status kn_tflite_delegates_describe(const kn_tflite_delegates *delegates, kn_record *record) KN_MUST_USE;

#endif
