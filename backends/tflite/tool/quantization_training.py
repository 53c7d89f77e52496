"""Quantization-aware training of a Keras model (Jacob et al., "Quantization and Training of Neural Networks for
Efficient Integer-Arithmetic-Only Inference", 2018), by tensorflow-model-optimization, which works on tf_keras."""

import sys

import tf_keras

from fine_tuning import ends_in_softmax, fit, in_tf_keras, optimization_toolkit
from report import Refusal, result


def train(model, keras, arguments, samples, labels, validation, validation_labels):
    tfmot = optimization_toolkit()
    model = in_tf_keras(model, keras, samples)
    tf_keras.utils.set_random_seed(arguments.seed % 2**32)
    probabilities = arguments.outputs_are_probabilities or ends_in_softmax(model)
    try:
        quantized = tfmot.quantization.keras.quantize_model(model)
    except (ValueError, RuntimeError) as fault:
        raise Refusal("incompatible", f"the model cannot be prepared for quantization-aware training: {fault}") from fault
    history = fit(quantized, arguments, (samples, labels, validation, validation_labels), probabilities)
    for key, values in history.items():
        result(f"training_{key}", values[-1])
    print(f"quantization-aware training: {history}", file=sys.stderr)
    return quantized
