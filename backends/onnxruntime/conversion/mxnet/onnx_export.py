"""Converts an MXNet model to ONNX by mxnet.onnx and compares their outputs."""
import argparse
import os
import re
import sys

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
# The scripts beside this one, also where it is a link.
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import mxnet  # noqa: E402
import numpy as np  # noqa: E402

import comparison  # noqa: E402
from report import Refusal, result, run  # noqa: E402


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", required=True, help="PREFIX-symbol.json or PREFIX-0000.params")
    parser.add_argument("--format", required=True, choices=["mxnet"])
    parser.add_argument("--output", required=True)
    parser.add_argument("--opset", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--inputs", required=True, help="name:dtype:1,3,224,224;...")
    return parser.parse_args()


def files_of(path):
    """Both files of a model, of which one is named."""
    prefix = re.sub(r"(-symbol\.json|-\d{4}\.params|\.json|\.params)$", "", path)
    symbol = path if path.endswith(".json") else f"{prefix}-symbol.json"
    parameters = path if path.endswith(".params") else f"{prefix}-0000.params"
    for file in (symbol, parameters):
        if not os.path.exists(file):
            raise Refusal("baddata", f"{file} is missing: an MXNet model is PREFIX-symbol.json and PREFIX-0000.params")
    return symbol, parameters


def inputs_of(text):
    inputs = []
    for item in filter(None, text.split(";")):
        name, dtype, shape = item.rsplit(":", 2)
        inputs.append((name, dtype, tuple(max(int(n), 1) for n in shape.split(",") if n)))
    if not inputs:
        raise Refusal("invalid", "an MXNet model does not tell the shapes of its inputs: write them into its .json file")
    return inputs


def main():
    arguments = parse_arguments()
    symbol_file, parameter_file = files_of(arguments.input)
    inputs = inputs_of(arguments.inputs)
    result("compiler_version", mxnet.__version__)
    try:
        # The exporter writes operator set 13 at most.
        mxnet.onnx.export_model(symbol_file, parameter_file, [shape for _, _, shape in inputs], np.float32,
                                arguments.output)
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


run(main)
