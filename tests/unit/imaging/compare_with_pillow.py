#!/usr/bin/env python3
"""Compares our decoding and resizing with Pillow 13 itself: compare_with_pillow.py PROGRAM [COUNT]

Makes COUNT images (default 300) of every kind that is read, from a fixed seed, and takes the photographs that come with
foolbox. Each is decoded, and resized by our PROGRAM (pixels_program.c) and by Pillow's open, convert("RGB"), resize.
Every byte must be equal; 16-bit grey is left out, see imaging/image.h. Runs in the environment of
scripts/pillow-environment, which it starts by itself. Exit: 0 equal, 1 not, 77 no environment.
"""
import os
import random
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
MARK = "KENNING_PILLOW_ENVIRONMENT"
if MARK not in os.environ:
    found = subprocess.run([ROOT / "scripts" / "pillow-environment"], stdout=subprocess.PIPE, text=True, check=False)
    if found.returncode:
        sys.exit(77)
    os.environ[MARK] = "1"
    os.execv(found.stdout.strip(), [found.stdout.strip(), *sys.argv])

import numpy as np
from PIL import Image, ImageFile

ImageFile.MAXBLOCK = 1 << 24  # room for what optimized files of noise take
SEED = 20
JPEG_MODES = ["RGB", "L", "CMYK"]
PNG_MODES = ["RGB", "RGBA", "L", "LA", "P", "1"]
FILTERS = [Image.Resampling.NEAREST, Image.Resampling.BOX, Image.Resampling.BILINEAR, Image.Resampling.HAMMING,
           Image.Resampling.BICUBIC, Image.Resampling.LANCZOS]
BICUBIC = FILTERS.index(Image.Resampling.BICUBIC)


def content(rng, width, height):
    """Something between a gradient and noise, with edges that make resampling overshoot."""
    y, x = np.mgrid[0:height, 0:width]
    noise = np.random.RandomState(rng.getrandbits(31)).randint(0, 256, (height, width, 4))
    waves = np.stack([127 + 127 * np.sin(x * rng.random() + y * rng.random() + c) for c in range(4)], axis=2)
    share = rng.random()
    pixels = share * noise + (1 - share) * waves
    if rng.random() < 0.3:
        pixels = np.where(pixels > 128, 255, 0)
    return pixels.astype(np.uint8)


def size(rng, index):
    if index < 12:
        return [(1, 1), (1, 2), (2, 1), (1, 300), (300, 1), (3, 5), (16, 16), (17, 33), (2000, 1500), (1500, 2200),
                (3000, 40), (40, 3000)][index]
    return rng.randint(1, 320), rng.randint(1, 320)


def write_png_16(path, pixels, interlaced):
    """16 bits a channel, which Pillow does not write."""
    height, width, channels = pixels.shape
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    data = b""
    for left, top, right, down in passes if interlaced else [(0, 0, 1, 1)]:
        part = pixels[top::down, left::right]
        if part.size:
            data += b"".join(b"\0" + row.astype(">u2").tobytes() for row in part)
    head = struct.pack(">IIBBBBB", width, height, 16, {3: 2, 4: 6}[channels], 0, 0, int(interlaced))
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        for kind, part in ((b"IHDR", head), (b"IDAT", zlib.compress(data)), (b"IEND", b"")):
            file.write(struct.pack(">I", len(part)) + kind + part + struct.pack(">I", zlib.crc32(kind + part)))


def make_jpeg(rng, pixels, path):
    mode = rng.choice(JPEG_MODES)
    image = Image.fromarray(pixels, "CMYK") if mode == "CMYK" else Image.fromarray(pixels[:, :, :3]).convert(mode)
    options = {"quality": rng.choice([20, 50, 75, 90, 100]), "progressive": rng.random() < 0.3,
               "optimize": rng.random() < 0.3}
    if mode == "RGB":
        options.update({"keep_rgb": True} if rng.random() < 0.1 else {"subsampling": rng.choice([0, 1, 2])})
    if rng.random() < 0.3:
        options["restart_marker_blocks"] = rng.randint(1, 9)
    if rng.random() < 0.4:
        exif = Image.Exif()
        exif[0x0112] = rng.randint(1, 8)  # orientation: stays unused, in Pillow's open() too
        options["exif"] = exif
    image.save(path, **options)
    return f"JPEG {mode} {options}"


def make_png(rng, pixels, path):
    if rng.random() < 0.15:
        channels, interlaced = rng.choice([3, 4]), rng.random() < 0.5
        write_png_16(path, pixels[:, :, :channels].astype(np.uint16) * 251 + rng.randint(0, 1500), interlaced)
        return f"PNG 16 bits, {channels} channels, interlaced {interlaced}"
    mode, options = rng.choice(PNG_MODES), {}
    image = Image.fromarray(pixels)
    if mode == "P":
        colours = rng.choice([2, 4, 16, 200, 256])
        image = Image.fromarray(pixels[:, :, :3]).quantize(colours)
        options["bits"] = {2: 1, 4: 2, 16: 4}.get(colours, 8)
    elif mode != "RGBA":
        image = image.convert(mode)
    if mode == "P" and rng.random() < 0.4:
        options["transparency"] = rng.randint(0, 1)
    image.save(path, **options)
    return f"PNG {mode} {options}"


def generated(count, directory):
    rng = random.Random(SEED)
    for index in range(count):
        pixels = content(rng, *reversed(size(rng, index)))
        jpeg = rng.random() < 0.5
        path = directory / f"{index}.{'jpg' if jpeg else 'png'}"
        yield path, (make_jpeg if jpeg else make_png)(rng, pixels, path)


def photographs():
    import importlib.util
    home = Path(importlib.util.find_spec("foolbox").submodule_search_locations[0]) / "data"
    for path in sorted(home.iterdir()):
        if path.suffix in (".jpg", ".png"):
            yield path, path.name


class Program:
    def __init__(self, path):
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, path, target, resampling):
        width, height = target or (0, 0)
        self.process.stdin.write(f"{width} {height} {resampling} {path}\n".encode())
        self.process.stdin.flush()
        words = self.process.stdout.readline().split(maxsplit=1)
        if words[:1] == [b"fault"] or not words:
            return b" ".join(words).decode()
        width, height = int(words[0]), int(words[1])
        return np.frombuffer(self.process.stdout.read(width * height * 3), np.uint8).reshape(height, width, 3)


def difference(ours, theirs):
    theirs = np.asarray(theirs)
    if isinstance(ours, str):
        return ours
    if ours.shape != theirs.shape:
        return f"{ours.shape} instead of {theirs.shape}"
    if np.array_equal(ours, theirs):
        return None
    apart = np.abs(ours.astype(int) - theirs)
    return f"{np.count_nonzero(apart)} of {apart.size} values differ, by at most {apart.max()}"


def main():
    program, count = Program(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 300
    rng, faults, images, comparisons = random.Random(SEED + 1), 0, 0, 0
    with tempfile.TemporaryDirectory() as directory:
        for source in (generated(count, Path(directory)), photographs()):
            for path, what in source:
                reference = Image.open(path)
                if reference.mode.startswith("I"):
                    continue
                reference = reference.convert("RGB")
                images += 1
                targets = [(None, 0), ((224, 224), BICUBIC),
                           ((rng.randint(1, 300), rng.randint(1, 300)), rng.randrange(len(FILTERS)))]
                for target, resampling in targets:
                    theirs = reference.resize(target, FILTERS[resampling]) if target else reference
                    found = difference(program.ask(path, target, resampling), theirs)
                    comparisons += 1
                    if found:
                        faults += 1
                        print(f"{path.name} ({what}), {reference.size} to {target}, filter {resampling}: {found}")
    program.process.stdin.close()
    if program.process.wait():
        faults += 1
        print(f"{sys.argv[1]} ended with {program.process.returncode}")
    print(f"{images} images, {comparisons} comparisons, {faults} differ")
    return int(faults > 0 or not images)


if __name__ == "__main__":
    sys.exit(main())
