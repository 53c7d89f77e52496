"""Makes libkenning-iree.so: IREE's runtime, compiled from its source, behind the functions of engine.h.

    python3 build.py --sources DIRECTORY --files DIRECTORY --output FILE

Below --sources lie the packages of the manifest: the crate eerie-sys, which carries IREE's source, and cmake and ninja.
"""
import argparse
import ctypes
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

VERSION = "3.13.0"
SWITCHES = """
    IREE_BUILD_COMPILER=OFF IREE_BUILD_PYTHON_BINDINGS=OFF IREE_BUILD_TESTS=OFF IREE_BUILD_BENCHMARKS=OFF
    IREE_BUILD_SAMPLES=OFF IREE_HAL_DRIVER_DEFAULTS=OFF IREE_HAL_DRIVER_LOCAL_SYNC=ON IREE_HAL_DRIVER_LOCAL_TASK=ON
    IREE_HAL_DRIVER_NULL=OFF IREE_ENABLE_LIBBACKTRACE=OFF IREE_BUILD_BINDINGS_TFLITE=OFF
    IREE_BUILD_BINDINGS_TFLITE_JAVA=OFF
""".split()
STEP = re.compile(r"^\[(\d+)/(\d+)\]")


def fail(kind, text):
    print(f"ERROR {kind} {text}", flush=True)
    sys.exit(1)


def find(directory, pattern):
    found = sorted(Path(directory).glob(pattern))
    if not found:
        fail("baddata", f"there is no {pattern} in {directory}")
    return found[0]


def run(arguments, text, low, high):
    """Runs a program; lines "[n/m]" move the progress from `low` to `high` percent."""
    print("running", *arguments, flush=True)
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    for line in process.stdout:
        print(line, end="", flush=True)
        step = STEP.match(line)
        if step:
            print(f"PROGRESS {low + (high - low) * int(step[1]) / int(step[2]):.0f} 100 {text}", flush=True)
    if process.wait() != 0:
        sys.exit(f"{arguments[0]} failed with {process.returncode}")


def program(path):
    # Unpacked archives keep contents, not permissions.
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def compiler(*names):
    for name in names:
        path = shutil.which(name)
        if path:
            return path
    fail("missing", f"there is no C compiler ({', '.join(names)}); on Debian: apt-get install gcc g++")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sources", required=True)
    parser.add_argument("--files", required=True)
    parser.add_argument("--output", required=True)
    arguments = parser.parse_args()

    sources, here = Path(arguments.sources), Path(__file__).resolve().parent
    iree = find(sources, "eerie-sys/*/iree")
    cmake = program(find(sources, "cmake/cmake/data/bin/cmake"))
    ninja = program(find(sources, "ninja/ninja-*.data/scripts/ninja"))
    cc = compiler("cc", "gcc", "clang")
    build = sources / "build"

    print("PROGRESS 1 100 configuring IREE", flush=True)
    run([cmake, "-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={ninja}", "-S", str(iree), "-B", str(build),
         "-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_C_VISIBILITY_PRESET=hidden", "-DCMAKE_POSITION_INDEPENDENT_CODE=ON",
         *(f"-D{switch}" for switch in SWITCHES)], "configuring IREE", 1, 20)
    jobs = os.environ.get("KENNING_JOBS", str(len(os.sched_getaffinity(0))))
    print("PROGRESS 20 100 compiling IREE", flush=True)
    run([ninja, "-C", str(build), "-j", jobs, "iree_runtime_unified"], "compiling IREE", 20, 95)

    exports = sources / "exports.map"
    exports.write_text("{ global: kenning_iree_*; local: *; };\n")
    run([cc, "-std=gnu17", "-O2", "-fPIC", "-fvisibility=hidden", "-shared", "-Wall", "-Wno-unused-function",
         "-DIREE_ALLOCATOR_SYSTEM_CTL=iree_allocator_libc_ctl", f'-DKENNING_IREE_VERSION="{VERSION}"',
         f"-I{iree}/runtime/src", f"-I{build}/runtime/src", str(here / "engine.c"),
         str(find(build, "runtime/src/iree/runtime/libiree_runtime_unified.a")),
         str(find(build, "build_tools/third_party/flatcc/libflatcc_parsing.a")),
         f"-Wl,--version-script={exports}", "-Wl,--no-undefined", "-Wl,-s", "-lm", "-lpthread", "-ldl",
         "-o", arguments.output], "linking", 95, 99)

    library = ctypes.CDLL(arguments.output)
    library.kenning_iree_version.restype = ctypes.c_char_p
    if library.kenning_iree_version().decode() != VERSION:
        fail("incompatible", f"{arguments.output} was made and tells another version")
    print("PROGRESS 99 100 made", flush=True)


if __name__ == "__main__":
    main()
