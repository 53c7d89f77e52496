"""The input model: what its inputs and outputs are, whatever imports it."""

from dataclasses import dataclass

import numpy as np

from report import Refusal


@dataclass
class Entry:
    name: str
    dtype: str
    shape: list
    scale: float = None
    zero_point: int = 0

    def specification(self, order):
        found = {"name": self.name, "dtype": self.dtype, "shape": self.shape, "order": order}
        if self.scale is not None:
            found.update(scale=self.scale, zero_point=self.zero_point, prequantized_dtype="float32")
        return found


@dataclass
class Model:
    path: str
    format: str
    content: object
    inputs: list
    outputs: list
    integer: bool = False  # weights and values are integers already
    operators: int = 0

    def settle_outputs(self, types):
        """Shapes of the outputs as they were inferred of those of the inputs: (shape, dtype) of each, shape None where
        it is not known."""
        if len(types) != len(self.outputs):
            raise Refusal("incompatible", f"the imported model has {len(types)} outputs, {self.path} {len(self.outputs)}")
        for entry, (shape, dtype) in zip(self.outputs, types):
            if shape is None or any(size is None for size in shape):
                raise Refusal("incompatible", f"the shape of the output '{entry.name}' is only known when the model runs")
            if 0 in shape:
                raise Refusal("incompatible", f"the output '{entry.name}' is empty: it has the shape {list(shape)}")
            entry.shape = list(shape)
            if dtype != entry.dtype:
                entry.dtype, entry.scale = dtype, None

    def specification(self):
        return {
            "input": [entry.specification(i) for i, entry in enumerate(self.inputs)],
            "output": [entry.specification(i) for i, entry in enumerate(self.outputs)],
        }


def given_shapes(texts):
    """["name=1,3,224,224", ...] as a list of (name, shape)."""
    found = []
    for text in texts or []:
        name, _, shape = text.rpartition("=")
        found.append((name, [int(n) for n in shape.split(",") if n]))
    return found


def concrete(entry, position, given, batch):
    """Free dimensions: the first is the batch, where one is asked for, the others are taken from what the scenario says of
    the model."""
    by_name = [shape for name, shape in given if name == entry.name]
    said = by_name[0] if by_name else given[position][1] if position < len(given) else []
    shape = []
    for k, size in enumerate(entry.shape):
        if size is None or size <= 0:
            told = said[k] if len(said) == len(entry.shape) and said[k] > 0 and (k or batch == 1) else 0
            size = told or (batch if k == 0 else 0)
        if size <= 0:
            raise Refusal("incompatible", f"dimension {k} of the model's input '{entry.name}' is free: TVM compiles for "
                                          "fixed shapes, so the io specification beside the model must tell it")
        shape.append(size)
    if batch > 1 and shape and shape[0] != batch:
        raise Refusal("incompatible", f"batch_size is {batch}, but the model's input '{entry.name}' takes {shape[0]} at a time: "
                                      f"set batch_size to {shape[0]}, or give TVM a model whose first dimension is free")
    entry.shape = shape


# ---- TensorFlow Lite ----

TFLITE_TYPES = {0: "float32", 1: "float16", 2: "int32", 3: "uint8", 4: "int64", 6: "bool", 7: "int16", 9: "int8",
                10: "float64"}
TFLITE_WEIGHTED = (3, 4, 9)  # CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED


def tflite_entry(graph, index):
    tensor = graph.Tensors(index)
    kind = TFLITE_TYPES.get(tensor.Type())
    name = tensor.Name().decode()
    if kind is None:
        raise Refusal("incompatible", f"'{name}' has a data type that is not supported (number {tensor.Type()})")
    shape = [int(n) for n in tensor.ShapeAsNumpy()] if tensor.ShapeLength() else []
    if tensor.ShapeSignatureLength() == len(shape):
        shape = [int(n) for n in tensor.ShapeSignatureAsNumpy()] if shape else []
    entry = Entry(name, kind, shape)
    quantization = tensor.Quantization()
    if kind in ("int8", "uint8", "int16") and quantization and quantization.ScaleLength() == 1:
        entry.scale = float(quantization.Scale(0))
        entry.zero_point = int(quantization.ZeroPoint(0))
    return entry


def read_tflite(path, batch):
    import tflite

    with open(path, "rb") as file:
        data = file.read()
    if len(data) < 8 or data[4:8] != b"TFL3":
        raise Refusal("baddata", f"{path} is no TensorFlow Lite model")
    try:
        content = tflite.Model.GetRootAsModel(data, 0)
        if content.SubgraphsLength() != 1:
            raise Refusal("incompatible", f"{path} has {content.SubgraphsLength()} subgraphs; TVM takes models of one")
        graph = content.Subgraphs(0)
        inputs = [tflite_entry(graph, graph.Inputs(i)) for i in range(graph.InputsLength())]
        outputs = [tflite_entry(graph, graph.Outputs(i)) for i in range(graph.OutputsLength())]
        codes = [max(content.OperatorCodes(i).BuiltinCode(), content.OperatorCodes(i).DeprecatedBuiltinCode())
                 for i in range(content.OperatorCodesLength())]
        weighted = [graph.Operators(i) for i in range(graph.OperatorsLength())
                    if codes[graph.Operators(i).OpcodeIndex()] in TFLITE_WEIGHTED]
        integer = [graph.Tensors(op.Inputs(0)).Type() in (3, 9) and graph.Tensors(op.Inputs(1)).Type() in (3, 9)
                   for op in weighted]
        return Model(path, "tflite", content, inputs, outputs, bool(integer) and all(integer), graph.OperatorsLength())
    except Refusal:
        raise
    except Exception as fault:
        raise Refusal("baddata", f"{path} is a damaged TensorFlow Lite model: {fault}") from fault


# ---- ONNX ----


def onnx_entry(value, onnx):
    kind = value.type.tensor_type
    try:
        dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)).name
    except (KeyError, TypeError) as fault:
        raise Refusal("incompatible", f"'{value.name}' has a data type that is not supported") from fault
    return Entry(value.name, dtype, [d.dim_value if d.HasField("dim_value") else None for d in kind.shape.dim])


def describe_onnx(path, form, content, onnx):
    graph = content.graph
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [onnx_entry(value, onnx) for value in graph.input if value.name not in constants]
    outputs = [onnx_entry(value, onnx) for value in graph.output]
    kinds = [node.op_type for node in graph.node]
    integer = "QLinearConv" in kinds or ("QuantizeLinear" in kinds and "DequantizeLinear" in kinds)
    return Model(path, form, content, inputs, outputs, integer, len(kinds))


def check_versions(path, content, onnx):
    """TVM takes operators of a set that it does not know for those of the newest it knows."""
    newest = onnx.defs.onnx_opset_version()
    for opset in content.opset_import:
        if opset.domain in ("", "ai.onnx") and opset.version > newest:
            raise Refusal("incompatible", f"{path} uses operator set {opset.version}; {newest} is the newest that is "
                                          "known: export it for that or an older one")
    if content.ir_version > onnx.IR_VERSION:
        raise Refusal("incompatible", f"the file format of {path} is version {content.ir_version}; {onnx.IR_VERSION} is "
                                      "the newest that is known: export it with an older ONNX")


def read_onnx(path, batch):
    import onnx

    try:
        content = onnx.load(path)
        check_versions(path, content, onnx)
        onnx.checker.check_model(content)
        content = onnx.shape_inference.infer_shapes(content)
    except Refusal:
        raise
    except Exception as fault:
        raise Refusal("baddata", f"{path} is no ONNX model that can be read: {fault}") from fault
    return describe_onnx(path, "onnx", content, onnx)


def read_darknet(path, batch):
    import onnx

    import darknet

    content = darknet.to_onnx(path, batch)
    onnx.checker.check_model(content)
    return describe_onnx(path, "onnx", content, onnx)


READERS = {"tflite": read_tflite, "onnx": read_onnx, "darknet": read_darknet}


def read(path, form, shapes, batch):
    if form not in READERS:
        raise Refusal("incompatible", f"models of format {form} cannot be read")
    model = READERS[form](path, batch)
    if not model.inputs or not model.outputs:
        raise Refusal("incompatible", f"{path} has no inputs or no outputs")
    given = given_shapes(shapes)
    for i, entry in enumerate(model.inputs):
        concrete(entry, i, given, batch)
    return model
