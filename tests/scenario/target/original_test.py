#!/usr/bin/env python3
"""The original's protocol classes on one end, this program on the other, both ways, in the format of 2022 and today's.

KENNING_ORIGINAL_2022 and KENNING_ORIGINAL_TODAY name checkouts of the original: commit
56c12585f3ea3a7117139079bbcc4b243a1522cd, and c5ee79ef2f2412e1cc1a803b87b88373098397e7 or one that speaks the same format.
Exit 77: skipped, where neither is named.
"""
import json
import os
import socket
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

PROGRAM = os.environ["KENNING_TEST_PROGRAM"]
PEER = Path(__file__).with_name("original_peer.py")
CHECKOUTS = {era: os.environ.get(f"KENNING_ORIGINAL_{era.upper()}") for era in ("2022", "today")}
CLASSES = {"2022": "kenning.runtimeprotocols.network.NetworkProtocol",
           "today": "kenning.protocols.network.NetworkProtocol"}
SPEC = {"input": [{"name": "x", "shape": [1, 12], "dtype": "float32"}],
        "output": [{"name": "y", "shape": [1, 3], "dtype": "float32"}]}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Original(unittest.TestCase):
    def setUp(self):
        self.place = tempfile.TemporaryDirectory()
        self.addCleanup(self.place.cleanup)
        self.directory = self.place.name
        self.port = free_port()
        self.write("spec.json", SPEC)
        (Path(self.directory) / "model.bin").write_bytes(b"a model")

    def write(self, name, content):
        (Path(self.directory) / name).write_text(json.dumps(content))

    def scenario(self, era):
        return {"runtime_protocol": {"type": CLASSES[era], "parameters": {"host": "127.0.0.1", "port": self.port}},
                "runtime": {"type": "NullRuntime", "parameters": {"result": "echo"}}}

    def peer(self, era, role):
        if not CHECKOUTS[era]:
            self.skipTest(f"KENNING_ORIGINAL_{era.upper()} names no checkout of the original")
        return subprocess.Popen([sys.executable, "-S", "-E", str(PEER), CHECKOUTS[era], era, role, str(self.port), self.directory],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=self.directory)

    def host_of_the_original(self, era):
        self.write("s.json", self.scenario(era))
        server = subprocess.Popen([PROGRAM, "json_inference_server", "s.json"], cwd=self.directory,
                                  stderr=subprocess.PIPE, text=True)
        try:
            while "serving on" not in server.stderr.readline():
                self.assertIsNone(server.poll())
            for _ in range(2):  # one after the other: the server goes on
                out, err = self.peer(era, "client").communicate(timeout=60)
                facts = json.loads(out.splitlines()[-1]) if out else self.fail(err)
                self.assertTrue(facts["spec"] and facts["model"])
                self.assertEqual(facts["outputs"], [[i + k / 4 for k in range(3)] for i in range(5)])
                self.assertEqual(facts["steps"], 5)
        finally:
            server.terminate()
            server.communicate()

    def target_of_the_original(self, era):
        host = {**self.scenario(era),
                "model_wrapper": {"type": "NullModelWrapper", "parameters": {"model_path": "model.bin"}},
                "dataset": {"type": "RandomizedClassificationDataset",
                            "parameters": {"split": "all", "num_samples": 10, "num_classes": 3, "input_dims": [12]}}}
        self.write("c.json", host)
        self.write("model.bin.json", SPEC)
        target = self.peer(era, "server")
        try:
            self.assertIn("serving", target.stdout.readline())
            run = subprocess.run([PROGRAM, "json_inference_tester", "c.json", "out.json"], cwd=self.directory,
                                 capture_output=True, text=True, timeout=60)
            self.assertEqual(run.returncode, 0, run.stderr)
            out, err = target.communicate(timeout=60)
            facts = json.loads(out.splitlines()[-1]) if out else self.fail(err)
        finally:
            target.kill()
        self.assertEqual(facts["model"], "a model")
        self.assertEqual(facts["spec"]["input"][0]["shape"], [1, 12])
        self.assertEqual(facts["steps"], 11)  # with the warm-up
        measured = json.loads((Path(self.directory) / "out.json").read_text())
        self.assertEqual(len(measured["target_inference_step"]), 11)
        self.assertEqual(measured["run"]["samples"], 10)
        self.assertFalse(measured["wire"].get("one_message"))

    def test_host_of_2022(self):
        self.host_of_the_original("2022")

    def test_target_of_2022(self):
        self.target_of_the_original("2022")

    def test_host_of_today(self):
        self.host_of_the_original("today")

    def test_target_of_today(self):
        self.target_of_the_original("today")


if __name__ == "__main__":
    if not any(CHECKOUTS.values()):
        print("original_test: skipped: KENNING_ORIGINAL_2022 and KENNING_ORIGINAL_TODAY name no checkouts of the original")
        sys.exit(77)
    unittest.main()
