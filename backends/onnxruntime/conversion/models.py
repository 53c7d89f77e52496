"""What the scripts that try conversions have in common: arguments, samples, files."""
import argparse
from pathlib import Path

import numpy as np

from report import Refusal, result

SAMPLES = 2


def arguments_of(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--direction", required=True, choices=["export", "import"])
    parser.add_argument("--model", required=True)
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    arguments.directory.mkdir(parents=True, exist_ok=True)
    arguments.onnx = arguments.directory / "model.onnx"
    return arguments


def pictures(seed, channels_last, size=224):
    """Coloured patches of different contrast: of noise a network with drawn weights says nearly always the same."""
    random = np.random.default_rng(seed)
    contrast = np.linspace(0.2, 1.5, SAMPLES).reshape(-1, 1, 1, 1)
    patches = random.standard_normal((SAMPLES, 3, 7, 7)) * contrast + random.standard_normal((SAMPLES, 3, 1, 1))
    images = patches.repeat(-(-size // 7), axis=2).repeat(-(-size // 7), axis=3)[:, :, :size, :size]
    images = images.transpose(0, 2, 3, 1) if channels_last else images
    return np.ascontiguousarray(images, np.float32)


def save(path, samples):
    """A list of values per sample as arrays "SAMPLE_INDEX"."""
    np.savez(path, **{f"{i}_{k}": np.asarray(v) for i, values in enumerate(samples) for k, v in enumerate(values)})


def load(path):
    with np.load(path) as file:
        names = sorted(file.files, key=lambda name: tuple(int(n) for n in name.split("_")))
        samples = {}
        for name in names:
            samples.setdefault(int(name.split("_")[0]), []).append(file[name])
    return [samples[i] for i in sorted(samples)]


def go(arguments, version, make, export, importer):
    """make(name) gives a model and the function that runs it on one list of inputs; export(model, path); importer(path)
    gives such a function or is None."""
    result("version", version)
    result("weights", "seeded")
    try:
        if arguments.direction == "export":
            model, call, inputs = make(arguments.model)
            save(arguments.directory / "inputs.npz", inputs)
            save(arguments.directory / "outputs.npz", [call(sample) for sample in inputs])
            export(model, arguments.onnx, inputs)
            return
        if importer is None:
            raise Refusal("incompatible", "not provided: nothing imports ONNX models here")
        call = importer(arguments.onnx)
        save(arguments.directory / "imported.npz", [call(sample) for sample in load(arguments.directory / "inputs.npz")])
    except Refusal:
        raise
    except Exception as fault:
        raise Refusal("incompatible", f"{type(fault).__name__}: {fault}") from fault
