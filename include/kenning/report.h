/* Reports: measurement files in, RST, Markdown or HTML out. One thread at a time. */
#ifndef KENNING_REPORT_H
#define KENNING_REPORT_H

#include <kenning/option.h>
#include <kenning/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct kn_report_request {
  const char *name; /* title, and prefix of the image files of a single run; NULL: from the measurement file's name */
  const char *path; /* .rst, .md or .html; NULL: none of them */
  const char *html_directory;   /* the page is written as index.html in it; NULL: no page (unless `path` is one) */
  const char *root_dir;         /* image names in the report are relative to it; NULL: the directory of `path` */
  const char *img_dir;          /* NULL: `img` in root_dir */
  kn_string_list measurements;  /* at least one; the first is what the others are compared with */
  kn_string_list model_names;   /* none, or one for each measurement file; none: from the file names */
  kn_string_list types;         /* "performance", "classification"; none: all that the measurements allow */
  const char *const *arguments; /* command line of the rendering, shown in the report; or NULL */
  size_t argument_count;
} kn_report_request;

/* Judges a request before anything is measured for it: types, names, the places that are written (tried), gnuplot where
 * it is needed, and, unless `pending` (they are written later), the measurement files. The statuses of
 * kn_report_render; the faults of the words at once, then those of the files, then those of the places. */
KN_API kn_status kn_report_check(const kn_report_request *request, bool pending) KN_MUST_USE;

/* Renders everything that is asked for; each file appears whole or not at all. KN_INVALID_ARGUMENT (names, types,
 * paths that do not fit together), KN_NOT_FOUND, KN_BAD_DATA (measurement files: every faulty one is named),
 * KN_NOT_INSTALLED (gnuplot, for the images of RST and Markdown), KN_IO_ERROR. */
KN_API kn_status kn_report_render(const kn_report_request *request) KN_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
