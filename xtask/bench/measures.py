"""What `cargo xtask bench --lightning` measures of PyTorch Lightning: the work of the program `bench-run`.

    python measures.py loop|frozen|thawed|data|start|checkpoint DATA

prints a JSON object of numbers under the names of `bench-run`, as its last line.
"""

import json
import logging
import os
import resource
import sys
import tempfile
import time
import warnings

START = time.perf_counter()
warnings.filterwarnings("ignore")
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)

SIDE = 128
WORKERS = os.cpu_count() or 1


def trainer(**more):
    import lightning

    return lightning.Trainer(
        accelerator="cpu", devices=1, logger=False, enable_progress_bar=False, enable_model_summary=False,
        **{"enable_checkpointing": False, **more},
    )


def module(classes, parameters="all"):
    """A ResNet-18; `head` freezes everything else, as `BackboneFinetuning` does before it thaws."""
    import lightning
    import torch
    import torchvision

    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = torchvision.models.resnet18(num_classes=classes)
            if parameters == "head":
                for name, parameter in self.net.named_parameters():
                    parameter.requires_grad = name.startswith("fc.")

        def on_train_epoch_start(self):
            self.began = time.perf_counter()
            if parameters == "head":
                self.net.eval()

        def on_train_epoch_end(self):
            epochs.append(time.perf_counter() - self.began)

        def training_step(self, batch, _):
            x, y = batch
            loss = torch.nn.functional.cross_entropy(self.net(x), y)
            self.log("train_loss", loss, on_epoch=True, on_step=False)
            return loss

        def configure_optimizers(self):
            return torch.optim.Adam([p for p in self.parameters() if p.requires_grad], lr=1e-3)

    epochs = []
    result = Module()
    result.epochs = epochs
    return result


def pictures(folder, side, augment=False, batch_size=32):
    import torch
    import torchvision
    from torchvision.transforms import v2

    fixed = [v2.Resize(int(side / 0.875)), v2.CenterCrop(side)]
    drawn = [v2.RandomResizedCrop(side), v2.RandomHorizontalFlip()]
    transform = v2.Compose([
        *(drawn if augment else fixed), v2.ToImage(),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ])
    data = torchvision.datasets.ImageFolder(folder, transform)
    return torch.utils.data.DataLoader(
        data, batch_size=batch_size, shuffle=True, num_workers=WORKERS, persistent_workers=True)


def epoch_of(data, parameters):
    made = module(4, parameters)
    trainer(max_epochs=2).fit(made, pictures(f"{data}/jpeg", SIDE))
    return made.epochs[-1]


def frozen(data):
    return {"uncached": epoch_of(data, "head")}


def thawed(data):
    epoch = epoch_of(data, "all")
    return {"epoch": epoch, "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def data(folder):
    numbers = {}
    for kind in ["png", "jpeg"]:
        for name, augment in [(kind, False), (f"{kind}_augmented", True)]:
            loader = pictures(f"{folder}/{kind}", 224, augment)
            for _ in range(2):
                start = time.perf_counter()
                count = sum(len(y) for _, y in loader)
                numbers[name] = count / (time.perf_counter() - start)
    return numbers


def start(data):
    trainer(max_steps=1).fit(module(4), pictures(f"{data}/jpeg", SIDE, batch_size=2))
    # The interpreter itself had started before that: some 20 ms.
    return {"one_step_run": (time.perf_counter() - START) * 1e3}


def checkpoint(data):
    made = module(4)
    run = trainer(max_epochs=1, limit_train_batches=1, enable_checkpointing=False)
    run.fit(made, pictures(f"{data}/jpeg", SIDE, batch_size=2))
    seconds, size = [], 0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(4):
            path = f"{folder}/{number}.ckpt"
            began = time.perf_counter()
            run.save_checkpoint(path)
            seconds.append(time.perf_counter() - began)
            size = os.path.getsize(path)
    mean = sum(seconds[1:]) / len(seconds[1:])
    return {"write": size / 1e6 / mean, "stall": mean * 1e3}


def loop(_):
    import lightning
    import torch

    torch.set_num_threads(1)
    steps = 4000
    data = torch.utils.data.TensorDataset(torch.randn(4000, 32), torch.randint(2, (4000,)))

    class Perceptron(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.backbone = torch.nn.Sequential(torch.nn.Linear(32, 32), torch.nn.ReLU())
            self.head = torch.nn.Linear(32, 2)

        def training_step(self, batch, _):
            x, y = batch
            loss = torch.nn.functional.cross_entropy(self.head(self.backbone(x)), y)
            self.log("train_loss", loss, on_epoch=True, on_step=False)
            return loss

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), lr=1e-3)

    loader = torch.utils.data.DataLoader(data, batch_size=2, shuffle=True)
    run, made = trainer(max_steps=steps, max_epochs=-1), Perceptron()
    began = time.perf_counter()
    run.fit(made, loader)
    return {"step": (time.perf_counter() - began) * 1e6 / steps}


if __name__ == "__main__":
    measures = {"loop": loop, "frozen": frozen, "thawed": thawed, "data": data, "start": start,
                "checkpoint": checkpoint}
    name, folder = sys.argv[1:]
    print(json.dumps(measures[name](folder)))
