#!/usr/bin/env python3
"""The Wireshark dissector against what a decoder written here finds in the same bytes: sessions of this program's own
host and target in all formats, recorded by a relay between them, and recordings of the original where
KENNING_RECORDINGS names a directory of them (<name>-c2s.bin, <name>-s2c.bin). Exit 77: skipped, without tshark.
"""
import json
import os
import re
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path

SOURCE = Path(os.environ["KENNING_TEST_SOURCE_DIR"])
PROGRAM = os.environ["KENNING_TEST_PROGRAM"]
SCRIPT = SOURCE / "share/wireshark/kenning.lua"
HEADERS = {"2022": 6, "8-byte": 8, "12-byte": 12}


def decode(data, wire, target):
    """(type, flow, payload bytes) of every message; the greeting of a target is left out."""
    found, at = [], 1 if target and wire != "2022" else 0
    while at < len(data):
        if wire == "2022":
            size, kind = struct.unpack_from("<IH", data, at)
            flow, count = None, size - 2
        elif wire == "8-byte":
            first, _, flags, count = struct.unpack_from("<BBHI", data, at)
            kind, flow = first & 63, first >> 6
            count = count if flags & 8 else 0
        else:
            low, high, _, flags, count = struct.unpack_from("<IBBHI", data, at)
            kind, flow = low | (high & 63) << 32, high >> 6
            count = count if flags & 8 else 0
        found.append((kind, flow, count))
        at += HEADERS[wire] + count
    return found


def packets(segments):
    """A capture of one TCP connection: [(from the target, bytes)] as IPv4 packets in pcap format."""
    out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)]
    sequence, time = {False: 1, True: 1}, 0

    def packet(target, flags, payload):
        nonlocal time
        ports = (12345, 40000) if target else (40000, 12345)
        tcp = struct.pack(">HHIIBBHHH", *ports, sequence[target], sequence[not target], 5 << 4, flags, 65535, 0, 0)
        addresses = (b"\x7f\0\0\1", b"\x7f\0\0\2")[::-1 if target else 1]
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 40 + len(payload), 0, 0, 64, 6, 0, *addresses)
        whole = ip + tcp + payload
        out.append(struct.pack("<IIII", time // 1000000, time % 1000000, len(whole), len(whole)) + whole)
        time += 10
        sequence[target] += len(payload)

    for target, data in segments:
        for at in range(0, len(data), 60000):
            packet(target, 0x18, data[at:at + 60000])
    return b"".join(out)


def dissect(segments, wire):
    """[(target, type, flow, payload bytes)] as tshark tells it, and its words about malformed packets."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "session.pcap"
        path.write_bytes(packets(segments))
        run = subprocess.run(
            ["tshark", "-X", f"lua_script:{SCRIPT}", "-o", f"kenning.wire:{wire}", "-r", str(path), "-T", "json",
             "-j", "kenning tcp", "--no-duplicate-keys"], capture_output=True, text=True, timeout=100,
            env={**os.environ, "HOME": directory})
        if run.returncode:
            raise AssertionError(run.stderr)
        if "Lua Error" in run.stderr + run.stdout:
            raise AssertionError((run.stderr + run.stdout)[:2000])
    found = []
    for item in json.loads(run.stdout):
        layers = item["_source"]["layers"]
        target = layers["tcp"]["tcp.srcport"] == "12345"
        messages = layers.get("kenning", [])
        for message in messages if isinstance(messages, list) else [messages]:
            if not isinstance(message, dict) or "kenning.type" not in message:
                continue
            flow = message.get("kenning.flow")
            found.append((target, int(message["kenning.type"]), None if flow is None else int(flow),
                          int(message["kenning.length"]), message))
    return found


class Relay:
    """Between a host and a target: keeps what passes, in the order of its coming."""

    def __init__(self, port):
        self.segments, self.port = [], port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(60)
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        host = self.listener.accept()[0]
        target = socket.create_connection(("127.0.0.1", self.port))
        threads = [threading.Thread(target=self.pump, args=(host, target, False)),
                   threading.Thread(target=self.pump, args=(target, host, True))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        host.close(), target.close(), self.listener.close()

    def pump(self, source, sink, target):
        while data := source.recv(65536):
            self.segments.append((target, data))
            sink.sendall(data)
        try:
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def record(wire, parameters):
    """A session of this program's host and target."""
    with tempfile.TemporaryDirectory() as directory:
        port = free_port()
        protocol = {"type": "kenning.protocols.network.NetworkProtocol",
                    "parameters": {"host": "127.0.0.1", "port": port, "wire": wire, **parameters}}
        server = {"runtime_protocol": protocol, "runtime": {"type": "NullRuntime"}}
        (Path(directory) / "s.json").write_text(json.dumps(server))
        (Path(directory) / "model.bin").write_bytes(b"a model" * 100)
        process = subprocess.Popen([PROGRAM, "json_inference_server", "s.json"], cwd=directory, stderr=subprocess.PIPE)
        while b"serving on" not in process.stderr.readline():
            pass
        relay = Relay(port)
        protocol["parameters"]["port"] = relay.listener.getsockname()[1]
        host = {**server, "model_wrapper": {"type": "NullModelWrapper", "parameters": {"model_path": "model.bin"}},
                "dataset": {"type": "RandomizedClassificationDataset",
                            "parameters": {"split": "all", "num_samples": 5, "input_dims": [64, 64, 8]}}}
        (Path(directory) / "c.json").write_text(json.dumps(host))
        subprocess.run([PROGRAM, "json_inference_tester", "c.json", "out.json"], cwd=directory, check=True,
                       capture_output=True, timeout=60)
        relay.thread.join()
        process.terminate()
        process.communicate()
        return relay.segments


def condensed(path):
    """The segments of a file of tests/golden/wire; what was left out of payloads is zeros, but for the sum."""
    segments = []
    for line in path.read_text().splitlines():
        way, header, *payload = line.split(" ")
        if header == "hello":
            segments.append((True, b"\0"))
            continue
        kept, *left_out = (payload or [""])[0].split("~")
        data = bytearray.fromhex(kept)
        if left_out:
            last = int(left_out[1], 16)
            for byte in data:
                last ^= byte
            data += bytes(int(left_out[0]) - len(data))
            data[-1] = last
        segments.append((way == "s2c", bytes.fromhex(header) + data))
    return segments


class Dissector(unittest.TestCase):
    def compare(self, segments, wire):
        found = dissect(segments, wire)
        for target in (False, True):
            data = b"".join(part for side, part in segments if side == target)
            expected = decode(data, wire, target)
            self.assertTrue(expected)
            self.assertEqual([message[1:4] for message in found if message[0] == target], expected)
        return found

    def test_sessions_of_ours(self):
        for wire, parameters in (("2022", {}), ("8-byte", {}), ("12-byte", {}),
                                 ("12-byte", {"error_recovery": True, "max_message_size": 1000})):
            with self.subTest(wire=wire, **parameters):
                found = self.compare(record(wire, parameters), wire)
                names = {message[4]["kenning.name"] for message in found}
                self.assertIn("IO_SPEC", names)
                self.assertIn("MODEL", names)
                if parameters:
                    sums = [int(message[4]["kenning.sum"], 16) for message in found if "kenning.sum" in message[4]]
                    self.assertTrue(sums)
                    self.assertEqual(set(sums), {0x4B})

    def test_recordings_in_the_tree(self):
        paths = sorted((SOURCE / "tests/golden/wire").glob("*.txt"))
        self.assertGreaterEqual(len(paths), 3)
        for path in paths:
            with self.subTest(recording=path.name):
                found = self.compare(condensed(path), "2022" if "2022" in path.name else "12-byte")
                self.assertGreater(len(found), 20)
                if "checksums" in path.name:
                    sums = [int(message[4]["kenning.sum"], 16) for message in found if "kenning.sum" in message[4]]
                    self.assertEqual(set(sums), {0x4B})

    def test_recordings_of_the_original(self):
        directory = os.environ.get("KENNING_RECORDINGS")
        if not directory:
            self.skipTest("KENNING_RECORDINGS names no directory with recordings of the original")
        for path in sorted(Path(directory).glob("protocol-*-c2s.bin")):
            with self.subTest(recording=path.name):
                sides = {side: (path.parent / path.name.replace("c2s", side)).read_bytes() for side in ("c2s", "s2c")}
                times = [json.loads(line) for line in
                         (path.parent / path.name.replace("c2s.bin", "segments.jsonl")).read_text().splitlines()]
                segments = [(item["dir"] == "s2c", sides[item["dir"]][item["off"]:item["off"] + item["len"]])
                            for item in times]
                self.compare(segments, "2022" if "2022" in path.name else "12-byte")

    def test_bytes_of_the_documentation(self):
        failed = bytes.fromhex("05000000c0007a000100000007")
        found = dissect([(True, b"\0"), (True, failed)], "12-byte")
        self.assertEqual(found[0][:4], (True, 5, 3, 1))
        self.assertEqual(found[0][4]["kenning.action"], "7")
        log = b"\x0d\0\0\0\xc0\0\x78\0\x16\0\0\0" + b"\x15[ERROR] engine failed"
        found = dissect([(True, b"\0" + log)], "12-byte")
        self.assertEqual(found[0][4]["kenning.log"], "[ERROR] engine failed")

    def test_messages_have_the_names_of_the_program(self):
        table = dict(re.findall(r"X\((\w+), (\d+), KN_", (SOURCE / "src/wire/message.h").read_text()))
        lua = {name: number for number, name in
               re.findall(r"\[(\d+)\] = \"([A-Z_]+)\"", SCRIPT.read_text().split("local FLOWS")[0])}
        self.assertGreaterEqual(len(table), 14)
        self.assertEqual({name: lua.get(name) for name in table}, table)

    def test_damaged_streams_do_no_harm(self):
        streams = [b"\xff" * 40, b"\1\0\0\0\7\0" * 3, bytes(range(256)), b"\0"]
        for wire in HEADERS:
            dissect([(target, data) for data in streams for target in (False, True)], wire)


if __name__ == "__main__":
    try:
        subprocess.run(["tshark", "--version"], capture_output=True, check=True)
    except OSError:
        print("dissector_test: skipped: there is no tshark here (scripts/bootstrap test)")
        sys.exit(77)
    unittest.main()
