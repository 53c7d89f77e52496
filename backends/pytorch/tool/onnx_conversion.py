"""Tries networks of torchvision: to ONNX by PyTorch's exporter, and back by onnx2torch."""
import os
import sys

# The scripts beside this one, also where it is a link.
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import torch  # noqa: E402
import torchvision  # noqa: E402
from torch import nn  # noqa: E402
from torchvision.models import detection, segmentation  # noqa: E402

import loading  # noqa: E402
import models  # noqa: E402
from convert import Flat, flat, numbers  # noqa: E402
from report import Refusal, run  # noqa: E402

PLAIN = {"weights": None}
DETECTION = {"weights": None, "weights_backbone": None}
NETWORKS = {
    "DenseNet201": (torchvision.models.densenet201, PLAIN),
    "MobileNetV2": (torchvision.models.mobilenet_v2, PLAIN),
    "ResNet50": (torchvision.models.resnet50, PLAIN),
    "DeepLabV3 ResNet50": (segmentation.deeplabv3_resnet50, DETECTION),
    "Faster R-CNN ResNet50 FPN": (detection.fasterrcnn_resnet50_fpn, DETECTION),
    "RetinaNet ResNet50 FPN": (detection.retinanet_resnet50_fpn, DETECTION),
    "Mask R-CNN": (detection.maskrcnn_resnet50_fpn, DETECTION),
}


def normalize(model, samples):
    """Batch normalizations get the statistics of the samples: with those that are drawn, networks say always the same."""
    model.eval()
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None
            layer.train()
    model(samples)
    model.eval()


def make(name):
    if name not in NETWORKS:
        raise Refusal("incompatible", f"not provided: torchvision has no {name}")
    build, options = NETWORKS[name]
    model = build(**options)
    with torch.no_grad():
        normalize(model, torch.from_numpy(models.pictures(0, False)))
    model = Flat(model)

    def call(sample):
        with torch.no_grad():
            return numbers(flat(model(torch.from_numpy(sample[0]))))

    return model, call, [[image[None]] for image in models.pictures(1, False)]


def export(model, path, inputs):
    with torch.no_grad():
        torch.onnx.export(model, (torch.from_numpy(inputs[0][0]),), str(path), dynamo=False, opset_version=17,
                          input_names=["input"])


def importer(path):
    model = loading.load_onnx(str(path))

    def call(sample):
        with torch.no_grad():
            return numbers(flat(model(torch.from_numpy(sample[0]))))

    return call


def main():
    arguments = models.arguments_of(__doc__)
    torch.manual_seed(arguments.seed)
    models.go(arguments, torch.__version__, make, export, importer)


if __name__ == "__main__":
    run(main)
