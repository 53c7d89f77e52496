/* A model that is a list of points: text, one line per point behind four lines that say how many. */
#ifndef CENTROIDS_H
#define CENTROIDS_H

#include <kenning/plugin.h>

typedef struct centroids {
  size_t classes, values, count; /* count points of `values` values each */
  float *points;                 /* [count, values] */
  size_t *labels;                /* class of each point */
} centroids;

/* KN_BAD_DATA names the line that is wrong. Free with centroids_clear, also after a failure. */
kn_status centroids_read(const char *path, centroids *out_model) KN_MUST_USE;
void centroids_clear(centroids *model);

#endif
