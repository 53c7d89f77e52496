"""Tries networks of MXNet's own model zoo: to ONNX and back by mxnet.onnx."""
import os
import sys

# The scripts beside this one, also where it is a link.
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import mxnet  # noqa: E402
import onnx  # noqa: E402
from mxnet.gluon.model_zoo import vision  # noqa: E402

import exporter  # noqa: E402
import models  # noqa: E402
from report import Refusal, run  # noqa: E402

# The others of the original's list are GluonCV's, which does not go with this MXNet.
NETWORKS = {"DenseNet201": vision.densenet201, "MobileNetV2": vision.mobilenet_v2_1_0, "ResNet50": vision.resnet50_v1}


def make(name):
    if name not in NETWORKS:
        raise Refusal("incompatible", f"not provided: MXNet's model zoo has no {name}")
    model = NETWORKS[name](pretrained=False)
    # The variance that rectifiers keep (He et al. 2015): with MXNet's own the values vanish.
    model.initialize(mxnet.init.Xavier(rnd_type="gaussian", factor_type="in", magnitude=2))
    model.hybridize()
    with mxnet.autograd.record():
        for _ in range(20):  # moving statistics of the normalizations, momentum 0.9
            model(mxnet.nd.array(models.pictures(0, False)))
    inputs = [[image[None]] for image in models.pictures(1, False)]
    return model, lambda sample: [model(mxnet.nd.array(sample[0])).asnumpy()], inputs


def export(model, path, inputs):
    prefix = str(path.parent / "model")
    model.export(prefix)
    exporter.export(f"{prefix}-symbol.json", f"{prefix}-0000.params", [inputs[0][0].shape], str(path))


def with_inputs(path):
    """MXNet's importer knows constants only if they are listed among the inputs, as ONNX once demanded."""
    model = onnx.load(str(path))
    listed = {value.name for value in model.graph.input}
    model.graph.input.extend(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
                             for tensor in model.graph.initializer if tensor.name not in listed)
    changed = path.with_name("with-inputs.onnx")
    onnx.save(model, str(changed))
    return changed


def importer(path):
    from mxnet.contrib import onnx as onnx_mxnet

    symbol, arguments, auxiliary = onnx_mxnet.import_model(str(with_inputs(path)))
    names = [name for name in symbol.list_inputs() if name not in arguments and name not in auxiliary]

    def call(sample):
        module = mxnet.mod.Module(symbol=symbol, data_names=names, label_names=None)
        module.bind(for_training=False, data_shapes=[(names[0], sample[0].shape)])
        module.set_params(arguments, auxiliary, allow_missing=True, allow_extra=True)
        module.forward(mxnet.io.DataBatch([mxnet.nd.array(sample[0])]), is_train=False)
        return [output.asnumpy() for output in module.get_outputs()]

    return call


def main():
    arguments = models.arguments_of(__doc__)
    mxnet.random.seed(arguments.seed)
    models.go(arguments, mxnet.__version__, make, export, importer)


run(main)
