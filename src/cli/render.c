/* render_report, and the report step of the chain. */
#include "cli/run.h"
#include "core/log.h"
#include <kenning/report.h>

#include <string.h>

static kn_report_request request_of(const kn_report_flags *flags, const kn_string_list *measurements) {
  return (kn_report_request){.name = flags->report_name,
                             .path = flags->report_path,
                             .html_directory = flags->to_html,
                             .root_dir = flags->root_dir,
                             .img_dir = flags->img_dir,
                             .measurements = *measurements,
                             .model_names = flags->model_names,
                             .types = flags->report_types};
}

kn_status kn_run_report_check(const kn_report_flags *flags, const kn_string_list *measurements, bool pending) {
  const kn_report_request request = request_of(flags, measurements);
  return kn_report_check(&request, pending);
}

kn_status kn_run_report(int argc, char **argv, const kn_report_flags *flags, const kn_string_list *measurements) {
  kn_report_request request = request_of(flags, measurements);
  request.arguments = (const char *const *)(argv - 1);
  request.argument_count = (size_t)argc + 1;
  KN_TRY(kn_report_render(&request));
  if (flags->report_path) kn_log(KN_LOG_INFO, "report: %s", flags->report_path);
  if (flags->to_html) kn_log(KN_LOG_INFO, "report: %s/index.html", flags->to_html);
  return NULL;
}

/* NAME OUT.rst --measurements M.json..., or the seed's M.json NAME OUT.rst. */
static kn_status render(int argc, char **argv, kn_render_values *values, const kn_positionals *words) {
  kn_string_list first = {.items = (char **)(uintptr_t)words->items, .count = 1};
  bool seed_form = words->count == 3;
  if (seed_form && values->measurements.count)
    return kn_status_make(KN_INVALID_ARGUMENT,
                          "measurement files are given twice: before the name and by --measurements");
  if (!seed_form && !values->measurements.count)
    return kn_status_make(KN_INVALID_ARGUMENT, "which measurements? usage: kenning render_report %s",
                          kn_command_find("render_report")->usage);
  kn_report_flags flags = values->report;
  flags.report_name = (char *)(uintptr_t)words->items[seed_form ? 1 : 0];
  flags.report_path = (char *)(uintptr_t)words->items[seed_form ? 2 : 1];
  return kn_run_report(argc, argv, &flags, seed_form ? &first : &values->measurements);
}

int kn_command_render_report(int argc, char **argv) {
  kn_instance options;
  kn_positionals words;
  bool done;
  kn_status status = kn_command_parse(kn_command_find("render_report"), argc, argv, 2, 3, &options, &words, &done);
  if (!status && !done) {
    kn_render_values *values = options.self;
    kn_log_set_level((kn_log_level)values->common.verbosity);
    status = render(argc, argv, values, &words);
  }
  kn_free(words.items);
  kn_instance_destroy(&options);
  return kn_command_finish(status);
}
