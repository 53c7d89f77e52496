/* An ONNX converter whose files are words. */
#include <stdio.h>
#include <string.h>

#include "fake.h"

typedef struct fake_converter {
  char unused; /* no options */
} fake_converter;

static const char *const models[] = {"Fake1", "Fake2", NULL};

static kn_status write_word(const char *directory, const char *name) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", directory, name);
  return kn_file_write(path, "word", 4);
}

/* Whether there is one. */
static kn_status read_word(const char *directory, const char *name) {
  char path[4096], *text;
  size_t bytes;
  snprintf(path, sizeof path, "%s/%s", directory, name);
  KN_TRY(kn_file_read(path, 100, &text, &bytes));
  kn_free(text);
  return NULL;
}

static kn_status describe(kn_record *record) {
  KN_TRY(kn_record_set_string(record, "version", "1.0"));
  return kn_record_set_string(record, "weights", "seeded");
}

static kn_status export_model(void *self, const char *model, const char *directory, uint64_t seed,
                              kn_record *out_record) {
  static const char *const files[] = {"model.onnx", "inputs.npz", "outputs.npz"};
  (void)self, (void)seed;
  bool known = IS_BROKEN(ANY_MODEL);
  for (size_t i = 0; models[i]; i++) known |= !strcmp(models[i], model);
  if (!known) return kn_status_make(KN_INCOMPATIBLE, "there is no model %s", model);
  for (size_t i = IS_BROKEN(EXPORT_EMPTY); i < 3; i++) KN_TRY(write_word(directory, files[i]));
  return describe(out_record);
}

static kn_status import_model(void *self, const char *model, const char *directory, uint64_t seed,
                              kn_record *out_record) {
  (void)self, (void)model, (void)seed;
  if (!IS_BROKEN(IMPORT_OF_NOTHING)) KN_TRY(read_word(directory, "model.onnx"));
  KN_TRY(write_word(directory, "imported.npz"));
  return describe(out_record);
}

static kn_status compare(void *self, const char *directory, kn_record *out_record) {
  (void)self;
  KN_TRY(read_word(directory, "outputs.npz"));
  KN_TRY(kn_record_set_string(out_record, "outputs_vary", "yes"));
  kn_status imported = read_word(directory, "imported.npz");
  if (!imported) KN_TRY(kn_record_set_string(out_record, "import_difference", "0"));
  kn_status_free(imported);
  return IS_BROKEN(UNTOLD) ? NULL : kn_record_set_string(out_record, "export_difference", "1e-6");
}

static const kn_onnxconverter_ops ops = {.struct_size = sizeof ops,
                                         .models = models,
                                         .export_model = export_model,
                                         .import_model = import_model,
                                         .compare = compare};

const kn_class fake_converter_class = {.struct_size = sizeof(kn_class),
                                       .name = "tests.fake.FakeConverter",
                                       .kind = KN_KIND_ONNXCONVERTER,
                                       .summary = "Tries which fake models go to ONNX and back",
                                       .instance_size = sizeof(fake_converter),
                                       .ops = &ops};
