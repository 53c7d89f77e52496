#!/usr/bin/env python3
"""A browser opens the page, draws every plot, and has nothing to complain about. Exits with 77, which ctest counts as
skipped, without Chromium."""
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from hostile_test import EVIL
from reports import GOLDEN, ReportTest, own_run

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Browser(ReportTest):
    def open(self, *files, flags=(), width=1200):
        """The page's elements after its scripts ran; fails on anything in the console."""
        self.render("r", self.path / "r.html", files, *flags)
        with tempfile.TemporaryDirectory(prefix="kenning-browser-") as profile:
            done = subprocess.run([CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                                   "--disable-background-networking", "--disable-component-update", "--disable-sync",
                                   f"--user-data-dir={profile}", "--enable-logging=stderr", f"--window-size={width},900",
                                   "--virtual-time-budget=5000", "--dump-dom", f"file://{self.path}/r.html"],
                                  capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        console = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
        self.assertEqual(console, [])
        return done.stdout

    def check_drawn(self, page, charts, matrices):
        # Line charts and matrices are canvases; a script that failed on the way would have left some out.
        self.assertEqual(len(re.findall(r'<div class="u-wrap"', page)), charts)
        self.assertEqual(len(re.findall(r'aria-label="Confusion matrix of', page)), matrices)

    def test_comparison(self):
        page = self.open(*[GOLDEN / "2022" / f"{name}.json" for name in ("native", "tflite-fp32", "tflite-int8")])
        self.check_drawn(page, 3, 3)
        self.assertIn('class="tradeoff"', page)

    def test_what_goes_on_sideways_is_marked(self):
        files = [GOLDEN / "2022" / f"{name}.json" for name in ("native", "tflite-fp32", "tflite-int8")]
        narrow, wide = self.open(*files, width=500), self.open(*files, width=1400)
        self.assertRegex(narrow, r'<nav [^>]*data-more="right"')
        self.assertRegex(narrow, r'<div class="scroll[^>]*data-more="right"[^>]*tabindex="0"')
        self.assertNotIn('data-more="', re.sub(r"<(style|script).*?</\1>", "", wide, flags=re.S))

    def test_one_run(self):
        page = self.open(self.write("a.json", own_run(1, 0.004, 0.1)))
        self.check_drawn(page, 3, 1)

    def test_little_data(self):
        for change in ({"target_inference_step": [0.001], "warmup_inferences": 0, "target_inference_step_timestamp": [1.0]},
                       {"eval_confusion_matrix": [[1]], "class_names": ["only"], "total": 1, "top_5_count": 1,
                        "predictions": [{"target": 0, "prediction": 0}], "model_outputs": []},
                       {"target_inference_step": [0.0] * 8, "target_inference_step_timestamp": [1.0] * 8}):
            run = own_run(1, 0.004, 0.1, count=5)
            run.update(change)
            self.check_drawn(self.open(self.write("a.json", run)), 3, 1)

    def test_hostile_texts_stay_texts(self):
        run = own_run(1, 0.004, 0.1)
        run.update({"class_names": [EVIL + str(i) for i in range(4)], "date": EVIL, "phases": [{"name": EVIL, "seconds": 1.0}]})
        page = self.open(self.write("a.json", run), self.write("b.json", own_run(1, 0.004, 0.1)), flags=("--model-names", EVIL[:150], "b"))
        self.assertNotIn("<title>owned", page)
        self.check_drawn(page, 3, 2)


if __name__ == "__main__":
    if not CHROMIUM:
        print("browser_test: skipped: there is no Chromium here (apt-get install chromium)")
        sys.exit(77)
    unittest.main()
