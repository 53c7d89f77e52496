"""Whether a converted model gives the outputs of the model it was made of. Needs numpy and onnxruntime."""
import numpy as np

SAMPLES = 3
# Largest difference allowed, relative to the largest output.
TOLERANCE = 1e-4


def draw(shape, dtype, random):
    """One input; free dimensions become 1."""
    shape = [n if isinstance(n, int) and n > 0 else 1 for n in shape]
    dtype = np.dtype(dtype)
    if dtype == np.bool_:
        return random.integers(0, 2, shape).astype(dtype)
    if np.issubdtype(dtype, np.integer):
        return random.integers(0, 10, shape).astype(dtype)
    return random.standard_normal(shape).astype(dtype)


def open_session(path):
    import onnxruntime

    onnxruntime.set_default_logger_severity(3)
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


NUMPY = {"tensor(float)": "float32", "tensor(double)": "float64", "tensor(float16)": "float16",
         "tensor(int64)": "int64", "tensor(int32)": "int32", "tensor(int8)": "int8", "tensor(uint8)": "uint8",
         "tensor(bool)": "bool"}


def draw_inputs(session, seed):
    """SAMPLES lists of inputs in the session's order."""
    random = np.random.default_rng(seed)
    return [[draw(i.shape, NUMPY[i.type], random) for i in session.get_inputs()] for _ in range(SAMPLES)]


def run_session(session, samples):
    names = [i.name for i in session.get_inputs()]
    return [session.run(None, dict(zip(names, sample))) for sample in samples]


def compare(wanted, got):
    """Lists of outputs, a list per sample. Returns (largest difference relative to the largest wanted value, whether the
    wanted outputs differ between the samples). Infinite where shapes, counts or not-a-numbers differ."""
    worst, varies = 0.0, False
    for index, (one, other) in enumerate(zip(wanted, got)):
        if len(one) != len(other):
            return float("inf"), varies
        for k, (a, b) in enumerate(zip(one, other)):
            a, b = np.asarray(a), np.asarray(b)
            first = np.asarray(wanted[0][k])
            if index and (first.shape != a.shape or np.abs(np.subtract(a, first, dtype=np.float64)).max(initial=0)
                          > 1e-3 * np.abs(first.astype(np.float64)).max(initial=0)):
                varies = True
            if a.shape != b.shape or not a.size == b.size:
                return float("inf"), varies
            if not a.size:
                continue
            difference = np.abs(np.subtract(a, b, dtype=np.float64)).max()
            scale = np.abs(a.astype(np.float64)).max()
            if not np.isfinite(difference) or not np.isfinite(scale):
                return float("inf"), varies
            worst = max(worst, float(difference / scale) if scale else (0.0 if difference == 0 else float("inf")))
    return worst, varies
