/* The kinds of blocks and the options that every block of a kind inherits. Names, flags and defaults are the
 * original's where it has them. */
#include "core/registry.h"

#define ALIASES(...) ((const char *const[]){__VA_ARGS__, NULL})

static const kn_choice splits[] = {
    {"test", KN_SPLIT_TEST, "held-out samples (the default)"},
    {"train", KN_SPLIT_TRAIN, "samples to train on"},
    {"validation", KN_SPLIT_VALIDATION, "samples that steer training"},
    {"calibration", KN_SPLIT_CALIBRATION, "samples that quantization is calibrated on"},
    {"all", KN_SPLIT_ALL, "every sample, those trained and calibrated on included: not a test of anything"},
    {0}};

static const kn_option dataset_options[] = {
    {"dataset_root", "Path to the directory of the data set", KN_OPTION_PATH,
     KN_OPTION_REQUIRED | KN_OPTION_RESOURCE | KN_OPTION_DIRECTORY, KN_FIELD(kn_dataset_options, dataset_root),
     .aliases = ALIASES("root")},
    {"inference_batch_size", "Number of samples per inference", KN_OPTION_INT, 0,
     KN_FIELD(kn_dataset_options, inference_batch_size), .def.i = 1, .min = 1, .max = 65536,
     .aliases = ALIASES("batch_size")},
    {"download_dataset", "Download the data set before taking any action, if it is not there", KN_OPTION_BOOL, 0,
     KN_FIELD(kn_dataset_options, download_dataset)},
    {"external_calibration_dataset", "Directory of samples to calibrate on instead of the calibration split",
     KN_OPTION_PATH, KN_OPTION_NULLABLE | KN_OPTION_INPUT | KN_OPTION_RESOURCE | KN_OPTION_DIRECTORY,
     KN_FIELD(kn_dataset_options, external_calibration_dataset)},
    {"split", "Samples to evaluate on", KN_OPTION_ENUM, 0, KN_FIELD(kn_dataset_options, split), .def.i = KN_SPLIT_TEST,
     .choices = splits},
    {"split_fraction_test", "Share of the samples held out for testing where the publisher assigned none",
     KN_OPTION_FLOAT, 0, KN_FIELD(kn_dataset_options, split_fraction_test), .def.f = 0.2, .min = 0, .max = 1},
    {"split_fraction_val", "Share of the training samples set apart for validation", KN_OPTION_FLOAT,
     KN_OPTION_NULLABLE, KN_FIELD(kn_dataset_options, split_fraction_val), .def.f = 0.1, .min = 0, .max = 1},
    {"split_fraction_calibration", "Share of the training samples set apart for calibration", KN_OPTION_FLOAT, 0,
     KN_FIELD(kn_dataset_options, split_fraction_calibration), .def.f = 0.05, .min = 0, .max = 1},
    {"split_seed", "Seed of the split", KN_OPTION_INT, 0, KN_FIELD(kn_dataset_options, split_seed), .def.i = 1234,
     .min = 0, .max = 9007199254740991.0},
    {0}};

static const kn_option modelwrapper_options[] = {
    {"model_path", "Path to the model", KN_OPTION_PATH,
     KN_OPTION_REQUIRED | KN_OPTION_INPUT | KN_OPTION_RESOURCE | KN_OPTION_MODEL,
     KN_FIELD(kn_modelwrapper_options, model_path), .aliases = ALIASES("modelpath")},
    {0}};

static const kn_choice locations[] = {
    {"host", KN_ON_HOST, "on this machine (the default)"},
    {"target", KN_ON_TARGET, "on the target of 'runtime_protocol', whose scenario must have this optimizer too"},
    {0}};

static const kn_option optimizer_options[] = {
    {"compiled_model_path", "Path to the compiled model, which is written", KN_OPTION_PATH,
     KN_OPTION_REQUIRED | KN_OPTION_OUTPUT, KN_FIELD(kn_optimizer_options, compiled_model_path)},
    {"location", "Where it runs", KN_OPTION_ENUM, 0, KN_FIELD(kn_optimizer_options, location), .choices = locations},
    {0}};

static const kn_option runtime_options[] = {
    {"disable_performance_measurements", "Run without sampling the use of CPU and memory", KN_OPTION_BOOL, 0,
     KN_FIELD(kn_runtime_options, disable_performance_measurements)},
    {"isolate", "Run in a process of its own: a crash there is an error here", KN_OPTION_BOOL, 0,
     KN_FIELD(kn_runtime_options, isolate)},
    {"isolate_memory", "MiB of memory that the process of its own may have, 0: no limit", KN_OPTION_INT, 0,
     KN_FIELD(kn_runtime_options, isolate_memory), .min = 0, .max = 1 << 24},
    {"isolate_processor", "Seconds of processor time that the process of its own may use, 0: no limit", KN_OPTION_INT,
     0, KN_FIELD(kn_runtime_options, isolate_processor), .min = 0, .max = 1 << 30},
    {"isolate_timeout", "Seconds that loading a model, or one inference, may take in the process of its own",
     KN_OPTION_FLOAT, 0, KN_FIELD(kn_runtime_options, isolate_timeout), .def.f = 3600, .min = 0.001, .max = 86400},
    {0}};

static const struct {
  const char *name;
  const kn_option *options;
} kinds[KN_KIND_COUNT] = {
    [KN_KIND_DATASET] = {"dataset", dataset_options},
    [KN_KIND_MODELWRAPPER] = {"modelwrapper", modelwrapper_options},
    [KN_KIND_OPTIMIZER] = {"optimizer", optimizer_options},
    [KN_KIND_RUNTIME] = {"runtime", runtime_options},
    [KN_KIND_RUNTIMEPROTOCOL] = {"runtimeprotocol", NULL},
    [KN_KIND_DATAPROVIDER] = {"dataprovider", NULL},
    [KN_KIND_OUTPUTCOLLECTOR] = {"outputcollector", NULL},
    [KN_KIND_ONNXCONVERTER] = {"onnxconverter", NULL},
};

const char *kn_kind_name(kn_kind kind) { return kind > 0 && kind < KN_KIND_COUNT ? kinds[kind].name : "block"; }

const kn_option *kn_kind_options(kn_kind kind) { return kind > 0 && kind < KN_KIND_COUNT ? kinds[kind].options : NULL; }

kn_status kn_kind_check_fractions(double validation, double calibration) {
  if (validation + calibration <= 1) return NULL;
  return kn_status_make(KN_INVALID_ARGUMENT,
                        "split_fraction_val %g and split_fraction_calibration %g are together more than all training "
                        "samples: make one of them smaller",
                        validation, calibration);
}

kn_status kn_kind_check(kn_kind kind, const void *self) {
  if (kind != KN_KIND_DATASET) return NULL;
  const kn_dataset_options *dataset = self;
  return kn_kind_check_fractions(dataset->split_fraction_val, dataset->split_fraction_calibration);
}
