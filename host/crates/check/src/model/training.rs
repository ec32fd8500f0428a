//! Steps of training.

use std::collections::BTreeSet;

use thaw_plugin_api::module_tree::BatchNorm;

use super::{Bench, changed, snapshot, torch, words};
use crate::{Outcome, Subject, Verdict};
use thaw_optim::optimizer::{Optimizer, OptimizerConfig, Parameters};

/// What is wrong with the gradients after a backward.
fn findings(bench: &Bench) -> Result<Vec<String>, Outcome> {
    let mut wrong = Vec::new();
    for (name, tensor) in bench.parameters() {
        let gradient = tensor.grad();
        let trains = bench.model.tree().parameter(&name).is_ok_and(|parameter| parameter.requires_grad);
        match (trains, gradient.defined()) {
            (true, false) => wrong.push(format!("`{name}` trains, and has no gradient")),
            (false, true) => wrong.push(format!("`{name}` is frozen, and has a gradient")),
            (true, true) => {
                let is_finite = gradient
                    .f_isfinite()
                    .and_then(|finite| finite.f_all())
                    .and_then(|all| all.f_int64_value(&[]))
                    .map_err(torch)?;
                if is_finite == 0 {
                    wrong.push(format!("the gradient of `{name}` is not finite"));
                }
            }
            (false, false) => {}
        }
    }
    Ok(wrong)
}

/// Freezes what the model runs first. False where that would be all of it, or nothing.
fn freeze_the_first_part(bench: &mut Bench) -> Result<bool, Outcome> {
    let skipped = |error: &dyn std::fmt::Display| Outcome::skipped(error.to_string());
    let mut tree = bench.model.tree().clone();
    let parts: Vec<Vec<String>> = match bench.model.stages() {
        [] | [_] => {
            tree.children("").map_err(|error| skipped(&error))?.into_iter().map(|path| vec![path]).collect()
        }
        stages => stages.iter().map(|stage| stage.modules.clone()).collect(),
    };
    for part in &parts[..parts.len().div_ceil(2)] {
        for path in part {
            // A stage may name a parameter of a module that is not the stage's as a whole.
            if tree.contains(path) {
                tree.module(path).map_err(|error| skipped(&error))?.freeze(BatchNorm::Eval);
            } else {
                tree.set_requires_grad(path, false).map_err(|error| skipped(&error))?;
            }
        }
    }
    let trainable = tree.trainable().len();
    let all = tree.parameters().filter(|parameter| parameter.tied_to.is_none()).count();
    bench.model.apply_tree(tree).map_err(|error| skipped(&error))?;
    Ok(trainable > 0 && trainable < all)
}

const GRADIENTS: &str = "a layer that no stage runs, a `detach`, a value read out of a tensor: what trains \
                         has to be on the way to the loss";

pub(super) fn gradients(subject: &mut Subject) -> Verdict {
    let mut bench = Bench::new(subject, subject.job().seed)?;
    subject.job().doing("in a step of training");
    let loss = train(&mut bench)?;
    if !loss.is_finite() {
        return Err(Outcome::failed(
            format!("the loss is {loss}"),
            "a finite loss",
            "look at initial values",
        ));
    }
    let wrong = findings(&bench)?;
    if !wrong.is_empty() {
        return Err(Outcome::failed(
            wrong.join("; "),
            "a gradient for what trains, none for what is frozen",
            GRADIENTS,
        ));
    }
    let mut bench = Bench::new(subject, subject.job().seed)?;
    if !freeze_the_first_part(&mut bench)? {
        return Ok(Outcome::noted("the model cannot be frozen in part"));
    }
    subject.job().doing("in a step of training with the first part frozen");
    train(&mut bench)?;
    let wrong = findings(&bench)?;
    if wrong.is_empty() {
        return Ok(Outcome::passed());
    }
    let expected = "with the first part frozen, a gradient for what trains, none for what is frozen";
    Err(Outcome::failed(wrong.join("; "), expected, GRADIENTS))
}

/// A step whose failure is a finding.
fn train(bench: &mut Bench) -> Result<f64, Outcome> {
    let batch = bench.batch(4)?;
    let hint = "a model without a step of its own gives logits [N, classes] for classification, else the \
                shape of its target";
    let output = bench
        .model
        .step(&batch)
        .map_err(|error| Outcome::failed(words(error).to_string(), "a loss", hint))?;
    if output.loss.requires_grad() {
        output.loss.f_backward().map_err(|error| {
            let found = thaw_torch::short_message(&error.to_string()).to_owned();
            Outcome::failed(
                found,
                "gradients",
                "an operation in place on what the backward needs is the usual reason",
            )
        })?;
    }
    output.loss.f_double_value(&[]).map_err(torch)
}

pub(super) fn frozen_untouched(subject: &mut Subject) -> Verdict {
    let mut bench = Bench::new(subject, subject.job().seed)?;
    if !freeze_the_first_part(&mut bench)? {
        return Err(Outcome::skipped("the model cannot be frozen in part"));
    }
    let before = snapshot(&bench.model);
    bench.train(4)?;
    let skipped = |error: thaw_optim::optimizer::OptimizerError| Outcome::skipped(error.to_string());
    let config = OptimizerConfig::default_for("sgd").ok_or_else(|| Outcome::skipped("there is no sgd"))?;
    let trainable: Vec<String> = bench.model.tree().trainable().into_iter().map(str::to_owned).collect();
    let group = config.group("default", trainable);
    let parameters = Parameters::new(bench.parameters()).map_err(skipped)?;
    Optimizer::new(config, vec![group])
        .and_then(|mut optimizer| optimizer.step(&parameters))
        .map_err(skipped)?;
    let changed: BTreeSet<String> = changed(&bench.model, &before).into_iter().collect();
    let frozen = bench.model.tree().modules().iter().filter(|module| !module.training);
    let frozen = frozen.flat_map(|module| {
        module.parameters.iter().map(|p| &p.name).chain(module.buffers.iter().map(|b| &b.name))
    });
    let frozen: Vec<&str> = frozen.filter(|name| changed.contains(*name)).map(String::as_str).collect();
    if !frozen.is_empty() {
        let hint = "a forward that writes to a parameter or a buffer asks its `Mode` first";
        return Err(Outcome::failed(
            format!("frozen, and changed: {}", frozen.join(", ")),
            "their values as before",
            hint,
        ));
    }
    let moved = bench.model.tree().trainable().into_iter().filter(|name| changed.contains(*name)).count();
    if moved == 0 {
        let hint = "the layers compute with other tensors than those that were registered: keep what \
                    `ModuleBuilder` gives back";
        return Err(Outcome::failed(
            "nothing that trains moved",
            "the trainable parameters after a step",
            hint,
        ));
    }
    Ok(Outcome::passed())
}
