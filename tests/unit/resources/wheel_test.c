/* Names and checksums of wheels; and pip itself, which is given an altered wheel by an index that is a directory. */
#include "resources/wheel.h"
#include "core/file.h"
#include "core/log.h"
#include "resources/install.h"
#include "resources/installation.h"
#include "support/directory.h"
#include "support/status.h"
#include "unit/resources/data_directories.h"

#include <kenning/process.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define WHEEL "fake_tool-1.0-py3-none-any.whl"

static kt_world world;

static int make_world(void **state) {
  (void)state;
  kn_log_set_level(KN_LOG_ERROR);
  world = kt_world_make();
  return 0;
}

static int remove_world(void **state) {
  (void)state;
  unsetenv("PIP_NO_INDEX");
  unsetenv("PIP_FIND_LINKS");
  unsetenv("PIP_CONFIG_FILE");
  kt_world_remove(&world);
  return 0;
}

static void names_are_told_apart(void **state) {
  (void)state;
  assert_true(kn_wheel_is_of("ml_dtypes-0.6.0-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl",
                             "ml-dtypes==0.6.0"));
  assert_true(kn_wheel_is_of("backports_strenum-1.2.8-py3-none-any.whl=12", "backports.strenum==1.2.8"));
  assert_true(kn_wheel_is_of("openvino-2026.4.1-22982-cp311-cp311-manylinux_2_28_x86_64.whl", "openvino==2026.4.1"));
  assert_true(kn_wheel_is_of("pygments-2.21.0-py3-none-any.whl", "Pygments==2.21.0; python_version > '3'"));
  assert_false(kn_wheel_is_of("onnx-1.17.0-py3-none-any.whl", "onnx==1.17"));
  assert_false(kn_wheel_is_of("onnx-1.17-py3-none-any.whl", "onnx==1.17.0"));
  assert_false(kn_wheel_is_of("onnx_x-1.17-py3-none-any.whl", "onnx==1.17"));
  assert_false(kn_wheel_is_of("onnx-1.17.tar.gz", "onnx==1.17"));
  assert_false(kn_wheel_is_of("onnx-1.17.whl", "onnx==1.17"));
  assert_false(kn_wheel_is_of("onnx-1.17-a-b-c-d-e.whl", "onnx==1.17"));
  const kn_manifest_file file = {.package = (char[]){"a-b==1"}, .python = (char[]){"3.11"}, .platform = (char[]){"x"}};
  assert_true(kn_wheel_fits("a_b-1-cp311-cp311-x.whl", &file));
  assert_false(kn_wheel_fits("a_b-1-cp311-cp311-x.whl.part", &file));
  assert_false(kn_wheel_fits("a_b-1-cp310-cp311-x.whl", &file));
  assert_false(kn_wheel_fits("a_b-1-cp311-cp311-y.whl", &file));
}

/* A requirement gets the checksums of all its wheels and of no other one. */
static void requirements_are_written(void **state) {
  (void)state;
  char *wheels[] = {(char[]){"a-1-cp311-cp311-x.whl=11"}, (char[]){"a-1-cp312-cp312-x.whl=22"},
                    (char[]){"a_b-1-py3-none-any.whl=33"}};
  char *packages[] = {(char[]){"a==1; os_name == 'posix'"}}, *more[] = {(char[]){"a-b==1"}};
  const kn_manifest_environment environment = {
      .wheels = {wheels, 3}, .python_packages = {packages, 1}, .constraints = {more, 1}};
  const kn_string_list *const lists[] = {&environment.python_packages, &environment.constraints};
  char *path = kt_world_path(&world, "requirements.txt");
  kt_assert_ok(kn_wheel_write_requirements(&environment, lists, 2, path));
  char *text = kt_file_read(path, NULL);
  assert_string_equal(text, "a==1; os_name == 'posix' --hash=sha256:11 --hash=sha256:22\na-b==1 --hash=sha256:33\n");
  free(text);
  free(path);
}

/* A wheel with one module in the directory that pip takes for its index; its checksum. */
static void publish(const char *content, char sum[65]) {
  static const char program[] =
      "import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1], 'w')\ni = 'fake_tool-1.0.dist-info/'\n"
      "def put(name, text): z.writestr(zipfile.ZipInfo(name), text)\n"
      "put('fake_tool.py', sys.argv[2])\n"
      "put(i + 'METADATA', 'Metadata-Version: 2.1\\nName: fake-tool\\nVersion: 1.0\\n')\n"
      "put(i + 'WHEEL', 'Wheel-Version: 1.0\\nGenerator: t\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')\n"
      "put(i + 'RECORD', 'fake_tool.py,,\\n' + ''.join(f'{i}{n},,\\n' for n in ('METADATA', 'WHEEL', "
      "'RECORD')))";
  char *path = kt_world_path(&world, "index/" WHEEL), *text;
  kt_assert_ok(kn_directory_make_parent(path));
  kt_assert_ok(kn_process_output((const char *const[]){"python3", "-c", program, path, content, NULL}, 60, &text));
  kt_assert_ok(kn_sha256_file(path, sum));
  kn_free(text);
  free(path);
}

static kn_status install(bool offline) {
  const char *name = "fake";
  return kn_install(&(const kn_install_request){.frameworks = &name, .count = 1, .force = offline, .offline = offline});
}

static void an_altered_wheel_is_refused(void **state) {
  (void)state;
  char sum[65], altered[65], text[1024], *index = kt_world_path(&world, "index");
  setenv("PIP_NO_INDEX", "1", 1);
  setenv("PIP_FIND_LINKS", index, 1);
  setenv("PIP_CONFIG_FILE", "/dev/null", 1);
  free(index);
  publish("good = True\n", sum);
  snprintf(text, sizeof text,
           "{\"framework\": {\"name\": \"fake\", \"summary\": \"A fake\", \"version\": \"1\", \"license\": \"MIT\"}, "
           "\"environment\": {\"name\": \"tools\", \"python_packages\": [\"fake-tool==1.0\"], \"imports\": "
           "[\"fake_tool\"], \"wheels\": [\"" WHEEL "=%s\"], \"download_bytes\": 1000, \"disk_bytes\": 1000}}",
           sum);
  kt_world_write(&world, "share/backends/fake/manifest.json", text);
  /* By the index: pip compares, nothing is put in place. */
  publish("good = False\n", altered);
  kn_status status = install(false);
  const char *message = kn_status_message(status, 0);
  assert_int_equal(kn_status_code(status), KN_BACKEND_FAILED);
  if (!strstr(message, "HASHES") || !strstr(message, "fake-tool==1.0") || !strstr(message, sum) ||
      !strstr(message, altered))
    fail_msg("%s", message);
  kn_status_free(status);
  assert_true(kt_world_entries(&world, "data/environments") <= 0);
  /* The one that was tested. */
  publish("good = True\n", sum);
  kt_assert_ok(install(false));
  kn_installation installation;
  kt_assert_ok(kn_installation_read("fake", &installation));
  /* Among the downloads: told with its path, and removed; what is installed stays. */
  char *downloaded = kt_world_path(&world, "cache/downloads/pip/" WHEEL);
  kt_file_write_text(downloaded, "altered");
  kt_assert_fault(install(true), KN_BACKEND_FAILED, WHEEL " is not the wheel that was tested");
  assert_int_not_equal(access(downloaded, F_OK), 0);
  assert_int_equal(access(installation.environment.directory, F_OK), 0);
  kn_installation_clear(&installation);
  free(downloaded);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_world, remove_world)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(names_are_told_apart),
      TEST(requirements_are_written),
      TEST(an_altered_wheel_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
