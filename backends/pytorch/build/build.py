"""Compiles torch_shim.cpp, the C interface to libtorch, against the headers of PyTorch.

    build.py --sources DIRECTORY --files DIRECTORY --output FILE

The libraries come from one package (ai.djl.pytorch, made from PyTorch's own sources for CPUs), the headers from another:
the wheel of torch for macOS, which is small and holds the same headers for the same version.
"""
import argparse
import os
import pathlib
import subprocess
import sys


def fail(kind, text):
    print(f"ERROR {kind} {text}", flush=True)
    sys.exit(1)


def main():
    parser = argparse.ArgumentParser()
    for name in ("sources", "files", "output"):
        parser.add_argument(f"--{name}", type=pathlib.Path, required=True)
    arguments, _ = parser.parse_known_args()
    found = sorted(arguments.sources.glob("*/torch/include/torch/script.h"))
    if len(found) != 1:
        fail("baddata", f"the headers of PyTorch are not in {arguments.sources}")
    include = found[0].parents[1]
    command = [
        os.environ.get("CXX", "g++"), "-std=c++17", "-O2", "-fPIC", "-shared", "-fvisibility=hidden", "-w",
        "-isystem", str(include), "-isystem", str(include / "torch/csrc/api/include"),
        str(pathlib.Path(__file__).with_name("torch_shim.cpp")), "-o", str(arguments.output),
        f"-L{arguments.files}", "-Wl,--no-as-needed", "-ltorch", "-ltorch_cpu", "-lc10", "-Wl,-rpath,$ORIGIN",
        "-Wl,-z,defs", "-Wl,-z,relro,-z,now"]
    print("PROGRESS 0 1 compiling (about half a minute)", flush=True)
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(result.stdout, flush=True)
    if result.returncode != 0:
        fail("incompatible", "the C++ compiler could not compile the interface to libtorch; its words are in the log")
    print("PROGRESS 1 1", flush=True)


main()
