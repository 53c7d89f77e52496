"""Times Keras: keras_training.py MODEL.h5 DIRECTORY BATCH STEPS prints the seconds of each training step on images that
pets_data.py has made, decoded and in memory; three steps before them do not count."""
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
sys.dont_write_bytecode = True

import keras  # noqa: E402
import numpy as np  # noqa: E402
from pets_model import CLASSES, SIDE, images_of  # noqa: E402

WARM_UP = 3


def main():
    path, root, batch, steps = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    model = keras.models.load_model(path, compile=False)
    model.compile(keras.optimizers.Adam(1e-4), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    pixels = np.memmap(os.path.join(root, "pixels.u8"), np.uint8, "r").reshape(-1, SIDE, SIDE, 3)
    images, labels = images_of(pixels[:batch]), np.arange(batch) % CLASSES
    for step in range(WARM_UP + steps):
        start = time.perf_counter()
        model.train_on_batch(images, labels)
        if step >= WARM_UP:
            print(time.perf_counter() - start)


if __name__ == "__main__":
    main()
