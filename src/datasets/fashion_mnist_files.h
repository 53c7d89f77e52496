/* The four published files of Fashion-MNIST. */
#ifndef KENNING_DATASETS_FASHION_MNIST_FILES_H
#define KENNING_DATASETS_FASHION_MNIST_FILES_H

#include "datasets/idx.h"

enum {
  KN_FASHION_MNIST_TRAIN = 60000,
  KN_FASHION_MNIST_TEST = 10000,
  KN_FASHION_MNIST_SIDE = 28,
  KN_FASHION_MNIST_CLASSES = 10
};

typedef enum kn_fashion_mnist_file {
  KN_FASHION_MNIST_TRAIN_IMAGES = 0, /* [60000,28,28] */
  KN_FASHION_MNIST_TRAIN_LABELS,     /* [60000], 0..9 */
  KN_FASHION_MNIST_TEST_IMAGES,      /* [10000,28,28] */
  KN_FASHION_MNIST_TEST_LABELS,      /* [10000], 0..9 */
  KN_FASHION_MNIST_FILES
} kn_fashion_mnist_file;

/* Sees to it that the files are in `root`. Missing ones are copied or fetched from the Debian package
 * dataset-fashion-mnist where `download` is set, all of them checked first; else KN_NOT_FOUND says what to do. */
kn_status kn_fashion_mnist_provide(const char *root, bool download) KN_MUST_USE;
/* Reads one file of `root` and checks that its content is the published one, however it is compressed: KN_BAD_DATA. */
kn_status kn_fashion_mnist_read(const char *root, kn_fashion_mnist_file file, kn_idx *out_idx) KN_MUST_USE;

#endif
