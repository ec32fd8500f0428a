"""What has to hold on a device. Each check gives a text on success and raises on a failure."""

import concurrent.futures
import json
import math
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import time

import machine

# The references were recorded on a CPU. A GPU adds in another order: so many times their tolerances are allowed.
ALLOWED = {"cpu": 1, "cuda": 20}

EMOJI = """seed = 42
plugins = ["vision", "backbone_finetuning"]
[model]
id = "efficientnet-lite0"
num_classes = 9
image_size = {size}
weights = {{ path = "{bundle}/weights/efficientnet-lite0.pth", ignore = ["head.*"] }}
[data]
kind = "image-folder"
path = "{bundle}/data/emoji"
batch_size = 32
val_batch_size = 64
augment = {{ horizontal_flip = 0.5 }}
[optimizer]
id = "adamw"
lr = 3e-3
parameters = ["head"]
[[callbacks]]
id = "backbone-finetuning"
unfreeze_backbone_at_epoch = 1
backbone_initial_ratio_lr = 0.05
lambda_func = 1.0
frozen_bn = "eval"
train_bn = false
[trainer]
max_epochs = 2
device = "{device}"
{limits}
"""


# Folders of references, and the program that compares with them.
REFERENCES = {"parity": "parity", "parity_more": "parity", "models": "models", "models_more": "models"}


class Failure(Exception):
    pass


def expect(holds, text):
    if not holds:
        raise Failure(text[-1500:])


class Checks:
    def __init__(self, device, folder):
        self.device, self.folder = device, pathlib.Path(folder)
        small = device == "cpu"
        limits = "limit_train_batches = 4\nlimit_val_batches = 2\nthreads = 2" if small else ""
        config = EMOJI.format(bundle=machine.BUNDLE, device=device, size=64 if small else 128, limits=limits)
        (self.folder / "emoji.toml").write_text(config)
        # References start a program for each case: on a GPU, with many processors, those of all folders at once.
        self.pool = concurrent.futures.ThreadPoolExecutor(1 if small else len(REFERENCES))
        self.comparisons = {}

    def all(self):
        """Names and functions, in order; those that need a GPU are left out on a CPU, and the table says so."""
        found = [
            ("parity", lambda: self.references("parity")),
            ("parity, more", lambda: self.references("parity_more")),
            ("models", lambda: self.references("models")),
            ("models, more", lambda: self.references("models_more")),
            ("emoji, fp32", lambda: self.emoji("fp32", "trainer.matmul_precision=highest")),
            ("emoji, bf16-mixed", lambda: self.emoji("bf16", "trainer.precision=bf16-mixed")),
            ("emoji, TF32", lambda: self.emoji("tf32", "trainer.matmul_precision=high")),
            ("emoji, deterministic twice", self.deterministic),
            ("resume", self.resume),
            ("predicts and validates without a GPU", self.elsewhere),
            ("phases", self.phases),
            ("swap", self.swap),
            ("emoji, speed by epoch", self.speed),
            ("activation checkpointing", self.recomputed),
            ("frozen precision", self.frozen_precision),
            ("frozen cache", self.frozen_cache),
            ("the largest batch", self.find_batch_size),
            ("labels that are none", self.labels),
            ("two processes on the CPU", self.two_processes),
            ("a world of one", self.world_of_one),
        ]
        gpu = [
            ("little room for batches", self.little_room),
            ("peak memory", self.peak_memory),
            ("emoji, fp16-mixed", lambda: self.emoji("fp16", "trainer.precision=fp16-mixed")),
            ("fp16 checkpoint without a GPU", lambda: self.elsewhere("fp16")),
            ("out of memory", self.out_of_memory),
        ]
        return found + ([] if self.device == "cpu" else gpu), [name for name, _ in gpu if self.device == "cpu"]

    def references(self, folder):
        if not self.comparisons:
            for each in REFERENCES:
                self.comparisons[each] = self.pool.submit(self.compare, each)
        return self.comparisons[folder].result()

    def compare(self, folder):
        kind = "cpu" if self.device == "cpu" else "cuda"
        command = [machine.program(REFERENCES[folder]), str(machine.BUNDLE / folder)]
        command += ["--device", self.device, "--allow", str(ALLOWED[kind])]
        code, text = machine.run(
            command, self.folder, self.device, 240,
            THAW_PLUGIN_PATH=str(machine.BUNDLE / "bin"), THAW_WEIGHTS=str(machine.BUNDLE / "weights"),
        )
        (self.folder / f"{folder}.log").write_text(text)
        failed = [line for line in text.splitlines() if line.startswith("FAIL")]
        expect(code == 0, "\n".join(failed) or text)
        return f"{text.strip().splitlines()[-1]}; {ALLOWED[kind]} x the CPU's tolerances"

    def fit(self, run, *sets, code=0):
        arguments = ["fit", "emoji.toml", "--run-dir", run]
        for setting in sets:
            arguments += ["--set", setting]
        found, text = machine.host(arguments, self.folder, self.device, 180)
        (self.folder / f"{run}.log").write_text(text)
        expect(found == code, f"exit code {found}: {text}")
        return text

    def metrics(self, run):
        lines = (self.folder / run / "metrics.jsonl").read_text().splitlines()
        return [record for record in map(json.loads, lines) if "val_loss" in record]

    def emoji(self, run, *sets):
        self.fit(run, *sets)
        last = self.metrics(run)[-1]
        expect(all(math.isfinite(last[key]) for key in ("train_loss", "val_loss")), str(last))
        # Nine classes: chance is 0.2 with the largest.
        expect(self.device == "cpu" or last["val_acc"] > 0.6, f"val_acc is {last['val_acc']}")
        return ", ".join(f"{key} {last[key]:.4f}" for key in ("train_loss", "val_loss", "val_acc"))

    def speed(self):
        """Samples per second of each epoch: how much of a short run is the first use of kernels."""
        more, run = {"THAW_COUNT_WAITS": "1"}, "speed"
        sets = ["--set", "trainer.precision=bf16-mixed", "--set", "trainer.max_epochs=4"]
        arguments = ["fit", "emoji.toml", "--run-dir", run, *sets]
        code, text = machine.host(arguments, self.folder, self.device, 120, **more)
        expect(code == 0, text)
        return f"{machine.rates(text)} samples/s, {machine.waits_per_batch(text)} waits a batch"

    def weights(self, run):
        return (self.folder / run / "checkpoints/last/model.safetensors").read_bytes()

    def recomputed(self):
        """The same bits where deterministic algorithms are asked for."""
        for run, more in (("kept", "false"), ("again", "true")):
            sets = ("trainer.deterministic=true", "trainer.max_epochs=2", f"trainer.activation_checkpointing={more}")
            self.fit(run, *sets)
        expect(self.weights("kept") == self.weights("again"), "activations computed again give other weights")
        return "the same bits"

    def frozen_precision(self):
        """Weights that bfloat16 rounds in each product anyway: nothing may change."""
        for run, more in (("in-full", "fp32"), ("in-half", "bf16")):
            sets = ("trainer.precision=bf16-mixed", "trainer.deterministic=true", "trainer.frozen_cache=off")
            text = self.fit(run, *sets, f"trainer.frozen_precision={more}")
        expect("frozen weights are held in" in text, text)
        expect(self.weights("in-full") == self.weights("in-half"), "weights differ")
        return re.search(r"frozen_precision: (.*)", text)[1]

    def frozen_cache(self):
        """Starting from what frozen stages gave, against computing them in each epoch."""
        found = {}
        for cache in ("on", "off"):
            run = f"cache-{cache}"
            sets = ["data.augment={}", "trainer.max_epochs=3", f"trainer.frozen_cache={cache}"]
            text = self.fit(run, *sets, "callbacks.0.unfreeze_backbone_at_epoch=100", "trainer.cache_disk_gib=0")
            found[cache] = (self.metrics(run)[-1]["val_loss"], machine.rates(text))
        (on, with_it), (off, without) = found["on"], found["off"]
        expect(abs(on - off) < 2e-2 * off, f"val_loss {on} with the cache, {off} without")
        return f"val_loss {on:.4f}, without {off:.4f}; {with_it} samples/s, without {without}"

    def find_batch_size(self):
        code, text = machine.host(
            ["fit", "emoji.toml", "--run-dir", "largest", "--find-batch-size", "--max-batch-size", "64", "--set",
             "trainer.max_epochs=1"],
            self.folder, self.device, 180,
        )
        expect(code == 0, text)
        size = re.search(r"^batch_size = (\d+)", (self.folder / "largest/config.toml").read_text(), re.M)
        expect(size is not None and int(size[1]) in (4, 8, 16, 32, 64), text)
        return f"batches of {size[1]}, of at most 64"

    def labels(self):
        """A label outside of the classes: an error that names the sample, and no assertion of a kernel."""
        import numpy

        x, y = numpy.zeros((8, 4), dtype="float32"), numpy.array([0, 1, 0, 1, 0, 5, 0, 1])
        numpy.savez(self.folder / "labels.npz", x=x, y=y)
        modules = [{"name": "head", "type": "Linear", "in_features": 4, "out_features": 2, "bias": True}]
        (self.folder / "labels.json").write_text(json.dumps({"model": {"kind": "mlp_bn"}, "modules": modules}))
        text = f'plugins = ["case_model"]\n[model]\nid = "case-model"\ncase = "{self.folder}/labels.json"\n'
        text += f'[data]\nkind = "tensors"\npath = "{self.folder}/labels.npz"\nbatch_size = 4\n'
        text += f'[optimizer]\nid = "sgd"\nlr = 0.1\n[trainer]\ndevice = "{self.device}"\n'
        (self.folder / "labels.toml").write_text(text)
        code, out = machine.host(["fit", "labels.toml", "--run-dir", "labels"], self.folder, self.device, 60)
        expect(code in (1, 2) and "device-side assert" not in out, out)
        expect("5" in out and ("outside 0..2" in out or "num_classes" in out), out)
        return out.strip().splitlines()[-1][:160]

    def processes(self, run, count, device, *sets):
        """So many processes of one run, as a launcher starts them; gives what the first one printed."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        started = []
        for rank in range(count):
            launcher = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count}
            launcher |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
            env = machine.environment(device, **{key: str(value) for key, value in launcher.items()})
            command = [machine.program("host"), "--plugin-dir", str(machine.BUNDLE / "bin"), "fit", "emoji.toml"]
            command += ["--run-dir", run, *[part for text in sets for part in ("--set", text)]]
            log = open(self.folder / f"{run}-{rank}.log", "w")
            started.append(subprocess.Popen(command, cwd=self.folder, env=env, stdout=log, stderr=subprocess.STDOUT))
        try:
            codes = [process.wait(150) for process in started]
        finally:
            for process in started:
                process.kill()
        texts = [(self.folder / f"{run}-{rank}.log").read_text() for rank in range(count)]
        expect(codes == [0] * count, f"exit codes {codes}: " + "\n".join(texts))
        return texts[0]

    def two_processes(self):
        sets = ["trainer.device=cpu", "trainer.threads=1", "trainer.max_epochs=1", "trainer.limit_train_batches=3"]
        self.processes("two", 2, "cpu", *sets, "trainer.limit_val_batches=1", "model.image_size=64")
        return f"val_loss {self.metrics('two')[-1]['val_loss']:.4f}"

    def world_of_one(self):
        """A launcher's single process: the same bits as without one."""
        sets = ["trainer.deterministic=true", "trainer.max_epochs=1"]
        self.fit("alone", *sets)
        self.processes("one", 1, self.device, *sets)
        expect(self.weights("alone") == self.weights("one"), "a launcher's single process has other weights")
        return "the same bits as without a launcher"

    def little_room(self):
        """Batches may take next to nothing on the device: slower, and the same."""
        self.fit("roomy", "trainer.deterministic=true", "trainer.max_epochs=1")
        more = {"THAW_COUNT_WAITS": "1"}
        arguments = ["fit", "emoji.toml", "--run-dir", "narrow", "--set", "trainer.deterministic=true", "--set"]
        arguments += ["trainer.max_epochs=1", "--set", "data.prefetch_mib=1"]
        code, text = machine.host(arguments, self.folder, self.device, 120, **more)
        expect(code == 0, text)
        expect(self.weights("roomy") == self.weights("narrow"), "the room for batches changes the weights")
        found = re.search(r"(\d+) of the batches waited for room", text)
        return f"{found[1] if found else 0} waits for room, {machine.waits_per_batch(text)} other waits a batch"

    def peak_memory(self):
        """Memory that the card has taken at most, as it counts it, of the backbone in training."""
        found = {}
        sets = ["model.image_size=224", "data.batch_size=64", "trainer.max_epochs=1", "trainer.precision=bf16-mixed"]
        for run, more in (("plain", []), ("recomputed", ["trainer.activation_checkpointing=true"])):
            with machine.Watch(self.device) as watch:
                self.fit(f"peak-{run}", *sets, "callbacks=[]", 'optimizer.parameters=["*"]', *more)
            found[run] = watch.numbers()["memory_gib"]
        return f"GiB {found}"

    def deterministic(self):
        for run in ("same-1", "same-2"):
            self.fit(run, "trainer.deterministic=true")
        files = [self.folder / run / "checkpoints/last/model.safetensors" for run in ("same-1", "same-2")]
        expect(files[0].read_bytes() == files[1].read_bytes(), "two deterministic runs differ in their weights")
        return "the same bits"

    def resume(self):
        self.fit("halves", "trainer.deterministic=true", "trainer.max_epochs=1")
        code, text = machine.host(
            ["fit", "emoji.toml", "--resume", "halves", "--set", "trainer.deterministic=true"],
            self.folder, self.device, 120,
        )
        expect(code == 0, text)
        files = [self.folder / run / "checkpoints/last/model.safetensors" for run in ("same-1", "halves")]
        expect(files[0].read_bytes() == files[1].read_bytes(), "a resumed deterministic run differs in its weights")
        return "the same bits as a straight run"

    def elsewhere(self, run="fp32"):
        """A checkpoint of this run, used where there is no GPU, with no --set."""
        output = self.folder / f"{run}.csv"
        inputs = str(machine.BUNDLE / "data/emoji/val/flags")
        code, text = machine.host(
            ["predict", "--checkpoint", run, "--input", inputs, "--output", str(output)], self.folder, "cpu", 120
        )
        expect(code == 0 and len(output.read_text().splitlines()) > 10, text)
        code, text = machine.host(["validate", "--checkpoint", run, "--json"], self.folder, "cpu", 120)
        expect(code == 0, text)
        there = json.loads(next(line for line in text.splitlines() if line.startswith("{")))["metrics"]["val_loss"]
        recorded = [record["val_loss"] for record in self.metrics(run)]
        near = min(abs(there - here) / here for here in recorded)
        expect(near < (1e-4 if run == "fp32" else 2e-2), f"val_loss {there} there, {recorded} here")
        target = str(self.folder / f"{run}.safetensors")
        code, text = machine.host(["export", "--checkpoint", run, "--output", target], self.folder, "cpu", 60)
        expect(code == 0, text)
        return f"val_loss {there:.5f} there, {recorded[-1]:.5f} here"

    def phases(self):
        text = (self.folder / "emoji.toml").read_text()
        head, tail = text.split("[[callbacks]]")
        text = head.replace("backbone_finetuning", "phased_finetuning")
        text += f'[[callbacks]]\nid = "phased-finetuning"\nschedule = "{machine.BUNDLE}/phases.toml"\n'
        text += "[trainer]" + tail.split("[trainer]")[1]
        (self.folder / "phases.toml").write_text(text)
        code, out = machine.host(["fit", "phases.toml", "--run-dir", "phases"], self.folder, self.device, 120)
        expect(code == 0, out)
        return "two epochs"

    def swap(self):
        """A live run gets another strategy at its next epoch."""
        # Whether its first epochs are over before the request is a matter of speed: so many that they are not.
        command = [machine.program("host"), "--plugin-dir", str(machine.BUNDLE / "bin"), "fit", "emoji.toml"]
        command += ["--run-dir", "swapped", "--set", "trainer.max_epochs=60"]
        log = open(self.folder / "swapped.log", "w")
        env = machine.environment(self.device)
        live = subprocess.Popen(command, cwd=self.folder, env=env, stdout=log, stderr=subprocess.STDOUT)
        try:
            groups, end = self.folder / "swapped/groups.jsonl", time.monotonic() + 60
            while not (groups.exists() and groups.stat().st_size) and time.monotonic() < end:
                time.sleep(0.2)
            plugin = str(machine.BUNDLE / "bin/libthaw_layerwise_finetuning.so")
            code, text = machine.host(["swap", "swapped", "--plugin", plugin], self.folder, self.device, 90)
        finally:
            live.terminate()
            live.wait(60)
        expect(code == 0, text + (self.folder / "swapped.log").read_text())
        return text.strip().splitlines()[-1]

    def out_of_memory(self):
        """Another process takes all but 3 GiB; a batch that is too large for the rest has to say so."""
        hold = "import torch, time\nfree, _ = torch.cuda.mem_get_info()\n"
        hold += "x = torch.empty(free - 3 * 2**30, dtype=torch.uint8, device='cuda')\nprint('held', flush=True)\ntime.sleep(90)"
        holder = subprocess.Popen([sys.executable, "-c", hold], stdout=subprocess.PIPE, text=True)
        try:
            expect("held" in holder.stdout.readline(), "the memory could not be taken")
            sets = ["data.batch_size=1024", "model.image_size=224", "callbacks=[]", 'optimizer.parameters=["*"]']
            text = self.fit("memory", *sets, code=1)
        finally:
            holder.kill()
            holder.wait()
        for part in ("has no memory left", "tensors took at most", "batch of 1024 samples", "batch_size lower"):
            expect(part in text, f"`{part}` is missing in: {text}")
        return text.strip().splitlines()[-1][:160]


def clean(folder):
    shutil.rmtree(folder, ignore_errors=True)
    pathlib.Path(folder).mkdir(parents=True)
