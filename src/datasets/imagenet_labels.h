/* Which image of ImageNet shows what: labels.json maps the names of the images to classes, and a class map names these.
 */
#ifndef KENNING_DATASETS_IMAGENET_LABELS_H
#define KENNING_DATASETS_IMAGENET_LABELS_H

#include <kenning/status.h>

enum { KN_IMAGENET_CLASSES = 1000, KN_IMAGENET_MAX_CLASSES = 100000 };

typedef struct kn_class_map {
  char **names;
  char **synsets; /* "n01440764", or NULL where the map has none */
  size_t count;
} kn_class_map;

/* NULL path: KN_IMAGENET_CLASSES classes whose names are their numbers, as in the original. Else a text file with a
 * name per line, or JSON: a list of names, or an object of numbers and [synset, name] as Keras has it
 * ({"0": ["n01440764", "tench"], ...}) or of numbers and names. KN_BAD_DATA with the place of the fault; KN_NOT_FOUND.
 */
kn_status kn_class_map_read(const char *path, kn_class_map *out_map) KN_MUST_USE;
/* A zeroed struct is allowed. */
void kn_class_map_clear(kn_class_map *map);

typedef struct kn_image_label {
  char *image; /* below images/ */
  int64_t label;
} kn_image_label;

typedef struct kn_image_labels {
  kn_image_label *items; /* in the order of the file */
  size_t count;
} kn_image_labels;

/* Reads {"file1.png": 1, "file2.png": 853, ...}; a class is a number, a number as text, or a synset of the map.
 * KN_BAD_DATA for classes that do not exist, names that lead elsewhere, an image named twice; KN_NOT_FOUND. */
kn_status kn_image_labels_read(const char *path, const kn_class_map *map, kn_image_labels *out_labels) KN_MUST_USE;
/* A zeroed struct is allowed. */
void kn_image_labels_clear(kn_image_labels *labels);

#endif
