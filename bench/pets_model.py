"""Makes the classifier of the Pet data set, a MobileNetV2 with a trained head, for what pets_data.py has made.

    pets_model.py DIRECTORY MODEL.h5      (with the Python of the environment that `kenning install tflite` makes)

Writes the model, and DIRECTORY/logits.f32: what Keras answers to every image, [images, 37]. The base has random weights,
seeded, whose normalizations have the statistics of one image of each class; the head (1024, 512, 128, 37, dropout) is
trained on its features, so that answers depend on the image.
"""
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import keras  # noqa: E402
import numpy as np  # noqa: E402

SEED = 1
SIDE, CLASSES = 224, 37
# Of ImageNet, as the data set standardizes.
MEAN, STD = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
EPOCHS = 50
BATCH = 32


def images_of(pixels):
    return (pixels.astype(np.float32) / 255 - MEAN) / STD


def normalize(base, images):
    layers = [layer for layer in base.layers if isinstance(layer, keras.layers.BatchNormalization)]
    for layer in layers:
        layer.momentum = 0.0  # the moving statistics become those of this batch
    base(images, training=True)
    for layer in layers:
        layer.momentum = 0.99


def batches(function, pixels):
    return np.concatenate([np.asarray(function(images_of(pixels[i:i + BATCH]))) for i in range(0, len(pixels), BATCH)])


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    root = Path(sys.argv[1])
    keras.utils.set_random_seed(SEED)
    labels = np.array([int(line.split()[1]) - 1 for line in (root / "annotations" / "list.txt").read_text().splitlines()
                       if line[0] != "#"])
    pixels = np.memmap(root / "pixels.u8", np.uint8, "r").reshape(len(labels), SIDE, SIDE, 3)
    base = keras.applications.MobileNetV2(input_shape=(SIDE, SIDE, 3), include_top=False, weights=None, pooling="avg")
    normalize(base, images_of(pixels[np.unique(labels, return_index=True)[1]]))
    features = batches(lambda images: base(images, training=False), pixels)
    mean, std = features.mean(axis=0), features.std(axis=0) + 1e-6
    dense = [keras.layers.Dense(units, activation="relu") for units in (1024, 512, 128)]
    layers = [layer for one in dense for layer in (one, keras.layers.Dropout(0.5))]
    head = keras.Sequential([keras.Input((features.shape[1],)), *layers, keras.layers.Dense(CLASSES, name="out_layer")])
    head.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    head.fit((features - mean) / std, labels, batch_size=BATCH, epochs=EPOCHS, verbose=0)
    # The standardization goes into the first layer.
    kernel, bias = dense[0].get_weights()
    dense[0].set_weights([kernel / std[:, None], bias - (mean / std) @ kernel])
    output = base.output
    for layer in head.layers:
        output = layer(output)
    model = keras.Model(base.input, output)
    logits = model.predict(images_of(pixels), batch_size=BATCH, verbose=0)
    predictions = logits.argmax(axis=1)
    if len(set(predictions)) < CLASSES // 2:
        sys.exit(f"pets_model: {len(labels)} images give {len(set(predictions))} different predictions")
    logits.astype(np.float32).tofile(root / "logits.f32")
    temporary = sys.argv[2] + ".tmp.h5"
    model.save(temporary, include_optimizer=False)
    os.replace(temporary, sys.argv[2])
    print(f"{np.mean(predictions == labels):.4f} of {len(labels)} images right")


if __name__ == "__main__":
    main()
