"""Opens Keras models of both generations: Keras 3, and Keras 2 through its continuation tf_keras."""

import json
import zipfile

from report import Refusal


def generation(path):
    """2 or 3: the Keras that wrote the file. Needs no TensorFlow."""
    import h5py

    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                version = json.loads(archive.read("metadata.json"))["keras_version"]
        else:
            with h5py.File(path, "r") as file:
                if "model_config" not in file.attrs:
                    raise Refusal("baddata", f"{path} holds no Keras model, or its weights alone")
                version = file.attrs.get("keras_version", "2")
                if "keras_version" not in file.attrs and "model_weights" in file:
                    version = file["model_weights"].attrs.get("keras_version", "2")
                version = version.decode() if isinstance(version, bytes) else str(version)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as fault:
        raise Refusal("baddata", f"{path} is no Keras model: {fault}") from fault
    return 3 if version.split(".")[0].isdigit() and int(version.split(".")[0]) >= 3 else 2


def keep_batch_free(keras):
    """Keras 3 flattens and reshapes through the shape at run time, for which the converter writes four operators where
    one does. With all other dimensions known, -1 says the same."""
    import tensorflow as tf

    def static(layer_class, target):
        dynamic = layer_class.call

        def call(self, inputs, *arguments, **keywords):
            shape = target(self, inputs)
            if shape is None:
                return dynamic(self, inputs, *arguments, **keywords)
            return tf.reshape(inputs, (-1, *shape))

        layer_class.call = call

    def flattened(layer, inputs):
        known = None not in inputs.shape[1:] and layer.data_format == "channels_last"
        return (int(tf.TensorShape(inputs.shape[1:]).num_elements()),) if known else None

    def reshaped(layer, inputs):
        known = None not in inputs.shape[1:] and -1 not in layer.target_shape
        return tuple(layer.target_shape) if known else None

    static(keras.layers.Flatten, flattened)
    static(keras.layers.Reshape, reshaped)


def load(path):
    """The model and the Keras package that it belongs to."""
    if generation(path) == 2:
        import tf_keras as keras
    else:
        import keras

        keep_batch_free(keras)
    try:
        return keras.models.load_model(path, compile=False), keras
    except Exception as fault:
        if isinstance(fault, (OSError, EOFError)):
            raise Refusal("baddata", f"{path} cannot be read: {fault}") from fault
        raise Refusal("incompatible", f"Keras {keras.__version__} cannot load {path}: {fault}") from fault
