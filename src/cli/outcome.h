/* What a run ends with on stderr. */
#ifndef KENNING_CLI_OUTCOME_H
#define KENNING_CLI_OUTCOME_H

/* Says where the measurements are, and the figures that one looks for first, as a report states them. Figures that the
 * file does not have are left out. */
void kn_outcome_tell(const char *measurements);

#endif
