"""Makes the models and recorded results of this directory, without PyTorch's Python.

    make_models.py LIBTORCH_SHIM

small.pt is TorchScript, written by the library that `kenning install pytorch` compiles; silent.pt is the same without its
io specification; two.pt, ids.pt and empty.pt have several tensors, integers, and an output without elements. fashion.pth is a state dictionary as torch.save writes it, in half precision; tiny.pth has tensors of
several types and orders, legacy.pth is of the format before PyTorch 1.6, module.pth holds a module, and attack.pth calls a
program. The recorded results are computed with NumPy.
"""
import collections
import ctypes
import io
import json
import pathlib
import pickle
import sys
import types
import zipfile

import numpy as np

here = pathlib.Path(__file__).parent
rng = np.random.default_rng(11)


def normal(scale, *shape):
    return rng.normal(0, scale, shape).astype(np.float32)


def convolve(x, weight):
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    out = np.zeros((weight.shape[0],) + x.shape[1:])
    for i in range(3):
        for j in range(3):
            window = padded[:, i:i + x.shape[1], j:j + x.shape[2]]
            out += np.einsum("oc,chw->ohw", weight[:, :, i, j].astype(float), window)
    return out


def pool(x):
    c, h, w = x.shape
    return x[:, :h // 2 * 2, :w // 2 * 2].reshape(c, h // 2, 2, w // 2, 2).max(axis=(2, 4))


def column(values):
    return values.astype(float)[:, None, None]


def normalize(x, weight, bias, mean, variance):
    return (x - column(mean)) / np.sqrt(column(variance) + 1e-3) * column(weight) + column(bias)


# ---- TorchScript ----

class Tensor(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("dtype", ctypes.c_int32), ("rank", ctypes.c_int32),
                ("shape", ctypes.c_int64 * 8)]


def entry(name, shape, dtype="float32"):
    return {"name": name, "shape": shape, "dtype": dtype}


class Script:
    """A module that the library makes of its source, as `name`."""

    def __init__(self, library, name, weights, source):
        self.shim, self.module = ctypes.CDLL(library), ctypes.c_void_p()
        self.shim.torch_shim_error.restype = ctypes.c_char_p
        self.call("torch_shim_create", name.encode(), ctypes.byref(self.module))
        for weight, value in weights.items():
            tensor = Tensor(value.ctypes.data, 6, value.ndim, (ctypes.c_int64 * 8)(*value.shape))
            self.call("torch_shim_add", self.module, weight.encode(), ctypes.byref(tensor), 0)
        self.call("torch_shim_define", self.module, source.encode())

    def call(self, name, *arguments):
        if getattr(self.shim, name)(*arguments):
            sys.exit(f"{name}: {self.shim.torch_shim_error().decode()}")

    def save(self, name, inputs=None, outputs=None):
        spec = json.dumps({"input": inputs, "output": outputs}).encode() if inputs else None
        self.call("torch_shim_save", self.module, str(here / name).encode(), spec and b"kenning.json", spec)


def write_script(library):
    weights = {"block.0.weight": normal(0.4, 4, 2, 3, 3), "out.weight": normal(0.4, 3, 24), "out.bias": normal(0.3, 3)}
    script = Script(library, "Small", weights, """def forward(self, x):
    x = torch.conv2d(x, getattr(self.block, "0").weight, None, [1, 1], [1, 1], [1, 1], 1)
    x = torch.max_pool2d(torch.relu(x), [2, 2], [2, 2])
    x = torch.addmm(self.out.bias, torch.flatten(x, 1), self.out.weight.t())
    return torch.softmax(x, 1)
""")
    script.save("small.pt", [entry("input", [-1, 2, 6, 5])], [entry("scores", [-1, 3])])
    script.save("silent.pt")
    samples = normal(1, 5, 2, 6, 5)
    results = []
    for x in samples:
        y = pool(np.maximum(convolve(x, weights["block.0.weight"]), 0)).ravel()
        y = np.exp(weights["out.weight"].astype(float) @ y + weights["out.bias"])
        results.append(y / y.sum())
    samples.tofile(here / "samples.f32")
    np.stack(results).astype(np.float32).tofile(here / "small.f32")


def write_odd(library):
    """Several inputs and outputs, integers, and an output without elements."""
    script = Script(library, "Two", {}, "def forward(self, a, b):\n    return (torch.sum(a, [1], True), torch.gt(b, 0))\n")
    script.save("two.pt", [entry("a", [-1, 2]), entry("b", [-1, 3])],
                [entry("sum", [-1, 1]), entry("signs", [-1, 3], "bool")])
    script = Script(library, "Ids", {}, "def forward(self, x):\n    return torch.add(x, 1)\n")
    script.save("ids.pt", [entry("x", [-1, 2], "int64")], [entry("y", [-1, 2], "int64")])
    script = Script(library, "Empty", {}, "def forward(self, x):\n    return torch.narrow(x, 1, 0, 0)\n")
    script.save("empty.pt", [entry("x", [-1, 2])], [entry("y", [-1, 0])])


# ---- a state dictionary ----

class Storage:
    def __init__(self, key, values):
        self.key, self.values = key, values


class Lazy:
    """Pickles as torch.save pickles a tensor."""

    def __init__(self, storage):
        self.storage = storage

    def __reduce__(self):
        shape = self.storage.values.shape
        strides = tuple(int(np.prod(shape[i + 1:])) for i in range(len(shape)))
        return _rebuild_tensor_v2, (self.storage, 0, shape, strides, False, collections.OrderedDict())


def _rebuild_tensor_v2():
    pass


class HalfStorage:
    pass


class Pickler(pickle.Pickler):
    def persistent_id(self, value):
        if isinstance(value, Storage):
            return ("storage", HalfStorage, value.key, "cpu", value.values.size)
        return None


def write_state(path, tensors):
    for module, member in (("torch._utils", _rebuild_tensor_v2), ("torch", HalfStorage)):
        sys.modules[module] = sys.modules.get(module) or types.ModuleType(module)
        setattr(sys.modules[module], member.__name__, member)
        member.__module__ = module
    storages = [Storage(str(i), value) for i, value in enumerate(tensors.values())]
    file = io.BytesIO()
    Pickler(file, 2).dump(collections.OrderedDict((name, Lazy(s)) for name, s in zip(tensors, storages)))
    stem = path.stem
    with zipfile.ZipFile(path, "w") as archive:
        def put(name, data):
            archive.writestr(zipfile.ZipInfo(f"{stem}/{name}"), data)
        put("data.pkl", file.getvalue())
        put("byteorder", "little")
        for storage in storages:
            put(f"data/{storage.key}", storage.values.tobytes())
        put("version", "3\n")


def write_fashion():
    tensors = collections.OrderedDict()
    channels = 1
    for i, out in enumerate((16, 32, 64), 1):
        tensors[f"conv_{i}.weight"] = normal(1 / np.sqrt(9 * channels), out, channels, 3, 3)
        for name, value in (("weight", rng.uniform(0.5, 1.5, out)), ("bias", rng.normal(0, 0.3, out)),
                            ("running_mean", rng.normal(0, 0.3, out)), ("running_var", rng.uniform(0.5, 1.5, out))):
            tensors[f"normalization_{i}.{name}"] = value
        channels = out
    tensors["out_layer.weight"] = normal(0.1, 10, 576)
    tensors["out_layer.bias"] = normal(0.1, 10)
    tensors = collections.OrderedDict((name, value.astype(np.float16)) for name, value in tensors.items())
    write_state(here / "fashion.pth", tensors)
    samples = rng.uniform(0, 1, (3, 28, 28, 1)).astype(np.float32)
    results = []
    for x in samples:
        y = x.transpose(2, 0, 1).astype(float)
        for i in (1, 2, 3):
            of = [tensors[f"normalization_{i}.{name}"] for name in ("weight", "bias", "running_mean", "running_var")]
            y = pool(np.maximum(normalize(convolve(y, tensors[f"conv_{i}.weight"]), *of), 0))
        results.append(tensors["out_layer.weight"].astype(float) @ y.ravel() + tensors["out_layer.bias"].astype(float))
    samples.tofile(here / "fashion.samples.f32")
    np.stack(results).astype(np.float32).tofile(here / "fashion.f32")


# ---- files that test the reader ----

class Strided:
    """A tensor with an offset and strides of its own."""

    def __init__(self, storage, offset, shape, strides):
        self.arguments = (storage, offset, shape, strides, True, collections.OrderedDict())

    def __reduce__(self):
        return _rebuild_tensor_v2, self.arguments


class TypedPickler(pickle.Pickler):
    view = ()

    def persistent_id(self, value):
        if isinstance(value, Storage):
            return ("storage", storage_class(value.values.dtype), value.key, "cpu", value.values.size, *self.view)
        return None


def storage_class(dtype):
    name = {"float32": "FloatStorage", "int64": "LongStorage", "float16": "HalfStorage", "bool": "BoolStorage"}[dtype.name]
    made = type(name, (), {"__module__": "torch"})
    setattr(sys.modules["torch"], name, made)
    return made


def dump(value, pickler=TypedPickler):
    file = io.BytesIO()
    pickler(file, 2).dump(value)
    return file.getvalue()


def zipped(path, pickled, storages):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in [("data.pkl", pickled), ("byteorder", "little")] + [
                (f"data/{storage.key}", storage.values.tobytes()) for storage in storages] + [("version", "3\n")]:
            archive.writestr(zipfile.ZipInfo(f"{path.stem}/{name}"), data)


def write_tiny():
    numbers = Storage("0", np.arange(6, dtype=np.float32))
    count, half = Storage("1", np.array([7], np.int64)), Storage("2", np.array([1.5, -2], np.float16))
    tensors = collections.OrderedDict([
        ("turned", Strided(numbers, 0, (3, 2), (1, 3))), ("row", Strided(numbers, 3, (3,), (1,))),
        ("count", Strided(count, 0, (), ())), ("half", Strided(half, 0, (2,), (1,)))])
    zipped(here / "tiny.pth", dump({"epoch": 3, "rate": 0.5, "state_dict": tensors}), [numbers, count, half])
    parts = [pickle.dumps(0x1950A86A20F9469CFC6C, 2), pickle.dumps(1001, 2),
             pickle.dumps({"protocol_version": 1001, "little_endian": True}, 2)]
    TypedPickler.view = (None,)
    parts += [dump(tensors), pickle.dumps(["0", "1", "2"], 2)]
    TypedPickler.view = ()
    for storage in (numbers, count, half):
        parts += [np.array([storage.values.size], np.int64).tobytes(), storage.values.tobytes()]
    (here / "legacy.pth").write_bytes(b"".join(parts))
    zipped(here / "module.pth", b"\x80\x02ctorchvision.models.mobilenetv2\nMobileNetV2\nq\x00)\x81q\x01.", [])
    zipped(here / "attack.pth", b"\x80\x02cposix\nsystem\nq\x00X\x04\x00\x00\x00trueq\x01\x85q\x02Rq\x03.", [])


write_script(sys.argv[1])
write_odd(sys.argv[1])
write_fashion()
write_tiny()
