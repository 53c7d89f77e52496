#include "scenario/conversion/engine.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const recorded recorded_keras = {"tests/contract/data/images28.h5", "tests/contract/data/images28.samples.f32",
                                 "tests/contract/data/images28.f32", "28, 28, 1", 10},
               recorded_script = {"tests/unit/pytorch/data/small.pt", "tests/unit/pytorch/data/samples.f32",
                                  "tests/unit/pytorch/data/small.f32", "2, 6, 5", 3},
               recorded_state = {"tests/unit/pytorch/data/fashion.pth", "tests/unit/pytorch/data/fashion.samples.f32",
                                 "tests/unit/pytorch/data/fashion.f32", "28, 28, 1", 10},
               recorded_mxnet = {"tests/unit/mxnet/data/small.params", "tests/unit/mxnet/data/samples.f32",
                                 "tests/unit/mxnet/data/small.f32", "2, 6, 5", 3};

char *recorded_path(const char *file) { return *file == '/' ? strdup(file) : kt_source_path(file); }

char *recorded_copy(const recorded *of, const char *directory, const char *name) {
  char *from = recorded_path(of->file), *copy = kt_path(directory, name), file[80], text[400];
  size_t bytes;
  char *content = kt_file_read(from, &bytes);
  kt_file_write(copy, content, bytes);
  snprintf(file, sizeof file, "%s.json", name);
  char *spec = kt_path(directory, file);
  snprintf(text, sizeof text,
           "{\"input\": [{\"name\": \"input\", \"shape\": [-1, %s], \"dtype\": \"float32\"}],\n"
           "\"output\": [{\"name\": \"scores\", \"shape\": [-1, %d], \"dtype\": \"float32\"}]}\n",
           of->shape, of->classes);
  kt_file_write_text(spec, text);
  free(content);
  free(spec);
  free(from);
  return copy;
}

kt_run convert(const char *directory, const char *in, const char *out, ...) {
  const char *arguments[9] = {kt_kenning_release(), "convert", in, out};
  va_list more;
  va_start(more, out);
  for (size_t i = 4; i < 8 && (arguments[i] = va_arg(more, const char *)); i++) {
  }
  va_end(more);
  return kt_run_program(arguments, &(kt_run_options){.directory = directory, .timeout_s = 600});
}

void assert_converted(const char *directory, const char *in, const char *out) {
  kt_run run = convert(directory, in, out, NULL);
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
}

void assert_runs(const char *directory, const char *plugin, const char *runtime, const char *format, const char *file,
                 const recorded *of, const char *excuses) {
  char *table = kt_path(directory, "table.json"), *samples = recorded_path(of->samples),
       *outputs = recorded_path(of->outputs), text[2048];
  int length =
      snprintf(text, sizeof text,
               "{\"models\": [{\"name\": \"converted\", \"format\": \"%s\", \"classes\": %d, \"shape\": [%s],\n"
               "\"tolerance\": 1e-5, \"file\": \"%s\", \"inputs\": \"%s\", \"outputs\": \"%s\"%s}],\n"
               "\"classes\": [\"%s\"], \"parameters\": {\"%s\": {\"num_threads\": 1}}}\n",
               format, of->classes, of->shape, file, samples, outputs, excuses ? excuses : "", runtime, runtime);
  assert_in_range(length, 1, sizeof text - 1);
  kt_file_write_text(table, text);
  static const char *const environment[] = {PLUGIN_PATH, NULL};
  kt_run run = kt_run_program((const char *const[]){CONTRACT_SUITE, plugin, "blocks", table, NULL},
                              &(kt_run_options){.environment = environment, .timeout_s = 300});
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
  free(table);
  free(samples);
  free(outputs);
}
