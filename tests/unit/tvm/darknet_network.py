"""A small Darknet network with drawn weights, and what it computes, in plain numpy.

    darknet_network.py DIRECTORY    writes net.cfg, net.weights, and samples.f32, outputs.f32 with three samples and results"""
import os
import struct
import sys

import numpy as np

CONFIGURATION = """\
[net]
width=8
height=8
channels=3
# a comment
[convolutional]
batch_normalize=1
filters=4
size=3
stride=1
pad=1
activation=leaky
[maxpool]
size=2
stride=2
[maxpool]
size=2
stride=1
[convolutional]
filters=4
size=1
stride=1
pad=1
activation=linear
[route]
layers=-1,-2
[upsample]
stride=2
[yolo]
mask=0
"""

HEADER = struct.pack("<iiiq", 0, 2, 0, 7)  # version, images seen


def convolve(x, kernel, bias, padding):
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    size = kernel.shape[2]
    height, width = x.shape[1] - size + 1, x.shape[2] - size + 1
    out = np.zeros((kernel.shape[0], height, width))
    for row in range(height):
        for column in range(width):
            out[:, row, column] = np.tensordot(kernel, x[:, row : row + size, column : column + size], 3) + bias
    return out


def pool(x, stride):
    x = np.pad(x, ((0, 0), (0, 1), (0, 1)), constant_values=-np.inf)
    height, width = ((n - 2) // stride + 1 for n in x.shape[1:])
    return np.array([[[plane[r * stride : r * stride + 2, c * stride : c * stride + 2].max() for c in range(width)]
                      for r in range(height)] for plane in x])


class Network:
    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        self.beta, self.mean, self.bias = (self.random.normal(size=4).astype("<f4") for _ in range(3))
        self.scale, self.variance = (self.random.uniform(0.5, 2, 4).astype("<f4") for _ in range(2))
        self.first = self.random.normal(size=(4, 3, 3, 3)).astype("<f4")
        self.second = self.random.normal(size=(4, 4, 1, 1)).astype("<f4")

    def numbers(self):
        """As they stand in the file."""
        parts = (self.beta, self.scale, self.mean, self.variance, self.first, self.bias, self.second)
        return b"".join(part.tobytes() for part in parts)

    def image(self):
        return self.random.uniform(size=(1, 3, 8, 8)).astype(np.float32)

    def compute(self, image):
        x = convolve(image.astype(float), self.first, 0, 1)
        x = (x - self.mean[:, None, None]) / (np.sqrt(self.variance[:, None, None]) + 1e-6)
        x = x * self.scale[:, None, None] + self.beta[:, None, None]
        x = np.where(x > 0, x, 0.1 * x)
        x = pool(pool(x, 2), 1)
        x = np.concatenate([convolve(x, self.second, self.bias, 0), x])
        return x.repeat(2, 1).repeat(2, 2)


def write(directory, configuration, numbers, header=HEADER):
    path = os.path.join(directory, "net.weights")
    with open(path, "wb") as file:
        file.write(header + numbers)
    with open(os.path.join(directory, "net.cfg"), "w", encoding="utf-8") as file:
        file.write(configuration)
    return path


def main():
    directory = sys.argv[1]
    network = Network(1)
    write(directory, CONFIGURATION, network.numbers())
    images = np.concatenate([network.image() for _ in range(3)])
    images.tofile(os.path.join(directory, "samples.f32"))
    np.stack([network.compute(image) for image in images]).astype(np.float32).tofile(os.path.join(directory, "outputs.f32"))


if __name__ == "__main__":
    main()
