"""MXNet's exporter to ONNX, which knows operator set 13 at most and would call it what the installed onnx has as its newest."""
import numpy as np
import onnx
import onnx.defs
import onnx.numpy_helper
import onnx.reference
import onnx.shape_inference

OPERATOR_SET = 13

onnx.defs.onnx_opset_version = lambda: OPERATOR_SET

import mxnet.onnx  # noqa: E402


def with_known_shapes(model):
    """The exporter computes shapes in the model, also where all of them are known, and many importers want numbers: what
    is computed of integers alone becomes a constant."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    shapes = {value.name: [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]
              for value in [*graph.input, *graph.value_info]}
    known = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer
             if tensor.data_type == onnx.TensorProto.INT64}
    made = {}
    for node in list(model.graph.node):
        shape = shapes.get(node.input[0]) if node.op_type == "Shape" else None
        if node.op_type == "Shape" and node.input[0] in made:
            values = [np.array(made[node.input[0]].shape, np.int64)]
        elif shape and all(shape):
            values = [np.array(shape, np.int64)]
        elif node.input and all(name in known for name in node.input):
            one = onnx.helper.make_graph([node], "one", [], [onnx.helper.make_empty_tensor_value_info(name) for name in node.output],
                                         [onnx.numpy_helper.from_array(known[name], name) for name in node.input])
            values = onnx.reference.ReferenceEvaluator(onnx.helper.make_model(one, opset_imports=model.opset_import)).run(None, {})
        else:
            continue
        made.update(zip(node.output, values))
        known.update(zip(node.output, values))
        model.graph.node.remove(node)
    used = {name for node in model.graph.node for name in node.input} | {value.name for value in model.graph.output}
    model.graph.initializer.extend(onnx.numpy_helper.from_array(made[name], name) for name in made if name in used)
    for tensor in [tensor for tensor in model.graph.initializer if tensor.name not in used]:
        model.graph.initializer.remove(tensor)
    del model.graph.value_info[:]
    onnx.checker.check_model(model)
    return model


def export(symbol, parameters, shapes, path):
    mxnet.onnx.export_model(symbol, parameters, shapes, np.float32, path)
    onnx.save(with_known_shapes(onnx.load(path)), path)
