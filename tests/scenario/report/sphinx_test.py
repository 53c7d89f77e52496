#!/usr/bin/env python3
"""Sphinx builds the RST reports without a warning. Exits with 77, which ctest counts as skipped, without Sphinx."""
import shutil
import subprocess
import sys
import unittest

from hostile_test import BREAKS, EVIL
from reports import GOLDEN, ReportTest, own_run

# Debian's Sphinx belongs to Debian's Python, which need not be the first one on PATH.
PYTHON = next((python for python in ("/usr/bin/python3", sys.executable)
               if shutil.which(python) and subprocess.run([python, "-c", "import sphinx"], capture_output=True).returncode == 0), None)


class Sphinx(ReportTest):
    def build(self, *names):
        (self.path / "conf.py").write_text("project = 'reports'\n")
        (self.path / "index.rst").write_text("Reports\n=======\n\n.. toctree::\n\n" + "".join(f"   {name}\n" for name in names))
        done = subprocess.run([PYTHON, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", self.path, self.path / "_build"],
                              capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return [(self.path / "_build" / f"{name}.html").read_text("utf-8") for name in names]

    def test_recordings_and_runs_of_our_own(self):
        self.render("cmp", self.path / "cmp.rst", [GOLDEN / "2022" / f"{name}.json" for name in ("native", "tflite-fp32", "tflite-int8")])
        self.render("today", self.path / "sub" / "today.rst", [GOLDEN / "2026" / "native.json"], "--root-dir", self.path)
        files = [self.write("a.json", own_run(1, 0.004, 0.1)), self.write("b.json", own_run(1, 0.001, 0.12, compiled=100000))]
        self.render("own", self.path / "own.rst", files)
        comparison, today, own = self.build("cmp", "sub/today", "own")
        for page, images in ((comparison, 19), (today, 4), (own, 15)):
            self.assertEqual(page.count("<img "), images)
        self.assertIn("0.9284", comparison)

    def test_hostile_texts(self):
        for number, evil in enumerate((EVIL, BREAKS, "*x `y` |z| w_", "1. x", "- x", ".. x", ":x: y", "x::", "", " ", "\\", "(a) x", "__", "a`b`_")):
            run = own_run(1, 0.001, 0.1, count=30)
            run.update({"class_names": [evil + str(i) for i in range(4)], "model_framework": evil, "date": evil, "command": [evil],
                        "environment": {"hostname": evil}, "phases": [{"name": evil, "seconds": 1.0}],
                        "runtime_statistics": {evil: evil}, "build_cfg": {evil: evil}})
            self.render(f"report {number}", self.path / f"r{number}.rst", [self.write("evil.json", run)], "--img-dir", self.path / f"i{number}")
        for page in self.build(*[f"r{i}" for i in range(number + 1)]):
            self.assertNotIn("<b>x</b>", page)
            self.assertNotIn("document.title='owned'</script>", page)


if __name__ == "__main__":
    if not PYTHON:
        print("sphinx_test: skipped: no Python here has Sphinx (apt-get install python3-sphinx)")
        sys.exit(77)
    unittest.main()
