"""Lines by which the tools talk to the program that started them."""

import sys


class Refusal(Exception):
    """The request cannot be met. kind: "invalid" (arguments), "incompatible" (model), "baddata" (file)."""

    def __init__(self, kind, text):
        super().__init__(text)
        self.kind = kind


def one_line(text, limit=800):
    line = " ".join(str(text).split())
    return line if len(line) <= limit else line[: limit - 3] + "..."


def progress(done, total, text=""):
    print(f"PROGRESS {done} {total} {one_line(text, 100)}".rstrip(), flush=True)


def result(key, value):
    print(f"RESULT {key} {one_line(value)}", flush=True)


def run(main):
    """Runs main(); a Refusal becomes an ERROR line."""
    try:
        main()
    except Refusal as refusal:
        print(f"ERROR {refusal.kind} {one_line(refusal)}", flush=True)
        sys.exit(1)
