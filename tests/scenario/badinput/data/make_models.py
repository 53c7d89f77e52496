#!/usr/bin/env python3
"""Makes the models of this directory: each has one thing that its engine does not take.

    make_models.py tensorflow|onnx|pytorch|mxnet    (the Python of the environment tensorflow-tools, onnx-tools,
                                                     pytorch-tools, onnx-mxnet-tools; files are written beside this one)

two.tar, two-aot.tar and two.vmfb are two.onnx, compiled for any x86-64 processor as tests/unit/tvm/data/make_models
(executors graph and aot) and tests/unit/iree/data/make_models.py compile theirs.

newer.*: of a version of the future.   unknown.*, custom.tflite: an operator that nobody defines.
int64.*, half.*, bool.*: inputs (mxnet: outputs) of that type.   two.*: two inputs, two outputs.
ext.*: weights beside the model.   empty.*: an output without elements, always or for zeros.   free.*: a dimension that is not told.
"""
import json
import os
import shutil
import sys
import zipfile
from pathlib import Path

os.chdir(Path(__file__).parent)
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"


def make_tensorflow():
    import flatbuffers
    import tensorflow as tf
    from tensorflow.core.protobuf import saved_model_pb2
    from tensorflow.lite.python import schema_py_generated as schema

    def saved(name, function, *specs):
        class Model(tf.Module):
            @tf.function(input_signature=list(specs))
            def __call__(self, *inputs):
                return function(*inputs)

        model, path = Model(), Path("made.savedmodel")
        shutil.rmtree(path, ignore_errors=True)
        tf.saved_model.save(model, str(path), signatures=model.__call__.get_concrete_function())
        lite = tf.lite.TFLiteConverter.from_saved_model(str(path)).convert()
        parsed = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
        shutil.rmtree(path)
        Path(f"{name}.tflite").write_bytes(lite)
        return parsed, lite

    def nodes(parsed):
        graph = parsed.meta_graphs[0].graph_def
        return [*graph.node, *(node for function in graph.library.function for node in function.node_def)]

    def write(name, parsed, change):
        changed = saved_model_pb2.SavedModel.FromString(parsed.SerializeToString())
        meta = changed.meta_graphs[0]
        meta.ClearField("object_graph_def")
        meta.meta_info_def.ClearField("stripped_op_list")
        change(changed)
        Path(name).mkdir(exist_ok=True)
        (Path(name) / "saved_model.pb").write_bytes(changed.SerializeToString())

    def rename(parsed):
        for node in nodes(parsed):
            if node.op == "Softmax":
                node.op = "Frobnicate"

    def future(parsed):
        parsed.meta_graphs[0].graph_def.versions.producer = 99999
        parsed.meta_graphs[0].graph_def.versions.min_consumer = 99999

    def lite(name, source, change):
        tree = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(source))
        change(tree)
        builder = flatbuffers.Builder(4096)
        builder.Finish(tree.Pack(builder), b"TFL3")
        Path(name).write_bytes(bytes(builder.Output()))

    def newer(tree):
        tree.operatorCodes[0].version = 99

    def number(tree):
        tree.operatorCodes[0].builtinCode, tree.operatorCodes[0].deprecatedBuiltinCode = 300, 127

    def custom(tree):
        tree.operatorCodes[0].builtinCode = tree.operatorCodes[0].deprecatedBuiltinCode = 32
        tree.operatorCodes[0].customCode = b"Frobnicate"
        tree.subgraphs[0].operators[0].builtinOptionsType, tree.subgraphs[0].operators[0].builtinOptions = 0, None

    x = tf.TensorSpec([1, 2], tf.float32, "x")
    good, converted = saved("good", lambda x: {"y": tf.nn.softmax(x * 2.0)}, tf.TensorSpec([None, 2], tf.float32, "x"))
    Path("good.tflite").unlink()
    write("unknown.savedmodel", good, rename)
    write("newer.savedmodel", good, future)
    lite("newer.tflite", converted, newer)
    lite("unknown.tflite", converted, number)
    lite("custom.tflite", converted, custom)
    empty, _ = saved("empty", lambda x: {"y": tf.where(x > 1e30)}, x)
    write("empty.savedmodel", empty, lambda parsed: None)
    two, _ = saved("two", lambda a, b: {"p": a * 2.0, "q": b + 1.0}, tf.TensorSpec([1, 2], tf.float32, "a"),
                   tf.TensorSpec([1, 2], tf.float32, "b"))
    write("two.savedmodel", two, lambda parsed: None)
    saved("int64", lambda x: {"y": tf.cast(x, tf.float32)}, tf.TensorSpec([1, 2], tf.int64, "x"))
    saved("bool", lambda x: {"y": tf.logical_not(x)}, tf.TensorSpec([1, 2], tf.bool, "x"))


def make_onnx():
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    def save(name, operator, inputs, kind, format_version=8, constants=(), shape=("N", 2)):
        value = helper.make_tensor_value_info
        graph = helper.make_graph([helper.make_node(operator, inputs, ["y"], "layer7")], name,
                                  [value("x", kind, ["N", 2])], [value("y", kind, list(shape))], list(constants))
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=format_version)
        onnx.save(model, f"{name}.onnx")

    weights = numpy_helper.from_array(np.ones((2, 2), np.float32), "w")
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"], "layer7")]
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 2]) for name in "xy"]
    graph = helper.make_graph(nodes, "g", value[:1], value[1:], [weights])
    Path("ext.bin").unlink(missing_ok=True)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), "ext.onnx",
              save_as_external_data=True, location="ext.bin", size_threshold=0)
    save("newer-format", "Relu", ["x"], TensorProto.FLOAT, 99)
    save("half", "Add", ["x", "x"], TensorProto.FLOAT16)
    save("bool", "Not", ["x"], TensorProto.BOOL)
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 2]) for name in "abpq"]
    nodes = [helper.make_node("Mul", ["a", "two"], ["p"]), helper.make_node("Add", ["b", "one"], ["q"])]
    constants = [numpy_helper.from_array(np.array([i], np.float32), name) for i, name in ((2, "two"), (1, "one"))]
    graph = helper.make_graph(nodes, "two", value[:2], value[2:], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), "two.onnx")
    constants = [numpy_helper.from_array(np.array([i], np.int64), name) for i, name in enumerate(("zero", "one"))]
    save("empty", "Slice", ["x", "zero", "zero", "one"], TensorProto.FLOAT, constants=constants, shape=("N", 0))


def make_pytorch():
    import torch

    class Double(torch.nn.Module):
        def forward(self, x: torch.Tensor):
            return x * 2

    class Layer(torch.nn.Module):
        def forward(self, x: torch.Tensor):
            return torch.relu(x * 2)

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.block = torch.nn.Sequential(Layer())

        def forward(self, x: torch.Tensor):
            return self.block(x)

    class Two(torch.nn.Module):
        def forward(self, a: torch.Tensor, b: torch.Tensor):
            return a * 2, b + 1

    def entry(name, dtype="float32"):
        return {"name": name, "shape": [-1, 2], "dtype": dtype}

    for dtype in ("float16", "bool"):
        spec = {"input": [entry("x", dtype)], "output": [entry("y", dtype)]}
        name = "half.pt" if dtype == "float16" else "bool.pt"
        torch.jit.save(torch.jit.script(Double()), name, _extra_files={"kenning.json": json.dumps(spec)})
    spec = {"input": [entry("a"), entry("b")], "output": [entry("p"), entry("q")]}
    torch.jit.save(torch.jit.script(Two()), "two.pt", _extra_files={"kenning.json": json.dumps(spec)})
    with zipfile.ZipFile("half.pt") as source, zipfile.ZipFile("newer.pt", "w") as target:
        for name in source.namelist():
            target.writestr(name, b"99\n" if name.endswith("/version") else source.read(name))
    spec = {"input": [entry("x")], "output": [entry("y")]}
    torch.jit.save(torch.jit.script(Net()), "good.pt", _extra_files={"kenning.json": json.dumps(spec)})
    with zipfile.ZipFile("good.pt") as source, zipfile.ZipFile("unknown.pt", "w") as target:
        for name in source.namelist():
            if not name.endswith(".debug_pkl"):
                target.writestr(name, source.read(name).replace(b"torch.relu(", b"torch.frobnicate("))
    Path("good.pt").unlink()


def make_mxnet():
    import mxnet as mx
    import numpy as np

    def save(name, symbol, weights, change=lambda graph: None):
        graph = json.loads(symbol.tojson())
        change(graph)
        arrays = {f"arg:{key}": mx.nd.array(value) for key, value in weights.items()}
        text = json.dumps(graph, separators=(",", ":")).encode()
        arrays["symbol:json"] = mx.nd.array(np.frombuffer(text, np.uint8), dtype=np.uint8)
        mx.nd.save(f"{name}.params", arrays)

    def rename(graph):
        for node in graph["nodes"]:
            node["op"] = "Frobnicate" if node["op"] == "FullyConnected" else node["op"]

    def future(graph):
        graph["attrs"]["mxnet_version"] = ["int", 20900]

    x = mx.sym.Variable("x", shape=(0, 2))
    dense = mx.sym.softmax(mx.sym.FullyConnected(x, name="layer7", num_hidden=2), name="y")
    weights = {"layer7_weight": np.ones((2, 2), np.float32), "layer7_bias": np.zeros(2, np.float32)}
    save("unknown", dense, weights, rename)
    save("newer", dense, weights, future)
    save("misfit", dense, weights | {"layer7_weight": np.ones((2, 5), np.float32)})
    save("int64", mx.sym.cast(x, "int64", name="y"), {})
    save("half", mx.sym.cast(x, "float16", name="y"), {})
    a, b = (mx.sym.Variable(name, shape=(0, 2)) for name in "ab")
    save("two", mx.sym.Group([mx.sym.identity(a * 2.0, name="p"), mx.sym.identity(b + 1.0, name="q")]), {})
    save("free", mx.sym.sum(mx.sym.Variable("x", shape=(0, 0, 2)), axis=1, name="y"), {})


{"tensorflow": make_tensorflow, "onnx": make_onnx, "pytorch": make_pytorch, "mxnet": make_mxnet}[sys.argv[1]]()
