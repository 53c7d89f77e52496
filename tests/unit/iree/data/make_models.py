#!/usr/bin/env python3
"""Compiles the modules of the tests, for any x86-64 processor, with what IREECompiler runs.

    make_models.py      (the Python of the environment iree-tools; files are written beside this one)

fp32.vmfb, int8.vmfb: the TensorFlow Lite models of the same names.   two.vmfb: the ONNX model with two inputs.
several.vmfb: two functions, add and scale.   names.vmfb: "plain" [1,2] minus "gr\u00f6\u00dfe:0" [1,2] is "difference:0" [1,2].
"""
import subprocess
import sys
import tempfile
from pathlib import Path

import iree.compiler

HERE = Path(__file__).parent
ROOT = HERE.parent.parent.parent.parent
TOOL = ROOT / "backends" / "iree" / "tool" / "compile.py"
PROGRAM = Path(iree.compiler.__file__).parent / "_mlir_libs" / "iree-compile"
SMALL = ["--argument=--iree-llvmcpu-debug-symbols=false", "--argument=--iree-opt-strip-assertions=true"]
SEVERAL = """
func.func @add(%a: tensor<2xf32>, %b: tensor<2xf32>) -> tensor<2xf32> {
  %0 = arith.addf %a, %b : tensor<2xf32>
  return %0 : tensor<2xf32>
}
func.func @scale(%a: tensor<2xi64>) -> tensor<2xi64> {
  %0 = arith.addi %a, %a : tensor<2xi64>
  return %0 : tensor<2xi64>
}
"""


def compile_model(source, name, *shapes):
    subprocess.run([sys.executable, TOOL, "--input", source, "--format", source.suffix[1:], "--output",
                    HERE / f"{name}.vmfb", "--target-cpu", "generic", *shapes, *SMALL], check=True)


def names(path):
    import onnx
    from onnx import TensorProto, helper

    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 2]) for name in ("plain", "gr\u00f6\u00dfe:0")]
    outputs = [helper.make_tensor_value_info("difference:0", TensorProto.FLOAT, [1, 2])]
    node = helper.make_node("Sub", [i.name for i in inputs], ["difference:0"])
    onnx.save(helper.make_model(helper.make_graph([node], "names", inputs, outputs),
                                opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)


def main():
    tests = HERE.parent.parent
    for name in ("fp32", "int8"):
        compile_model(tests / "tflite" / "data" / f"{name}.tflite", name, "--shapes=image=1,4,4,1")
    compile_model(tests / "onnxruntime" / "data" / "two.onnx", "two", "--shapes=a=1,2", "--shapes=b=1,3")
    with tempfile.TemporaryDirectory() as directory:
        names(Path(directory) / "names.onnx")
        compile_model(Path(directory) / "names.onnx", "names")
    subprocess.run([PROGRAM, "-", "--iree-hal-target-device=local", "--iree-hal-local-target-device-backends=llvm-cpu",
                    "--iree-llvmcpu-target-cpu=generic", "--iree-llvmcpu-debug-symbols=false", "-o",
                    HERE / "several.vmfb"], input=SEVERAL, text=True, check=True)


if __name__ == "__main__":
    main()
