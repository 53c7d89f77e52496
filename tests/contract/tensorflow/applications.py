#!/usr/bin/env python3
"""Saves networks of keras.applications and what Keras makes of drawn samples.

    applications.py DIRECTORY small|full [NAME...]      NAME.h5, NAME.keras, NAME.in, NAME.out: float32 values;
                                                        names.txt: one NAME a line

With TF_USE_LEGACY_KERAS=1 it is Keras 2, else Keras 3. `small`: few pixels, few channels where the class allows it;
`full`: the networks as they are trained on ImageNet. Weights are drawn and every layer's values are brought to the same
scale: as Keras initializes them these networks answer the same to every input, and any mistake goes unnoticed.
"""
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

keras = tf.keras
LEGACY = os.environ.get("TF_USE_LEGACY_KERAS") == "1"
SAMPLES = 16  # give the statistics
BATCH = 2  # are compared
PATCHES = 5  # along each side of a sample
# Around 0 each rectifier after a normalization enlarges differences, rounding too, by (pi / (pi - 1)) ** 0.5 = 1.21.
BETA = 1.2
# Small: the more the classes differ, the more of the rounding of a hundred layers is seen, of Keras's own too.
LOGITS_STD = 0.3

# class; parameters of the small variant; range of the values it expects
MODELS = {
    "mobilenet": ("MobileNet", dict(alpha=0.25, input_shape=(64, 64, 3)), (-1, 1)),
    "mobilenet_v2": ("MobileNetV2", dict(alpha=0.35, input_shape=(64, 64, 3)), (-1, 1)),
    "mobilenet_v3_small": ("MobileNetV3Small", dict(alpha=0.75, input_shape=(64, 64, 3)), (0, 255)),
    "mobilenet_v3_large": ("MobileNetV3Large", dict(alpha=0.75, input_shape=(64, 64, 3)), (0, 255)),
    "resnet50": ("ResNet50", dict(input_shape=(64, 64, 3)), (-110, 130)),
    "efficientnet_b0": ("EfficientNetB0", dict(input_shape=(64, 64, 3)), (0, 255)),
    "densenet121": ("DenseNet121", dict(input_shape=(64, 64, 3)), (-2, 2.6)),
    "inception_v3": ("InceptionV3", dict(input_shape=(75, 75, 3)), (-1, 1)),
    "vgg16": ("VGG16", dict(input_shape=(32, 32, 3)), (-110, 130)),
}
# Of the full networks, where it is not 224 x 224.
SHAPES = {"inception_v3": (299, 299, 3)}


def draw(model, random):
    """Kernels of variance 2 / inputs (He et al. 2015, equation 10), which rectifiers keep; no weight at its default."""
    for weight in model.weights:
        name = (weight.name if LEGACY else weight.path).split("/")[-1].split(":")[0]
        shape = tuple(weight.shape)
        if name == "depthwise_kernel" or (name == "kernel" and "depthwise" in (weight.name if LEGACY else weight.path)):
            value = random.normal(0, np.sqrt(2 / np.prod(shape[:2])), shape)
        elif name == "kernel":
            value = random.normal(0, np.sqrt(2 / np.prod(shape[:-1])), shape)
        elif name == "gamma":
            value = random.uniform(0.7, 1.3, shape)
        elif name == "beta":
            value = random.normal(BETA, 0.3, shape)
        elif name == "bias":
            value = random.normal(0, 0.1, shape)
        else:
            continue
        weight.assign(value.astype(np.float32))


def draw_samples(random, shape, low, high):
    """Coloured patches of different contrast: what a network says of noise hardly depends on which noise it is."""
    height, width, channels = shape
    rows, columns = np.arange(height) * PATCHES // height, np.arange(width) * PATCHES // width
    colours, contrast = random.random((SAMPLES, 1, 1, channels)), random.uniform(0.1, 1, (SAMPLES, 1, 1, 1))
    patches = colours + contrast * (random.random((SAMPLES, PATCHES, PATCHES, channels)) - colours)
    patches = low + patches * (high - low)
    return patches[:, rows][:, :, columns].astype(np.float32)


def normalize(model, samples):
    """Batch normalizations get the statistics of the samples."""
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0
    if layers:
        model(samples, training=True)
    for layer, momentum in zip(layers, momenta):
        layer.momentum = momentum
        # A channel in which the samples hardly differ would be blown up, rounding and all.
        variance = layer.moving_variance.numpy()
        mean = layer.moving_mean.numpy()
        layer.moving_variance.assign(np.maximum(variance, np.maximum(0.1 * variance.mean(), 0.05 * mean**2)))


def spread(model, samples):
    """Scales the last kernel so that classes and samples differ."""
    head = [layer for layer in model.layers if isinstance(layer, (keras.layers.Dense, keras.layers.Conv2D))][-1]
    activation, head.activation = head.activation, keras.activations.linear
    logits = np.asarray(keras.Model(model.input, head.output)(samples, training=False))
    head.activation = activation
    kernel, bias = head.get_weights()
    axes = tuple(range(logits.ndim - 1))
    scale = LOGITS_STD / logits.std(axis=axes).mean()
    head.set_weights([kernel * scale, (bias - logits.mean(axis=axes)) * scale])


def save(directory, name, full):
    class_name, small, (low, high) = MODELS[name]
    parameters = dict(input_shape=SHAPES.get(name, (224, 224, 3))) if full else dict(small, classes=11)
    model = getattr(keras.applications, class_name)(weights=None, **parameters)
    random = np.random.default_rng(3)
    samples = draw_samples(random, model.input.shape[1:], low, high)
    draw(model, random)
    normalize(model, samples)
    spread(model, samples)
    samples = samples[:: SAMPLES // BATCH]
    results = model.predict(samples, verbose=0)
    if np.abs(results[0] - results[1]).max() < 0.05 * np.abs(results).max():
        sys.exit(f"{name} answers the same to every sample")
    model.save(f"{directory}/{name}.h5")
    model.save(f"{directory}/{name}.keras")
    for values, kind in ((samples, "in"), (results, "out")):
        np.ascontiguousarray(values, np.float32).tofile(f"{directory}/{name}.{kind}")


def main(directory, size, *names):
    keras.utils.set_random_seed(5)
    names = names or tuple(MODELS)
    for name in names:
        save(directory, name, size == "full")
    with open(f"{directory}/names.txt", "w", encoding="utf-8") as file:
        file.writelines(f"{name}\n" for name in names)


if __name__ == "__main__":
    main(*sys.argv[1:])
