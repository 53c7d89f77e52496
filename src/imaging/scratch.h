/* Memory that a thread uses again and again: fresh pages for every image would cost as much as the work on them. */
#ifndef KENNING_IMAGING_SCRATCH_H
#define KENNING_IMAGING_SCRATCH_H

#include <kenning/base.h>

/* At least `bytes` of undefined content; NULL when memory is exhausted. One at a time per thread: give it back with
 * kn_scratch_return before the next. */
void *kn_scratch_take(size_t bytes);
/* NULL is allowed. */
void kn_scratch_return(void *scratch);

#endif
