/* TensorFlowFashionMNISTCNN: a small convolutional network that is trained here. */
#include "modelwrapper.h"

/* Three times convolution, batch normalization, rectifier and pooling: 28 -> 14 -> 7 -> 3 pixels, 16, 32, 64 channels,
 * 29,402 parameters for ten classes. Each normalization folds into its convolution when the model is converted, which
 * suits int8. It is a Keras model_config that Keras 2 and 3 both read, so that the trained file opens in either. */
#define LAYER(class_name, name, config)                                 \
  "{\"class_name\": \"" class_name "\", \"config\": {\"name\": \"" name \
  "\", \"trainable\": true, \"dtype\": \"float32\"" config "}}"
#define CONVOLUTION(name, filters)                                      \
  LAYER("Conv2D", name,                                                 \
        ", \"filters\": " filters                                       \
        ", \"kernel_size\": [3, 3], \"strides\": [1, 1], \"padding\": " \
        "\"same\", \"use_bias\": false, \"activation\": \"linear\"")
#define NORMALIZATION(name) LAYER("BatchNormalization", name, ", \"axis\": -1, \"momentum\": 0.9, \"epsilon\": 0.001")
#define RECTIFIER(name) LAYER("Activation", name, ", \"activation\": \"relu\"")
#define POOLING(name) \
  LAYER("MaxPooling2D", name, ", \"pool_size\": [2, 2], \"strides\": [2, 2], \"padding\": \"valid\"")
#define BLOCK(number, filters)         \
  CONVOLUTION("conv_" number, filters) \
  ", " NORMALIZATION("normalization_" number) ", " RECTIFIER("relu_" number) ", " POOLING("pool_" number) ", "

/* %lld: number of classes */
static const char architecture[] =
    "{\"class_name\": \"Sequential\", \"config\": {\"name\": \"fashion_mnist_cnn\", \"layers\": ["
    "{\"class_name\": \"InputLayer\", \"config\": {\"batch_input_shape\": [null, 28, 28, 1], \"dtype\": \"float32\", "
    "\"name\": \"input_1\"}}, " BLOCK("1", "16") BLOCK("2", "32") BLOCK("3", "64")
        LAYER("Flatten", "flatten", "") ", " LAYER("Dropout", "dropout", ", \"rate\": 0.3") ", " LAYER(
            "Dense", "out_layer", ", \"units\": %lld, \"activation\": \"softmax\"") "]}}";

/* The dialect of the text above. */
#define KERAS_VERSION "3.0.0"

static kn_status train(void *self, const kn_train_request *request, kn_record *out_history) {
  tensorflow_wrapper *wrapper = self;
  char *config = kn_format(architecture, (long long)request->train->classes);
  if (!config) return kn_status_out_of_memory();
  keras_model model;
  kn_status status = keras_model_make("fashion_mnist_cnn", config, KERAS_VERSION, &model);
  kn_free(config);
  KN_TRY(status);
  status = tensorflow_wrapper_train_model(wrapper, &model, 0, request, out_history);
  keras_model_clear(&model);
  return status;
}

static const kn_modelwrapper_ops ops = {TENSORFLOW_WRAPPER_OPS, .open = tensorflow_wrapper_open, .train = train};

static const kn_option options[] = {KN_SCHEDULE_ROW(tensorflow_wrapper, training, KN_RATE_COSINE), {0}};

const kn_class tensorflow_fashion_mnist_class = {
    .struct_size = sizeof(kn_class),
    .name = "kenning.modelwrappers.classification.tensorflow_fashion_mnist.TensorFlowFashionMNISTCNN",
    .kind = KN_KIND_MODELWRAPPER,
    .summary = "Small convolutional network for Fashion-MNIST, trained natively",
    .framework = "tensorflow",
    .options = options,
    .base = &tensorflow_classifier_class,
    .instance_size = sizeof(tensorflow_wrapper),
    .ops = &ops,
    .check = tensorflow_wrapper_check,
    .output_formats = tensorflow_output_formats};
