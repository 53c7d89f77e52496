#include "unit/resources/fake_clients.h"

#include <kenning/process.h>
#include <kenning/services.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/file.h"
#include "core/log.h"
#include "resources/installation.h"
#include "support/directory.h"
#include "support/status.h"

kt_world kt_fake_world;
static char *old_path, *real_python;

/* The interpreter of the test: pip and venv are fakes, everything else is the real one's. */
static const char fake_python[] =
    "#!/bin/sh\n"
    "W='%s'\n"
    "echo \"$@\" >>$W/calls\n"
    "if [ \"$1\" = -I ]; then shift; fi\n"
    "mode() { [ -e $W/mode/$1 ]; }\n"
    "case \"$1 $2 $3\" in\n"
    "'-m pip --version') if mode no-pip; then echo 'No module named pip' >&2; exit 1; fi; echo pip 1;;\n"
    "'-m pip download')\n"
    "  if mode fail; then echo 'ERROR: No matching distribution found' >&2; exit 1; fi\n"
    "  if mode full; then echo 'OSError: [Errno 28] No space left on device' >&2; exit 1; fi\n"
    "  if mode hang; then sleep 100; fi\n"
    "  while [ \"$1\" != --dest ]; do shift; done\n"
    "  if mode die; then rm $W/mode/die; head -c 60 $W/registry/*.whl >$2/fake_engine-1.0-py3-none-any.whl;\n"
    "    kill -9 $$; fi\n"
    "  cp $W/registry/*.whl $2;;\n"
    "'-m venv '*)\n"
    "  if mode no-venv; then echo 'ensurepip is not available' >&2; exit 1; fi\n"
    "  mkdir -p $3/bin; ln -s $W/bin/python3 $3/bin/python3; touch $3/bin/some-program;;\n"
    "'-m pip install') if mode bad-install; then echo 'ERROR: no space for you' >&2; exit 1; fi;;\n"
    "'-m pip freeze') echo fake-tool==1.0; if mode changed; then echo more==1; fi;;\n"
    "'-c import platform'*) echo 3.11.2;;\n"
    "'-c import fake_tool '*) if mode no-import; then echo 'ImportError: libfake.so' >&2; exit 1; fi;;\n"
    "*) exec %s \"$@\";;\n"
    "esac\n";

static const char fake_mvn[] =
    "#!/bin/sh\n"
    "W='%s'\n"
    "echo mvn \"$@\" >>$W/calls\n"
    "for a; do case $a in -Dmaven.repo.local=*) R=${a#*=};; esac; done\n"
    "if [ -e $W/mode/mvn-distrusts ]; then case $MAVEN_OPTS in *trustStore=*) T=${MAVEN_OPTS#*trustStore=};\n"
    "  cp ${T%%%% *} $W/trusted;; *) echo '[ERROR] PKIX path building failed'; exit 1;; esac; fi\n"
    "if [ -e $W/mode/mvn-fails ]; then echo '[ERROR] No plugin found'; echo '[ERROR] hint'; exit 1; fi\n"
    "mkdir -p $R/org/fake/engine/2.0\n"
    "cp $W/registry/engine.jar $R/org/fake/engine/2.0/engine-2.0-linux.jar\n";

void kt_fake_mode(const char *name, bool on) {
  char path[64];
  snprintf(path, sizeof path, "mode/%s", name);
  char *whole = kt_world_path(&kt_fake_world, path);
  if (on)
    kt_world_write(&kt_fake_world, path, "");
  else
    (void)unlink(whole);
  free(whole);
}

/* An archive with the members "fake/libfake.so" and "fake/more.so" of the given content. */
void kt_fake_archive(const char *name, const char *content) {
  char *path = kt_world_path(&kt_fake_world, name);
  kt_assert_ok(kn_directory_make_parent(path));
  char *text;
  kt_assert_ok(kn_process_output(
      (const char *const[]){real_python, "-c",
                            "import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1], 'w')\n"
                            "z.writestr('fake/libfake.so', sys.argv[2])\nz.writestr('fake/more.so', 'more')\n",
                            path, content, NULL},
      60, &text));
  kn_free(text);
  free(path);
}

#define WHEEL(name) "\"" name "-py3-none-any.whl=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\""

const char kt_fake_environment[] =
    ", \"environment\": {\"name\": \"tools\", \"python_packages\": [\"fake-tool==1.0\"], \"imports\": [\"fake_tool\"],"
    " \"constraints\": [\"six==1\"], \"no_deps\": [\"other==2\"],"
    " \"wheels\": [" WHEEL("fake_tool-1.0") ", " WHEEL("six-1") ", " WHEEL(
        "other-2") "], \"download_bytes\": 1000, \"disk_bytes\": 1000}";

/* `content` is what the library must hold; by mvn first when `with_mvn`. */
void kt_fake_manifest(const char *content, bool with_mvn, const char *more) {
  char sum[65], more_sum[65], text[4096], first[1024] = "";
  kt_assert_ok(kn_sha256(content, strlen(content), sum));
  kt_assert_ok(kn_sha256("more", 4, more_sum));
  if (with_mvn)
    snprintf(first, sizeof first,
             "{\"key\": \"library\", \"arch\": \"any\", \"client\": \"mvn\", \"package\": "
             "\"org.fake:engine:2.0:jar:linux\", \"member\": \"fake/libfake.so\", \"sha256\": \"%s\", \"bytes\": %zu, "
             "\"download_bytes\": 100, \"version\": \"2.0\", \"version_function\": \"fake_version\"}, ",
             sum, strlen(content));
  snprintf(text, sizeof text,
           "{\"framework\": {\"name\": \"fake\", \"summary\": \"A fake\", \"version\": \"2.0\", \"license\": \"MIT\"},"
           "\"files\": [%s{\"key\": \"library\", \"arch\": \"any\", \"client\": \"pip\", \"package\": "
           "\"Fake-Engine==1.0\", \"member\": \"fake/libfake.so\", \"sha256\": \"%s\", \"bytes\": %zu, "
           "\"download_bytes\": 100, \"version\": \"1.0\", \"version_function\": \"fake_version\"}, "
           "{\"key\": \"more\", \"arch\": \"any\", \"client\": \"pip\", \"package\": \"Fake-Engine==1.0\", "
           "\"member\": \"fake/more.so\", \"sha256\": \"%s\", \"bytes\": 4, \"download_bytes\": 100, \"version\": "
           "\"1.0\"}]%s}",
           first, sum, strlen(content), more_sum, more);
  kt_world_write(&kt_fake_world, "share/backends/fake/manifest.json", text);
}

int kt_fake_setup(void **state) {
  (void)state;
  kn_log_set_level(KN_LOG_ERROR);
  unsetenv("SSL_CERT_FILE");
  unsetenv("MAVEN_OPTS");
  unsetenv("JAVA_TOOL_OPTIONS");
  kt_fake_world = kt_world_make();
  old_path = strdup(getenv("PATH"));
  kt_assert_ok(kn_process_output((const char *const[]){"python3", "-c", "import sys; print(sys.executable)", NULL}, 60,
                                 &real_python));
  real_python[strcspn(real_python, "\n")] = '\0';
  char text[4096], *bin = kt_world_path(&kt_fake_world, "bin");
  snprintf(text, sizeof text, fake_python, kt_fake_world.directory, real_python);
  kt_world_write_program(&kt_fake_world, "bin/python3", text);
  static const char *const programs[] = {"sh", "cp", "ln", "mkdir", "rm", "head", "sleep", "touch", "setpriv"};
  for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
    char *path, *link = kt_path(bin, programs[i]);
    kn_status status = kn_process_find(programs[i], &path);
    if (!status && symlink(path, link) != 0) fail_msg("symlink %s", link);
    kn_status_free(status); /* setpriv may be missing */
    kn_free(path);
    free(link);
  }
  setenv("PATH", bin, 1);
  free(bin);
  kt_fake_archive("registry/fake_engine-1.0-py3-none-any.whl", "library");
  kt_fake_manifest("library", false, "");
  return 0;
}

int kt_fake_teardown(void **state) {
  (void)state;
  setenv("PATH", old_path, 1);
  free(old_path);
  kn_free(real_python);
  kt_world_remove(&kt_fake_world);
  return 0;
}

kn_status kt_fake_install_as(kn_install_request request) {
  const char *name = "fake";
  request.frameworks = &name;
  request.count = 1;
  return kn_install(&request);
}

kn_status kt_fake_install(void) { return kt_fake_install_as((kn_install_request){0}); }

/* Number of lines in the log of calls that hold `part`; the log starts anew. */
int kt_fake_calls(const char *part) {
  char *path = kt_world_path(&kt_fake_world, "calls");
  int count = 0;
  if (kn_file_exists(path, NULL)) {
    char *text = kt_file_read(path, NULL);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) count += strstr(line, part) != NULL;
    free(text);
    (void)unlink(path);
  }
  free(path);
  return count;
}

void kt_fake_assert_installed(const char *version) {
  kn_installation installation;
  kt_assert_ok(kn_installation_read("fake", &installation));
  assert_string_equal(installation.version, version);
  assert_int_equal(installation.file_count, 2);
  char *content = kt_file_read(installation.files[0].path, NULL);
  char hex[65];
  kt_assert_ok(kn_sha256(content, strlen(content), hex));
  assert_string_equal(hex, installation.files[0].sha256);
  free(content);
  kn_installation_clear(&installation);
  assert_int_equal(kt_world_entries(&kt_fake_world, "data/fake"), 2); /* one version and the lock */
}

void kt_fake_assert_nothing(void) {
  kn_installation installation;
  kt_assert_fault(kn_installation_read("fake", &installation), KN_NOT_INSTALLED, "kenning install fake");
  assert_true(kt_world_entries(&kt_fake_world, "data/fake") <= 0);
  assert_true(kt_world_entries(&kt_fake_world, "data/environments") <= 0);
}

void kt_fake_mvn(void) {
  char text[2048];
  snprintf(text, sizeof text, fake_mvn, kt_fake_world.directory);
  kt_world_write_program(&kt_fake_world, "bin/mvn", text);
  kt_fake_archive("registry/engine.jar", "library");
}
