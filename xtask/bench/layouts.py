"""Which layout of memory models train faster in on the CPU: `trainer.channels_last = "auto"` follows it.

    python xtask/bench/layouts.py [NAME...] [--repeats N] [--batch N] [--size N]

For each model a step of training (forward, loss, backward) and a forward pass in evaluation mode, weights as
PyTorch makes them and with the channels last. Both layouts take turns; the least time of this process' own
threads (not of the clock on the wall) counts, so that other work on the machine does not. The last column is
by how much the channels last are faster: above 1 they win. Needs torch, torchvision and timm.
"""

import argparse
import time

import timm
import torch
from torch import nn


def small(channels: int, depth: int) -> nn.Module:
    layers, before = [], 3
    for number in range(depth):
        layers += [nn.Conv2d(before, channels, 3, padding=1, stride=1 + (number % 2)), nn.BatchNorm2d(channels)]
        layers += [nn.ReLU()]
        before = channels
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))


NAMES = {
    "resnet18": lambda: timm.create_model("resnet18"),
    "resnet50": lambda: timm.create_model("resnet50"),
    "efficientnet-lite0": lambda: timm.create_model("efficientnet_lite0"),
    "mobilenet-v3-large": lambda: timm.create_model("mobilenetv3_large_100"),
    "mobilenet-v2": lambda: timm.create_model("mobilenetv2_100"),
    "convnext-pico": lambda: timm.create_model("convnext_pico"),
    "vgg11-bn": lambda: timm.create_model("vgg11_bn"),
    "densenet121": lambda: timm.create_model("densenet121"),
    "vit-tiny": lambda: timm.create_model("vit_tiny_patch16_224", img_size=ARGS.size),
    "small-8x2": lambda: small(8, 2),
    "small-16x2": lambda: small(16, 2),
    "small-16x4": lambda: small(16, 4),
    "small-32x4": lambda: small(32, 4),
    "small-64x4": lambda: small(64, 4),
}


def step(model: nn.Module, pictures: torch.Tensor, labels: torch.Tensor) -> None:
    model.zero_grad()
    nn.functional.cross_entropy(model(pictures), labels).backward()


def passed(model: nn.Module, pictures: torch.Tensor, _: torch.Tensor) -> None:
    with torch.no_grad():
        model(pictures)


def measure(name: str) -> None:
    models = []
    for layout in (torch.contiguous_format, torch.channels_last):
        torch.manual_seed(0)
        models.append(NAMES[name]().to(memory_format=layout))
    size = 32 if name.startswith("small") else ARGS.size
    pictures = torch.randn(ARGS.batch, 3, size, size)
    labels = torch.arange(ARGS.batch) % 10
    row = []
    for what, is_training in ((step, True), (passed, False)):
        least = [float("inf")] * 2
        for number in range(ARGS.repeats + 1):
            for which, model in enumerate(models):
                model.train(is_training)
                start = time.process_time()
                what(model, pictures, labels)
                if number > 0:
                    least[which] = min(least[which], time.process_time() - start)
        row += [f"{1e3 * least[0]:8.1f} {1e3 * least[1]:8.1f} {least[0] / least[1]:5.2f}"]
    print(f"{name:20} {' | '.join(row)}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)} [default: all]")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--size", type=int, default=128)
    ARGS = parser.parse_args()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, batches of {ARGS.batch}")
    print(f"{'':20} {'step: first, last (ms), gain':24} | {'evaluation':24}", flush=True)
    for chosen in ARGS.names or NAMES:
        measure(chosen)
