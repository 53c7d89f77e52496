#!/usr/bin/env python3
"""Predictions on pictures of pets, from their files to the class: TensorFlow in C and TensorFlow Lite in float32 say of
every image what Keras says of the pixels that Pillow 13 makes of it. 37 images natively; with KENNING_TEST_ALL=1 740 of
them, converted too. Exit: 0 equal, 1 not, 77 something is not installed."""
import array
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(os.environ["KENNING_TEST_SOURCE_DIR"])
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "bench"))
from figures import environment_python  # noqa: E402

CLASSES = 37
ALL = bool(os.environ.get("KENNING_TEST_ALL"))
RELEASE = Path(os.environ["KENNING_TEST_RELEASE_DIR"]) / "kenning"
KENNING = RELEASE if RELEASE.exists() else Path(os.environ["KENNING_TEST_PROGRAM"])


def skip(why):
    print(why)
    sys.exit(77)


def run(*command):
    environment = {name: value for name, value in os.environ.items() if not name.endswith("SAN_OPTIONS")}
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, env=environment, check=False)
    if done.returncode == 3:
        skip(done.stderr)
    if done.returncode:
        sys.exit(f"{command}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


def pythons():
    """Of Keras and of Pillow."""
    try:
        keras = environment_python()
    except (OSError, KeyError):
        skip("there is no Python with Keras: kenning install tflite")
    pillow = subprocess.run([ROOT / "scripts" / "pillow-environment"], stdout=subprocess.PIPE, text=True, check=False)
    if pillow.returncode:
        skip("there is no Python with Pillow 13")
    return keras, pillow.stdout.strip()


def expected(data):
    logits = array.array("f", (data / "logits.f32").read_bytes())
    rows = [logits[i:i + CLASSES] for i in range(0, len(logits), CLASSES)]
    return [max(range(CLASSES), key=row.__getitem__) for row in rows]


def predicted(place, name, *flags):
    results = place / f"{name}.json"
    run(KENNING, "inference_tester", "TensorFlowPetDatasetMobileNetV2", "PetDataset", results, "--dataset-root",
        place / "pets", "--split", "all", "--model-path", place / "pets.h5", *flags)
    return [one["prediction"] for one in json.loads(results.read_text())["predictions"]]


def compare(name, ours, keras):
    wrong = [i for i, (a, b) in enumerate(zip(ours, keras, strict=True)) if a != b]
    print(f"{name}: {len(keras) - len(wrong)} of {len(keras)} predictions are those of Keras")
    if wrong:
        sys.exit(f"{name} differs for images {wrong[:10]}")


def main():
    keras, pillow = pythons()
    with tempfile.TemporaryDirectory(prefix="kenning-pets-") as directory:
        place = Path(directory)
        run(pillow, "-B", ROOT / "bench" / "pets_data.py", place / "pets", 20 if ALL else 1)
        run(keras, "-B", ROOT / "bench" / "pets_model.py", place / "pets", place / "pets.h5")
        wanted = expected(place / "pets")
        compare("TensorFlow", predicted(place, "native"), wanted)
        if ALL:
            compiled = place / "fp32.tflite"
            compare("TensorFlow Lite", predicted(
                place, "fp32", "--compiler-cls", "TFLiteCompiler", "--runtime-cls", "TFLiteRuntime", "--target",
                "default", "--compiled-model-path", compiled, "--save-model-path", compiled), wanted)


if __name__ == "__main__":
    main()
