"""Models from files, as modules of PyTorch."""
import operator
import re
import zipfile
from pathlib import Path

import torch

import networks
from report import Refusal

# Where Kenning's archives keep their io specification.
SPECIFICATION = "kenning.json"
# And the version of PyTorch that made them.
PRODUCER = "kenning.version"


def members(path):
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except zipfile.BadZipFile:
        return []


def load_script(path):
    try:
        return torch.jit.load(path, map_location="cpu").eval()
    except RuntimeError as fault:
        raise Refusal("baddata", f"{path} cannot be loaded as TorchScript: {fault}") from fault


def load_pickled(path, allowed):
    """What torch.save wrote. The pickle of a module is a program; that of a dictionary of tensors is read without running
    anything."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as fault:
        named = re.search(r"GLOBAL ([\w.]+)", str(fault))
        if named is None:
            raise Refusal("baddata", f"{path} cannot be read: {fault}") from fault
        if not allowed:
            raise Refusal("incompatible", f"{path} is not plain data: it names {named.group(1)}, and loading it would run "
                          "its code. Save model.state_dict() or TorchScript where it came from; for a file that you trust "
                          "there is load_pickled_modules") from fault
    try:
        content = torch.load(path, map_location="cpu", weights_only=False)
        return content.eval() if isinstance(content, torch.nn.Module) else content
    except Exception as fault:
        raise Refusal("incompatible", f"{path} cannot be unpickled: {type(fault).__name__}: {fault}") from fault


def with_own_constants(model):
    """PyTorch's exporter writes equal constants once and gives the others by Identity; onnx2torch wants weights to be
    constants."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in [node for node in model.graph.node if node.op_type == "Identity" and node.input[0] in constants]:
        tensor = model.graph.initializer.add()
        tensor.CopyFrom(constants[node.input[0]])
        tensor.name = node.output[0]
        constants[tensor.name] = tensor
        model.graph.node.remove(node)
    return model


def with_fixed_shapes(module):
    """onnx2torch computes with the shapes that Reshape is given; of those that are constants PyTorch's exporters are told the
    numbers, as they cannot follow conditions on them."""
    from onnx2torch.node_converters.reshape import OnnxReshape

    for node in [node for node in module.graph.nodes if node.op == "call_module"]:
        if not isinstance(module.get_submodule(node.target), OnnxReshape) or node.args[1].op != "get_attr":
            continue
        shape = operator.attrgetter(node.args[1].target)(module).tolist()
        if 0 in shape:  # as many as the input has
            continue
        with module.graph.inserting_before(node):
            node.replace_all_uses_with(module.graph.call_function(torch.reshape, (node.args[0], tuple(shape))))
        module.graph.erase_node(node)
    module.recompile()
    return module


def load_onnx(path):
    import onnx
    import onnx2torch

    try:
        model = onnx.load(path)
        onnx.checker.check_model(model)
    except Exception as fault:
        raise Refusal("baddata", f"{path} is no ONNX model that can be read: {fault}") from fault
    try:
        return with_fixed_shapes(onnx2torch.convert(with_own_constants(model))).eval()
    except Exception as fault:
        raise Refusal("incompatible", f"onnx2torch cannot convert {path}: {type(fault).__name__}: {fault}") from fault


def load(path, form, allow_pickled):
    """A module in inference mode, TorchScript's or Python's."""
    if form == "onnx":
        return load_onnx(path)
    names = members(path)
    if any(name.endswith(".so") for name in names):
        raise Refusal("incompatible", f"{path} is a compiled package: it runs, and nothing else can be made of it")
    if any(name.endswith("/constants.pkl") for name in names):
        return load_script(path)
    content = load_pickled(path, allow_pickled)
    if isinstance(content, torch.nn.Module):
        return content
    for key in ("state_dict", "model_state_dict"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise Refusal("incompatible", f"{path} holds neither a module nor a dictionary of tensors")
    return networks.of_state(path, content).eval()


def specification(path):
    """The text of the io specification inside an archive, or None."""
    for name in members(path):
        if Path(name).name == SPECIFICATION:
            with zipfile.ZipFile(path) as archive:
                return archive.read(name).decode()
    return None
