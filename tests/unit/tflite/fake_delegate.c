/* A delegate library that takes no operator. FAKE_REFUSES: it cannot make its delegate. */
#include "tflite/api.h"

#include <stdlib.h>

#ifndef FAKE_REFUSES
static int take_nothing(kn_tfl_context *context, kn_tfl_delegate *delegate) {
  (void)context;
  (void)delegate;
  return 0;
}
#endif

#define EXPORT __attribute__((visibility("default")))

EXPORT kn_tfl_delegate *tflite_plugin_create_delegate(char **keys, char **values, size_t count,
                                                      void (*report)(const char *));
EXPORT void tflite_plugin_destroy_delegate(kn_tfl_delegate *delegate);

kn_tfl_delegate *tflite_plugin_create_delegate(char **keys, char **values, size_t count, void (*report)(const char *)) {
  (void)keys;
  (void)values;
  (void)count;
#ifdef FAKE_REFUSES
  report("no device");
  return NULL;
#else
  (void)report;
  kn_tfl_delegate *delegate = calloc(1, sizeof *delegate);
  if (delegate) delegate->prepare = take_nothing;
  return delegate;
#endif
}

void tflite_plugin_destroy_delegate(kn_tfl_delegate *delegate) { free(delegate); }
