#!/usr/bin/env python3
"""Loads what `host export` wrote into PyTorch's own model, with strict=True.

    python3 tests/load_in_pytorch.py model.safetensors torchvision resnet18 num_classes=9
    python3 tests/load_in_pytorch.py model.safetensors timm tf_efficientnet_lite0 num_classes=9
    python3 tests/load_in_pytorch.py model.safetensors my_package.my_module MyNetwork width=64

The second argument names where the model comes from: torchvision.models, timm, or any module to import a class or function from;
the rest are its keyword arguments. Needs torch, safetensors and that module; the program itself needs none of them.
Thaw's models are a `backbone` and a `head`; names are turned into the library's with `--rename OLD=NEW` (a prefix, repeatable).
"""

import argparse
import ast
import importlib
import sys


def keyword(text):
    name, _, value = text.partition("=")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("source")
    parser.add_argument("model")
    parser.add_argument("arguments", nargs="*", type=keyword)
    parser.add_argument("--rename", action="append", default=[], metavar="OLD=NEW")
    options = parser.parse_args()

    from safetensors.torch import load_file

    state = load_file(options.file)
    for rename in options.rename:
        old, _, new = rename.partition("=")
        state = {new + name[len(old):] if name.startswith(old) else name: value for name, value in state.items()}
    if options.source == "timm":
        model = importlib.import_module("timm").create_model(options.model, **dict(options.arguments))
    else:
        module = "torchvision.models" if options.source == "torchvision" else options.source
        model = getattr(importlib.import_module(module), options.model)(**dict(options.arguments))
    model.load_state_dict(state, strict=True)
    print(f"{options.file}: {len(state)} tensors loaded into {options.model}, strict")


if __name__ == "__main__":
    sys.exit(main())
