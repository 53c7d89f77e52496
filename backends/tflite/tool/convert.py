"""Converts a Keras model or a SavedModel to a .tflite file."""

import argparse
import contextlib
import gc
import os
import re
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
gc.set_threshold(200_000, 50, 50)  # most of what TensorFlow makes stays: looking through it is a fifth of its import

import numpy as np  # noqa: E402

import keras_files  # noqa: E402
from report import Refusal, progress, result, run  # noqa: E402


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", required=True)
    parser.add_argument("--format", required=True, choices=["keras", "saved_model"])
    parser.add_argument("--output", required=True)
    parser.add_argument("--target", required=True, choices=["default", "int8", "float16"])
    parser.add_argument("--input-type", required=True, choices=["float32", "int8", "uint8"])
    parser.add_argument("--output-type", required=True, choices=["float32", "int8", "uint8"])
    parser.add_argument("--select-ops", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sample-shape", help="of one sample without batch: 28,28,1")
    parser.add_argument("--sample-type", default="float32")
    parser.add_argument("--calibration", help="raw samples")
    training = parser.add_argument_group("quantization-aware training")
    training.add_argument("--train", help="raw samples")
    training.add_argument("--train-labels", help="raw int64")
    training.add_argument("--validation")
    training.add_argument("--validation-labels")
    training.add_argument("--epochs", type=int, default=1)
    training.add_argument("--batch-size", type=int, default=32)
    training.add_argument("--optimizer", default="adam")
    training.add_argument("--outputs-are-probabilities", action="store_true")
    return parser.parse_args()


def open_samples(path, arguments):
    shape = tuple(int(n) for n in arguments.sample_shape.split(",") if n)
    return np.memmap(path, dtype=arguments.sample_type, mode="r").reshape((-1, *shape))


def open_labels(path):
    return np.fromfile(path, dtype="<i8")


def saved_model_converter(arguments, tf):
    try:
        signatures = list(tf.saved_model.load(arguments.input).signatures)
    except Exception as fault:
        raise Refusal("baddata", f"{arguments.input} cannot be loaded as a SavedModel: {fault}") from fault
    key = "serving_default" if "serving_default" in signatures else signatures[0] if len(signatures) == 1 else None
    if key is None:
        raise Refusal("incompatible", f"{arguments.input} has no signature 'serving_default'; it has: {signatures}")
    return tf.lite.TFLiteConverter.from_saved_model(arguments.input, signature_keys=[key])


def keras_converter(arguments, tf):
    model, keras = keras_files.load(arguments.input)
    result("keras_version", keras.__version__)
    if arguments.train:
        import quantization_training

        model = quantization_training.train(
            model, keras, arguments, open_samples(arguments.train, arguments), open_labels(arguments.train_labels),
            open_samples(arguments.validation, arguments) if arguments.validation else None,
            open_labels(arguments.validation_labels) if arguments.validation else None)
    return function_converter(model, tf)


def function_converter(model, tf):
    """Of the model's function, whose variables the converter makes constants. TFLiteConverter.from_keras_model goes by way
    of a SavedModel, whose writing takes several times as long as all the rest. Layers of Keras need no AutoGraph."""
    inputs = [tf.TensorSpec(one.shape, one.dtype, name=one.name.split(":")[0]) for one in model.inputs]
    function = tf.function(lambda *given: model(given[0] if len(given) == 1 else list(given), training=False), autograph=False)
    try:
        traced = function.get_concrete_function(*inputs)
    except Exception as fault:
        raise Refusal("incompatible", f"TensorFlow cannot trace this model: {fault}") from fault
    return tf.lite.TFLiteConverter.from_concrete_functions([traced])


def representative(samples):
    def generate():
        for i, sample in enumerate(samples):
            if i % 10 == 0:
                progress(i, len(samples), "calibration")
            yield [np.asarray(sample[None], dtype=np.float32)]

    return generate


def configure(converter, arguments, tf):
    operators = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if arguments.target != "default":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if arguments.target == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if arguments.target == "int8":
        samples = open_samples(arguments.calibration, arguments)
        if not len(samples):
            raise Refusal("invalid", "there are no samples to calibrate on")
        converter.representative_dataset = representative(samples)
        result("calibration_count", len(samples))
        # Integers at the edge of the model are taken to mean integers throughout.
        if "float32" not in (arguments.input_type, arguments.output_type):
            operators = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    if arguments.select_ops:
        operators.append(tf.lite.OpsSet.SELECT_TF_OPS)
    converter.target_spec.supported_ops = operators
    converter.inference_input_type = tf.as_dtype(arguments.input_type)
    converter.inference_output_type = tf.as_dtype(arguments.output_type)


def explain(fault, select_ops):
    """The converter's message, shortened to the operators it has no equal for where that is what is wrong."""
    unknown = sorted(set(re.findall(r"'tf\.(\w+)' op is neither a custom op nor a flex op", str(fault))))
    if not unknown:
        return f"TensorFlow cannot convert this model: {fault}"
    way_out = "the Flex delegate does not have them either" if select_ops else "use_tf_select_ops may keep them"
    return f"TensorFlow Lite has no operator for {', '.join(unknown)} of this model; {way_out}"


def convert(converter, select_ops):
    try:
        # The converter prints to stdout.
        with contextlib.redirect_stdout(sys.stderr):
            return converter.convert()
    except Refusal:
        raise
    except Exception as fault:
        print(fault, file=sys.stderr)
        raise Refusal("incompatible", explain(fault, select_ops)) from fault


def main():
    arguments = parse_arguments()
    if arguments.format == "keras":
        keras_files.generation(arguments.input)  # a damaged file is refused before TensorFlow is loaded
    import tensorflow as tf

    tf.keras.utils.set_random_seed(arguments.seed % 2**32)
    result("tensorflow_version", tf.__version__)
    converter = saved_model_converter(arguments, tf) if arguments.format == "saved_model" else keras_converter(arguments, tf)
    configure(converter, arguments, tf)
    model = convert(converter, arguments.select_ops)
    with open(arguments.output, "wb") as file:
        file.write(model)
    result("bytes", len(model))


run(main)
