"""Networks that state dictionaries belong to: torchvision's classifiers, and those that Kenning trains."""
import torch
import torchvision
from torch import nn

from report import Refusal

# The most likely first: every other one is made to see whether it fits.
FIRST = ["mobilenet_v2", "resnet18", "resnet50", "densenet201"]


class FashionMNIST(nn.Module):
    """Kenning's network for Fashion-MNIST; takes [batch, 28, 28, 1]."""

    def __init__(self, classes):
        super().__init__()
        channels = 1
        for i, out in enumerate((16, 32, 64), 1):
            self.add_module(f"conv_{i}", nn.Conv2d(channels, out, 3, padding=1, bias=False))
            self.add_module(f"normalization_{i}", nn.BatchNorm2d(out, eps=1e-3))
            channels = out
        self.out_layer = nn.Linear(channels * 9, classes)

    def forward(self, x):
        x = x.permute(0, 3, 1, 2)
        for i in (1, 2, 3):
            x = getattr(self, f"normalization_{i}")(getattr(self, f"conv_{i}")(x))
            x = nn.functional.max_pool2d(torch.relu(x), 2)
        return self.out_layer(torch.flatten(x, 1))


def pets(classes):
    """The original's classifier of pets: MobileNetV2 with four layers behind it."""
    model = torchvision.models.mobilenet_v2(weights=None)
    widths, layers = [1280, 1024, 512, 128], []
    for i in range(3):
        layers += [nn.Linear(widths[i], widths[i + 1]), nn.ReLU(), nn.Dropout(0.5)]
    model.classifier = nn.Sequential(*layers, nn.Linear(128, classes))
    return model


def builders():
    own = [FashionMNIST, pets]
    others = [name for name in torchvision.models.list_models(module=torchvision.models) if name not in FIRST]
    return own + [lambda classes, name=name: torchvision.models.get_model(name, weights=None, num_classes=classes)
                  for name in FIRST + others]


def shapes(state):
    # Counters of batches are not in every file, and nothing computes with them.
    return {name: tuple(value.shape) for name, value in state.items() if not name.endswith("num_batches_tracked")}


def of_state(path, state):
    """The network with these weights, in float32."""
    matrices = [value for value in state.values() if value.ndim == 2]
    classes = matrices[-1].shape[0] if matrices else 0
    wanted = shapes(state)
    for build in builders() if classes else []:
        try:
            with torch.device("meta"):
                model = build(classes)
        except (TypeError, ValueError):  # it takes something else
            continue
        if shapes(model.state_dict()) == wanted:
            if isinstance(model, (torchvision.models.Inception3, torchvision.models.GoogLeNet)):
                # torchvision's own weights are of networks that change their input first (transform_input).
                raise Refusal("incompatible", f"{path} holds weights of {type(model).__name__}, and not whether the network "
                              "scales its input before, which decides about what it computes: save TorchScript, "
                              "torch.jit.script(model).save(PATH)")
            model = build(classes)
            model.load_state_dict({name: value.float() if value.is_floating_point() else value
                                   for name, value in state.items()}, strict=False)
            return model
    raise Refusal("incompatible", f"{path} holds weights of a network that is not known here (it begins with "
                  f"'{next(iter(state), '')[:80]}'). Known are torchvision's classifiers and Kenning's; of any other "
                  "network save TorchScript: torch.jit.script(model).save(PATH)")
