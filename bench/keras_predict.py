"""Times Keras: keras_predict.py MODEL.h5 DIRECTORY COUNT prints mean seconds of model.predict() of one image, over COUNT
images of what pets_data.py has made, decoded and in memory; ten before them do not count."""
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
sys.dont_write_bytecode = True

import keras  # noqa: E402
import numpy as np  # noqa: E402
from pets_model import SIDE, images_of  # noqa: E402

WARM_UP = 10


def main():
    path, root, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    model = keras.models.load_model(path, compile=False)
    pixels = np.memmap(os.path.join(root, "pixels.u8"), np.uint8, "r").reshape(-1, SIDE, SIDE, 3)
    times = []
    for i in range(WARM_UP + count):
        image = images_of(pixels[i % len(pixels)][None])
        start = time.perf_counter()
        model.predict(image, verbose=0)
        times.append(time.perf_counter() - start)
    print(np.mean(times[WARM_UP:]))


if __name__ == "__main__":
    main()
