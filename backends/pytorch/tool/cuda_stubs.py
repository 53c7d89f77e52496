"""Makes PyTorch's wheel, which is built for CUDA, importable on a machine without CUDA's libraries.

    cuda_stubs.py --environment DIRECTORY

Its libraries name NVIDIA's, several GB that no processor needs. Empty ones take their places, and behind them is one with
every function that is asked for: each answers that it failed, cudaGetDeviceCount that there is no device. So
torch.cuda.is_available() is False, and computing on the processor is not touched. (The loader wants versions of functions
that it finds in a library which was asked for by name; behind it, it does not.)"""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

STUB = "libkenning_no_cuda.so"
LIBRARIES = re.compile(r"lib(cu|nccl|nvrtc|nvshmem|nvJit)")
FUNCTIONS = re.compile(r"(cu|nccl|nvrtc|nvshmem|nvJit|__cuda)")
NO_DEVICE = 100  # cudaErrorNoDevice
ANSWERS = {"cudaGetDeviceCount": NO_DEVICE, "cudaGetLastError": 0, "cudaPeekAtLastError": 0}
FAILURE = 1


def fail(kind, text):
    print(f"ERROR {kind} {text}", flush=True)
    sys.exit(1)


def output(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def needed(library):
    return re.findall(r"\(NEEDED\).*\[(.*)\]", output("readelf", "--dynamic", "--wide", str(library)))


def undefined(library):
    lines = output("nm", "--dynamic", "--undefined-only", str(library)).splitlines()
    return {line.split()[-1].split("@")[0] for line in lines}


def compile_library(source, path, *options):
    with tempfile.TemporaryDirectory() as directory:
        file = pathlib.Path(directory, "stub.c")
        file.write_text(source)
        subprocess.run([os.environ.get("CC", "cc"), "-w", "-O1", "-shared", "-fPIC", str(file), "-o", str(path),
                        f"-Wl,-soname,{path.name}", *options], check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--environment", type=pathlib.Path, required=True)
    environment = parser.parse_args().environment
    missing = [name for name in (os.environ.get("CC", "cc"), "readelf", "nm") if not shutil.which(name)]
    if missing:
        fail("missing", f"PyTorch's tools take {', '.join(missing)}; on Debian: apt-get install gcc binutils")
    found = list(environment.glob("lib/python3.*/site-packages/torch/lib"))
    if len(found) != 1:
        fail("baddata", f"there is no PyTorch in {environment}")
    directory = found[0]
    libraries = sorted(directory.glob("*.so*"))
    packages = directory.parents[1]
    users = libraries + sorted(packages.glob("torchvision/*.so"))
    names = {name for library in users for name in needed(library) if LIBRARIES.match(name)}
    functions = {name for library in users for name in undefined(library) if FUNCTIONS.match(name)}
    # libcuda belongs to the driver; PyTorch opens it only when there is one.
    names = {name for name in names if name != "libcuda.so.1" and not (directory / name).exists()}
    compile_library("\n".join(f"long {name}(void) {{ return {ANSWERS.get(name, FAILURE)}; }}" for name in sorted(functions)),
                    directory / STUB)
    for name in sorted(names):
        compile_library("", directory / name, "-Wl,--no-as-needed", f"-L{directory}", f"-l:{STUB}", "-Wl,-rpath,$ORIGIN")
    print(f"{len(names)} libraries, {len(functions)} functions", flush=True)


main()
