/* What an RST or Markdown report says, in which order; the order is the original's. */
#ifndef KENNING_REPORT_OUTLINE_H
#define KENNING_REPORT_OUTLINE_H

#include "report/figures.h"
#include "report/markup.h"

/* `command`: of the rendering itself, lines of a shell, or NULL. */
kn_status kn_outline_write(const kn_report_model *model, const kn_figures *figures, const char *command,
                           const kn_markup *markup, kn_text *out) KN_MUST_USE;

#endif
