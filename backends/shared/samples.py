"""Samples of a data set in the shape that a model takes."""

from math import prod


def fits(sample, shape):
    return len(sample) == len(shape) and all(n is None or n <= 0 or n == m for n, m in zip(shape, sample))


def squeezed(shape):
    return [n for n in shape if n != 1]


def fitted(samples, shape):
    """`samples` [count, ...] for an input whose dimensions behind the batch are `shape` (free ones None or below 1); None
    where they do not fit. Images of [height, width, channels] are turned where the model takes [channels, height, width],
    as the wrappers of PyTorch and MXNet do. Otherwise dimensions of 1 and flattening are all that may differ: the same
    number of values in another order would be another picture."""
    sample = samples.shape[1:]
    if fits(sample, shape):
        return samples
    if len(sample) == 3 and fits((sample[2], *sample[:2]), shape):
        return samples.transpose(0, 3, 1, 2)
    if any(n is None or n <= 0 for n in shape):
        return None
    flat = min(len(squeezed(sample)), len(squeezed(shape))) <= 1 and prod(sample) == prod(shape)
    return samples.reshape((-1, *shape)) if flat or squeezed(sample) == squeezed(shape) else None
