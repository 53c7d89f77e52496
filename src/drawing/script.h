/* gnuplot's text for plots. */
#ifndef KENNING_DRAWING_SCRIPT_H
#define KENNING_DRAWING_SCRIPT_H

#include "core/text.h"
#include "drawing/plot.h"

/* What every image has in common; once, at the start. */
void kn_script_begin(kn_text *script);
/* One image, written to `output`. */
void kn_script_plot(kn_text *script, const kn_plot *plot, const char *output);
/* A gnuplot string literal that holds `text`, whatever it is: single-quoted, so that neither backquotes nor '@' mean
 * anything, without control characters, cut with an ellipsis after `limit` characters (0: never). */
void kn_script_quote(kn_text *script, const char *text, size_t limit);

#endif
