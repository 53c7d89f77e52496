"""What the benchmarks written in Python share: running the program, measuring it, printing figures."""
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Where the release preset is built, and where benchmarks leave their files.
BUILD = Path(os.environ.get("KENNING_BENCH_BUILD", ROOT / "build" / "release"))
OUT = ROOT / "build" / "bench"
KENNING = str(BUILD / "kenning")

failed = False


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def figure(what, measured, bound="", met=True):
    """Prints one line as bench/figure.h does. Without a bound the figure is only shown."""
    global failed
    failed |= not met
    print(what, measured, bound, ("met" if met else "NOT MET") if bound else "", sep="\t", flush=True)


def run(command, **options):
    """Runs a command from the root of the source; ends the benchmark when it fails."""
    command = [str(word) for word in command]
    process = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, **options)
    if process.returncode:
        sys.exit(f"bench: exit code {process.returncode}: {' '.join(command)}")
    return process.stdout


def seconds(command):
    """Wall time and CPU time, its children's included, of a command that takes much longer than starting it from
    Python, a few milliseconds."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    run(command)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def launches(commands, runs, rounds):
    """Wall seconds of short commands, a sorted list for each: `rounds` times in turn `runs` runs of each, measured by
    a small program."""
    times = [[] for _ in commands]
    for _ in range(rounds):
        for command, list_ in zip(commands, times):
            list_ += [int(line) / 1e9 for line in run([BUILD / "bench-launch", runs, *command]).split()]
    return [sorted(list_) for list_ in times]


def peak_bytes(command):
    """Peak resident memory as /usr/bin/time tells it: largest of the process and of the children it waited for."""
    with tempfile.NamedTemporaryFile("r") as file:
        run(["/usr/bin/time", "-f", "%M", "-o", file.name, *command])
        return int(file.read().split()[-1]) * 1024


def environment_python():
    """The Python of the environment that `kenning install tflite` made."""
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    data = Path(os.environ.get("KENNING_DATA_DIR") or Path(data) / "kenning")
    lock = json.loads((data / "tflite" / "lock.json").read_text())
    return data / lock["environment"]["directory"] / "bin" / "python"


def median(values):
    return statistics.median(values)


def interval(first, second, resamples=2000):
    """95% interval of the ratio of medians. Both are lists of lists of times, one for each round in which the two took
    turns; the bootstrap draws whole rounds, since times of one round are not independent."""
    rng, ratios = random.Random(1), []
    for _ in range(resamples):
        chosen = [rng.randrange(len(first)) for _ in first]
        ratios.append(median([t for i in chosen for t in first[i]]) / median([t for i in chosen for t in second[i]]))
    ratios.sort()
    return ratios[resamples * 25 // 1000], ratios[resamples * 975 // 1000]


def end(met=True):
    """Exit code 1 when a figure was not met, here or, as `met` tells, in a program that printed its own."""
    sys.exit(1 if failed or not met else 0)
