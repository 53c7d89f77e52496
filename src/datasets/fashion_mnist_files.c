#include "datasets/fashion_mnist_files.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include <kenning/services.h>

#include "core/file.h"
#include "datasets/debian_package.h"

#define PACKAGE "dataset-fashion-mnist"
#define PACKAGE_DIRECTORY "/usr/share/datasets/fashion-mnist"

/* The sums are of the uncompressed content, so that any way of compressing it is accepted. */
static const struct published {
  const char *name; /* of the compressed file; the content alone goes without ".gz" */
  uint32_t rank, count;
  const char *sha256;
} published[KN_FASHION_MNIST_FILES] = {
    [KN_FASHION_MNIST_TRAIN_IMAGES] = {"train-images-idx3-ubyte.gz", 3, KN_FASHION_MNIST_TRAIN,
                                       "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"},
    [KN_FASHION_MNIST_TRAIN_LABELS] = {"train-labels-idx1-ubyte.gz", 1, KN_FASHION_MNIST_TRAIN,
                                       "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"},
    [KN_FASHION_MNIST_TEST_IMAGES] = {"t10k-images-idx3-ubyte.gz", 3, KN_FASHION_MNIST_TEST,
                                      "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"},
    [KN_FASHION_MNIST_TEST_LABELS] = {"t10k-labels-idx1-ubyte.gz", 1, KN_FASHION_MNIST_TEST,
                                      "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"},
};

static bool is_file(const char *path) {
  struct stat found;
  return !stat(path, &found) && S_ISREG(found.st_mode);
}

/* Path of a file in `root`, compressed or not; NULL in *out_path when neither is there. */
static kn_status locate(const char *root, kn_fashion_mnist_file file, char **out_path) {
  const char *name = published[file].name;
  int lengths[] = {(int)strlen(name), (int)strlen(name) - 3};
  for (int i = 0; i < 2; i++) {
    *out_path = kn_format("%s/%.*s", root, lengths[i], name);
    if (!*out_path) return kn_status_out_of_memory();
    if (is_file(*out_path)) return NULL;
    kn_free(*out_path);
    *out_path = NULL;
  }
  return NULL;
}

/* The first file that `root` lacks, or KN_FASHION_MNIST_FILES. */
static kn_status missing(const char *root, int *out_file) {
  for (*out_file = 0; *out_file < KN_FASHION_MNIST_FILES; ++*out_file) {
    char *path;
    KN_TRY(locate(root, (kn_fashion_mnist_file)*out_file, &path));
    if (!path) return NULL;
    kn_free(path);
  }
  return NULL;
}

static kn_status check(const struct published *wanted, const char *path, const kn_idx *idx) {
  const uint32_t side = KN_FASHION_MNIST_SIDE;
  if (idx->shape[0] != wanted->count)
    return kn_status_make_at(KN_BAD_DATA, path, "%u samples instead of the %u of Fashion-MNIST", idx->shape[0],
                             wanted->count);
  if (idx->rank == 3 && (idx->shape[1] != side || idx->shape[2] != side))
    return kn_status_make_at(KN_BAD_DATA, path, "images of %u x %u pixels instead of %u x %u", idx->shape[2],
                             idx->shape[1], side, side);
  for (uint32_t i = 0; idx->rank == 1 && i < idx->shape[0]; i++)
    if (idx->values[i] >= KN_FASHION_MNIST_CLASSES)
      return kn_status_make_at(KN_BAD_DATA, path, "sample %u has the label %u, labels are 0 to %d", i, idx->values[i],
                               KN_FASHION_MNIST_CLASSES - 1);
  char sum[65];
  KN_TRY(kn_sha256(idx->content, idx->bytes, sum));
  if (strcmp(sum, wanted->sha256) != 0)
    return kn_status_make_at(KN_BAD_DATA, path,
                             "this is not the published file of Fashion-MNIST: the SHA-256 of its content is %s "
                             "instead of %s",
                             sum, wanted->sha256);
  return NULL;
}

kn_status kn_fashion_mnist_read(const char *root, kn_fashion_mnist_file file, kn_idx *out_idx) {
  *out_idx = (kn_idx){0};
  char *path;
  KN_TRY(locate(root, file, &path));
  if (!path) return kn_status_make(KN_NOT_FOUND, "%s has no file %s of Fashion-MNIST", root, published[file].name);
  kn_status status = kn_idx_read(path, published[file].rank, out_idx);
  if (!status) status = check(&published[file], path, out_idx);
  if (status) kn_idx_clear(out_idx);
  kn_free(path);
  return status;
}

/* Copies one checked file to `root`, whole or not at all. */
static kn_status copy(const char *from, const char *root, kn_fashion_mnist_file file) {
  kn_idx idx;
  KN_TRY(kn_fashion_mnist_read(from, file, &idx));
  kn_idx_clear(&idx);
  char *source = kn_format("%s/%s", from, published[file].name);
  char *target = kn_format("%s/%s", root, published[file].name);
  char *data = NULL;
  size_t bytes = 0;
  kn_status status =
      source && target ? kn_file_read(source, KN_IDX_LIMIT_BYTES, &data, &bytes) : kn_status_out_of_memory();
  if (!status) status = kn_file_write(target, data, bytes);
  kn_free(data);
  kn_free(target);
  kn_free(source);
  return status;
}

static kn_status copy_all(const char *from, const char *root) {
  for (int i = 0; i < KN_FASHION_MNIST_FILES; i++) KN_TRY(copy(from, root, (kn_fashion_mnist_file)i));
  return NULL;
}

static kn_status fetch_into(const char *directory, const char *root) {
  char *unpacked = kn_format("%s" PACKAGE_DIRECTORY, directory);
  if (!unpacked) return kn_status_out_of_memory();
  kn_status status = kn_debian_package_unpack(PACKAGE, directory);
  if (!status) status = copy_all(unpacked, root);
  kn_free(unpacked);
  return status;
}

static kn_status fetch(const char *root) {
  char *wanted = kn_format("%s/download", root), *directory = NULL;
  /* Inside `root`, which is made. */
  kn_status status = wanted ? kn_directory_temporary(wanted, NULL, &directory) : kn_status_out_of_memory();
  if (!status) status = fetch_into(directory, root);
  kn_directory_discard(directory);
  kn_free(wanted);
  return status;
}

kn_status kn_fashion_mnist_provide(const char *root, bool download) {
  int file;
  KN_TRY(missing(root, &file));
  if (file == KN_FASHION_MNIST_FILES) return NULL;
  if (!download)
    return kn_status_make(KN_NOT_FOUND,
                          "%s has no file %s of Fashion-MNIST: set download_dataset to true, or install the Debian "
                          "package " PACKAGE " and set dataset_root to " PACKAGE_DIRECTORY,
                          root, published[file].name);
  KN_TRY(missing(PACKAGE_DIRECTORY, &file));
  kn_log(KN_LOG_INFO, "Fashion-MNIST is put into %s", root);
  return file == KN_FASHION_MNIST_FILES ? copy_all(PACKAGE_DIRECTORY, root) : fetch(root);
}
