#include "core/builtin.h"

#define KN_BUILTIN_CLASSES(X)                   \
  X(kn_fashion_mnist_dataset_class)             \
  X(kn_image_folder_dataset_class)              \
  X(kn_imagenet_dataset_class)                  \
  X(kn_pet_dataset_class)                       \
  X(kn_randomized_classification_dataset_class) \
  X(kn_null_modelwrapper_class)                 \
  X(kn_model_inserter_class)                    \
  X(kn_linked_runtime_class)                    \
  X(kn_null_runtime_class)                      \
  X(kn_network_protocol_class)                  \
  X(kn_network_protocol_today_class)            \
  X(kn_uart_protocol_class)                     \
  X(kn_unix_protocol_class)

#define DECLARE(name) extern const kn_class name;
KN_BUILTIN_CLASSES(DECLARE)
#undef DECLARE

#define LIST(name) &name,
const kn_class *const kn_builtin_classes[] = {KN_BUILTIN_CLASSES(LIST) NULL};
