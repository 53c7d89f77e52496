#!/usr/bin/env python3
"""check-arrows finds what it must and nothing else:  arrows_selftest.py CHECK-ARROWS"""
import subprocess
import sys
import tempfile
from pathlib import Path

FILES = {
    "include/kenning/base.h": "",
    "include/kenning/bad.h": "\n#include <core/json.h>\n",
    "src/core/json.h": "#include <kenning/base.h>\n",
    "src/core/bad.c": '#include "json.h"\n/*\n#include "cli/main.h" */\n#include "cli/main.h"\n',
    "src/cli/main.h": '#include "core/json.h"\n#include "pipeline/run.h"\n',
    "src/metrics/good.c": '#include <kenning/base.h>\n#include "box.h"\n',
    "src/measurements/good.c": '#include "metrics/box.h"\n#include "core/json.h"\n',
    "src/wire/bad.c": '#include "core/json.h"\n',
    "src/metrics/bad.c": '#include "pipeline/run.h"\n',
    "src/pipeline/run.h": '#include "../metrics/box.h"\n',
    "src/metrics/box.h": "",
    "src/pipeline/bad.c": '#include "report/model.h"\n',
    "src/report/model.h": '#include "drawing/plot.h"\n',
    "src/drawing/plot.h": "",
    "src/datasets/good.c": '#include "split.h"\n#include <kenning/base.h>\n#include "imaging/image.h"\n',
    "src/imaging/image.h": "",
    "src/runtimes/bad.c": '#include "datasets/split.h"\n',
    "backends/iree/bad.c": '#include "imaging/image.h"\n',
    "src/datasets/split.h": "",
    "src/datasets/bad.c": '#  include "report/model.h"\n',
    "backends/tflite/good.c": '#include "api.h"\n#include <kenning/base.h>\n',
    "backends/tflite/api.h": "",
    "backends/tvm/bad.c": '\n\n#include "../tflite/api.h"\n',
    "src/utils/bad.c": "",
}
EXPECTED = ["backends/iree/bad.c:1:", "backends/tvm/bad.c:3:", "include/kenning/bad.h:2:",
            "src/core/bad.c:4:", "src/datasets/bad.c:1:", "src/metrics/bad.c:1:", "src/pipeline/bad.c:1:",
            "src/runtimes/bad.c:1:", "src/utils/bad.c:1:", "src/wire/bad.c:1:"]


def run(checker, root):
    done = subprocess.run([sys.executable, checker, root], capture_output=True, text=True, check=False)
    assert not done.stderr, done.stderr
    return done.returncode, done.stdout.splitlines()


def main():
    checker = sys.argv[1]
    with tempfile.TemporaryDirectory() as root:
        for name, text in FILES.items():
            path = Path(root, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        code, lines = run(checker, root)
        places = [line.split(" ")[0] for line in lines]
        assert (code, places) == (1, EXPECTED), (code, lines)
        for place in EXPECTED:
            Path(root, place.split(":")[0]).unlink()
        assert run(checker, root) == (0, [])


if __name__ == "__main__":
    main()
