"""What the report's scenario tests share: measurement files, rendering, and reading the three formats back."""
import html.parser
import json
import math
import os
import random
import re
import statistics
import subprocess
import tempfile
import unittest
from pathlib import Path

KENNING = os.environ["KENNING_TEST_PROGRAM"]
SOURCES = Path(os.environ["KENNING_TEST_SOURCE_DIR"])
GOLDEN = SOURCES / "tests" / "golden" / "measurements"
PNG = b"\x89PNG\r\n\x1a\n"


class ReportTest(unittest.TestCase):
    def setUp(self):
        self.place = tempfile.TemporaryDirectory(prefix="kenning-report-")
        self.addCleanup(self.place.cleanup)
        self.path = Path(self.place.name)

    def run_kenning(self, *arguments, timeout=60):
        return subprocess.run([KENNING, *map(str, arguments)], capture_output=True, text=True, timeout=timeout)

    def render(self, name, out, files, *flags):
        """Renders and returns what the program said; fails the test unless it ends well."""
        done = self.run_kenning("render_report", name, out, "--measurements", *files, *flags)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def refused(self, code, *arguments):
        done = self.run_kenning("render_report", *arguments)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertTrue(done.stderr.strip(), "nothing was said")
        return done.stderr

    def write(self, name, measurements):
        path = self.path / name
        path.write_text(measurements if isinstance(measurements, str) else json.dumps(measurements), encoding="utf-8")
        return path


def own_run(seed, median, wrong, count=500, classes=4, warmup=3, compiled=None):
    """A file as this program writes it. Samples and classes depend on `seed` alone, errors on `wrong` too."""
    samples = random.Random(seed)
    drift = random.Random(f"{seed}-{median}-outputs")
    errors, noise = random.Random(f"{seed}-{wrong}"), random.Random(f"{seed}-{median}")
    targets = [samples.randrange(classes) for _ in range(count)]
    predictions = [(target + 1) % classes if errors.random() < wrong else target for target in targets]
    matrix = [[0] * classes for _ in range(classes)]
    for target, prediction in zip(targets, predictions):
        matrix[target][prediction] += 1
    steps = [median * math.exp(0.1 * noise.gauss(0, 1)) for _ in range(count + warmup)]
    models = [{"role": "input", "path": "m.h5", "format": "keras", "bytes": 3000000, "weights_bytes": 1000000,
               "sha256": "0" * 64, "contents": "optimizer state"}]
    if compiled:
        models.append({"role": "compiled", "path": "m.tflite", "format": "tflite", "bytes": compiled, "sha256": "1" * 64})
    times = [0.1 * i for i in range(20)]
    return {
        "kenning_schema": "1.0", "kenning_version": "0.1.0", "date": "2026-01-02T03:04:05Z", "complete": True,
        "model_framework": "tensorflow", "model_version": "2.21.0",
        "optimizers": [{"compiler_framework": "tensorflow", "compiler_version": "2.21.0"}] if compiled else [],
        "command": ["kenning json_inference_tester \\", "    scenario.json"], "build_cfg": {"dataset": {"type": "X"}},
        "class_names": [f"class {i}" for i in range(classes)], "warmup_inferences": warmup,
        "target_inference_step": steps, "target_inference_step_timestamp": [float(i) for i in range(len(steps))],
        "session_utilization_cpus_percent": [[50.0 + i, 10.0] for i in range(20)],
        "session_utilization_mem_percent": [20.0 + i / 10 for i in range(20)], "session_utilization_timestamp": times,
        "process_rss_bytes": [1e7 + 1e5 * i for i in range(20)], "process_cpu_percent": [90.0 + i for i in range(20)],
        "process_timestamp": times, "process_peak_rss_bytes": 13000000,
        "eval_confusion_matrix": matrix, "top_5_count": count, "total": count, "compiled_model_size": compiled or 3000000,
        "predictions": [{"target": t, "prediction": p} for t, p in zip(targets, predictions)], "models": models,
        "model_outputs": [[float(k == p) + wrong * 1e-3 * drift.random() for k in range(classes)] for p in predictions[:200]],
        "environment": {"hostname": "host", "cpu_model": "CPU"}, "run": {"dataset": "X", "split": "test", "batch_size": 1},
        "runtime_statistics": {"threads": 2, "delegates": [{"name": "XNNPACK", "operators": 3}], "operators": 4},
        "phases": [{"name": "load model", "seconds": 0.5}, {"name": "inference", "seconds": 2.0}],
    }


# ---- figures computed here, from the formulas ----

def significant(value):
    """Four significant digits with separators, as the report writes them."""
    decimals = max(0, 3 - math.floor(math.log10(float(f"{value:.3e}"))))
    return f"{value:,.{decimals}f}"


def seconds(value):
    for size, unit in ((1, "s"), (1e-3, "ms"), (1e-6, "\u00b5s"), (1e-9, "ns")):
        if value >= size * 0.99995 or unit == "ns":
            return f"{significant(value / size)} {unit}"


def wilson(successes, total, z=1.959963984540054):
    p = successes / total
    center = (p + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * math.sqrt(p * (1 - p) / total + z * z / (4 * total * total))
    return center - half, center + half


def paired_interval(lost, gained, total, z=1.959963984540054):
    """Of the difference of two accuracies on the same samples (Bonett and Price)."""
    p, q = (lost + 1) / (total + 2), (gained + 1) / (total + 2)
    half = z * math.sqrt((p + q - (q - p) ** 2) / (total + 2))
    return q - p - half, q - p + half


def expected_facts(measurements):
    """Label -> text of the figures of one run that have a closed form."""
    warmup = measurements.get("warmup_inferences", 0)
    steps = measurements["target_inference_step"]
    measured = steps[warmup:]
    matrix = measurements["eval_confusion_matrix"]
    rows, columns = [sum(row) for row in matrix], [sum(column) for column in zip(*matrix)]
    right, total, classes = sum(matrix[i][i] for i in range(len(matrix))), sum(rows), len(matrix)
    sensitivities = [matrix[i][i] / (rows[i] + 1e-8) for i in range(classes)]
    low, high = wilson(right, total)
    top_low, top_high = wilson(measurements["top_5_count"], measurements["total"])
    return {
        "First inference, with allocations": seconds(steps[0]),
        "Inferences measured": f"{len(measured):,}",
        "Warm-up inferences left out": f"{warmup:,}",
        "Mean": seconds(statistics.fmean(measured)),
        "Standard deviation": seconds(statistics.pstdev(measured)),
        "Fastest": seconds(min(measured)),
        "Slowest": seconds(max(measured)),
        "99th percentile": seconds(statistics.quantiles(measured, n=100, method="inclusive")[98]),
        "Samples": f"{total:,.0f}",
        "Accuracy": f"{right / total:.4f} (95% interval {low:.4f} \u2013 {high:.4f})",
        "Top-5 accuracy": f"{measurements['top_5_count'] / measurements['total']:.4f} "
                          f"(95% interval {top_low:.4f} \u2013 {top_high:.4f})",
        "Mean precision": f"{sum(matrix[i][i] / (columns[i] + 1e-8) for i in range(classes)) / classes:.4f}",
        "Mean sensitivity": f"{sum(sensitivities) / classes:.4f}",
        "G-mean": f"{math.prod(sensitivities) ** (1 / classes):.4f}",
    }


# ---- reading reports back ----

def unescape(text):
    return re.sub(r"\\(.)", r"\1", text)


def rst_facts(text):
    """[(label, value)] of the items in the order in which they stand."""
    return [(unescape(label), unescape(value)) for label, value in re.findall(r"^\* \*(.+?)\*: \*\*(.+?)\*\*$", text, re.M)]


def markdown_facts(text):
    return [(unescape(label), unescape(value)) for label, value in re.findall(r"^- \*(.+?)\*: \*\*(.+?)\*\*$", text, re.M)]


def rst_tables(text):
    tables = []
    for block in re.findall(r"^\.\. list-table::\n    :header-rows: 1\n\n((?:(?:    | +).*\n)+)", text, re.M):
        rows = []
        for line in block.splitlines():
            mark = re.match(r"    (\* -|  -) ?(.*)", line)
            if mark.group(1) == "* -":
                rows.append([])
            rows[-1].append(unescape(mark.group(2)))
        tables.append(rows)
    return tables


def markdown_tables(text):
    tables = []
    for block in re.findall(r"((?:^\|.*\|\n)+)", text, re.M):
        lines = block.splitlines()
        del lines[1]
        tables.append([[unescape(cell.strip()) for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines])
    return tables


class Page(html.parser.HTMLParser):
    """What the page shows: facts by (run, key) from the tables, headline likewise, labels by key; text; scripts; elements."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.facts, self.headline, self.labels, self.scripts, self.tags, self.text = {}, {}, {}, [], [], []
        self._script = self._into = None
        self._run, self._label = 0, []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append((tag, attributes))
        if tag == "script":
            self._script = attributes
            self.scripts.append([attributes, ""])
        if tag in ("td", "th", "dt"):
            self._into = None
        if tag == "tr":
            self._label = []
        if tag == "th":
            self._into = self._label
        if "data-run" in attributes:
            self._run = int(attributes["data-run"])
        if "data-fact" in attributes:
            key = attributes["data-fact"]
            place = self.facts if tag == "td" else self.headline
            self._into = place.setdefault((self._run, key), [])
            if tag == "td":
                self.labels[key] = "".join(self._label)
        if tag == "small" and self._into is not None:
            # The size of a model, which is no interval, has no title where it stands in the headline.
            if attributes.get("title") == "95% interval" or self._into in self.facts.values():
                self._into.append("|")
            else:
                self._into = None

    def handle_endtag(self, tag):
        if tag == "script":
            self._script = None
        if tag in ("td", "th", "dd"):
            self._into = None

    def handle_data(self, data):
        if self._script is not None:
            self.scripts[-1][1] += data
            return
        self.text.append(data)
        if self._into is not None:
            self._into.append(data)

    def fact(self, run, key, headline=False):
        """As RST writes it: the interval in parentheses."""
        value, _, interval = "".join((self.headline if headline else self.facts)[run, key]).partition("|")
        return f"{value} (95% interval {interval})" if interval else value

    def data(self):
        return json.loads(next(text for attributes, text in self.scripts if attributes.get("id") == "kenning-data"))
