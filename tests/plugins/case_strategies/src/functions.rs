//! Calls `BaseFinetuning`'s functions as a file says, on the model that the program holds.

use std::collections::BTreeMap;
use std::path::PathBuf;

use thaw_plugin_api::module_tree::filter_on_optimizer;
use thaw_plugin_api::prelude::*;
use thaw_plugin_api::serde_json::{from_value, json};

/// Applies calls one after the other, and writes what the program holds after each.
#[derive(Config)]
pub struct CaseFunctions {
    /// JSON file of a list of calls.
    calls: PathBuf,
    /// Where the results go.
    results: PathBuf,
}

impl Callback for CaseFunctions {
    const ID: &'static str = "case-functions";

    fn on_fit_start(&mut self, context: &mut Context) -> Result<()> {
        let calls: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(&self.calls)?)?;
        let mut has_optimizer = false;
        let mut results = Vec::new();
        for call in &calls {
            has_optimizer |= call["call"] == "optimizer";
            let mut result = apply(context, call)?;
            if has_optimizer {
                let optimizer: Optimizer = from_value(context.request("optimizer", Value::Null)?)?;
                let groups = optimizer.groups().iter();
                let groups = groups.map(|group| {
                    json!({"lr": group.lr, "weight_decay": group.weight_decay,
                    "params": group.parameters})
                });
                result.insert("groups".to_owned(), groups.collect());
            }
            results.push(Value::Object(result));
        }
        Ok(std::fs::write(&self.results, Value::Array(results).to_string())?)
    }
}

/// One call on what the program holds now; its result is what the program holds then.
fn apply(context: &mut Context, call: &Value) -> Result<Map<String, Value>> {
    let mut model: ModuleTree = from_value(context.request("model", Value::Null)?)?;
    let mut optimizer: Optimizer = from_value(context.request("optimizer", Value::Null)?)?;
    let targets = targets(&call["targets"])?;
    let flag = |name: &str| call.get(name).and_then(Value::as_bool).unwrap_or(true);
    let mut result = Map::new();
    match call["call"].as_str().unwrap_or_default() {
        "flatten_modules" => {
            let modules: Vec<&str> =
                model.flatten_modules(targets)?.into_iter().map(|module| module.path.as_str()).collect();
            result.insert("count".to_owned(), json!(modules.len()));
            result.insert("modules".to_owned(), json!(modules));
            return Ok(result);
        }
        "filter_params" => {
            result.insert(
                "params".to_owned(),
                json!(model.filter_params(targets, flag("train_bn"), flag("requires_grad"))?),
            );
            return Ok(result);
        }
        // The run config built it.
        "optimizer" => {
            result.insert("filter_calls".to_owned(), json!([]));
            return Ok(result);
        }
        "freeze" => {
            model.freeze(targets, if flag("train_bn") { BatchNorm::Train } else { BatchNorm::BatchStats })?
        }
        "freeze_module" => targets.paths().into_iter().try_for_each(|path| model.freeze_module(path))?,
        "make_trainable" => model.make_trainable(targets)?,
        "unfreeze_and_add_param_group" => {
            let mut unfrozen = model.clone();
            unfrozen.make_trainable(targets.clone())?;
            let names = unfrozen.filter_params(targets.clone(), flag("train_bn"), true)?;
            let parameters = names.iter().map(|name| unfrozen.parameter(name)).collect::<Result<Vec<_>>>()?;
            let kept: Vec<&str> = filter_on_optimizer(&optimizer, parameters)
                .into_iter()
                .map(|parameter| parameter.name.as_str())
                .collect();
            let dropped: Vec<&String> = names.iter().filter(|name| !kept.contains(&name.as_str())).collect();
            result.insert("filter_calls".to_owned(), json!([{ "dropped_by_identity": dropped }]));
            let denominator = call.get("initial_denom_lr").and_then(Value::as_f64).unwrap_or(10.0);
            let lr = call.get("lr").and_then(Value::as_f64);
            model.unfreeze_and_add_param_group(targets, &mut optimizer, lr, denominator, flag("train_bn"))?;
        }
        other => bail!("there is no function `{other}`"),
    }
    context.request("apply", json!({ "model": model, "optimizer": optimizer }))?;
    let model: ModuleTree = from_value(context.request("model", Value::Null)?)?;
    let mut trainable: Vec<&str> = model.trainable();
    trainable.sort_unstable();
    let norms = || model.modules().iter().filter(|module| module.is_batch_norm());
    let tracks: BTreeMap<&str, Option<bool>> =
        norms().map(|module| (module.path.as_str(), module.track_running_stats)).collect();
    let trains: BTreeMap<&str, bool> =
        norms().map(|module| (module.path.as_str(), module.training)).collect();
    result.insert("requires_grad".to_owned(), json!(trainable));
    result.insert("track_running_stats".to_owned(), json!(tracks));
    result.insert("batch_norm_training".to_owned(), json!(trains));
    Ok(result)
}

/// A path, or a nested list of paths.
fn targets(value: &Value) -> Result<Targets> {
    match value {
        Value::String(path) => Ok(Targets::from(path)),
        Value::Array(list) => Ok(Targets::list(list.iter().map(targets).collect::<Result<Vec<_>>>()?)),
        other => bail!("expected a path or a list of paths, found {other}"),
    }
}
