//! From PyTorch's and Lightning's names and arguments, as cases have them, to the tables of run configs.

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

/// A function of one number, as a number or an expression of `variable`.
pub fn function(spec: &Value, variable: &str) -> Result<Value> {
    let number = |key: &str| {
        spec[key]
            .as_f64()
            .with_context(|| format!("a function of kind {} has no number `{key}`", spec["kind"]))
    };
    Ok(match spec["kind"].as_str() {
        Some("constant") => json!(number("value")?),
        Some("linear") => json!(format!("({}) + ({}) * {variable}", number("intercept")?, number("slope")?)),
        Some("power") => json!(format!("({}) ^ {variable}", number("base")?)),
        Some("inverse") => json!(format!("1 / (1 + {variable} / ({}))", number("scale")?)),
        _ => bail!("no expression for the function {spec}"),
    })
}

/// `[optimizer]`.
pub fn optimizer(spec: &Value) -> Result<Value> {
    let mut table = object(spec)?;
    let name = text(&mut table, "name")?;
    let parameters = table.remove("parameters").unwrap_or_default();
    // How PyTorch computes, not what.
    for key in ["foreach", "fused", "capturable", "differentiable"] {
        table.remove(key);
    }
    table.insert("id".to_owned(), json!(name.to_lowercase()));
    match parameters["select"].as_str() {
        Some("module") => drop(table.insert("parameters".to_owned(), json!([parameters["path"]]))),
        Some("all") => drop(table.insert("parameters".to_owned(), json!([""]))),
        // What requires gradients is the default.
        Some("requires_grad") | None => {}
        Some(other) => {
            bail!("the optimizer selects parameters by `{other}`, expected module, requires_grad or all")
        }
    }
    Ok(Value::Object(table))
}

/// `[scheduler]`, or nothing.
pub fn scheduler(spec: &Value) -> Result<Value> {
    if spec.is_null() {
        return Ok(Value::Null);
    }
    // Without an interval Lightning steps per epoch, whatever the schedule.
    let interval = spec["interval"].as_str().unwrap_or("epoch").to_owned();
    let mut table = schedule(spec, &interval)?;
    table.insert("interval".to_owned(), json!(interval));
    Ok(Value::Object(table))
}

fn schedule(spec: &Value, count: &str) -> Result<Map<String, Value>> {
    let mut table = object(spec)?;
    let name = text(&mut table, "name")?;
    let id = match name.as_str() {
        "ConstantLR" => {
            table.entry("factor").or_insert(json!(1.0 / 3.0));
            "constant"
        }
        "StepLR" => "step",
        "MultiStepLR" => "multi-step",
        "ExponentialLR" => "exponential",
        "CosineAnnealingLR" => "cosine",
        "CosineAnnealingWarmRestarts" => "cosine-warm-restarts",
        "LinearLR" => "linear",
        "PolynomialLR" => "polynomial",
        "LambdaLR" => "lambda",
        "OneCycleLR" => "one-cycle",
        "CyclicLR" => "cyclic",
        "ReduceLROnPlateau" => {
            // PyTorch's default; the program asks for it where a metric's name does not say.
            table.entry("mode").or_insert(json!("min"));
            "reduce-on-plateau"
        }
        "SequentialLR" => "sequential",
        "ChainedScheduler" => "chained",
        other => bail!("there is no schedule for {other}"),
    };
    table.insert("id".to_owned(), json!(id));
    if let Some(lambda) = table.remove("lr_lambda") {
        table.insert("lambda".to_owned(), function(&lambda, count)?);
    }
    if let Some(Value::Array(inner)) = table.get("schedulers") {
        let inner =
            inner.iter().map(|spec| Ok(Value::Object(schedule(spec, count)?))).collect::<Result<Vec<_>>>()?;
        table.insert("schedulers".to_owned(), Value::Array(inner));
    }
    Ok(table)
}

/// The table of the strategy under `[[callbacks]]`.
pub fn strategy(spec: &Value) -> Result<Value> {
    let mut table = object(spec)?;
    let name = text(&mut table, "name")?;
    if name == "BackboneFinetuning" {
        if let Some(lambda) = table.get("lambda_func").filter(|lambda| lambda.is_object()) {
            let lambda = function(lambda, "epoch")?;
            table.insert("lambda_func".to_owned(), lambda);
        }
        // Lightning freezes with `train_bn=True` whatever `train_bn` says.
        table.insert("frozen_bn".to_owned(), json!("train"));
    }
    table.insert("id".to_owned(), json!(kebab(&name)));
    Ok(Value::Object(table))
}

/// `LayerEachEpoch` to `layer-each-epoch`.
fn kebab(name: &str) -> String {
    let mut id = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !id.is_empty() {
            id.push('-');
        }
        id.extend(letter.to_lowercase());
    }
    id
}

fn object(spec: &Value) -> Result<Map<String, Value>> {
    spec.as_object().cloned().with_context(|| format!("expected a table, found {spec}"))
}

fn text(table: &mut Map<String, Value>, key: &str) -> Result<String> {
    let value = table.remove(key).unwrap_or_default();
    Ok(value.as_str().with_context(|| format!("`{key}` is {value}, expected a name"))?.to_owned())
}
