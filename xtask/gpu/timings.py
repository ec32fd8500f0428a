"""Samples per second of Thaw and of a plain PyTorch or Lightning loop on the same work, in turns.

Weights are fresh, data random: the time of a step depends on neither. Rates are those of the last epoch, whose
caches and kernels are warm; those of every epoch are kept in `results.json`. Each line of the result names the
sizes that it stands for.
"""

import json
import os
import pathlib
import statistics
import time

import machine


class Work:
    """Something to train: a run config for Thaw, the same in PyTorch."""

    def __init__(self, name, config, peer, batch, target, against="PyTorch"):
        self.name, self.config, self.peer, self.batch = name, config, peer, batch
        self.target, self.against = target, against


def config(plugins, model, data, batch, strategy="", parameters="", epochs=3, precision="bf16-mixed", device="cuda"):
    return f"""plugins = {json.dumps(plugins)}
[model]
{model}
[data]
{data}
batch_size = {batch}
drop_last = true
[optimizer]
id = "adamw"
lr = 1e-4
{parameters}
{strategy}
[trainer]
max_epochs = {epochs}
device = "{device}"
precision = "{precision}"
[checkpoint]
enabled = false
"""


FROZEN = """[[callbacks]]
id = "backbone-finetuning"
unfreeze_backbone_at_epoch = 1000
frozen_bn = "eval"
"""


def write_pictures(path, count, size):
    """JPEGs in two folders, smooth enough to be of a photograph's size."""
    import numpy
    from PIL import Image

    draw = numpy.random.default_rng(0)
    for index in range(count):
        folder = path / ("a" if index % 2 else "b")
        folder.mkdir(parents=True, exist_ok=True)
        coarse = draw.integers(0, 255, (size // 8, size // 8, 3), dtype="uint8")
        Image.fromarray(coarse).resize((size, size), Image.BICUBIC).save(folder / f"{index}.jpg", quality=90)


def write_arrays(path, **arrays):
    import numpy

    numpy.savez(path, **arrays)


class Peer:
    """The loop that a user of PyTorch writes: a loader with workers and pinned memory, autocast, fused AdamW."""

    def __init__(self, device, make_model, make_loader, loss, trained=lambda model: model.parameters(), frozen=None):
        self.device, self.make_model, self.make_loader = device, make_model, make_loader
        self.loss, self.trained, self.frozen = loss, trained, frozen

    def rates(self, epochs):
        import torch

        torch.manual_seed(0)
        model = self.make_model().to(self.device)
        if self.device != "cpu":
            model = model.to(memory_format=torch.channels_last)
        model.train()
        if self.frozen:
            part = self.frozen(model)
            part.requires_grad_(False)
            part.eval()
        trained = [parameter for parameter in self.trained(model) if parameter.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=1e-4, fused=True)
        found = []
        for _ in range(epochs):
            start, samples = time.perf_counter(), 0
            for batch in self.make_loader():
                batch = [part.to(self.device, non_blocking=True) for part in batch]
                optimizer.zero_grad(set_to_none=True)
                with torch.autocast(self.device, torch.bfloat16):
                    loss = self.loss(model, batch)
                loss.backward()
                optimizer.step()
                samples += len(batch[0])
            loss.item()
            found.append(samples / (time.perf_counter() - start))
        return found


def of_pictures(device, arch, classes):
    import torch
    import torchvision

    def loss(model, batch):
        pictures = batch[0]
        if device != "cpu":
            pictures = pictures.contiguous(memory_format=torch.channels_last)
        return torch.nn.functional.cross_entropy(model(pictures), batch[1])

    return lambda: getattr(torchvision.models, arch)(num_classes=classes), loss


def of_arrays(arrays, batch):
    import torch

    data = torch.utils.data.TensorDataset(*[torch.from_numpy(array) for array in arrays])

    def batches():
        order = torch.randperm(len(data))
        pin = torch.cuda.is_available()
        for first in range(0, len(data) - batch + 1, batch):
            rows = order[first : first + batch]
            parts = [tensor[rows] for tensor in data.tensors]
            yield [part.pin_memory() for part in parts] if pin else parts

    return batches


def of_files(path, size, batch, workers):
    import torch
    from torchvision import datasets, transforms

    steps = [transforms.Resize(int(size / 0.875)), transforms.CenterCrop(size), transforms.ToTensor()]
    steps.append(transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    data = datasets.ImageFolder(path, transforms.Compose(steps))
    loader = torch.utils.data.DataLoader(
        data, batch, shuffle=True, num_workers=workers, pin_memory=torch.cuda.is_available(),
        persistent_workers=workers > 0, drop_last=True,
    )
    return lambda: loader


def pictures(device, folder, small):
    """ResNet-50, frozen and whole, from memory and from JPEGs; a vision transformer."""
    import numpy

    size, batch, count = (64, 4, 16) if small else (224, 128, 2048)
    arch, vit = ("resnet18", None) if small else ("resnet50", "vit_b_16")
    draw = numpy.random.default_rng(0)
    x = draw.standard_normal((count, 3, size, size), dtype="float32")
    y = draw.integers(0, 10, count)
    write_arrays(folder / "pictures.npz", x=x, y=y)
    write_pictures(folder / "jpegs", count, size + size // 8)
    memory = f'kind = "tensors"\npath = "{folder}/pictures.npz"'
    files = f'kind = "image-folder"\npath = "{folder}/jpegs"\naugment = {{}}'
    workers = min(16, os.cpu_count() or 1)
    head = 'parameters = ["head"]'
    works = []

    def add(name, model, data, loader, classes, peer_arch, frozen, target):
        make, loss = of_pictures(device, peer_arch, classes)
        settings = f'id = "{model}"\nnum_classes = {classes}\nimage_size = {size}'
        plugins = ["vision"] + (["backbone_finetuning"] if frozen else [])
        text = config(
            plugins, settings, data, batch, FROZEN if frozen else "", head if frozen else "",
            device=device, precision="bf16-mixed",
        )

        def freeze(peer):
            peer.requires_grad_(False)
            top = peer.fc
            # The frozen part is put into evaluation and the head back into training by the caller's order.
            top.requires_grad_(True)
            return _Rest(peer, top)

        works.append(Work(name, text, Peer(device, make, loader, loss, frozen=freeze if frozen else None), batch, target))

    arrays, jpegs = of_arrays((x, y), batch), of_files(folder / "jpegs", size, batch, workers)
    thaw = arch
    add(f"{arch} frozen, {size} px, memory", thaw, memory, arrays, 10, arch, True, None)
    add(f"{arch} whole, {size} px, memory", thaw, memory, arrays, 10, arch, False, 1.0)
    add(f"{arch} frozen, {size} px, JPEGs", thaw, files, jpegs, 2, arch, True, 3.0)
    add(f"{arch} whole, {size} px, JPEGs", thaw, files, jpegs, 2, arch, False, 1.0)
    if vit:
        add(f"{vit} whole, {size} px, memory", vit.replace("_", "-"), memory, arrays, 10, vit, False, None)
    return works


class _Rest:
    """Everything of a model but its head."""

    def __init__(self, model, head):
        self.model, self.head = model, head

    def requires_grad_(self, _):
        return self

    def eval(self):
        self.model.eval()
        self.head.train()


def bert(device, folder, small):
    import numpy
    import torch
    import transformers

    sizes = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64) if small else {}
    tokens, batch, count = (16, 4, 16) if small else (128, 32, 2048)
    draw = numpy.random.default_rng(0)
    ids = draw.integers(1000, 30000, (count, tokens))
    mask, types = numpy.ones_like(ids), numpy.zeros_like(ids)
    y = draw.integers(0, 3, count)
    write_arrays(folder / "texts.npz", input_ids=ids, attention_mask=mask, token_type_ids=types, y=y)
    data = f'kind = "tensors"\npath = "{folder}/texts.npz"\ninputs = ["input_ids", "attention_mask", "token_type_ids"]'
    model = 'id = "bert-classifier"\nlayout = "sequence-classification"\nnum_classes = 3\n'
    model += "\n".join(f"{key} = {value}" for key, value in sizes.items())

    def make():
        return transformers.BertForSequenceClassification(transformers.BertConfig(num_labels=3, **sizes))

    def loss(peer, parts):
        logits = peer(input_ids=parts[0], attention_mask=parts[1], token_type_ids=parts[2]).logits
        return torch.nn.functional.cross_entropy(logits.float(), parts[3])

    peer = Peer(device, make, of_arrays((ids, mask, types, y), batch), loss)
    name = f"BERT{' of 2 layers' if small else '-base'}, {tokens} tokens"
    return [Work(name, config(["text"], model, data, batch, device=device), peer, batch, 1.0)]


class Lightning:
    """The tiny perceptron in Lightning's Trainer, without checkpoints and loggers."""

    def __init__(self, device, x, y, batch):
        self.device, self.x, self.y, self.batch = device, x, y, batch

    def rates(self, epochs):
        import lightning
        import torch

        class Perceptron(lightning.LightningModule):
            def __init__(self):
                super().__init__()
                self.net = torch.nn.Sequential(torch.nn.Linear(32, 32), torch.nn.ReLU(), torch.nn.Linear(32, 2))

            def training_step(self, batch, _):
                logits = self.net(batch[0])
                loss = torch.nn.functional.cross_entropy(logits, batch[1])
                self.log("train_loss", loss)
                return loss

            def configure_optimizers(self):
                return torch.optim.AdamW(self.parameters(), lr=1e-3)

        data = torch.utils.data.TensorDataset(torch.from_numpy(self.x), torch.from_numpy(self.y))
        loader = torch.utils.data.DataLoader(data, self.batch, shuffle=True)
        found = []
        for _ in range(epochs):
            trainer = lightning.Trainer(
                max_epochs=1, accelerator="cpu" if self.device == "cpu" else "gpu", devices=1, logger=False,
                enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
            )
            start = time.perf_counter()
            trainer.fit(Perceptron(), loader)
            found.append(len(data) / (time.perf_counter() - start))
        return found


def perceptron(device, folder, small):
    import numpy

    batch, count = 2, 400 if small else 4000
    draw = numpy.random.default_rng(0)
    x, y = draw.standard_normal((count, 32), dtype="float32"), draw.integers(0, 2, count)
    write_arrays(folder / "rows.npz", x=x, y=y)
    modules = [
        {"name": "backbone", "type": "Sequential"},
        {"name": "backbone.0", "type": "Linear", "in_features": 32, "out_features": 32, "bias": True},
        {"name": "backbone.1", "type": "ReLU"},
        {"name": "head", "type": "Linear", "in_features": 32, "out_features": 2, "bias": True},
    ]
    (folder / "case.json").write_text(json.dumps({"model": {"kind": "mlp_bn"}, "modules": modules}))
    model = f'id = "case-model"\ncase = "{folder}/case.json"'
    data = f'kind = "tensors"\npath = "{folder}/rows.npz"'
    text = config(["case_model"], model, data, batch, device=device, precision="fp32")
    return [Work("perceptron 32-32-2, batches of 2", text, Lightning(device, x, y, batch), batch, 10.0, "Lightning")]


def thaw(work, folder, device, watch_waits):
    (folder / "run.toml").write_text(work.config)
    more = {"THAW_COUNT_WAITS": "1"} if watch_waits else {}
    run = folder / f"run-{time.monotonic_ns()}"
    with machine.Watch(device) as watch:
        code, text = machine.host(["fit", "run.toml", "--run-dir", str(run)], folder, device, 150, **more)
    if code != 0:
        raise RuntimeError(text[-1500:])
    found = machine.rates(text)
    if not found:
        raise RuntimeError(f"no rate is told in: {text[-1500:]}")
    return found, watch.numbers(), machine.waits_per_batch(text)


def give_memory_back(device):
    """What PyTorch keeps of a loop that is over would count as the next run's memory."""
    import gc

    import torch

    if device != "cpu":
        gc.collect()
        torch.cuda.empty_cache()


def measure(work, folder, device, repeats):
    """Both in turns; the median of each. Waits are counted in a run of their own, which counting makes slower."""
    ours, theirs, numbers = [], [], {}
    for _ in range(1 if device == "cpu" else repeats):
        rates, numbers, _ = thaw(work, folder, device, False)
        ours.append(rates)
        with machine.Watch(device) as watch:
            theirs.append(work.peer.rates(2))
        peer = watch.numbers()
        give_memory_back(device)
    _, _, waits = thaw(work, folder, device, True)
    by_epoch = {"thaw_epochs": ours, "peer_epochs": theirs}
    ours, theirs = (statistics.median(rates[-1] for rates in turns) for turns in (ours, theirs))
    return {
        "work": work.name, "batch": work.batch, "thaw": round(ours, 1), "against": work.against,
        "peer": round(theirs, 1), "ratio": round(ours / theirs, 2), "target": work.target,
        "busy": numbers["busy"], "peer_busy": peer["busy"], "memory_gib": numbers["memory_gib"],
        "peer_memory_gib": peer["memory_gib"], "waits_per_batch": waits, **by_epoch,
    }


def all_works(device, folder):
    folder = pathlib.Path(folder)
    small = device == "cpu"
    return [
        ("perceptron", lambda: perceptron(device, folder, small)),
        ("texts", lambda: bert(device, folder, small)),
        ("pictures", lambda: pictures(device, folder, small)),
    ]
