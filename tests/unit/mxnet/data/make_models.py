"""Makes the models and recorded results of this directory. Run by the Python of `kenning install mxnet`'s environment.

small.params holds its graph (what Kenning's training writes); pair-symbol.json with pair-0003.params is the same model
as MXNet itself saves it. The recorded results are computed with NumPy, not with MXNet.
"""
import json
import pathlib

import mxnet as mx
import numpy as np

here = pathlib.Path(__file__).parent
rng = np.random.default_rng(7)


def graph(with_shape):
    data = mx.sym.Variable("data", shape=(0, 2, 6, 5) if with_shape else None)
    x = mx.sym.Convolution(data, name="conv", kernel=(3, 3), pad=(1, 1), num_filter=4, no_bias=True)
    x = mx.sym.BatchNorm(x, name="norm", fix_gamma=False, eps=1e-3)
    x = mx.sym.Activation(x, name="relu", act_type="relu")
    x = mx.sym.Pooling(x, name="pool", kernel=(2, 2), stride=(2, 2), pool_type="max")
    x = mx.sym.Flatten(x, name="flatten")
    x = mx.sym.FullyConnected(x, name="out", num_hidden=3)
    return mx.sym.SoftmaxOutput(x, name="softmax")


arrays = {
    "arg:conv_weight": rng.normal(0, 0.4, (4, 2, 3, 3)),
    "arg:norm_gamma": rng.uniform(0.5, 1.5, 4),
    "arg:norm_beta": rng.normal(0, 0.3, 4),
    "aux:norm_moving_mean": rng.normal(0, 0.3, 4),
    "aux:norm_moving_var": rng.uniform(0.5, 1.5, 4),
    "arg:out_weight": rng.normal(0, 0.4, (3, 24)),
    "arg:out_bias": rng.normal(0, 0.3, 3),
}
arrays = {name: value.astype(np.float32) for name, value in arrays.items()}
samples = rng.normal(0, 1, (5, 2, 6, 5)).astype(np.float32)


def reference(x):
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    y = np.zeros((4, 6, 5))
    for i in range(3):
        for j in range(3):
            y += np.einsum("oc,chw->ohw", arrays["arg:conv_weight"][:, :, i, j].astype(float), padded[:, i:i + 6, j:j + 5])
    c = lambda name: arrays[name].astype(float)[:, None, None]
    y = (y - c("aux:norm_moving_mean")) / np.sqrt(c("aux:norm_moving_var") + 1e-3) * c("arg:norm_gamma") + c("arg:norm_beta")
    y = np.maximum(y, 0)[:, :6, :4].reshape(4, 3, 2, 2, 2).max(axis=(2, 4)).ravel()
    y = arrays["arg:out_weight"].astype(float) @ y + arrays["arg:out_bias"]
    e = np.exp(y - y.max())
    return e / e.sum()


text = json.dumps(json.loads(graph(True).tojson()), separators=(",", ":"))
saved = {name: mx.nd.array(value) for name, value in arrays.items()}
mx.nd.save(str(here / "pair-0003.params"), saved)
(here / "pair-symbol.json").write_text(json.dumps(json.loads(graph(False).tojson()), indent=1) + "\n")
saved["symbol:json"] = mx.nd.array(np.frombuffer(text.encode(), np.uint8), dtype=np.uint8)
mx.nd.save(str(here / "small.params"), saved)
samples.tofile(here / "samples.f32")
np.stack([reference(x) for x in samples]).astype(np.float32).tofile(here / "small.f32")
