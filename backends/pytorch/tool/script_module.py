"""Makes TorchScript of a module that was pickled as a whole. Loading it runs what the pickle says: this is done for files
that the user trusts, in this process alone.

    script_module.py --model FILE --output FILE
"""
import argparse
import sys

import cuda_stubs

cuda_stubs.load()

import torch  # noqa: E402


def fail(kind, text):
    print(f"ERROR {kind} {text}", flush=True)
    sys.exit(1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--output", required=True)
    arguments = parser.parse_args()
    try:
        module = torch.load(arguments.model, map_location="cpu", weights_only=False)
    except ModuleNotFoundError as error:
        fail("incompatible", f"the pickled model needs the Python module '{error.name}', which the tools do not have")
    except Exception as error:  # whatever the pickle raises
        fail("baddata", f"{arguments.model} cannot be loaded: {str(error).splitlines()[0]}")
    if not isinstance(module, torch.nn.Module):
        fail("incompatible", f"{arguments.model} holds a {type(module).__name__}, not a module")
    try:
        torch.jit.script(module.eval()).save(arguments.output)
    except Exception as error:
        fail("incompatible", f"{type(module).__name__} cannot be compiled to TorchScript: {str(error).splitlines()[0]}")


main()
