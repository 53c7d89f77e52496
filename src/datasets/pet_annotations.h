/* The annotations of the Oxford-IIIT Pet data set: Parkhi, Vedaldi, Zisserman, Jawahar, "Cats and Dogs", CVPR 2012.
 * annotations/list.txt names every image; trainval.txt and test.txt beside it hold the published split. */
#ifndef KENNING_DATASETS_PET_ANNOTATIONS_H
#define KENNING_DATASETS_PET_ANNOTATIONS_H

#include <kenning/block.h>

enum { KN_PET_BREEDS = 37, KN_PET_SPECIES = 2 };

/* One line: "Abyssinian_100 1 1 1". */
typedef struct kn_pet {
  const char *image; /* without directory and extension */
  int64_t class_id;  /* 1 .. KN_PET_BREEDS */
  int64_t species;   /* 1 cat, 2 dog */
  int64_t breed;     /* number within the species */
  size_t line;
  kn_split split; /* KN_SPLIT_NONE where none is published */
} kn_pet;

typedef struct kn_pets {
  char *text; /* of list.txt; the names point into it */
  kn_pet *items;
  size_t count;
  size_t classes;                   /* class ids are 1 .. classes */
  char *class_names[KN_PET_BREEDS]; /* of class id 1, 2, ... */
  bool split_published;
} kn_pets;

/* Reads `root`/annotations. KN_BAD_DATA with file and line for all that contradicts itself; KN_NOT_FOUND without
 * list.txt. */
kn_status kn_pets_read(const char *root, kn_pets *out_pets) KN_MUST_USE;
/* A zeroed struct is allowed. */
void kn_pets_clear(kn_pets *pets);

#endif
