"""MXNet's exporter to ONNX, which knows operator set 13 at most and would call it what the installed onnx has as its newest."""
import numpy as np
import onnx.defs

OPERATOR_SET = 13

onnx.defs.onnx_opset_version = lambda: OPERATOR_SET

import mxnet.onnx  # noqa: E402


def export(symbol, parameters, shapes, path):
    mxnet.onnx.export_model(symbol, parameters, shapes, np.float32, path)
