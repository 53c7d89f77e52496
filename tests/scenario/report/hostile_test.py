#!/usr/bin/env python3
"""Measurement files are anybody's: each gives a clean error or a page that is nothing but a report."""
import base64
import hashlib
import json
import os
import re
import unittest
import unittest.mock

from reports import GOLDEN, Page, ReportTest, own_run

EVIL = "</script><script>document.title='owned'</script><img src=x onerror=alert(1)>\"'><!--<script>"
BREAKS = "a\n.. raw:: html\n\n    <b>x</b>\r\u2028.. include:: /etc/passwd\u0085x"


class Hostile(ReportTest):
    def broken(self, change, says=None):
        run = own_run(1, 0.001, 0.1, count=20)
        text = change(run)
        file = self.write("broken.json", text if isinstance(text, str) else run)
        # All formats are written from what is read here.
        said = self.refused(2, "r", self.path / "r.html", "--measurements", file)
        self.assertIn("broken.json", said)
        if says:
            self.assertIn(says, said)
        self.assertFalse((self.path / "r.html").exists(), "half a report was left")

    def test_what_is_no_measurement_file_is_refused(self):
        self.broken(lambda run: "")
        self.broken(lambda run: "{")
        self.broken(lambda run: "[]")
        self.broken(lambda run: "\x00\xff" * 50)
        self.broken(lambda run: '{"target_inference_step": [0.1, 0.2')
        self.broken(lambda run: "[" * 100000)
        self.broken(lambda run: json.dumps(run)[:1000])

    def test_values_of_the_wrong_kind_are_refused_by_name(self):
        changes = {
            "target_inference_step": ["0.1", ["x"], [None], [True], [-1.0], [[1]], {"a": 1}, 7],
            "eval_confusion_matrix": ["x", [], [[]], [[1, 2]], [[1, "x"], [1, 2]], [[-1]], [1], [[1, 2], [3]]],
            "class_names": ["x", [1, 2, 3, 4], ["too", "few"]],
            "top_5_count": ["x", -1, 21],
            "total": ["x", -5],
            "warmup_inferences": ["x", 1.5, -1, 1e9],
            "command": ["x", [1]],
            "session_utilization_cpus_percent": ["x", [["x", 1]] * 20, [[1.0]], [[]] * 20],
            "process_rss_bytes": [["x"], [1.0]],
            "predictions": [[{"target": 1, "prediction": 2}, {"target": 1}]],
            "phases": ["x", [1], [{"name": 1, "seconds": 1}], [{"name": "x", "seconds": "1"}], [{"name": "x", "seconds": -1}], [{"name": "x", "seconds": 1e308}],
                       [{"name": str(i), "seconds": 1} for i in range(1000)]],
            "optimizers": ["x", [1], [{"compiler_framework": 1}]],
            "complete": ["yes"],
            "date": [1],
        }
        for key, values in changes.items():
            for value in values:
                with self.subTest(key=key, value=value):
                    self.broken(lambda run: run.update({key: value}))

    def test_numbers_that_are_none_are_refused(self):
        for word in ("NaN", "Infinity", "-Infinity", "1e999"):
            with self.subTest(word=word):
                self.broken(lambda run: re.sub(r'("target_inference_step": \[)[^,]+', r"\g<1>" + word, json.dumps(run)))
                self.broken(lambda run: re.sub(r'("eval_confusion_matrix": \[\[)[^,\]]+', r"\g<1>" + word, json.dumps(run)))

    def test_numbers_beyond_measure_are_refused(self):
        """Large ones would break sums, ratios and plots; the smallest there is must not."""
        for key, value in (("target_inference_step", [0.001, 1e308]), ("target_inference_step", [1e300] * 4),
                           ("process_peak_rss_bytes", 1e300), ("eval_confusion_matrix", [[1e300, 0], [0, 1e300]])):
            with self.subTest(key=key, value=value):
                self.broken(lambda run: run.update({key: value, "class_names": None, "predictions": None}), says=key)

    def test_counts_that_contradict_are_refused(self):
        """Every fault at once, in every file."""
        for change, says in (({"predictions": [{"target": 1, "prediction": 99}] * 20}, "entry 4: prediction 99 is no class"),
                             ({"predictions": []}, "'predictions' has 0 samples, but 'total' 20"),
                             ({"total": 21}, "'total' 21"), ({"top_5_count": 1}, "'top_5_count' is 1"),
                             ({"eval_confusion_matrix": [[20, 0, 0, 0]] + [[0] * 4] * 3}, "[0][0]: 20 samples, but"),
                             ({"run": {"samples": 7}}, "'run.samples' has 7")):
            with self.subTest(change=change):
                self.broken(lambda run: run.update(change), says=says)
        files = []
        for i in range(2):
            run = own_run(1, 0.001, 0.1, count=20)
            run["predictions"][3]["prediction"] = 40 + i
            run["total"] = 30 + i
            files.append(self.write(f"file{i}.json", run))
        said = self.refused(2, "r", self.path / "r.rst", "--measurements", *files)
        for i in range(2):
            self.assertIn(f"file{i}.json: error: measurement 'predictions', entry 3: prediction {40 + i} is no class", said)
            self.assertIn(f"'predictions' has 20 samples, but 'total' {30 + i}", said)
        for year in ("2022", "2026"):
            for file in sorted((GOLDEN / year).glob("*.json")):
                self.render("r", self.path / "r.rst", [file])

    def test_other_json_is_refused(self):
        scenario = {"model_wrapper": {"type": "NullModelWrapper"}, "dataset": {"type": "RandomizedClassificationDataset"}}
        good = self.write("good.json", own_run(1, 0.001, 0.1, count=20))
        for content, says in (({}, "no measurement file"), (scenario, "but a scenario"), ([], "JSON object"),
                              ({"kenning_schema": "1.0"}, "no measurement that a report shows")):
            with self.subTest(content=content):
                file = self.write("none.json", content)
                said = self.refused(2, "r", self.path / "r.rst", "--measurements", file)
                self.assertIn(says, said)
                self.assertIn("none.json", said)
                if content in ({}, scenario):
                    self.assertIn("none.json", self.refused(2, "r", self.path / "r.rst", "--measurements", good, file))
        run = own_run(1, 0.001, 0.1, count=20)
        speed = dict(run, eval_confusion_matrix=None, class_names=None, predictions=None)
        said = self.refused(2, "r", self.path / "r.rst", "--measurements", self.write("speed.json", speed),
                            "--report-types", "performance", "classification")
        self.assertIn("eval_confusion_matrix is missing", said)
        self.assertFalse((self.path / "r.rst").exists())

    def test_a_newer_schema_is_refused(self):
        self.broken(lambda run: run.update(kenning_schema="2.0"), says="schema")

    def rendered(self, files, *flags):
        """Both reports; the page has the two scripts that are ours, exactly, and nothing that runs or fetches."""
        self.render("r", self.path / "r.rst", files, "--to-html", self.path, *flags)
        text = (self.path / "index.html").read_text("utf-8")
        page = Page(text)
        self.assertEqual([attributes for attributes, _ in page.scripts],
                         [{"type": "application/json", "id": "kenning-data"}, {}])
        policy = next(a["content"] for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
        digest = base64.b64encode(hashlib.sha256(page.scripts[1][1].encode()).digest()).decode()
        self.assertIn(f"script-src 'sha256-{digest}'", policy)
        self.assertIn("default-src 'none'", policy)
        for tag, attributes in page.tags:
            self.assertNotIn(tag, ("img", "iframe", "object", "embed", "form", "base", "b2"), attributes)
            self.assertFalse([name for name in attributes if name.startswith("on")], (tag, attributes))
            for name in ("src", "href", "action", "srcset"):
                self.assertTrue(attributes.get(name, "#").startswith(("#", "data:,")), (tag, attributes))
        page.data()
        return (self.path / "r.rst").read_text("utf-8"), page

    def test_every_text_may_be_hostile(self):
        for evil in (EVIL, BREAKS, "\u202e" + EVIL, "{{7*7}} ${x} `id` %s%n", "x" * 100000, "", " ", "*", "|", "\\", "`", "-"):
            with self.subTest(evil=evil[:30]):
                run = own_run(1, 0.001, 0.1, count=30)
                run.update({"model_framework": evil, "model_version": evil, "date": evil, "command": [evil, evil], "cfg_path": evil,
                            "class_names": [evil + str(i) for i in range(4)], "build_cfg": {evil: [evil, {"x": evil}]},
                            "complete": False, "incomplete_reason": evil, "kenning_version": evil,
                            "optimizers": [{"compiler_framework": evil, "compiler_version": evil}],
                            "environment": {"hostname": evil, "cpu_model": evil, "cpu_flags": [evil], "os": {evil: evil}},
                            "run": {"dataset": evil, "split": evil, "seeds": {evil: evil}, "split_counts": {evil: 1}},
                            "runtime_statistics": {evil: evil, "delegates": [{"name": evil, "operators": evil}], "library": evil},
                            "libraries": [{"name": evil, "version": evil, "sha256": evil}],
                            "models": [{"role": "compiled", "path": evil, "contents": evil, "sha256": evil, "bytes": 10}],
                            "phases": [{"name": evil, "seconds": 1.0}]})
                rst, page = self.rendered([self.write("evil.json", run), self.write("good.json", own_run(1, 0.001, 0.1, count=30))])
                self.assertNotRegex(rst, r"(?m)^\s*\.\. (raw|include)")
                self.assertNotIn("\u2028", rst)
                self.assertNotIn("\u0085", rst)
                if evil == EVIL:
                    self.assertIn(EVIL, "".join(page.text))

    def test_names_of_models_may_be_hostile(self):
        files = [GOLDEN / "2022" / "remote.json", GOLDEN / "2026" / "remote-plain.json"]
        _, page = self.rendered(files, "--model-names", EVIL[:150], "../../etc/x `touch y`")
        self.assertIn(EVIL[:150], "".join(page.text))
        images = {path.name for path in (self.path / "img").iterdir()}
        self.assertTrue(all(re.fullmatch(r"[A-Za-z0-9._-]+\.png", name) for name in images), images)
        self.assertEqual({path.name for path in self.path.iterdir()}, {"img", "r.rst", "index.html"})

    def test_nothing_is_left_of_a_report_that_failed(self):
        file = self.write("m.json", own_run(1, 0.001, 0.1, count=20))
        (self.path / "r.rst").mkdir()
        done = self.run_kenning("render_report", "r", self.path / "r.rst", "--measurements", file)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual({path.name for path in self.path.iterdir()}, {"m.json", "img", "r.rst"})
        self.assertFalse([path.name for path in (self.path / "img").iterdir() if path.suffix != ".png"])

    def test_little_data_makes_a_small_report(self):
        empty = own_run(1, 0.001, 0.1, count=1)
        for change in ({}, {"target_inference_step": [], "target_inference_step_timestamp": [], "warmup_inferences": 0},
                       {"target_inference_step": [0.0] * 4, "eval_confusion_matrix": [[0.0] * 4] * 4, "top_5_count": 0, "total": 0,
                        "predictions": [], "model_outputs": []},
                       {"eval_confusion_matrix": [[1]], "class_names": ["only"], "predictions": [{"target": 0, "prediction": 0}]},
                       {"eval_confusion_matrix": None, "class_names": None, "predictions": None},
                       {"session_utilization_cpus_percent": [], "session_utilization_mem_percent": [],
                        "session_utilization_timestamp": [], "process_rss_bytes": [], "process_cpu_percent": [], "process_timestamp": []},
                       {"class_names": None}, {"models": 7, "run": 7, "environment": []},
                       {"target_inference_step": [5e-324] * 4},
                       {"warmup_inferences": 4}, {"phases": []}):
            with self.subTest(change=change):
                run = dict(empty)
                run.update(change)
                self.rendered([self.write("small.json", run)])
        self.rendered([self.write("small.json", {"target_inference_step": [1]})])
        # A thousand classes.
        run = own_run(1, 0.001, 0.5, count=2000, classes=1000)
        self.rendered([self.write("small.json", run)])

    def test_runs_that_do_not_fit_together_are_shown_beside_each_other(self):
        files = [GOLDEN / "2022" / "native.json", GOLDEN / "2022" / "remote.json", self.write("own.json", own_run(1, 0.001, 0.1)),
                 self.write("bare.json", {"target_inference_step": [1]})]
        _, page = self.rendered(files)
        self.assertFalse(page.data()["sameClasses"])

    def test_an_image_that_is_cut_is_no_image(self):
        """gnuplot ends well on a full disk."""
        file = self.write("m.json", own_run(1, 0.001, 0.1, count=20))
        (self.path / "bin").mkdir()
        fake = self.path / "bin" / "gnuplot"
        fake.write_text("""#!/bin/sh
sed -n "s/^set output '\\(.*\\)'.*/\\1/p" "$2" | while read -r image; do printf '\\211PNG cut' >"$image"; done
""")
        fake.chmod(0o755)
        with unittest.mock.patch.dict("os.environ", {"PATH": f"{self.path}/bin:{os.environ['PATH']}"}):
            done = self.run_kenning("render_report", "r", self.path / "r.rst", "--measurements", file)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("gnuplot ended well but did not draw", done.stderr)
        self.assertFalse((self.path / "r.rst").exists())
        self.assertEqual(list((self.path / "img").iterdir()), [])

    def test_output_that_cannot_be_written_is_told(self):
        file = self.write("m.json", own_run(1, 0.001, 0.1, count=20))
        said = self.refused(1, "r", "/dev/full/r.html", "--measurements", file)
        self.assertIn("/dev/full", said)
        (self.path / "taken.html").mkdir()
        done = self.run_kenning("render_report", "r", self.path / "taken.html", "--measurements", file)
        self.assertIn(done.returncode, (1, 2), done.stderr)
        self.assertIn("taken.html", done.stderr)

    def test_a_large_comparison_stays_small_enough_to_send(self):
        files = [self.write(f"{i}.json", own_run(1, 0.001 * (i + 1), 0.1, count=10000, classes=10)) for i in range(3)]
        self.rendered(files)
        self.assertLess((self.path / "index.html").stat().st_size, 3_000_000)


if __name__ == "__main__":
    unittest.main()
