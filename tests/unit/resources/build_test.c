/* Libraries that are made on this machine: of what, when again, and what is left when something fails. */
#include "core/file.h"
#include "support/directory.h"
#include "support/status.h"
#include "unit/resources/fake_clients.h"

#include <stdlib.h>
#include <unistd.h>

#include "resources/installation.h"

static const char script[] =
    "import argparse, pathlib\n"
    "p = argparse.ArgumentParser()\n"
    "for name in ('--sources', '--files', '--output', '--environment'): p.add_argument(name)\n"
    "a = p.parse_args()\n"
    "world = pathlib.Path('%s')\n"
    "mode = lambda name: (world / 'mode' / name).exists()\n"
    "if mode('no-compiler'):\n"
    "    print('ERROR missing there is no compiler'); raise SystemExit(1)\n"
    "print('PROGRESS 1 2 compiling')\n"
    "made = (pathlib.Path(a.sources) / '%s').read_text() + ' of ' + str(pathlib.Path(a.environment or '').name[:5])\n"
    "if not mode('lazy'): pathlib.Path(a.output).write_text(made + '%s')\n";

static void write_script(const char *source, const char *more) {
  char text[2048];
  snprintf(text, sizeof text, script, kt_fake_world.directory, source, more);
  kt_world_write(&kt_fake_world, "share/backends/fake/build/make.py", text);
}

/* `build` and `more` are put into the entry of the build and behind it. */
static void write_manifest(const char *client, const char *package, const char *path, const char *build,
                           const char *more) {
  char sum[65], text[4096], *whole = kt_world_path(&kt_fake_world, path);
  kt_assert_ok(kn_sha256_file(whole, sum));
  free(whole);
  snprintf(text, sizeof text,
           "{\"framework\": {\"name\": \"fake\", \"summary\": \"A fake\", \"version\": \"3.0\", \"license\": \"MIT\"},"
           "\"sources\": [{\"arch\": \"any\", \"client\": \"%s\", \"package\": \"%s\", \"sha256\": \"%s\", "
           "\"download_bytes\": 100}], \"build\": {\"key\": \"library\", \"script\": \"make.py\", \"result\": "
           "\"libmade.so\", \"version\": \"3.0\", \"bytes\": 10, \"work_bytes\": 100%s}%s}",
           client, package, sum, build, more);
  kt_world_write(&kt_fake_world, "share/backends/fake/manifest.json", text);
}

static const char wheel[] = "registry/fake_engine-1.0-py3-none-any.whl";

static int setup(void **state) {
  kt_fake_setup(state);
  write_manifest("pip", "Fake-Engine==1.0", wheel, "", "");
  write_script("Fake-Engine/fake/libfake.so", "");
  return 0;
}

static void assert_made(const char *content) {
  kn_installation installation;
  kt_assert_ok(kn_installation_read("fake", &installation));
  assert_string_equal(installation.version, "3.0");
  assert_int_equal(installation.file_count, 1);
  const kn_installed_file *file = kn_installation_file(&installation, "library");
  assert_string_equal(file->client, "build");
  assert_int_equal(strlen(file->definition_sha256), 64);
  size_t bytes;
  char *made = kt_file_read(file->path, &bytes), hex[65];
  assert_string_equal(made, content);
  assert_int_equal(file->bytes, bytes);
  kt_assert_ok(kn_sha256(made, bytes, hex));
  assert_string_equal(file->sha256, hex);
  free(made);
  kn_installation_clear(&installation);
  assert_int_equal(kt_world_entries(&kt_fake_world, "data/fake"), 2); /* one version and the lock */
}

static void a_library_is_made_once(void **state) {
  (void)state;
  kt_assert_ok(kt_fake_install());
  assert_made("library of ");
  kt_fake_calls("");
  kt_assert_ok(kt_fake_install());
  assert_int_equal(kt_fake_calls(""), 0);
  kt_assert_ok(kt_fake_install_as((kn_install_request){.force = true, .offline = true}));
  assert_int_equal(kt_fake_calls("make.py"), 1);
  assert_made("library of ");
}

static void what_it_is_made_of_changes(void **state) {
  (void)state;
  kt_assert_ok(kt_fake_install());
  write_script("Fake-Engine/fake/libfake.so", ", anew");
  kt_assert_ok(kt_fake_install());
  assert_made("library of , anew");
  /* A file beside the script, which it may compile. */
  kt_fake_calls("");
  kt_world_write(&kt_fake_world, "share/backends/fake/build/engine.c", "int x;\n");
  kt_assert_ok(kt_fake_install());
  assert_int_equal(kt_fake_calls("make.py"), 1);
  /* A damaged result is made again. */
  kn_installation installation;
  kt_assert_ok(kn_installation_read("fake", &installation));
  assert_int_equal(truncate(installation.files[0].path, 3), 0);
  kn_installation_clear(&installation);
  kt_assert_ok(kt_fake_install());
  assert_made("library of , anew");
}

static void a_script_that_fails(void **state) {
  (void)state;
  kt_fake_mode("no-compiler", true);
  kt_assert_fault(kt_fake_install(), KN_NOT_INSTALLED, "there is no compiler");
  kt_fake_assert_nothing();
  kt_fake_mode("no-compiler", false);
  kt_fake_mode("lazy", true);
  kt_assert_fault(kt_fake_install(), KN_BACKEND_FAILED, "made no libmade.so");
  kt_fake_assert_nothing();
  kt_fake_mode("lazy", false);
  write_script("nowhere", "");
  kt_assert_fault(kt_fake_install(), KN_BACKEND_FAILED, "everything make.py said is in");
  kt_fake_assert_nothing();
  write_script("Fake-Engine/fake/libfake.so", "");
  kt_assert_ok(kt_fake_install());
  /* What works stays when a newer one cannot be made. */
  write_script("nowhere", "");
  kt_assert_fault(kt_fake_install(), KN_BACKEND_FAILED, "make.py");
  assert_made("library of ");
}

static void another_source_than_the_manifest_knows(void **state) {
  (void)state;
  kt_fake_archive(wheel, "libraru");
  kt_assert_fault(kt_fake_install(), KN_BACKEND_FAILED, "is not the package that was tested");
  kt_fake_assert_nothing();
  assert_int_equal(kt_world_entries(&kt_fake_world, "cache/downloads/pip"), 0);
}

static void missing_programs_are_told_before_anything_is_fetched(void **state) {
  (void)state;
  write_manifest("pip", "Fake-Engine==1.0", wheel,
                 ", \"programs\": [\"sh\", \"no-compiler\", \"no-linker\"], \"debian_packages\": \"gcc make\"", "");
  kt_assert_fault(kt_fake_install(), KN_NOT_INSTALLED,
                  "libmade.so of fake is made on this machine, and that takes no-compiler, no-linker; on Debian: "
                  "apt-get install gcc make");
  assert_int_equal(kt_fake_calls("download"), 0);
  kt_assert_fault(kt_fake_install_as((kn_install_request){.offline = true}), KN_NOT_FOUND,
                  "is not among the downloads");
}

static void room_for_the_work(void **state) {
  (void)state;
  char text[4096], *path = kt_world_path(&kt_fake_world, "share/backends/fake/manifest.json");
  char *manifest = kt_file_read(path, NULL), *at = strstr(manifest, "\"work_bytes\": 100");
  assert_non_null(at);
  snprintf(text, sizeof text, "%.*s\"work_bytes\": 1000000000000}}", (int)(at - manifest), manifest);
  kt_file_write_text(path, text);
  kt_assert_fault(kt_fake_install(), KN_IO_ERROR, "1000000 MB are needed");
  assert_int_equal(kt_fake_calls("download"), 0);
  free(manifest);
  free(path);
}

static void made_in_the_environment(void **state) {
  (void)state;
  write_manifest("pip", "Fake-Engine==1.0", wheel, ", \"with_environment\": true", kt_fake_environment);
  kt_assert_ok(kt_fake_install_as((kn_install_request){.only_library = true}));
  assert_made("library of tools");
  kt_fake_calls("");
  kt_assert_ok(kt_fake_install());
  assert_int_equal(kt_fake_calls(""), 1); /* python's version */
}

/* cargo leaves packages in its own cache, one directory per registry. */
static const char fake_cargo[] =
    "#!/bin/sh\n"
    "W='%s'\n"
    "echo cargo \"$@\" >>$W/calls\n"
    "if [ -e $W/mode/cargo-empty ]; then exit 0; fi\n"
    "while read line; do case $line in 'fake-crate = {version = \"=0.5.0\", default-features = false}')\n"
    "  mkdir -p $CARGO_HOME/registry/cache/mirror\n"
    "  cp $W/registry/crate $CARGO_HOME/registry/cache/mirror/fake-crate-0.5.0.crate;; esac; done <Cargo.toml\n";

static void sources_by_cargo(void **state) {
  (void)state;
  kt_fake_archive("registry/crate", "crate");
  write_manifest("cargo", "fake-crate==0.5.0", "registry/crate", "", "");
  write_script("fake-crate/fake/libfake.so", "");
  kt_assert_fault(kt_fake_install(), KN_NOT_INSTALLED, "cargo is missing; on Debian: apt-get install cargo");
  char text[2048], *home = kt_world_path(&kt_fake_world, "cargo"), *before = getenv("CARGO_HOME");
  before = before ? strdup(before) : NULL;
  setenv("CARGO_HOME", home, 1);
  snprintf(text, sizeof text, fake_cargo, kt_fake_world.directory);
  kt_world_write_program(&kt_fake_world, "bin/cargo", text);
  kt_fake_mode("cargo-empty", true);
  kt_assert_fault(kt_fake_install(), KN_BACKEND_FAILED, "cargo ended well but left no package fake-crate==0.5.0");
  kt_fake_mode("cargo-empty", false);
  kt_assert_ok(kt_fake_install());
  assert_made("crate of ");
  assert_int_equal(kt_world_entries(&kt_fake_world, "cache/downloads/cargo"), 1);
  kt_assert_ok(kn_directory_remove(home));
  kt_assert_ok(kt_fake_install_as((kn_install_request){.force = true, .offline = true}));
  if (before)
    setenv("CARGO_HOME", before, 1);
  else
    unsetenv("CARGO_HOME");
  free(before);
  free(home);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, kt_fake_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(a_library_is_made_once),
      TEST(what_it_is_made_of_changes),
      TEST(a_script_that_fails),
      TEST(another_source_than_the_manifest_knows),
      TEST(missing_programs_are_told_before_anything_is_fetched),
      TEST(room_for_the_work),
      TEST(made_in_the_environment),
      TEST(sources_by_cargo),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
