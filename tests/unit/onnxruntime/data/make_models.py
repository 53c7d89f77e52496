#!/usr/bin/env python3
"""Makes the small .onnx models of the tests and what they make of drawn samples, by ONNX's own reference evaluator.

    make_models.py      (onnx 1.23, onnxruntime 1.26; files are written beside this one)

fp32.onnx, int8.onnx, samples.f32, fp32.f32, int8.f32: a classifier [N,1,6,6] -> [N,3] and its quantization.
two.onnx: inputs "a" float32 [N,2] and "b" float32 [N,3], outputs "sum" float32 [N,1] and "signs" bool [N,3].
free.onnx: float32 [N,T,2] -> [N,2], the sum along a free dimension.
ids.onnx: int64 [N,2] -> float32 [N,2].   empty.onnx: an output without elements.
planar.onnx: a convolution of images of two channels, 4 high, 3 wide: [N,2,4,3] -> [N,3].
custom.onnx: an operator that nobody defines.   newer.onnx: an operator set of the future.   text.onnx: a text as input.
"""
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnxruntime.quantization import (CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType,
                                      quantize_static)

HERE = Path(__file__).parent
FLOAT = TensorProto.FLOAT


def value(name, shape, type_=FLOAT):
    return helper.make_tensor_value_info(name, type_, shape)


def save(name, nodes, inputs, outputs, initializers=(), opset=13, domains=()):
    graph = helper.make_graph(nodes, name, inputs, outputs, list(initializers))
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in domains)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="kenning-tests")
    onnx.save(model, HERE / f"{name}.onnx")
    return model


class Samples(CalibrationDataReader):
    def __init__(self, samples):
        self.left = iter([{"x": s[None]} for s in samples])

    def get_next(self):
        return next(self.left, None)


def classifier():
    random = np.random.default_rng(1)
    weights = {"kernel": random.normal(0, 0.5, (4, 1, 3, 3)), "kernel_bias": random.normal(0, 0.1, 4),
               "dense": random.normal(0, 1.5, (4, 3)), "dense_bias": random.normal(0, 0.1, 3)}
    nodes = [helper.make_node("Conv", ["x", "kernel", "kernel_bias"], ["c"], "conv", kernel_shape=[3, 3]),
             helper.make_node("Relu", ["c"], ["r"], "relu"),
             helper.make_node("GlobalAveragePool", ["r"], ["p"], "pool"),
             helper.make_node("Flatten", ["p"], ["f"], "flatten"),
             helper.make_node("Gemm", ["f", "dense", "dense_bias"], ["g"], "dense"),
             helper.make_node("Softmax", ["g"], ["y"], "softmax", axis=1)]
    initializers = [numpy_helper.from_array(w.astype(np.float32), n) for n, w in weights.items()]
    save("fp32", nodes, [value("x", ["N", 1, 6, 6])], [value("y", ["N", 3])], initializers)
    samples = random.normal(0, 1, (8, 1, 6, 6)).astype(np.float32)
    samples.tofile(HERE / "samples.f32")
    quantize_static(HERE / "fp32.onnx", HERE / "int8.onnx", Samples(samples), quant_format=QuantFormat.QDQ,
                    activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, per_channel=True,
                    calibrate_method=CalibrationMethod.MinMax,
                    # Weights of 7 bits: with 8 the sums of two products overflow on x86 processors without VNNI.
                    reduce_range=True)
    for name in ("fp32", "int8"):
        model = onnx.load(HERE / f"{name}.onnx")
        for opset in model.opset_import:
            if not opset.domain:
                opset.version = 19  # the evaluator knows these operators from there on; they mean the same
        run = ReferenceEvaluator(model)
        np.concatenate([run.run(None, {"x": s[None]})[0] for s in samples]).astype(np.float32).tofile(
            HERE / f"{name}.f32")


def others():
    axes = numpy_helper.from_array(np.array([1], np.int64), "axes")
    zero = numpy_helper.from_array(np.zeros(1, np.float32), "zero")
    save("two", [helper.make_node("Concat", ["a", "b"], ["ab"], axis=1),
                 helper.make_node("ReduceSum", ["ab", "axes"], ["sum"], keepdims=1),
                 helper.make_node("Greater", ["b", "zero"], ["signs"])],
         [value("a", ["N", 2]), value("b", ["N", 3])],
         [value("sum", ["N", 1]), value("signs", ["N", 3], TensorProto.BOOL)], [axes, zero])
    save("free", [helper.make_node("ReduceSum", ["x", "axes"], ["y"], keepdims=0)], [value("x", ["N", "T", 2])],
         [value("y", ["N", 2])], [axes])
    save("ids", [helper.make_node("Cast", ["x"], ["y"], to=FLOAT)], [value("x", ["N", 2], TensorProto.INT64)],
         [value("y", ["N", 2])])
    large = numpy_helper.from_array(np.array([1e30], np.float32), "large")
    save("empty", [helper.make_node("Greater", ["x", "large"], ["g"]), helper.make_node("NonZero", ["g"], ["y"])],
         [value("x", ["N", 2])], [value("y", [2, "K"], TensorProto.INT64)], [large])
    save("custom", [helper.make_node("Frobnicate", ["x"], ["y"], "layer7", domain="org.example")],
         [value("x", ["N", 2])], [value("y", ["N", 2])], domains=["org.example"])
    save("newer", [helper.make_node("Relu", ["x"], ["y"])], [value("x", ["N", 2])], [value("y", ["N", 2])], opset=99)
    save("unknown", [helper.make_node("Frobnicate", ["x"], ["y"], "layer7")], [value("x", ["N", 2])],
         [value("y", ["N", 2])])
    save("text", [helper.make_node("Identity", ["x"], ["y"])], [value("x", ["N", 2], TensorProto.STRING)],
         [value("y", ["N", 2], TensorProto.STRING)])


def planar():
    random = np.random.default_rng(2)
    weights = {"kernel": random.normal(0, 0.5, (3, 2, 2, 2)), "bias": random.normal(0, 0.1, 3)}
    save("planar", [helper.make_node("Conv", ["x", "kernel", "bias"], ["c"], "conv", kernel_shape=[2, 2]),
                    helper.make_node("Relu", ["c"], ["r"], "relu"),
                    helper.make_node("GlobalAveragePool", ["r"], ["p"], "pool"),
                    helper.make_node("Flatten", ["p"], ["y"], "flatten")],
         [value("x", ["N", 2, 4, 3])], [value("y", ["N", 3])],
         [numpy_helper.from_array(w.astype(np.float32), n) for n, w in weights.items()])


classifier()
others()
planar()
