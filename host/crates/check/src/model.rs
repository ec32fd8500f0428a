//! Models, on the CPU, with small inputs: tree, forward, stages, gradients, modes, precision, weights.

mod forward;
mod inputs;
mod instances;
mod precision;
mod training;
mod tree;
mod weights;

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use tch::{Device, Kind, Tensor};
use thaw_plugin_api::Error;
use thaw_plugin_api::model::{Batch, Task, Tensors};

use super::values::fits;
use super::{Body, Check, Outcome, Reach, Subject};
use inputs::Inputs;
use thaw_train::model::{HostModel, ModelError, Phase};

pub(super) use forward::errors;

pub(super) const CHECKS: &[Check] = &[
    Check::new(
        "forward",
        "outputs for batches of 1, 2, 3 and 5 have their shape and are finite",
        Body::Model(forward::forward),
    )
    .after("builds")
    .on(Reach::Small),
    Check::new(
        MEASURE,
        "module tree, parameters, buffers and stages name the same things",
        Body::Model(tree::consistent),
    )
    .after("builds")
    .on(Reach::All),
    Check::new(
        "stages-compose",
        "the stages one after the other are the forward",
        Body::Model(forward::stages_compose),
    )
    .after("forward")
    .on(Reach::Small),
    Check::new(
        "gradients",
        "gradients reach every parameter that trains, and no other",
        Body::Model(training::gradients),
    )
    .after("forward")
    .on(Reach::Small),
    Check::new(
        "frozen-untouched",
        "a step leaves frozen parameters and the statistics of frozen modules alone",
        Body::Model(training::frozen_untouched),
    )
    .after("gradients"),
    Check::new(
        "evaluation",
        "in evaluation outputs are the same each time, for each sample alone, and nothing changes",
        Body::Model(forward::evaluation),
    )
    .after("forward"),
    Check::new(
        "precision",
        "it computes in the precisions that it declares: in float32, and under autocast in bfloat16 to \
         nearly the same",
        Body::Model(precision::precision),
    )
    .after("gradients"),
    Check::new(
        "state-dict",
        "weights written to a file and read into another model give the same outputs",
        Body::Model(weights::round_trip),
    )
    .after("forward"),
    Check::new(
        "wrong-inputs",
        "inputs that cannot be taken are errors, and the model goes on as it was",
        Body::Model(forward::wrong_inputs),
    )
    .after("forward"),
    Check::new(
        "deterministic",
        "two models of the same seed are equal, each in a process of its own",
        Body::Model(instances::deterministic),
    )
    .after("gradients")
    .twice(),
    Check::new(
        "restart",
        "a second model in one process does what the first did",
        Body::Model(instances::restart),
    )
    .after("deterministic"),
    Check::new("two-instances", "two models at once share nothing", Body::Model(instances::two_instances))
        .after("forward"),
];

/// The check that counts a model's parameters, and where it leaves the number.
pub(super) const MEASURE: &str = "tree-consistent";
pub(super) const PARAMETERS: &str = "parameters.txt";

/// Sizes that keep a model small, for keys that its schema has with values of this type.
fn small_sizes() -> [(&'static str, Value); 26] {
    [
        ("image_size", json!(32)),
        ("num_classes", json!(5)),
        ("vocab_size", json!(1000)),
        ("hidden_size", json!(48)),
        ("dim", json!(48)),
        ("intermediate_size", json!(64)),
        ("hidden_dim", json!(64)),
        ("mlp_dim", json!(64)),
        ("num_hidden_layers", json!(2)),
        ("n_layers", json!(2)),
        ("num_layers", json!(2)),
        ("num_attention_heads", json!(4)),
        ("n_heads", json!(4)),
        ("num_heads", json!(4)),
        ("max_position_embeddings", json!(64)),
        ("mlp_features", json!(32)),
        ("latent_dim", json!(16)),
        ("layers", json!([1, 1, 1, 1])),
        ("depths", json!([1, 1, 1, 1])),
        ("dims", json!([16, 16, 32, 32])),
        ("hidden_sizes", json!([16, 16, 32, 32])),
        ("embed_dim", json!(12)),
        ("width_mult", json!(0.25)),
        ("depth_mult", json!(0.25)),
        ("width_coefficient", json!(0.25)),
        ("depth_coefficient", json!(0.25)),
    ]
}

/// A model with inputs that it takes.
struct Bench {
    model: HostModel,
    inputs: Inputs,
    config: Map<String, Value>,
}

impl Bench {
    /// Builds the model, small where its schema lets it be, with initial values of this seed.
    ///
    /// # Errors
    /// [`Outcome::Skipped`] where it cannot be built, or where no inputs are found that it takes.
    fn new(subject: &Subject, seed: u64) -> Result<Self, Outcome> {
        let mut reason = String::new();
        for config in configs(subject) {
            subject.job().doing(&format!("building the model of {}", json!(config)));
            let mut model = match subject.create_model(&config, seed) {
                Ok(model) => model,
                Err(error) => {
                    reason = error.to_string();
                    continue;
                }
            };
            match Inputs::taken_by(&mut model) {
                Ok(inputs) => return Ok(Self { model, inputs, config }),
                Err(error) => reason = error,
            }
        }
        Err(Outcome::skipped(format!("no inputs were found that the model takes: {reason}")))
    }

    /// Inputs and, as the task wants it, a target for so many samples.
    fn batch(&mut self, samples: i64) -> Result<Batch, Outcome> {
        let inputs = self.inputs.batch(samples).map_err(torch)?;
        let target = match self.model.task() {
            Task::Reconstruction => None,
            task => Some(self.target(task, samples)?),
        };
        Ok(Batch { inputs, target })
    }

    fn target(&mut self, task: Task, samples: i64) -> Result<Tensor, Outcome> {
        let outputs = self.outputs(samples)?;
        let output = outputs.first().map_err(|error| Outcome::skipped(error.to_string()))?;
        let target = match (task, output.size().as_slice()) {
            (Task::Classification, [_, classes]) => Tensor::f_arange(samples, (Kind::Int64, Device::Cpu))
                .and_then(|all| all.f_remainder(*classes)),
            _ => output.f_zeros_like(),
        };
        target.map_err(torch)
    }

    /// Outputs in evaluation, without gradients.
    fn outputs(&mut self, samples: i64) -> Result<Tensors, Outcome> {
        let inputs = self.inputs.batch(samples).map_err(torch)?;
        self.evaluate(inputs).map_err(|error| Outcome::skipped(error.to_string()))
    }

    fn evaluate(&mut self, inputs: Tensors) -> Result<Tensors, ModelError> {
        self.model.set_phase(Phase::Validate);
        let outputs = tch::no_grad(|| self.model.forward(inputs));
        self.model.set_phase(Phase::Train);
        outputs
    }

    /// A batch of training with its gradients; gives its loss.
    fn train(&mut self, samples: i64) -> Result<f64, Outcome> {
        let batch = self.batch(samples)?;
        self.train_on(&batch)
    }

    fn train_on(&mut self, batch: &Batch) -> Result<f64, Outcome> {
        let output = self
            .model
            .step(batch)
            .map_err(|error| Outcome::skipped(format!("a step of training fails: {error}")))?;
        if output.loss.requires_grad() {
            output.loss.f_backward().map_err(torch)?;
        }
        output.loss.f_double_value(&[]).map_err(torch)
    }

    /// Parameters by name, tied ones once.
    fn parameters(&self) -> Vec<(String, Tensor)> {
        let own = self.model.tree().parameters().filter(|parameter| parameter.tied_to.is_none());
        own.filter_map(|parameter| {
            Some((parameter.name.clone(), self.model.tensor(&parameter.name).ok()?.shallow_clone()))
        })
        .collect()
    }

    /// Drops all gradients.
    fn zero_grad(&self) {
        for (_, parameter) in self.parameters() {
            let mut gradient = parameter.grad();
            if gradient.defined() {
                let _ = gradient.f_detach_().and_then(|mut gradient| gradient.f_zero_());
            }
        }
    }

    /// What was set to keep the model small, in words.
    fn note(&self, subject: &Subject) -> String {
        let set = self.config.iter().filter(|(key, _)| !subject.config().contains_key(*key));
        let set: Vec<String> = set.map(|(key, value)| format!("{key} = {value}")).collect();
        let set = if set.is_empty() { String::new() } else { format!(", with {}", set.join(", ")) };
        format!("{}{set}", self.inputs)
    }
}

/// The small configuration, and the usual one where that cannot be had.
fn configs(subject: &Subject) -> Vec<Map<String, Value>> {
    let small = small(subject);
    if small == *subject.config() { vec![small] } else { vec![small, subject.config().clone()] }
}

/// The usual configuration with small sizes, where they are not given.
pub(super) fn small(subject: &Subject) -> Map<String, Value> {
    let properties = subject.item().schema.get("properties").and_then(Value::as_object);
    let mut small = subject.config().clone();
    for (key, size) in small_sizes() {
        if !small.contains_key(key)
            && properties
                .and_then(|properties| properties.get(key))
                .is_some_and(|property| fits(property, &size))
        {
            small.insert(key.to_owned(), size);
        }
    }
    small
}

/// That libtorch refuses something here is no fault of the plugin's.
fn torch(error: tch::TchError) -> Outcome {
    Outcome::skipped(thaw_torch::short_message(&error.to_string()).to_owned())
}

/// The plugin's words in an error of the host's.
fn words(error: ModelError) -> Error {
    match error {
        ModelError::Plugin(failure) => failure.error,
        other => Error::new(other),
    }
}

/// Whether two lists of tensors are equal bit for bit.
fn equal(a: &Tensors, b: &Tensors) -> bool {
    a.len() == b.len()
        && a.iter()
            .zip(b.iter())
            .all(|((a_name, a), (b_name, b))| a_name == b_name && a.size() == b.size() && a == b)
}

/// Copies of every parameter and buffer.
fn snapshot(model: &HostModel) -> Vec<(String, Tensor)> {
    model.state_dict().iter().map(|(name, tensor)| (name.clone(), tensor.detach().copy())).collect()
}

/// Names of the tensors that are no longer as in a snapshot.
fn changed(model: &HostModel, before: &[(String, Tensor)]) -> Vec<String> {
    let pairs = model.state_dict().iter().zip(before);
    pairs.filter(|((_, now), (_, then))| now.detach() != *then).map(|((name, _), _)| name.clone()).collect()
}

/// Time for steps that are only counted; only models of a hundred million parameters without keys for their
/// size need more.
pub(super) const TIME_FOR_STEPS: Duration = Duration::from_secs(240);

/// A model that trains for so many steps, or as many as there is time for, and gives how many, as often as it
/// is called.
///
/// # Errors
/// [`Outcome::Skipped`]: that it trains is another check's.
pub(super) fn exercise(subject: &Subject) -> Result<impl FnMut(usize) -> Result<usize, Outcome>, Outcome> {
    let mut bench = Bench::new(subject, subject.job().seed)?;
    let batch = bench.batch(2)?;
    Ok(move |steps| {
        let started = Instant::now();
        for step in 0..steps {
            if started.elapsed() > TIME_FOR_STEPS {
                return Ok(step);
            }
            bench.train_on(&batch)?;
            bench.zero_grad();
        }
        Ok(steps)
    })
}
