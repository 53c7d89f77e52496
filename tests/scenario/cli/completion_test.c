/* Completion: what the program offers, and what bash, zsh and fish make of it when somebody types. */
#include "support/directory.h"
#include "support/program.h"
#include "support/unit.h"

#include <kenning/base.h>
#include <stdio.h>
#include <string.h>

static void offers(const char *const *typed, const char *how, const char *expected) {
  const char *arguments[10] = {kt_kenning(), "completion", how, "--"};
  for (size_t i = 0; typed[i]; i++) arguments[4 + i] = typed[i];
  kt_run run = kt_run_program(arguments, NULL);
  kt_assert_exit(&run, 0);
  assert_string_equal(run.out, expected);
  assert_string_equal(run.err, "");
  kt_run_free(&run);
}

static void words_are_those_that_fit_the_place(void **state) {
  (void)state;
  static const struct {
    const char *typed[5], *words;
  } cases[] = {{{"test", "--verbosity", ""}, " DEBUG INFO WARNING ERROR CRITICAL"},
               {{"completion", ""}, " bash zsh fish"},
               {{"cache", ""}, " list size clear"},
               {{"cache", "list", ""}, " resources results downloads"},
               {{"test", ""}, " train optimize test report"},
               {{"psk", "-"}, " --help"},
               /* files */
               {{"test", "--json-cfg", ""}, ""},
               {{"check", ""}, ""},
               {{"json_inference_tester", "a.json", ""}, ""},
               {{"inference_tester", "A", "B", ""}, ""},
               {{"schema", ""}, ""},
               {{"no-command", ""}, ""}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) offers(cases[i].typed, "words", cases[i].words);
}

static void blocks_are_those_of_the_kind(void **state) {
  (void)state;
  kt_run run = kt_run_kenning(NULL, "completion", "words", "--", "inference_tester", "");
  kt_assert_exit(&run, 0);
  kt_assert_contains(run.out, " NullModelWrapper");
  assert_null(strstr(run.out, "Dataset "));
  kt_run_free(&run);
  run = kt_run_kenning(NULL, "completion", "words", "--", "inference_tester", "A", "");
  kt_assert_exit(&run, 0);
  kt_assert_contains(run.out, " PetDataset");
  assert_null(strstr(run.out, "Wrapper"));
  kt_run_free(&run);
}

static void descriptions_are_one_a_line(void **state) {
  (void)state;
  static const char *const typed[] = {"test", "--verbosity", "", NULL};
  offers(typed, "described",
         "DEBUG\teverything\nINFO\tprogress\nWARNING\twhat may be wrong\nERROR\twhat is wrong\n"
         "CRITICAL\twhat ends the run\n");
}

/* ---- the shells ---- */

static const struct {
  const char *typed, *word; /* behind "kenning "; what its last word becomes */
} lines[] = {{"tes", "test"},
             {"json_inference_t", "json_inference_tester"},
             {"test --split cal", "calibration"},
             {"test --verbosity WARN", "WARNING"},
             {"test --verbosity=WARN", "--verbosity=WARNING"},
             {"test --runtime-cls aut", "auto"},
             {"test --compiled-model-p", "--compiled-model-path"},
             {"info TFLiteC", "TFLiteCompiler"},
             {"completion b", "bash"},
             {"list datap", "dataprovider"},
             {"install onnx-", "onnx-mxnet"},
             {"test --json-cfg scen", "scenario.json"},
             {"test --json-cfg=scen", "--json-cfg=scenario.json"}};
enum { LINES = sizeof lines / sizeof *lines };

/* Types the lines in `shell`, which runs `driver` with the script in the file "script" and prints a line each, and
 * compares with `expected`. */
static void type(const char *const *shell, const char *script_of, const char *driver, const char *const *expected) {
  char found[64];
  snprintf(found, sizeof found, "command -v %s", shell[0]);
  const char *seek[] = {"sh", "-c", found, NULL};
  kt_run run = kt_run_program(seek, NULL);
  bool there = run.exit_code == 0;
  kt_run_free(&run);
  if (!there) kt_skip("apt-get install %s", shell[0]);

  char *directory = kt_directory_make();
  run = kt_run_kenning(NULL, "completion", script_of);
  kt_assert_exit(&run, 0);
  assert_true(run.out_bytes < 1200); /* it asks the program */
  static const char *const names[] = {"script", "driver", "scenario.json"};
  const char *texts[] = {run.out, driver, "{}"};
  for (size_t i = 0; i < 3; i++) {
    char *path = kt_path(directory, names[i]);
    kt_file_write_text(path, texts[i]);
    free(path);
  }
  kt_run_free(&run);

  char typed[1024] = "", all[1024] = "";
  for (size_t i = 0; i < LINES; i++) {
    size_t used = strlen(typed);
    snprintf(typed + used, sizeof typed - used, "kenning %s\n", lines[i].typed);
    used = strlen(all);
    snprintf(all + used, sizeof all - used, "<%s>\n", expected[i]);
  }
  char *path =
      kn_format("PATH=%.*s:%s", (int)(strrchr(kt_kenning(), '/') - kt_kenning()), kt_kenning(), getenv("PATH"));
  char *home = kn_format("HOME=%s", directory);
  const char *environment[] = {path, home, "TERM=dumb", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "ZDOTDIR", NULL};
  const kt_run_options options = {.directory = directory, .input = typed, .environment = environment, .timeout_s = 100};
  run = kt_run_program(shell, &options);
  kt_assert_exit(&run, 0);
  assert_string_equal(run.out, all);
  kt_run_free(&run);
  kn_free(home);
  kn_free(path);
  kt_directory_remove(directory);
}

/* Words end at "=" too, and file names are readline's business. */
static void bash_completes(void **state) {
  (void)state;
  const char *expected[LINES];
  for (size_t i = 0; i < LINES; i++) {
    const char *value = strchr(lines[i].word, '=');
    expected[i] = strstr(lines[i].word, "scenario.json") ? "" : value ? value + 1 : lines[i].word;
  }
  static const char *const shell[] = {"bash", "--norc", "driver", NULL};
  type(shell, "bash",
       "source ./script\n"
       "while read -r line; do\n"
       "  read -ra COMP_WORDS <<<\"${line//=/ = }\"\n"
       "  COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n"
       "  _kenning\n"
       "  echo \"<${COMPREPLY[*]}>\"\n"
       "done\n",
       expected);
}

static void fish_completes(void **state) {
  (void)state;
  const char *expected[LINES];
  for (size_t i = 0; i < LINES; i++) expected[i] = lines[i].word;
  static const char *const shell[] = {"fish", "--no-config", "driver", NULL};
  type(shell, "fish",
       "source script\n"
       "while read -l line\n"
       "  echo \"<\"(string join -- ' ' (complete -C $line | string replace -r '\\t.*' ''))\">\"\n"
       "end\n",
       expected);
}

/* zsh completes only for somebody at a terminal: one of its own, where ^T completes the line and writes it down.
 * `setup` makes the script known. */
static void zsh_completes_after(const char *setup) {
  char buffers[LINES][128];
  const char *expected[LINES];
  for (size_t i = 0; i < LINES; i++) {
    const char *blank = strrchr(lines[i].typed, ' ');
    int kept = blank ? (int)(blank + 1 - lines[i].typed) : 0;
    snprintf(buffers[i], sizeof buffers[i], "kenning %.*s%s ", kept, lines[i].typed, lines[i].word);
    expected[i] = buffers[i];
  }
  char *driver = kn_format(
      "zmodload zsh/zpty\n"
      ": >written\n"
      "zpty shell zsh -f -i\n"
      "zpty -w shell 'PS1=; autoload -Uz compinit; %s'\n"
      "zpty -w shell 'take() { zle complete-word; print -r -- \"<$BUFFER>\" >>written; zle kill-buffer; }'\n"
      "zpty -w shell 'zle -N take; bindkey \"^T\" take; echo ready >>written'\n"
      "await() {\n"
      "  local i junk written\n"
      "  for (( i = 0; i < 1500; i++ )); do\n"
      "    written=(${(f)\"$(<written)\"})\n"
      "    (( ${#written} >= $1 )) && return\n"
      "    zpty -r -t shell junk\n"
      "    sleep 0.05\n"
      "  done\n"
      "  print -u2 no answer\n"
      "  exit 1\n"
      "}\n"
      "await 1\n"
      "n=1\n"
      "while read -r line; do\n"
      "  zpty -w -n shell \"$line\"$'\\x14'\n"
      "  await $(( ++n ))\n"
      "done\n"
      "zpty -d shell\n"
      "tail -n +2 written\n",
      setup);
  static const char *const shell[] = {"zsh", "-f", "driver", NULL};
  type(shell, "zsh", driver, expected);
  kn_free(driver);
}

static void zsh_completes_once_the_script_was_sourced(void **state) {
  (void)state;
  zsh_completes_after("compinit -u -D; source ./script");
}

static void zsh_completes_with_the_script_in_fpath(void **state) {
  (void)state;
  zsh_completes_after("mkdir functions; cp script functions/_kenning; fpath+=($PWD/functions); compinit -u -D");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(words_are_those_that_fit_the_place),
      cmocka_unit_test(blocks_are_those_of_the_kind),
      cmocka_unit_test(descriptions_are_one_a_line),
      cmocka_unit_test(bash_completes),
      cmocka_unit_test(fish_completes),
      cmocka_unit_test(zsh_completes_once_the_script_was_sourced),
      cmocka_unit_test(zsh_completes_with_the_script_in_fpath),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
