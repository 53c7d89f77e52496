"""Trains a Keras model further in tf_keras, for which tensorflow-model-optimization is made."""

import inspect

import numpy as np
import tf_keras

from report import Refusal, progress


def optimization_toolkit():
    try:
        import tensorflow_model_optimization as tfmot
    except ImportError as fault:
        raise Refusal("incompatible", f"the environment lacks tensorflow-model-optimization: {fault}") from fault
    return tfmot


def in_tf_keras(model, keras, samples):
    """The same model in tf_keras. `samples`: some to compare the outputs on, or their shape."""
    if keras is tf_keras:
        return model
    translated = translate(model)
    if isinstance(samples, tuple):
        samples = np.random.default_rng(1).uniform(-1, 1, (8, *samples))
    check_same(model, translated, np.asarray(samples[:8], dtype=np.float32))
    return translated


def translate_layer(layer):
    """The tf_keras layer of the same class and configuration; weights are copied later, so their initializers,
    regularizers and constraints are left out."""
    name = type(layer).__name__
    layer_class = getattr(tf_keras.layers, name, None)
    if layer_class is None or not type(layer).__module__.startswith("keras."):
        raise Refusal("incompatible", f"training does not know the layer {layer.name} ({name})")
    accepted = set()
    for base in inspect.getmro(layer_class):
        if "__init__" in vars(base):
            accepted.update(inspect.signature(base.__init__).parameters)
    configuration = {}
    for key, value in layer.get_config().items():
        if key in ("dtype", "name", "trainable") or key not in accepted:
            continue
        if key.endswith(("_initializer", "_regularizer", "_constraint")):
            continue
        if isinstance(value, dict):
            raise Refusal("incompatible", f"training does not know '{key}' of layer {layer.name}")
        configuration[key] = value
    return layer_class(name=layer.name, **configuration)


def translate(model):
    """A Keras 3 model, Sequential or Functional, as the same model of tf_keras."""
    graph = getattr(model, "_functional", None) or model
    if not hasattr(graph, "_nodes_by_depth"):
        raise Refusal("incompatible", "training takes Sequential and Functional models only")
    tensors, layers = {}, {}
    for tensor in graph.inputs:
        tensors[id(tensor)] = tf_keras.Input(tensor.shape[1:], name=tensor.name)
    for depth in sorted(graph._nodes_by_depth, reverse=True):
        for node in graph._nodes_by_depth[depth]:
            if node.is_input:
                continue
            inputs = [tensors[id(tensor)] for tensor in node.arguments.keras_tensors]
            source = node.operation
            if source.name not in layers:
                layers[source.name] = (translate_layer(source), source)
            many = isinstance(node.arguments.args[0], (list, tuple))
            outputs = layers[source.name][0](inputs if many else inputs[0])
            for old, new in zip(node.outputs, outputs if isinstance(outputs, (list, tuple)) else [outputs]):
                tensors[id(old)] = new
    translated = tf_keras.Model([tensors[id(t)] for t in graph.inputs], [tensors[id(t)] for t in graph.outputs])
    for layer, source in layers.values():
        layer.set_weights(source.get_weights())
    return translated


def check_same(model, translated, samples):
    first, second = np.asarray(model(samples)), np.asarray(translated(samples))
    if first.shape != second.shape or not np.allclose(first, second, rtol=1e-3, atol=1e-4):
        raise Refusal("incompatible", "the model could not be translated for training: its outputs "
                                      f"differ by {np.abs(first - second).max()}")


class Batches(tf_keras.utils.Sequence):
    """Shuffled anew in each epoch."""

    def __init__(self, samples, labels, batch_size, seed, shuffle):
        super().__init__()
        self.samples, self.labels, self.batch_size = samples, labels, batch_size
        self.random = np.random.default_rng(seed) if shuffle else None
        self.order = np.arange(len(samples))
        self.on_epoch_end()

    def __len__(self):
        return -(-len(self.samples) // self.batch_size)

    def __getitem__(self, index):
        chosen = np.sort(self.order[index * self.batch_size : (index + 1) * self.batch_size])
        return np.asarray(self.samples[chosen], dtype=np.float32), self.labels[chosen]

    def on_epoch_end(self):
        if self.random is not None:
            self.random.shuffle(self.order)


class Progress(tf_keras.callbacks.Callback):
    def __init__(self, epochs, steps):
        super().__init__()
        self.epochs, self.steps, self.done = epochs, steps, 0

    def on_train_batch_end(self, batch, logs=None):
        self.done += 1
        if self.done % 10 == 0:
            epoch = self.done // self.steps + 1
            progress(self.done, self.epochs * self.steps + 1,
                     f"epoch {min(epoch, self.epochs)}/{self.epochs}, loss {logs['loss']:.4f}")


def ends_in_softmax(model):
    layer = model.layers[-1]
    return isinstance(layer, tf_keras.layers.Softmax) or getattr(layer, "activation", None) is tf_keras.activations.softmax


def fit(model, arguments, data, probabilities, callbacks=()):
    """Compiles and trains. `data`: samples, labels, validation samples and labels (the latter or None)."""
    samples, labels, validation, validation_labels = data
    loss = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=not probabilities)
    model.compile(optimizer=arguments.optimizer, loss=loss, metrics=["accuracy"])
    batches = Batches(samples, labels, arguments.batch_size, arguments.seed, True)
    held_out = None
    if validation is not None and len(validation):
        held_out = Batches(validation, validation_labels, arguments.batch_size, arguments.seed, False)
    return model.fit(batches, epochs=arguments.epochs, validation_data=held_out, verbose=0,
                     callbacks=[Progress(arguments.epochs, len(batches)), *callbacks]).history
