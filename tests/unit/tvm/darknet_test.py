"""Darknet networks, run by TVM, against a plain computation in numpy. Arguments: directory of the tool."""

import os
import struct
import sys
import tempfile
import unittest

sys.path.insert(0, sys.argv.pop())
import numpy as np

sys.path.insert(1, os.path.dirname(os.path.abspath(__file__)))
import darknet
import darknet_network
import model as models
import relay_flavour
import target as targets
from report import Refusal

def run(path, image):
    """The results of the network as the compiler imports it."""
    from tvm.contrib import graph_executor

    model = models.read(path, "darknet", [], 1)
    target = targets.make(relay_flavour.tvm, targets.parse("llvm"), None)
    built = relay_flavour.relay.build(relay_flavour.import_model(model), target=target)
    executor = graph_executor.GraphModule(built["default"](relay_flavour.tvm.cpu()))
    executor.run(input=image)
    return executor.get_output(0).numpy()


class Networks(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.network = darknet_network.Network(1)
        self.numbers = self.network.numbers()

    def write(self, configuration, numbers, header=darknet_network.HEADER):
        return darknet_network.write(self.directory.name, configuration, numbers, header)

    def test_computes_what_darknet_does(self):
        image = self.network.image()
        got = run(self.write(darknet_network.CONFIGURATION, self.numbers), image)
        np.testing.assert_allclose(got[0], self.network.compute(image[0]), rtol=1e-4, atol=1e-4)

    def test_old_header_is_shorter(self):
        text = darknet_network.CONFIGURATION
        new = darknet.to_onnx(self.write(text, self.numbers), 1)
        old = darknet.to_onnx(self.write(text, self.numbers, struct.pack("<iiii", 0, 1, 0, 7)), 1)
        self.assertEqual(new.SerializeToString(), old.SerializeToString())

    def refused(self, configuration, numbers, part):
        with self.assertRaises(Refusal) as raised:
            darknet.to_onnx(self.write(configuration, numbers), 1)
        self.assertIn(part, str(raised.exception))

    def test_faults_are_told_with_their_place(self):
        good = darknet_network.CONFIGURATION
        self.refused(good.replace("[yolo]", "[shortcut]\nfrom=0\n[yolo]"), self.numbers, "differ in shape")
        self.refused(good, self.numbers[:-4], "is cut off or belongs to another network")
        self.refused(good, self.numbers + b"1234", "do not belong together")
        self.refused(good.replace("[upsample]", "[gru]"), self.numbers, "[gru] are not known")
        self.refused(good.replace("layers=-1,-2", "layers=9"), self.numbers, "not before it")
        self.refused(good.replace("filters=4", "filters=four", 1), self.numbers, "'filters' of the section at line 6")
        self.refused(good.replace("leaky", "mish"), self.numbers, "activation 'mish'")
        self.refused("width=3\n", self.numbers, "net.cfg:1: ")
        self.refused(good.replace("height=8", ""), self.numbers, "[net] must have")


unittest.main()
