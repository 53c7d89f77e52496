/* Io specifications of any content: what is read can be copied, written, and read again as the same. */
#include <kenning/iospec.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void expect_same_list(const kn_iolist *a, const kn_iolist *b) {
  if (a->count != b->count) abort();
  for (size_t i = 0; i < a->count; i++) {
    const kn_ioentry *x = &a->entries[i], *y = &b->entries[i];
    if (strcmp(x->name, y->name) != 0 || x->dtype != y->dtype || x->rank != y->rank || x->order != y->order ||
        x->quantized != y->quantized || x->prequantized_dtype != y->prequantized_dtype)
      abort();
    if (memcmp(x->shape, y->shape, x->rank * sizeof *x->shape) != 0) abort();
    if (x->quantized && (memcmp(&x->scale, &y->scale, sizeof x->scale) != 0 || x->zero_point != y->zero_point)) abort();
    if (!x->class_name != !y->class_name || (x->class_name && strcmp(x->class_name, y->class_name) != 0)) abort();
  }
}

static void read_again(const kn_iospec *spec) {
  kn_iospec again;
  char *text;
  size_t bytes;
  if (kn_iospec_text(spec, &text, &bytes) || kn_iospec_parse(text, bytes, "copy", &again)) abort();
  expect_same_list(&spec->input, &again.input);
  expect_same_list(&spec->processed_input, &again.processed_input);
  expect_same_list(&spec->output, &again.output);
  expect_same_list(&spec->processed_output, &again.processed_output);
  kn_iospec_clear(&again);
  kn_free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  kn_iospec spec, copy;
  kn_status status = kn_iospec_parse((const char *)data, bytes, "input", &spec);
  if (kn_status_code(status) != KN_OK && kn_status_code(status) != KN_BAD_DATA) abort();
  if (!status) {
    if (kn_iospec_copy(&spec, &copy)) abort();
    read_again(&copy);
    kn_iospec_clear(&copy);
  }
  kn_status_free(status);
  kn_iospec_clear(&spec);
  return 0;
}
