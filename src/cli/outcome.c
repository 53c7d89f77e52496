#include "cli/outcome.h"

#include <kenning/services.h>

#include "core/text.h"
#include "report/model.h"

void kn_outcome_tell(const char *measurements) {
  static const kn_fact facts[] = {KN_FACT_MEDIAN, KN_FACT_ACCURACY};
  const char *paths[] = {measurements};
  const kn_report_sources sources = {.measurements = {.items = (char **)paths, .count = 1}};
  kn_report_model model;
  kn_status status = kn_report_model_read(&sources, &model);
  kn_text text = {0};
  for (size_t i = 0; !status && i < 2; i++) {
    kn_value value = model.runs[0].facts[facts[i]];
    char number[KN_NUMBER_SIZE];
    if (kn_value_known(value))
      kn_text_format(&text, ", %s %s", i ? "accuracy" : "median inference time",
                     kn_value_text(facts[i], value, number));
  }
  kn_log(KN_LOG_INFO, "measurements: %s%s", measurements, text.data ? text.data : "");
  if (!status) kn_report_model_clear(&model);
  kn_status_free(status); /* what was measured is no matter for a report */
  kn_text_clear(&text);
}
