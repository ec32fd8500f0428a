#!/usr/bin/env python3
"""Holds what a MLflow server has of a run against its metrics.jsonl.

    python3 tests/readers/read_mlflow.py http://127.0.0.1:5000 EXPERIMENT runs/first

The experiment has one run, which is finished; every metric is there under its name and step, with its values in order, and no
other; the run config is there as parameters. Needs mlflow, or mlflow-skinny; the program itself does not.
"""

import sys
from pathlib import Path

from mlflow.tracking import MlflowClient

from records import logged, same


def main():
    uri, experiment, run_dir = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    client = MlflowClient(tracking_uri=uri)
    found = client.get_experiment_by_name(experiment)
    assert found is not None, f"{uri} has no experiment {experiment}"
    runs = client.search_runs([found.experiment_id])
    assert len(runs) == 1, f"{len(runs)} runs in {experiment}"
    run = runs[0]
    assert run.info.status == "FINISHED", run.info.status
    expected = logged(run_dir)
    assert set(run.data.metrics) == set(expected), f"{sorted(run.data.metrics)}, expected {sorted(expected)}"
    for name, values in expected.items():
        history = client.get_metric_history(run.info.run_id, name)
        history.sort(key=lambda value: (value.step, value.timestamp))
        has = [(value.step, value.value) for value in history]
        assert len(has) == len(values), f"{name}: {has}, expected {values}"
        for (step, value), (has_step, has_value) in zip(values, has):
            assert step == has_step and same(value, has_value), f"{name}: {has}, expected {values}"
    assert "model.id" in run.data.params, run.data.params
    print(f"{uri}: {len(expected)} metrics, {sum(map(len, expected.values()))} values, {len(run.data.params)} parameters")


if __name__ == "__main__":
    main()
