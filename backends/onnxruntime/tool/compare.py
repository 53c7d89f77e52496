"""Runs an exported model by ONNX Runtime and compares with what its framework made of the same samples."""
import argparse
import os
import sys
from pathlib import Path

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
# The scripts beside this one, also where it is a link.
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import numpy as np  # noqa: E402

import comparison  # noqa: E402
from report import Refusal, result, run  # noqa: E402


def lists_of(path):
    """Arrays "SAMPLE_INDEX" as a list of values per sample."""
    with np.load(path) as file:
        names = sorted(file.files, key=lambda name: tuple(int(n) for n in name.split("_")))
        samples = {}
        for name in names:
            samples.setdefault(int(name.split("_")[0]), []).append(file[name])
    return [samples[i] for i in sorted(samples)]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--directory", type=Path, required=True)
    directory = parser.parse_args().directory
    try:
        session = comparison.open_session(directory / "model.onnx")
        got = comparison.run_session(session, lists_of(directory / "inputs.npz"))
    except Exception as fault:
        raise Refusal("incompatible", f"ONNX Runtime does not run the model: {fault}") from fault
    difference, varies = comparison.compare(lists_of(directory / "outputs.npz"), got)
    result("export_difference", f"{difference:.3g}")
    result("outputs_vary", "yes" if varies else "no")
    if (directory / "imported.npz").exists():
        result("import_difference", f"{comparison.compare(got, lists_of(directory / 'imported.npz'))[0]:.3g}")


run(main)
