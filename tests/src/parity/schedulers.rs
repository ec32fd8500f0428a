//! `schedulers.json`: the rate of every step, alone and with a group that joins.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::compare::{Comparison, Tolerance};
use super::joined::JoinedGroup;
use super::program::{Program, write_config};
use super::{array, config, keys, read_records, spelling};
use crate::{Values, write_tensors};

/// The epoch at whose start the second group joined.
pub const ADDED_AT: usize = 4;

/// The schedules of a file, over runs of one length.
pub struct Schedulers {
    recorded: Value,
    epochs: usize,
    batches: usize,
}

impl Schedulers {
    /// Reads what a file holds.
    pub fn of(recorded: Value) -> Result<Self> {
        keys::SCHEDULERS.check(&recorded)?;
        let number = |key: &str| {
            recorded[key].as_u64().with_context(|| format!("schedulers.json has no number `{key}`"))
        };
        let (epochs, batches) = (number("epochs")? as usize, number("batches_per_epoch")? as usize);
        ensure!(recorded["schedulers"].is_array(), "schedulers.json has no list `schedulers`");
        Ok(Self { recorded, epochs, batches })
    }

    /// Its schedules.
    pub fn entries(&self) -> &[Value] {
        array(&self.recorded["schedulers"])
    }

    /// One schedule; `added_at` lets a second group join.
    pub fn run(&self, program: &Program, entry: &Value, added_at: Option<usize>) -> Result<Comparison> {
        keys::SCHEDULER.check(entry)?;
        keys::ADDED_GROUP.check(&entry["added_group"])?;
        let records = self.train(program, entry, added_at)?;
        let mut comparison = Comparison::default();
        match added_at {
            None => self.alone(&mut comparison, &records, entry)?,
            Some(epoch) => self.joined(&mut comparison, &records, entry, epoch)?,
        }
        Ok(comparison)
    }

    /// Trains; gives the records of its metrics.
    fn train(&self, program: &Program, entry: &Value, added_at: Option<usize>) -> Result<Vec<Value>> {
        let temporary = tempfile::tempdir()?;
        let file = |name: &str| temporary.path().join(name);
        std::fs::write(file("case.json"), model().to_string())?;
        let x: Vec<f32> = (0..self.batches).map(|batch| 0.5 + 0.25 * batch as f32).collect();
        let y: Vec<i64> = (0..self.batches).map(|batch| batch as i64 % 2).collect();
        let n = self.batches;
        write_tensors(
            &file("data.safetensors"),
            &[("x", &[n, 1], Values::F32(&x)), ("y", &[n], Values::I64(&y))],
        )?;
        let mut callbacks = vec![json!({ "id": "case-recorder", "momentum": true })];
        callbacks.extend(
            added_at.map(|epoch| json!({ "id": "add-group", "module": "layer.1", "at_epoch": epoch })),
        );
        if !entry["metric_per_epoch"].is_null() {
            callbacks.push(json!({ "id": "case-metric", "values": entry["metric_per_epoch"] }));
        }
        let mut optimizer = spelling::optimizer(&entry["optimizer"])?;
        optimizer["parameters"] = json!(["layer.0"]);
        let config = json!({
            "plugins": config::plugins(&callbacks),
            "model": { "id": "case-model", "case": file("case.json") },
            "data": { "kind": "tensors", "path": file("data.safetensors"), "batch_size": 1,
                "shuffle": false },
            "optimizer": optimizer,
            "scheduler": spelling::scheduler(&entry["scheduler"])?,
            "callbacks": callbacks,
            "trainer": {
                "max_epochs": self.epochs,
                "accumulate_grad_batches": entry["accumulate_grad_batches"],
                "log_every_n_steps": 1,
                "device": "cpu",
                "threads": 1,
                "audit": "warn",
            },
            "checkpoint": { "enabled": false },
        });
        write_config(&file("run.toml"), config)?;
        program.fit(&["run.toml", "--run-dir", "run"], temporary.path())?;
        read_records(&file("run").join("metrics.jsonl"))
    }

    fn alone(&self, comparison: &mut Comparison, records: &[Value], entry: &Value) -> Result<()> {
        for epoch in 0..self.epochs {
            for batch in 0..self.batches {
                let at = format!("epoch {epoch}, batch {batch}");
                let found = record(records, epoch, Some(batch))?;
                comparison.number(
                    &format!("{at}, lr"),
                    &found[FIRST],
                    &entry["lr"][epoch][batch],
                    Tolerance::Rate,
                );
                if !entry["momentum"].is_null() {
                    comparison.number(
                        &format!("{at}, momentum"),
                        &found["momentum"],
                        &entry["momentum"][epoch][batch],
                        Tolerance::Rate,
                    );
                }
            }
            let at_end = &entry["lr_at_epoch_end"][epoch];
            if !at_end.is_null() {
                comparison.number(
                    &format!("epoch {epoch}, lr at its end"),
                    &record(records, epoch, None)?[FIRST_AT_END],
                    at_end,
                    Tolerance::Rate,
                );
            }
        }
        Ok(())
    }

    /// As far as the record goes. Where PyTorch raised an error instead, or went below zero, the first group
    /// goes on as it does alone, and the new one keeps its share of it.
    fn joined(
        &self,
        comparison: &mut Comparison,
        records: &[Value],
        entry: &Value,
        added_at: usize,
    ) -> Result<()> {
        if added_at >= self.epochs {
            return Ok(());
        }
        let added = &entry["added_group"];
        let start = record(records, added_at, Some(0))?;
        let mut group = JoinedGroup {
            scheduler: &entry["scheduler"],
            base: rate(&entry["optimizer"]["lr"]),
            joined: (rate(&start[FIRST]), rate(&start[SECOND])),
            before: rate(&start[SECOND]),
        };
        let mut is_sound = true;
        for epoch in added_at..self.epochs {
            for batch in 0..self.batches {
                let at = format!("epoch {epoch}, batch {batch}");
                let found = record(records, epoch, Some(batch))?;
                let expected = &added["lr"][epoch - added_at][batch];
                is_sound &= expected[1].as_f64().is_none_or(|rate| rate >= 0.0);
                if is_sound && !expected.is_null() {
                    comparison.number(
                        &format!("{at}, lr of the first group"),
                        &found[FIRST],
                        &expected[0],
                        Tolerance::Rate,
                    );
                    comparison.number(
                        &format!("{at}, lr of the new group"),
                        &found[SECOND],
                        &expected[1],
                        Tolerance::Rate,
                    );
                } else {
                    if is_sound && added["error"].is_null() {
                        comparison.note(format!("{at}: nothing was recorded, and no error that says why"));
                    }
                    comparison.number(
                        &format!("{at}, lr of the first group"),
                        &found[FIRST],
                        &entry["lr"][epoch][batch],
                        Tolerance::Rate,
                    );
                    group.compare(
                        comparison,
                        &format!("{at}, lr of the new group"),
                        rate(&found[FIRST]),
                        rate(&found[SECOND]),
                    );
                }
                group.before = rate(&found[SECOND]);
            }
        }
        Ok(())
    }
}

/// Two linear layers, of which the optimizer has the first.
fn model() -> Value {
    json!({
        "model": { "kind": "layers" },
        "modules": [
            { "name": "layer", "type": "Sequential", "own_parameters": [] },
            { "name": "layer.0", "type": "Linear", "in_features": 1, "out_features": 1, "bias": false },
            { "name": "layer.1", "type": "Linear", "in_features": 1, "out_features": 2, "bias": false },
        ],
    })
}

fn record(records: &[Value], epoch: usize, batch: Option<usize>) -> Result<&Value> {
    let batch = batch.map_or(Value::Null, |batch| json!(batch));
    let found = records.iter().find(|record| record["epoch"] == json!(epoch) && record["batch"] == batch);
    found.with_context(|| format!("metrics.jsonl has no record of epoch {epoch}, batch {batch}"))
}

const FIRST: &str = "lr-layer.0";
const FIRST_AT_END: &str = "rate_at_end-layer.0";
const SECOND: &str = "lr-layer.1";

fn rate(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}
