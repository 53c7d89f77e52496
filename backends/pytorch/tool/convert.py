"""Converts a model to ONNX, TorchScript or an AOTInductor package, and compares their outputs."""
import argparse
import json
import os
import shutil
import sys
import tempfile
import zipfile

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
# The scripts beside this one, also where it is a link.
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import numpy as np  # noqa: E402
import torch  # noqa: E402

import comparison  # noqa: E402
import loading  # noqa: E402
from report import Refusal, progress, result, run  # noqa: E402


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", required=True)
    parser.add_argument("--format", required=True, choices=["torch", "torchscript", "onnx"])
    parser.add_argument("--to", choices=["onnx", "torchscript", "aotinductor"], default="onnx")
    parser.add_argument("--output", required=True)
    parser.add_argument("--opset", type=int, default=17)
    parser.add_argument("--batch", type=int, default=0, help="samples per inference; 0: as the specification says")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--specification", required=True, help="io specification of the model, JSON")
    parser.add_argument("--load-pickled", action="store_true", help="run what pickled modules say")
    return parser.parse_args()


class Input:
    def __init__(self, name, dtype, shape):
        self.name, self.dtype, self.shape = name, dtype, shape

    def draw(self, random, batch):
        shape = [batch if i == 0 and n < 1 else n for i, n in enumerate(self.shape)]
        if any(n < 1 for n in shape):
            raise Refusal("incompatible", f"a dimension of the input '{self.name}' is open: write an io specification with "
                          "all of them beside the model")
        return torch.from_numpy(np.ascontiguousarray(comparison.draw(shape, self.dtype, random)))


def told_of(arguments):
    """What is said of the model: in the file that was given, else inside the archive."""
    with open(arguments.specification, encoding="utf-8") as file:
        told = json.load(file)
    own = loading.specification(arguments.input)
    return told if told.get("input") or not own else json.loads(own)


def in_order(entries):
    return sorted(entries or [], key=lambda entry: entry.get("order", 0))


def inputs_of(arguments, told):
    entries = in_order(told.get("processed_input") or told.get("input"))
    found = [Input(entry.get("name", f"input_{i}"), entry["dtype"], entry["shape"]) for i, entry in enumerate(entries)]
    if not found:
        raise Refusal("invalid", "a model of PyTorch does not tell the shapes of its inputs: put an io specification beside "
                      "it (the model's name with .json behind it)")
    if arguments.batch:
        for each in found:
            each.shape[:1] = [arguments.batch][:len(each.shape)]
    return found


def flat(made):
    """The tensors of a result, in order."""
    if isinstance(made, torch.Tensor):
        return [made]
    if isinstance(made, dict):
        return [tensor for value in made.values() for tensor in flat(value)]
    return [tensor for value in made for tensor in flat(value)]


class Flat(torch.nn.Module):
    """Exporters take tensors and tuples of them."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, *tensors):
        made = flat(self.module(*tensors))
        return made[0] if len(made) == 1 else tuple(made)


def names_of_outputs(told, count):
    names = [entry.get("name") for entry in in_order(told.get("output"))]
    if len(names) == count == len(set(names)) and all(names):
        return names
    return [f"output_{i}" for i in range(count)] if count > 1 else ["output"]


def numbers(tensors):
    return [tensor.detach().numpy() for tensor in tensors]


def specification(inputs, names, outputs):
    """Of the result: the inputs as they were told, and the outputs that came."""
    open_batch = all(each.shape and each.shape[0] < 1 for each in inputs)

    def shape(tensor):
        found = list(tensor.shape)
        return [-1, *found[1:]] if open_batch and found else found

    return {"input": [{"name": each.name, "dtype": each.dtype, "shape": each.shape, "order": i}
                      for i, each in enumerate(inputs)],
            "output": [{"name": name, "order": i, "shape": shape(tensor), "dtype": str(tensor.dtype).removeprefix("torch.")}
                       for i, (name, tensor) in enumerate(zip(names, outputs))]}


# ---- the three of them; each gives a function that runs what was written ----

def to_onnx(module, arguments, inputs, samples, names, outputs):
    import onnx

    dynamic = {each.name: {0: "batch"} for each in inputs if each.shape and each.shape[0] < 1}
    if dynamic:
        dynamic.update({name: {0: "batch"} for name, tensor in zip(names, outputs) if tensor.ndim})
    torch.onnx.export(module, tuple(samples[0]), arguments.output, dynamo=False, opset_version=arguments.opset,
                      input_names=[each.name for each in inputs], output_names=names, dynamic_axes=dynamic)
    onnx.checker.check_model(arguments.output)
    session = comparison.open_session(arguments.output)
    known = {each.name for each in session.get_inputs()}  # an input that nothing depends on is gone

    def call(sample):
        return session.run(None, {each.name: value.numpy() for each, value in zip(inputs, sample) if each.name in known})

    return call


def script_of(module, samples):
    """As source, which keeps its conditions and loops; else what it did with a sample."""
    if isinstance(module, torch.jit.ScriptModule):
        return module, "as it was"
    if not isinstance(module, torch.fx.GraphModule):
        try:
            return torch.jit.script(module), "script"
        except Exception as fault:
            print(f"{type(fault).__name__}: {fault}", file=sys.stderr)
    return torch.jit.trace(module, tuple(samples[0])), "trace"


def to_torchscript(module, arguments, inputs, samples, names, outputs):
    script, how = script_of(module, samples)
    result("made_by", how)
    script.save(arguments.output, _extra_files={loading.SPECIFICATION: json.dumps(specification(inputs, names, outputs)),
                                                loading.PRODUCER: torch.__version__})
    loaded = torch.jit.load(arguments.output)
    return lambda sample: numbers(flat(loaded(*sample)))


def to_aotinductor(module, arguments, inputs, samples, names, outputs):
    from torch._export.converter import TS2EPConverter

    if not shutil.which(os.environ.get("CXX", "g++")):
        raise Refusal("missing", "AOTInductor compiles C++, and there is no g++; on Debian: apt-get install g++")
    sample = tuple(samples[0])
    if isinstance(module, torch.jit.ScriptModule):
        exported = TS2EPConverter(module, sample).convert()
    else:
        exported = torch.export.export(module, sample)
    progress(1, 3, "compiling")
    with tempfile.TemporaryDirectory() as directory:
        package, loaded = compile_package(exported, samples, [numbers(flat(module(*each))) for each in samples], directory)
        with zipfile.ZipFile(package, "a") as archive:
            top = archive.namelist()[-1].split("/")[0]
            archive.writestr(f"{top}/{loading.SPECIFICATION}", json.dumps(specification(inputs, names, outputs)))
            archive.writestr(f"{top}/{loading.PRODUCER}", torch.__version__)
        shutil.copyfile(package, arguments.output)
    return lambda values: numbers(flat(loaded(*values)))


def compile_package(exported, samples, wanted, directory):
    """The package's path, and what runs it. Weights are put into the order in which oneDNN wants them, where that does no
    harm: PyTorch 2.7 asserts that nothing is added to a product of float32 then, and gives wrong outputs for some networks."""
    from torch._inductor import aoti_compile_and_package, aoti_load_package, config

    for arranged in ("yes", "no"):
        path = os.path.join(directory, f"{arranged}.pt2")
        try:
            # As many threads as whoever runs it says.
            with config.patch({"freezing": arranged == "yes", "cpp.dynamic_threads": True}):
                loaded = aoti_load_package(aoti_compile_and_package(exported, package_path=path))
            difference, _ = comparison.compare(wanted, [numbers(flat(loaded(*each))) for each in samples])
            reason = f"the outputs differ by {difference:.3g}" if difference > comparison.TOLERANCE else None
        except AssertionError as fault:
            if arranged == "no":
                raise
            reason = f"{type(fault).__name__}: {fault}"
        if not reason:
            break
        print(f"weights arranged: {arranged}: {reason}", file=sys.stderr)
    result("weights_arranged", arranged)
    return path, loaded


WAYS = {"onnx": to_onnx, "torchscript": to_torchscript, "aotinductor": to_aotinductor}


def convert(arguments):
    module = loading.load(arguments.input, arguments.format, arguments.load_pickled)
    told = told_of(arguments)
    inputs = inputs_of(arguments, told)
    random = np.random.default_rng(arguments.seed)
    # Packages are compiled for one shape.
    batch = 1
    samples = [[each.draw(random, batch) for each in inputs] for _ in range(comparison.SAMPLES)]
    if arguments.to == "aotinductor":
        for each, tensor in zip(inputs, samples[0]):
            each.shape = list(tensor.shape)
    with torch.no_grad():
        try:
            wanted = [flat(module(*sample)) for sample in samples]
        except RuntimeError as fault:
            raise Refusal("incompatible", f"the model does not take inputs of these shapes and types "
                          f"({', '.join(f'{each.name}: {each.dtype} {each.shape}' for each in inputs)}): {fault}") from fault
        try:
            names = names_of_outputs(told, len(wanted[0]))
            call = WAYS[arguments.to](module, arguments, inputs, samples, names, wanted[0])
        except Refusal:
            raise
        except Exception as fault:
            print(fault, file=sys.stderr)
            raise Refusal("incompatible", f"PyTorch cannot convert this model: {type(fault).__name__}: {fault}") from fault
        got = [call(sample) for sample in samples]
    difference, varies = comparison.compare([numbers(each) for each in wanted], got)
    result("max_difference", f"{difference:.3g}")
    result("outputs_vary", "yes" if varies else "no")
    if difference > comparison.TOLERANCE:
        raise Refusal("incompatible", f"the outputs of what was made differ from the source's by {difference:.3g} of the "
                      f"largest, more than {comparison.TOLERANCE:g}: it is not kept")


def main():
    arguments = parse_arguments()
    torch.manual_seed(arguments.seed)
    result("compiler_version", torch.__version__)
    convert(arguments)


if __name__ == "__main__":
    run(main)
