//! Exported programs against what PyTorch computes with them: pairs `NAME.pt2`, `NAME.safetensors`.
//!
//! The `.safetensors` holds inputs, outputs in both modes, gradients, buffers after a step, the same with a
//! part frozen and in evaluation mode, and what plain SGD makes of the model; `tests/fixtures/exported` says
//! which tensor is what.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use thaw_plugin_api::model::Tensors;
use thaw_plugin_api::tch::{self, Kind, Tensor};

use crate::{Built, Deviation, Outcome};

/// What outputs and buffers may differ by, for values up to 1; for larger ones as much of the largest. One
/// processor sums in another order than another, and PyTorch's own evaluation takes fused paths.
const OUTPUTS: f64 = 5e-6;
/// What gradients may differ by, likewise.
const GRADIENTS: f64 = 1e-5;
/// What parameters may differ by after several steps, likewise: each step enlarges what the one before was
/// off.
const DESCENT: f64 = 2e-4;

/// What PyTorch recorded of a program.
pub struct Exported {
    tensors: BTreeMap<String, Tensor>,
    metadata: HashMap<String, String>,
}

impl Exported {
    /// Reads a `.safetensors`.
    ///
    /// # Errors
    /// It is missing, or no such file.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let tensors = Tensor::read_safetensors(path).map_err(|error| text(&error))?.into_iter().collect();
        let bytes = std::fs::read(path).map_err(|error| text(&error))?;
        let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).map_err(|error| text(&error))?;
        let metadata = header.metadata().clone().unwrap_or_default();
        Ok(Self { tensors, metadata })
    }

    fn number(&self, key: &str) -> Result<f64, String> {
        let text = self.metadata.get(key).ok_or_else(|| format!("the reference has no `{key}`"))?;
        text.parse().map_err(|_| format!("`{key}` is {text}, expected a number"))
    }

    /// Tensors `PREFIX0`, `PREFIX1`, … in order.
    fn numbered(&self, prefix: &str) -> Vec<&Tensor> {
        (0..).map_while(|index| self.tensors.get(&format!("{prefix}{index}"))).collect()
    }

    /// Tensors below a prefix, without it.
    fn below<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a Tensor)> {
        self.tensors.iter().filter_map(move |(name, tensor)| Some((name.strip_prefix(prefix)?, tensor)))
    }

    fn inputs(&self, prefix: &str) -> Tensors {
        let names = self.metadata.get("inputs").map(String::as_str).unwrap_or_default();
        let tensors = self.numbered(prefix).into_iter().map(Tensor::shallow_clone);
        names.split(',').map(str::to_owned).zip(tensors).collect()
    }
}

/// Compares everything that is recorded; `build` builds the program's model anew.
///
/// # Errors
/// The first value that differs.
pub fn check_exported(reference: &Exported, build: impl Fn() -> Result<Built, String>) -> Outcome {
    let mut deviation = Deviation::default();
    for (inputs, outputs) in [("input.", "eval.output."), ("one.input.", "one.eval.output.")] {
        deviation.join(check_evaluation(reference, &mut build()?, inputs, outputs)?);
    }
    deviation.join(check_stages(reference, &mut build()?)?);
    deviation.join(check_step(reference, &mut build()?, "train", &[])?);
    let frozen = reference.metadata.get("frozen").map(String::as_str).unwrap_or_default();
    let frozen: Vec<&str> = frozen.split(',').filter(|path| !path.is_empty()).collect();
    deviation.join(check_step(reference, &mut build()?, "frozen", &frozen)?);
    deviation.join(check_descent(reference, &mut build()?)?);
    Ok(deviation)
}

fn check_evaluation(reference: &Exported, built: &mut Built, inputs: &str, outputs: &str) -> Outcome {
    built.set_training(false);
    let found = tch::no_grad(|| built.forward(reference.inputs(inputs)))?;
    compare_all(outputs, &found, &reference.numbered(outputs), OUTPUTS)
}

/// What the stages give one by one must be what the forward gives, bit by bit.
fn check_stages(reference: &Exported, built: &mut Built) -> Outcome {
    built.set_training(false);
    let _guard = tch::no_grad_guard();
    let whole = built.forward(reference.inputs("input."))?;
    let mut tensors = reference.inputs("input.");
    let stages = built.stages().len();
    for index in 0..stages {
        tensors = built.run_stages(index, index + 1, tensors)?;
    }
    for ((name, ours), (_, theirs)) in whole.iter().zip(tensors.iter()) {
        if !ours.equal(theirs) {
            return Err(format!("output `{name}` of the {stages} stages, one by one, is not the forward's"));
        }
    }
    Ok(Deviation::default())
}

/// One forward and backward in training mode, but for the modules that are frozen.
fn check_step(reference: &Exported, built: &mut Built, tag: &str, frozen: &[&str]) -> Outcome {
    let is_frozen = |name: &str| {
        frozen
            .iter()
            .any(|path| name == *path || name.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
    };
    built.set_modes(|module| !is_frozen(&module.path));
    let fixed = fixed(built);
    built.set_trainable(|name| !is_frozen(name) && !fixed.contains(name));
    tch::manual_seed(reference.number("seed")? as i64);
    let outputs = built.forward(reference.inputs("input."))?;
    let prefix = format!("{tag}.output.");
    let mut deviation = compare_all(&prefix, &outputs, &reference.numbered(&prefix), OUTPUTS)?;
    loss(reference, &outputs)?.backward();
    let theirs: HashMap<&str, &Tensor> = reference
        .tensors
        .iter()
        .filter_map(|(name, tensor)| Some((name.strip_prefix(tag)?.strip_prefix(".grad.")?, tensor)))
        .collect();
    for (name, tensor) in built.tensors() {
        let gradient = tensor.grad();
        match (gradient.defined(), theirs.get(name.as_str())) {
            (true, Some(theirs)) => {
                deviation.join(compare(&format!("{tag}.grad.{name}"), &gradient, theirs, GRADIENTS)?);
            }
            (true, None) => return Err(format!("`{name}` has a gradient, in PyTorch it has none ({tag})")),
            (false, Some(_)) => {
                return Err(format!("`{name}` has no gradient, in PyTorch it has one ({tag})"));
            }
            (false, None) => {}
        }
    }
    deviation.join(check_buffers(reference, built, &format!("{tag}.buffer."), OUTPUTS)?);
    Ok(deviation)
}

/// Parameters that were frozen in PyTorch when the file was written, such as tables of positions.
fn fixed(built: &Built) -> HashSet<String> {
    let parameters = built.tree().parameters().filter(|parameter| !parameter.requires_grad);
    parameters.map(|parameter| parameter.name.clone()).collect()
}

/// Steps of plain SGD, each with a seed of its own.
fn check_descent(reference: &Exported, built: &mut Built) -> Outcome {
    let (steps, rate) = (reference.number("sgd_steps")? as i64, reference.number("sgd_lr")?);
    built.set_training(true);
    let fixed = fixed(built);
    built.set_trainable(|name| !fixed.contains(name));
    for step in 0..steps {
        tch::manual_seed(reference.number("seed")? as i64 + step);
        let outputs = built.forward(reference.inputs("input."))?;
        loss(reference, &outputs)?.backward();
        let untied = built.tree().parameters().filter(|parameter| parameter.tied_to.is_none());
        for parameter in untied {
            let tensor = built.tensor(&parameter.name);
            let mut gradient = tensor.grad();
            if gradient.defined() {
                let descended = tch::no_grad(|| tensor.shallow_clone().f_sub_(&(&gradient * rate)));
                let _ = descended.map_err(|error| error.to_string())?;
                let _ = gradient.zero_();
            }
        }
    }
    let mut deviation = Deviation::default();
    for (name, theirs) in reference.below("sgd.param.") {
        deviation.join(compare(&format!("sgd.param.{name}"), built.tensor(name), theirs, DESCENT)?);
    }
    deviation.join(check_buffers(reference, built, "sgd.buffer.", DESCENT)?);
    Ok(deviation)
}

/// Buffers that are in the state dict; the file records the others, too.
fn check_buffers(reference: &Exported, built: &Built, prefix: &str, allowed: f64) -> Outcome {
    let mut deviation = Deviation::default();
    let ours: HashMap<&str, &Tensor> =
        built.tensors().iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    for (name, theirs) in reference.below(prefix) {
        if let Some(ours) = ours.get(name) {
            deviation.join(compare(&format!("{prefix}{name}"), ours, theirs, allowed)?);
        }
    }
    Ok(deviation)
}

fn loss(reference: &Exported, outputs: &Tensors) -> Result<Tensor, String> {
    let terms = outputs.iter().zip(reference.numbered("cotangent."));
    let terms = terms.map(|((_, output), cotangent)| (output * cotangent).sum(Kind::Float));
    terms.reduce(|sum, term| sum + term).ok_or_else(|| "there is no output".to_owned())
}

fn compare_all(what: &str, ours: &Tensors, theirs: &[&Tensor], allowed: f64) -> Outcome {
    if ours.len() != theirs.len() || theirs.is_empty() {
        return Err(format!("{} outputs, the reference has {} ({what})", ours.len(), theirs.len()));
    }
    let mut deviation = Deviation::default();
    for (index, ((_, ours), theirs)) in ours.iter().zip(theirs).enumerate() {
        deviation.join(compare(&format!("{what}{index}"), ours, theirs, allowed)?);
    }
    Ok(deviation)
}

/// Compares two tensors by their largest difference; whole numbers have to be equal.
fn compare(what: &str, ours: &Tensor, theirs: &Tensor, allowed: f64) -> Outcome {
    if ours.size() != theirs.size() {
        return Err(format!("{what}: {:?}, the reference has {:?}", ours.size(), theirs.size()));
    }
    let mut deviation = Deviation::default();
    if ours.numel() == 0 {
        return Ok(deviation);
    }
    let double = |tensor: &Tensor| tensor.detach().to_kind(Kind::Double);
    let off = (double(ours) - double(theirs)).abs().max().double_value(&[]);
    let unit = double(theirs).abs().max().double_value(&[]).max(1.0);
    let allowed = if theirs.is_floating_point() { allowed } else { f64::MIN_POSITIVE };
    deviation.compare(what, off, 0.0, allowed, unit)?;
    Ok(deviation)
}
