"""Prunes the weights of a Keras model, or replaces them by few values, with tensorflow-model-optimization.

Pruning: Zhu, Gupta, "To prune, or not to prune", 2017, at constant sparsity. Clustering: Han, Mao, Dally, "Deep
Compression", 2016, with centroids of k-means++.
"""

import argparse
import contextlib
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import numpy as np  # noqa: E402

import keras_files  # noqa: E402
from report import Refusal, result, run  # noqa: E402


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--method", required=True, choices=["prune", "cluster"])
    parser.add_argument("--dense-only", action="store_true")
    parser.add_argument("--sparsity", type=float, help="prune: share of zeros")
    parser.add_argument("--frequency", type=int, help="prune: steps from one pruning to the next")
    parser.add_argument("--end", type=int, help="prune: last step, -1: none")
    parser.add_argument("--clusters", type=int, help="cluster: values of each array of weights")
    parser.add_argument("--preserve-sparsity", action="store_true", help="cluster: zeros stay zeros")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sample-shape", help="of one sample without batch: 28,28,1")
    parser.add_argument("--sample-type", default="float32")
    parser.add_argument("--train", help="raw samples; without them nothing is trained")
    parser.add_argument("--train-labels", help="raw int64")
    parser.add_argument("--validation")
    parser.add_argument("--validation-labels")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--optimizer", default="adam")
    parser.add_argument("--outputs-are-probabilities", action="store_true")
    return parser.parse_args()


def read(arguments, samples, labels):
    if not samples:
        return None, None
    shape = tuple(int(n) for n in arguments.sample_shape.split(",") if n)
    return np.memmap(samples, dtype=arguments.sample_type, mode="r").reshape((-1, *shape)), np.fromfile(labels, "<i8")


def wrap(model, arguments, function, **parameters):
    """The model with all layers, or the dense ones, under `function`."""
    import tf_keras

    if not arguments.dense_only:
        return function(model, **parameters)
    return tf_keras.models.clone_model(
        model, clone_function=lambda layer: function(layer, **parameters) if isinstance(layer, tf_keras.layers.Dense)
        else layer)


def prune(model, arguments, data, probabilities, tfmot, fit):
    steps = arguments.epochs * -(-len(data[0]) // arguments.batch_size)
    if arguments.frequency >= steps:
        raise Refusal("invalid", f"the training has {steps} steps, so pruning every {arguments.frequency} of them never comes "
                                 "about: lower pruning_frequency or raise epochs")
    schedule = tfmot.sparsity.keras.ConstantSparsity(target_sparsity=arguments.sparsity, begin_step=0,
                                                     frequency=arguments.frequency, end_step=arguments.end)
    pruned = wrap(model, arguments, tfmot.sparsity.keras.prune_low_magnitude, pruning_schedule=schedule)
    history = fit(pruned, arguments, data, probabilities, [tfmot.sparsity.keras.UpdatePruningStep()])
    return tfmot.sparsity.keras.strip_pruning(pruned), history


def cluster(model, arguments, data, probabilities, tfmot, fit):
    for layer in model.layers:
        layer.trainable = True
    keras = tfmot.clustering.keras
    parameters = {"number_of_clusters": arguments.clusters,
                  "cluster_centroids_init": keras.CentroidInitialization.KMEANS_PLUS_PLUS}
    if arguments.preserve_sparsity:
        parameters["preserve_sparsity"] = True
        # Not part of the toolkit's stable interface, as its own documentation says.
        from tensorflow_model_optimization.python.core.clustering.keras.experimental.cluster import cluster_weights
    else:
        cluster_weights = keras.cluster_weights
    clustered = wrap(model, arguments, cluster_weights, **parameters)
    history = fit(clustered, arguments, data, probabilities) if data[0] is not None else {}
    return keras.strip_clustering(clustered), history


def main():
    arguments = parse_arguments()
    keras_files.generation(arguments.input)  # a damaged file is refused before TensorFlow is loaded
    import tensorflow as tf
    import tf_keras

    from fine_tuning import ends_in_softmax, fit, in_tf_keras, optimization_toolkit

    tfmot = optimization_toolkit()
    result("tensorflow_version", tf.__version__)
    model, keras = keras_files.load(arguments.input)
    data = read(arguments, arguments.train, arguments.train_labels)
    data += read(arguments, arguments.validation, arguments.validation_labels)
    probe = data[0] if data[0] is not None else tuple(model.inputs[0].shape[1:])
    model = in_tf_keras(model, keras, probe)
    tf_keras.utils.set_random_seed(arguments.seed % 2**32)
    probabilities = arguments.outputs_are_probabilities or ends_in_softmax(model)
    method = {"prune": prune, "cluster": cluster}[arguments.method]
    try:
        # The toolkit prints to stdout.
        with contextlib.redirect_stdout(sys.stderr):
            model, history = method(model, arguments, data, probabilities, tfmot, fit)
    except (ValueError, RuntimeError) as fault:
        raise Refusal("incompatible", f"tensorflow-model-optimization cannot work on this model: {fault}") from fault
    for key, values in history.items():
        result(f"training_{key}", values[-1])
    model.save(arguments.output, include_optimizer=False, save_format="h5")


run(main)
