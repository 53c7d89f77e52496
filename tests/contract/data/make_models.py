"""Makes the model for 28 x 28 images of this directory, samples for it, and what Keras answers.

Run it with the Python of the environment that `kenning install tensorflow` makes."""

import os
import sys

os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

SAMPLES = 2


def main(directory):
    keras = tf.keras
    keras.utils.set_random_seed(7)
    model = keras.Sequential([
        keras.Input((28, 28, 1), name="image"),
        keras.layers.Conv2D(2, 5, strides=5, activation="relu", name="convolution"),
        keras.layers.Flatten(name="flat"),
        keras.layers.Dense(10, activation="softmax", name="scores"),
    ])
    random = np.random.default_rng(7)
    model.set_weights([random.normal(size=weight.shape).astype("f") for weight in model.get_weights()])
    samples = random.normal(size=(SAMPLES, 28, 28, 1)).astype("f")
    model.save(f"{directory}/images28.h5")
    samples.tofile(f"{directory}/images28.samples.f32")
    model.predict(samples, verbose=0).tofile(f"{directory}/images28.f32")


if __name__ == "__main__":
    main(sys.argv[1])
