/* The rows of the commands' flags. Groups of rows that several commands share are macros over the struct's type. */
#include "cli/options.h"

#define ALIASES(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Rows as tables: clang-format would stagger them. */
/* clang-format off */
#define TEST_ROWS(type)                                                                                               \
  {"convert_to_onnx", "Convert the model to ONNX first, save it here, and go on with it", KN_OPTION_PATH, 0,          \
   KN_FIELD(type, test.convert_to_onnx)},                                                                             \
  {"run_benchmarks_only", "Do not compile: run the models that earlier runs compiled", KN_OPTION_BOOL, 0,             \
   KN_FIELD(type, test.run_benchmarks_only)},                                                                         \
  {"save_io_specification", "Write the model's io specification beside it, as <model>.json", KN_OPTION_BOOL, 0,       \
   KN_FIELD(type, test.save_io_specification)},                                                                       \
  {"warmup", "Inferences before the measurement starts; they are marked and left out of statistics", KN_OPTION_INT, 0,\
   KN_FIELD(type, test.warmup), .def.i = 1, .min = 0, .max = 1000000}

#define CLASS_ROWS(type)                                                                                              \
  {"runtime_cls", "Class of the runtime; auto: the fastest of those that can run the model here", KN_OPTION_STRING, 0,\
   KN_FIELD(type, classes.runtime_cls)},                                                                              \
  {"compiler_cls", "Classes of the optimizers, in order", KN_OPTION_STRING_LIST, 0,                                   \
   KN_FIELD(type, classes.compiler_cls), .aliases = ALIASES("modelcompiler_cls", "optimizer_cls")},                   \
  {"protocol_cls", "Class of the runtime protocol", KN_OPTION_STRING, 0, KN_FIELD(type, classes.protocol_cls)}

#define TRAIN_ROWS(type, needed)                                                                                      \
  {"batch_size", "Samples per training step", KN_OPTION_INT, needed, KN_FIELD(type, train.batch_size),                \
   .def.i = 128, .min = 1, .max = 65536},                                                                             \
  {"learning_rate", "Learning rate", KN_OPTION_FLOAT, needed, KN_FIELD(type, train.learning_rate),                    \
   .def.f = 0.001, .min = 1e-12, .max = 100},                                                                         \
  {"num_epochs", "Passes over the training samples", KN_OPTION_INT, needed, KN_FIELD(type, train.num_epochs),         \
   .def.i = 10, .min = 1, .max = 1000000},                                                                            \
  {"logdir", "Directory of the training logs", KN_OPTION_PATH, needed, KN_FIELD(type, train.logdir),                  \
   .def.s = "build/logs"},                                                                                            \
  {"seed", "Seed of the weights, the shuffling and the dropout", KN_OPTION_INT, 0, KN_FIELD(type, train.seed),        \
   .def.i = 1, .min = 0, .max = 9007199254740991.0}

#define REPORT_ROWS(type)                                                                                             \
  {"root_dir", "Directory that the paths inside the report are relative to", KN_OPTION_PATH, 0,                       \
   KN_FIELD(type, report.root_dir)},                                                                                  \
  {"img_dir", "Directory of the images; default: img in the root directory", KN_OPTION_PATH, 0,                       \
   KN_FIELD(type, report.img_dir)},                                                                                   \
  {"report_types", "Sections: performance, classification; default: those that the measurements allow",               \
   KN_OPTION_STRING_LIST, 0, KN_FIELD(type, report.report_types)},                                                    \
  {"model_names", "Names of the measured models, in order", KN_OPTION_STRING_LIST, 0,                                 \
   KN_FIELD(type, report.model_names)},                                                                               \
  {"to_html", "Also write a self-contained HTML page into this directory", KN_OPTION_PATH, 0,                         \
   KN_FIELD(type, report.to_html)}
/* clang-format on */

const kn_option kn_list_options[] = {{"json", "Print JSON", KN_OPTION_BOOL, 0, KN_FIELD(kn_list_values, json)}, {0}};

const kn_option kn_info_options[] = {
    {"formats", "Show the model formats, what converts between them and what runs them", KN_OPTION_BOOL, 0,
     KN_FIELD(kn_info_values, formats)},
    {0}};

const kn_option kn_convert_options[] = {
    {"from", "Format of the input; default: what the file is", KN_OPTION_STRING, 0, KN_FIELD(kn_convert_values, from)},
    {"to", "Format of the output; default: what its name says", KN_OPTION_STRING, 0, KN_FIELD(kn_convert_values, to)},
    {"seed", "Seed of what is drawn on the way", KN_OPTION_INT, 0, KN_FIELD(kn_convert_values, seed), .def.i = 1,
     .min = 0, .max = 9007199254740991.0},
    {"load_pickled_modules", "Load modules of PyTorch that were pickled as a whole, which runs code in the file",
     KN_OPTION_BOOL, 0, KN_FIELD(kn_convert_values, load_pickled_modules)},
    KN_VERBOSITY_ROW(kn_convert_values),
    {0}};

const kn_option kn_onnx_conversion_options[] = {
    {"converters_list", "Classes of the converters to try; default: all", KN_OPTION_STRING_LIST, 0,
     KN_FIELD(kn_onnx_conversion_values, converters_list)},
    {"models", "Names of the models to try; default: all", KN_OPTION_STRING_LIST, 0,
     KN_FIELD(kn_onnx_conversion_values, models)},
    {"seed", "Seed of weights and inputs", KN_OPTION_INT, 0, KN_FIELD(kn_onnx_conversion_values, seed), .def.i = 1,
     .min = 0, .max = 9007199254740991.0},
    KN_VERBOSITY_ROW(kn_onnx_conversion_values),
    {0}};

const kn_option kn_check_options[] = {{"files", "Also check that the files which the scenario reads exist",
                                       KN_OPTION_BOOL, 0, KN_FIELD(kn_check_values, files)},
                                      KN_VERBOSITY_ROW(kn_check_values),
                                      {0}};

const kn_option kn_chain_options[] = {
    {"json_cfg", "Scenario", KN_OPTION_PATH, 0, KN_FIELD(kn_chain_values, json_cfg), .aliases = ALIASES("cfg")},
    {"measurements", "Measurement file: written by test, read by report (several: a comparison)", KN_OPTION_STRING_LIST,
     0, KN_FIELD(kn_chain_values, measurements)},
    {"modelwrapper_cls", "Class of the model wrapper", KN_OPTION_STRING, 0,
     KN_FIELD(kn_chain_values, classes.modelwrapper_cls)},
    {"dataset_cls", "Class of the data set", KN_OPTION_STRING, 0, KN_FIELD(kn_chain_values, classes.dataset_cls)},
    CLASS_ROWS(kn_chain_values),
    TEST_ROWS(kn_chain_values),
    TRAIN_ROWS(kn_chain_values, 0),
    {"report_path", "Report to write: RST (.rst), Markdown (.md) or HTML (.html)", KN_OPTION_PATH, 0,
     KN_FIELD(kn_chain_values, report.report_path)},
    {"report_name", "Title of the report; default: the measurement file's name", KN_OPTION_STRING, 0,
     KN_FIELD(kn_chain_values, report.report_name)},
    REPORT_ROWS(kn_chain_values),
    KN_RESOURCE_ROWS(kn_chain_values),
    KN_VERBOSITY_ROW(kn_chain_values),
    {0}};

const kn_option kn_json_tester_options[] = {TEST_ROWS(kn_json_tester_values),
                                            KN_RESOURCE_ROWS(kn_json_tester_values),
                                            KN_VERBOSITY_ROW(kn_json_tester_values),
                                            {0}};

const kn_option kn_tester_options[] = {CLASS_ROWS(kn_tester_values),
                                       TEST_ROWS(kn_tester_values),
                                       KN_RESOURCE_ROWS(kn_tester_values),
                                       KN_VERBOSITY_ROW(kn_tester_values),
                                       {0}};

const kn_option kn_performance_options[] = {TEST_ROWS(kn_performance_values),
                                            KN_RESOURCE_ROWS(kn_performance_values),
                                            KN_VERBOSITY_ROW(kn_performance_values),
                                            {0}};

const kn_option kn_model_training_options[] = {TRAIN_ROWS(kn_training_values, KN_OPTION_REQUIRED),
                                               KN_RESOURCE_ROWS(kn_training_values),
                                               KN_VERBOSITY_ROW(kn_training_values),
                                               {0}};

const kn_option kn_render_options[] = {{"measurements", "Measurement files; more than one makes a comparison",
                                        KN_OPTION_STRING_LIST, 0, KN_FIELD(kn_render_values, measurements)},
                                       REPORT_ROWS(kn_render_values),
                                       KN_VERBOSITY_ROW(kn_render_values),
                                       {0}};
