#include "report/findings.h"

#include "core/text.h"

#include <math.h>
#include <string.h>

enum { PER_RUN = 10, OVERALL = 12 };

/* Takes the text. */
static kn_status add(kn_findings *findings, kn_finding_kind kind, kn_text *text) {
  kn_status status = kn_text_status(text);
  if (status || !text->length) {
    kn_text_clear(text);
    return status;
  }
  findings->items[findings->count++] = (kn_finding){.kind = kind, .text = text->data};
  *text = (kn_text){0};
  return NULL;
}

/* ---- results ---- */

static void speed_sentence(const kn_report_model *model, const kn_run *run, kn_text *text) {
  kn_value boost = run->facts[KN_FACT_SPEED_BOOST];
  if (!kn_value_known(boost)) return;
  char number[KN_VALUE_SIZE];
  kn_text_format(text, "%s is %s as fast as %s", run->name, kn_value_sentence(KN_FACT_SPEED_BOOST, boost, number),
                 model->runs[0].name);
}

static void size_sentence(const kn_report_model *model, const kn_run *run, kn_text *text) {
  kn_value size = run->facts[KN_FACT_SIZE_REDUCTION];
  if (!kn_value_known(size)) return;
  char ratio[KN_NUMBER_SIZE], bytes[KN_NUMBER_SIZE], base[KN_NUMBER_SIZE];
  if (text->length)
    kn_text_add(text, "; its model takes ");
  else
    kn_text_format(text, "The model of %s takes ", run->name);
  kn_text_format(text, "%s, where the %s of %s %s %s (size reduction %s)",
                 kn_number_text(KN_NUMBER_BYTES, run->deployed_bytes, bytes),
                 model->runs[0].weights_known ? "weights alone" : "model file", model->runs[0].name,
                 model->runs[0].weights_known ? "take" : "takes",
                 kn_number_text(KN_NUMBER_BYTES, model->runs[0].deployed_bytes, base),
                 kn_value_text(KN_FACT_SIZE_REDUCTION, size, ratio));
}

/* Where the weights alone say larger and the whole files say smaller, or the other way round, both are said. */
static void file_sentence(const kn_report_model *model, const kn_run *run, kn_text *text) {
  kn_value size = run->facts[KN_FACT_SIZE_REDUCTION], before = model->runs[0].facts[KN_FACT_FILE_BYTES],
           after = run->facts[KN_FACT_FILE_BYTES];
  if (!model->runs[0].weights_known || !kn_value_known(size) || !kn_value_known(before) || !kn_value_known(after))
    return;
  bool larger_weights = size.value<1, larger_file = after.value> before.value;
  if (larger_weights == larger_file) return;
  char number[KN_NUMBER_SIZE];
  kn_text_format(text, ". It is %s than those weights, but as files it is %s: the whole model file of %s has %s",
                 larger_weights ? "larger" : "smaller", larger_file ? "larger" : "smaller", model->runs[0].name,
                 kn_value_text(KN_FACT_FILE_BYTES, before, number));
}

static void accuracy_sentence(const kn_report_model *model, const kn_run *run, kn_text *text) {
  kn_value change = run->facts[KN_FACT_ACCURACY_CHANGE];
  if (!kn_value_known(change)) return;
  char number[KN_VALUE_SIZE], before[KN_NUMBER_SIZE], after[KN_NUMBER_SIZE];
  if (text->length) kn_text_add(text, ". ");
  kn_value_text(KN_FACT_ACCURACY, model->runs[0].facts[KN_FACT_ACCURACY], before);
  kn_value_text(KN_FACT_ACCURACY, run->facts[KN_FACT_ACCURACY], after);
  if (strcmp(before, after) == 0)
    kn_text_format(text, "Its accuracy is the same, %s", after);
  else
    kn_text_format(text, "Its accuracy changes by %s, from %s to %s",
                   kn_value_sentence(KN_FACT_ACCURACY_CHANGE, change, number), before, after);
}

static void paired_sentence(const kn_run *run, kn_text *text) {
  kn_value agreement = run->facts[KN_FACT_AGREEMENT], p = run->facts[KN_FACT_P_VALUE];
  if (!kn_value_known(agreement)) return;
  char number[KN_NUMBER_SIZE];
  kn_text_format(text, "%s predicts the same class for ", text->length ? "; it" : "It");
  if (agreement.value >= 1)
    kn_text_add(text, "every sample");
  else
    kn_text_format(text, "%s of the samples", kn_value_text(KN_FACT_AGREEMENT, agreement, number));
  kn_value outputs = run->facts[KN_FACT_OUTPUT_DIFFERENCE];
  if (kn_value_known(outputs))
    kn_text_format(text, ", with outputs that differ by at most %s of the largest",
                   kn_value_text(KN_FACT_OUTPUT_DIFFERENCE, outputs, number));
  double apart = run->facts[KN_FACT_ONLY_REFERENCE].value + run->facts[KN_FACT_ONLY_THIS].value;
  if (!kn_value_known(p) || !(apart > 0)) return;
  kn_value_text(KN_FACT_P_VALUE, p, number);
  kn_text_format(text, ", and the difference in accuracy is %s chance explains (McNemar mid-p %s%s)",
                 p.value < 0.05 ? "more than" : "no more than", *number == '<' ? "" : "= ", number);
}

static kn_status add_result(const kn_report_model *model, const kn_run *run, kn_findings *findings) {
  kn_text text = {0};
  speed_sentence(model, run, &text);
  size_sentence(model, run, &text);
  file_sentence(model, run, &text);
  accuracy_sentence(model, run, &text);
  paired_sentence(run, &text);
  if (text.length) kn_text_add(&text, ".");
  bool any = text.length > 0;
  KN_TRY(add(findings, KN_FINDING_RESULT, &text));
  if (any) findings->items[findings->count - 1].run = (size_t)(run - model->runs);
  return NULL;
}

static bool reference_constant(const kn_run *run) { return run->reference_constant; }

/* ---- warnings and notes about one run ---- */

static kn_status add_incomplete(const kn_run *run, kn_findings *findings) {
  kn_text text = {0};
  if (!run->results.complete) {
    kn_text_format(&text, "%s is incomplete: the run ended early", run->name);
    if (run->results.incomplete_reason) kn_text_format(&text, " (%s)", run->results.incomplete_reason);
    kn_text_add(&text, ". Its figures stand for the samples that were reached, not for the whole split.");
  }
  return add(findings, KN_FINDING_WARNING, &text);
}

/* A model whose file did not stay what it was. */
static kn_status add_changed(const kn_run *run, kn_findings *findings) {
  kn_text text = {0};
  yyjson_val *models = kn_run_member(run, NULL, "models"), *model;
  size_t i, count;
  yyjson_arr_foreach(models, i, count, model) {
    const char *change = yyjson_get_str(yyjson_obj_get(model, "changed"));
    const char *path = yyjson_get_str(yyjson_obj_get(model, "path"));
    if (!change) continue;
    if (text.length) kn_text_add(&text, " ");
    kn_text_format(&text,
                   "The model file %s of %s was %.20s while it was measured: which model the figures stand for is "
                   "not certain.",
                   path ? path : "", run->name, change);
  }
  return add(findings, KN_FINDING_WARNING, &text);
}

static const char *split_of(const kn_run *run) { return kn_run_string(run, "run", "split"); }

static bool evaluated_on_all(const kn_run *run) { return split_of(run) && strcmp(split_of(run), "all") == 0; }
static bool split_unknown(const kn_run *run) { return !split_of(run) && run->results.confusion; }
static bool warmup_unmarked(const kn_run *run) {
  return run->results.steps.count && !kn_run_member(run, NULL, "warmup_inferences");
}
static bool weights_unknown(const kn_run *run) {
  return !run->compiled && !run->weights_known && kn_value_known(run->facts[KN_FACT_FILE_BYTES]);
}

/* "a", "a and b", "a, b and c": the runs that `holds` for; their number. */
static size_t names_where(const kn_report_model *model, bool (*holds)(const kn_run *), kn_text *text) {
  size_t matching = 0, named = 0;
  for (size_t i = 0; i < model->run_count; i++) matching += holds(&model->runs[i]);
  for (size_t i = 0; i < model->run_count; i++) {
    if (!holds(&model->runs[i])) continue;
    if (named) kn_text_add(text, named + 1 == matching ? " and " : ", ");
    kn_text_add(text, model->runs[i].name);
    named++;
  }
  return named;
}

/* One sentence about all runs that `holds` for: their names, then `one` or `several`. */
static kn_status add_about(const kn_report_model *model, bool (*holds)(const kn_run *), kn_finding_kind kind,
                           const char *before, const char *one, const char *several, kn_findings *findings) {
  kn_text text = {0}, names = {0};
  size_t count = names_where(model, holds, &names);
  if (count) kn_text_format(&text, "%s%s%s", before, names.data ? names.data : "", count == 1 ? one : several);
  if (names.failure) text.failure = names.failure;
  kn_text_clear(&names);
  return add(findings, kind, &text);
}

static kn_status add_split(const kn_run *run, kn_findings *findings) {
  kn_text text = {0};
  const char *split = split_of(run);
  if (split && strcmp(split, "all") != 0 && strcmp(split, "test") != 0)
    kn_text_format(&text, "%s was evaluated on the %s split, not on the test split.", run->name, split);
  return add(findings, KN_FINDING_NOTE, &text);
}

static kn_status add_nothing_measured(const kn_run *run, kn_findings *findings) {
  kn_text text = {0};
  if (run->results.steps.count && !run->sorted_count)
    kn_text_format(&text, "%s ran nothing but warm-up: there is no inference time to show.", run->name);
  return add(findings, KN_FINDING_WARNING, &text);
}

static kn_status add_not_finite(const kn_run *run, kn_findings *findings) {
  kn_text text = {0};
  char number[KN_NUMBER_SIZE];
  yyjson_val *count = kn_run_member(run, NULL, "not_finite_outputs");
  if (yyjson_is_num(count) && yyjson_get_num(count) > 0)
    kn_text_format(&text, "%s outputs of %s hold values that are infinite or not a number.",
                   kn_number_text(KN_NUMBER_COUNT, yyjson_get_num(count), number), run->name);
  return add(findings, KN_FINDING_WARNING, &text);
}

/* More than a quarter of the machine went to others while it was measured. Of a run with a host and a worker only one
 * of the two is counted. */
static bool others_ran(const kn_run *run, double processors) {
  kn_value machine = run->facts[KN_FACT_CPU_MEAN], own = run->facts[KN_FACT_PROCESS_CPU];
  if (kn_run_member(run, NULL, "wire") || !kn_value_known(machine) || !kn_value_known(own)) return false;
  return machine.value * processors - own.value > 25 * processors;
}

/* Load average of the minute before the run, per logical processor; training that has just ended leaves about 1. */
static bool machine_busy(const kn_run *run) {
  yyjson_val *load = yyjson_arr_get_first(kn_run_member(run, "environment", "load_average"));
  yyjson_val *count = kn_run_member(run, "environment", "cpu_count");
  double processors = yyjson_is_num(count) ? yyjson_get_num(count) : NAN;
  return (yyjson_is_num(load) && yyjson_get_num(load) > 1.5 * processors) || others_ran(run, processors);
}

static kn_status add_contents(const kn_run *run, kn_findings *findings) {
  kn_text text = {0};
  char file[KN_NUMBER_SIZE], weights[KN_NUMBER_SIZE];
  kn_value whole = run->facts[KN_FACT_FILE_BYTES], alone = run->facts[KN_FACT_WEIGHTS_BYTES];
  if (run->weights_known && kn_value_known(whole) && whole.value > alone.value * 1.01) {
    kn_text_format(&text, "The model file of %s has %s, its weights alone %s", run->name,
                   kn_value_text(KN_FACT_FILE_BYTES, whole, file),
                   kn_value_text(KN_FACT_WEIGHTS_BYTES, alone, weights));
    if (run->file_contents) kn_text_format(&text, "; the rest is: %s", run->file_contents);
    kn_text_add(&text, ". Size reduction counts the weights alone.");
  }
  return add(findings, KN_FINDING_NOTE, &text);
}

/* Which runtimes were tried where "auto" was asked for, and what became of them. */
static kn_status add_selection(const kn_run *run, kn_findings *findings) {
  kn_text text = {0};
  yyjson_val *list = kn_run_member(run, NULL, "runtime_selection"), *entry;
  size_t i, count;
  yyjson_arr_foreach(list, i, count, entry) {
    const char *name = yyjson_get_str(yyjson_obj_get(entry, "runtime")), *dot = name ? strrchr(name, '.') : NULL;
    const char *failed = yyjson_get_str(yyjson_obj_get(entry, "failed"));
    const char *needs = yyjson_get_str(yyjson_obj_get(entry, "needs"));
    yyjson_val *median = yyjson_obj_get(entry, "median_s");
    char number[KN_NUMBER_SIZE];
    if (!name) continue;
    if (!text.length)
      kn_text_format(&text, "The runtime of %s was chosen by median inference time: ", run->name);
    else
      kn_text_add(&text, "; ");
    kn_text_format(&text, "%s ", dot ? dot + 1 : name);
    if (failed)
      kn_text_format(&text, "cannot run it (%.160s)", failed);
    else if (needs)
      kn_text_format(&text, "was not tried (%.160s)", needs);
    else
      kn_text_format(&text, "%s%s",
                     yyjson_is_num(median) ? kn_number_text(KN_NUMBER_SECONDS, yyjson_get_num(median), number) : "?",
                     yyjson_get_bool(yyjson_obj_get(entry, "chosen")) ? " (chosen)" : "");
  }
  if (text.length) kn_text_add(&text, ".");
  return add(findings, KN_FINDING_NOTE, &text);
}

/* ---- about the comparison ---- */

static bool differs(const kn_report_model *model, const char *object, const char *member) {
  for (size_t i = 1; i < model->run_count; i++) {
    const char *first = kn_run_string(&model->runs[0], object, member);
    const char *other = kn_run_string(&model->runs[i], object, member);
    if (first && other && strcmp(first, other) != 0) return true;
  }
  return false;
}

static bool batches_differ(const kn_report_model *model) {
  for (size_t i = 1; i < model->run_count; i++)
    if (model->runs[i].batch != model->runs[0].batch) return true;
  return false;
}

static bool samples_differ(const kn_report_model *model) {
  for (size_t i = 1; i < model->run_count; i++)
    if (model->runs[i].results.prediction_count && model->runs[0].results.prediction_count &&
        !kn_value_known(model->runs[i].facts[KN_FACT_AGREEMENT]))
      return true;
  return false;
}

static kn_status add_comparison(const kn_report_model *model, kn_findings *findings) {
  kn_text text = {0};
  if (differs(model, "environment", "hostname") || differs(model, "environment", "cpu_model"))
    kn_text_add(&text,
                "The runs come from different machines: differences in speed are also differences between those.");
  KN_TRY(add(findings, KN_FINDING_WARNING, &text));
  if (batches_differ(model))
    kn_text_add(
        &text,
        "The runs took batches of different sizes: an inference time is of a whole batch, while speed boost and "
        "accuracy over speed count per sample.");
  KN_TRY(add(findings, KN_FINDING_NOTE, &text));
  if (samples_differ(model))
    kn_text_add(&text, "The runs were evaluated on different samples, so they are not compared sample by sample.");
  KN_TRY(add(findings, KN_FINDING_WARNING, &text));
  if (differs(model, "run", "dataset")) kn_text_add(&text, "The runs used different data sets.");
  return add(findings, KN_FINDING_WARNING, &text);
}

static kn_status collect(const kn_report_model *model, kn_findings *findings) {
  for (size_t i = 0; i < model->run_count; i++) KN_TRY(add_incomplete(&model->runs[i], findings));
  if (model->run_count > 1) KN_TRY(add_comparison(model, findings));
  for (size_t i = 1; i < model->run_count; i++) KN_TRY(add_result(model, &model->runs[i], findings));
  KN_TRY(add_about(
      model, evaluated_on_all, KN_FINDING_WARNING, "",
      " was evaluated on the whole data set, training samples included: its accuracy says little about new data.",
      " were evaluated on the whole data set, training samples included: their accuracy says little about new "
      "data.",
      findings));
  KN_TRY(add_about(model, machine_busy, KN_FINDING_WARNING, "The machine was busy with something else when ",
                   " was measured: its times may be longer than they need be.",
                   " were measured: their times may be longer than they need be.", findings));
  kn_text constant = {0};
  kn_text_format(&constant, "The outputs of %s hardly depend on the sample, so they say nothing about those of ",
                 model->runs[0].name);
  kn_status status = kn_text_status(&constant);
  if (!status)
    status = add_about(model, reference_constant, KN_FINDING_WARNING, constant.data, ": they are not compared.",
                       ": they are not compared.", findings);
  kn_text_clear(&constant);
  KN_TRY(status);
  KN_TRY(add_about(model, split_unknown, KN_FINDING_NOTE, "Which split was evaluated is not recorded for ",
                   "; training samples may be among them.", "; training samples may be among them.", findings));
  KN_TRY(add_about(model, warmup_unmarked, KN_FINDING_NOTE, "Warm-up is not marked in the measurements of ",
                   ", so no inference is left out of the statistics.",
                   ", so no inference is left out of the statistics.", findings));
  if (model->run_count > 1)
    KN_TRY(add_about(model, weights_unknown, KN_FINDING_NOTE, "The size of the weights alone is not recorded for ",
                     ", so size reduction counts the whole model file, whatever else it holds.",
                     ", so size reduction counts the whole model files, whatever else they hold.", findings));
  for (size_t i = 0; i < model->run_count; i++) {
    KN_TRY(add_split(&model->runs[i], findings));
    KN_TRY(add_nothing_measured(&model->runs[i], findings));
    KN_TRY(add_not_finite(&model->runs[i], findings));
    KN_TRY(add_changed(&model->runs[i], findings));
    KN_TRY(add_selection(&model->runs[i], findings));
    if (model->run_count > 1) KN_TRY(add_contents(&model->runs[i], findings));
  }
  return NULL;
}

kn_status kn_findings_of(const kn_report_model *model, kn_findings *out) {
  *out = (kn_findings){.items = kn_alloc_array(model->run_count * PER_RUN + OVERALL, sizeof *out->items)};
  if (!out->items) return kn_status_out_of_memory();
  kn_status status = collect(model, out);
  if (status) kn_findings_clear(out);
  return status;
}

void kn_findings_clear(kn_findings *findings) {
  for (size_t i = 0; i < findings->count; i++) kn_free(findings->items[i].text);
  kn_free(findings->items);
  *findings = (kn_findings){0};
}
