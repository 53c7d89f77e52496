#!/usr/bin/env python3
"""Saves models of many layers with Keras, and what Keras makes of drawn samples.

    make_models.py DIRECTORY          NAME.h5, NAME.keras (and NAME/, a SavedModel, for some), NAME.in, NAME.out: float32 values

With TF_USE_LEGACY_KERAS=1 it is Keras 2, else Keras 3. Weights are drawn, the averages and scales of normalizations
too: as Keras initializes them deep networks answer the same to every input, and any mistake goes unnoticed.
"""
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

keras = tf.keras
L = keras.layers
LEGACY = os.environ.get("TF_USE_LEGACY_KERAS") == "1"
random = np.random.default_rng(3)
BATCH = 2


def draw_weights(model):
    for weight in model.weights:
        name = (weight.name if LEGACY else weight.path).split("/")[-1].split(":")[0]
        shape = tuple(weight.shape)
        if name == "moving_variance":
            value = random.uniform(0.5, 2, shape)
        elif name == "gamma":
            value = random.uniform(0.7, 1.3, shape)
        elif name in ("beta", "bias", "moving_mean", "alpha"):
            value = random.normal(0, 0.1, shape)
        else:
            continue
        weight.assign(value.astype(np.float32))


def save(directory, name, model, scale=1.0, saved_model=False):
    draw_weights(model)
    samples = [(random.random((BATCH,) + tuple(i.shape[1:])) * scale).astype(np.float32) for i in model.inputs]
    results = model.predict(samples if len(samples) > 1 else samples[0], verbose=0)
    results = results if isinstance(results, list) else [results]
    model.save(f"{directory}/{name}.h5")
    model.save(f"{directory}/{name}.keras")
    if saved_model:
        (model.save if LEGACY else model.export)(f"{directory}/{name}")
    for values, kind in ((samples, "in"), (results, "out")):
        with open(f"{directory}/{name}.{kind}", "wb") as file:
            for value in values:
                file.write(np.ascontiguousarray(value, np.float32).tobytes())


def many_layers():
    image = keras.Input((16, 18, 3), name="image")
    x = L.Rescaling(1 / 127.5, offset=-1)(image)
    x = L.ZeroPadding2D(((0, 1), (1, 0)))(x)
    x = L.Conv2D(8, 3, strides=2, padding="same", activation="relu")(x)
    x = L.BatchNormalization()(x)
    a = L.DepthwiseConv2D(3, padding="same", depth_multiplier=2)(x)
    a = L.LeakyReLU(0.1)(a)
    a = L.SeparableConv2D(8, 3, padding="same", activation="swish")(a)
    b = L.ReLU(6.0)(L.Conv2D(8, 3, padding="same", dilation_rate=2)(x))
    c = L.ReLU(max_value=2.0, negative_slope=0.1, threshold=0.2)(L.Conv2D(8, 1, groups=2)(x))
    x = L.Add()([a, b, c])
    x = L.Cropping2D(((1, 0), (0, 1)))(x)
    x = L.MaxPooling2D(2, padding="same")(x)
    x = L.Concatenate()([x, L.AveragePooling2D(3, strides=1, padding="same")(x)])
    x = L.BatchNormalization(scale=False)(x)
    x = L.GaussianNoise(0.1)(L.SpatialDropout2D(0.2)(x))
    u = L.UpSampling2D(2, interpolation="bilinear")(L.UpSampling2D(2)(x))
    u = L.Conv2DTranspose(4, 3, strides=2)(L.Conv2DTranspose(4, 3, strides=2, padding="same")(u))
    u = L.PReLU(shared_axes=[1, 2])(u)
    g = L.GlobalMaxPooling2D()(u)
    f = L.Dense(24, activation="tanh")(L.Flatten()(x))
    f = L.LayerNormalization()(L.BatchNormalization()(f))
    r = L.Dense(5, activation="elu")(L.Reshape((4, -1))(f))
    r = L.Flatten()(L.Permute((2, 1))(r))
    s = L.Multiply()([f, L.Dense(24, activation="sigmoid")(g)])
    t = L.Average()([s, L.Maximum()([f, s])])
    t = L.Subtract()([L.Minimum()([t, f]), s])
    z = L.Concatenate(name="features")([r, g, s, t])
    return image, z, L.Dense(7, activation="softmax", name="scores")(z)


def activations():
    names = ["relu", "relu6", "softmax", "sigmoid", "tanh", "swish", "gelu", "elu", "selu", "hard_sigmoid", "linear",
             "softplus", "softsign", "exponential", "mish", "leaky_relu"]
    if not LEGACY:
        names += ["hard_swish", "hard_silu", "silu", "log_softmax"]
    values = keras.Input((9,), name="values")
    shifted = L.Rescaling(6.0, offset=-3.0)(values)
    parts = [L.Dense(6, activation=name)(shifted) for name in names]
    parts += [L.ELU(0.7)(shifted), L.Softmax()(shifted), L.ReLU()(shifted), L.ReLU(threshold=0.3)(shifted),
              L.ReLU(negative_slope=0.2)(shifted), L.Activation("relu6")(shifted)]
    return keras.Model(values, L.Concatenate()(parts))


def nested():
    """Models and layers called several times."""
    inner = keras.Input((8, 8, 3))
    h = L.BatchNormalization(name="norm")(L.Conv2D(4, 3, name="conv")(inner))
    block = keras.Model(inner, [h, L.GlobalAveragePooling2D()(h)], name="block")
    chain = keras.Sequential([L.Input((4,)) if not LEGACY else L.InputLayer((4,)), L.Dense(6, name="chained")],
                             name="chain")
    shared = L.Dense(4, activation="relu", name="shared")
    left, right = keras.Input((8, 8, 3), name="left"), keras.Input((8, 8, 3), name="right")
    (left_map, left_mean), (_, right_mean) = block(left), block(right)
    x = L.Concatenate()([shared(left_mean), shared(right_mean), chain(left_mean), chain(right_mean)])
    return keras.Model([left, right], [L.Dense(3)(x), left_map])


def main(directory):
    keras.utils.set_random_seed(5)
    image, features, scores = many_layers()
    save(directory, "layers", keras.Model(image, scores), 255, saved_model=True)
    save(directory, "two_outputs", keras.Model(image, [features, scores]), 255)
    save(directory, "activations", activations())
    save(directory, "nested", nested())
    norm = L.Normalization()
    norm.adapt(random.random((50, 6)).astype(np.float32))
    save(directory, "adapted", keras.Sequential([keras.Input((6,)), norm, L.Dense(3)]))
    built = keras.Sequential([L.Conv2D(4, 3, activation="relu"), L.BatchNormalization(), L.Flatten(), L.Dense(5)])
    built.build((None, 12, 12, 1))
    save(directory, "built_late", keras.Sequential([keras.Input((12, 12, 1)), built, L.Softmax()]))


if __name__ == "__main__":
    main(sys.argv[1])
