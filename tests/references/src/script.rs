//! TorchScript files against what PyTorch computes with them (`files/torchscript.json`).

use serde_json::{Value, json};
use thaw_plugin_api::tch::{self, Kind, Tensor};

use crate::reference::check_summary;
use crate::{Built, Deviation, Outcome, Reference};

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

impl Reference {
    /// Names of the files that a `torchscript.json` is about.
    pub fn script_files(&self) -> Vec<String> {
        self.json()["files"].as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect()
    }

    /// What is recorded of one of these files.
    pub fn script(&self, file: &str) -> Self {
        let mut json = self.json()["files"][file].clone();
        json["inputs"] = self.json()["inputs"].clone();
        json["labels"] = self.json()["labels"].clone();
        self.named(file, json)
    }
}

/// Compares names, outputs, stages and all recorded training of a file; `build` builds its model anew.
///
/// # Errors
/// The first value that differs.
pub fn check_script(reference: &Reference, build: impl Fn() -> Result<Built, String>) -> Outcome {
    let mut built = build()?;
    let mut deviation = built.check_names(reference)?;
    check_children(reference, &built)?;
    deviation.join(check_outputs(reference, &mut built)?);
    deviation.join(built.check_stages(reference, |_| None)?);
    let recorded = reference
        .json()
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, value)| key.starts_with("train") && value.is_object());
    for (key, training) in recorded {
        let outcome = check_training(reference, training, build()?);
        deviation.join(outcome.map_err(|difference| format!("{key}: {difference}"))?);
    }
    Ok(deviation)
}

fn check_children(reference: &Reference, built: &Built) -> Result<(), String> {
    let children = built.tree().children("").map_err(|error| error.to_string())?;
    let kind = |path: &String| built.tree().get(path).map(|module| module.kind.clone()).unwrap_or_default();
    let ours: Vec<Value> = children.iter().map(|path| json!({ "name": path, "class": kind(path) })).collect();
    let theirs = reference.json()["children"].as_array().cloned().unwrap_or_default();
    if ours == theirs { Ok(()) } else { Err(format!("children: {ours:?}, the reference has {theirs:?}")) }
}

/// Outputs go by position: a tuple of TorchScript has no names.
fn check_outputs(reference: &Reference, built: &mut Built) -> Outcome {
    built.set_training(false);
    let outputs = tch::no_grad(|| built.forward(reference.inputs()))?;
    let theirs: Vec<(&String, &Value)> = reference.json()["eval"].as_object().into_iter().flatten().collect();
    if outputs.len() != theirs.len() {
        return Err(format!("{} outputs, the reference has {}", outputs.len(), theirs.len()));
    }
    let mut deviation = Deviation::default();
    for ((_, ours), (name, theirs)) in outputs.iter().zip(theirs) {
        deviation.join(check_summary(&format!("output `{name}`"), ours, theirs, 1e-4)?);
    }
    Ok(deviation)
}

/// Plain SGD on the whole batch: the loss before each step and after the last, and what is left in the model.
fn check_training(reference: &Reference, theirs: &Value, mut built: Built) -> Outcome {
    let tolerance = number(&theirs["tolerance"]);
    let trainable = theirs["trainable"].as_str().unwrap_or_default();
    // What was traced in training mode stays in it: its stored statistics are tracked all the same.
    built.set_modes(|module| module.fixed_mode.unwrap_or(theirs["mode"] == "train"));
    built.set_trainable(|name| name.starts_with(trainable));
    let untied = built.tree().parameters().filter(|parameter| parameter.tied_to.is_none());
    let parameters: Vec<String> = untied.map(|parameter| parameter.name.clone()).collect();
    let labels = reference.labels();
    let losses = theirs["losses"].as_array().map_or(&[][..], Vec::as_slice);
    let mut deviation = Deviation::default();
    for (step, expected) in losses.iter().enumerate() {
        let loss = built.loss(reference.inputs(), labels.as_ref())?;
        deviation.close(&format!("loss {step}"), loss.double_value(&[]), number(expected), tolerance)?;
        if step + 1 < losses.len() {
            let trained: Vec<&Tensor> = parameters
                .iter()
                .map(|name| built.tensor(name))
                .filter(|tensor| tensor.requires_grad())
                .collect();
            descend(&loss, &trained, number(&theirs["lr"]))?;
        }
    }
    let length = |names: &mut dyn Iterator<Item = &String>| {
        names
            .map(|name| built.tensor(name).detach().to_kind(Kind::Double).norm().double_value(&[]).powi(2))
            .sum::<f64>()
            .sqrt()
    };
    deviation.close(
        "all parameters",
        length(&mut parameters.iter()),
        number(&theirs["params_l2_after"]),
        tolerance,
    )?;
    let buffers = |suffix: &str| {
        let names = built.tensors().iter().map(|(name, _)| name).filter(|name| name.ends_with(suffix));
        names.cloned().collect::<Vec<_>>()
    };
    let means = buffers("running_mean");
    deviation.close(
        "all of running_mean",
        length(&mut means.iter()),
        number(&theirs["running_mean_l2_after"]),
        tolerance,
    )?;
    let expected: Vec<i64> = theirs["num_batches_tracked_after"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_i64)
        .collect();
    for name in buffers("num_batches_tracked") {
        let ours = built.tensor(&name).int64_value(&[]);
        if !expected.contains(&ours) {
            return Err(format!("{name} is {ours}, the reference has {expected:?}"));
        }
    }
    Ok(deviation)
}

/// One step of plain SGD, rounded once per value as PyTorch's kernel does.
fn descend(loss: &Tensor, parameters: &[&Tensor], lr: f64) -> Result<(), String> {
    let gradients =
        Tensor::f_run_backward(&[loss], parameters, false, false).map_err(|error| error.to_string())?;
    let _guard = tch::no_grad_guard();
    for (parameter, gradient) in parameters.iter().zip(gradients) {
        let stepped = parameter.to_kind(Kind::Double) - gradient.to_kind(Kind::Double) * f64::from(lr as f32);
        parameter.shallow_clone().copy_(&stepped);
    }
    Ok(())
}
