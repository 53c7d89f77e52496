"""The only build of PyTorch for Linux on the package index wants NVIDIA's libraries, 2 GB of them, before it can be
imported, also where nothing is computed on a GPU. load() gives it empty ones: for every library that it names and that is
not there, a small one is compiled whose functions all fail, so that PyTorch finds no GPU. They are made once, beside the
environment's packages. For tools alone: what measures models runs the CPU build."""
import ctypes
import os
import pathlib
import re
import subprocess
import sys
import tempfile

WANTED = re.compile(r"^lib(cu|nccl|nvrtc|nvshmem|nvJit)")
SYMBOL = re.compile(r"^(cu|nccl|nvrtc|nvshmem|nvJit|__cuda)")


def run(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def needed(libraries):
    names, symbols = set(), set()
    for library in libraries:
        names.update(re.findall(r"NEEDED.*\[(.*)\]", run("readelf", "-d", str(library))))
        for line in run("nm", "-D", "-u", str(library)).splitlines():
            symbols.add(line.split()[-1].split("@")[0])
    present = {library.name for library in libraries}
    return (sorted(n for n in names if WANTED.match(n) and n not in present and n != "libcuda.so.1"),
            sorted(s for s in symbols if SYMBOL.match(s)))


def compile_stubs(directory, libraries):
    names, symbols = needed(libraries)
    with tempfile.TemporaryDirectory(dir=directory.parent) as work:
        source = pathlib.Path(work) / "stubs.c"
        lines = []
        for symbol in symbols:
            # No device (100), and no error that was kept.
            value = 100 if symbol == "cudaGetDeviceCount" else 0 if symbol in ("cudaGetLastError", "cudaPeekAtLastError") else 1
            lines.append(f"long {symbol}(void) {{ return {value}; }}")
        source.write_text("\n".join(lines) + "\n")
        made = pathlib.Path(work) / "made"
        made.mkdir()
        for i, name in enumerate(names):
            text = source if i == 0 else pathlib.Path(work) / "empty.c"
            if i:
                text.write_text("static int nothing __attribute__((unused));\n")
            run("cc", "-w", "-O1", "-shared", "-fPIC", str(text), "-o", str(made / name), f"-Wl,-soname,{name}")
        try:
            os.rename(made, directory)
        except OSError:
            pass  # another process was faster


def load():
    packages = next(pathlib.Path(p) for p in sys.path if (pathlib.Path(p) / "torch" / "lib").is_dir())
    directory = packages.parent / "cuda-stubs"
    if not directory.is_dir():
        compile_stubs(directory, sorted((packages / "torch" / "lib").glob("*.so*")))
    for library in sorted(directory.iterdir()):
        ctypes.CDLL(str(library), ctypes.RTLD_GLOBAL)
