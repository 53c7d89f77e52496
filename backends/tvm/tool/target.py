"""Targets as users write them: "llvm -mcpu=core-avx2", plus attributes of their own."""

import difflib
import platform
import re

from report import Refusal

KINDS = ("llvm", "c")
LISTS = ("keys", "libs", "mattr")
TRUTHS = {"true": True, "false": False}


def parse(text, attributes=""):
    """The target as a dictionary. LLVM targets name their machine: what TVM takes for the default may be another."""
    words = f"{text} {attributes or ''}".split()
    if not words or words[0].startswith("-"):
        raise Refusal("invalid", f"the target '{text}' does not begin with a kind such as llvm")
    target = {"kind": words[0]}
    for word in words[1:]:
        match = re.fullmatch(r"--?([A-Za-z][\w.-]*)(?:=(\S+))?", word)
        if not match:
            raise Refusal("invalid", f"'{word}' of the target '{text}' is not of the form -name=value")
        name, value = match.group(1), match.group(2) or "true"
        if name in LISTS:
            target[name] = value.split(",")
        elif value in TRUTHS:
            target[name] = TRUTHS[value]
        else:
            target[name] = int(value) if re.fullmatch(r"-?\d+", value) else value
    if target["kind"] == "llvm":
        target.setdefault("mtriple", f"{platform.machine()}-linux-gnu")
    return target


def machine(target):
    """Architecture that the code is for: "x86_64", "aarch64", ..."""
    return str(target.get("mtriple", platform.machine())).split("-")[0]


def text_of(target):
    parts = [target["kind"]]
    for name in sorted(target):
        if name != "kind":
            value = target[name]
            text = ",".join(value) if isinstance(value, list) else str(value).lower() if isinstance(value, bool) else value
            parts.append(f"-{name}={text}")
    return " ".join(parts)


def make(tvm, target, host):
    """tvm.target.Target; what TVM says against it is the user's to mend."""
    if target["kind"] not in KINDS:
        raise Refusal("incompatible", f"the target is of the kind '{target['kind']}', and the TVM that can be installed "
                                      f"compiles for processors: {' or '.join(KINDS)}")
    try:
        made = tvm.target.Target(target, host=host) if host else tvm.target.Target(target)
    except Exception as fault:
        raise Refusal("invalid", f"TVM {tvm.__version__} does not know the target '{text_of(target)}': "
                                 f"{last_line(fault)}") from fault
    check_processor(tvm, target, made)
    return made


def check_processor(tvm, target, made):
    """TVM takes any other processor in place of one that it does not know."""
    wanted = target.get("mcpu")
    if target["kind"] != "llvm" or not wanted:
        return
    try:
        known = {str(name) for name in tvm.target.codegen.llvm_get_cpu_archlist(made)}
    except Exception as fault:
        raise Refusal("invalid", f"TVM {tvm.__version__} does not take the target '{text_of(target)}': "
                                 f"{last_line(fault)}") from fault
    if known and wanted not in known:
        near = difflib.get_close_matches(wanted, known, 3)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise Refusal("invalid", f"TVM {tvm.__version__} knows no processor '{wanted}' (-mcpu) for {made.attrs['mtriple']}{hint}")


def last_line(fault):
    lines = [line.strip() for line in str(fault).splitlines() if line.strip()]
    return lines[-1] if lines else type(fault).__name__
