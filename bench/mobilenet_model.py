"""Makes a MobileNetV2 whose output depends on its input: a model to measure speed and memory with, not one to use.

    mobilenet_model.py MODEL.h5      (with the Python of the environment that `kenning install tflite` makes)

The weights are random but seeded. Their batch normalizations get the statistics of seeded random samples, and the last
layer is scaled: as Keras makes it, the network gives the same value for every class and every input.
"""
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import keras  # noqa: E402
import numpy as np  # noqa: E402

SEED = 1
SAMPLES = 16
# Standard deviation of the values before the softmax: large enough that the classes differ in int8 too.
LOGITS_STD = 4.0


def normalize(model, samples):
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0  # the moving statistics become those of this batch
    model(samples, training=True)
    for layer, momentum in zip(layers, momenta):
        layer.momentum = momentum


def spread(model, samples):
    head = model.layers[-1]
    features = keras.Model(model.input, model.layers[-2].output)(samples, training=False)
    kernel, bias = head.get_weights()
    logits = np.asarray(features) @ kernel
    # What all samples have in common would decide every prediction.
    bias = -logits.mean(axis=0)
    scale = LOGITS_STD / (logits + bias).std()
    head.set_weights([kernel * scale, bias * scale])


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    keras.utils.set_random_seed(SEED)
    model = keras.applications.MobileNetV2(weights=None)
    samples = np.random.default_rng(SEED).standard_normal((SAMPLES, 224, 224, 3), dtype=np.float32)
    normalize(model, samples)
    spread(model, samples)
    predictions = np.asarray(model(samples, training=False)).argmax(axis=1)
    if len(set(predictions)) < SAMPLES // 2:
        sys.exit(f"mobilenet_model: {SAMPLES} samples give {len(set(predictions))} different predictions")
    temporary = sys.argv[1] + ".tmp.h5"
    model.save(temporary, include_optimizer=False)
    os.replace(temporary, sys.argv[1])


if __name__ == "__main__":
    main()
