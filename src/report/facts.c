#include "report/facts.h"

#include <math.h>
#include <stdio.h>

const kn_fact_row kn_fact_rows[KN_FACT_COUNT] = {
#define KN_FACT_ENTRY(name, section, kind, key, label) {KN_FACTS_##section, KN_NUMBER_##kind, key, label},
    KN_FACTS(KN_FACT_ENTRY)
#undef KN_FACT_ENTRY
};

const char *kn_fact_title(kn_fact fact) {
  switch (fact) {
    case KN_FACT_MEDIAN:
      return "Median inference time";
    case KN_FACT_P99:
      return "99th percentile";
    case KN_FACT_PROCESS_PEAK:
      return "Peak memory";
    default:
      return kn_fact_rows[fact].label;
  }
}

const kn_fact kn_side_by_side[KN_SIDE_BY_SIDE] = {KN_FACT_MEDIAN,       KN_FACT_P99,        KN_FACT_LOADING,
                                                  KN_FACT_PROCESS_PEAK, KN_FACT_FILE_BYTES, KN_FACT_OUTPUT_DIFFERENCE,
                                                  KN_FACT_AGREEMENT};

bool kn_value_known(kn_value value) { return isfinite(value.value); }

bool kn_value_bounded(kn_value value) { return isfinite(value.low) && isfinite(value.high); }

const char *kn_value_text(kn_fact fact, kn_value value, char out[KN_NUMBER_SIZE]) {
  return kn_number_text(kn_fact_rows[fact].kind, value.value, out);
}

const char *kn_value_interval(kn_fact fact, kn_value value, char out[KN_NUMBER_SIZE]) {
  return kn_number_interval(kn_fact_rows[fact].kind, value.low, value.high, out);
}

const char *kn_value_sentence(kn_fact fact, kn_value value, char out[KN_VALUE_SIZE]) {
  char number[KN_NUMBER_SIZE], interval[KN_NUMBER_SIZE];
  kn_value_text(fact, value, number);
  if (kn_value_bounded(value))
    snprintf(out, KN_VALUE_SIZE, "%s (95%% interval %s)", number, kn_value_interval(fact, value, interval));
  else
    snprintf(out, KN_VALUE_SIZE, "%s", number);
  return out;
}
