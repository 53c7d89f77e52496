#!/usr/bin/env python3
"""Makes the OpenVINO IR of the tests out of the ONNX classifier of the same name.

    make_models.py      (openvino 2026.4; files are written beside this one)

fp32.xml, fp32.bin: float32 [N,1,6,6] -> [N,3].   dynamic.xml, dynamic.bin: the same with free height and width.
"""
from pathlib import Path

import openvino

HERE = Path(__file__).parent
CLASSIFIER = HERE.parent.parent / "onnxruntime" / "data" / "fp32.onnx"


def main():
    model = openvino.Core().read_model(CLASSIFIER)
    openvino.save_model(model, HERE / "fp32.xml", compress_to_fp16=False)
    model.reshape({"x": openvino.PartialShape([-1, 1, -1, -1])})
    openvino.save_model(model, HERE / "dynamic.xml", compress_to_fp16=False)
    # Without the last line's end, so that a file that is cut anywhere is no longer one.
    for path in HERE.glob("*.xml"):
        path.write_text(path.read_text().rstrip())


if __name__ == "__main__":
    main()
