#!/usr/bin/env python3
"""The scenarios of EfficientNet-Lite0, a network that was really trained on ImageNet, on its 20 photographs. With
KENNING_TEST_ALL=1: it fetches 32 MB and converts twice. Exit: 0 as expected, 1 not, 77 left out or not installed."""
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(os.environ["KENNING_TEST_SOURCE_DIR"])
KENNING = Path(os.environ["KENNING_TEST_RELEASE_DIR"]) / "kenning"
SCENARIOS = ROOT / "scenarios" / "imagenet" / "efficientnet-lite0"
OUT = ROOT / "build" / "efficientnet-lite0"
# Of 20 photographs, right at least; a network that guesses has one in 1000.
RIGHT = {"native": 16, "tflite-fp32": 16, "tflite-int8": 14}
TOP_5 = 18


def run(*command):
    environment = {name: value for name, value in os.environ.items() if not name.endswith("SAN_OPTIONS")}
    environment["KENNING"] = str(KENNING)
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, env=environment, cwd=ROOT,
                          check=False)
    if done.returncode == 3:
        print(done.stderr)
        sys.exit(77)
    if done.returncode:
        sys.exit(f"{command}: exit code {done.returncode}\n{done.stdout}{done.stderr}")


def main():
    if not os.environ.get("KENNING_TEST_ALL") or not KENNING.exists():
        print("left out: KENNING_TEST_ALL is not set, or there is no release build")
        sys.exit(77)
    run(ROOT / "scripts" / "efficientnet-lite0")
    results = {}
    for name in RIGHT:
        run(KENNING, "json_inference_tester", SCENARIOS / f"{name}.json", OUT / f"{name}.json")
        results[name] = json.loads((OUT / f"{name}.json").read_text())
    for name, least in RIGHT.items():
        result = results[name]
        right = sum(one["target"] == one["prediction"] for one in result["predictions"])
        print(f"{name}: {right} of {result['total']} right, {result['top_5_count']} among the first five")
        if result["total"] != 20 or right < least or result["top_5_count"] < TOP_5:
            sys.exit(f"{name}: at least {least} right and {TOP_5} among the first five were expected")
    if results["native"]["predictions"] != results["tflite-fp32"]["predictions"]:
        sys.exit("TensorFlow and TensorFlow Lite in float32 do not predict the same")


if __name__ == "__main__":
    main()
