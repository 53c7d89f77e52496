/* PyTorchFashionMNISTCNN: a small convolutional network that is trained here, the same as TensorFlowFashionMNISTCNN. */
#include <kenning/random.h>

#include "modelwrapper.h"
#include "trainer.h"
#include "weights.h"

/* Stream of random numbers drawn from the run's seed. */
enum { STREAM_WEIGHTS = 1 };

static kn_status train(void *self, const kn_train_request *request, kn_record *out_history) {
  const pytorch_wrapper *wrapper = self;
  const trainer_options options = {
      .library = wrapper->library, .threads = wrapper->num_threads, .training = &wrapper->training};
  network n;
  state_dict state;
  KN_TRY(network_fashion_mnist(request->train->classes, &n));
  kn_status status = weights_draw(&n, kn_random(request->seed, STREAM_WEIGHTS), &state);
  if (!status) {
    status = trainer_run(&n, &state, &options, request, out_history);
    state_dict_clear(&state);
  }
  network_clear(&n);
  return status;
}

static const kn_option rows[] = {KN_SCHEDULE_ROW(pytorch_wrapper, training, KN_RATE_COSINE), {0}};

static const kn_modelwrapper_ops ops = {PYTORCH_WRAPPER_OPS, .train = train};

const kn_class pytorch_fashion_mnist_class = {
    .struct_size = sizeof(kn_class),
    .name = "kenning.modelwrappers.classification.pytorch_fashion_mnist.PyTorchFashionMNISTCNN",
    .kind = KN_KIND_MODELWRAPPER,
    .summary = "Small convolutional network for Fashion-MNIST, trained natively",
    .framework = "pytorch",
    .options = rows,
    .base = &pytorch_wrapper_class,
    .instance_size = sizeof(pytorch_wrapper),
    .ops = &ops,
    .output_formats = pytorch_output_formats,
    .check = pytorch_wrapper_check};
