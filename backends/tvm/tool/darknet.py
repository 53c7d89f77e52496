"""Darknet networks (a .cfg file with the .weights file beside it) as ONNX models.

The weights file is little-endian: version (three int32), the number of images seen (8 bytes from version 0.2 on, 4
before), then float32 for every convolution: biases; with batch normalization also scales, means and variances; then the
kernels, [output, input, height, width]. Normalization is (x - mean) / (sqrt(variance) + 1e-6) * scale + bias, and is
folded into the kernels. Detection layers stay what they are told: their inputs are the model's outputs."""

import os

import numpy as np

from report import Refusal

EPSILON = 1e-6
ACTIVATIONS = ("linear", "leaky", "relu", "logistic")


def sections(path):
    """[(name, {key: value}, line)] in their order."""
    found = []
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
    except OSError as fault:
        raise Refusal("baddata", f"the description of the network is missing: {path}: {fault.strerror}") from fault
    for number, line in enumerate(lines, 1):
        text = line.split("#")[0].split(";")[0].strip()
        if text.startswith("["):
            found.append((text.strip("[]"), {}, number))
        elif text:
            key, equals, value = text.partition("=")
            if not equals or not found:
                raise Refusal("baddata", f"{path}:{number}: '{text[:60]}' is neither a section nor key=value")
            found[-1][1][key.strip()] = value.strip()
    if not found or found[0][0] not in ("net", "network"):
        raise Refusal("baddata", f"{path} does not begin with the section [net]")
    return found


class Weights:
    def __init__(self, path):
        self.path = path
        try:
            with open(path, "rb") as file:
                data = file.read()
        except OSError as fault:
            raise Refusal("baddata", f"{path}: {fault.strerror}") from fault
        if len(data) < 20:
            raise Refusal("baddata", f"{path} is too short for Darknet weights")
        major, minor = (int(n) for n in np.frombuffer(data, "<i4", 2))
        if not 0 <= major <= 9 or not 0 <= minor <= 99:
            raise Refusal("baddata", f"{path} does not begin like Darknet weights (version {major}.{minor})")
        header = 12 + (8 if major * 10 + minor >= 2 else 4)
        self.values = np.frombuffer(data[header : header + (len(data) - header) // 4 * 4], "<f4")
        self.used = 0

    def take(self, count, line):
        if self.used + count > self.values.size:
            raise Refusal("baddata", f"{self.path} ends within the weights of the layer at line {line}: it is cut off or "
                                     "belongs to another network")
        taken = self.values[self.used : self.used + count]
        self.used += count
        return taken


class Network:
    """The ONNX graph under way; `outputs[i]` is (name, channels, height, width) of layer i."""

    def __init__(self, path, onnx):
        self.onnx, self.path = onnx, path
        self.nodes, self.constants, self.outputs, self.results = [], [], [], []

    def node(self, kind, inputs, **attributes):
        name = f"layer{len(self.outputs)}_{kind.lower()}{len(self.nodes)}"
        self.nodes.append(self.onnx.helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def constant(self, what, value):
        name = f"layer{len(self.outputs)}_{what}"
        self.constants.append(self.onnx.numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def number(self, options, key, line, default):
        try:
            return int(options.get(key, default))
        except ValueError as fault:
            raise Refusal("baddata", f"{self.path}: '{key}' of the section at line {line} is no number") from fault

    def activate(self, name, kind, line):
        if kind not in ACTIVATIONS:
            raise Refusal("incompatible", f"{self.path}: the activation '{kind}' of the section at line {line} is not known; "
                                          f"known are {', '.join(ACTIVATIONS)}")
        if kind == "leaky":
            return self.node("LeakyRelu", [name], alpha=0.1)
        return {"linear": lambda: name, "relu": lambda: self.node("Relu", [name]),
                "logistic": lambda: self.node("Sigmoid", [name])}[kind]()

    def convolutional(self, before, options, weights, line):
        name, channels, height, width = before
        filters, size = (self.number(options, key, line, 1) for key in ("filters", "size"))
        stride, groups = (self.number(options, key, line, 1) for key in ("stride", "groups"))
        padding = size // 2 if self.number(options, "pad", line, 0) else self.number(options, "padding", line, 0)
        if min(filters, size, stride, groups) < 1 or channels % groups or filters % groups:
            raise Refusal("baddata", f"{self.path}: the convolution at line {line} has impossible sizes")
        bias = weights.take(filters, line)
        normalized = self.number(options, "batch_normalize", line, 0)
        scale, mean, variance = ((weights.take(filters, line) for _ in range(3)) if normalized else (None,) * 3)
        kernel = weights.take(filters * (channels // groups) * size * size, line)
        kernel = kernel.reshape(filters, channels // groups, size, size)
        if normalized:
            factor = scale / (np.sqrt(variance) + np.float32(EPSILON))
            kernel, bias = kernel * factor[:, None, None, None], bias - mean * factor
        made = self.node("Conv", [name, self.constant("kernel", kernel), self.constant("bias", bias)],
                         kernel_shape=[size, size], strides=[stride, stride], pads=[padding] * 4, group=groups)
        height, width = ((n + 2 * padding - size) // stride + 1 for n in (height, width))
        return self.activate(made, options.get("activation", "logistic"), line), filters, height, width

    def maxpool(self, before, options, line):
        name, channels, height, width = before
        stride = self.number(options, "stride", line, 1)
        size = self.number(options, "size", line, stride)
        padding = self.number(options, "padding", line, size - 1)
        first = padding // 2
        made = self.node("MaxPool", [name], kernel_shape=[size, size], strides=[stride, stride],
                         pads=[first, first, padding - first, padding - first])
        height, width = ((n + padding - size) // stride + 1 for n in (height, width))
        return made, channels, height, width

    def earlier(self, options, key, line):
        """Numbers of layers; negative ones count from here."""
        try:
            places = [int(n) for n in options[key].split(",")]
        except (KeyError, ValueError) as fault:
            raise Refusal("baddata", f"{self.path}: the section at line {line} has no list of layers '{key}'") from fault
        places = [n if n >= 0 else len(self.outputs) + n for n in places]
        if not places or any(n < 0 or n >= len(self.outputs) for n in places):
            raise Refusal("baddata", f"{self.path}: the section at line {line} names a layer that is not before it")
        return [self.outputs[n] for n in places]

    def route(self, options, line):
        sources = self.earlier(options, "layers", line)
        if any(s[2:] != sources[0][2:] for s in sources):
            raise Refusal("baddata", f"{self.path}: the layers that line {line} joins differ in height or width")
        groups, group = self.number(options, "groups", line, 1), self.number(options, "group_id", line, 0)
        names = []
        for name, channels, _, _ in sources:
            if groups > 1:
                part = channels // groups
                ends = [self.constant(f"slice{len(names)}_{w}", np.array([v], np.int64))
                        for w, v in (("from", part * group), ("to", part * (group + 1)), ("axis", 1))]
                name = self.node("Slice", [name, *ends])
            names.append(name)
        made = names[0] if len(names) == 1 else self.node("Concat", names, axis=1)
        return made, sum(s[1] // groups for s in sources), *sources[0][2:]

    def shortcut(self, before, options, line):
        (other,) = self.earlier(options, "from", line)
        if other[1:] != before[1:]:
            raise Refusal("incompatible", f"{self.path}: the layers that line {line} adds differ in shape")
        made = self.node("Add", [before[0], other[0]])
        return self.activate(made, options.get("activation", "linear"), line), *before[1:]

    def upsample(self, before, options, line):
        stride = self.number(options, "stride", line, 2)
        scales = self.constant("scales", np.array([1, 1, stride, stride], np.float32))
        made = self.node("Resize", [before[0], "", scales], mode="nearest", nearest_mode="floor",
                         coordinate_transformation_mode="asymmetric")
        return made, before[1], before[2] * stride, before[3] * stride

    def layer(self, kind, before, options, weights, line):
        if kind == "convolutional":
            return self.convolutional(before, options, weights, line)
        if kind == "maxpool":
            return self.maxpool(before, options, line)
        if kind == "route":
            return self.route(options, line)
        if kind == "shortcut":
            return self.shortcut(before, options, line)
        if kind == "upsample":
            return self.upsample(before, options, line)
        if kind == "yolo":
            self.results.append(before)
            return before
        raise Refusal("incompatible", f"{self.path}:{line}: layers of the kind [{kind}] are not known")


def to_onnx(path, batch):
    """The network of the weights at `path` as an ONNX model; its outputs are the inputs of the detection layers, else
    that of the last layer."""
    import onnx

    described = os.path.splitext(path)[0] + ".cfg"
    parts = sections(described)
    network, weights = Network(described, onnx), Weights(path)
    options, line = parts[0][1], parts[0][2]
    channels, height, width = (network.number(options, key, line, 0) for key in ("channels", "height", "width"))
    if min(channels, height, width) < 1:
        raise Refusal("baddata", f"{described}: [net] must have channels, height and width")
    before = ("input", channels, height, width)
    for kind, options, line in parts[1:]:
        before = network.layer(kind, before, options, weights, line)
        network.outputs.append(before)
    if weights.used != weights.values.size:
        raise Refusal("baddata", f"{path} has {weights.values.size} weights, and the network of {described} takes "
                                 f"{weights.used}: the two do not belong together")
    results = network.results or [before]
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        network.nodes, "darknet", [value("input", onnx.TensorProto.FLOAT, [batch, channels, height, width])],
        [value(name, onnx.TensorProto.FLOAT, [batch, *shape]) for name, *shape in results], network.constants)
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
