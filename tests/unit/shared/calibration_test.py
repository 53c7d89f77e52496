"""Quantizers calibrate on the same images, however the data set lays them out. Arguments: framework, source directory."""

import os
import subprocess
import sys
import tempfile
import types
import unittest

source, framework = sys.argv.pop(), sys.argv.pop()
tool = os.path.join(source, "backends", framework, "tool")
sys.path.insert(0, tool)
import numpy as np

from samples import fitted

MODEL = os.path.join(source, "tests/unit/onnxruntime/data/planar.onnx")
COUNT, HEIGHT, WIDTH, CHANNELS = 8, 4, 3, 2


def run(*arguments):
    done = subprocess.run([sys.executable, os.path.join(tool, "quantize.py"), *arguments], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def onnxruntime(raw, shape, output):
    return run("--input", MODEL, "--output", output, "--input-name", "x", "--samples", raw, "--sample-shape", shape,
               f"--input-shape={CHANNELS},-1,-1")


def openvino(raw, shape, output):
    code, text = run("--input", MODEL, "--output", output + ".xml", "--calibration", raw, "--sample-shape", shape,
                     "--sample-type", "float32")
    if not code:
        with open(output + ".xml", "rb") as layers, open(output + ".bin", "rb") as weights, open(output, "wb") as both:
            both.write(layers.read() + weights.read())
    return code, text


def tvm(raw, shape, output, batch=1):
    import model as models
    import relay_flavour
    from report import Refusal

    try:
        model = models.read(MODEL, "onnx", [], batch)
        arguments = types.SimpleNamespace(calibration=raw, sample_type="float32", sample_shape=shape)
        module = relay_flavour.quantize(relay_flavour.import_model(model), model, arguments)
    except Refusal as refusal:
        return 1, str(refusal)
    with open(output, "w") as file:
        file.write(module.astext(show_meta_data=False))
        file.write(relay_flavour.tvm.ir.save_json(module))
    return 0, ""


quantize = {"onnxruntime": onnxruntime, "openvino": openvino, "tvm": tvm}[framework]


class Calibration(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name
        random = np.random.default_rng(5)
        self.images = random.normal(size=(COUNT, HEIGHT, WIDTH, CHANNELS)).astype(np.float32)
        self.images[..., 1] = 20 + 0.1 * self.images[..., 1]  # a channel quite unlike the other

    def quantized(self, images, shape=None, **keywords):
        raw, output = os.path.join(self.directory, "raw"), os.path.join(self.directory, "quantized")
        np.ascontiguousarray(images).tofile(raw)
        code, text = quantize(raw, shape or ",".join(map(str, images.shape[1:])), output, **keywords)
        self.assertEqual(code, 0, text)
        with open(output, "rb") as file:
            return file.read()

    def test_layout_of_the_data_set_makes_no_difference(self):
        planar = np.ascontiguousarray(self.images.transpose(0, 3, 1, 2))
        expected = self.quantized(planar)
        self.assertEqual(self.quantized(self.images), expected)
        scrambled = self.images.reshape(planar.shape)
        self.assertNotEqual(self.quantized(scrambled), expected, "this model does not tell images from one another")

    def test_other_shapes_of_as_many_values_are_refused(self):
        raw = os.path.join(self.directory, "raw")
        self.images.tofile(raw)
        code, text = quantize(raw, "4,2,3", os.path.join(self.directory, "quantized"))
        self.assertEqual(code, 1, text)
        self.assertIn("a sample of the data set has the shape", text)

    @unittest.skipUnless(framework == "tvm", "others take models of one batch as they are")
    def test_batches_leave_the_rest_of_the_samples(self):
        self.quantized(self.images, batch=3)
        raw = os.path.join(self.directory, "raw")
        code, text = quantize(raw, "4,3,2", os.path.join(self.directory, "quantized"), batch=COUNT + 1)
        self.assertEqual(code, 1)
        self.assertIn("the model takes 9 samples at a time, and there are 8", text)

    def test_what_fits(self):
        def shape(sample, wanted):
            found = fitted(np.zeros((2, *sample)), wanted)
            return None if found is None else list(found.shape[1:])

        self.assertEqual(shape([28, 28, 1], [784]), [784])
        self.assertEqual(shape([28, 28, 1], [1, 28, 28]), [1, 28, 28])
        self.assertEqual(shape([28, 28], [28, 28, 1]), [28, 28, 1])
        self.assertEqual(shape([784], [28, 28, 1]), [28, 28, 1])
        self.assertEqual(shape([8, 6, 3], [8, 6, 3]), [8, 6, 3])
        self.assertEqual(shape([8, 6, 3], [3, 8, 6]), [3, 8, 6])
        self.assertEqual(shape([8, 6, 3], [3, None, -1]), [3, 8, 6])
        self.assertEqual(shape([3, 8, 6], [3, None, -1]), [3, 8, 6])
        self.assertEqual(shape([3, 8, 6], [8, 6, 3]), None)
        self.assertEqual(shape([8, 6, 3], [6, 8, 3]), None)
        self.assertEqual(shape([8, 6, 3], [3, 6, 8]), None)
        self.assertEqual(shape([8, 6], [48, None]), None)


unittest.main()
