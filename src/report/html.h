/* The report as one HTML page that needs nothing else: no network, no other file. */
#ifndef KENNING_REPORT_HTML_H
#define KENNING_REPORT_HTML_H

#include "core/text.h"
#include "report/model.h"

/* `command`: of the rendering itself, lines of a shell, or NULL. */
kn_status kn_html_write(const kn_report_model *model, const char *command, kn_text *out) KN_MUST_USE;

#endif
