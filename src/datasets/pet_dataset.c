/* The Oxford-IIIT Pet data set: 37 breeds of cats and dogs, about 200 photographs each. */
#include <kenning/services.h>

#include "datasets/image_input.h"
#include "datasets/image_list.h"
#include "datasets/pet_annotations.h"
#include "datasets/pet_archives.h"

/* Images are resized to a square of this side. */
enum { SIDE = 224 };

enum { BY_BREEDS = 0, BY_SPECIES };

typedef struct pet_dataset {
  kn_dataset_options base;
  int classify_by, image_memory_layout;
  bool standardize;
  char *archives_uri;
  kn_pets pets;
  kn_image_list list; /* item i is pet i */
  kn_image_input input;
} pet_dataset;

static const char *const species_names[KN_PET_SPECIES] = {"cat", "dog"};

static kn_status add_images(pet_dataset *at) {
  at->list.root = at->base.dataset_root;
  for (size_t i = 0; i < at->pets.count; i++) {
    const kn_pet *pet = &at->pets.items[i];
    char *name = kn_format("images/%s.jpg", pet->image);
    if (!name) return kn_status_out_of_memory();
    bool added;
    kn_status status =
        kn_image_list_add(&at->list, name, (at->classify_by == BY_SPECIES ? pet->species : pet->class_id) - 1, &added);
    kn_free(name);
    KN_TRY(status);
  }
  return kn_image_list_finish(&at->list);
}

static kn_status dataset_open(void *self) {
  pet_dataset *at = self;
  kn_image_input_make(SIDE, SIDE, (kn_image_layout)at->image_memory_layout, KN_RESAMPLE_BICUBIC,
                      at->standardize ? KN_IMAGE_PREPROCESS_TORCH : KN_IMAGE_PREPROCESS_UNIT, &at->input);
  KN_TRY(kn_pet_archives_provide(at->base.dataset_root, at->archives_uri, at->base.download_dataset));
  KN_TRY(kn_pets_read(at->base.dataset_root, &at->pets));
  return add_images(at);
}

static void dataset_close(void *self) {
  pet_dataset *at = self;
  kn_image_list_clear(&at->list);
  kn_pets_clear(&at->pets);
}

static kn_status dataset_info(void *self, kn_dataset_info *out_info) {
  const pet_dataset *at = self;
  bool species = at->classify_by == BY_SPECIES;
  *out_info = (kn_dataset_info){
      .task = KN_TASK_CLASSIFICATION,
      .count = at->pets.count,
      .classes = species ? KN_PET_SPECIES : (int64_t)at->pets.classes,
      .class_names = species ? species_names : (const char *const *)at->pets.class_names,
      .split_published = at->pets.split_published,
  };
  kn_image_input_describe(&at->input, out_info);
  return NULL;
}

static kn_split dataset_published_split(void *self, size_t index) {
  const pet_dataset *at = self;
  return index < at->pets.count ? at->pets.items[index].split : KN_SPLIT_NONE;
}

static kn_status dataset_label(void *self, size_t index, int64_t *out_label) {
  const pet_dataset *at = self;
  return kn_image_list_label(&at->list, index, out_label);
}

static kn_status dataset_load(void *self, size_t index, const kn_tensor_view *out) {
  const pet_dataset *at = self;
  return kn_image_list_load(&at->list, index, &at->input, out);
}

static kn_status dataset_sample_id(void *self, size_t index, char *out, size_t size) {
  const pet_dataset *at = self;
  return kn_image_list_copy_name(&at->list, index, out, size);
}

static kn_status dataset_load_file(void *self, const char *path, const kn_tensor_view *out) {
  const pet_dataset *at = self;
  return kn_image_input_load(&at->input, path, out);
}

static const kn_choice classifications[] = {
    {"breeds", BY_BREEDS, "37 classes"}, {"species", BY_SPECIES, "2 classes: cat and dog"}, {0}};

static const kn_option options[] = {
    {"classify_by", "What the classes are", KN_OPTION_ENUM, 0, KN_FIELD(pet_dataset, classify_by), .def.i = BY_BREEDS,
     .choices = classifications},
    {"image_memory_layout", "Order of the dimensions of an image", KN_OPTION_ENUM, 0,
     KN_FIELD(pet_dataset, image_memory_layout), .def.i = KN_IMAGE_NHWC, .choices = kn_image_layouts},
    {"standardize", "Subtract ImageNet's mean and divide by its standard deviation; else values are 0 to 1",
     KN_OPTION_BOOL, 0, KN_FIELD(pet_dataset, standardize), .def.b = true},
    {"archives_uri", "Where download_dataset finds images.tar.gz and annotations.tar.gz: a URI or a directory",
     KN_OPTION_STRING, 0, KN_FIELD(pet_dataset, archives_uri), .def.s = KN_PET_ARCHIVES_URI},
    {0}};

static const kn_dataset_ops ops = {.struct_size = sizeof(kn_dataset_ops),
                                   .open = dataset_open,
                                   .close = dataset_close,
                                   .info = dataset_info,
                                   .published_split = dataset_published_split,
                                   .label = dataset_label,
                                   .load = dataset_load,
                                   .sample_id = dataset_sample_id,
                                   .load_file = dataset_load_file};

extern const kn_class kn_pet_dataset_class;
const kn_class kn_pet_dataset_class = {.struct_size = sizeof(kn_class),
                                       .name = "kenning.datasets.pet_dataset.PetDataset",
                                       .kind = KN_KIND_DATASET,
                                       .summary = "Oxford-IIIT Pet: photographs of 37 breeds of cats and dogs",
                                       .options = options,
                                       .instance_size = sizeof(pet_dataset),
                                       .ops = &ops};
