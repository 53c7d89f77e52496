#!/usr/bin/env python3
"""Writes an archive of C sources as TVMCompiler writes them, of a model that tests can compute too: input x of float32
[1, 4, 4, 3], output y of float32 [1, 3] with y[k] = sum over j of x[j] * ((31 k + 17 j) mod 13 - 6) / 8, output q of int8
[1, 3], y / 0.5 + 3 rounded and clamped.

    tests/support/linked_model.py ARCHIVE
"""
import io
import os
import sys
import tarfile

HEADER = """\
#ifndef KENNING_MODEL_H
#define KENNING_MODEL_H
#include <stddef.h>
#include <stdint.h>
typedef struct kenning_model_tensor {
  const char *name;
  const char *dtype;
  size_t bytes;
  uint32_t rank;
  int64_t shape[8];
  int quantized;
  double scale;
  int64_t zero_point;
} kenning_model_tensor;
#define KENNING_MODEL_INPUTS 1
#define KENNING_MODEL_OUTPUTS 2
extern const kenning_model_tensor kenning_model_inputs[KENNING_MODEL_INPUTS];
extern const kenning_model_tensor kenning_model_outputs[KENNING_MODEL_OUTPUTS];
int kenning_model_run(void *const *inputs, void *const *outputs);
#endif
"""

SOURCE = """\
#include "kenning_model.h"

const kenning_model_tensor kenning_model_inputs[] = {{"x", "float32", 192, 4, {1, 4, 4, 3}, 0, 0, 0}};
const kenning_model_tensor kenning_model_outputs[] = {{"y", "float32", 12, 2, {1, 3}, 0, 0, 0},
                                                      {"q", "int8", 3, 2, {1, 3}, 1, 0.5, 3}};

int kenning_model_run(void *const *inputs, void *const *outputs) {
  const float *x = inputs[0];
  float *y = outputs[0];
  int8_t *q = outputs[1];
  for (int k = 0; k < 3; k++) {
    y[k] = 0;
    for (int j = 0; j < 48; j++) y[k] += x[j] * (float)((31 * k + 17 * j) % 13 - 6) / 8;
    float steps = y[k] / 0.5f + 3;
    int whole = (int)(steps < 0 ? steps - 0.5f : steps + 0.5f);
    q[k] = (int8_t)(whole < -128 ? -128 : whole > 127 ? 127 : whole);
  }
  return 0;
}
"""


def main():
    path = sys.argv[1]
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, text in (("kenning_model.c", SOURCE), ("kenning_model.h", HEADER)):
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    whole = data.getvalue()
    if os.path.exists(path) and open(path, "rb").read() == whole:
        return
    with open(path + ".new", "wb") as file:
        file.write(whole)
    os.replace(path + ".new", path)


if len(sys.argv) != 2:
    sys.exit(__doc__)
main()
