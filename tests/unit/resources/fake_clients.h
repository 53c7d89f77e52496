/* A framework "fake" and clients that the tests wrote: what they do is chosen by the files in the directory "mode", and
 * what they are asked is noted. */
#ifndef TESTS_UNIT_RESOURCES_FAKE_CLIENTS_H
#define TESTS_UNIT_RESOURCES_FAKE_CLIENTS_H

#include "resources/install.h"
#include "unit/resources/data_directories.h"

extern kt_world kt_fake_world;

/* PATH holds a python3 whose pip and venv are fakes, and nothing that could ask anybody. The framework's manifest
 * wants two files out of one wheel, which is in the fake registry. */
int kt_fake_setup(void **state);
int kt_fake_teardown(void **state);

/* Modes: no-pip, fail, full, hang, die (once), no-venv, bad-install, no-import, changed; mvn-fails, mvn-distrusts. */
void kt_fake_mode(const char *name, bool on);
/* Puts mvn on PATH, and its archive into the fake registry. */
void kt_fake_mvn(void);
/* An archive with the members "fake/libfake.so" of the given content and "fake/more.so". */
void kt_fake_archive(const char *name, const char *content);
/* The library must hold `content`; by mvn first (version 2.0), then by pip (1.0), when `with_mvn`. `more` follows the
 * list of files: "" or kt_fake_environment. */
void kt_fake_manifest(const char *content, bool with_mvn, const char *more);
extern const char kt_fake_environment[];

kn_status kt_fake_install_as(kn_install_request request);
kn_status kt_fake_install(void);
/* Number of calls so far that hold `part`; the count starts anew. */
int kt_fake_calls(const char *part);

/* Both files are there with their sums, the library in this version, and no other version. */
void kt_fake_assert_installed(const char *version);
void kt_fake_assert_nothing(void);

#endif
