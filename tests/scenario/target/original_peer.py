"""One end of a session by the original's own protocol classes: run by original_test.py, never by hand.

    original_peer.py CHECKOUT 2022|today client|server PORT DIRECTORY

Of the original nothing but its classes of the protocol is used; packages that they import besides are stood in for by
objects that do nothing (Python runs without its site directory). The client prints what it got as JSON. The server computes y[i] = 2 x[i] for the first
three values, prints what it was sent, and ends when the client is gone.
"""
import importlib.abc
import importlib.machinery
import json
import struct
import sys
import threading
from pathlib import Path
from unittest.mock import MagicMock


class StandIn(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """For modules that are not installed."""

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"kenning", *sys.stdlib_module_names}:
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec):
        module = MagicMock(name=spec.name)
        module.__path__, module.__spec__, module.__name__, module.__file__ = [], spec, spec.name, spec.name
        return module

    def exec_module(self, module):
        pass


def tell(**facts):
    print(json.dumps(facts), flush=True)


def client(protocol, directory, final):
    """What the original's runs do."""
    assert protocol.initialize_client()
    spec = protocol.upload_io_specification(Path(directory) / "spec.json")
    model = protocol.upload_model(Path(directory) / "model.bin")
    outputs = []
    for i in range(5):
        x = struct.pack("<12f", *(i + k / 4 for k in range(12)))
        assert protocol.upload_input(x) and protocol.request_processing()
        status, data = protocol.download_output()
        assert status
        outputs.append(struct.unpack(f"<{len(data) // 4}f", data))
    statistics = protocol.download_statistics(*final)
    tell(spec=spec, model=model, outputs=outputs, steps=len(statistics.data["target_inference_step"]))
    protocol.disconnect()


class Target:
    """What a target of the original does with what it gets."""

    def __init__(self):
        self.model, self.spec, self.x, self.steps = b"", b"", (), 0

    def io_spec(self, data):
        self.spec = bytes(data)

    def load(self, data):
        self.model = bytes(data)

    def input(self, data):
        self.x = struct.unpack(f"<{len(data) // 4}f", data)

    def process(self, data):
        self.steps += 1

    def output(self):
        return struct.pack("<3f", *(2 * value for value in self.x[:3]))

    def statistics(self):
        steps = [0.001] * self.steps
        return json.dumps({"target_inference_step": steps,
                           "target_inference_step_timestamp": [float(i) for i in range(len(steps))]}).encode()

    def tell(self):
        tell(model=self.model.decode("latin-1"), spec=json.loads(self.spec), steps=self.steps)


def server_2022(protocol, target):
    from kenning.core.runtimeprotocol import MessageType, ServerStatus
    uploads = {MessageType.IOSPEC: target.io_spec, MessageType.MODEL: target.load, MessageType.DATA: target.input}
    downloads = {MessageType.OUTPUT: target.output, MessageType.STATS: target.statistics}
    assert protocol.initialize_server()
    tell(serving=True)
    while True:
        for status, messages in protocol.wait_for_activity():
            if status == ServerStatus.CLIENT_DISCONNECTED:
                return
            for message in messages if status == ServerStatus.DATA_READY else []:
                kind, data = protocol.parse_message(message)
                if kind == MessageType.PROCESS:
                    protocol.request_success()
                    target.process(data)
                    protocol.request_success()
                elif kind in uploads:
                    uploads[kind](data)
                    protocol.request_success()
                else:
                    protocol.request_success(downloads[kind]())


def server_today(protocol, target):
    from kenning.core.protocol import ServerAction, ServerStatus
    gone = threading.Event()

    def upload(action, take):
        def callback(data):
            take(data)
            return ServerStatus(action, True)
        return callback

    def download(action, give):
        return lambda: (ServerStatus(action, True), give())

    assert protocol.initialize_server(None, gone.set)
    protocol.serve(upload_input_callback=upload(ServerAction.UPLOADING_INPUT, target.input),
                   upload_model_callback=upload(ServerAction.UPLOADING_MODEL, target.load),
                   process_input_callback=upload(ServerAction.PROCESSING_INPUT, target.process),
                   download_output_callback=download(ServerAction.EXTRACTING_OUTPUT, target.output),
                   download_stats_callback=download(ServerAction.COMPUTING_STATISTICS, target.statistics),
                   upload_iospec_callback=upload(ServerAction.UPLOADING_IOSPEC, target.io_spec))
    tell(serving=True)
    gone.wait(60)
    protocol.disconnect()


def main():
    checkout, era, role, port, directory = sys.argv[1:]
    sys.path.insert(0, checkout)
    sys.meta_path.append(StandIn())
    if era == "2022":
        from kenning.runtimeprotocols.network import NetworkProtocol
    else:
        from kenning.protocols.network import NetworkProtocol
    protocol = NetworkProtocol("127.0.0.1", int(port))
    if role == "client":
        return client(protocol, directory, () if era == "2022" else (True,))
    target = Target()
    (server_2022 if era == "2022" else server_today)(protocol, target)
    target.tell()


main()
