/* TensorFlowPruningOptimizer and TensorFlowClusteringOptimizer: Keras models with zeros, or with few values, among
 * their weights. tensorflow-model-optimization does it; what it did is read back from the file. */
#include "compiler.h"
#include "tflite.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ALIASES(...) ((const char *const[]){__VA_ARGS__, NULL})

/* What both have. */
typedef struct weight_options {
  kn_optimizer_options base;
  int model_framework;
  int64_t epochs, batch_size;
  int optimizer;
  bool disable_from_logits, save_to_zip, dense_only;
} weight_options;

typedef struct pruning {
  weight_options common;
  double target_sparsity;
  int64_t frequency, end;
} pruning;

typedef struct clustering {
  weight_options common;
  int64_t clusters;
  bool preserve_sparsity, fine_tune;
} clustering;

static const kn_choice frameworks[] = {{"keras", 0, "Keras .h5 or .keras"}, {"any", 1, "what the file is"}, {0}};
static const kn_choice optimizers[] = {
    {"adam", 0, "Adam"}, {"SGD", 1, "stochastic gradient descent"}, {"RMSprop", 2, "RMSprop"}, {0}};

#define COMMON_ROWS                                                                                                 \
  {"model_framework",                                                                                               \
   "Format of the input model; a hint only",                                                                        \
   KN_OPTION_ENUM,                                                                                                  \
   0,                                                                                                               \
   KN_FIELD(weight_options, model_framework),                                                                       \
   .choices = frameworks,                                                                                           \
   .aliases = ALIASES("modelframework")},                                                                           \
      {"epochs", "Epochs of training", KN_OPTION_INT, 0, KN_FIELD(weight_options, epochs), .def.i = 3,              \
       .min = 1, .max = 1000000},                                                                                   \
      {"batch_size",                                                                                                \
       "Samples per step of training",                                                                              \
       KN_OPTION_INT,                                                                                               \
       0,                                                                                                           \
       KN_FIELD(weight_options, batch_size),                                                                        \
       .def.i = 32,                                                                                                 \
       .min = 1,                                                                                                    \
       .max = 1000000},                                                                                             \
      {"optimizer", "Optimizer of the training",         KN_OPTION_ENUM,                                            \
       0,           KN_FIELD(weight_options, optimizer), .choices = optimizers},                                    \
      {"disable_from_logits", "The model's outputs are probabilities; models that end in a softmax are recognized", \
       KN_OPTION_BOOL, 0, KN_FIELD(weight_options, disable_from_logits)},                                           \
  {                                                                                                                 \
    "save_to_zip", "Write the model as <compiled_model_path>.zip too, which shows how well it compresses",          \
        KN_OPTION_BOOL, 0, KN_FIELD(weight_options, save_to_zip)                                                    \
  }

static const kn_option pruning_rows[] = {
    COMMON_ROWS,
    {"prune_dense", "Prune dense layers only", KN_OPTION_BOOL, 0, KN_FIELD(weight_options, dense_only)},
    {"target_sparsity", "Share of zeros among the weights of each pruned layer", KN_OPTION_FLOAT, 0,
     KN_FIELD(pruning, target_sparsity), .def.f = 0.1, .min = 0, .max = 0.999},
    {"pruning_frequency", "Training steps from one pruning to the next", KN_OPTION_INT, 0, KN_FIELD(pruning, frequency),
     .def.i = 100, .min = 1, .max = 1000000000},
    {"pruning_end", "Last training step that prunes; -1: none is the last", KN_OPTION_INT, 0, KN_FIELD(pruning, end),
     .def.i = -1, .min = -1, .max = 1000000000},
    {0}};

static const kn_option clustering_rows[] = {
    COMMON_ROWS,
    {"cluster_dense", "Cluster dense layers only", KN_OPTION_BOOL, 0, KN_FIELD(weight_options, dense_only)},
    {"clusters_number", "Different values among the weights of each clustered layer", KN_OPTION_INT, 0,
     KN_FIELD(clustering, clusters), .def.i = 10, .min = 2, .max = 65536},
    {"preserve_sparsity", "Weights that are zero stay zero", KN_OPTION_BOOL, 0,
     KN_FIELD(clustering, preserve_sparsity)},
    {"fine_tune", "Train after clustering", KN_OPTION_BOOL, 0, KN_FIELD(clustering, fine_tune)},
    {0}};

/* ---- what the tools are asked for ---- */

enum { MOST_ARGUMENTS = 48, FILES = 4, TIMEOUT_S = 7 * 24 * 3600 };

typedef struct weight_job {
  const weight_options *options;
  const kn_compile_request *request;
  const char *method[12]; /* arguments that say what to do, NULL-terminated */
  const char *wanted[2];  /* argument that the inspecting tool holds the result against, and its value */
  char numbers[3][32];    /* texts of some of them */
  bool train;
  char input_sha256[65];
} weight_job;

static kn_status write_samples(const weight_job *job, const char *path, char *files[FILES]) {
  const kn_compile_request *request = job->request;
  KN_TRY(kn_samples_write_beside(request->train, request->train->count, path, "training", &files[0], &files[1]));
  if (!request->validation || !request->validation->count) return NULL;
  return kn_samples_write_beside(request->validation, request->validation->count, path, "validation", &files[2],
                                 &files[3]);
}

static kn_status run_tool(const weight_job *job, const char *path, char *files[FILES], kn_record *record) {
  static const char *const flags[FILES] = {"--train", "--train-labels", "--validation", "--validation-labels"};
  const weight_options *options = job->options;
  char *shape = job->train ? kn_shape_text(job->request->train->rank, job->request->train->shape) : NULL;
  char *texts[] = {kn_format("%llu", (unsigned long long)job->request->seed),
                   kn_format("%lld", (long long)options->epochs), kn_format("%lld", (long long)options->batch_size)};
  const char *arguments[MOST_ARGUMENTS] = {"--input",      job->request->input_path,
                                           "--output",     path,
                                           "--seed",       texts[0],
                                           "--epochs",     texts[1],
                                           "--batch-size", texts[2],
                                           "--optimizer",  optimizers[options->optimizer].name};
  size_t count = 12;
  for (size_t i = 0; job->method[i]; i++) arguments[count++] = job->method[i];
  if (options->dense_only) arguments[count++] = "--dense-only";
  if (options->disable_from_logits) arguments[count++] = "--outputs-are-probabilities";
  for (size_t i = 0; i < FILES; i++) {
    if (!files[i]) continue;
    arguments[count++] = flags[i];
    arguments[count++] = files[i];
  }
  if (shape) {
    arguments[count++] = "--sample-shape";
    arguments[count++] = shape;
    arguments[count++] = "--sample-type";
    arguments[count++] = kn_dtype_name(job->request->train->dtype);
  }
  const kn_tool_request request = {.framework = "tflite",
                                   .script = "optimize_weights.py",
                                   .arguments = arguments,
                                   .timeout_s = TIMEOUT_S,
                                   .progress = "optimize weights"};
  bool whole = texts[0] && texts[1] && texts[2] && (shape || !job->train);
  kn_status status = whole ? kn_tool_run(&request, record) : kn_status_out_of_memory();
  for (size_t i = 0; i < 3; i++) kn_free(texts[i]);
  kn_free(shape);
  return kn_status_annotate(status, "while working on %s", job->request->input_path);
}

static kn_status make(void *context, const char *path, kn_record *record) {
  const weight_job *job = context;
  char *files[FILES] = {0};
  kn_status status = job->train ? write_samples(job, path, files) : NULL;
  if (!status) status = run_tool(job, path, files, record);
  for (size_t i = 0; i < FILES; i++) kn_free(files[i]);
  return status;
}

/* The inspecting tool reads the file, from the cache too, and refuses what is not what was asked for. */
static kn_status inspect(const weight_job *job, const char *path, const char *zip, kn_record *record) {
  const char *arguments[8] = {path, job->wanted[0], job->wanted[1]};
  size_t count = 3;
  if (job->options->dense_only) arguments[count++] = "--dense-only";
  if (zip) {
    arguments[count++] = "--zip";
    arguments[count++] = zip;
  }
  const kn_tool_request request = {.framework = "tflite",
                                   .script = "inspect_weights.py",
                                   .arguments = arguments,
                                   .timeout_s = 600,
                                   .progress = "inspect weights"};
  return kn_status_annotate(kn_tool_run(&request, record), "while looking at the weights that were made");
}

static kn_status judge(void *context, const char *path, kn_record *record) {
  const weight_job *job = context;
  char *zip = NULL, *temporary = NULL;
  kn_status status = NULL;
  if (job->options->save_to_zip) {
    zip = kn_format("%s.zip", job->options->base.compiled_model_path);
    status = zip ? kn_file_temporary(zip, &temporary) : kn_status_out_of_memory();
  }
  if (!status) status = inspect(job, path, temporary, record);
  if (!status && temporary)
    status = kn_file_publish(temporary, zip);
  else if (temporary)
    (void)unlink(temporary);
  kn_free(temporary);
  kn_free(zip);
  return status ? status : kn_record_set_string(record, "input_sha256", job->input_sha256);
}

/* ---- the cache key ---- */

static kn_status append(char **text, char *line) {
  char *longer = *text && line ? kn_format("%s%s\n", *text, line) : NULL;
  kn_free(line);
  kn_free(*text);
  *text = longer;
  return longer ? NULL : kn_status_out_of_memory();
}

static kn_status write_key(const weight_job *job, char **text) {
  const weight_options *options = job->options;
  char *tool;
  *text = kn_strdup("weights 1");
  KN_TRY(kn_tool_identity("tflite", "optimize_weights.py", &tool));
  kn_status status = append(
      text, kn_format("tool %s\ninput %s\nseed %llu", tool, job->input_sha256, (unsigned long long)job->request->seed));
  kn_free(tool);
  KN_TRY(status);
  for (size_t i = 0; job->method[i]; i++) KN_TRY(append(text, kn_strdup(job->method[i])));
  KN_TRY(append(text, kn_format("dense %d", options->dense_only)));
  if (!job->train) return NULL;
  KN_TRY(append(text, kn_format("training %lld %lld %s %d", (long long)options->epochs, (long long)options->batch_size,
                                optimizers[options->optimizer].name, options->disable_from_logits)));
  const kn_samples *sets[] = {job->request->train, job->request->validation};
  for (size_t i = 0; i < 2; i++)
    if (sets[i])
      KN_TRY(append(text, kn_format("%zu of %s", sets[i]->count, sets[i]->identity ? sets[i]->identity : "")));
  return NULL;
}

/* ---- compiling ---- */

static kn_status work(weight_job *job, kn_iospec *out_spec, kn_record *record) {
  const kn_compile_request *request = job->request;
  if (job->train && (!request->train || !request->train->count))
    return kn_status_make(KN_INVALID_ARGUMENT, "training needs samples, but the scenario has no data set with any");
  KN_TRY(kn_sha256_file(request->input_path, job->input_sha256));
  char *key = NULL;
  kn_status status = write_key(job, &key);
  if (!status)
    status = kn_production_run(
        &(kn_production){
            .path = job->options->base.compiled_model_path, .key = key, .context = job, .make = make, .judge = judge},
        record);
  kn_free(key);
  /* Weights change, inputs and outputs do not. */
  return status ? status : kn_iospec_copy(request->input_spec, out_spec);
}

static kn_status prune(void *instance, const kn_compile_request *request, kn_iospec *out_spec, kn_record *record) {
  const pruning *self = instance;
  weight_job job = {.options = &self->common, .request = request, .train = true};
  *out_spec = (kn_iospec){0};
  char *sparsity = kn_format("%.17g", self->target_sparsity); /* with a point whatever the locale */
  if (!sparsity) return kn_status_out_of_memory();
  snprintf(job.numbers[0], sizeof job.numbers[0], "%s", sparsity);
  kn_free(sparsity);
  snprintf(job.numbers[1], sizeof job.numbers[1], "%lld", (long long)self->frequency);
  snprintf(job.numbers[2], sizeof job.numbers[2], "%lld", (long long)self->end);
  const char *const method[] = {"--method",    "prune",        "--sparsity", job.numbers[0],
                                "--frequency", job.numbers[1], "--end",      job.numbers[2]};
  memcpy(job.method, method, sizeof method);
  job.wanted[0] = "--sparsity";
  job.wanted[1] = job.numbers[0];
  KN_TRY(kn_record_set_number(record, "target_sparsity", self->target_sparsity));
  return work(&job, out_spec, record);
}

static kn_status cluster(void *instance, const kn_compile_request *request, kn_iospec *out_spec, kn_record *record) {
  const clustering *self = instance;
  weight_job job = {.options = &self->common, .request = request, .train = self->fine_tune};
  *out_spec = (kn_iospec){0};
  snprintf(job.numbers[0], sizeof job.numbers[0], "%lld", (long long)self->clusters);
  const char *const method[] = {"--method", "cluster", "--clusters", job.numbers[0],
                                self->preserve_sparsity ? "--preserve-sparsity" : NULL};
  memcpy(job.method, method, sizeof method);
  job.wanted[0] = "--clusters";
  job.wanted[1] = job.numbers[0];
  KN_TRY(kn_record_set_int(record, "clusters_number", self->clusters));
  return work(&job, out_spec, record);
}

/* ---- the blocks ---- */

static kn_status weights_open(void *instance) {
  (void)instance;
  return NULL;
}

static void weights_close(void *instance) { (void)instance; }

static const char *const keras_format[] = {"keras", NULL};

static bool pruning_needs_samples(const void *instance) {
  (void)instance;
  return true;
}

static const kn_optimizer_ops pruning_ops = {.struct_size = sizeof pruning_ops,
                                             .open = weights_open,
                                             .close = weights_close,
                                             .compile = prune,
                                             .needs_samples = pruning_needs_samples};

const kn_class kn_tensorflow_pruning_class = {
    .struct_size = sizeof(kn_class),
    .name = "kenning.compilers.tensorflow_pruning.TensorFlowPruningOptimizer",
    .kind = KN_KIND_OPTIMIZER,
    .summary = "Makes the smallest weights of Keras models zero, and trains the others further",
    .framework = "tflite",
    .options = pruning_rows,
    .instance_size = sizeof(pruning),
    .ops = &pruning_ops,
    .input_formats = keras_format,
    .output_formats = keras_format};

static const kn_optimizer_ops clustering_ops = {
    .struct_size = sizeof clustering_ops, .open = weights_open, .close = weights_close, .compile = cluster};

const kn_class kn_tensorflow_clustering_class = {
    .struct_size = sizeof(kn_class),
    .name = "kenning.compilers.tensorflow_clustering.TensorFlowClusteringOptimizer",
    .kind = KN_KIND_OPTIMIZER,
    .summary = "Replaces the weights of Keras models by few different values",
    .framework = "tflite",
    .options = clustering_rows,
    .instance_size = sizeof(clustering),
    .ops = &clustering_ops,
    .input_formats = keras_format,
    .output_formats = keras_format};
