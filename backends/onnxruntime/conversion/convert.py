"""Converts a Keras model, a SavedModel or a TensorFlow Lite model to ONNX and compares their outputs."""
import argparse
import contextlib
import os
import re
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
# The scripts beside this one, also where it is a link.
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import numpy as np  # noqa: E402

import comparison  # noqa: E402
import keras_files  # noqa: E402
from report import Refusal, result, run  # noqa: E402


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", required=True)
    parser.add_argument("--format", required=True, choices=["keras", "saved_model", "tflite"])
    parser.add_argument("--output", required=True)
    parser.add_argument("--opset", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def convert_function(function, signature, opset, output):
    """`function` takes the tensors of `signature` (tf.TensorSpec with names) one by one."""
    import tensorflow as tf
    import tf2onnx

    tf2onnx.convert.from_function(tf.function(function), input_signature=signature, opset=opset, output_path=output)


def names_of(tensors):
    return [re.sub(r"\W", "_", tensor.name.split(":")[0]) for tensor in tensors]


def rename_outputs(path, names):
    """Outputs get the names that the source has for them, where these are free."""
    import onnx

    model = onnx.load(path)
    taken = {name for node in model.graph.node for name in (*node.input, *node.output)}
    for output, name in zip(model.graph.output, names):
        if name in taken or name in {other.name for other in model.graph.input}:
            continue
        for node in model.graph.node:
            for values in (node.input, node.output):
                for i, value in enumerate(values):
                    if value == output.name:
                        values[i] = name
        output.name = name
    onnx.save(model, path)


def convert_keras(arguments):
    import tensorflow as tf

    model, keras = keras_files.load(arguments.input)
    result("keras_version", keras.__version__)
    signature = [tf.TensorSpec(tensor.shape, tensor.dtype, name)
                 for tensor, name in zip(model.inputs, names_of(model.inputs))]

    def call(*tensors):
        outputs = model(list(tensors) if len(tensors) > 1 else tensors[0], training=False)
        # Identity gives outputs names and lets an input be an output.
        return [tf.identity(output) for output in tf.nest.flatten(outputs)]

    convert_function(call, signature, arguments.opset, arguments.output)
    rename_outputs(arguments.output, getattr(model, "output_names", None) or [model.layers[-1].name])
    return lambda sample: [np.asarray(o) for o in tf.nest.flatten(
        model(sample if len(sample) > 1 else sample[0], training=False))]


def convert_saved_model(arguments):
    import tensorflow as tf

    try:
        loaded = tf.saved_model.load(arguments.input)
        signatures = list(loaded.signatures)
    except Exception as fault:
        raise Refusal("baddata", f"{arguments.input} cannot be loaded as a SavedModel: {fault}") from fault
    key = "serving_default" if "serving_default" in signatures else signatures[0] if len(signatures) == 1 else None
    if key is None:
        raise Refusal("incompatible", f"{arguments.input} has no signature 'serving_default'; it has: {signatures}")
    function = loaded.signatures[key]
    specs = function.structured_input_signature[1]
    names = sorted(specs)
    outputs = sorted(function.structured_outputs)

    def call(*tensors):
        made = function(**dict(zip(names, tensors)))
        return [tf.identity(made[name], name=name) for name in outputs]

    convert_function(call, [tf.TensorSpec(specs[n].shape, specs[n].dtype, n) for n in names], arguments.opset,
                     arguments.output)
    rename_outputs(arguments.output, outputs)
    return lambda sample: [np.asarray(o) for o in call(*[tf.constant(s) for s in sample])]


def convert_tflite(arguments):
    import tensorflow as tf
    import tf2onnx

    try:
        interpreter = tf.lite.Interpreter(arguments.input)
        interpreter.allocate_tensors()
    except ValueError as fault:
        raise Refusal("baddata", f"{arguments.input} is no model that TensorFlow Lite accepts: {fault}") from fault
    tf2onnx.convert.from_tflite(arguments.input, opset=arguments.opset, output_path=arguments.output)

    def call(sample):
        for detail, value in zip(interpreter.get_input_details(), sample):
            interpreter.resize_tensor_input(detail["index"], value.shape)
        interpreter.allocate_tensors()
        for detail, value in zip(interpreter.get_input_details(), sample):
            interpreter.set_tensor(detail["index"], value)
        interpreter.invoke()
        return [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]

    return call


def convert(arguments):
    converters = {"keras": convert_keras, "saved_model": convert_saved_model, "tflite": convert_tflite}
    try:
        # The converter prints to stdout.
        with contextlib.redirect_stdout(sys.stderr):
            return converters[arguments.format](arguments)
    except Refusal:
        raise
    except Exception as fault:
        print(fault, file=sys.stderr)
        raise Refusal("incompatible", f"tf2onnx cannot convert this model: {type(fault).__name__}: {fault}") from fault


def check(arguments, source):
    session = comparison.open_session(arguments.output)
    samples = comparison.draw_inputs(session, arguments.seed)
    wanted = [source(sample) for sample in samples]
    # Where the format keeps no order of outputs, the converter has kept the one in which they were asked for.
    difference, varies = comparison.compare(wanted, comparison.run_session(session, samples))
    quantized = arguments.format == "tflite" and any(np.asarray(o).dtype != np.float32 for o in wanted[0])
    result("max_difference", f"{difference:.3g}")
    result("outputs_vary", "yes" if varies else "no")
    if difference > comparison.TOLERANCE and not quantized:
        raise Refusal("incompatible", f"the ONNX model's outputs differ from the source's by {difference:.3g} of the "
                      f"largest, more than {comparison.TOLERANCE:g}: it is not kept")


def main():
    arguments = parse_arguments()
    if arguments.format == "keras":
        keras_files.generation(arguments.input)  # a damaged file is refused before TensorFlow is loaded
    import tensorflow as tf
    import tf2onnx

    tf.keras.utils.set_random_seed(arguments.seed % 2**32)
    result("compiler_version", tf2onnx.__version__)
    result("tensorflow_version", tf.__version__)
    source = convert(arguments)
    check(arguments, source)


run(main)
