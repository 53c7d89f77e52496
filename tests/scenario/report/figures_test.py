#!/usr/bin/env python3
"""Reports of both eras and of our own: the figures are right, the same in every format, and the images are there."""
import json
import os
import re
import resource
import subprocess
import unittest
from pathlib import Path

from reports import (GOLDEN, PNG, Page, ReportTest, expected_facts, markdown_facts, markdown_tables, own_run, paired_interval,
                     rst_facts, rst_tables)

ERAS = {"2022": ["native", "tflite-fp32", "tflite-int8"], "2026": ["native", "tflite-int8"]}


def files_of(era):
    return [GOLDEN / era / f"{name}.json" for name in ERAS[era]]


class Figures(ReportTest):
    def own_files(self):
        return [self.write("native.json", own_run(1, 0.004, 0.1)),
                self.write("fp32.json", own_run(1, 0.001, 0.1, compiled=1010000)),
                self.write("int8.json", own_run(1, 0.0004, 0.14, compiled=260000))]

    def three_formats(self, files):
        self.render("r", self.path / "r.rst", files, "--to-html", self.path)
        self.render("r", self.path / "r.md", files)
        return ((self.path / "r.rst").read_text("utf-8"), (self.path / "r.md").read_text("utf-8"),
                Page((self.path / "index.html").read_text("utf-8")))

    def check_figures(self, files):
        rst, markdown, page = self.three_formats(files)
        # Equal in RST and Markdown: items and tables, one by one.
        self.assertEqual(rst_facts(rst), markdown_facts(markdown))
        self.assertEqual(rst_tables(rst), markdown_tables(markdown))
        # Everything that RST says of a run stands in the page, at the same label.
        sections = re.split(r"^(?:Performance|Classification quality) of ", rst, flags=re.M)[1:]
        self.assertEqual(len(sections), 2 * len(files))
        for index, section in enumerate(sections):
            run = index % len(files)
            facts = rst_facts(re.split(r"^Performance compared$|^Classification quality compared$", section, flags=re.M)[0])
            self.assertGreater(len(facts), 5)
            group = "quality" if index >= len(files) else ""
            for label, value in facts:
                keys = [key for key, header in page.labels.items() if header == label
                        and (not group or key.startswith(group)) and (run, key) in page.facts]
                self.assertIn(value, [page.fact(run, key) for key in keys], f"{label} of run {run}")
        # The seed's own table: the page's headline has the same.
        for run, row in enumerate(rst_tables(rst)[0][1:]) if len(files) > 1 else []:
            for text, key in zip(row[1:], ("comparison.speed", "quality.accuracy", "comparison.size")):
                self.assertEqual(page.fact(run, key, headline=True), text)
        # Right, by formulas computed here.
        for run, file in enumerate(files):
            facts = dict(rst_facts(sections[run])) | dict(rst_facts(sections[len(files) + run]))
            # In the section of a run "Mean" is that of the inference time: the use of the machine has its own labels.
            for label, text in expected_facts(json.loads(file.read_text())).items():
                self.assertEqual(facts[label], text, f"{label} of {file}")
        return rst, page

    def test_recordings_of_2022(self):
        rst, page = self.check_figures(files_of("2022"))
        # What the original printed under the wrong names in one section and the right ones in another.
        self.assertEqual(page.fact(0, "quality.precision"), "0.9336")
        self.assertEqual(page.fact(0, "quality.sensitivity"), "0.9284")
        seeds_table = rst_tables(rst)[0]
        self.assertEqual(seeds_table[0], ["Model", "Speed boost", "Accuracy", "Size reduction"])
        self.assertEqual([row[0] for row in seeds_table[1:]], ["native", "tflite-fp32", "tflite-int8"])
        self.assertEqual(seeds_table[1][1], "1\u00d7")
        # 0.07399270599989904 / 0.015299481500278489, 17165856 / 4596872: from the recording.
        self.assertTrue(seeds_table[2][1].startswith("4.836\u00d7 (95% interval "), seeds_table[2])
        self.assertEqual(seeds_table[3][3], "3.734\u00d7")
        self.assertIn("Warm-up is not marked", rst)
        self.assertIn("Which split was evaluated is not recorded", rst)

    def test_recordings_of_2026(self):
        self.check_figures(files_of("2026"))

    def test_files_of_our_own(self):
        rst, page = self.check_figures(self.own_files())
        # 1,000,000 bytes of weights, not the 3,000,000 of the file.
        self.assertEqual([row[3] for row in rst_tables(rst)[0][1:]], ["1\u00d7", "0.9901\u00d7", "3.846\u00d7"])
        self.assertIn("optimizer state", rst)
        first, third = own_run(1, 0.004, 0.1), own_run(1, 0.0004, 0.14)
        pairs = [(a["prediction"] == a["target"], b["prediction"] == b["target"], a["prediction"] == b["prediction"])
                 for a, b in zip(first["predictions"], third["predictions"])]
        self.assertTrue(page.fact(2, "paired.agreement").startswith(f"{sum(p[2] for p in pairs) / len(pairs):.4f} "))
        self.assertEqual(page.fact(2, "paired.only_reference"), str(sum(p[0] and not p[1] for p in pairs)))
        self.assertEqual(page.fact(2, "paired.only_this"), str(sum(p[1] and not p[0] for p in pairs)))
        lost, gained = sum(p[0] and not p[1] for p in pairs), sum(p[1] and not p[0] for p in pairs)
        change, (low, high) = (gained - lost) / len(pairs), paired_interval(lost, gained, len(pairs))
        signed = [f"{value:+.4f}".replace("-", "\u2212") for value in (change, low, high)]
        self.assertLess(change, 0)
        self.assertEqual(page.fact(2, "comparison.accuracy"), f"{signed[0]} (95% interval {signed[1]} \u2013 {signed[2]})")
        self.assertIn(f"Its accuracy changes by {page.fact(2, 'comparison.accuracy')}, from ", rst)
        self.assertTrue(page.fact(1, "paired.agreement").startswith("1.0000 "))
        # The outputs' difference: computed here, and the same in the page and in both texts.
        reference, other = first["model_outputs"], own_run(1, 0.001, 0.1)["model_outputs"]
        apart = max(abs(a - b) for x, y in zip(reference, other) for a, b in zip(x, y))
        wanted = f"{apart / max(max(x) for x in reference):.1e}"
        self.assertEqual(page.fact(1, "paired.outputs"), wanted)
        table = next(table for table in rst_tables(rst) if "Largest output difference" in table[0])
        column = table[0].index("Largest output difference")
        self.assertEqual([row[column] for row in table[1:3]], ["\u2013", wanted])
        self.assertIn(f"with outputs that differ by at most {wanted} of the largest", rst)
        self.assertEqual(page.fact(1, "time.loading"), "500.0 ms")

    def test_the_plots_data_is_the_files(self):
        _, _, page = self.three_formats(self.own_files())
        data = page.data()
        self.assertEqual(data["runs"], ["native", "fp32", "int8"])
        file = own_run(1, 0.004, 0.1)
        self.assertEqual(len(data["times"][0]["y"]), 500)
        for shown, measured in zip(data["times"][0]["y"], file["target_inference_step"][3:]):
            self.assertAlmostEqual(shown / measured, 1, delta=1e-4)
        for run, wrong in ((0, 0.1), (2, 0.14)):
            matrix = own_run(1, 0.004, wrong)["eval_confusion_matrix"]
            rows = [[0] * 4 for _ in range(4)]
            for i, row in enumerate(data["matrices"][run]["rows"]):
                for column, count in zip(row[::2], row[1::2]):
                    rows[i][column] = count
            self.assertEqual(rows, matrix)
        self.assertAlmostEqual(sum(data["distribution"]["shares"][0]), 1, delta=1e-3)

    def test_images_of_several_runs(self):
        files = files_of("2022")
        self.render("cmp", self.path / "cmp.rst", files)
        rst = (self.path / "cmp.rst").read_text("utf-8")
        wanted = {f"{run}_{what}.png" for run in ERAS["2022"]
                  for what in ("inference_time", "cpu_usage", "cpu_memory_usage", "confusion_matrix")}
        wanted |= {"inference_step_comparison.png", "session_utilization_cpus_percent_comparison.png",
                   "session_utilization_mem_percent_comparison.png", "mean_performance_comparison.png",
                   "hardware_usage_comparison.png", "accuracy_vs_inference_time.png", "classification_metric_comparison.png"}
        self.check_images(rst, "img", wanted)
        # The original's labels, which documents refer to.
        labels = re.findall(r":name: (\S+)", rst)
        self.assertEqual(len(labels), len(set(label.lower() for label in labels)))
        for label in ("cmpnative_inferencetime", "cmptflite-int8_confusionmatrix", "cmp_inference_step_comparison"):
            self.assertIn(label, labels)

    def check_images(self, report, directory, wanted):
        self.assertEqual({path.name for path in (self.path / directory).iterdir()}, wanted)
        self.assertEqual(set(re.findall(r"figure:: (\S+)", report)), {f"{directory}/{name}" for name in wanted})
        for name in wanted:
            self.assertEqual((self.path / directory / name).read_bytes()[:8], PNG, name)

    def test_images_of_one_run_carry_the_report_s_name(self):
        done = self.run_kenning("render_report", GOLDEN / "2022" / "tflite-fp32.json", "native fp32", self.path / "docs" / "r.rst",
                                "--root-dir", self.path, "--img-dir", self.path / "docs" / "imgs",
                                "--report-types", "performance", "classification")
        self.assertEqual(done.returncode, 0, done.stderr)
        rst = (self.path / "docs" / "r.rst").read_text("utf-8")
        names = {f"native-fp32_{what}.png" for what in ("inference_time", "cpu_usage", "cpu_memory_usage", "confusion_matrix")}
        self.assertEqual({path.name for path in (self.path / "docs" / "imgs").iterdir()}, names)
        # The report lies elsewhere below the root: from the root, as Sphinx reads it.
        self.assertEqual(set(re.findall(r"figure:: (\S+)", rst)), {f"/docs/imgs/{name}" for name in names})

    def test_types_choose_the_sections(self):
        file = GOLDEN / "2022" / "tflite-fp32.json"
        self.render("r", self.path / "r.rst", [file], "--report-types", "performance")
        rst = (self.path / "r.rst").read_text("utf-8")
        self.assertIn("Inference time", rst)
        self.assertNotIn("G-mean", rst)
        self.render("r", self.path / "r.rst", [file], "--report-types", "classification")
        rst = (self.path / "r.rst").read_text("utf-8")
        self.assertIn("G-mean", rst)
        self.assertNotIn("Inference time", rst)

    def test_runs_beyond_the_colours_have_signs_of_their_own(self):
        files = [self.write(f"{i}.json", own_run(1, 0.001 * (i + 1), 0.1)) for i in range(16)]
        self.render("r", self.path / "r.md", files, "--to-html", self.path)
        page = (self.path / "index.html").read_text("utf-8")
        bar = page[page.index('id="runs"'):page.index("<main>")]
        dots = re.findall(r'<i class="dot" data-sign="(\d)" style="--c:var\(--run-(\d)\)">', bar)
        self.assertEqual(len(dots), 16)
        self.assertEqual(len(set(dots)), 16, dots)
        for sign in {sign for sign, _ in dots} - {"0"}:
            self.assertIn(f'i.dot[data-sign="{sign}"]', page)

    def test_a_report_comes_out_the_same_again(self):
        files = self.own_files()
        first = self.three_formats(files)
        page = (self.path / "index.html").read_bytes()
        second = self.three_formats(files)
        self.assertEqual(first[:2], second[:2])
        self.assertEqual(page, (self.path / "index.html").read_bytes())

    def test_it_takes_less_than_a_second(self):
        """Seconds of CPU, gnuplot's included: what else the machine does is not the report's."""
        program = Path(os.environ["KENNING_TEST_RELEASE_DIR"]) / "kenning"
        if not program.exists():
            self.skipTest(f"{program} is not built")
        files = [self.write(f"{i}.json", own_run(1, 0.001 * (i + 1), 0.1, count=10000, classes=10)) for i in range(3)]
        used = []
        for _ in range(3):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([program, "render_report", "r", self.path / "r.rst", "--measurements", *files, "--to-html", self.path],
                           check=True, capture_output=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            used.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        self.assertLess(min(used), 1.0)

    def test_an_incomplete_run_is_flagged(self):
        run = own_run(1, 0.004, 0.1)
        run["complete"], run["incomplete_reason"] = False, "interrupted"
        rst, markdown, page = self.three_formats([self.write("part.json", run)])
        for text in (rst, markdown, "".join(page.text)):
            self.assertIn("part is incomplete: the run ended early (interrupted)", text)
        self.assertIn(".. warning::", rst)

    def test_a_library_without_a_name_is_called_after_its_class(self):
        run = own_run(1, 0.004, 0.1)
        run["runtime_statistics"].update({"type": "kenning.runtimes.tflite.TFLiteRuntime", "library_version": "1.2"})
        self.render("remote", self.path / "r.md", [self.write("a.json", run)])
        self.assertIn("TFLiteRuntime's library 1.2", (self.path / "r.md").read_text("utf-8").replace("\\", ""))

    def test_a_remote_run_of_five_samples(self):
        for era, name in (("2022", "remote"), ("2026", "remote-plain")):
            rst, _, page = self.three_formats([GOLDEN / era / f"{name}.json"])
            self.assertEqual(page.fact(0, "quality.samples"), "5")
        self.assertIn("on the host", rst)


if __name__ == "__main__":
    unittest.main()
