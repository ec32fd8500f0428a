"""The machine a bundle runs on: its card, what it does meanwhile, and running the program on it."""

import os
import pathlib
import re
import subprocess
import sys
import threading
import time

BUNDLE = pathlib.Path(__file__).resolve().parent


def environment(device, **more):
    """What the program runs with: the libtorch of this python3's PyTorch."""
    import torch

    env = dict(os.environ, THAW_LOG="info", **more)
    env["LD_LIBRARY_PATH"] = str(pathlib.Path(torch.__file__).parent / "lib")
    if device == "cpu":
        env["CUDA_VISIBLE_DEVICES"] = ""
    return env


def program(name):
    return str(BUNDLE / "bin" / name)


def run(command, folder, device, timeout, **more):
    """Runs a command; gives its exit code and all that it printed. One that takes too long has the code 124."""
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment(device, **more),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            text=True,
            errors="replace",
        )
        return done.returncode, done.stdout
    except subprocess.TimeoutExpired as late:
        text = late.stdout or b""
        return 124, (text if isinstance(text, str) else text.decode(errors="replace")) + "\n(too late)"


def host(arguments, folder, device, timeout=120, **more):
    return run([program("host"), "--plugin-dir", str(BUNDLE / "bin"), *arguments], folder, device, timeout, **more)


def describe(device):
    """Card, driver, PyTorch: what numbers stand for."""
    import torch

    found = {"python": sys.version.split()[0], "torch": torch.__version__, "cpus": os.cpu_count(), "device": device}
    if device != "cpu":
        properties = torch.cuda.get_device_properties(0)
        found["card"] = properties.name
        found["memory_gib"] = round(properties.total_memory / 2**30, 1)
        code, text = run(["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"], ".", device, 20)
        found["driver"] = text.strip() if code == 0 else "unknown"
    return found


class Watch:
    """Looks at the card while something runs: share of the time that it was busy, and the most memory taken."""

    def __init__(self, device):
        self.device, self.busy, self.memory, self.over = device, [], 0, threading.Event()

    def __enter__(self):
        self.thread = threading.Thread(target=self.look, daemon=True)
        if self.device != "cpu":
            self.thread.start()
        return self

    def look(self):
        try:
            import pynvml

            pynvml.nvmlInit()
            card = pynvml.nvmlDeviceGetHandleByIndex(0)
            while not self.over.wait(0.1):
                self.busy.append(pynvml.nvmlDeviceGetUtilizationRates(card).gpu)
                self.memory = max(self.memory, pynvml.nvmlDeviceGetMemoryInfo(card).used)
        except Exception as error:  # The numbers are then missing, and the table says so.
            print(f"the card cannot be looked at: {error}", file=sys.stderr)

    def __exit__(self, *_):
        self.over.set()
        if self.device != "cpu":
            self.thread.join()

    def numbers(self):
        """The first second is start-up and the last tenth is the end."""
        middle = self.busy[len(self.busy) // 2 :]
        return {
            "busy": round(sum(middle) / len(middle) / 100, 3) if middle else None,
            "memory_gib": round(self.memory / 2**30, 2) if self.memory else None,
        }


RATE = re.compile(r"epoch\s+(\d+)/\d+ .*?(\d+) samples/s")
WAITS = re.compile(r"(\d+) waits for the device in (\d+) batches")


def rates(text):
    """Samples per second of each epoch."""
    return [float(rate) for _, rate in RATE.findall(text)]


def waits_per_batch(text):
    """Of the last epoch; None where it was not counted."""
    found = WAITS.findall(text)
    return round(int(found[-1][0]) / max(int(found[-1][1]), 1), 3) if found else None


class Deadline:
    """Seconds that are left of the whole."""

    def __init__(self, seconds):
        self.end = time.monotonic() + seconds

    def left(self):
        return self.end - time.monotonic()
