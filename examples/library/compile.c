/* Compiles the pet classifier of the original's example with TensorFlow Lite.
 *
 *   compile [DATASET MODEL.h5 COMPILED.tflite [default|int8]]
 *
 * Without arguments it takes the places of the original's example and downloads the data set. */
#include <kenning/kenning.h>

#include <stdio.h>
#include <string.h>

/* Prints every fault and its place, and returns what `kenning` would exit with. */
static int report(kn_status status) {
  for (size_t i = 0; i < kn_status_count(status); i++)
    fprintf(stderr, "error: %s\n%s\n", kn_status_message(status, i), kn_status_context(status, i));
  int code = status ? (kn_status_code(status) == KN_NOT_INSTALLED ? 3 : 1) : 0;
  kn_status_free(status);
  return code;
}

typedef struct places {
  const char *dataset, *model, *compiled, *target;
} places;

static kn_status make_dataset(const places *places, kn_block **out_dataset) {
  KN_TRY(kn_block_create(KN_KIND_DATASET, "kenning.datasets.pet_dataset.PetDataset", "{\"download_dataset\": true}",
                         out_dataset));
  return kn_block_set(*out_dataset, "root", places->dataset);
}

static kn_status make_model(const places *places, kn_block **out_model) {
  KN_TRY(kn_block_create(KN_KIND_MODELWRAPPER,
                         "kenning.modelwrappers.classification.tensorflow_pet_dataset.TensorFlowPetDatasetMobileNetV2",
                         NULL, out_model));
  return kn_block_set(*out_model, "modelpath", places->model);
}

static kn_status make_compiler(const places *places, kn_block **out_compiler) {
  const char *type = strcmp(places->target, "int8") ? "float32" : "int8";
  KN_TRY(kn_block_create(KN_KIND_OPTIMIZER, "kenning.compilers.tflite.TFLiteCompiler",
                         "{\"model_framework\": \"keras\", \"dataset_percentage\": 0.3}", out_compiler));
  KN_TRY(kn_block_set(*out_compiler, "compiled_model_path", places->compiled));
  KN_TRY(kn_block_set(*out_compiler, "target", places->target));
  KN_TRY(kn_block_set(*out_compiler, "inference_input_type", type));
  return kn_block_set(*out_compiler, "inference_output_type", type);
}

int main(int argc, char **argv) {
  if (argc != 1 && argc != 4 && argc != 5) {
    fputs("usage: compile [DATASET MODEL.h5 COMPILED.tflite [default|int8]]\n", stderr);
    return 2;
  }
  places places = {"./build/pet-dataset",
                   "./kenning/resources/models/classification/tensorflow_pet_dataset_mobilenetv2.h5",
                   "./build/compiled-model.tflite", argc > 4 ? argv[4] : "default"};
  if (argc > 3) {
    places.dataset = argv[1];
    places.model = argv[2];
    places.compiled = argv[3];
  }

  kn_block *dataset = NULL, *model = NULL, *compiler = NULL;
  kn_status status = make_dataset(&places, &dataset);
  if (!status) status = make_model(&places, &model);
  if (!status) status = make_compiler(&places, &compiler);
  if (!status) status = kn_save_io_specification(model, dataset);
  if (!status) status = kn_compile(compiler, dataset, model);
  if (!status) printf("compiled: %s\n", places.compiled);

  kn_block_destroy(compiler);
  kn_block_destroy(model);
  kn_block_destroy(dataset);
  kn_shutdown();
  return report(status);
}
