#!/usr/bin/env python3
"""One small network, trained here on Fashion-MNIST, through every framework that is installed.

    frameworks_test.py DIRECTORY model          trains it, and writes what the rows below start from
    frameworks_test.py DIRECTORY ROW            runs one row: outputs like TensorFlow's, or as good in 8 bits
    frameworks_test.py DIRECTORY auto           lets the runtime be chosen, and looks at the choice
    frameworks_test.py DIRECTORY report         every row that was run stands in the report, in each of its formats

Exits with 77, which ctest counts as skipped, where the framework of a row is not installed; the last line says which.
"""
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

SOURCES = Path(os.environ["KENNING_TEST_SOURCE_DIR"])
KENNING = Path(os.environ["KENNING_TEST_RELEASE_DIR"]) / "kenning"
SKIPPED = 77
BOUND = 1e-4      # of the largest output, for float32
AGREEMENT = 0.97  # of the classes, for int8
LOSS = 0.01       # of accuracy, for int8; also the bound that OpenVINOQuantizer is given


def tflite(**parameters):
    return {"type": "kenning.compilers.tflite.TFLiteCompiler", "parameters": parameters}


def block(name, **parameters):
    return {"type": name, "parameters": parameters}


INT8 = tflite(target="int8", inference_input_type="int8", inference_output_type="int8", compiled_model_path="int8.tflite")
FP32 = tflite(target="default", compiled_model_path="fp32.tflite")
ONNX = block("kenning.compilers.onnx.ONNXCompiler", compiled_model_path="fp32.onnx")

# Row: frameworks that it needs, optimizers, runtime, and another model than the trained one. Where the optimizers do not
# meet the model (TVMCompiler and IREECompiler take no Keras model) the conversion between them is inserted.
ROWS = {
    "native": ([], [], None),
    "tflite-fp32": (["tflite"], [FP32], block("TFLiteRuntime", save_model_path="fp32.tflite")),
    "tflite-int8": (["tflite"], [INT8], block("TFLiteRuntime", save_model_path="int8.tflite")),
    "litert-fp32": (["tflite", "litert"], [FP32], block("TFLiteRuntime", save_model_path="fp32.tflite", engine="litert")),
    "litert-int8": (["tflite", "litert", "ai-edge-quantizer"], [FP32, block("AIEdgeQuantizer", compiled_model_path="edge.tflite")],
                    block("TFLiteRuntime", save_model_path="edge.tflite", engine="litert")),
    "onnxruntime-fp32": (["onnx", "onnxruntime"], [ONNX], block("ONNXRuntime", save_model_path="fp32.onnx")),
    "onnxruntime-int8": (["onnx", "onnxruntime"], [ONNX, block("ONNXRuntimeQuantizer", compiled_model_path="int8.onnx")],
                         block("ONNXRuntime", save_model_path="int8.onnx")),
    "onnx-int8": (["tflite", "onnx", "onnxruntime"],
                  [INT8, block("kenning.compilers.onnx.ONNXCompiler", compiled_model_path="from-int8.onnx")],
                  block("ONNXRuntime", save_model_path="from-int8.onnx")),
    "openvino-fp32": (["onnx", "openvino"], [ONNX], block("OpenVINORuntime", save_model_path="fp32.onnx")),
    "openvino-int8": (["onnx", "openvino"],
                      [ONNX, block("OpenVINOQuantizer", compiled_model_path="int8.xml", max_accuracy_drop=LOSS)],
                      block("OpenVINORuntime", save_model_path="int8.xml")),
    "openvino-depthwise": (["onnx", "openvino"],
                           [ONNX, block("OpenVINOQuantizer", compiled_model_path="int8.xml", accuracy_control=False)],
                           block("OpenVINORuntime", save_model_path="int8.xml"), "depthwise.h5"),
    "onnxruntime-depthwise": (["onnx", "onnxruntime"], [ONNX, block("ONNXRuntimeQuantizer", compiled_model_path="int8.onnx")],
                              block("ONNXRuntime", save_model_path="int8.onnx"), "depthwise.h5"),
    "tvm-fp32": (["onnx", "tvm"], [block("TVMCompiler", compiled_model_path="fp32.tar")],
                 block("TVMRuntime", save_model_path="fp32.tar")),
    "tvm-int8": (["tflite", "tvm"], [INT8, block("TVMCompiler", compiled_model_path="int8.tar")],
                 block("TVMRuntime", save_model_path="int8.tar")),
    "iree-fp32": (["onnx", "tflite", "iree"], [block("IREECompiler", compiled_model_path="fp32.vmfb")],
                  block("IREERuntime", save_model_path="fp32.vmfb", driver="local-sync")),
    "iree-saved_model": (["onnx", "tflite", "iree"], [block("IREECompiler", compiled_model_path="saved.vmfb")],
                         block("IREERuntime", save_model_path="saved.vmfb", driver="local-sync"), "saved_model"),
    "iree-int8": (["tflite", "iree"], [INT8, block("IREECompiler", compiled_model_path="int8.vmfb")],
                  block("IREERuntime", save_model_path="int8.vmfb", driver="local-sync")),
    "pytorch-fp32": (["pytorch"], [], block("PyTorchRuntime", save_model_path="model.pt")),
    "pytorch-script": (["onnx", "pytorch", "pytorch-tools"], [block("TorchScriptCompiler", compiled_model_path="script.pt")],
                       block("PyTorchRuntime", save_model_path="script.pt")),
    "pytorch-inductor": (["onnx", "pytorch", "pytorch-tools"], [block("AOTInductorCompiler", compiled_model_path="model.pt2")],
                         block("PyTorchRuntime", save_model_path="model.pt2")),
    "tvm-script": (["onnx", "pytorch-tools", "tvm"], [block("TorchScriptCompiler", compiled_model_path="script.pt"),
                                                      block("TVMCompiler", compiled_model_path="script.tar")],
                   block("TVMRuntime", save_model_path="script.tar")),
    "mxnet-fp32": (["mxnet"], [], block("MXNetRuntime", save_model_path="model.params")),
    "mxnet-tvm": (["mxnet", "onnx-mxnet", "tvm"], [block("TVMCompiler", compiled_model_path="mxnet.tar")],
                  block("TVMRuntime", save_model_path="mxnet.tar"), "model.params"),
    "mxnet-iree": (["mxnet", "onnx-mxnet", "iree"], [block("IREECompiler", compiled_model_path="mxnet.vmfb")],
                   block("IREERuntime", save_model_path="mxnet.vmfb", driver="local-sync"), "model.params"),
    "mxnet-inductor": (["mxnet", "onnx-mxnet", "pytorch", "pytorch-tools"],
                       [block("AOTInductorCompiler", compiled_model_path="mxnet.pt2")],
                       block("PyTorchRuntime", save_model_path="mxnet.pt2"), "model.params"),
}


WRAPPERS = {".params": "MXNetFashionMNISTCNN"}  # of the model's file; others are Keras's
SLOW = {"iree-saved_model", "iree-int8", "pytorch-script", "pytorch-inductor", "tvm-script", "mxnet-tvm", "mxnet-iree",
        "mxnet-inductor"}


def kenning(directory, *arguments, **variables):
    return subprocess.run([KENNING, *map(str, arguments)], cwd=directory, capture_output=True, text=True,
                          env=os.environ | variables)


def need(directory, frameworks):
    missing = [name for name in frameworks if kenning(directory, "doctor", name).returncode]
    if missing:
        print(f"not installed: kenning install {' '.join(missing)}")
        sys.exit(SKIPPED)


def check(condition, message):
    if not condition:
        sys.exit(f"frameworks_test: {message}")


def scenario(row):
    _, optimizers, runtime, *model = ROWS[row]
    path = model[0] if model else "model.h5"
    whole = {"model_wrapper": block(WRAPPERS.get(Path(path).suffix, "TensorFlowFashionMNISTCNN"), model_path=path, num_threads=1),
             "dataset": block("FashionMNISTDataset", dataset_root="fashion-mnist", download_dataset=True),
             "optimizers": optimizers}
    if runtime:
        runtime["parameters"]["num_threads"] = 1
        whole["runtime"] = runtime
    return whole


def installed():
    return Path(os.environ.get("KENNING_DATA_DIR") or
                Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "kenning")


def python_of(framework):
    lock = json.loads((installed() / framework / "lock.json").read_text())
    return installed() / lock["environment"]["directory"] / "bin" / "python"


def largest_weights(model):
    """The largest magnitude in the int8 weights of each layer of an .onnx file, by the layer's name."""
    script = ("import json, sys, onnx; from onnx.numpy_helper import to_array as a; g = onnx.load(sys.argv[1]).graph; "
              "w = {t.name: int(abs(a(t).astype(int)).max()) for t in g.initializer if t.data_type == onnx.TensorProto.INT8}; "
              "q = {n.output[0]: w[n.input[0]] for n in g.node if n.op_type == 'DequantizeLinear' and n.input[0] in w}; "
              "print(json.dumps({'depthwise' if any(x.name == 'group' and x.i > 1 for x in n.attribute) else n.name: q[n.input[1]] "
              "for n in g.node if n.op_type in ('Conv', 'Gemm', 'MatMul')}))")
    done = subprocess.run([python_of("onnxruntime"), "-I", "-c", script, model], capture_output=True, text=True)
    check(done.returncode == 0, done.stderr)
    return json.loads(done.stdout)


# ---- steps ----

def make_model(directory):
    need(directory, ["tensorflow", "tflite"])
    for old in directory.glob("*.measured.json"):
        old.unlink()
    done = kenning(directory, "model_training", "TensorFlowFashionMNISTCNN", "FashionMNISTDataset", "--dataset-root",
                   "fashion-mnist", "--download-dataset", "--model-path", "model.h5", "--batch-size", 128, "--learning-rate",
                   0.003, "--num-epochs", 1, "--seed", 1, "--num-threads", 1, "--logdir", "logs")
    check(done.returncode == 0, f"training failed:\n{done.stderr}")
    shutil.rmtree(directory / "saved_model", ignore_errors=True)
    script = ("import sys, runpy, keras; L = keras.layers; keras.Sequential([keras.Input((28, 28, 1)), "
              "L.Conv2D(8, 3, use_bias=False), L.BatchNormalization(), L.ReLU(6), L.DepthwiseConv2D(3, use_bias=False), "
              "L.BatchNormalization(), L.ReLU(6), L.Flatten(), L.Dense(10, 'softmax')]).save('depthwise.h5'); "
              "keras.models.load_model('model.h5', compile=False).export('saved_model', "
              "verbose=False); sys.argv = ['', 'model.h5', 'model.pt', 'model.params']; "
              f"runpy.run_path({str(SOURCES / 'bench' / 'keras_exports.py')!r}, run_name='__main__')")
    done = subprocess.run([python_of("tflite"), "-I", "-c", script], cwd=directory, capture_output=True, text=True)
    check(done.returncode == 0, f"the model's other forms were not written:\n{done.stderr[-4000:]}")


def difference(reference, other):
    """Of the outputs that the files hold, relative to the largest of the reference."""
    a, b = reference["model_outputs"], other["model_outputs"]
    check(len(a) == len(b) >= 1000, f"outputs of {len(a)} and {len(b)} samples are recorded")
    largest = max(abs(value) for row in a for value in row)
    check(max(max(column) - min(column) for column in zip(*a)) > 0.1 * largest, "the reference's outputs are constant")
    return max(abs(x - y) for one, two in zip(a, b) for x, y in zip(one, two)) / largest


def accuracy(run):
    return run["summary"]["accuracy"]


def run_row(directory, row):
    if row in SLOW and not os.environ.get("KENNING_TEST_ALL"):
        print("not checked: only make test-all runs this row")
        sys.exit(SKIPPED)
    need(directory, ["tensorflow", *ROWS[row][0]])
    (directory / f"{row}.json").write_text(json.dumps(scenario(row), indent=4))
    result = directory / f"{row}.measured.json"
    done = kenning(directory, "json_inference_tester", f"{row}.json", result.name)
    check(done.returncode == 0, f"{row} ended with {done.returncode}:\n{done.stderr}")
    run = json.loads(result.read_text())
    if row == "native":
        check(accuracy(run) > 0.8, f"the trained model has an accuracy of {accuracy(run)}")
        return
    native = json.loads((directory / "native.measured.json").read_text())
    check([one["target"] for one in run["predictions"]] == [one["target"] for one in native["predictions"]],
          "other samples were run")
    if row == "openvino-depthwise":
        # Its weights are random: what counts is that every layer multiplies bytes.
        record = run["optimizer_records"][-1]
        check(record["int8_constants"] == record["layers"] == 3, f"8 bits in {record['int8_constants']} of {record['layers']} layers")
        return
    if row == "onnxruntime-depthwise":
        largest = largest_weights(directory / "int8.onnx")
        check(len(largest) == 3 and largest.pop("depthwise", 0) > 64 and max(largest.values()) <= 64,
              f"7 bits where sums overflow, 8 in the depthwise layer; instead {largest}")
        return
    apart = difference(native, run)
    same = sum(a["prediction"] == b["prediction"] for a, b in zip(native["predictions"], run["predictions"]))
    agreement = same / len(native["predictions"])
    print(f"{row}: outputs differ by {apart:.1e}, {agreement:.4f} of the classes are the same, "
          f"accuracy {accuracy(run):.4f} ({accuracy(native):.4f})")
    if "int8" in row:
        check(agreement >= AGREEMENT and accuracy(run) >= accuracy(native) - LOSS, "8 bits cost too much")
    else:
        check(apart <= BOUND, f"outputs differ by more than {BOUND}")


def choose(directory):
    need(directory, ["tensorflow", "tflite"])
    whole = scenario("native") | {"runtime": block("auto", num_threads=1)}
    (directory / "auto.json").write_text(json.dumps(whole, indent=4))
    shutil.rmtree(directory / "auto.measured.json.auto", ignore_errors=True)
    done = kenning(directory, "json_inference_tester", "auto.json", "auto.measured.json")
    check(done.returncode == 0, done.stderr)
    run, native = (json.loads((directory / f"{name}.measured.json").read_text()) for name in ("auto", "native"))
    field = {one["runtime"].rpartition(".")[2]: one for one in run["runtime_selection"]}
    measured = {name: one["median_s"] for name, one in field.items() if "median_s" in one}
    print("; ".join(f"{name}: {one.get('median_s') or one.get('failed') or one.get('needs')}" for name, one in field.items()))
    for name, framework in (("TFLiteRuntime", "tflite"), ("ONNXRuntime", "onnxruntime"), ("OpenVINORuntime", "openvino"),
                            ("TVMRuntime", "tvm"), ("IREERuntime", "iree")):
        there = not kenning(directory, "doctor", framework).returncode and not kenning(directory, "doctor", "onnx").returncode
        check(name in field, f"{name} is not in the field")
        if there:
            check(name in measured, f"{name} is installed, but: {field[name]}")
    best = min(measured, key=measured.get)
    chosen = [name for name, one in field.items() if one.get("chosen")]
    check(chosen == [best], f"{chosen} is chosen, {best} has the smallest median")
    # The medians are those of the trials, which ran on the calibration split.
    for name, median in measured.items():
        trial = json.loads((directory / "auto.measured.json.auto" / f"{name}.measured.json").read_text())
        check(abs(trial["summary"]["inference"]["median"] / median - 1) < 1e-9 and trial["run"]["split"] == "calibration",
              f"the trial of {name} does not have the median that is recorded")
    check(run["run"]["split"] == "test" and run["runtime_statistics"]["type"].endswith(best), "something else ran in the end")
    check(difference(native, run) <= BOUND, "outputs differ")
    for out in ("auto.rst", "auto.md"):
        done = kenning(directory, "render_report", "Auto", out, "--measurements", "auto.measured.json", "--to-html", "auto")
        check(done.returncode == 0, done.stderr)
    for text in (Path(directory / name).read_text("utf-8") for name in ("auto.rst", "auto.md", "auto/index.html")):
        text = text.replace("\\", "")
        check("was chosen by median inference time" in text and all(name in text for name in field),
              "a report does not show the field")


def choose_by_flags(directory):
    """Where TensorFlow Lite alone is installed, it alone is tried, as the flags say."""
    only = directory / "only"
    only.mkdir(exist_ok=True)
    for name in ("tflite", "environments"):
        if not (only / name).exists():
            (only / name).symlink_to(installed() / name)
    shutil.rmtree(directory / "flags.json.auto", ignore_errors=True)
    done = kenning(directory, "inference_tester", "TensorFlowFashionMNISTCNN", "RandomizedClassificationDataset", "flags.json",
                   "--runtime-cls", "auto", "--num-threads", 1, "--model-path", "model.h5", "--num-samples", 60, "--num-classes",
                   10, "--input-dims", 28, 28, 1, KENNING_DATA_DIR=str(only))
    check(done.returncode == 0, done.stderr)
    check("which the runtime names" not in done.stderr, f"nobody named a model: {done.stderr}")
    trial = json.loads((directory / "flags.json.auto" / "TFLiteRuntime.trial.json").read_text())
    check(trial["runtime"]["parameters"] == {"num_threads": 1}, f"the trial had the parameters {trial['runtime']}")
    run = json.loads((directory / "flags.json").read_text())
    check(run["run"]["threads"] == 1, f"{run['run']['threads']} threads ran")
    check({one["runtime"].rpartition(".")[2] for one in run["runtime_selection"] if "needs" not in one} == {"TFLiteRuntime"},
          f"others were tried: {run['runtime_selection']}")


def report(directory):
    rows = [row for row in ROWS if (directory / f"{row}.measured.json").exists()]
    check(rows[:1] == ["native"] and len(rows) > 1, "no row was run")
    files = [f"{row}.measured.json" for row in rows]
    for out in ("report.rst", "report.md"):
        done = kenning(directory, "render_report", "Frameworks", out, "--measurements", *files, "--model-names", *rows,
                       "--to-html", "page")
        check(done.returncode == 0, done.stderr)
    native = json.loads((directory / files[0]).read_text())
    page = (directory / "page" / "index.html").read_text("utf-8")
    texts = [(directory / name).read_text("utf-8") for name in ("report.rst", "report.md")]
    for index, row in enumerate(rows):
        check(all(row in text for text in (page, *texts)), f"the report has no {row}")
        if not index:
            continue
        wanted = f"{difference(native, json.loads((directory / files[index]).read_text())):.1e}"
        cell = re.search(rf'<td data-run="{index}" data-fact="paired.outputs">([^<]*)</td>', page)
        check(cell and cell.group(1) == wanted, f"the page does not say that the outputs of {row} differ by {wanted}")
        check(all(wanted in text for text in texts), f"a text does not say that the outputs of {row} differ by {wanted}")
    print(f"{len(rows)} of {len(ROWS)} rows: {', '.join(rows)}")


def main():
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    step = sys.argv[2]
    if step == "model":
        make_model(directory)
    elif step == "auto":
        choose(directory)
        choose_by_flags(directory)
    elif step == "report":
        need(directory, ["tensorflow", "tflite"])
        report(directory)
    else:
        run_row(directory, step)


if __name__ == "__main__":
    main()
