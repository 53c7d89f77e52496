"""Makes a data set in the layout of Oxford-IIIT Pet, for tests and measurements: 37 classes of striped pictures.

    pets_data.py DIRECTORY PER_CLASS      (with the Python of scripts/pillow-environment)

Writes DIRECTORY/images, DIRECTORY/annotations/list.txt and DIRECTORY/pixels.u8: what Pillow 13 makes of each image in
the order of the list, RGB of 224 x 224 pixels. From 5 pictures of each class on, a fifth of them is the test split:
annotations/trainval.txt and test.txt. Seeded; colour, direction and width of the stripes tell the classes.
"""
import math
import sys
from pathlib import Path

import numpy as np
from PIL import Image

CATS, CLASSES = 12, 37
SIDE = 224
SEED = 11


def class_name(index):
    return f"Cat_{index + 1:02}" if index < CATS else f"dog_{index - CATS + 1:02}"


def picture(index, random):
    """Portrait and landscape, of odd and even sizes."""
    width, height = random.integers(180, 420, 2)
    hue, tilt, stripes = 2 * math.pi * index / CLASSES, math.pi * (index % 6) / 6, 3 + 4 * (index % 5)
    colour = 128 + 110 * np.cos(hue + np.array([0.0, 2.1, 4.2]))
    y, x = np.mgrid[0:height, 0:width]
    phase = (x * math.cos(tilt) / width + y * math.sin(tilt) / height) * stripes * 2 * math.pi + random.uniform(0, 6)
    light = 0.75 + 0.25 * np.sin(phase)
    values = colour * light[..., None] + random.normal(0, 60, 3) + random.normal(0, 16, (height, width, 3))
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    root, count = Path(sys.argv[1]), int(sys.argv[2])
    (root / "images").mkdir(parents=True, exist_ok=True)
    (root / "annotations").mkdir(exist_ok=True)
    random = np.random.default_rng(SEED)
    lines, trainval, test = [], [], []
    with open(root / "pixels.u8", "wb") as pixels:
        for index in range(CLASSES):
            cat = index < CATS
            for number in range(1, count + 1):
                name = f"{class_name(index)}_{number}"
                path = root / "images" / f"{name}.jpg"
                picture(index, random).save(path, quality=90)
                line = f"{name} {index + 1} {1 if cat else 2} {index + 1 if cat else index - CATS + 1}\n"
                lines.append(line)
                (test if number > count - count // 5 else trainval).append(line)
                with Image.open(path) as image:
                    pixels.write(image.convert("RGB").resize((SIDE, SIDE)).tobytes())
    splits = {"list": ["#Image CLASS-ID SPECIES BREED ID\n", *lines]}
    if test:
        splits |= {"trainval": trainval, "test": test}
    for name, content in splits.items():
        (root / "annotations" / f"{name}.txt").write_text("".join(content), encoding="utf-8")


if __name__ == "__main__":
    main()
