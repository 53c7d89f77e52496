"""Quantizes an .onnx model to integers by ONNX Runtime's quantizer: static, calibrated on samples."""
import argparse
import os
import sys
import tempfile

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
# The scripts beside this one, also where it is a link.
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import numpy as np  # noqa: E402
from onnxruntime.quantization import (CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType,  # noqa: E402
                                      quantize_static)
from onnxruntime.quantization.shape_inference import quant_pre_process  # noqa: E402

from report import Refusal, progress, result, run  # noqa: E402
from samples import fitted  # noqa: E402

METHODS = {"minmax": CalibrationMethod.MinMax, "entropy": CalibrationMethod.Entropy,
           "percentile": CalibrationMethod.Percentile}
TYPES = {"uint8": QuantType.QUInt8, "int8": QuantType.QInt8}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--input-name", required=True)
    parser.add_argument("--samples", required=True, help="raw samples")
    parser.add_argument("--sample-shape", required=True, help="of one sample without batch: 28,28,1")
    parser.add_argument("--sample-type", default="float32")
    parser.add_argument("--input-shape", help="of the model's input without batch, -1 where free; as the samples' if missing")
    parser.add_argument("--activations", choices=TYPES, default="uint8")
    parser.add_argument("--method", choices=METHODS, default="minmax")
    parser.add_argument("--per-tensor", action="store_true")
    parser.add_argument("--full-range", action="store_true", help="weights of 8 bits in all layers")
    return parser.parse_args()


class Samples(CalibrationDataReader):
    def __init__(self, arguments):
        shape = tuple(int(n) for n in arguments.sample_shape.split(",") if n)
        wanted = shape if arguments.input_shape is None else [int(n) for n in arguments.input_shape.split(",") if n]
        self.samples = fitted(np.memmap(arguments.samples, dtype=arguments.sample_type, mode="r").reshape((-1, *shape)), wanted)
        if self.samples is None:
            raise Refusal("incompatible", f"a sample of the data set has the shape {list(shape)}, and the model's input takes "
                          f"{list(wanted)} (-1: any): give the data set that size and layout")
        self.name, self.next = arguments.input_name, 0
        if not len(self.samples):
            raise Refusal("invalid", "there are no samples to calibrate on")

    def get_next(self):
        if self.next == len(self.samples):
            return None
        if self.next % 10 == 0:
            progress(self.next, len(self.samples), "calibration")
        self.next += 1
        return {self.name: np.ascontiguousarray(self.samples[self.next - 1: self.next], dtype=np.float32)}


def sign(path):
    """What wrote the file, which the quantizer does not tell."""
    import onnx
    import onnxruntime

    model = onnx.load(path)
    model.producer_name, model.producer_version = "onnxruntime.quantization", onnxruntime.__version__
    onnx.save(model, path)


def depthwise_weights(path):
    """Of layers for which ONNX Runtime has code of its own: 8 bits do not overflow there without VNNI either."""
    import onnx

    graph = onnx.load(path, load_external_data=False).graph
    shapes = {tensor.name: tensor.dims for tensor in graph.initializer}
    for node in graph.node:
        groups = next((attribute.i for attribute in node.attribute if attribute.name == "group"), 1)
        if node.op_type == "Conv" and groups > 1 and list(shapes.get(node.input[1], []))[:2] == [groups, 1]:
            yield node.input[1]


def quantize(arguments, prepared):
    try:
        quant_pre_process(arguments.input, prepared)
    except Exception as fault:
        # Shapes that cannot be inferred are no reason to give up: what is folded beforehand is what is missed.
        print(fault, file=sys.stderr)
        result("prepared", "no")
        prepared = arguments.input
    samples = Samples(arguments)
    whole = {} if arguments.per_tensor else {name: [{"axis": 0, "reduce_range": False}]
                                             for name in depthwise_weights(prepared)}
    quantize_static(prepared, arguments.output, samples, quant_format=QuantFormat.QDQ,
                    activation_type=TYPES[arguments.activations], weight_type=QuantType.QInt8,
                    per_channel=not arguments.per_tensor, reduce_range=not arguments.full_range,
                    calibrate_method=METHODS[arguments.method], extra_options={"TensorQuantOverrides": whole})
    result("calibration_count", len(samples.samples))
    sign(arguments.output)


def main():
    arguments = parse_arguments()
    import onnxruntime

    onnxruntime.set_default_logger_severity(3)
    result("compiler_version", onnxruntime.__version__)
    with tempfile.TemporaryDirectory() as directory:
        try:
            quantize(arguments, os.path.join(directory, "prepared.onnx"))
        except Refusal:
            raise
        except Exception as fault:
            print(fault, file=sys.stderr)
            raise Refusal("incompatible", f"ONNX Runtime cannot quantize this model: {type(fault).__name__}: "
                          f"{fault}") from fault


run(main)
