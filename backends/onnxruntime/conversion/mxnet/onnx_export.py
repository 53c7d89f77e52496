"""Converts an MXNet model to ONNX by mxnet.onnx and compares their outputs."""
import argparse
import glob
import json
import os
import re
import shutil
import sys
import tempfile

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
# The scripts beside this one, also where it is a link.
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import mxnet  # noqa: E402
import numpy as np  # noqa: E402

import comparison  # noqa: E402
import exporter  # noqa: E402
from report import Refusal, result, run  # noqa: E402


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", required=True, help="PREFIX-symbol.json or PREFIX-0000.params")
    parser.add_argument("--format", required=True, choices=["mxnet"])
    parser.add_argument("--output", required=True)
    parser.add_argument("--opset", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--specification", required=True, help="io specification of the model, JSON")
    return parser.parse_args()


def files_of(path, directory):
    """Both files of a model, of which one is named: the other lies beside it, or both are one, whose entry "symbol:json" is
    the graph; then they are written into `directory`."""
    prefix = re.sub(r"(-symbol\.json|-\d{4}\.params|\.json|\.params)$", "", path)
    if path.endswith(".json"):
        epochs = sorted(glob.glob(f"{glob.escape(prefix)}-[0-9][0-9][0-9][0-9].params"))
        if not epochs:
            raise Refusal("baddata", f"{prefix}-NNNN.params is missing: it belongs beside {path}")
        return path, epochs[-1]
    try:
        arrays = mxnet.nd.load(path)
    except Exception as fault:
        raise Refusal("baddata", f"{path} holds no parameters of MXNet: {fault}") from fault
    graph = arrays.pop("symbol:json", None) if isinstance(arrays, dict) else None
    if graph is None:
        if not os.path.exists(f"{prefix}-symbol.json"):
            raise Refusal("baddata", f"{prefix}-symbol.json is missing: it belongs beside {path}")
        return f"{prefix}-symbol.json", path
    symbol, parameters = os.path.join(directory, "model-symbol.json"), os.path.join(directory, "model-0000.params")
    with open(symbol, "wb") as file:
        file.write(graph.asnumpy().astype(np.uint8).tobytes())
    mxnet.nd.save(parameters, arrays)
    return symbol, parameters


def without_labels(symbol_file, parameter_file, directory):
    """SoftmaxOutput takes the labels too, which the exporter stumbles over; without them it is a softmax."""
    symbol = mxnet.sym.load(symbol_file)
    nodes = json.loads(symbol.tojson())["nodes"]
    if len(symbol.list_outputs()) != 1 or nodes[-1]["op"] != "SoftmaxOutput":
        return symbol_file, parameter_file
    path = os.path.join(directory, "inference-symbol.json")
    mxnet.sym.softmax(symbol.get_children()[0], axis=-1, name=nodes[-1]["name"]).save(path)
    # The exporter wants both files under one name.
    return path, shutil.copyfile(parameter_file, os.path.join(directory, "inference-0000.params"))


def inputs_of(path):
    with open(path, encoding="utf-8") as file:
        told = json.load(file)
    inputs = [(entry.get("name", "input"), entry["dtype"], tuple(max(n, 1) for n in entry["shape"]))
              for entry in told.get("processed_input") or told.get("input") or []]
    if not inputs:
        raise Refusal("invalid", "an MXNet model does not tell the shapes of its inputs: write them into its .json file")
    return inputs


def by_graph(inputs, symbol_file, parameter_file):
    """The inputs under the names that the graph has for them: by name, else by position."""
    parameters = {name.split(":", 1)[-1] for name in mxnet.nd.load(parameter_file)}
    free = [name for name in mxnet.sym.load(symbol_file).list_inputs() if name not in parameters]
    if len(free) != len(inputs) or {name for name, _, _ in inputs} == set(free):
        return inputs
    return [(name, dtype, shape) for name, (_, dtype, shape) in zip(free, inputs)]


def convert(arguments, directory):
    symbol_file, parameter_file = files_of(arguments.input, directory)
    inputs = inputs_of(arguments.specification)
    result("compiler_version", mxnet.__version__)
    try:
        symbol_file, parameter_file = without_labels(symbol_file, parameter_file, directory)
        inputs = by_graph(inputs, symbol_file, parameter_file)
        exporter.export(symbol_file, parameter_file, [shape for _, _, shape in inputs], arguments.output)
        block = mxnet.gluon.SymbolBlock.imports(symbol_file, [name for name, _, _ in inputs], parameter_file)
    except Exception as fault:
        print(fault, file=sys.stderr)
        raise Refusal("incompatible", f"MXNet cannot convert this model: {type(fault).__name__}: {fault}") from fault
    session = comparison.open_session(arguments.output)
    samples = comparison.draw_inputs(session, arguments.seed)

    def call(sample):
        made = block(*[mxnet.nd.array(value) for value in sample])
        return [output.asnumpy() for output in (made if isinstance(made, (list, tuple)) else [made])]

    difference, varies = comparison.compare([call(s) for s in samples], comparison.run_session(session, samples))
    result("max_difference", f"{difference:.3g}")
    result("outputs_vary", "yes" if varies else "no")
    if difference > comparison.TOLERANCE:
        raise Refusal("incompatible", f"the ONNX model's outputs differ from the source's by {difference:.3g} of the "
                      f"largest, more than {comparison.TOLERANCE:g}: it is not kept")


def main():
    arguments = parse_arguments()
    with tempfile.TemporaryDirectory() as directory:
        convert(arguments, directory)


run(main)
