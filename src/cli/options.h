/* What the commands' flags fill. */
#ifndef KENNING_CLI_OPTIONS_H
#define KENNING_CLI_OPTIONS_H

#include "cli/command.h"

#define KN_CHAIN_USAGE "[train] [optimize] [test] [report] --json-cfg S.json --measurements M.json ..."

typedef struct kn_list_values {
  bool json;
} kn_list_values;

typedef struct kn_info_values {
  bool formats;
} kn_info_values;

typedef struct kn_convert_values {
  kn_common_options common;
  char *from, *to;
  int64_t seed;
  bool load_pickled_modules;
} kn_convert_values;

typedef struct kn_onnx_conversion_values {
  kn_common_options common;
  kn_string_list converters_list, models;
  int64_t seed;
} kn_onnx_conversion_values;

typedef struct kn_check_values {
  kn_common_options common;
  bool files;
} kn_check_values;

/* The classes of a scenario given by flags. */
typedef struct kn_class_flags {
  char *modelwrapper_cls, *dataset_cls, *runtime_cls, *protocol_cls;
  kn_string_list compiler_cls;
} kn_class_flags;

/* How a test is run. */
typedef struct kn_test_flags {
  char *convert_to_onnx;
  bool run_benchmarks_only, save_io_specification;
  int64_t warmup;
} kn_test_flags;

typedef struct kn_train_flags {
  int64_t batch_size;
  double learning_rate;
  int64_t num_epochs;
  char *logdir;
  int64_t seed;
} kn_train_flags;

typedef struct kn_report_flags {
  char *report_name, *report_path, *to_html, *root_dir, *img_dir;
  kn_string_list report_types, model_names;
} kn_report_flags;

typedef struct kn_chain_values {
  kn_common_options common;
  char *json_cfg;
  kn_string_list measurements;
  kn_class_flags classes;
  kn_test_flags test;
  kn_train_flags train;
  kn_report_flags report;
} kn_chain_values;

typedef struct kn_json_tester_values {
  kn_common_options common;
  kn_test_flags test;
} kn_json_tester_values;

typedef struct kn_tester_values {
  kn_common_options common;
  kn_class_flags classes;
  kn_test_flags test;
} kn_tester_values;

typedef struct kn_performance_values {
  kn_common_options common;
  kn_test_flags test;
} kn_performance_values;

typedef struct kn_training_values {
  kn_common_options common;
  kn_train_flags train;
} kn_training_values;

typedef struct kn_render_values {
  kn_common_options common;
  kn_string_list measurements;
  kn_report_flags report;
} kn_render_values;

typedef struct kn_install_values {
  kn_common_options common;
  bool list, force, offline, dry_run, only_library;
  int arch; /* kn_arch; 0: this machine's */
} kn_install_values;

typedef struct kn_doctor_values {
  kn_common_options common;
  bool json;
} kn_doctor_values;

typedef struct kn_cache_values {
  kn_common_options common;
  bool json;
} kn_cache_values;

extern const kn_option kn_onnx_conversion_options[], kn_info_options[], kn_convert_options[], kn_cache_options[],
    kn_install_options[], kn_doctor_options[];

#endif
