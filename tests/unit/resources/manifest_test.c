#include "resources/manifest.h"
#include "core/memory.h"
#include "resources/place.h"
#include "support/directory.h"
#include "support/status.h"
#include "unit/resources/data_directories.h"

#include <stdlib.h>

#define FRAMEWORK \
  "\"framework\": {\"name\": \"fake\", \"summary\": \"A fake\", \"version\": \"1.0\", \"license\": \"MIT\"}"
#define SUM "\"sha256\": \"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\""
#define SIZES "\"bytes\": 10, \"download_bytes\": 20, \"version\": \"1.0\""
#define WHEEL(name) "\"" name "-py3-none-any.whl=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\""
#define FILE_OF(client, package, member, more)                                                    \
  "{\"key\": \"library\", \"arch\": \"any\", \"client\": \"" client "\", \"package\": \"" package \
  "\", "                                                                                          \
  "\"member\": \"" member "\", " SUM ", " SIZES more "}"
#define GOOD_FILE FILE_OF("pip", "fake-engine==1.0", "fake/libfake.so", "")
#define SOURCES(client, package)                                                                     \
  "\"sources\": [{\"arch\": \"any\", \"client\": \"" client "\", \"package\": \"" package "\", " SUM \
  ", \"download_bytes\": 20}]"
#define BUILD(script, result, more)                                                    \
  "\"build\": {\"key\": \"engine\", \"script\": \"" script "\", \"result\": \"" result \
  "\", \"version\": \"1.0\", \"bytes\": 10, \"work_bytes\": 20" more "}"
#define MANIFEST(file, more) "{" FRAMEWORK ", \"files\": [" file "]" more "}"

static kt_world world;

static int make_world(void **state) {
  (void)state;
  world = kt_world_make();
  return 0;
}

static int remove_world(void **state) {
  (void)state;
  kt_world_remove(&world);
  return 0;
}

static kn_status read_text(const char *text, kn_manifest *manifest) {
  kt_world_write(&world, "share/backends/fake/manifest.json", text);
  return kn_manifest_read("fake", manifest);
}

static void assert_refused(const char *text, const char *part) {
  kn_manifest manifest;
  kn_status status = read_text(text, &manifest);
  kt_assert_fault(status, KN_INVALID_ARGUMENT, part);
  assert_int_equal(manifest.file_count, 0);
}

static void a_manifest_is_read(void **state) {
  (void)state;
  kn_manifest manifest;
  kt_assert_ok(read_text(
      "{\"kenning_schema\": \"1.0\", " FRAMEWORK ", \"files\": [" GOOD_FILE
      ", " FILE_OF("mvn", "org.fake:engine:1.0:jar:linux", "libfake.so",
                   "") "],"
                       "\"environment\": {\"name\": \"tools\", \"python_packages\": [\"a==1\", \"b.c==2.0; "
                       "python_version > '3.9'\"],"
                       "\"no_deps\": [\"d==3\"], \"wheels\": [" WHEEL("a-1") ", " WHEEL("B_C-2.0-1") ", " WHEEL(
                           "d-3") "], "
                                  "\"python_min\": \"3.9\", \"download_bytes\": 1, \"disk_bytes\": 2}}",
      &manifest));
  assert_string_equal(kn_manifest_head(&manifest)->summary, "A fake");
  assert_int_equal(manifest.file_count, 2);
  const kn_manifest_file *file = kn_manifest_file_at(&manifest, 0);
  assert_int_equal(file->client, KN_CLIENT_PIP);
  assert_int_equal(file->bytes, 10);
  assert_string_equal(kn_manifest_file_name(file), "libfake.so");
  assert_null(file->python);
  assert_int_equal(kn_manifest_file_at(&manifest, 1)->client, KN_CLIENT_MVN);
  assert_null(kn_manifest_file_at(&manifest, 2));
  const kn_manifest_environment *environment = kn_manifest_environment_of(&manifest);
  assert_int_equal(environment->python_packages.count, 2);
  assert_int_equal(environment->no_deps.count, 1);
  assert_int_equal(environment->constraints.count, 0);
  kn_manifest_clear(&manifest);
}

static void faults_are_told_with_their_place(void **state) {
  (void)state;
  static const struct {
    const char *text, *part;
  } cases[] = {
      {"[]", "a manifest is an object"},
      {"{}", "'framework' is missing"},
      {"{" FRAMEWORK "}", "'files' is missing"}, /* nothing at all would be installed */
      {"{" FRAMEWORK ", \"files\": []}", "at least one file"},
      {"{" FRAMEWORK ", \"files\": {}}", "at least one file"},
      {"{" FRAMEWORK ", \"files\": [3]}", "must be an object"},
      {"{" FRAMEWORK ", " FRAMEWORK ", \"files\": [" GOOD_FILE "]}", "once each"},
      {MANIFEST(GOOD_FILE, ", \"extra\": 1"), "no 'extra' here"},
      {MANIFEST("{\"key\": \"library\"}", ""), "file needs 'package'"},
      {MANIFEST(FILE_OF("npm", "a==1", "b", ""), ""), "it must be one of: pip, mvn, cargo"},
      {MANIFEST(FILE_OF("cargo", "a==1", "b", ""), ""), "no file is taken out of them"},
      {MANIFEST(FILE_OF("pip", "fake", "b", ""), ""), "name==version"},
      {MANIFEST(FILE_OF("pip", "-rfile==1", "b", ""), ""), "name==version"},
      {MANIFEST(FILE_OF("pip", "a==1 --pre", "b", ""), ""), "name==version"},
      {MANIFEST(FILE_OF("pip", "==1", "b", ""), ""), "name==version"},
      {MANIFEST(FILE_OF("mvn", "a:b:1", "b", ""), ""), "group:artifact:version:extension"},
      {MANIFEST(FILE_OF("mvn", "a:..:1:jar", "b", ""), ""), "group:artifact:version:extension"},
      {MANIFEST(FILE_OF("mvn", "a:b::jar", "b", ""), ""), "group:artifact:version:extension"},
      {MANIFEST(FILE_OF("mvn", "a:b:1:jar", "b", ", \"python\": \"3.11\""), ""), "only pip takes"},
      {MANIFEST(FILE_OF("pip", "a==1", "../b", ""), ""), "path inside the package"},
      {MANIFEST(FILE_OF("pip", "a==1", "/b", ""), ""), "path inside the package"},
      {MANIFEST(FILE_OF("pip", "a==1", "a//b", ""), ""), "path inside the package"},
      {MANIFEST(FILE_OF("pip", "a==1", "a/./b", ""), ""), "path inside the package"},
      {MANIFEST(FILE_OF("pip", "a==1", "a/", ""), ""), "path inside the package"},
      {MANIFEST(FILE_OF("pip", "a==1", "b", ", \"python\": \"3\""), ""), "a version such as 3.11"},
      {MANIFEST(FILE_OF("pip", "a==1", "b", ", \"platform\": \"x y\""), ""), "a tag such as"},
      {MANIFEST(FILE_OF("pip", "a==1", "b", ", \"version_function\": \"f()\""), ""), "name of a C function"},
      {MANIFEST(FILE_OF("pip", "a==1", "b", ", \"bytes\": 0"), ""), "given twice"},
      {MANIFEST("{\"key\": \"Lib\", \"arch\": \"any\", \"client\": \"pip\", \"package\": \"a==1\", \"member\": \"b\","
                "\"sha256\": \"abc\", \"bytes\": 1, \"download_bytes\": 1, \"version\": \"1\"}",
                ""),
       "64 lower-case hexadecimal digits"},
      {MANIFEST(GOOD_FILE ", {\"key\": \"other\", \"arch\": \"any\", \"client\": \"pip\", \"package\": \"a==1\", "
                          "\"member\": \"x/libfake.so\", " SUM ", " SIZES "}",
                ""),
       "another file is called the same"},
      {MANIFEST(GOOD_FILE,
                ", \"environment\": {\"name\": \"Big\", \"python_packages\": [\"a==1\"], "
                "\"download_bytes\": 1, \"disk_bytes\": 1}"),
       "lower-case letters"},
      {MANIFEST(GOOD_FILE,
                ", \"environment\": {\"name\": \"e\", \"python_packages\": [], \"download_bytes\": 1, "
                "\"disk_bytes\": 1}"),
       "at least one package"},
      {MANIFEST(GOOD_FILE,
                ", \"environment\": {\"name\": \"e\", \"python_packages\": [\"a>=1; b == '2'\"], "
                "\"download_bytes\": 1, \"disk_bytes\": 1}"),
       "exact version"},
      {MANIFEST(GOOD_FILE,
                ", \"environment\": {\"name\": \"e\", \"python_packages\": [\"a==1\"], "
                "\"no_deps\": [\"--index-url==x\"], \"download_bytes\": 1, \"disk_bytes\": 1}"),
       "exact version"},
      {MANIFEST(GOOD_FILE,
                ", \"environment\": {\"name\": \"e\", \"python_packages\": [\"a==1\"], "
                "\"imports\": [\"os; evil\"], \"download_bytes\": 1, \"disk_bytes\": 1}"),
       "name of a Python module"},
      {MANIFEST(GOOD_FILE,
                ", \"environment\": {\"name\": \"e\", \"python_packages\": [\"a==1\"], "
                "\"wheels\": [\"../a.whl=00\"], \"download_bytes\": 1, \"disk_bytes\": 1}"),
       "name.whl=sha256"},
      {MANIFEST(GOOD_FILE,
                ", \"environment\": {\"name\": \"e\", \"python_packages\": [\"a==1\"], \"constraints\": [\"b==2\"], "
                "\"wheels\": [" WHEEL("a-1") ", " WHEEL("b-2.1") "], \"download_bytes\": 1, \"disk_bytes\": 1}"),
       "'constraints' is \"b==2\": 'wheels' has no checksum of it"},
      {MANIFEST(GOOD_FILE,
                ", \"environment\": {\"name\": \"e\", \"python_packages\": [\"a==1\"], "
                "\"wheels\": [" WHEEL("a-1") ", " WHEEL("b-2") "], \"download_bytes\": 1, \"disk_bytes\": 1}"),
       "no package of the environment is this one"},
      {MANIFEST(GOOD_FILE,
                ", \"environment\": {\"name\": \"e\", \"python_packages\": [\"a==1\"], "
                "\"download_bytes\": 1, \"disk_bytes\": 1}"),
       "'python_packages' is \"a==1\": 'wheels' has no checksum of it"},
      {MANIFEST(GOOD_FILE,
                ", \"environment\": {\"name\": \"e\", \"python_packages\": [\"a==1\"], "
                "\"prepare\": \"../p.py\", \"download_bytes\": 1, \"disk_bytes\": 1}"),
       "name of a file in the build directory"},
      {"{" FRAMEWORK ", " SOURCES("cargo", "a==1") "}", "'files' is missing"},
      {MANIFEST(GOOD_FILE, ", " SOURCES("cargo", "a==1")), "'build' is missing"},
      {MANIFEST(GOOD_FILE, ", " SOURCES("cargo", "a=1") ", " BUILD("b.py", "b.so", "")), "written name==version"},
      {"{" FRAMEWORK ", \"sources\": [], " BUILD("b.py", "b.so", "") "}", "at least one source"},
      {MANIFEST(GOOD_FILE, ", " BUILD("../b.py", "b.so", "")), "name of a file in the build directory"},
      {MANIFEST(GOOD_FILE, ", " BUILD("b.py", "x/b.so", "")), "it must be the name of a file"},
      {MANIFEST(GOOD_FILE, ", " BUILD("b.py", "libfake.so", "")), "a file has this key or name"},
      {MANIFEST(GOOD_FILE, ", " BUILD("b.py", "b.so", ", \"programs\": [\"a b\"]")), "name of a program"},
      {MANIFEST(GOOD_FILE, ", " BUILD("b.py", "b.so", ", \"with_environment\": true")), "'environment' is missing"},
      {"{\"framework\": {\"name\": \"other\", \"summary\": \"s\", \"version\": \"1\", \"license\": \"MIT\"}, "
       "\"files\": [" GOOD_FILE "]}",
       "manifest of 'other', not of fake"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) assert_refused(cases[i].text, cases[i].part);
  /* A misspelt key is a fault of its own code, and names the right one. */
  kn_manifest manifest;
  kt_assert_fault(read_text(MANIFEST(FILE_OF("pip", "a==1", "b", ",\n \"membr\": 1"), ""), &manifest), KN_NOT_FOUND,
                  "manifest.json:2:2: file has no parameter 'membr'; did you mean 'member'?");
  kt_assert_fault(read_text("{" FRAMEWORK, &manifest), KN_BAD_DATA, "not valid JSON");
  kt_assert_fault(read_text("{\"kenning_schema\": \"2.0\"}", &manifest), KN_INCOMPATIBLE, "schema 1");
}

/* All faults of a file at once. */
static void every_fault_is_told(void **state) {
  (void)state;
  kn_manifest manifest;
  kn_status status =
      read_text(MANIFEST(FILE_OF("pip", "a", "../b", "") ", " FILE_OF("mvn", "a:b", "c", ""), ", \"x\": 1"), &manifest);
  assert_int_equal(kn_status_count(status), 4);
  kt_assert_fault(status, KN_INVALID_ARGUMENT, "no 'x' here");
}

static void unknown_frameworks_are_told_what_there_is(void **state) {
  (void)state;
  kn_manifest manifest;
  kt_assert_fault(kn_manifest_read("fake", &manifest), KN_NOT_FOUND, "there is: none");
  kt_assert_ok(read_text(MANIFEST(GOOD_FILE, ""), &manifest));
  kn_manifest_clear(&manifest);
  kt_assert_fault(kn_manifest_read("fale", &manifest), KN_NOT_FOUND, "did you mean 'fake'?; there is: fake");
  kt_assert_fault(kn_manifest_read("../fake", &manifest), KN_NOT_FOUND, "no framework '../fake'");
  kt_assert_fault(kn_manifest_read("", &manifest), KN_NOT_FOUND, "no framework ''");
}

/* What is found in KENNING_PLUGIN_PATH comes first; the names are sorted and told once. */
static void back_ends_of_the_plugin_path(void **state) {
  (void)state;
  char *path = kt_world_path(&world, "own"), *list = NULL;
  assert_true(asprintf(&list, ":/no/such:%s", path) > 0);
  setenv("KENNING_PLUGIN_PATH", list, 1);
  kn_manifest manifest;
  kt_assert_ok(read_text(MANIFEST(GOOD_FILE, ""), &manifest));
  kn_manifest_clear(&manifest);
  kt_world_write(&world, "own/backends/fake/manifest.json", "{}");
  kt_world_write(&world, "own/backends/another/manifest.json", "{}");
  kt_world_write(&world, "own/backends/without/readme", "");
  kt_assert_fault(kn_manifest_read("fake", &manifest), KN_INVALID_ARGUMENT, "own/backends/fake/manifest.json");
  kn_string_list names;
  kt_assert_ok(kn_place_backends(&names));
  assert_int_equal(names.count, 2);
  assert_string_equal(names.items[0], "another");
  assert_string_equal(names.items[1], "fake");
  kn_place_free_names(&names);
  unsetenv("KENNING_PLUGIN_PATH");
  free(list);
  free(path);
}

/* The manifests of the source tree: every kind of machine finds a library. */
static void the_shipped_manifests_are_valid(void **state) {
  (void)state;
  static const char *const names[] = {"backends/tensorflow/manifest.json", "backends/tflite/manifest.json"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char *path = kt_source_path(names[i]);
    kn_manifest manifest;
    kt_assert_ok(kn_manifest_read_file(path, &manifest));
    bool x86_64 = false, aarch64 = false;
    for (size_t j = 0; j < manifest.file_count; j++) {
      const kn_manifest_file *file = kn_manifest_file_at(&manifest, j);
      if (strcmp(file->key, "library") != 0) continue;
      assert_non_null(file->version_function);
      x86_64 = x86_64 || file->arch == KN_ARCH_X86_64;
      aarch64 = aarch64 || file->arch == KN_ARCH_AARCH64;
    }
    assert_true(x86_64 && aarch64);
    kn_manifest_clear(&manifest);
    free(path);
  }
}

static void failing_allocations(void **state) {
  (void)state;
  kn_manifest manifest;
  kt_assert_ok(read_text(MANIFEST(GOOD_FILE, ""), &manifest));
  kn_manifest_clear(&manifest);
  kn_status status = NULL;
  uint64_t allowed = 0;
  do {
    kn_status_free(status);
    kn_memory_fail_after(allowed++);
    status = kn_manifest_read("fake", &manifest);
    kn_memory_fail_after(UINT64_MAX);
    if (!status) kn_manifest_clear(&manifest);
    assert_true(!status || kn_status_code(status) == KN_OUT_OF_MEMORY);
  } while (status);
  assert_true(allowed > 20);
}

#define test(function) cmocka_unit_test_setup_teardown(function, make_world, remove_world)

int main(void) {
  const struct CMUnitTest tests[] = {
      test(a_manifest_is_read),           test(faults_are_told_with_their_place),
      test(every_fault_is_told),          test(unknown_frameworks_are_told_what_there_is),
      test(back_ends_of_the_plugin_path), test(the_shipped_manifests_are_valid),
      test(failing_allocations),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
