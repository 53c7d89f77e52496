"""Makes a Keras model of EfficientNet-Lite0's weights: efficientnet_lite0.py WEIGHTS.pth MODEL.h5

The weights are a PyTorch state dictionary in the format before 1.6: pickles, then the values of each storage. Only what
such a dictionary needs is unpickled. Architecture: Tan and Le, "EfficientNet", 2019, table 1, as changed for
EfficientNet-Lite (no squeeze and excitation, ReLU6, stem and head not scaled). The model takes values 0 to 255, scales
them to (x - 127) / 128 itself, and ends in a softmax over the 1000 classes of ImageNet.
"""
import collections
import os
import pickle
import struct
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import keras  # noqa: E402
import numpy as np  # noqa: E402

L = keras.layers
STORAGES = {"FloatStorage": np.float32, "LongStorage": np.int64}
# blocks, side of the kernel, stride of the first block, expansion, channels
STAGES = [(1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192),
          (1, 3, 1, 6, 320)]


class Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        if module == "torch" and name in STORAGES:
            return name
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, strides, *rest: (storage, offset, shape, strides)
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        raise pickle.UnpicklingError(f"{module}.{name} does not belong into weights")

    def persistent_load(self, pid):
        _, kind, key, _, count, _ = pid
        return key, STORAGES[kind], count


def read_weights(path):
    with open(path, "rb") as file:
        for _ in range(3):  # magic number, version, facts about the machine
            Unpickler(file).load()
        tensors = Unpickler(file).load()
        kinds = {storage[0]: np.dtype(storage[1]) for storage, *_ in tensors.values()}
        values = {}
        for key in Unpickler(file).load():
            count, = struct.unpack("<q", file.read(8))
            values[key] = np.frombuffer(file.read(count * kinds[key].itemsize), kinds[key])
    weights = {}
    for name, (storage, offset, shape, strides) in tensors.items():
        last = offset + sum((length - 1) * stride for length, stride in zip(shape, strides, strict=True))
        if min((offset, *strides)) < 0 or last >= len(values[storage[0]]):
            sys.exit(f"efficientnet_lite0: {name} reaches beyond its storage")
        flat = values[storage[0]][offset:]
        weights[name] = np.lib.stride_tricks.as_strided(flat, shape, [stride * flat.itemsize for stride in strides])
    return weights


class Builder:
    """Layers with their weights, from the names that the state dictionary has for them."""

    def __init__(self, weights):
        self.weights, self.filled = weights, []

    def call(self, layer, x, values):
        self.filled.append((layer, values))
        return layer(x)

    def convolution(self, x, name, stride=1):
        kernel = self.weights[f"{name}.weight"].transpose(2, 3, 1, 0)
        return self.call(L.Conv2D(kernel.shape[3], kernel.shape[0], stride, padding="same", use_bias=False,
                                  name=name.replace(".", "_").strip("_")), x, [kernel])

    def depthwise(self, x, name, side, stride):
        kernel = self.weights[f"{name}.weight"].transpose(2, 3, 0, 1)
        return self.call(L.DepthwiseConv2D(side, stride, padding="same", use_bias=False,
                                           name=name.replace(".", "_").strip("_")), x, [kernel])

    def normalization(self, x, name, rectify=True):
        values = [self.weights[f"{name}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")]
        x = self.call(L.BatchNormalization(epsilon=1e-3, name=name.replace(".", "_").strip("_")), x, values)
        return L.ReLU(6.0)(x) if rectify else x

    def block(self, x, index, side, stride, expansion, channels):
        name, start = f"_blocks.{index}.", x
        if expansion != 1:
            x = self.normalization(self.convolution(x, name + "_expand_conv"), name + "_bn0")
        x = self.normalization(self.depthwise(x, name + "_depthwise_conv", side, stride), name + "_bn1")
        x = self.normalization(self.convolution(x, name + "_project_conv"), name + "_bn2", rectify=False)
        return L.Add()([x, start]) if stride == 1 and start.shape[-1] == channels else x

    def model(self):
        image = L.Input((224, 224, 3), name="image")
        x = L.Rescaling(1 / 128, offset=-127 / 128)(image)
        x = self.normalization(self.convolution(x, "_conv_stem", 2), "_bn0")
        index = 0
        for blocks, side, stride, expansion, channels in STAGES:
            for i in range(blocks):
                x = self.block(x, index, side, 1 if i else stride, expansion, channels)
                index += 1
        x = self.normalization(self.convolution(x, "_conv_head"), "_bn1")
        x = L.GlobalAveragePooling2D()(x)
        x = self.call(L.Dense(1000, activation="softmax", name="scores"), x,
                      [self.weights["_fc.weight"].T, self.weights["_fc.bias"]])
        model = keras.Model(image, x, name="efficientnet_lite0")
        for layer, values in self.filled:
            layer.set_weights(values)
        return model


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    model = Builder(read_weights(sys.argv[1])).model()
    temporary = sys.argv[2] + ".tmp.h5"
    model.save(temporary, include_optimizer=False)
    os.replace(temporary, sys.argv[2])


if __name__ == "__main__":
    main()
