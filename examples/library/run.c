/* Runs a compiled pet classifier on the test split, and saves what was measured.
 *
 *   run [DATASET MODEL.h5 COMPILED.tflite OUT.json] */
#include <kenning/kenning.h>

#include <stdio.h>

static kn_status make_block(kn_kind kind, const char *class_name, const char *key, const char *value,
                            kn_block **out_block) {
  KN_TRY(kn_block_create(kind, class_name, NULL, out_block));
  return kn_block_set(*out_block, key, value);
}

int main(int argc, char **argv) {
  if (argc != 1 && argc != 5) {
    fputs("usage: run [DATASET MODEL.h5 COMPILED.tflite OUT.json]\n", stderr);
    return 2;
  }
  const char *root = argc > 4 ? argv[1] : "./build/pet-dataset";
  const char *native =
      argc > 4 ? argv[2] : "./kenning/resources/models/classification/tensorflow_pet_dataset_mobilenetv2.h5";
  const char *compiled = argc > 4 ? argv[3] : "./build/compiled-model.tflite";
  const char *out = argc > 4 ? argv[4] : "out.json";

  kn_block *dataset = NULL, *model = NULL, *runtime = NULL;
  kn_measurements *measurements = NULL;
  kn_status status = make_block(KN_KIND_DATASET, "PetDataset", "root", root, &dataset);
  if (!status)
    status = make_block(KN_KIND_MODELWRAPPER, "TensorFlowPetDatasetMobileNetV2", "modelpath", native, &model);
  if (!status) status = make_block(KN_KIND_RUNTIME, "TFLiteRuntime", "modelpath", compiled, &runtime);
  if (!status) status = kn_run_locally(runtime, dataset, model, compiled, &measurements);
  /* Also after a run that ended early: what was measured until then, marked as incomplete. */
  if (measurements) status = kn_status_join(status, kn_measurements_write(measurements, out));

  for (size_t i = 0; i < kn_status_count(status); i++) fprintf(stderr, "error: %s\n", kn_status_message(status, i));
  int code = status ? 1 : 0;
  if (!code) printf("measured: %s\n", out);
  kn_status_free(status);
  kn_measurements_destroy(measurements);
  kn_block_destroy(runtime);
  kn_block_destroy(model);
  kn_block_destroy(dataset);
  kn_shutdown();
  return code;
}
