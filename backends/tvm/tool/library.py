"""The compiled library: linked, with a description of itself inside, so that a file alone can be judged and run."""

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import tarfile

from report import Refusal
import target as targets

SYMBOL = "kenning_tvm_model"
MEMBER = "model.so"

# Instructions that multiply 8-bit integers and add up, by architecture; and multiplications of float32.
DOT = re.compile(r"^\s*(v?pmaddubsw|vpdpbusds?|vpdpwssds?|v?pmaddwd|vpdpbssds?|[su]dot|usdot|smlal2?|umlal2?)\b",
                 re.MULTILINE)
FLOAT = re.compile(r"^\s*(vfn?m(?:add|sub)\w*ps|v?mulps|fmla|fmul)\b", re.MULTILINE)


def count_instructions(assembly):
    return {"int8_instructions": sum(len(DOT.findall(text)) for text in assembly),
            "float32_instructions": sum(len(FLOAT.findall(text)) for text in assembly)}


# Of the features that LLVM names those that are instructions; the others say how to choose among them.
INSTRUCTIONS = re.compile(r"(s?sse|avx|fma|bmi|f16c|popcnt|amx|neon|sve|dotprod|i8mm|fullfp16)")


def processor_features(tvm, target):
    """What the processor must have, in LLVM's words."""
    if target.kind.name != "llvm":
        return ""
    return ",".join(sorted(str(f) for f in tvm.target.codegen.llvm_get_cpu_features(target) if INSTRUCTIONS.match(str(f))))


def describe(facts, specification):
    """Lines "name value"; C reads them."""
    lines = ["kenning-tvm-model 1"]
    for name, value in facts.items():
        lines.append(f"{name} {' '.join(str(value).split())}")
    lines.append("io_specification " + json.dumps(specification, separators=(",", ":")))
    return "\n".join(lines) + "\n"


def c_text(text):
    return "\n".join('  "' + line.replace("\\", "\\\\").replace('"', '\\"').replace("?", "\\?") + '\\n"'
                     for line in text.splitlines())


def find_linker(target, cc):
    """A compiler for another machine is called <triple>-gcc, as distributions name it."""
    wanted, here = targets.machine(target), os.uname().machine
    if wanted == here:
        return cc
    triple = str(target["mtriple"])
    for name in (f"{triple}-gcc", f"{wanted}-linux-gnu-gcc"):
        if shutil.which(name):
            return shutil.which(name)
    raise Refusal("incompatible", f"linking for {wanted} needs {wanted}-linux-gnu-gcc; on Debian: apt-get install "
                                  f"gcc-{wanted.replace('_', '-')}-linux-gnu")


def linker(description, work, target, cc):
    """A function that TVM calls with object files and C sources."""
    program = find_linker(target, cc)

    def link(output, files, **_):
        source = os.path.join(work, "description.c")
        with open(source, "w", encoding="utf-8") as file:
            file.write(f"extern const char {SYMBOL}[];\nconst char {SYMBOL}[] =\n{c_text(description)};\n")
        command = [program, "-shared", "-fPIC", "-O2", "-s", "-Wl,--build-id=none", "-Wl,-z,noexecstack", "-Wl,-z,noseparate-code", "-o", output,
                   *files, source]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode:
            raise Refusal("incompatible", f"{program} cannot link the compiled model: {done.stdout[-600:]}")

    return link


def write(path, library, container):
    """The library itself, or an archive that holds it alone; same content, same bytes."""
    with open(library, "rb") as file:
        content = file.read()
    if container == "so":
        with open(path, "wb") as file:
            file.write(content)
        return
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        add(archive, MEMBER, content, 0o755)
        # Native code cannot be judged by looking at it: damage shows in its sum.
        add(archive, MEMBER + ".sha256", hashlib.sha256(content).hexdigest().encode())


def add(archive, name, content, mode=0o644):
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = len(content), mode, 0
    archive.addfile(entry, io.BytesIO(content))
