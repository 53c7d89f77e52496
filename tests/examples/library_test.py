#!/usr/bin/env python3
"""examples/library as somebody with an installation uses it: built through the CMake package and through pkg-config, and
run on pictures in the layout of the Pet data set with a small Keras classifier: compiled to float32 and int8, run and
measured. What the program measures with the seed's scenarios has every key of the original's recordings, of both eras,
in the original's form; what the library measures has the keys of the program. Exit: 0 good, 1 not, 77 the programs were built, but no engine is installed to run them.

    library_test.py SOURCE-DIRECTORY RELEASE-BUILD-DIRECTORY C-COMPILER
"""
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE, BUILD, COMPILER = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
sys.dont_write_bytecode = True
sys.path.insert(0, str(SOURCE / "bench"))
from figures import environment_python  # noqa: E402

# Fast to convert and to run; answers depend on the colours of the picture.
MODEL = """
import sys, keras
keras.utils.set_random_seed(1)
keras.Sequential([keras.layers.Input((224, 224, 3)), keras.layers.Conv2D(8, 9, strides=16, activation="relu"),
                  keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(37)]).save(sys.argv[1])
"""


def clean():
    environment = {name: value for name, value in os.environ.items() if not name.endswith("SAN_OPTIONS")}
    environment.pop("CMAKE_C_COMPILER_LAUNCHER", None)
    return environment


def run(*command, code=0, **variables):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          env=clean() | variables, check=False)
    if done.returncode != code:
        sys.exit(f"{command}: exit code {done.returncode}, not {code}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def build(work):
    """The two programs, each built in both ways."""
    prefix = work / "prefix"
    run("cmake", "--install", BUILD, "--prefix", prefix)
    run("cmake", "-S", SOURCE / "examples/library", "-B", work / "cmake", f"-DCMAKE_PREFIX_PATH={prefix}",
        f"-DCMAKE_C_COMPILER={COMPILER}", "-DCMAKE_C_FLAGS=-Wall -Wextra -Werror")
    run("cmake", "--build", work / "cmake")
    library = next(prefix.rglob("kenning.pc")).parent.parent
    flags = run("pkg-config", "--cflags", "--libs", "kenning", PKG_CONFIG_PATH=str(library / "pkgconfig")).split()
    for name in ("compile", "run"):
        run(COMPILER, "-std=c17", "-Wall", "-Wextra", "-Werror", SOURCE / f"examples/library/{name}.c", "-o",
            work / f"{name}-pkg-config", *flags)
    return work / "cmake", {"LD_LIBRARY_PATH": str(library)}


def check_messages(programs, work):
    """What cannot be done is told, and nothing is written."""
    out = work / "none.json"
    text = run(programs / "run", work / "nowhere", work / "none.h5", work / "none.tflite", out, code=1)
    assert "none.h5" in text and "none.tflite" in text, text
    assert not out.exists()
    for name, words in (("compile", ["--help"]), ("compile", ["set", "model.h5"]), ("run", ["set", "m.h5", "m.tflite"])):
        text = run(programs / name, *words, code=2)
        assert text.startswith(f"usage: {name} ["), text


def prepare(work):
    pillow = subprocess.run([SOURCE / "scripts/pillow-environment"], stdout=subprocess.PIPE, text=True, check=False)
    try:
        keras = environment_python()
    except (OSError, KeyError):
        keras = None
    if pillow.returncode or not keras:
        print("built, not run: kenning install tensorflow tflite, and Python with Pillow 13")
        sys.exit(77)
    run(pillow.stdout.strip(), SOURCE / "bench/pets_data.py", work / "pets", 6)
    run(keras, "-c", MODEL, work / "pets.h5", TF_CPP_MIN_LOG_LEVEL="2")


def check_run(programs, work, variables):
    for target in ("default", "int8"):
        compiled, out = work / f"{target}.tflite", work / f"{target}.json"
        text = run(programs / "compile", work / "pets", work / "pets.h5", compiled, target)
        assert f"compiled: {compiled}" in text, text
        run(work / "run-pkg-config", work / "pets", work / "pets.h5", compiled, out, **variables)
        results = json.loads(out.read_text())
        assert results["complete"] is True and results["run"]["split"] == "test", results["run"]
        assert len(results["target_inference_step"]) >= results["run"]["samples"] > 0
        spec = json.loads((work / f"{target}.tflite.json").read_text())
        assert spec["input"][0]["dtype"] == {"default": "float32", "int8": "int8"}[target], spec
    assert (work / "default.tflite").stat().st_size > (work / "int8.tflite").stat().st_size
    assert json.loads((work / "pets.h5.json").read_text())["input"][0]["shape"][1:] == [224, 224, 3]


def scenario(work, target):
    """The seed's scenario for a target, in other places; None: native."""
    name = {None: "native", "int8": "tflite-int8"}[target]
    blocks = json.loads((SOURCE / f"scenarios/pets/{name}.json").read_text())
    blocks["dataset"]["parameters"] = {"dataset_root": str(work / "pets")}
    blocks["model_wrapper"]["parameters"]["model_path"] = str(work / "pets.h5")
    if target:
        blocks["optimizers"][0]["parameters"]["compiled_model_path"] = str(work / "scenario.tflite")
        blocks["runtime"]["parameters"]["save_model_path"] = str(work / "scenario.tflite")
    path = work / f"{name}.json"
    path.write_text(json.dumps(blocks))
    return name, path


def form(value):
    """Kinds of values, lists by their first item; the original keeps sizes now as int, now as float."""
    if isinstance(value, list):
        return [form(value[0])] if value else []
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return type(value).__name__
    return "number"


def fits(ours, recorded):
    return ours == recorded or (isinstance(ours, list) and isinstance(recorded, list) and (not ours or not recorded))


def check_recordings(work):
    for target in (None, "int8"):
        name, path = scenario(work, target)
        out = work / f"{name}-out.json"
        run(BUILD / "kenning", "json_inference_tester", path, out, "--verbosity", "INFO")
        ours = json.loads(out.read_text())
        for era in ("2022", "2026"):
            recorded = json.loads((SOURCE / f"tests/golden/measurements/{era}/{name}.json").read_text())
            for key, value in recorded.items():
                assert key in ours, f"{era} {name}: no {key}"
                assert fits(form(ours[key]), form(value)), f"{era} {name}: {key} is {form(ours[key])}, not {form(value)}"
            for key in ("model_wrapper", "dataset", "optimizers", "runtime"):
                assert ours["build_cfg"].get(key) or not recorded["build_cfg"].get(key), f"{era} {name}: build_cfg.{key}"
            assert set(recorded["tags"][0]) <= set(ours["tags"][0]) if "tags" in recorded else True
    library = json.loads((work / "int8.json").read_text())
    missing = set(ours) - set(library) - {"cfg_path", "command", "optimizer_records"}
    assert not missing, f"the library does not measure {missing}"


def main():
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        programs, variables = build(work)
        check_messages(programs, work)
        prepare(work)
        check_run(programs, work, variables)
        check_recordings(work)


main()
