"""Writes a convolutional Keras classifier as networks of PyTorch and MXNet, with neither of them.

    keras_exports.py MODEL.h5 MODEL.pt MODEL.params     (with the Python of `kenning install tflite`)

Layer by layer, nothing folded: what the engines make of it is theirs. A layer that is not known here is named. MODEL.pt is TorchScript, MODEL.params MXNet's arrays
with the graph among them; both take images in NHWC as the Keras model does. MODEL.pt.json says which, for PyTorch's files
do not.
"""
import json
import os
import struct
import sys
import zipfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import keras  # noqa: E402
import numpy as np  # noqa: E402

CLASS = "MobileNetV2"


def padding_of(layer, size):
    """(before, after) of both axes, by TensorFlow's rule."""
    if layer.padding == "valid":
        return 0, 0
    kernel, stride = layer.kernel_size[0], layer.strides[0]
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class TorchScript:
    def __init__(self, shape):
        self.tensors, self.lines = [], []
        self.input = self.emit("torch.permute(x, [0, 3, 1, 2])")

    def emit(self, expression):
        name = f"v{len(self.lines)}"
        self.lines.append(f"{name} = {expression}")
        return name

    def weight(self, array):
        self.tensors.append(np.ascontiguousarray(array, np.float32))
        return f"self.w{len(self.tensors) - 1}"

    def pad(self, x, before, after):
        return self.emit(f"torch.constant_pad_nd({x}, [{before}, {after}, {before}, {after}], 0)")

    def convolution(self, x, kernel, bias, stride, pad, groups):
        bias = "None" if bias is None else self.weight(bias)
        return self.emit(f"torch.conv2d({x}, {self.weight(kernel)}, {bias}, [{stride}, {stride}], [{pad}, {pad}], [1, 1], "
                         f"{groups})")

    def normalization(self, x, gamma, beta, mean, variance, epsilon):
        gamma, beta, mean, variance = map(self.weight, (gamma, beta, mean, variance))
        return self.emit(f"torch.batch_norm({x}, {gamma}, {beta}, {mean}, {variance}, False, 0., {epsilon!r}, True)")

    def relu(self, x, most):
        return self.emit(f"torch.hardtanh({x}, 0., {most:.1f})" if most else f"torch.relu({x})")

    def add(self, a, b):
        return self.emit(f"torch.add({a}, {b})")

    def softmax(self, x):
        return self.emit(f"torch.softmax({x}, -1)")

    def average(self, x):
        return self.emit(f"torch.mean({x}, [2, 3])")

    def largest(self, x, size, stride):
        return self.emit(f"torch.max_pool2d({x}, [{size}, {size}], [{stride}, {stride}], [0, 0], [1, 1], False)")

    def flatten(self, x):
        return self.emit(f"torch.flatten(torch.permute({x}, [0, 2, 3, 1]), 1)")

    def dense(self, x, kernel, bias):
        return self.emit(f"torch.addmm({self.weight(bias)}, {x}, torch.t({self.weight(kernel.T)}))")

    def source(self, output):
        names = [f"w{i}" for i in range(len(self.tensors))]
        return "\n".join([f"class {CLASS}(Module):",
                          "  __parameters__ = [" + "".join(f'"{name}", ' for name in names) + "]",
                          "  __buffers__ = []", *(f"  {name} : Tensor" for name in names), "  training : bool",
                          f"  def forward(self: __torch__.{CLASS},", "    x: Tensor) -> Tensor:",
                          *(f"    {line}" for line in self.lines), f"    return {output}", ""])

    def pickle(self):
        """An instance of the class with its tensors, by the instructions that TorchScript's reader knows."""
        def text(value):
            return b"X" + struct.pack("<I", len(value)) + value.encode()

        def number(value):
            return b"J" + struct.pack("<i", value)

        def tuple_of(values):
            return b"(" + b"".join(map(number, values)) + b"t"

        out = b"\x80\x02c__torch__\n" + CLASS.encode() + b"\n)\x81}(" + text("training") + b"\x89"
        for index, array in enumerate(self.tensors):
            strides = [stride // array.itemsize for stride in array.strides]
            storage = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text(str(index)) + text("cpu")
            out += (text(f"w{index}") + b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + number(array.size) + b"tQ"
                    + number(0) + tuple_of(array.shape) + tuple_of(strides) + b"\x89ccollections\nOrderedDict\n)RtR")
        return out + b"ub."

    def write(self, path, output):
        members = {"data.pkl": self.pickle(), f"code/__torch__.py": self.source(output).encode(),
                   "constants.pkl": b"\x80\x02).", "version": b"3\n", "byteorder": b"little"}
        members.update({f"data/{i}": array.tobytes() for i, array in enumerate(self.tensors)})
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in members.items():
                archive.writestr(zipfile.ZipInfo(f"{CLASS}/{name}"), data)


class MXNet:
    def __init__(self, shape):
        self.nodes, self.arrays = [], []
        data = self.node("null", "data", [], {"__shape__": str(tuple(shape))})
        self.input = self.emit("transpose", [data], axes="(0, 3, 1, 2)")

    def node(self, operator, name, inputs, attributes):
        self.nodes.append({"op": operator, "name": name, "attrs": attributes, "inputs": [[i, 0, 0] for i in inputs]})
        return len(self.nodes) - 1

    def emit(self, operator, inputs, **attributes):
        return self.node(operator, f"{operator.lower()}{len(self.nodes)}", inputs, attributes)

    def weight(self, array, kind="arg"):
        name = f"w{len(self.arrays)}"
        self.arrays.append((f"{kind}:{name}", np.ascontiguousarray(array, np.float32)))
        return self.node("null", name, [], {})

    def pad(self, x, before, after):
        return self.emit("Pad", [x], mode="constant", pad_width=f"(0, 0, 0, 0, {before}, {after}, {before}, {after})",
                         constant_value="0")

    def convolution(self, x, kernel, bias, stride, pad, groups):
        height, width = kernel.shape[2:]
        weights = [self.weight(array) for array in (kernel, bias) if array is not None]
        return self.emit("Convolution", [x, *weights], kernel=f"({height}, {width})", stride=f"({stride}, {stride})",
                         pad=f"({pad}, {pad})", num_filter=str(len(kernel)), num_group=str(groups), no_bias=str(bias is None))

    def normalization(self, x, gamma, beta, mean, variance, epsilon):
        inputs = [x, self.weight(gamma), self.weight(beta), self.weight(mean, "aux"), self.weight(variance, "aux")]
        return self.emit("BatchNorm", inputs, eps=repr(epsilon), fix_gamma="False", use_global_stats="True")

    def relu(self, x, most):
        if most:
            return self.emit("clip", [x], a_min="0", a_max=str(most))
        return self.emit("Activation", [x], act_type="relu")

    def add(self, a, b):
        return self.emit("elemwise_add", [a, b])

    def softmax(self, x):
        return self.emit("softmax", [x], axis="-1")

    def average(self, x):
        return self.emit("Flatten", [self.emit("Pooling", [x], global_pool="True", pool_type="avg", kernel="(1, 1)")])

    def largest(self, x, size, stride):
        return self.emit("Pooling", [x], pool_type="max", kernel=f"({size}, {size})", stride=f"({stride}, {stride})")

    def flatten(self, x):
        return self.emit("Flatten", [self.emit("transpose", [x], axes="(0, 2, 3, 1)")])

    def dense(self, x, kernel, bias):
        return self.emit("FullyConnected", [x, self.weight(kernel.T), self.weight(bias)], num_hidden=str(kernel.shape[1]))

    def write(self, path, output):
        graph = {"nodes": self.nodes, "arg_nodes": [i for i, node in enumerate(self.nodes) if node["op"] == "null"],
                 "node_row_ptr": list(range(len(self.nodes) + 1)), "heads": [[output, 0, 0]],
                 "attrs": {"mxnet_version": ["int", 10901]}}
        text = np.frombuffer(json.dumps(graph).encode(), np.uint8)
        arrays = [*self.arrays, ("symbol:json", text)]
        types = {np.dtype(np.float32): 0, np.dtype(np.uint8): 3}
        with open(path, "wb") as file:
            file.write(struct.pack("<QQQ", 0x112, 0, len(arrays)))
            for _, array in arrays:
                file.write(struct.pack(f"<Iii{array.ndim}q", 0xF993FAC9, 0, array.ndim, *array.shape))
                file.write(struct.pack("<iii", 1, 0, types[array.dtype]) + array.tobytes())
            file.write(struct.pack("<Q", len(arrays)))
            for name, _ in arrays:
                file.write(struct.pack("<Q", len(name)) + name.encode())


def activated(layer, network, y):
    if layer.activation is keras.activations.relu:
        return network.relu(y, None)
    if layer.activation is keras.activations.softmax:
        return network.softmax(y)
    if layer.activation is not keras.activations.linear:
        sys.exit(f"keras_exports: the activation of {layer.name} is not known here")
    return y


def convolved(layer, network, x, size):
    before, after = padding_of(layer, size)
    if before != after:
        x, before = network.pad(x, before, after), 0
    kernel, bias = (layer.get_weights() + [None])[:2]
    depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
    kernel = kernel.transpose(2, 3, 0, 1) if depthwise else kernel.transpose(3, 2, 0, 1)
    y = network.convolution(x, kernel, bias, layer.strides[0], before, len(kernel) if depthwise else 1)
    return activated(layer, network, y)


def rebuilt(layer, network, x):
    """The layer in another framework's network; the place of its output."""
    kind, weights = type(layer).__name__, layer.get_weights()
    if kind in ("Conv2D", "DepthwiseConv2D"):
        return convolved(layer, network, x[0], layer.input.shape[1])
    if kind == "BatchNormalization":
        return network.normalization(x[0], *weights, layer.epsilon)
    if kind == "ReLU":
        return network.relu(x[0], layer.max_value)
    if kind == "Activation":
        return activated(layer, network, x[0])
    if kind == "ZeroPadding2D" and layer.padding[0] == layer.padding[1]:
        return network.pad(x[0], *layer.padding[0])
    if kind == "MaxPooling2D" and layer.padding == "valid":
        return network.largest(x[0], layer.pool_size[0], layer.strides[0])
    if kind == "Add":
        return network.add(*x)
    if kind == "GlobalAveragePooling2D":
        return network.average(x[0])
    if kind == "Flatten":
        return network.flatten(x[0])
    if kind == "Dense":
        return activated(layer, network, network.dense(x[0], *weights))
    if kind == "Dropout":
        return x[0]
    sys.exit(f"keras_exports: {layer.name} is a {kind}, which is not known here in this form")


def rebuild(model, network):
    if isinstance(model, keras.Sequential):
        place = network.input
        for layer in model.layers:
            place = rebuilt(layer, network, [place])
        return place
    places = {model.inputs[0].name: network.input}
    for layer in model.layers:
        if isinstance(layer, keras.layers.InputLayer):
            continue
        inputs = layer.input if isinstance(layer.input, list) else [layer.input]
        places[layer.output.name] = rebuilt(layer, network, [places[one.name] for one in inputs])
    return places[model.outputs[0].name]


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    model = keras.models.load_model(sys.argv[1], compile=False)
    shape = [1, *model.inputs[0].shape[1:]]
    for network, path in ((TorchScript(shape), sys.argv[2]), (MXNet(shape), sys.argv[3])):
        network.write(path + ".tmp", rebuild(model, network))
        os.replace(path + ".tmp", path)
    with open(sys.argv[2] + ".json", "w", encoding="utf-8") as file:
        json.dump({"input": [{"name": "images", "shape": shape, "dtype": "float32"}],
                   "output": [{"name": "scores", "shape": [1, model.outputs[0].shape[1]], "dtype": "float32"}]}, file)


if __name__ == "__main__":
    main()
