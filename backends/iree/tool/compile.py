"""Compiles a model with IREE: imports it as MLIR, makes its shapes concrete, compiles it for a named processor.

    python3 compile.py --input FILE --format onnx|tflite --output FILE.vmfb --target-cpu CPU --shapes NAME=1,3,224,224
        [--shapes ...] [--argument=FLAG ...]

RESULT lines: compiler_version, target_cpu (the name that "host" stands for; it is also left in FILE.vmfb.cpu), function.
"""
import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import iree.compiler

LIBRARIES = Path(iree.compiler.__file__).parent / "_mlir_libs"
# NCHW convolutions are slow; these turn them around and pack matrices for the processor.
ONNX_FLAGS = ["--iree-opt-level=O3", "--iree-opt-data-tiling=true",
              "--iree-preprocessing-pass-pipeline=builtin.module(util.func("
              "iree-preprocessing-convert-conv-to-channels-last))"]
OPERATOR_SET = 17  # of ONNX
DEVICE_FLAGS = ["--iree-hal-target-device=local", "--iree-hal-local-target-device-backends=llvm-cpu"]
TINY = "func.func @main(%a: tensor<4xf32>) -> tensor<4xf32> { %0 = arith.addf %a, %a : tensor<4xf32> return %0 : tensor<4xf32> }"


def fail(kind, text):
    print(f"ERROR {kind} {' '.join(str(text).split())[:600]}", flush=True)
    sys.exit(1)


def first_error(text):
    """What the compiler complains about: its first error, without the place in the imported text."""
    for line in text.splitlines():
        found = re.search(r"error: (.*)", line)
        if found:
            return found[1]
    return text.strip().splitlines()[-1] if text.strip() else "no reason given"


def run(program, *arguments, what, kind="incompatible", stdin=None, place=lambda text: ""):
    result = subprocess.run([str(LIBRARIES / program), *arguments], input=stdin, capture_output=True, text=True,
                            check=False)
    print(result.stderr, flush=True)
    if result.returncode != 0:
        complaint = first_error(result.stderr)
        fail(kind, f"{what}{place(complaint)}: {complaint}")
    return result.stdout


def target_cpu(cpu):
    """The name of the processor, and a complaint when the compiler does not know it."""
    text = run("iree-compile", "-", *DEVICE_FLAGS, f"--iree-llvmcpu-target-cpu={cpu}",
               "--compile-to=executable-sources", "-o", "-", what=f"target_cpu {cpu}", kind="invalid", stdin=TINY)
    found = re.search(r'cpu = "([^"]*)"', text)
    if not found:
        fail("invalid", f"IREE does not know the processor {cpu}")
    return found[1]


def import_tflite(path, batch, work):
    import tosa_converter_for_tflite as tosa

    bytecode = work / "model.bc"
    try:
        tosa.tflite_flatbuffer_to_tosa_mlir(str(path), str(bytecode), tosa.TosaConverterOutputFormat.Bytecode)
    except Exception as error:  # the converter has one kind only
        fail("incompatible", f"the model cannot be expressed in TOSA: {error}")
    text = run("iree-opt", str(bytecode), what="the imported model cannot be read")
    # The batch is open, which IREE does not compile.
    text = re.sub(r"tensor<\?x", f"tensor<{batch}x", text)
    mlir = work / "model.mlir"
    mlir.write_text(text)
    return mlir, ["--iree-input-type=tosa"]


def set_shapes(model, shapes):
    """Gives open dimensions their values: those told for the inputs, and the same where their names occur again."""
    constants = {initializer.name for initializer in model.graph.initializer}
    symbols = {}
    inputs = [value for value in model.graph.input if value.name not in constants]
    for place, value in enumerate(inputs):
        told = shapes.get(value.name) or (list(shapes.values())[place] if place < len(shapes) else [])
        for k, dimension in enumerate(value.type.tensor_type.shape.dim):
            if dimension.HasField("dim_value") and dimension.dim_value > 0:
                continue
            if k >= len(told) or told[k] < 1:
                fail("incompatible", f"the model leaves dimension {k} of its input '{value.name}' open; the io "
                                     "specification must tell it")
            if dimension.dim_param:
                symbols[dimension.dim_param] = told[k]
            dimension.Clear()
            dimension.dim_value = told[k]
    for value in [*model.graph.output, *model.graph.value_info]:
        for dimension in value.type.tensor_type.shape.dim:
            if dimension.dim_param in symbols:
                size = symbols[dimension.dim_param]
                dimension.Clear()
                dimension.dim_value = size


def check_versions(model, onnx):
    """The importer takes operators of a set that it does not know for those of the newest it knows."""
    newest = onnx.defs.onnx_opset_version()
    for opset in model.opset_import:
        if opset.domain in ("", "ai.onnx") and opset.version > newest:
            fail("incompatible", f"the model uses operator set {opset.version}; {newest} is the newest that is known: "
                                 "export it for that or an older one")
    if model.ir_version > onnx.IR_VERSION:
        fail("incompatible", f"the model's file format is version {model.ir_version}; {onnx.IR_VERSION} is the newest "
                             "that is known: export it with an older ONNX")


def with_known_operators(model, onnx):
    """The compiler knows some operators, such as BatchNormalization, in their newer forms only."""
    import onnx.version_converter

    versions = [opset.version for opset in model.opset_import if opset.domain in ("", "ai.onnx")]
    if not versions or max(versions) >= OPERATOR_SET:
        return model
    try:
        return onnx.version_converter.convert_version(model, OPERATOR_SET)
    except Exception as error:  # most operators are the same in all versions
        print(f"the model stays in operator set {max(versions)}: {error}", file=sys.stderr)
        return model


def layers_of(model, text):
    """The names of the layers whose operator the compiler complains about."""
    found = re.search(r'"onnx\.(\w+)"', text)
    names = [node.name or (node.output[0] if node.output else "") for node in model.graph.node
             if found and node.op_type == found[1]]
    return f" (layer '{names[0]}')" if names else ""


def import_onnx(path, shapes, work):
    import onnx
    from iree.compiler.tools.import_onnx import __main__ as importer

    try:
        model = onnx.load(str(path))
    except Exception as error:
        fail("baddata", f"{path} is no ONNX model: {error}")
    check_versions(model, onnx)
    model = with_known_operators(model, onnx)
    set_shapes(model, shapes)
    model.graph.name = re.sub(r"[^A-Za-z0-9_.$]", "_", model.graph.name) or "main"  # becomes the name of a function
    concrete, mlir = work / "model.onnx", work / "model.mlir"
    onnx.save(model, str(concrete))
    try:
        importer.main(importer.parse_arguments([str(concrete), "-o", str(mlir)]))
    except (Exception, SystemExit) as error:
        fail("incompatible", f"the model cannot be imported: {error}")
    if not mlir.exists() or not model.graph.output:
        fail("baddata", f"{path} holds no model that can be imported")
    constants = {initializer.name for initializer in model.graph.initializer}
    names = ([value.name for value in model.graph.input if value.name not in constants],
             [value.name for value in model.graph.output])
    return declare(mlir, names, work, lambda text: layers_of(model, text)), ["--iree-input-type=none", *ONNX_FLAGS]


def declare(mlir, names, work, place):
    """Lowers what was imported and writes into it what its function takes and gives.

    Other imports get this declaration from IREE, functions that come from ONNX do not."""
    lowered = work / "lowered.mlir"
    run("iree-compile", str(mlir), "--compile-to=input", "-o", str(lowered), what="the model cannot be lowered",
        place=place)
    text = lowered.read_text()
    found = re.search(r"util\.func public @([\w.$-]+)\(", text)
    stub = re.search(r"(util\.func public @[\w.-]+\([^\n]*) attributes \{iree\.abi\.stub\} \{", text)
    body = text[found.start():] if found else ""
    inputs = dict((int(place), kind) for place, kind in
                  re.findall(r"hal\.tensor\.import [^\n]*%arg(\d+) : !hal\.buffer_view -> (tensor<[^>]*>)", body))
    outputs = re.findall(r"hal\.tensor\.export [^\n]* : (tensor<[^>]*>)[^\n]* -> !hal\.buffer_view", body)
    if not stub or len(inputs) != len(names[0]) or len(outputs) != len(names[1]):
        fail("incompatible", "the imported model has other inputs and outputs than the file")

    def write(kinds, listed):
        return ", ".join(f"%{re.sub(r'[^A-Za-z0-9_./-]', '_', name)}: {kind}" for name, kind in zip(listed, kinds))

    name = re.search(r"@([\w.-]+)", stub[1])[1]
    kinds = [inputs[place] for place in sorted(inputs)]
    declaration = f"sync func @{name}({write(kinds, names[0])}) -> ({write(outputs, names[1])})"
    at = stub.end() - len(" {")
    attribute = f', iree.reflection = {{iree.abi.declaration = "{declaration}"}}}}'
    lowered.write_text(text[:at - 1] + attribute + text[at:])
    return lowered


def parse_shape(text):
    name, _, dimensions = text.rpartition("=")
    return name, [int(d) for d in dimensions.split(",") if d]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--input", required=True)
    parser.add_argument("--format", required=True, choices=["onnx", "tflite"])
    parser.add_argument("--output", required=True)
    parser.add_argument("--target-cpu", required=True)
    parser.add_argument("--shapes", action="append", default=[])
    parser.add_argument("--argument", action="append", default=[])
    arguments = parser.parse_args()

    shapes = dict(parse_shape(text) for text in arguments.shapes)
    batch = next((shape[0] for shape in shapes.values() if shape and shape[0] > 0), 1)
    cpu = target_cpu(arguments.target_cpu)
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory)
        if arguments.format == "tflite":
            mlir, flags = import_tflite(arguments.input, batch, work)
        else:
            mlir, flags = import_onnx(arguments.input, shapes, work)
        function = re.search(r"func(?: public)? @([\w.-]+)\(", mlir.read_text(errors="replace"))
        # "host" and not the name that it stands for: a virtual machine may lack what processors of that name have. What the
        # user gave comes last and so outweighs ours.
        run("iree-compile", str(mlir), *DEVICE_FLAGS, f"--iree-llvmcpu-target-cpu={arguments.target_cpu}", *flags,
            *arguments.argument, "-o", arguments.output, what="IREE cannot compile the model")
    Path(arguments.output + ".cpu").write_text(cpu)
    version = run("iree-compile", "--version", what="iree-compile --version")
    found = re.search(r"compiler version (\S+)", version)
    print("RESULT compiler_version", found[1] if found else "unknown")
    print("RESULT target_cpu", cpu)
    print("RESULT function", function[1] if function else "unknown", flush=True)


if __name__ == "__main__":
    main()
