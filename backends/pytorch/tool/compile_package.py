"""Compiles a TorchScript-free module to a package of AOTInductor (.pt2), with its io specification inside.

    compile_package.py --network mobilenet_v2 --classes N [--weights FILE] --shape 1,3,224,224 --output FILE
"""
import argparse
import json
import sys
import zipfile

import cuda_stubs

cuda_stubs.load()

import torch  # noqa: E402
import torchvision  # noqa: E402


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--network", required=True)
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--weights")
    parser.add_argument("--shape", required=True)
    parser.add_argument("--output", required=True)
    arguments = parser.parse_args()
    shape = [int(size) for size in arguments.shape.split(",")]
    torch.manual_seed(1)
    model = getattr(torchvision.models, arguments.network)(weights=None, num_classes=arguments.classes).eval()
    if arguments.weights:
        model.load_state_dict(torch.load(arguments.weights, map_location="cpu", weights_only=True))
    sample = torch.randn(shape)
    with torch.no_grad():
        result = model(sample)
        torch._inductor.aoti_compile_and_package(torch.export.export(model, (sample,)), package_path=arguments.output)
    spec = {"input": [{"name": "input", "shape": shape, "dtype": "float32"}],
            "output": [{"name": "output", "shape": list(result.shape), "dtype": "float32"}]}
    with zipfile.ZipFile(arguments.output, "a") as archive:
        stem = archive.namelist()[0].split("/")[0]
        archive.writestr(zipfile.ZipInfo(f"{stem}/kenning.json"), json.dumps(spec))
    print("RESULT output", arguments.output, flush=True)


main()
sys.exit(0)
