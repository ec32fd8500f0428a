//! Steps of the host's optimizer on one batch, against recorded losses.

use serde_json::{Value, json};
use thaw_optim::optimizer::{Optimizer, OptimizerConfig, OptimizerError, Parameters};
use thaw_test_references::{Built, Deviation, Reference};

/// Trains everything as the reference's `adamw` says, and compares the loss before each step.
///
/// # Errors
/// The first loss that differs.
pub fn check(built: &mut Built, reference: &Reference) -> Result<Deviation, String> {
    let recorded = &reference.json()["adamw"];
    let mut settings = json!({ "id": "adamw" });
    for key in ["lr", "betas", "eps", "weight_decay"] {
        settings[key] = recorded[key].clone();
    }
    let config: OptimizerConfig = serde_json::from_value(settings).map_err(|error| error.to_string())?;
    let names = built
        .tree()
        .parameters()
        .filter(|parameter| parameter.tied_to.is_none())
        .map(|parameter| parameter.name.clone());
    let names: Vec<String> = names.collect();
    let text = |error: OptimizerError| error.to_string();
    let entries = names.iter().map(|name| (name.clone(), built.tensor(name).shallow_clone()));
    let parameters = Parameters::new(entries).map_err(text)?;
    let mut optimizer = Optimizer::new(config.clone(), vec![config.group("all", names)]).map_err(text)?;
    built.set_training(true);
    let tolerance = recorded["tolerance"].as_f64().unwrap_or(1e-3);
    let mut deviation = Deviation::default();
    for (step, theirs) in recorded["losses_before_each_step"].as_array().into_iter().flatten().enumerate() {
        let loss = built.loss(reference.inputs(), reference.labels().as_ref())?;
        let what = format!("loss after {step} steps");
        deviation.close(&what, loss.double_value(&[]), theirs.as_f64().unwrap_or(f64::NAN), tolerance)?;
        optimizer.zero_grad(&parameters).map_err(text)?;
        loss.f_backward().map_err(|error| error.to_string())?;
        optimizer.step(&parameters).map_err(text)?;
    }
    optimizer.zero_grad(&parameters).map_err(text)?;
    Ok(deviation)
}

/// Whether a reference has such steps.
pub fn is_recorded(reference: &Reference) -> bool {
    reference.json().get("adamw").is_some_and(Value::is_object)
}
