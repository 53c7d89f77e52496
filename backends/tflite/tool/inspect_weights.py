"""Tells of the weights in a Keras .h5 file what pruning and clustering are about: zeros, and different values, of the
kernels of dense and convolutional layers, and refuses the file where they are not what was asked for. Reads the file
alone; needs no TensorFlow."""

import argparse
import json
import math
import zipfile

import h5py
import numpy as np

from report import Refusal, result, run

DENSE, CONVOLUTIONS = {"Dense"}, {"Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose"}


def layers_of(configuration):
    """(name, class) of every layer, those of nested models too."""
    for layer in configuration.get("layers", []):
        inner = layer.get("config", {})
        if "layers" in inner:
            yield from layers_of(inner)
        else:
            yield inner.get("name"), layer.get("class_name")


def kernels(file, classes):
    """(path, array) of the kernels of the layers of these classes."""
    names = {name for name, kind in layers_of(json.loads(file.attrs["model_config"])["config"]) if kind in classes}
    found = []

    def visit(path, node):
        parts = path.split("/")
        if isinstance(node, h5py.Dataset) and parts[-1].split(":")[0] == "kernel" and names & set(parts):
            found.append((path, np.asarray(node)))

    file["model_weights"].visititems(visit)
    return found


def judge(arrays, arguments):
    for path, array in arrays:
        # The toolkit rounds the number of weights that stay, and keeps those that equal the least of them.
        zeros = int((array == 0).sum())
        if arguments.sparsity is not None and zeros < math.floor(arguments.sparsity * array.size) - 1:
            raise Refusal("incompatible", f"{path} has {zeros / array.size:.4f} zeros, less than the {arguments.sparsity} "
                                          "that were asked for")
        distinct = np.unique(array).size
        if arguments.clusters is not None and distinct > arguments.clusters:
            raise Refusal("incompatible", f"{path} has {distinct} values, more than the {arguments.clusters} that were "
                                          "asked for")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file")
    parser.add_argument("--dense-only", action="store_true")
    parser.add_argument("--sparsity", type=float, help="share of zeros that each kernel must have")
    parser.add_argument("--clusters", type=int, help="most values that a kernel may have")
    parser.add_argument("--zip", help="write the file as a ZIP archive too")
    arguments = parser.parse_args()
    try:
        with h5py.File(arguments.file, "r") as file:
            version = file.attrs.get("keras_version", "unknown")
            arrays = kernels(file, DENSE if arguments.dense_only else DENSE | CONVOLUTIONS)
    except (OSError, KeyError, ValueError) as fault:
        raise Refusal("baddata", f"{arguments.file} is no Keras .h5 file: {fault}") from fault
    if not arrays:
        raise Refusal("incompatible", "the model has no layers of the kind that is to be worked on")
    judge(arrays, arguments)
    zeros, values = sum(int((array == 0).sum()) for _, array in arrays), sum(array.size for _, array in arrays)
    result("compiler_framework", "tensorflow")
    result("compiler_version", version.decode() if isinstance(version, bytes) else version)
    result("kernels", len(arrays))
    result("sparsity", zeros / values)
    result("most_values", max(np.unique(array).size for _, array in arrays))
    if arguments.zip:
        with zipfile.ZipFile(arguments.zip, "w", compression=zipfile.ZIP_DEFLATED) as archive:
            archive.write(arguments.file, "model.h5")



run(main)
