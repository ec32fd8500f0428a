#!/usr/bin/env python3
"""Loads what `host export` wrote into PyTorch's own model, with strict=True.

    python3 tests/readers/load_in_pytorch.py model.safetensors torchvision resnet18 num_classes=9
    python3 tests/readers/load_in_pytorch.py model.safetensors transformers BertForSequenceClassification num_labels=3 vocab_size=30522
    python3 tests/readers/load_in_pytorch.py model.safetensors timm tf_efficientnet_lite0 num_classes=9
    python3 tests/readers/load_in_pytorch.py model.safetensors efficientnet_lite_pytorch EfficientNet.from_name "'efficientnet-lite0'"
    python3 tests/readers/load_in_pytorch.py model.safetensors torchscript my_module.pt

The second argument names where the model comes from: torchvision.models, transformers (the rest of the arguments are its
configuration's), timm, a TorchScript file, or any module to import a class or function from. `name=value` are keyword arguments, as
Python writes them; values alone are positional ones. Needs torch, safetensors and that module; the program itself needs none of them.

Thaw's models are a `backbone` and a `head`, unless their `layout` is the library's: `--rename OLD=NEW` gives names another beginning.
A backbone alone (`host export --module backbone`) goes into a model whose last layer is taken out: `--without fc`.
"""

import argparse
import ast
import importlib
import sys


def value(text):
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def build(source, model, arguments):
    positional = [value(text) for text in arguments if "=" not in text]
    keywords = {name: value(text) for name, _, text in (text.partition("=") for text in arguments if "=" in text)}
    if source == "torchscript":
        import torch

        return torch.jit.load(model)
    if source == "timm":
        return importlib.import_module("timm").create_model(model, **keywords)
    found = importlib.import_module("torchvision.models" if source == "torchvision" else source)
    for part in model.split("."):
        found = getattr(found, part)
    if source == "transformers":
        return found(found.config_class(**keywords))
    return found(*positional, **keywords)


def take_out(model, path):
    from torch import nn

    parent, _, name = path.rpartition(".")
    setattr(model.get_submodule(parent), name, nn.Identity())


def renamed(name, renames):
    for rename in renames:
        old, _, new = rename.partition("=")
        if name.startswith(old):
            return new + name[len(old):]
    return name


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("source")
    parser.add_argument("model")
    parser.add_argument("arguments", nargs="*")
    parser.add_argument("--rename", action="append", default=[], metavar="OLD=NEW", help="the first that fits a name counts")
    parser.add_argument("--without", action="append", default=[], metavar="LAYER")
    options = parser.parse_args()

    from safetensors.torch import load_file

    state = {renamed(name, options.rename): tensor for name, tensor in load_file(options.file).items()}
    model = build(options.source, options.model, options.arguments)
    for layer in options.without:
        take_out(model, layer)
    types = {tensor.dtype for tensor in state.values() if tensor.is_floating_point()}
    if len(types) == 1:
        model = model.to(types.pop())
    model.load_state_dict(state, strict=True)
    loaded = model.state_dict()
    different = [name for name, tensor in state.items() if not loaded[name].equal(tensor)]
    if different:
        sys.exit(f"{options.file}: loaded with other values: {', '.join(different)}")
    print(f"{options.file}: {len(state)} tensors loaded into {options.model}, strict")


if __name__ == "__main__":
    main()
