/* What the rules need besides a class: files of data sets, models of each format, parameters. They are rows of a JSON
 * file; README.md in this directory explains its keys. */
#ifndef TESTS_CONTRACT_FIXTURES_H
#define TESTS_CONTRACT_FIXTURES_H

#include "core/json.h"
#include <kenning/block.h>

typedef struct fixtures {
  kn_json json;
} fixtures;

/* A model of some format. Strings belong to the fixtures. */
typedef struct model_fixture {
  const char *name;
  const char *format;
  const char *file; /* NULL: `text` is the file, or there is none (format "any") */
  const char *text;
  const char *spec;    /* file with the io specification that belongs to it, or NULL */
  const char *weights; /* file that belongs beside it, under its name and the end of this one's, or NULL */
  const char *inputs;  /* file of float32 samples, or NULL: the rules draw values */
  const char *fragile; /* why damaged models are not tried, or NULL */
  const char *stays;   /* why something of every loaded model stays in memory, or NULL */
  const char *except;  /* short name of a class that takes the format but not this model, or NULL */
  const char *outputs; /* file of float32 results of these samples, or NULL */
  double tolerance;    /* between `outputs` and what comes out */
  int64_t classes;     /* that the model tells apart */
  kn_dtype dtype;      /* of a sample */
  uint32_t rank;       /* without batch */
  int64_t shape[KN_MAX_RANK];
} model_fixture;

/* Reads the table. "@source" in it stands for the directory `source`, "@table" for that of the table itself,
 * "@fashion-mnist" for KENNING_TEST_FASHION_MNIST or the place of the Debian package. Ends the program when the table
 * is faulty. */
void fixtures_read(const char *path, const char *source, fixtures *out);
void fixtures_clear(fixtures *table);

/* Row of a data set class, or NULL. */
yyjson_val *fixtures_dataset(const fixtures *table, const char *class_name);
/* Puts the files of a data set's row below `root`. NULL, or why the rules cannot run here. */
const char *fixtures_make_dataset(yyjson_val *row, const char *root);

size_t fixtures_model_count(const fixtures *table);
void fixtures_model(const fixtures *table, size_t index, model_fixture *out);
/* Parameters of a class besides its paths, or NULL. */
yyjson_val *fixtures_parameters(const fixtures *table, const char *class_name);

#endif
