"""The metrics of a run directory, as its own records have them."""

import json
import math

OF_THE_RECORD = {"step", "time", "seconds", "batch"}


def logged(run_dir):
    """Values of metrics.jsonl by name: those of each step, in order."""
    values = {}
    for line in (run_dir / "metrics.jsonl").read_text().splitlines():
        record = json.loads(line)
        for name, value in record.items():
            if name not in OF_THE_RECORD:
                number = math.nan if value is None else value
                values.setdefault(name, []).append((record["step"], number))
    return values


def same(expected, found):
    """Whether a value that went through float32 is the recorded one; one that is no number only has to be none."""
    if math.isnan(expected):
        return not math.isfinite(found)
    return math.isclose(expected, found, rel_tol=1e-6, abs_tol=1e-37)
