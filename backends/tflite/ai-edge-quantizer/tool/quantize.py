"""Quantizes a float32 .tflite file with AI Edge Quantizer."""

import argparse
import contextlib
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# The other modules lie beside this file's name, which may be a link to it.
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import numpy as np  # noqa: E402

from report import Refusal, progress, result, run  # noqa: E402


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--quantization", required=True, choices=["static", "dynamic", "weight_only"])
    parser.add_argument("--sample-shape", help="of one sample without batch: 28,28,1")
    parser.add_argument("--sample-type", default="float32")
    parser.add_argument("--calibration", help="raw samples; for static quantization")
    return parser.parse_args()


def with_signature(path):
    """The model's bytes. Calibration runs signatures: a model that has none is given that of its main graph."""
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    with open(path, "rb") as file:
        content = file.read()
    model = flatbuffer_utils.read_model_from_bytearray(content)
    if model.signatureDefs:
        return content
    graph = model.subgraphs[0]

    def named(tensors):
        return [schema.TensorMapT(graph.tensors[i].name, int(i)) for i in tensors]

    model.signatureDefs = [schema.SignatureDefT(named(graph.inputs), named(graph.outputs), "serving_default", 0)]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def calibration_data(model, arguments):
    """Every sample under the name of the first signature's only input."""
    from ai_edge_litert.interpreter import Interpreter

    signatures = Interpreter(model_content=model).get_signature_list()
    if len(signatures) != 1:
        raise Refusal("incompatible", f"calibration takes models with one signature; this one has {len(signatures)}")
    key, signature = next(iter(signatures.items()))
    if len(signature["inputs"]) != 1:
        raise Refusal("incompatible", f"calibration takes models of one input; this one has {len(signature['inputs'])}")
    shape = tuple(int(n) for n in arguments.sample_shape.split(",") if n)
    samples = np.memmap(arguments.calibration, dtype=arguments.sample_type, mode="r").reshape((-1, *shape))
    if not len(samples):
        raise Refusal("invalid", "there are no samples to calibrate on")
    result("calibration_count", len(samples))
    progress(0, len(samples), "calibration")
    return {key: [{signature["inputs"][0]: np.asarray(sample[None], dtype=np.float32)} for sample in samples]}


def main():
    arguments = parse_arguments()
    import importlib.metadata

    from ai_edge_quantizer import quantizer, recipe

    result("quantizer_version", importlib.metadata.version("ai-edge-quantizer"))
    recipes = {"static": recipe.static_wi8_ai8, "dynamic": recipe.dynamic_wi8_afp32,
               "weight_only": recipe.weight_only_wi8_afp32}
    try:
        # The package prints to stdout.
        with contextlib.redirect_stdout(sys.stderr):
            model = with_signature(arguments.input)
            work = quantizer.Quantizer(model)
            work.load_quantization_recipe(recipes[arguments.quantization]())
            data = calibration_data(model, arguments) if arguments.quantization == "static" else None
            quantized = work.quantize(work.calibrate(data) if data else None).quantized_model
    except (ValueError, RuntimeError, TypeError) as fault:
        raise Refusal("incompatible", f"AI Edge Quantizer cannot work on this model: {fault}") from fault
    with open(arguments.output, "wb") as file:
        file.write(quantized)
    result("bytes", len(quantized))


run(main)
