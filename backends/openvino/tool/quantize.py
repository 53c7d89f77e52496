"""Quantizes a model to 8 bits after training, with NNCF, and saves it as an OpenVINO IR.

    python3 quantize.py --input FILE --output FILE.xml --calibration RAW --sample-shape 224,224,3 --sample-type float32
        [--validation RAW --validation-labels RAW --max-accuracy-drop 0.01] [--mixed] [--full-range] [--seed N]

RAW files hold samples one behind the other, labels as int64. With a validation set, layers go back to floating point until
the share of right answers on it has fallen by at most the given amount. RESULT lines: compiler_version, reverted, and with a
validation set accuracy_before, accuracy_after.
"""
import argparse
import os
import sys

# The scripts beside this one, also where it is a link.
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

# No word leaves the machine: the package that would send one is not installed, and this keeps its stand-in quiet.
os.environ["NNCF_CI"] = "1"

import numpy as np
import openvino
from openvino._offline_transformations import apply_moc_transformations
import nncf

from samples import fitted


def fail(kind, text):
    print(f"ERROR {kind} {' '.join(str(text).split())[:600]}", flush=True)
    sys.exit(1)


class Samples:
    """Samples of a raw file in batches as the model takes them."""

    def __init__(self, path, shape, dtype, wanted):
        self.data = fitted(np.fromfile(path, dtype=dtype).reshape(-1, *shape), wanted[1:])
        self.batch = wanted[0]

    def __len__(self):
        return len(self.data) // self.batch

    def batches(self):
        for i in range(len(self)):
            yield np.ascontiguousarray(self.data[i * self.batch:(i + 1) * self.batch])


def read_model(path, shape):
    try:
        model = openvino.Core().read_model(path)
    except Exception as error:  # of many kinds, by what the file is
        fail("baddata", f"OpenVINO cannot read {path}: {error}")
    if len(model.inputs) != 1:
        fail("incompatible", f"quantization works with models of one input; this one has {len(model.inputs)}")
    partial = model.inputs[0].get_partial_shape()
    batch = partial[0].get_length() if partial[0].is_static else 1
    sample = fitted(np.empty((0, *shape)), [d.get_length() if d.is_static else None for d in list(partial)[1:]])
    if sample is None:
        fail("incompatible", f"a sample of the data set has the shape {shape}, the model's input {partial} with the batch: "
                             "give the data set that size and layout")
    # What the engine does to every graph before it runs it, here before places for quantization are chosen. From ONNX come
    # depthwise weights behind a computed shape and normalizations beside their layers: left so, such layers stay float32.
    apply_moc_transformations(model, cf=False)
    return model, [batch, *sample.shape[1:]]


def accuracy(labels, shape):
    """The share of samples whose largest output is that of their label, for NNCF: of a compiled model over batches."""

    def judge(compiled, batches):
        right = total = 0
        place = 0
        for batch in batches:
            scores = np.asarray(compiled(batch)[0]).reshape(shape[0], -1)
            wanted = labels[place:place + shape[0]]
            right += int((scores.argmax(axis=1) == wanted).sum())
            total += len(wanted)
            place += shape[0]
        return right / max(total, 1)

    return judge


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--input", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--calibration", required=True)
    parser.add_argument("--sample-shape", required=True)
    parser.add_argument("--sample-type", required=True)
    parser.add_argument("--validation")
    parser.add_argument("--validation-labels")
    parser.add_argument("--max-accuracy-drop", type=float)
    parser.add_argument("--mixed", action="store_true")
    parser.add_argument("--full-range", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    np.random.seed(arguments.seed % 2**32)

    shape = [int(d) for d in arguments.sample_shape.split(",") if d]
    model, concrete = read_model(arguments.input, shape)

    def samples(path):
        return Samples(path, shape, arguments.sample_type, concrete)

    calibration = samples(arguments.calibration)
    if not len(calibration):
        fail("invalid", f"the model takes {concrete[0]} samples at a time, and there are fewer for calibration")
    # Half the range of weights: processors without VNNI add two products of bytes in 16 bits, which saturates.
    fix = nncf.OverflowFix.DISABLE if arguments.full_range else nncf.OverflowFix.ENABLE
    advanced = nncf.AdvancedQuantizationParameters(overflow_fix=fix)
    settings = {"preset": nncf.QuantizationPreset.MIXED if arguments.mixed else nncf.QuantizationPreset.PERFORMANCE,
                "subset_size": len(calibration)}
    items = nncf.Dataset(list(calibration.batches()))
    if arguments.validation:
        validation = samples(arguments.validation)
        labels = np.fromfile(arguments.validation_labels, dtype=np.int64)
        judge = accuracy(labels, concrete)
        before = judge(openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}),
                       validation.batches())
        quantized = nncf.quantize_with_accuracy_control(
            model, items, nncf.Dataset(list(validation.batches())), judge,
            max_drop=arguments.max_accuracy_drop, drop_type=nncf.DropType.ABSOLUTE,
            advanced_quantization_parameters=advanced, **settings)
        after = judge(openvino.Core().compile_model(quantized, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}),
                      validation.batches())
        print(f"RESULT accuracy_before {before:.6f}")
        print(f"RESULT accuracy_after {after:.6f}")
        if before - after > arguments.max_accuracy_drop + 1e-9:
            fail("incompatible", f"the share of right answers falls from {before:.4f} to {after:.4f}, by more than "
                                 f"{arguments.max_accuracy_drop}, whatever is quantized: raise max_accuracy_drop")
    else:
        quantized = nncf.quantize(model, items, advanced_parameters=advanced, **settings)
    openvino.save_model(quantized, arguments.output, compress_to_fp16=False)
    print("RESULT compiler_version", nncf.__version__, flush=True)


if __name__ == "__main__":
    main()
