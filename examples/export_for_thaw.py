"""Exports a PyTorch module for Thaw's model `torch-export`. Copy this file beside your code; it needs PyTorch 2.11 alone.

    from export_for_thaw import export
    export(my_module, {"image": torch.randn(2, 3, 224, 224)}, "my_module.pt2")

Then, in the run config:

    [model]
    id = "torch-export"
    path = "my_module.pt2"
    num_classes = 9        # a new head on what the module gives; without it, the file is the whole model

The example needs two samples or more: PyTorch takes a size of 1 for a constant. The batch may then have any size; so may
the length of texts (whole numbers of two dimensions). `dynamic_shapes`, as of `torch.export.export`, says otherwise.
"""
import os

import torch
from torch.export import Dim


def export(module, example_inputs, path, dynamic_shapes=None):
    """Writes `module`, in training mode, as `path`.

    example_inputs: a tensor, a tuple of them, or a dictionary by the names of `forward`'s arguments. The names are those
    that `[data]` or the key `inputs` of the model refers to: a dictionary is best.
    """
    if torch.is_tensor(example_inputs):
        example_inputs = (example_inputs,)
    names = isinstance(example_inputs, dict)
    args, kwargs = ((), example_inputs) if names else (tuple(example_inputs), {})
    tensors = list(kwargs.values()) if names else list(args)
    for tensor in tensors:
        if torch.is_tensor(tensor) and tensor.ndim > 0 and tensor.shape[0] == 1:
            raise ValueError("the example has one sample, expected two or more: a size of 1 would become a constant")
    if dynamic_shapes is None:
        shapes = [_dynamic(tensor) for tensor in tensors]
        dynamic_shapes = dict(zip(example_inputs, shapes)) if names else tuple(shapes)
    was_training = {name: part.training for name, part in module.named_modules()}
    module.train()
    try:
        program = torch.export.export(module, args, kwargs, dynamic_shapes=dynamic_shapes, strict=False)
    finally:
        for name, part in module.named_modules():
            part.training = was_training[name]
    # Where each line of code lies on this machine is a third of the file, and nobody's business.
    for graph_module in program.graph_module.modules():
        for node in graph_module.graph.nodes if hasattr(graph_module, "graph") else ():
            node.meta.pop("stack_trace", None)
    partial = f"{os.fspath(path)}.part.pt2"
    torch.export.save(program, partial)
    os.replace(partial, path)


def _dynamic(tensor):
    if not torch.is_tensor(tensor) or tensor.ndim == 0:
        return None
    is_text = tensor.ndim == 2 and not tensor.is_floating_point()
    return {0: Dim.DYNAMIC, 1: Dim.DYNAMIC} if is_text else {0: Dim.DYNAMIC}
