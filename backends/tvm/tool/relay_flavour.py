"""TVM with relay (0.16): real integer arithmetic, graph, VM and ahead-of-time executors, C sources."""

import os
import sys
import types

import numpy as np

import library
import target as targets
from report import Refusal, progress
from samples import fitted

FOREIGN = os.path.join(sys.prefix, "foreign")
if not os.path.isdir(os.path.join(FOREIGN, "tvm")):
    raise Refusal("incompatible", "the flavour relay is made for x86-64 only; flavour relax works here")
sys.path.insert(0, FOREIGN)

import tvm  # noqa: E402
from tvm import relay  # noqa: E402

LAYERS = ("nn.conv2d", "nn.dense", "nn.batch_matmul", "nn.conv2d_transpose", "nn.conv1d", "nn.conv3d", "nn.matmul")
INTEGERS = ("int8", "uint8", "int16")


def import_tflite(model):
    import tvm.relay.frontend.tflite as frontend

    def scalar_or_array(expression):
        """Per-channel scales of fully connected layers too; the original takes a single one only."""
        value = expression.data.numpy()
        return value.item() if value.size == 1 else value

    frontend.get_scalar_from_constant = scalar_or_array
    return relay.frontend.from_tflite(model.content, shape_dict={e.name: tuple(e.shape) for e in model.inputs},
                                      dtype_dict={e.name: e.dtype for e in model.inputs})


def import_onnx(model):
    import onnx

    if not hasattr(onnx, "mapping"):  # moved away in ONNX 1.16; this relay looks for it there
        mapping = types.ModuleType("onnx.mapping")
        kinds = [k for k in onnx.helper.get_all_tensor_dtypes() if k]
        mapping.TENSOR_TYPE_TO_NP_TYPE = {k: onnx.helper.tensor_dtype_to_np_dtype(k) for k in kinds}
        sys.modules["onnx.mapping"] = onnx.mapping = mapping
    shapes = {e.name: tuple(e.shape) for e in model.inputs}
    return relay.frontend.from_onnx(model.content, shape=shapes, dtype={e.name: e.dtype for e in model.inputs},
                                    freeze_params=True)


def import_model(model):
    try:
        module, params = {"tflite": import_tflite, "onnx": import_onnx}[model.format](model)
    except Exception as fault:
        raise Refusal("incompatible", f"TVM {tvm.__version__} (relay) cannot import {model.path}: "
                                      f"{targets.last_line(fault)}") from fault
    if params:
        module["main"] = relay.build_module.bind_params_by_name(module["main"], params)
    module = relay.transform.InferType()(module)
    if model.integer and model.format == "onnx":
        # Operators between quantizing and dequantizing become operators on integers.
        module = relay.transform.FoldConstant()(relay.transform.FakeQuantizationToInteger()(module))
        module = relay.transform.InferType()(module)
    return module


def multiply_exactly():
    """Processors without VNNI multiply bytes by pmaddubsw, which adds two products in 16 bits and saturates: 255 * 127 * 2
    does not fit, and whole networks answer the same to everything. Unsigned values are taken as 2 * (v >> 1) + (v & 1),
    which both fit; the sums are exact, for one more multiplication."""
    call, rests = tvm.tir.call_llvm_pure_intrin, {}

    def as_bytes(value, kind):
        return tvm.tir.call_intrin(kind, "tir.reinterpret", value)

    def exact(dtype, name, *arguments, **keywords):
        if "pmadd.ub.sw" in name or "pmaddubs" in name:
            count, values, weights = arguments
            signed, unsigned = str(values.dtype), "u" + str(values.dtype)
            values = as_bytes(values, unsigned)
            one = tvm.tir.const(1, unsigned)
            half, rest = (as_bytes(v, signed) for v in (values >> one, tvm.tir.bitwise_and(values, one)))
            result = call(dtype, name, count, half, weights, **keywords)
            rests[result.handle.value] = (result, call(dtype, name, count, rest, weights, **keywords))
            return result
        result = call(dtype, name, *arguments, **keywords)
        found = rests.pop(arguments[1].handle.value, None) if ("pmadd.wd" in name or "pmaddw" in name) else None
        if found:
            result = result * tvm.tir.const(2, dtype) + call(dtype, name, arguments[0], found[1], *arguments[2:], **keywords)
        return result

    tvm.tir.call_llvm_pure_intrin = exact


def output_types(module):
    kind = relay.transform.InferType()(module)["main"].checked_type.ret_type
    kinds = list(kind.fields) if isinstance(kind, relay.TupleType) else [kind]
    return [([int(n) if isinstance(n, tvm.tir.IntImm) else None for n in k.shape], str(k.dtype)) for k in kinds]


# ---- changes before compiling ----


def quantize(module, model, arguments):
    if len(model.inputs) != 1:
        raise Refusal("incompatible", "use_int8_precision works with models of one input")
    if not arguments.calibration:
        raise Refusal("invalid", "use_int8_precision needs samples to calibrate on")
    sample = [int(n) for n in arguments.sample_shape.split(",") if n]
    samples = np.memmap(arguments.calibration, dtype=arguments.sample_type, mode="r").reshape((-1, *sample))
    shape = model.inputs[0].shape
    samples = fitted(samples, shape[1:])
    if samples is None:
        raise Refusal("incompatible", f"a sample of the data set has the shape {sample}, the model's input {shape} with the "
                                      "batch: give the data set that size and layout")
    batch = shape[0] if shape else 1
    if len(samples) < batch:
        raise Refusal("invalid", f"the model takes {batch} samples at a time, and there are {len(samples)} for calibration: "
                                 "raise dataset_percentage or lower batch_size")
    samples = samples[:len(samples) // batch * batch].astype(np.float32).reshape((-1, *shape))
    dataset = [{model.inputs[0].name: tvm.nd.array(sample)} for sample in samples]
    # Calibrating runs the model on this machine. The ranges of values by their 99.999th percentile, those of weights by
    # their maximum.
    here = targets.make(tvm, targets.parse("llvm"), None)
    with here, relay.quantize.qconfig(calibrate_mode="percentile", weight_scale="max", skip_conv_layers=[],
                                      skip_dense_layer=False, nbit_input=8, nbit_weight=8, dtype_input="int8",
                                      dtype_weight="int8", dtype_activation="int32"):
        try:
            return relay.transform.InferType()(relay.quantize.quantize(module, {}, dataset))
        except Exception as fault:
            raise Refusal("incompatible", f"TVM cannot quantize {model.path}: {targets.last_line(fault)}") from fault


def halve(module):
    module = relay.transform.InferType()(relay.transform.FoldConstant()(module))
    with tvm.transform.PassContext(config={"relay.ToMixedPrecision.keep_orig_output_dtype": True}):
        return relay.transform.InferType()(relay.transform.ToMixedPrecision("float16")(module))


def convert_layout(module, data, kernel):
    """The blocked kernels of x86 and ARM start from NCHW, and plain C is faster with it too: it is taken where nothing
    is asked for."""
    data = data or "NCHW"
    wanted = {"nn.conv2d": [data, kernel or "default"], "qnn.conv2d": [data, kernel or "default"],
              "nn.conv2d_transpose": [data, "default"], "nn.max_pool2d": [data], "nn.avg_pool2d": [data],
              "nn.global_avg_pool2d": [data]}
    passes = [relay.transform.RemoveUnusedFunctions(), relay.transform.ConvertLayout(wanted)]
    try:
        with tvm.transform.PassContext(opt_level=3):
            return tvm.transform.Sequential(passes)(module), data
    except Exception as fault:
        raise Refusal("invalid", f"conv2d_data_layout '{data}' with conv2d_kernel_layout '{kernel}' is not possible: "
                                 f"{targets.last_line(fault)}") from fault


# ---- what was made ----


def count_layers(module):
    """Convolutions and matrix products by what they multiply, after quantized operators became plain ones."""
    with tvm.transform.PassContext(opt_level=3):
        plain = relay.transform.InferType()(relay.qnn.transform.CanonicalizeOps()(relay.transform.InferType()(module)))
    counts = {"integer_layers": 0, "float16_layers": 0, "float32_layers": 0}

    def visit(node):
        if isinstance(node, relay.Call) and isinstance(node.op, tvm.ir.Op) and node.op.name in LAYERS:
            kind = node.args[0].checked_type.dtype
            name = "integer" if kind in INTEGERS else "float16" if kind == "float16" else "float32"
            counts[f"{name}_layers"] += 1

    for function in plain.functions.values():
        relay.analysis.post_order_visit(function, visit)
    return counts


def sources(runtime_module, form):
    return [m.get_source(form) for m in runtime_module._collect_dso_modules() if m.type_key in ("llvm", "c")]


def passes_of(arguments):
    if arguments.executor == "c":
        return {"tir.disable_vectorize": True, "tir.usmp.enable": True}
    return {}


def build(module, target, arguments):
    from tvm.relay.backend import Executor, Runtime

    keywords = {"mod_name": "model" if arguments.executor == "c" else "default"}
    if arguments.executor == "c":
        keywords.update(executor=Executor("aot", {"interface-api": "c", "unpacked-api": True}), runtime=Runtime("crt"))
    elif arguments.executor == "aot":
        keywords.update(executor=Executor("aot"), runtime=Runtime("cpp"))
    with tvm.transform.PassContext(opt_level=arguments.opt_level, config=passes_of(arguments)):
        if arguments.executor == "vm":
            return relay.vm.compile(module, target=target)
        return relay.build(module, target=target, **keywords)


def compile(arguments, model, work):
    module = import_model(model)
    if arguments.precision == "int8":
        progress(2, 10, "quantizing")
        module = quantize(module, model, arguments)
    if arguments.precision == "float16":
        module = halve(module)
    wanted = targets.parse(arguments.target, arguments.target_attributes)
    host = targets.parse(arguments.target_host) if arguments.target_host else None
    target = targets.make(tvm, wanted, host)
    model.settle_outputs(output_types(module))
    module, layout = convert_layout(module, arguments.data_layout, arguments.kernel_layout)
    facts = {"flavour": "relay", "version": tvm.__version__, "executor": arguments.executor,
             "target": targets.text_of(wanted), "layout": layout, "quantized_input": "yes" if model.integer else "no",
             **count_layers(module)}
    progress(4, 10, f"compiling for {facts['target']}")
    multiply_exactly()
    try:
        built = build(module, target, arguments)
    except Exception as fault:
        raise Refusal("incompatible", f"TVM {tvm.__version__} (relay) cannot compile {model.path} for "
                                      f"'{facts['target']}': {targets.last_line(fault)}") from fault
    progress(9, 10, "linking")
    if arguments.executor == "c":
        import c_sources

        texts = sources(built.lib, "c")
        c_sources.write(arguments.output, texts, library.describe(facts, model.specification()), model)
    else:
        runtime_module = built.mod if arguments.executor == "vm" else built.get_lib()
        facts.update(library.count_instructions(sources(runtime_module, "asm")))
        facts["processor_features"] = library.processor_features(tvm, target)
        path = os.path.join(work, "model.so")
        link = library.linker(library.describe(facts, model.specification()), work, wanted, arguments.cc)
        (built.mod if arguments.executor == "vm" else built).export_library(path, fcompile=link)
        library.write(arguments.output, path, arguments.container)
    return facts
