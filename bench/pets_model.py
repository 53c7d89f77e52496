"""Makes the classifier of the Pet data set, a MobileNetV2 with a trained head, for what pets_data.py has made.

    pets_model.py DIRECTORY MODEL.h5      (with the Python of the environment that `kenning install tflite` makes)

Writes the model, and DIRECTORY/logits.f32: what Keras answers to every image, [images, 37]. The base has the real
weights that scripts/real-mobilenetv2 fetches; the head (1024, 512, 128, 37, dropout) is trained on its features of the
pictures in trainval.txt (without that file, of all).
"""
import os
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import keras  # noqa: E402
import numpy as np  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
SEED = 1
SIDE, CLASSES = 224, 37
# Of ImageNet, as the data set standardizes.
MEAN, STD = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
EPOCHS = 50
BATCH = 32


def images_of(pixels):
    return (pixels.astype(np.float32) / 255 - MEAN) / STD


def real_base():
    """Its weights are of values from -1 to 1; here they meet standardized ones, for which the first layer is adapted:
    x / 127.5 - 1 = 2 * STD * standardized + 2 * MEAN - 1."""
    path = subprocess.run([ROOT / "scripts" / "real-mobilenetv2"], check=True, text=True, stdout=subprocess.PIPE).stdout
    whole = keras.models.load_model(path.strip(), compile=False)
    trained = next(layer for layer in whole.layers if isinstance(layer, keras.Model))
    base = keras.applications.MobileNetV2(input_shape=(SIDE, SIDE, 3), include_top=False, weights=None, pooling="avg")
    base.set_weights(trained.get_weights())
    convolution, normalization = base.get_layer("Conv1"), base.get_layer("bn_Conv1")
    (kernel,) = convolution.get_weights()
    gamma, beta, mean, variance = normalization.get_weights()
    constant = np.tensordot(2 * MEAN - 1, kernel.sum(axis=(0, 1)), 1)
    convolution.set_weights([kernel * (2 * STD)[:, None]])
    normalization.set_weights([gamma, beta, mean - constant, variance])
    return base


def is_training(root, names):
    path = root / "annotations" / "trainval.txt"
    if not path.exists():
        return np.ones(len(names), bool)
    listed = {line.split()[0] for line in path.read_text().splitlines()}
    return np.array([name in listed for name in names])


def batches(function, pixels):
    return np.concatenate([np.asarray(function(images_of(pixels[i:i + BATCH]))) for i in range(0, len(pixels), BATCH)])


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    root = Path(sys.argv[1])
    keras.utils.set_random_seed(SEED)
    rows = [line.split() for line in (root / "annotations" / "list.txt").read_text().splitlines() if line[0] != "#"]
    labels = np.array([int(row[1]) - 1 for row in rows])
    pixels = np.memmap(root / "pixels.u8", np.uint8, "r").reshape(len(labels), SIDE, SIDE, 3)
    base = real_base()
    features = batches(lambda images: base(images, training=False), pixels)
    dense = [keras.layers.Dense(units, activation="relu") for units in (1024, 512, 128)]
    layers = [layer for one in dense for layer in (one, keras.layers.Dropout(0.5))]
    head = keras.Sequential([keras.Input((features.shape[1],)), *layers, keras.layers.Dense(CLASSES, name="out_layer")])
    head.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    training = is_training(root, [row[0] for row in rows])
    head.fit(features[training], labels[training], batch_size=BATCH, epochs=EPOCHS, verbose=0)
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
    right = predictions == labels
    print(f"{np.mean(right[training]):.4f} of {training.sum()} images it was trained on are right", end="")
    print("" if training.all() else f", {np.mean(right[~training]):.4f} of {(~training).sum()} others")


if __name__ == "__main__":
    main()
