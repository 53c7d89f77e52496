#!/usr/bin/env python3
"""`kenning model_training` is stopped by Ctrl-C, killed while it goes on, and goes on again: the model and the log of the
course are those of an undisturbed training, bit by bit. What Ctrl-C leaves is the best model so far: it loads, here and
in Keras, and has the validation accuracy that was recorded. The event files, read by TensorFlow's own reader, hold the
values that training.csv shows. A small network; transfer_test.py does the same with a large one.
Exit: 0 passed, 1 failed, 77 something is not installed."""
import csv
import json
import os
import random
import signal
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

ROOT = Path(os.environ["KENNING_TEST_SOURCE_DIR"])
sys.path.insert(0, str(ROOT / "bench"))
from figures import environment_python  # noqa: E402

RELEASE = Path(os.environ["KENNING_TEST_RELEASE_DIR"]) / "kenning"
KENNING = RELEASE if RELEASE.exists() else Path(os.environ["KENNING_TEST_PROGRAM"])
SIDE, CLASSES, PER_CLASS, EPOCHS = 16, 3, 50, 120
INPUT = ["--image-width", SIDE, "--image-height", SIDE, "--split-fraction-val", 0.25]
# What a checkpoint has to bring back: moving statistics, dropout, the optimizer's state, a schedule, augmentation.
MODEL = f"""
import sys, keras
from keras import layers as L
keras.utils.set_random_seed(1)
keras.Sequential([L.Input(({SIDE}, {SIDE}, 3)), L.Conv2D(8, 3, strides=2, use_bias=False), L.BatchNormalization(),
                  L.ReLU(), L.DepthwiseConv2D(3), L.GlobalAveragePooling2D(), L.Dense(16, "relu"), L.Dropout(0.3),
                  L.Dense({CLASSES}, "softmax")]).save(sys.argv[1])
"""
# All values of all event files as JSON: directory, tag, step, value; and whether Keras loads the model.
READ = """
import json, pathlib, sys
import keras
import tensorflow as tf
found = []
for path in sorted(pathlib.Path(sys.argv[1]).rglob("events.out.tfevents.*")):
    for event in tf.compat.v1.train.summary_iterator(str(path)):
        for value in event.summary.value:
            kind = value.WhichOneof("value")
            found.append([path.parent.name, value.tag, event.step, kind,
                          value.simple_value if kind == "simple_value" else value.histo.num])
model = keras.models.load_model(sys.argv[2])
print(json.dumps({"values": found, "weights": sum(w.shape.num_elements() for w in model.weights)}))
"""


def skip(why):
    print(why)
    sys.exit(77)


def environment():
    return {name: value for name, value in os.environ.items() if not name.endswith("SAN_OPTIONS")} | {
        "TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1"}


def run(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, env=environment(), check=False)
    if done.returncode == 3:
        skip(done.stderr)
    if done.returncode:
        sys.exit(f"{command}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def picture(path, colour, rng):
    """PNG of noise around a colour that overlaps with those of the other classes."""
    rows = b"".join(b"\0" + bytes(min(255, max(0, int(rng.gauss(value, 60)))) for _ in range(SIDE) for value in colour)
                    for _ in range(SIDE))
    parts = ((b"IHDR", struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts))


def make_pictures(place):
    rng = random.Random(4)
    for number in range(CLASSES):
        (place / f"class-{number}").mkdir(parents=True)
        for image in range(PER_CLASS):
            colour = [128 + rng.gauss(0, 8) + (8 if number == channel else 0) for channel in range(3)]
            picture(place / f"class-{number}" / f"{image}.png", colour, rng)


class Training:
    def __init__(self, place, name, first):
        self.model, self.logs, self.images = place / f"{name}.h5", place / name, place / "images"
        self.model.write_bytes(first)
        self.words = [str(word) for word in (
            KENNING, "model_training", "TensorFlowClassifier", "ImageFolderDataset", "--dataset-root", self.images,
            *INPUT, "--model-path", self.model, "--logdir", self.logs, "--batch-size", 16, "--learning-rate", 0.01,
            "--num-epochs", EPOCHS, "--training-schedule", "cosine", "--training-brightness", 0.1, "--training-flip",
            "--training-checkpoint", place / f"{name}.checkpoint")]

    def stop(self, epoch, how, *flags):
        """Sends the signal as soon as it is in this epoch, or a later one. What it said after that."""
        with subprocess.Popen([*self.words, *flags], stderr=subprocess.PIPE, text=True, env=environment()) as process:
            said = ""
            for line in process.stderr:
                said += line
                word = line.partition("epoch ")[2].split(" ")
                if word[0].isdigit() and int(word[0]) >= epoch:
                    process.send_signal(how)
                    break
            said += process.stderr.read()
        return process.returncode, said

    def rows(self):
        with open(self.logs / "training.csv", newline="", encoding="utf-8") as table:
            return [{key: float(value) for key, value in row.items() if key != "seconds"} for row in csv.DictReader(table)]


def check_best_so_far(stopped, place):
    """The model that Ctrl-C left is that of the best epoch in the table."""
    rows = stopped.rows()
    best = max(rows, key=lambda row: (row["validation_accuracy"], -row["validation_loss"]))
    run(KENNING, "inference_tester", "TensorFlowClassifier", "ImageFolderDataset", place / "best.json", "--dataset-root",
        stopped.images, *INPUT, "--model-path", stopped.model, "--split", "validation")
    accuracy = json.loads((place / "best.json").read_text())["summary"]["accuracy"]
    if abs(accuracy - best["validation_accuracy"]) > 1e-5:
        sys.exit(f"the model left has accuracy {accuracy}, the best of {len(rows)} epochs {best}")
    if all(row["validation_accuracy"] == best["validation_accuracy"] for row in rows):
        sys.exit("all epochs are equally good: this proves nothing")
    return int(best["epoch"]), len(rows)


def check_events(python, training):
    """What TensorFlow reads: every value of the table at its step (written again after a kill: the same), and the
    weights after each epoch."""
    read = json.loads(run(python, "-c", READ, training.logs, training.model))
    scalars, histograms = {}, {}
    for directory, tag, step, kind, value in read["values"]:
        (scalars if kind == "simple_value" else histograms).setdefault((directory, tag), {}).setdefault(step, set()).add(
            value)
    columns = {("train", "epoch_loss"): "loss", ("train", "epoch_accuracy"): "accuracy",
               ("validation", "epoch_loss"): "validation_loss", ("validation", "epoch_accuracy"): "validation_accuracy",
               ("train", "epoch_learning_rate"): "learning_rate"}
    if set(scalars) != set(columns):
        sys.exit(f"the event files hold {sorted(scalars)}")
    rows = training.rows()
    for key, column in columns.items():
        for row in rows:
            values = scalars[key].get(int(row["epoch"]) - 1, set())
            if len(values) != 1 or abs(values.copy().pop() - row[column]) > 1e-6 + 1e-6 * abs(row[column]):
                sys.exit(f"{key} of epoch {row['epoch']:.0f}: {values}, but training.csv has {row[column]}")
        if len(scalars[key]) != EPOCHS:
            sys.exit(f"{key}: {len(scalars[key])} epochs")
    sizes = sum(next(iter(steps[EPOCHS - 1])) for steps in histograms.values())
    if sizes != read["weights"] or any(len(steps) != EPOCHS for steps in histograms.values()):
        sys.exit(f"histograms of {sizes} weights of {read['weights']}")
    print(f"event files: {len(scalars)} scalars and {len(histograms)} histograms of {EPOCHS} epochs, as printed")


def main():
    try:
        python = environment_python()
    except (OSError, KeyError):
        skip("there is no Python with Keras: kenning install tflite")
    with tempfile.TemporaryDirectory(prefix="kenning-resume-") as directory:
        place = Path(directory)
        make_pictures(place / "images")
        run(python, "-c", MODEL, place / "first.h5")
        first = (place / "first.h5").read_bytes()
        whole, parts = Training(place, "whole", first), Training(place, "parts", first)
        run(*whole.words)
        code, said = parts.stop(10, signal.SIGINT)
        if code != 1 or "holds the model of epoch" not in said:
            sys.exit(f"stopped: exit code {code}, {said}")
        best, epochs = check_best_so_far(parts, place)
        print(f"stopped in epoch {epochs + 1}: the model left is that of epoch {best}")
        left = parts.model.read_bytes()
        code, said = parts.stop(60, signal.SIGKILL, "--training-resume")
        if code != -signal.SIGKILL or parts.model.read_bytes() != left:
            sys.exit(f"killed: exit code {code}, {said}")
        run(*parts.words, "--training-resume")
        if whole.rows() != parts.rows():
            sys.exit("the course of the interrupted training differs from that of the whole one")
        if whole.model.read_bytes() != parts.model.read_bytes():
            sys.exit("the model of the interrupted training differs from that of the whole one")
        print("stopped, killed and gone on with: the same model, bit by bit")
        check_events(python, parts)


if __name__ == "__main__":
    main()
