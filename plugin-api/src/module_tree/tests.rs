//! The functions of `BaseFinetuning`, replayed against what Lightning's own gave on a nested model.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::{BatchNorm, ModuleTree, Targets};
use crate::error::{Error, Result};
use crate::optimizer::{Optimizer, ParamGroup};
use crate::testing::FakeModel;

/// The model of `nested_functions/case.json`.
fn nested() -> Result<ModuleTree> {
    let conv = |model: FakeModel, inputs: i64, outputs: i64| {
        model.module("conv", "Conv2d", |layer| {
            layer.parameter("weight", &[outputs, inputs, 3, 3]).parameter("bias", &[outputs])
        })
    };
    let plain = |block: FakeModel, inputs| conv(block, inputs, 12).relu("act").batch_norm("bn", 12);
    FakeModel::new()
        .sequential("encoder", |encoder| {
            let encoder = encoder.module("0", "GainBlock", |block| {
                let block = block
                    .parameter("gain", &[1])
                    .module("ops", "ModuleDict", |ops| conv(ops, 3, 8).relu("act"));
                block.batch_norm("bn", 8)
            });
            encoder.module("1", "PlainBlock", |block| plain(block, 8))
        })
        .module("decoder", "PlainBlock", |block| plain(block, 12))
        .module("tail", "ScaledSequential", |tail| {
            tail.iterable().parameter("scale", &[1]).conv2d("0", 12, 12, 1).batch_norm("1", 12)
        })
        .tree()
}

fn targets(value: &Value) -> Targets {
    match value {
        Value::Array(list) => Targets::list(list.iter().map(targets)),
        other => Targets::from(other.as_str().unwrap_or_default()),
    }
}

fn state(tree: &ModuleTree) -> Value {
    let mut trainable: Vec<&str> = tree.trainable();
    trainable.sort_unstable();
    let norms = || tree.modules().iter().filter(|module| module.is_batch_norm());
    let tracking: BTreeMap<_, _> =
        norms().map(|norm| (norm.path.as_str(), norm.track_running_stats)).collect();
    let training: BTreeMap<_, _> = norms().map(|norm| (norm.path.as_str(), norm.training)).collect();
    json!({ "requires_grad": trainable, "track_running_stats": tracking, "batch_norm_training": training })
}

fn groups(optimizer: &Optimizer) -> Value {
    optimizer.groups().iter().map(|group| json!({ "lr": group.lr, "params": group.parameters })).collect()
}

/// Does one call; what it gives, in the trace's form.
fn call(tree: &mut ModuleTree, optimizer: &mut Optimizer, step: &Value) -> Result<Value> {
    let on = targets(&step["targets"]);
    let flag = |key: &str| step[key].as_bool().unwrap_or(true);
    match step["call"].as_str().unwrap_or_default() {
        "flatten_modules" => {
            let paths: Vec<&str> =
                tree.flatten_modules(on)?.into_iter().map(|module| module.path.as_str()).collect();
            Ok(json!({ "count": paths.len(), "modules": paths }))
        }
        "filter_params" => {
            Ok(json!({ "params": tree.filter_params(on, flag("train_bn"), flag("requires_grad"))? }))
        }
        "freeze" => {
            tree.freeze(on, if flag("train_bn") { BatchNorm::Train } else { BatchNorm::BatchStats })?;
            Ok(state(tree))
        }
        "make_trainable" => {
            tree.make_trainable(on)?;
            Ok(state(tree))
        }
        "optimizer" => {
            let modules = tree.flatten_modules(on)?;
            let parameters = modules
                .into_iter()
                .flat_map(|module| &module.parameters)
                .map(|parameter| parameter.name.clone())
                .collect();
            let lr = step["lr"].as_f64().unwrap_or_default();
            *optimizer = Optimizer::new("sgd", lr, 0.0, Vec::new());
            optimizer.add_param_group(ParamGroup { parameters, ..optimizer.new_group("first", lr) })?;
            Ok(json!({ "groups": groups(optimizer) }))
        }
        "unfreeze_and_add_param_group" => {
            let divisor = step["initial_denom_lr"].as_f64().unwrap_or(10.0);
            tree.unfreeze_and_add_param_group(on, optimizer, step["lr"].as_f64(), divisor, flag("train_bn"))?;
            let mut found = state(tree);
            found["groups"] = groups(optimizer);
            Ok(found)
        }
        other => Err(Error::new(format_args!("the trace calls `{other}`"))),
    }
}

/// The part of the trace's result that a call gives: not which values Lightning compared, nor groups' weight
/// decay.
fn expected(step: &Value) -> Value {
    let mut result = step["result"].clone();
    if let Some(table) = result.as_object_mut() {
        table.remove("filter_calls");
    }
    for group in result["groups"].as_array_mut().into_iter().flatten() {
        assert_eq!(group["weight_decay"], 0);
        if let Some(group) = group.as_object_mut() {
            group.remove("weight_decay");
        }
    }
    if result["groups"].is_null() {
        result.as_object_mut().map(|table| table.remove("groups"));
    }
    result
}

/// Rates up to a relative 1e-12, all else exactly.
fn is_like(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Array(found), Value::Array(expected)) => {
            found.len() == expected.len()
                && found.iter().zip(expected).all(|(found, expected)| is_like(found, expected))
        }
        (Value::Object(found), Value::Object(expected)) => {
            found.len() == expected.len()
                && expected
                    .iter()
                    .all(|(key, expected)| found.get(key).is_some_and(|found| is_like(found, expected)))
        }
        _ => match (found.as_f64(), expected.as_f64()) {
            (Some(found), Some(expected)) => (found - expected).abs() <= 1e-12 * expected.abs(),
            _ => found == expected,
        },
    }
}

#[test]
fn base_finetuning_gives_what_lightnings_functions_give() -> Result<()> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/parity/nested_functions/trace.json");
    let trace: Value = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    let mut calls = 0;
    for sequence in trace["sequences"].as_array().into_iter().flatten() {
        let steps = if sequence["expectation"] == "identity" { "steps_identity" } else { "steps" };
        let (mut tree, mut optimizer) = (nested()?, Optimizer::new("sgd", 0.0, 0.0, Vec::new()));
        for (index, step) in sequence[steps].as_array().into_iter().flatten().enumerate() {
            let found = call(&mut tree, &mut optimizer, step)?;
            let expected = expected(step);
            assert!(
                is_like(&found, &expected),
                "{}, call {index} {}: found {found:#}, expected {expected:#}",
                sequence["name"],
                step["call"]
            );
            calls += 1;
        }
    }
    assert!(calls >= 38, "the trace has only {calls} calls");
    Ok(())
}
