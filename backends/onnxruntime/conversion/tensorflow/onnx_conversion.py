"""Tries networks of keras.applications: to ONNX by tf2onnx."""
import contextlib
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
# The scripts beside this one, also where it is a link.
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

import models  # noqa: E402
from report import Refusal, run  # noqa: E402


def normalize(model, samples):
    """Batch normalizations get the statistics of the samples: as Keras draws them, networks say always the same."""
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    for layer in layers:
        layer.momentum = 0.0
    model(samples, training=True)


def make(name):
    network = getattr(keras.applications, name, None)
    if network is None:
        raise Refusal("incompatible", f"not provided: keras.applications has no {name}")
    model = network(weights=None, classifier_activation=None)
    normalize(model, models.pictures(0, True))
    inputs = [[image[None]] for image in models.pictures(1, True)]
    return model, lambda sample: [np.asarray(model(sample[0], training=False))], inputs


def export(model, path, inputs):
    import tf2onnx

    signature = [tf.TensorSpec((None, *inputs[0][0].shape[1:]), tf.float32, "input")]
    with contextlib.redirect_stdout(sys.stderr):
        tf2onnx.convert.from_function(tf.function(lambda x: model(x, training=False)), input_signature=signature,
                                      opset=17, output_path=str(path))


def main():
    arguments = models.arguments_of(__doc__)
    keras.utils.set_random_seed(arguments.seed)
    models.go(arguments, tf.__version__, make, export, None)


run(main)
