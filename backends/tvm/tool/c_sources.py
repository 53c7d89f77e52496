"""C sources of a model with an ahead-of-time entry function, in an archive that needs nothing of TVM to be built."""

import re
import tarfile

import library
from report import Refusal

HEADER = """\
/* A compiled model: tensors in the order of its io specification, one function that runs it. The function uses static
 * memory: one inference at a time. */
#ifndef KENNING_MODEL_H
#define KENNING_MODEL_H

#include <stddef.h>
#include <stdint.h>

typedef struct kenning_model_tensor {
  const char *name;
  const char *dtype; /* numpy's name: "float32", "int8", ... */
  size_t bytes;
  uint32_t rank;
  int64_t shape[8];
  int quantized;     /* scale and zero_point apply: real = scale * (stored - zero_point) */
  double scale;
  int64_t zero_point;
} kenning_model_tensor;

#define KENNING_MODEL_INPUTS @INPUTS@
#define KENNING_MODEL_OUTPUTS @OUTPUTS@
extern const kenning_model_tensor kenning_model_inputs[KENNING_MODEL_INPUTS];
extern const kenning_model_tensor kenning_model_outputs[KENNING_MODEL_OUTPUTS];
/* Lines "name value" about the compilation; the last one is the io specification as JSON. */
extern const char kenning_model_description[];
/* inputs[i] and outputs[i] are memory of kenning_model_inputs[i].bytes and kenning_model_outputs[i].bytes, aligned to 16
 * bytes. 0: done. */
int kenning_model_run(void *const *inputs, void *const *outputs);

#endif
"""

# All that the generated code wants of TVM's headers of the same names.
RUNTIME_HEADER = """\
#ifndef KENNING_MODEL_RUNTIME_H
#define KENNING_MODEL_RUNTIME_H
#include <stddef.h>
#include <stdint.h>
#define TVM_DLL
#endif
"""

BYTES = {"float64": 8, "int64": 8, "float32": 4, "int32": 4, "float16": 2, "int16": 2, "int8": 1, "uint8": 1, "bool": 1}


def tensors(name, entries):
    lines = [f"const kenning_model_tensor {name}[] = {{"]
    for entry in entries:
        count = 1
        for size in entry.shape:
            count *= size
        text = entry.name.replace("\\", "\\\\").replace('"', '\\"')
        scale = entry.scale if entry.scale is not None else 0.0
        lines.append(f'    {{"{text}", "{entry.dtype}", {count * BYTES[entry.dtype]}u, {len(entry.shape)}u, '
                     f'{{{", ".join(map(str, entry.shape)) or 0}}}, {int(entry.scale is not None)}, {scale!r}, '
                     f"{entry.zero_point}}},")
    return "\n".join([*lines, "};"])


def sanitized(name):
    return re.sub(r"\W", "_", name, flags=re.ASCII)


def entry_function(texts):
    """The generated function, and the fields of its structs in their order."""
    for text in texts:
        match = re.search(r"^int32_t tvmgen_model_run\(.*$", text, re.MULTILINE)
        if match:
            return re.findall(r"inputs->(\w+)", match.group(0)), re.findall(r"outputs->(\w+)", match.group(0))
    raise Refusal("incompatible", "TVM generated no entry function for this model")


def adapter(model, inputs, outputs, description):
    order = {sanitized(entry.name): i for i, entry in enumerate(model.inputs)}
    places = [order.get(name, i) for i, name in enumerate(inputs)]
    if sorted(places) != list(range(len(model.inputs))) or len(outputs) != len(model.outputs):
        raise Refusal("incompatible", "the inputs and outputs of the generated code are not those of the model")
    given = ", ".join(f"inputs[{i}]" for i in places)
    taken = ", ".join(f"outputs[{i}]" for i in range(len(outputs)))
    return "\n".join([
        '#include "kenning_model.h"', '#include "tvmgen_model.h"', "",
        tensors("kenning_model_inputs", model.inputs), tensors("kenning_model_outputs", model.outputs),
        f"const char kenning_model_description[] =\n{library.c_text(description)};", "",
        "int kenning_model_run(void *const *inputs, void *const *outputs) {",
        f"  struct tvmgen_model_inputs given = {{{given}}};", f"  struct tvmgen_model_outputs taken = {{{taken}}};",
        "  return (int)tvmgen_model_run(&given, &taken);", "}", ""])


def generated_header(inputs, outputs):
    fields = ["".join(f"  void *{name};\n" for name in names) for names in (inputs, outputs)]
    return (f"#ifndef TVMGEN_MODEL_H\n#define TVMGEN_MODEL_H\n#include <stdint.h>\nstruct tvmgen_model_inputs {{\n"
            f"{fields[0]}}};\nstruct tvmgen_model_outputs {{\n{fields[1]}}};\nint32_t tvmgen_model_run("
            "struct tvmgen_model_inputs *inputs, struct tvmgen_model_outputs *outputs);\n#endif\n")


def portable(text):
    """Constants are told by const, and no section has a name that linkers do not know."""
    text = re.sub(r'__attribute__\(\(section\("\.rodata\.tvm"\), *\)\)\s*static struct', "static const struct", text)
    return re.sub(r'section\("\.bss\.noinit\.tvm"\), *', "", text)


def ordered(text):
    """Places in the workspace come in the order of TVM's memory addresses, another one on every run. Each is the address
    of something declared before: in order of their numbers, a model gives the same archive every time, so that a program
    with the model inside knows it again."""
    place = r"[ \t]*void\* sid_(\d+)_let = \(&\(\w+\[\d+\]\)\);\n"

    def sorted_run(run):
        return "".join(line.group(0) for line in sorted(re.finditer(place, run.group(0)), key=lambda l: int(l.group(1))))

    return re.sub(f"(?:{place}){{2,}}", sorted_run, text)


def write(path, texts, description, model):
    texts = [ordered(portable(text)) for text in texts]
    for text in texts:
        missing = sorted(set(re.findall(r"\b(TVMBackend\w+|TVMAPI\w+|TVMFuncCall\w*|TVMValue)\b", text)))
        if missing:
            raise Refusal("incompatible", f"the generated code calls TVM's run time ({', '.join(missing)}), which C "
                                          "sources do not have: an operator of the model has no plain form")
    inputs, outputs = entry_function(texts)
    header = HEADER.replace("@INPUTS@", str(len(model.inputs))).replace("@OUTPUTS@", str(len(model.outputs)))
    files = {"kenning_model.h": header, "kenning_model.c": adapter(model, inputs, outputs, description),
             "tvmgen_model.h": generated_header(inputs, outputs), "tvm/runtime/c_runtime_api.h": RUNTIME_HEADER,
             "tvm/runtime/c_backend_api.h": RUNTIME_HEADER, "description.txt": description}
    for i, text in enumerate(texts):
        files[f"lib{i}.c"] = text
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name in sorted(files):
            library.add(archive, name, files[name].encode())
