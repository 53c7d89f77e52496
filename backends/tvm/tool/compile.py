"""Compiles a model by TVM, in the flavour that is asked for."""

import argparse
import os
import sys
import tempfile

# The scripts beside this one, also where it is a link.
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from report import Refusal, progress, result, run  # noqa: E402

SPELLING = {"float16": "fp16", "int8": "int8"}


def parse_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--flavour", required=True, choices=("auto", "relax", "relay"))
    parser.add_argument("--input", required=True)
    parser.add_argument("--format", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--container", required=True, choices=("so", "tar"))
    parser.add_argument("--cc", default="cc")
    parser.add_argument("--target", required=True)
    parser.add_argument("--target-attributes", default="")
    parser.add_argument("--target-host")
    parser.add_argument("--opt-level", type=int, default=2)
    parser.add_argument("--executor", required=True, choices=("auto", "graph", "vm", "aot", "c"))
    parser.add_argument("--data-layout", default="")
    parser.add_argument("--kernel-layout", default="")
    parser.add_argument("--precision", default="as-is", choices=("as-is", "float16", "int8"))
    parser.add_argument("--input-shape", action="append")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--calibration")
    parser.add_argument("--sample-shape", default="")
    parser.add_argument("--sample-type", default="float32")
    return parser.parse_args()


def choose(arguments, model):
    """Flavour and executor, where they are left to us."""
    if arguments.flavour == "auto":
        needs_relay = model.integer or arguments.precision == "int8" or arguments.executor in ("graph", "aot", "c")
        arguments.flavour = "relay" if needs_relay else "relax"
    if arguments.executor == "auto":
        arguments.executor = "graph" if arguments.flavour == "relay" else "vm"


def main():
    arguments = parse_arguments()
    import model as models

    model = models.read(arguments.input, arguments.format, arguments.input_shape, arguments.batch)
    choose(arguments, model)
    if arguments.precision != "as-is" and model.integer:
        raise Refusal("incompatible", f"{arguments.input} is quantized already; use_{SPELLING[arguments.precision]}_precision "
                                      "takes models of float32")
    progress(1, 10, f"importing, flavour {arguments.flavour}")
    if arguments.flavour == "relay":
        import relay_flavour as flavour
    else:
        import relax_flavour as flavour
    with tempfile.TemporaryDirectory(prefix="kenning-tvm-") as work:
        print(flavour.compile(arguments, model, work), file=sys.stderr)
    result("flavour", arguments.flavour)


sys.setrecursionlimit(10000)
run(main)
