/* The grid that onnx_conversion fills: models by converters. */
#ifndef KENNING_CLI_SUPPORT_GRID_H
#define KENNING_CLI_SUPPORT_GRID_H

#include <kenning/block.h>

enum { KN_GRID_REASON = 400, KN_GRID_CONVERTERS = 16 };

typedef enum kn_support {
  KN_SUPPORT_UNTRIED = 0,   /* there is nothing to try it with */
  KN_SUPPORT_YES,           /* equal outputs */
  KN_SUPPORT_NO,            /* it fails, or the outputs differ */
  KN_SUPPORT_UNVERIFIED,    /* equal outputs, which do not depend on the input */
  KN_SUPPORT_NOT_INSTALLED, /* the framework is not there */
  KN_SUPPORT_NOT_PROVIDED   /* the framework has no such model, or no converter in this direction */
} kn_support;

typedef struct kn_grid_cell {
  bool there;  /* the converter is tried on this model */
  bool seeded; /* weights are drawn, not trained */
  kn_support export_support, import_support;
  char export_reason[KN_GRID_REASON], import_reason[KN_GRID_REASON];
  char version[KN_GRID_REASON]; /* of the framework; "": not known */
} kn_grid_cell;

typedef struct kn_grid {
  const kn_class *converters[KN_GRID_CONVERTERS];
  size_t converter_count;
  const char **models; /* names belong to the converters */
  kn_grid_cell *cells; /* [model][KN_GRID_CONVERTERS] */
  size_t model_count;
} kn_grid;

kn_status kn_grid_add_converter(kn_grid *grid, const kn_class *cls) KN_MUST_USE;
/* The cell of a model, whose row is made when it is missing. Lives until the next row is made. */
kn_status kn_grid_cell_of(kn_grid *grid, const char *model, size_t converter, kn_grid_cell **out_cell) KN_MUST_USE;
void kn_grid_clear(kn_grid *grid);

/* "rst", "csv", "html" or "md" by the path's ending; NULL: none of them. */
const char *kn_grid_format_of(const char *path);
/* To stdout, with the reasons. */
kn_status kn_grid_print(const kn_grid *grid) KN_MUST_USE;
kn_status kn_grid_write(const kn_grid *grid, const char *path) KN_MUST_USE;

#endif
