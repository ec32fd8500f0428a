//! Cases of kind `functions`: calls of `BaseFinetuning`'s functions, each sequence on a model of its own.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::compare::{Comparison, Tolerance};
use super::program::{Program, write_config};
use super::{array, config, keys, read_json, spelling};
use crate::{Values, write_tensors};

pub fn run(program: &Program, folder: &Path, case: &Value) -> Result<Comparison> {
    let trace = read_json(&folder.join("trace.json"))?;
    keys::FUNCTIONS.check(case)?;
    keys::SEQUENCES.check(&trace)?;
    let mut comparison = Comparison::default();
    for sequence in trace["sequences"].as_array().context("trace.json has no list `sequences`")? {
        let name = sequence["name"].as_str().unwrap_or("sequence");
        check_keys(sequence).with_context(|| format!("sequence {name}"))?;
        let key = if sequence["expectation"] == "identity" { "steps_identity" } else { "steps" };
        let steps =
            sequence[key].as_array().with_context(|| format!("sequence {name} has no list `{key}`"))?;
        let results =
            run_sequence(program, folder, case, steps).with_context(|| format!("sequence {name}"))?;
        for (index, (step, found)) in steps.iter().zip(&results).enumerate() {
            let at = format!("{name}, call {} ({})", index + 1, step["call"].as_str().unwrap_or_default());
            compare(&mut comparison, &at, found, &step["result"]);
        }
        comparison.equal(&format!("{name}: calls"), &json!(results.len()), &json!(steps.len()));
    }
    Ok(comparison)
}

fn check_keys(sequence: &Value) -> Result<()> {
    keys::SEQUENCE.check(sequence)?;
    for step in array(&sequence["steps"]).iter().chain(array(&sequence["steps_identity"])) {
        if step["call"] != "optimizer" {
            keys::CALL.check(step)?;
        }
        keys::RESULT.check(&step["result"])?;
        keys::GROUP.check_each(array(&step["result"]["groups"]))?;
        keys::FILTER_CALL.check_each(array(&step["result"]["filter_calls"]))?;
    }
    Ok(())
}

fn run_sequence(program: &Program, folder: &Path, case: &Value, steps: &[Value]) -> Result<Vec<Value>> {
    let temporary = tempfile::tempdir()?;
    let file = |name: &str| temporary.path().join(name);
    std::fs::write(file("calls.json"), Value::from(steps).to_string())?;
    // The model is never run; the program wants something to train on.
    write_tensors(
        &file("data.safetensors"),
        &[("x", &[2, 1], Values::F32(&[0.0, 1.0])), ("y", &[2], Values::I64(&[0, 1]))],
    )?;
    let mut callbacks =
        vec![json!({ "id": "case-functions", "calls": file("calls.json"), "results": file("results.json") })];
    let plugins = config::plugins(&callbacks);
    let config = json!({
        "seed": case["seed"],
        "plugins": plugins,
        "model": { "id": "case-model", "case": folder.join("case.json"),
            "weights": folder.join("init.safetensors") },
        "data": { "kind": "tensors", "path": file("data.safetensors") },
        "optimizer": optimizer(steps)?,
        "callbacks": callbacks.split_off(0),
        "trainer": { "max_epochs": 0, "audit": "warn", "device": "cpu" },
    });
    write_config(&file("run.toml"), config)?;
    program.fit(&["run.toml", "--run-dir", "run"], temporary.path())?;
    Ok(serde_json::from_value(read_json(&file("results.json"))?)?)
}

/// The optimizer that a call makes; where none does, any.
fn optimizer(steps: &[Value]) -> Result<Value> {
    let mut calls = steps.iter().filter(|step| step["call"] == "optimizer");
    let Some(call) = calls.next() else { return Ok(json!({ "id": "sgd" })) };
    ensure!(calls.next().is_none(), "it makes two optimizers; a run has one");
    let mut spec = call.as_object().cloned().unwrap_or_default();
    for key in ["call", "targets", "result"] {
        spec.remove(key);
    }
    let mut table = spelling::optimizer(&Value::Object(spec))?;
    table["parameters"] = match &call["targets"] {
        Value::Array(paths) => json!(paths),
        path => json!([path]),
    };
    Ok(table)
}

fn compare(comparison: &mut Comparison, at: &str, found: &Value, expected: &Value) {
    for (key, expected) in expected.as_object().into_iter().flatten() {
        let at = format!("{at}, {key}");
        let found = &found[key];
        match key.as_str() {
            "groups" => groups(comparison, &at, found, expected),
            "filter_calls" => filter_calls(comparison, &at, array(found), expected),
            _ => comparison.equal(&at, found, expected),
        }
    }
}

/// Rates, weight decays and parameters of groups, in order.
pub fn groups(comparison: &mut Comparison, at: &str, found: &Value, expected: &Value) {
    let (found, expected) = (array(found), array(expected));
    comparison.equal(&format!("{at}, number of groups"), &json!(found.len()), &json!(expected.len()));
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let at = format!("{at}, group {index}");
        comparison.number(&format!("{at}, lr"), &found["lr"], &expected["lr"], Tolerance::Rate);
        comparison.number(
            &format!("{at}, weight_decay"),
            &found["weight_decay"],
            &expected["weight_decay"],
            Tolerance::Rate,
        );
        let parameters = if found["params"].is_null() { &found["parameters"] } else { &found["params"] };
        comparison.equal(&format!("{at}, parameters"), parameters, &once(&expected["params"]));
    }
}

/// What `filter_on_optimizer` dropped, call by call.
pub fn filter_calls(comparison: &mut Comparison, at: &str, found: &[Value], expected: &Value) {
    let dropped = |calls: &[Value]| calls.iter().map(|call| call["dropped_by_identity"].clone()).collect();
    comparison.equal(at, &dropped(found), &dropped(array(expected)));
}

/// Names without repeats: where targets overlap, Lightning puts a parameter into its group twice, to be
/// stepped twice.
pub fn once(names: &Value) -> Value {
    let mut kept: Vec<&Value> = Vec::new();
    for name in array(names) {
        if !kept.contains(&name) {
            kept.push(name);
        }
    }
    json!(kept)
}
