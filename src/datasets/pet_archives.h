/* The two published archives of the Oxford-IIIT Pet data set. */
#ifndef KENNING_DATASETS_PET_ARCHIVES_H
#define KENNING_DATASETS_PET_ARCHIVES_H

#include <kenning/status.h>

/* Where they are published. */
#define KN_PET_ARCHIVES_URI "https://www.robots.ox.ac.uk/~vgg/data/pets/data"

/* Sees to it that `root` holds images/ and annotations/. What is missing is fetched from `uri`/images.tar.gz and
 * `uri`/annotations.tar.gz where `download` is set (checked against the published sums when `uri` is the publisher's),
 * and appears whole or not at all; else KN_NOT_FOUND says what to do. Codes of kn_resource_fetch and
 * kn_archive_unpack. */
kn_status kn_pet_archives_provide(const char *root, const char *uri, bool download) KN_MUST_USE;

#endif
