#!/usr/bin/env python3
"""Writes the models and values that the tests of the TensorFlow back-end read.

    make_models.py DIRECTORY            Keras 3
    TF_USE_LEGACY_KERAS=1 make_models.py DIRECTORY      Keras 2 (tf_keras)

Runs in the environment of `kenning install tflite`. Weights are drawn from a seed, so values repeat; .h5 files hold
times and do not.
"""
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

keras = tf.keras
layers = keras.layers


def main(directory):
    keras.utils.set_random_seed(7)
    random = np.random.default_rng(7)
    version = 2 if os.environ.get("TF_USE_LEGACY_KERAS") == "1" else 3
    image = keras.Input((6, 6, 1), name="image")
    x = layers.Conv2D(2, 3, name="conv")(image)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.ReLU(max_value=6.0, name="relu")(x)
    x = layers.Dropout(0.25, name="drop")(x)
    x = layers.Flatten(name="flat")(x)
    model = keras.Model(image, layers.Dense(3, activation="softmax", name="scores")(x), name="tiny")
    model.compile(keras.optimizers.Adam(0.05), "categorical_crossentropy")
    samples = random.normal(size=(4, 6, 6, 1)).astype(np.float32)
    # Steps of training fill the optimizer's state and move averages and biases away from 0.
    model.fit(samples, np.eye(3, dtype=np.float32)[[0, 1, 2, 0]], batch_size=2, epochs=4, verbose=0)
    model.save(f"{directory}/keras{version}.h5")
    model.predict(samples, verbose=0).tofile(f"{directory}/keras{version}.f32")
    samples.tofile(f"{directory}/samples.f32")


if __name__ == "__main__":
    main(sys.argv[1])
