//! Cases of kind `training`: a run, compared per epoch and step; where the case was resumed, a resumed run,
//! too.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::compare::{Comparison, Tolerance};
use super::program::{Program, write_config};
use super::{array, config, filter_calls, functions, keys, read_json, read_records};
use crate::read_tensors;

/// The loss that every case trains on: the program's for a model of classes.
const LOSS: &str = "cross entropy, mean over the batch";

pub fn run(program: &Program, folder: &Path, case: &Value) -> Result<Comparison> {
    ensure!(case["loss"] == LOSS, "case.json: `loss` is {}, expected {LOSS:?}", case["loss"]);
    let temporary = tempfile::tempdir()?;
    write_config(&temporary.path().join("run.toml"), config::of_case(folder, case)?)?;
    keys::FILES.check(&case["files"])?;
    keys::TOLERANCES.check(&case["tolerances"])?;
    let truth =
        |index: usize, default: &str| folder.join(case["files"]["truth"][index].as_str().unwrap_or(default));
    let expected = Expected {
        case,
        trace: read_json(&truth(0, "trace.json"))?,
        last: truth(1, "final.safetensors"),
        allow: program.allow,
    };
    expected.check_keys()?;
    let mut comparison = Comparison::default();
    let log = program.fit(&["run.toml", "--run-dir", "straight"], temporary.path())?;
    expected.compare(&mut comparison, &temporary.path().join("straight"), &log, "")?;
    if let Some(epochs) = case["resume_after_epochs"].as_u64() {
        let limit = format!("trainer.max_epochs={epochs}");
        let before = program.fit(&["run.toml", "--run-dir", "resumed", "--set", &limit], temporary.path())?;
        let resumed = temporary.path().join("resumed");
        if let Some(state) = case["files"]["checkpoint_state"][0].as_str() {
            let found = resumed.join("checkpoints/last/model.safetensors");
            expected.state(
                &mut comparison,
                &format!("resumed run, after epoch {epochs}"),
                &found,
                &folder.join(state),
            )?;
        }
        let after = program.fit(&["run.toml", "--resume", "resumed"], temporary.path())?;
        expected.compare(&mut comparison, &resumed, &(before + &after), "resumed run, ")?;
    }
    Ok(comparison)
}

/// What was recorded.
struct Expected<'c> {
    case: &'c Value,
    trace: Value,
    last: PathBuf,
    /// How many times a tolerance is allowed.
    allow: f64,
}

/// What the program wrote of an epoch.
struct Epoch {
    filter_calls: Vec<Value>,
    groups: Value,
    steps: Vec<Value>,
    end: Value,
    checkpoint: PathBuf,
}

impl Expected<'_> {
    fn tolerance(&self, key: &str) -> f64 {
        let tolerances = &self.case["tolerances"];
        let recorded = tolerances["overrides"][key]
            .as_f64()
            .or_else(|| tolerances[key].as_f64())
            .or_else(|| tolerances["state"].as_f64())
            .unwrap_or(1e-5);
        recorded * self.allow
    }

    fn check_keys(&self) -> Result<()> {
        keys::TRAINING.check(self.case)?;
        keys::TRACE.check(&self.trace)?;
        keys::FINAL_GROUP.check_each(array(&self.trace["final_groups"]))?;
        for epoch in array(&self.trace["epochs"]) {
            keys::EPOCH.check(epoch)?;
            keys::GROUP.check_each(array(&epoch["groups"]))?;
            keys::BATCH_NORM
                .check_each(epoch["batch_norm"].as_object().into_iter().flat_map(|norms| norms.values()))?;
            keys::CALLBACK.check(&epoch["callback"])?;
            keys::FILTER_CALL.check_each(array(&epoch["filter_calls"]))?;
            keys::STEP.check_each(array(&epoch["steps"]))?;
        }
        Ok(())
    }

    fn compare(&self, comparison: &mut Comparison, run: &Path, log: &str, prefix: &str) -> Result<()> {
        let mut calls = filter_calls::by_epoch(log);
        let metrics = read_records(&run.join("metrics.jsonl"))?;
        let groups = read_records(&run.join("groups.jsonl"))?;
        let epochs = self.trace["epochs"].as_array().context("the trace has no list `epochs`")?;
        comparison.equal(&format!("{prefix}records of groups"), &json!(groups.len()), &json!(epochs.len()));
        comparison.equal(&format!("{prefix}epochs in the log"), &json!(calls.len()), &json!(epochs.len()));
        calls.resize(epochs.len(), Vec::new());
        let mut steps_so_far = 0;
        for (expected, filter_calls) in epochs.iter().zip(calls) {
            let number = &expected["epoch"];
            let of_epoch = || metrics.iter().filter(|record| record["epoch"] == *number).cloned();
            let end = of_epoch()
                .find(|record| record["batch"].is_null())
                .with_context(|| format!("no record of epoch {number}"))?;
            let checkpoint = format!("checkpoints/epoch={number}-step={}", end["step"]);
            let found = Epoch {
                filter_calls,
                groups: groups.iter().find(|record| record["epoch"] == *number).cloned().unwrap_or_default(),
                steps: of_epoch().filter(|record| !record["batch"].is_null()).collect(),
                end,
                checkpoint: run.join(checkpoint),
            };
            self.epoch(comparison, &format!("{prefix}epoch {number}"), &found, expected, &mut steps_so_far)?;
        }
        self.final_groups(comparison, &format!("{prefix}final groups"), &groups);
        self.state(
            comparison,
            &format!("{prefix}final state"),
            &run.join("checkpoints/last/model.safetensors"),
            &self.last,
        )
    }

    /// The groups that there are in the end, each as it joined.
    fn final_groups(&self, comparison: &mut Comparison, at: &str, records: &[Value]) {
        let mut found: Vec<&Value> = Vec::new();
        for group in records.iter().flat_map(|record| array(&record["groups"])) {
            if !found.iter().any(|known| known["name"] == group["name"]) {
                found.push(group);
            }
        }
        let expected = array(&self.trace["final_groups"]);
        comparison.equal(&format!("{at}, number"), &json!(found.len()), &json!(expected.len()));
        for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
            comparison.number(
                &format!("{at}, lr of group {index}"),
                &found["lr"],
                &expected["lr"],
                Tolerance::Rate,
            );
            let at = format!("{at}, parameters of group {index}");
            comparison.equal(&at, &found["parameters"], &functions::once(&expected["params"]));
        }
    }

    fn epoch(
        &self,
        comparison: &mut Comparison,
        at: &str,
        found: &Epoch,
        expected: &Value,
        steps_so_far: &mut u64,
    ) -> Result<()> {
        functions::filter_calls(
            comparison,
            &format!("{at}, filter_calls"),
            &found.filter_calls,
            &expected["filter_calls"],
        );
        functions::groups(comparison, at, &found.groups["groups"], &expected["groups"]);
        let mut trainable: Vec<String> = serde_json::from_value(found.groups["trainable"].clone())?;
        trainable.sort_unstable();
        comparison.equal(&format!("{at}, requires_grad"), &json!(trainable), &expected["requires_grad"]);
        for (path, flags) in expected["batch_norm"].as_object().into_iter().flatten() {
            for (flag, expected) in flags.as_object().into_iter().flatten() {
                comparison.equal(
                    &format!("{at}, {flag} of {path}"),
                    &found.groups["batch_norm"][path][flag],
                    expected,
                );
            }
        }
        let names: Vec<String> = array(&found.groups["groups"])
            .iter()
            .map(|group| format!("lr-{}", group["name"].as_str().unwrap_or("")))
            .collect();
        self.steps(comparison, at, found, expected, &names, steps_so_far);
        let val_loss = Tolerance::Absolute(self.tolerance("val_loss"));
        comparison.number(
            &format!("{at}, val_loss"),
            &found.end["val_loss"],
            &expected["val_loss"],
            val_loss,
        );
        let at_end = |name: &String| &found.end[name.replacen("lr-", "rate_at_end-", 1)];
        let rates: Vec<&Value> = names.iter().map(at_end).collect();
        if !self.is_past_one_cycle(&found.end) {
            self.rates(comparison, &format!("{at}, lr_at_end"), &rates, &expected["lr_at_end"]);
        }
        self.callback(comparison, at, found, expected)?;
        let state = read_tensors(&found.checkpoint.join("model.safetensors"))?;
        for (name, expected) in expected["l2_at_end"].as_object().into_iter().flatten() {
            let norm =
                state.get(name).map(|values| values.iter().map(|value| value * value).sum::<f64>().sqrt());
            // Of a tensor with a tolerance of its own every element may be off by that much.
            let elements = if self.case["tolerances"]["overrides"][name].is_null() {
                1
            } else {
                state.get(name).map_or(1, Vec::len)
            };
            let limit = self.tolerance(name) * (elements as f64).sqrt();
            comparison.number(
                &format!("{at}, norm of {name}"),
                &json!(norm),
                expected,
                Tolerance::Absolute(limit),
            );
        }
        Ok(())
    }

    /// PyTorch extrapolates a one-cycle schedule past its last step; no step uses that rate.
    fn is_past_one_cycle(&self, end: &Value) -> bool {
        let scheduler = &self.case["scheduler"];
        let steps = scheduler["total_steps"]
            .as_u64()
            .or_else(|| Some(scheduler["epochs"].as_u64()? * scheduler["steps_per_epoch"].as_u64()?));
        let advances = if scheduler["interval"] == "step" {
            end["step"].as_u64()
        } else {
            end["epoch"].as_u64().map(|epoch| epoch + 1)
        };
        scheduler["name"] == "OneCycleLR" && advances >= steps
    }

    fn steps(
        &self,
        comparison: &mut Comparison,
        at: &str,
        found: &Epoch,
        expected: &Value,
        names: &[String],
        steps_so_far: &mut u64,
    ) {
        let expected = array(&expected["steps"]);
        comparison.equal(&format!("{at}, batches"), &json!(found.steps.len()), &json!(expected.len()));
        comparison.equal(
            &format!("{at}, batches_per_epoch"),
            &json!(found.steps.len()),
            &self.case["batches_per_epoch"],
        );
        for (batch, (found, expected)) in found.steps.iter().zip(expected).enumerate() {
            let at = format!("{at}, batch {batch}");
            let rates: Vec<&Value> = names.iter().map(|name| &found[name]).collect();
            self.rates(comparison, &format!("{at}, lr"), &rates, &expected["lr"]);
            let loss = Tolerance::Absolute(self.tolerance("loss"));
            comparison.number(&format!("{at}, loss"), &found["train_loss_step"], &expected["loss"], loss);
            let steps = found["step"].as_u64().unwrap_or_default();
            comparison.equal(&format!("{at}, stepped"), &json!(steps > *steps_so_far), &expected["stepped"]);
            *steps_so_far = steps;
            let norm = Tolerance::Absolute(self.tolerance("grad_norm"));
            comparison.number(
                &format!("{at}, grad_norm"),
                &found["total_norm"],
                &expected["grad_norm"],
                norm,
            );
            if !found["grad_norm"].is_null() {
                comparison.number(
                    &format!("{at}, grad_norm of the program"),
                    &found["grad_norm"],
                    &expected["grad_norm"],
                    norm,
                );
            }
        }
    }

    fn rates(&self, comparison: &mut Comparison, at: &str, found: &[&Value], expected: &Value) {
        let expected = array(expected);
        comparison.equal(&format!("{at}, number of rates"), &json!(found.len()), &json!(expected.len()));
        for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
            comparison.number(&format!("{at} of group {index}"), found, expected, Tolerance::Rate);
        }
    }

    /// What the strategy remembers, from the epoch's checkpoint: nothing changes it after the epoch's start.
    fn callback(&self, comparison: &mut Comparison, at: &str, found: &Epoch, expected: &Value) -> Result<()> {
        let at = format!("{at}, previous_backbone_lr");
        let expected = &expected["callback"]["previous_backbone_lr"];
        if self.case["strategy"]["name"] != "BackboneFinetuning" {
            comparison.equal(&at, &Value::Null, expected);
            return Ok(());
        }
        let state = read_json(&found.checkpoint.join("state.json"))?;
        let saved = array(&state["callbacks"])
            .iter()
            .find(|saved| saved["id"] == "backbone-finetuning")
            .cloned()
            .unwrap_or_default();
        comparison.number(&at, &saved["state"]["state"]["previous_backbone_lr"], expected, Tolerance::Rate);
        Ok(())
    }

    fn state(&self, comparison: &mut Comparison, at: &str, found: &Path, expected: &Path) -> Result<()> {
        let (found, expected) = (read_tensors(found)?, read_tensors(expected)?);
        let names =
            |state: &std::collections::BTreeMap<String, Vec<f64>>| json!(state.keys().collect::<Vec<_>>());
        comparison.equal(&format!("{at}, names"), &names(&found), &names(&expected));
        for (name, expected) in &expected {
            let Some(found) = found.get(name) else { continue };
            comparison.equal(
                &format!("{at}, elements of {name}"),
                &json!(found.len()),
                &json!(expected.len()),
            );
            let limit = if name.ends_with("num_batches_tracked") { 0.0 } else { self.tolerance(name) };
            for (found, expected) in found.iter().zip(expected) {
                comparison.close(&format!("{at}, {name}"), *found, *expected, Tolerance::Absolute(limit));
            }
        }
        Ok(())
    }
}
