"""Makes the models of this directory, and what the reference interpreter answers for them.

Run it with the Python of the environment that `kenning install tflite` makes. A new version of TensorFlow may write
other bytes: the expectations in model_file_test.c belong to the files as they are."""

import os

os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
import tf_keras  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
SAMPLES = 4


def write(name, data):
    with open(os.path.join(HERE, name), "wb") as file:
        file.write(data)


def answers(name, model, samples):
    """Dequantized outputs of the samples, float32, one after the other."""
    interpreter = tf.lite.Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    source, result = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    values = []
    for sample in samples:
        if source["dtype"] != np.float32:
            scale, zero_point = source["quantization"]
            limits = np.iinfo(source["dtype"])
            sample = np.clip(np.rint(sample / np.float32(scale)) + zero_point, limits.min, limits.max)
        interpreter.set_tensor(source["index"], sample[None].astype(source["dtype"]))
        interpreter.invoke()
        value = interpreter.get_tensor(result["index"])[0]
        if result["dtype"] != np.float32:
            scale, zero_point = result["quantization"]
            value = (value.astype(np.float32) - zero_point) * np.float32(scale)
        values.append(value)
    write(name + ".f32", np.array(values, "<f4").tobytes())


def network():
    """One convolution and one dense layer with numbers that no initializer decides."""
    layers = tf_keras.layers
    model = tf_keras.Sequential([
        layers.Input((4, 4, 1), name="image"),
        layers.Conv2D(2, 3, activation="relu", name="convolution"),
        layers.Flatten(name="flat"),
        layers.Dense(3, activation="softmax", name="scores"),
    ])
    random = np.random.default_rng(7)
    model.set_weights([random.normal(size=weight.shape).astype("f") for weight in model.get_weights()])
    return model


def convert(model, samples, target, edge=tf.float32):
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if target != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if target == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if target == "int8":
        converter.representative_dataset = lambda: ([sample[None]] for sample in samples)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = edge
    return converter.convert()


def looping_model():
    """Doubles its input as often as its second input says: a WHILE with two subgraphs of its own."""

    @tf.function(input_signature=[tf.TensorSpec([2], tf.float32, "value"), tf.TensorSpec([], tf.int32, "times")])
    def doubled(value, times):
        return tf.while_loop(lambda v, n: n > 0, lambda v, n: (v * 2.0, n - 1), (value, times))[0]

    return tf.lite.TFLiteConverter.from_concrete_functions([doubled.get_concrete_function()]).convert()


def edge_model(model):
    """What the Edge TPU's compiler leaves of an int8 model: one operator of its own between input and output."""
    from tensorflow.lite.python import schema_py_generated as schema
    import flatbuffers

    tree = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(model))
    graph = tree.subgraphs[0]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    code.customCode = b"edgetpu-custom-op"
    operator = schema.OperatorT()
    operator.inputs, operator.outputs = graph.inputs, graph.outputs
    operator.customOptions = list(b"parameters")
    tree.operatorCodes, graph.operators = [code], [operator]
    builder = flatbuffers.Builder(4096)
    builder.Finish(tree.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def main():
    samples = np.random.default_rng(11).uniform(-1, 1, (SAMPLES, 4, 4, 1)).astype("f")
    write("samples.f32", samples.astype("<f4").tobytes())
    model = network()
    variants = {"fp32": ("float32", tf.float32), "float16": ("float16", tf.float32), "int8": ("int8", tf.int8),
                "uint8": ("int8", tf.uint8)}
    for name, (target, edge) in variants.items():
        converted = convert(model, samples, target, edge)
        write(name + ".tflite", converted)
        answers(name, converted, samples)
        if name == "int8":
            write("edgetpu.tflite", edge_model(converted))
    write("while.tflite", looping_model())


main()
