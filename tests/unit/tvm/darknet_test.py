"""Darknet networks, run by TVM, against a plain computation in numpy. Arguments: directory of the tool."""

import os
import struct
import sys
import tempfile
import unittest

sys.path.insert(0, sys.argv.pop())
import numpy as np

import darknet
import model as models
import relay_flavour
import target as targets
from report import Refusal

CONFIGURATION = """\
[net]
width=8
height=8
channels=3
# a comment
[convolutional]
batch_normalize=1
filters=4
size=3
stride=1
pad=1
activation=leaky
[maxpool]
size=2
stride=2
[maxpool]
size=2
stride=1
[convolutional]
filters=4
size=1
stride=1
pad=1
activation=linear
[route]
layers=-1,-2
[upsample]
stride=2
[shortcut]
from=0
[yolo]
mask=0
"""


def run(path, image):
    """The results of the network as the compiler imports it."""
    from tvm.contrib import graph_executor

    model = models.read(path, "darknet", [], 1)
    target = targets.make(relay_flavour.tvm, targets.parse("llvm"), None)
    built = relay_flavour.relay.build(relay_flavour.import_model(model), target=target)
    executor = graph_executor.GraphModule(built["default"](relay_flavour.tvm.cpu()))
    executor.run(input=image)
    return executor.get_output(0).numpy()


def convolve(x, kernel, bias, padding):
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    size = kernel.shape[2]
    height, width = x.shape[1] - size + 1, x.shape[2] - size + 1
    out = np.zeros((kernel.shape[0], height, width))
    for row in range(height):
        for column in range(width):
            out[:, row, column] = np.tensordot(kernel, x[:, row : row + size, column : column + size], 3) + bias
    return out


def pool(x, stride):
    x = np.pad(x, ((0, 0), (0, 1), (0, 1)), constant_values=-np.inf)
    height, width = ((n - 2) // stride + 1 for n in x.shape[1:])
    return np.array([[[plane[r * stride : r * stride + 2, c * stride : c * stride + 2].max() for c in range(width)]
                      for r in range(height)] for plane in x])


class Networks(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        random = np.random.default_rng(1)
        self.beta, self.mean, self.bias = (random.normal(size=4).astype("<f4") for _ in range(3))
        self.scale, self.variance = (random.uniform(0.5, 2, 4).astype("<f4") for _ in range(2))
        self.first = random.normal(size=(4, 3, 3, 3)).astype("<f4")
        self.second = random.normal(size=(4, 4, 1, 1)).astype("<f4")
        self.image = random.uniform(size=(1, 3, 8, 8)).astype(np.float32)
        parts = (self.beta, self.scale, self.mean, self.variance, self.first, self.bias, self.second)
        self.numbers = b"".join(part.tobytes() for part in parts)

    def write(self, configuration, numbers, header=struct.pack("<iiiq", 0, 2, 0, 7)):
        path = os.path.join(self.directory.name, "net.weights")
        with open(path, "wb") as file:
            file.write(header + numbers)
        with open(os.path.join(self.directory.name, "net.cfg"), "w", encoding="utf-8") as file:
            file.write(configuration)
        return path

    def test_computes_what_darknet_does(self):
        got = run(self.write(CONFIGURATION.replace("[shortcut]\nfrom=0\n", ""), self.numbers), self.image)
        x = convolve(self.image[0].astype(float), self.first, 0, 1)
        x = (x - self.mean[:, None, None]) / (np.sqrt(self.variance[:, None, None]) + 1e-6)
        x = x * self.scale[:, None, None] + self.beta[:, None, None]
        x = np.where(x > 0, x, 0.1 * x)
        x = pool(pool(x, 2), 1)
        x = np.concatenate([convolve(x, self.second, self.bias, 0), x])
        x = x.repeat(2, 1).repeat(2, 2)
        np.testing.assert_allclose(got[0], x, rtol=1e-4, atol=1e-4)

    def test_old_header_is_shorter(self):
        text = CONFIGURATION.replace("[shortcut]\nfrom=0\n", "")
        new = darknet.to_onnx(self.write(text, self.numbers), 1)
        old = darknet.to_onnx(self.write(text, self.numbers, struct.pack("<iiii", 0, 1, 0, 7)), 1)
        self.assertEqual(new.SerializeToString(), old.SerializeToString())

    def refused(self, configuration, numbers, part):
        with self.assertRaises(Refusal) as raised:
            darknet.to_onnx(self.write(configuration, numbers), 1)
        self.assertIn(part, str(raised.exception))

    def test_faults_are_told_with_their_place(self):
        good = CONFIGURATION.replace("[shortcut]\nfrom=0\n", "")
        self.refused(CONFIGURATION, self.numbers, "differ in shape")
        self.refused(good, self.numbers[:-4], "is cut off or belongs to another network")
        self.refused(good, self.numbers + b"1234", "do not belong together")
        self.refused(good.replace("[upsample]", "[gru]"), self.numbers, "[gru] are not known")
        self.refused(good.replace("layers=-1,-2", "layers=9"), self.numbers, "not before it")
        self.refused(good.replace("filters=4", "filters=four", 1), self.numbers, "'filters' of the section at line 6")
        self.refused(good.replace("leaky", "mish"), self.numbers, "activation 'mish'")
        self.refused("width=3\n", self.numbers, "net.cfg:1: ")
        self.refused(good.replace("height=8", ""), self.numbers, "[net] must have")


unittest.main()
