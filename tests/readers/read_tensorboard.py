#!/usr/bin/env python3
"""Reads a run's event files with TensorBoard's own reader, and holds them against its metrics.jsonl.

    python3 tests/readers/read_tensorboard.py runs/first [FOLDER]

FOLDER is the run's `tensorboard` folder unless the logger has another `path`. Every scalar has to be there under its
name and step, and no other; the run config has to be there as a text and as hyperparameters. Needs tensorboard; the
program itself does not.
"""

import sys
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata

from records import logged, same


def main():
    run_dir = Path(sys.argv[1])
    folder = Path(sys.argv[2]) if len(sys.argv) > 2 else run_dir / "tensorboard"
    reader = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0})
    reader.Reload()
    expected, names = logged(run_dir), set(reader.Tags()["scalars"])
    assert names == set(expected), f"scalars {sorted(names)}, expected {sorted(expected)}"
    for name, values in expected.items():
        found = [(event.step, event.value) for event in reader.Scalars(name)]
        assert len(found) == len(values), f"{name}: {found}, expected {values}"
        for (step, value), (found_step, found_value) in zip(values, found):
            assert step == found_step and same(value, found_value), f"{name}: {found}, expected {values}"
    text = reader.Tensors("config/text_summary")[-1].tensor_proto.string_val[0].decode()
    assert "[model]" in text, text
    content = reader.SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
    start = metadata.parse_session_start_info_plugin_data(content)
    assert start.hparams["model.id"].string_value, start
    ended = metadata.SESSION_END_INFO_TAG in reader.PluginTagToContent("hparams")
    print(f"{folder}: {len(expected)} scalars, {sum(map(len, expected.values()))} values, "
          f"{len(start.hparams)} hyperparameters, {'an' if ended else 'no'} end")


if __name__ == "__main__":
    main()
