"""TVM with relax (0.27, the official package): virtual machine, CPU schedules by the rules of cpu_schedule.py."""

import os

import tvm
from tvm import relax

import cpu_schedule
import library
import target as targets
from report import Refusal, progress

CONVOLUTION, PRODUCT = "relax.nn.conv2d", "relax.matmul"


def import_tflite(model):
    from tvm.relax.frontend.tflite import from_tflite

    return from_tflite(model.content, shape_dict={e.name: tuple(e.shape) for e in model.inputs},
                       dtype_dict={e.name: e.dtype for e in model.inputs})


def import_onnx(model):
    from tvm.relax.frontend.onnx import from_onnx

    return from_onnx(model.content, shape_dict={e.name: list(e.shape) for e in model.inputs},
                     dtype_dict={e.name: e.dtype for e in model.inputs}, keep_params_in_input=False)


def import_model(model):
    try:
        return {"tflite": import_tflite, "onnx": import_onnx}[model.format](model)
    except Exception as fault:
        raise Refusal("incompatible", f"TVM {tvm.__version__} (relax) cannot import {model.path}: "
                                      f"{targets.last_line(fault)}") from fault


def output_types(module):
    kind = module["main"].ret_ty
    kinds = list(kind.fields) if isinstance(kind, relax.TupleType) else [kind]
    shapes = [[int(n) if isinstance(n, tvm.tirx.IntImm) else None for n in k.shape] if k.shape else None for k in kinds]
    return [(shape, str(k.dtype)) for shape, k in zip(shapes, kinds)]


def kernel_layout(data, kernel):
    return kernel or ("HWIO" if data.endswith("C") else "OIHW")


def convert_layout(module, data, kernel):
    """The rules for convolutions are for NHWC: that is taken where nothing is asked for."""
    data = data or "NHWC"
    try:
        return relax.transform.ConvertLayout({CONVOLUTION: [data, kernel_layout(data, kernel)]})(module), data
    except Exception as fault:
        raise Refusal("invalid", f"conv2d_data_layout '{data}' with conv2d_kernel_layout '{kernel}' is not possible: "
                                 f"{targets.last_line(fault)}") from fault


def count_layers(module):
    """Convolutions and matrix products by the type of what they multiply."""
    counts = {"integer_layers": 0, "float16_layers": 0, "float32_layers": 0}

    def visit(node):
        if isinstance(node, relax.Call) and isinstance(node.op, tvm.ir.Op) and node.op.name in (CONVOLUTION, PRODUCT):
            kind = str(node.args[0].ty.dtype)
            name = "integer" if "int" in kind else "float16" if kind == "float16" else "float32"
            counts[f"{name}_layers"] += 1

    for function in module.functions.values():
        if isinstance(function, relax.Function):
            relax.analysis.post_order_visit(function, visit)
    return counts


def assembly(executable):
    found, waiting, seen = [], [executable.mod], set()
    while waiting:
        module = waiting.pop()
        if module.__hash__() in seen:
            continue
        seen.add(module.__hash__())
        if module.kind in ("llvm", "c"):
            found.append(module.inspect_source("asm" if module.kind == "llvm" else "c"))
        waiting += list(module.imports)
    return found


def compile(arguments, model, work):
    if arguments.precision == "int8":
        raise Refusal("incompatible", "the flavour relax has no integer arithmetic: use flavour relay")
    if arguments.executor != "vm":
        raise Refusal("incompatible", "the flavour relax has the virtual machine only: use flavour relay")
    wanted = targets.parse(arguments.target, arguments.target_attributes)
    host = targets.parse(arguments.target_host) if arguments.target_host else None
    target = targets.make(tvm, wanted, host)
    features = library.processor_features(tvm, target)
    rows = cpu_schedule.ROWS_AVX512 if "avx512f" in features.split(",") else cpu_schedule.ROWS_AVX2
    module = import_model(model)
    progress(4, 10, f"compiling for {targets.text_of(wanted)}")
    try:
        with target, tvm.transform.PassContext(opt_level=arguments.opt_level):
            if arguments.precision == "float16":
                module = relax.transform.ToMixedPrecision("float16")(module)
            model.settle_outputs(output_types(module))
            module, layout = convert_layout(module, arguments.data_layout, arguments.kernel_layout)
            module = relax.transform.FoldConstant()(module)
            counts = count_layers(module)
            module = relax.get_pipeline("zero")(module)
            scheduled, left = cpu_schedule.apply(module, rows)
            executable = tvm.compile(module, target)
    except Refusal:
        raise
    except Exception as fault:
        raise Refusal("incompatible", f"TVM {tvm.__version__} (relax) cannot compile {model.path} for "
                                      f"'{targets.text_of(wanted)}': {targets.last_line(fault)}") from fault
    facts = {"flavour": "relax", "version": tvm.__version__, "executor": "vm", "target": targets.text_of(wanted),
             "layout": layout, "quantized_input": "yes" if model.integer else "no", **counts, "functions_scheduled": scheduled, "functions_left": left}
    progress(9, 10, "linking")
    facts.update(library.count_instructions(assembly(executable)))
    facts["processor_features"] = features
    path = os.path.join(work, "model.so")
    link = library.linker(library.describe(facts, model.specification()), work, wanted, arguments.cc)
    executable.export_library(path, fcompile=link)
    library.write(arguments.output, path, arguments.container)
    return facts
