"""Checks and measures Thaw on this machine: `python3 run.py [--device cuda|cpu] [--out DIR] [--seconds N]`.

Needs a python3 with PyTorch of the libtorch version that the programs were built for; timings need torchvision,
transformers and Lightning, too. No Rust, no network. Writes `results.json` and `results.txt` into DIR after each
part, so that a run that is cut off leaves what it found, and prints the table last. A failed part is named and the
others go on; the exit code is 1 then.
"""

import argparse
import json
import pathlib
import re
import sys
import time
import traceback

import machine


def attempt(name, work, deadline):
    start = time.monotonic()
    if deadline.left() < 5:
        return {"name": name, "ok": False, "detail": "not run: no time left", "seconds": 0.0}
    try:
        detail, ok = work(), True
    except Exception as error:
        known = type(error).__name__ == "Failure"
        detail, ok = str(error) if known else traceback.format_exc()[-1500:], False
    seconds = round(time.monotonic() - start, 1)
    print(f"{'ok' if ok else 'FAILED':7}{name} ({seconds} s)" + ("" if ok else f": {detail}"), flush=True)
    return {"name": name, "ok": ok, "detail": detail, "seconds": seconds}


def timings(found, given, folder, deadline, write):
    import timings as module

    for group, make in module.all_works(given.device, folder):
        made = attempt(f"timings, {group}", make, deadline)
        if not made["ok"]:
            found["failures"].append(made)
            continue
        for work in made["detail"]:
            measure = lambda work=work: module.measure(work, folder, given.device, given.repeats)
            row = attempt(work.name, measure, deadline)
            found["timings" if row["ok"] else "failures"].append(row["detail"] if row["ok"] else row)
            write()


def table(found):
    about = found["machine"]
    lines = [" · ".join(f"{key} {value}" for key, value in about.items()), ""]
    for check in found["checks"]:
        lines.append(f"{'ok' if check['ok'] else 'FAILED':7}{check['name']:42}{str(check['detail'])[:300]}")
    lines += [f"not run {name}: needs a GPU" for name in found["left_out"]]
    header = ["work", "thaw/s", "peer/s", "ratio", "target", "busy", "peer", "GiB", "peer", "waits/batch"]
    keys = ["work", "thaw", "peer", "ratio", "target", "busy", "peer_busy", "memory_gib", "peer_memory_gib"]
    keys.append("waits_per_batch")
    lines += ["", "{:40}".format(header[0]) + "".join(f"{name:>12}" for name in header[1:])]
    for row in found["timings"]:
        values = ["-" if row[key] is None else str(row[key]) for key in keys[1:]]
        missed = row["target"] is not None and row["ratio"] < row["target"]
        lines.append(f"{row['work']:40}" + "".join(f"{value:>12}" for value in values) + ("  MISSED" if missed else ""))
    failed = [check["name"] for check in found["checks"] + found["failures"] if not check["ok"]]
    lines += ["", f"{len(failed)} failed" + (": " + ", ".join(failed) if failed else "")]
    return "\n".join(lines), failed


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--device", default="cuda")
    arguments.add_argument("--out", default="out")
    arguments.add_argument("--seconds", type=float, default=480)
    arguments.add_argument("--only", choices=["checks", "timings"])
    arguments.add_argument("--match", default="", help="only checks whose names this regular expression finds")
    arguments.add_argument("--repeats", type=int, default=2, help="turns of each timing; the median counts")
    given = arguments.parse_args()
    out = pathlib.Path(given.out).resolve()
    import checks

    checks.clean(out)
    work = out / "work"
    work.mkdir()
    deadline = machine.Deadline(given.seconds)
    found = {"machine": machine.describe(given.device), "checks": [], "timings": [], "failures": [], "left_out": []}
    manifest = machine.BUNDLE / "MANIFEST.json"
    found["machine"].update(json.loads(manifest.read_text()) if manifest.exists() else {})

    def write():
        text, failed = table(found)
        (out / "results.json").write_text(json.dumps(found, indent=1, default=str))
        (out / "results.txt").write_text(text + "\n")
        return text, failed

    if given.only != "timings":
        every, found["left_out"] = checks.Checks(given.device, work).all()
        for name, check in every:
            if re.search(given.match, name):
                found["checks"].append(attempt(name, check, deadline))
                write()
    if given.only != "checks":
        timings(found, given, work, deadline, write)
    text, failed = write()
    print(text)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
