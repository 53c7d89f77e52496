"""What IREE's compiler is told of the processor. Arguments: source directory."""

import os
import re
import subprocess
import sys
import tempfile
import unittest

source = sys.argv.pop()
TOOL = os.path.join(source, "backends/iree/tool/compile.py")
MODEL = os.path.join(source, "tests/unit/tflite/data/fp32.tflite")
sys.path.insert(0, os.path.dirname(TOOL))
import compile as tool


def features(text):
    """Of the last occurrences, which count."""
    words = re.search(r'cpu_features = "([^"]*)"', text)[1].split(",")
    return {word[1:]: word[0] for word in words}


class Processor(unittest.TestCase):
    def test_host_has_no_more_than_this_processor(self):
        host = features(tool.run("iree-compile", "-", *tool.DEVICE_FLAGS, "--iree-llvmcpu-target-cpu=host",
                                 "--compile-to=executable-sources", "-o", "-", what="host", stdin=tool.TINY))
        self.assertIn("-", host.values())
        with tempfile.TemporaryDirectory() as directory:
            output = os.path.join(directory, "model")
            subprocess.run([sys.executable, TOOL, "--input", MODEL, "--format", "tflite", "--output", output, "--target-cpu",
                            "host", "--shapes=image=1,4,4,1", "--argument=--compile-to=executable-sources"], check=True,
                           capture_output=True)
            with open(output, encoding="utf-8", errors="replace") as file:
                self.assertEqual(features(file.read()), host)
            with open(output + ".cpu", encoding="utf-8") as file:
                self.assertNotEqual(file.read(), "host")


unittest.main()
