#include "core/memory.h"
#include "report/findings.h"
#include "report/html.h"
#include "report/outline.h"
#include "report/provenance.h"
#include <kenning/report.h>

#include "support/directory.h"
#include "support/near.h"
#include "support/status.h"

#include <sys/stat.h>
#include <unistd.h>

/* Two runs of three classes on the same six samples; the second has one more wrong. */
static const char native[] =
    "{\"kenning_schema\": \"1.0\", \"complete\": true, \"date\": \"2026-01-02T03:04:05Z\", \"warmup_inferences\": 2,"
    "\"model_framework\": \"tensorflow\", \"model_version\": \"2\", \"optimizers\": [], \"command\": [\"kenning x\"],"
    "\"build_cfg\": {\"a\": 1}, \"class_names\": [\"cat\", \"dog\", \"<b>\"],"
    "\"target_inference_step\": [9, 8, 0.004, 0.004, 0.005, 0.004],"
    "\"eval_confusion_matrix\": [[2, 0, 0], [0, 2, 0], [1, 0, 1]], \"top_5_count\": 6, \"total\": 6,"
    "\"predictions\": [{\"target\": 0, \"prediction\": 0}, {\"target\": 0, \"prediction\": 0},"
    "{\"target\": 1, \"prediction\": 1}, {\"target\": 1, \"prediction\": 1}, {\"target\": 2, \"prediction\": 2},"
    "{\"target\": 2, \"prediction\": 0}], \"compiled_model_size\": 900,"
    "\"models\": [{\"role\": \"input\", \"path\": \"m.h5\", \"bytes\": 900, \"weights_bytes\": 400,"
    "\"contents\": \"optimizer state\"}], \"model_outputs\": [[4, 0, 1], [4, 0, 2], [0, 2, 0]], \"run\": {\"split\": "
    "\"test\", \"batch_size\": 1},"
    "\"phases\": [{\"name\": \"load\", \"seconds\": 1}, {\"name\": \"inference\", \"seconds\": 2}]}";
static const char compiled[] =
    "{\"kenning_schema\": \"1.0\", \"complete\": false, \"incomplete_reason\": \"interrupted\", \"warmup_inferences\": "
    "1,"
    "\"optimizers\": [{\"compiler_framework\": \"tflite\", \"compiler_version\": \"2\"}],"
    "\"class_names\": [\"cat\", \"dog\", \"<b>\"], \"target_inference_step\": [9, 0.002, 0.002, 0.002],"
    "\"eval_confusion_matrix\": [[2, 0, 0], [1, 1, 0], [1, 0, 1]], \"top_5_count\": 6, \"total\": 6,"
    "\"predictions\": [{\"target\": 0, \"prediction\": 0}, {\"target\": 0, \"prediction\": 0},"
    "{\"target\": 1, \"prediction\": 0}, {\"target\": 1, \"prediction\": 1}, {\"target\": 2, \"prediction\": 2},"
    "{\"target\": 2, \"prediction\": 0}], \"model_outputs\": [[4, 0, 1], [3.5, 0, 2]],"
    "\"models\": [{\"role\": \"input\", \"bytes\": 900, \"weights_bytes\": 400}, {\"role\": \"compiled\", \"bytes\": "
    "100, \"path\": \"c.tflite\", \"changed\": \"replaced\"}],"
    "\"run\": {\"split\": \"all\", \"batch_size\": 2}, \"phases\": [{\"name\": \"compile\", \"seconds\": 3}]}";

typedef struct files {
  char *directory;
  char *paths[2];
} files;

static files make_files(void) {
  files made = {.directory = kt_directory_make()};
  made.paths[0] = kt_path(made.directory, "native.json");
  made.paths[1] = kt_path(made.directory, "fast.json");
  kt_file_write_text(made.paths[0], native);
  kt_file_write_text(made.paths[1], compiled);
  return made;
}

static void remove_files(files *made) {
  free(made->paths[0]);
  free(made->paths[1]);
  kt_directory_remove(made->directory);
}

static kn_report_sources sources_of(files *made, size_t count) {
  return (kn_report_sources){.measurements = {made->paths, count}};
}

static kn_string_list strings(const char **items, size_t count) {
  return (kn_string_list){(char **)(uintptr_t)items, count};
}

static double fact(const kn_report_model *model, size_t run, kn_fact fact_) {
  return model->runs[run].facts[fact_].value;
}

static void figures_are_derived(void **state) {
  (void)state;
  files made = make_files();
  kn_report_sources sources = sources_of(&made, 2);
  kn_report_model model;
  kt_assert_ok(kn_report_model_read(&sources, &model));
  assert_string_equal(model.name, "native");
  assert_string_equal(model.runs[1].name, "fast");
  assert_int_equal(model.types, KN_REPORT_PERFORMANCE | KN_REPORT_CLASSIFICATION);
  kt_assert_near(fact(&model, 0, KN_FACT_FIRST), 9, 0);
  kt_assert_near(fact(&model, 0, KN_FACT_MEASURED), 4, 0);
  kt_assert_near(fact(&model, 0, KN_FACT_WARMUP), 2, 0);
  kt_assert_near(fact(&model, 0, KN_FACT_MEDIAN), 0.004, 1e-15);
  /* Twice as fast with twice the samples in each inference. */
  kt_assert_near(fact(&model, 1, KN_FACT_SPEED_BOOST), 4, 1e-12);
  kt_assert_near(fact(&model, 1, KN_FACT_THROUGHPUT), 1000, 1e-9);
  kt_assert_near(fact(&model, 0, KN_FACT_SPEED_BOOST), 1, 0);
  /* Weights alone of the one, the whole file of the other. */
  kt_assert_near(fact(&model, 1, KN_FACT_SIZE_REDUCTION), 4, 0);
  kt_assert_near(fact(&model, 0, KN_FACT_OTHER_BYTES), 500, 0);
  kt_assert_near(fact(&model, 1, KN_FACT_ACCURACY_CHANGE), -1.0 / 6, 1e-12);
  /* One of six samples lost, none gained: -1/8 -+ 1.96 sqrt((3/8 - 1/64) / 8). */
  kt_assert_near(model.runs[1].facts[KN_FACT_ACCURACY_CHANGE].low, -0.5404101, 1e-6);
  kt_assert_near(model.runs[1].facts[KN_FACT_ACCURACY_CHANGE].high, 0.2904101, 1e-6);
  kt_assert_near(fact(&model, 1, KN_FACT_AGREEMENT), 5.0 / 6, 1e-12);
  kt_assert_near(fact(&model, 1, KN_FACT_ONLY_REFERENCE), 1, 0);
  kt_assert_near(fact(&model, 1, KN_FACT_ONLY_THIS), 0, 0);
  kt_assert_near(fact(&model, 1, KN_FACT_P_VALUE), 0.5, 1e-12); /* one sample apart: 1 - 1/2 */
  assert_false(kn_value_known(model.runs[0].facts[KN_FACT_AGREEMENT]));
  /* Of the two samples that both hold the outputs of. */
  kt_assert_near(fact(&model, 1, KN_FACT_OUTPUT_DIFFERENCE), 0.5 / 4, 1e-12);
  kt_assert_near(fact(&model, 1, KN_FACT_OUTPUTS_COMPARED), 2, 0);
  assert_true(model.same_classes);
  assert_int_equal(model.phase_name_count, 3);
  assert_int_equal(kn_report_phase(&model, "compile"), 2);
  kn_report_model_clear(&model);
  remove_files(&made);
}

static void readers_are_warned(void **state) {
  (void)state;
  files made = make_files();
  kn_report_sources sources = sources_of(&made, 2);
  kn_report_model model;
  kn_findings findings;
  kt_assert_ok(kn_report_model_read(&sources, &model));
  kt_assert_ok(kn_findings_of(&model, &findings));
  bool incomplete = false, all = false, contents = false, result = false, changed = false;
  for (size_t i = 0; i < findings.count; i++) {
    const kn_finding *finding = &findings.items[i];
    incomplete |= finding->kind == KN_FINDING_WARNING && strstr(finding->text, "ended early (interrupted)");
    all |= finding->kind == KN_FINDING_WARNING && strstr(finding->text, "fast was evaluated on the whole data set");
    changed |= finding->kind == KN_FINDING_WARNING && strstr(finding->text, "c.tflite of fast was replaced");
    contents |= strstr(finding->text, "optimizer state") != NULL;
    result |= finding->kind == KN_FINDING_RESULT && finding->run == 1 && strstr(finding->text, "4.000×");
  }
  assert_true(incomplete && all && contents && result && changed);
  kn_findings_clear(&findings);
  kn_report_model_clear(&model);
  remove_files(&made);
}

/* A compiled model between the weights alone (400 bytes) and the whole file (900) of the reference. */
static void weights_and_files_that_disagree_are_both_told(void **state) {
  (void)state;
  files made = make_files();
  char text[sizeof compiled + 8];
  const char *bytes = strstr(compiled, "\"compiled\", \"bytes\": 100");
  assert_non_null(bytes);
  bytes += strlen("\"compiled\", \"bytes\": ");
  snprintf(text, sizeof text, "%.*s500%s", (int)(bytes - compiled), compiled, bytes + 3);
  kt_file_write_text(made.paths[1], text);
  kn_report_sources sources = sources_of(&made, 2);
  kn_report_model model;
  kn_findings findings;
  kt_assert_ok(kn_report_model_read(&sources, &model));
  kt_assert_ok(kn_findings_of(&model, &findings));
  bool told = false;
  for (size_t i = 0; i < findings.count; i++)
    told |=
        strstr(findings.items[i].text,
               "It is larger than those weights, but as files it is smaller: the whole model file of native has 900") !=
        NULL;
  assert_true(told);
  kn_findings_clear(&findings);
  kn_report_model_clear(&model);
  remove_files(&made);
}

static void a_reference_that_answers_the_same_is_no_reference(void **state) {
  (void)state;
  files made = make_files();
  static const char varying[] = "[[4, 0, 1], [4, 0, 2], [0, 2, 0]]", same[] = "[[4, 0, 1], [4, 0, 1], [4, 0, 1]]";
  char constant[sizeof native];
  memcpy(constant, native, sizeof native);
  memcpy(strstr(constant, varying), same, sizeof same - 1);
  kt_file_write_text(made.paths[0], constant);
  kn_report_sources sources = sources_of(&made, 2);
  kn_report_model model;
  kn_findings findings;
  kt_assert_ok(kn_report_model_read(&sources, &model));
  assert_false(kn_value_known(model.runs[1].facts[KN_FACT_OUTPUT_DIFFERENCE]));
  kt_assert_ok(kn_findings_of(&model, &findings));
  bool told = false;
  for (size_t i = 0; i < findings.count; i++)
    told |= findings.items[i].kind == KN_FINDING_WARNING &&
            strstr(findings.items[i].text,
                   "The outputs of native hardly depend on the sample, so they say nothing "
                   "about those of fast: they are not compared.");
  assert_true(told);
  kn_findings_clear(&findings);
  kn_report_model_clear(&model);
  remove_files(&made);
}

/* `text` with `old` replaced by `fresh`, as run `index`. */
static void write_other(const files *made, size_t index, const char *text, const char *old, const char *fresh) {
  char other[4096];
  const char *place = strstr(text, old);
  assert_non_null(place);
  int length = snprintf(other, sizeof other, "%.*s%s%s", (int)(place - text), text, fresh, place + strlen(old));
  assert_true(length > 0 && (size_t)length < sizeof other);
  kt_file_write_text(made->paths[index], other);
}

/* Splits of two seeds may have the same labels in the same order. */
static void other_samples_are_not_paired(void **state) {
  (void)state;
  static const struct {
    const char *first, *second;
    bool paired;
  } cases[] = {{"aa", "aa", true}, {"aa", "bb", false}, {"aa", NULL, true}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    files made = make_files();
    char fresh[80];
    snprintf(fresh, sizeof fresh, "\"run\": {\"samples_sha256\": \"%s\", ", cases[i].first);
    write_other(&made, 0, native, "\"run\": {", fresh);
    if (cases[i].second) {
      snprintf(fresh, sizeof fresh, "\"run\": {\"samples_sha256\": \"%s\", ", cases[i].second);
      write_other(&made, 1, compiled, "\"run\": {", fresh);
    }
    kn_report_sources sources = sources_of(&made, 2);
    kn_report_model model;
    kt_assert_ok(kn_report_model_read(&sources, &model));
    assert_int_equal(kn_value_known(model.runs[1].facts[KN_FACT_AGREEMENT]), cases[i].paired);
    assert_int_equal(kn_value_known(model.runs[1].facts[KN_FACT_P_VALUE]), cases[i].paired);
    assert_int_equal(kn_value_known(model.runs[1].facts[KN_FACT_OUTPUT_DIFFERENCE]), cases[i].paired);
    kn_report_model_clear(&model);
    remove_files(&made);
  }
}

/* One sample alone does not tell whether outputs depend on it. */
static void one_output_is_compared(void **state) {
  (void)state;
  files made = make_files();
  write_other(&made, 1, compiled, "[[4, 0, 1], [3.5, 0, 2]]", "[[4, 0, 3]]");
  kn_report_sources sources = sources_of(&made, 2);
  kn_report_model model;
  kt_assert_ok(kn_report_model_read(&sources, &model));
  assert_false(model.runs[1].reference_constant);
  kt_assert_near(fact(&model, 1, KN_FACT_OUTPUT_DIFFERENCE), 0.5, 1e-12);
  kn_report_model_clear(&model);
  remove_files(&made);
}

/* Too many classes for a matrix: predictions are enough. */
static void accuracy_needs_no_matrix(void **state) {
  (void)state;
  files made = make_files();
  write_other(&made, 0, native, "\"eval_confusion_matrix\": [[2, 0, 0], [0, 2, 0], [1, 0, 1]],", "");
  kn_report_sources sources = sources_of(&made, 1);
  kn_report_model model;
  kt_assert_ok(kn_report_model_read(&sources, &model));
  kt_assert_near(fact(&model, 0, KN_FACT_ACCURACY), 5.0 / 6, 1e-12);
  assert_false(kn_value_known(model.runs[0].facts[KN_FACT_G_MEAN]));
  kn_report_model_clear(&model);
  remove_files(&made);
}

static bool is_said(const kn_report_model *model, const char *text) {
  kn_findings findings;
  bool said = false;
  kt_assert_ok(kn_findings_of(model, &findings));
  for (size_t i = 0; i < findings.count; i++) said |= strstr(findings.items[i].text, text) != NULL;
  kn_findings_clear(&findings);
  return said;
}

/* What others used of the machine while it was measured: half of it, or what the measured process used itself. */
static void a_busy_machine_is_told(void **state) {
  (void)state;
  static const struct {
    const char *process;
    bool busy;
  } cases[] = {{"[50, 50]", true}, {"[195, 195]", false}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    files made = make_files();
    char fresh[400];
    snprintf(fresh, sizeof fresh,
             "{\"environment\": {\"cpu_count\": 2, \"load_average\": [0.1, 0, 0]}, \"process_cpu_percent\": %s,"
             "\"process_rss_bytes\": [1, 1], \"process_timestamp\": [1, 2],"
             "\"session_utilization_timestamp\": [1, 2], \"session_utilization_mem_percent\": [9, 9],"
             "\"session_utilization_cpus_percent\": [[100, 100], [100, 100]], \"kenning_schema\"",
             cases[i].process);
    write_other(&made, 0, native, "{\"kenning_schema\"", fresh);
    kn_report_sources sources = sources_of(&made, 2);
    kn_report_model model;
    kt_assert_ok(kn_report_model_read(&sources, &model));
    assert_int_equal(is_said(&model, "The machine was busy with something else when native"), cases[i].busy);
    assert_true(is_said(&model, "batches of different sizes"));
    kn_report_model_clear(&model);
    remove_files(&made);
  }
}

static void spans_stand_in_for_phases(void **state) {
  (void)state;
  char *directory = kt_directory_make(), *path = kt_path(directory, "m.json");
  kt_file_write_text(path,
                     "{\"target_inference_step\": [1], \"tags\": [{\"name\": \"outer\", \"start\": 1, \"end\": 3}, "
                     "{\"name\": \"inner\", \"start\": 1.5,"
                     "\"end\": 2}, {\"name\": \"outer\", \"start\": 3, \"end\": 4}, {\"name\": \"odd\", \"start\": 9, "
                     "\"end\": 8}]}");
  kn_report_sources sources = {.measurements = {&path, 1}};
  kn_report_model model;
  kt_assert_ok(kn_report_model_read(&sources, &model));
  assert_true(model.runs[0].phases_summed);
  assert_int_equal(model.runs[0].phase_count, 1); /* what lies inside another counts once */
  kt_assert_near(model.runs[0].phases[0].seconds, 3, 1e-12);
  kn_report_model_clear(&model);
  free(path);
  kt_directory_remove(directory);
}

static void names_are_told_apart(void **state) {
  (void)state;
  char *directory = kt_directory_make();
  char *first = kt_path(directory, "a.json"), *second = kt_path(directory, "b/a.json"),
       *third = kt_path(directory, "A.json");
  char *sub = kt_path(directory, "b");
  assert_int_equal(mkdir(sub, 0700), 0);
  kt_file_write_text(first, "{\"target_inference_step\": [1]}");
  kt_file_write_text(second, "{\"target_inference_step\": [1]}");
  kt_file_write_text(third, "{\"target_inference_step\": [1]}");
  char *same[] = {first, second}, *cases[] = {first, third};
  kn_report_model model;
  /* Equal file names: the directories join in. */
  kt_assert_ok(kn_report_model_read(&(kn_report_sources){.measurements = {same, 2}}, &model));
  assert_string_not_equal(model.runs[0].name, model.runs[1].name);
  assert_non_null(strstr(model.runs[1].name, ".b.a"));
  kn_report_model_clear(&model);
  /* Files of the images differ by more than case. */
  kt_assert_ok(kn_report_model_read(&(kn_report_sources){.measurements = {cases, 2}}, &model));
  assert_string_equal(model.runs[0].slug, "a");
  assert_string_equal(model.runs[1].slug, "A-2");
  kn_report_model_clear(&model);
  kn_report_sources sources = {.measurements = {same, 2},
                               .model_names = strings((const char *[]){"x/../y <z>", "x"}, 2)};
  kt_assert_ok(kn_report_model_read(&sources, &model));
  assert_string_equal(model.runs[0].slug, "x-..-y--z-");
  kn_report_model_clear(&model);
  sources.model_names = strings((const char *[]){"x", "x"}, 2);
  kt_assert_fault(kn_report_model_read(&sources, &model), KN_INVALID_ARGUMENT, "two of the models are called \"x\"");
  sources.model_names = strings((const char *[]){"x\ny", "z"}, 2);
  kt_assert_fault(kn_report_model_read(&sources, &model), KN_INVALID_ARGUMENT, "in one line");
  sources.model_names = strings((const char *[]){"\xff", "z"}, 2);
  kt_assert_fault(kn_report_model_read(&sources, &model), KN_INVALID_ARGUMENT, "UTF-8");
  sources.model_names = strings((const char *[]){"x"}, 1);
  kt_assert_fault(kn_report_model_read(&sources, &model), KN_INVALID_ARGUMENT, "1 model names for 2 measurement files");
  free(first);
  free(second);
  free(third);
  free(sub);
  kt_directory_remove(directory);
}

static void faults_of_the_request_are_told(void **state) {
  (void)state;
  files made = make_files();
  kn_report_request request = {.path = "x.pdf", .measurements = {made.paths, 1}};
  kt_assert_fault(kn_report_render(&request), KN_INVALID_ARGUMENT, ".rst, .md or .html");
  request.path = NULL;
  kt_assert_fault(kn_report_render(&request), KN_INVALID_ARGUMENT, "where the report goes");
  request.html_directory = made.directory;
  request.types = strings((const char *[]){"detection"}, 1);
  kt_assert_fault(kn_report_render(&request), KN_INVALID_ARGUMENT, "\"detection\"");
  request.types.count = 0;
  request.measurements = strings((const char *[]){made.paths[0], "/nowhere/m.json", "/nowhere/n.json"}, 3);
  kt_assert_fault(kn_report_render(&request), KN_NOT_FOUND, "/nowhere/m.json");
  kt_assert_fault(kn_report_render(&request), KN_NOT_FOUND, "/nowhere/n.json");
  request.measurements.count = 0;
  kt_assert_fault(kn_report_render(&request), KN_INVALID_ARGUMENT, "at least one measurement file");
  /* Images that the report could not name. */
  char *report = kt_path(made.directory, "docs/r.rst"), *images = kt_path(made.directory, "images");
  request = (kn_report_request){.path = report, .img_dir = images, .measurements = {made.paths, 1}};
  kt_assert_fault(kn_report_render(&request), KN_INVALID_ARGUMENT, "--img-dir");
  assert_int_not_equal(access(report, F_OK), 0);
  free(report);
  free(images);
  remove_files(&made);
}

/* Everything but the plots, which are another process's work. */
static kn_status render_all(const kn_report_sources *sources) {
  kn_report_model model;
  KN_TRY(kn_report_model_read(sources, &model));
  kn_text page = {0}, rst = {0}, markdown = {0};
  kn_figures figures = {0};
  kn_status status = kn_html_write(&model, "kenning render_report", &page);
  if (!status) status = kn_figures_plan(&model, "img", "img/", &figures);
  if (!status) status = kn_outline_write(&model, &figures, "kenning render_report", &kn_markup_rst, &rst);
  if (!status) status = kn_outline_write(&model, &figures, NULL, &kn_markup_markdown, &markdown);
  kn_figures_clear(&figures);
  kn_text_clear(&page);
  kn_text_clear(&rst);
  kn_text_clear(&markdown);
  kn_report_model_clear(&model);
  return status;
}

static void memory_may_run_out(void **state) {
  (void)state;
  files made = make_files();
  kn_report_sources sources = sources_of(&made, 2);
  bool finished = false;
  /* One by one at first, then in strides: a resampling each time makes every allocation too slow. */
  for (uint64_t allowed = 0; !finished; allowed += allowed < 80 ? 1 : 17) {
    assert_true(allowed < 20000);
    kn_memory_fail_after(allowed);
    kn_status status = render_all(&sources);
    kn_memory_fail_after(UINT64_MAX);
    finished = !status;
    if (!finished) kt_assert_fault(status, KN_OUT_OF_MEMORY, NULL);
  }
  remove_files(&made);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(figures_are_derived),
      cmocka_unit_test(readers_are_warned),
      cmocka_unit_test(weights_and_files_that_disagree_are_both_told),
      cmocka_unit_test(a_reference_that_answers_the_same_is_no_reference),
      cmocka_unit_test(other_samples_are_not_paired),
      cmocka_unit_test(one_output_is_compared),
      cmocka_unit_test(accuracy_needs_no_matrix),
      cmocka_unit_test(a_busy_machine_is_told),
      cmocka_unit_test(spans_stand_in_for_phases),
      cmocka_unit_test(names_are_told_apart),
      cmocka_unit_test(faults_of_the_request_are_told),
      cmocka_unit_test(memory_may_run_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
