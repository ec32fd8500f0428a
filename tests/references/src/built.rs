//! A model built in process, with everything that the host would see of it.

use std::collections::HashMap;

use serde_json::Value;
use thaw_plugin_api::config::parse;
use thaw_plugin_api::model::{Model, Tensors};
use thaw_plugin_api::module_tree::ModuleTree;
use thaw_plugin_api::nn::{Path, Registry};
use thaw_plugin_api::tch::{self, Kind, Reduction, Tensor};

use crate::reference::shape;
use crate::{Outcome, Reference, close, formula};

/// A model and its module tree.
pub struct Built<M> {
    /// The model.
    pub model: M,
    /// Modules, modes, tensors.
    pub registry: Registry,
    /// The tree as built.
    pub tree: ModuleTree,
}

impl<M: Model> Built<M> {
    /// Builds the model from its configuration.
    ///
    /// # Errors
    /// The configuration is refused; the text is the model's.
    pub fn new(config: &Value) -> Result<Self, String> {
        let config = parse::<M::Config>(&config.to_string()).map_err(|error| error.to_string())?;
        let root = Path::root();
        let model = M::new(config, &root).map_err(|error| error.to_string())?;
        let registry = root.into_registry();
        let tree = registry.tree().map_err(|error| error.to_string())?;
        Ok(Self { model, registry, tree })
    }

    /// A parameter or buffer by its name.
    pub fn tensor(&self, name: &str) -> Tensor {
        let found = self.registry.tensors().into_iter().find(|(known, _)| known == name);
        found.unwrap_or_else(|| panic!("there is no `{name}`")).1
    }

    /// Gives every float tensor its formula's values, under the name that `rename` gives it.
    pub fn fill(&self, gain: f64, rename: impl Fn(&str) -> String) {
        let _guard = tch::no_grad_guard();
        for (name, mut tensor) in self.registry.tensors() {
            if tensor.kind() != Kind::Int64 {
                tensor.copy_(&formula::values(&rename(&name), &tensor.size(), gain));
            }
        }
    }

    /// Puts every module into training or evaluation mode.
    pub fn set_training(&self, training: bool) {
        let mode = if training { 3 } else { 2 };
        self.registry.set_modes(&vec![mode; self.tree.modules().len()]);
    }

    /// Compares names, order, shapes and kinds with the reference's `state_dict` and `modules`.
    ///
    /// # Errors
    /// The first that differs.
    pub fn check_names(&self, reference: &Reference) -> Outcome {
        let json = reference.json();
        let ours: Vec<(String, Vec<i64>, &str)> = self
            .tree
            .modules()
            .iter()
            .flat_map(|module| {
                let parameters = module.parameters.iter().map(|parameter| (parameter.name.clone(), parameter.shape.clone(), "parameter"));
                parameters.chain(module.buffers.iter().map(|buffer| (buffer.name.clone(), buffer.shape.clone(), "buffer")))
            })
            .collect();
        let theirs = json["state_dict"].as_array().map_or(&[][..], Vec::as_slice);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let theirs: Vec<_> = theirs.iter().map(|row| (text(&row["name"]), shape(&row["shape"]), text(&row["kind"]))).collect();
        same_lists("state_dict", &ours, &theirs, |ours, theirs| ours.0 == theirs.0 && ours.1 == theirs.1 && ours.2 == theirs.2)?;
        let ours: Vec<_> = self.tree.modules().iter().skip(1).map(|module| (module.path.clone(), module.kind.clone())).collect();
        let Some(theirs) = json["modules"].as_array() else { return Ok(()) };
        let theirs: Vec<_> = theirs.iter().map(|row| (text(&row["name"]), text(&row["class"]))).collect();
        same_lists("modules", &ours, &theirs, |ours, theirs| ours == theirs)
    }

    /// Runs the reference's inputs in evaluation mode and compares every output.
    ///
    /// # Errors
    /// The first value that differs.
    pub fn check_eval(&self, reference: &Reference) -> Outcome {
        self.set_training(false);
        let outputs = tch::no_grad(|| self.model.forward(reference.inputs())).map_err(|error| error.to_string())?;
        let names: Vec<&str> = outputs.iter().map(|(name, _)| name).collect();
        for name in reference.output_names() {
            let ours = outputs.find(&name).ok_or_else(|| format!("there is no output `{name}`, there are {names:?}"))?;
            reference.check_output(&name, ours)?;
        }
        Ok(())
    }

    /// Runs the stages one by one in evaluation mode and compares the first tensor of those that `module_of` names with
    /// the recorded activation.
    ///
    /// # Errors
    /// The first stage that differs.
    pub fn check_stages(&self, reference: &Reference, module_of: impl Fn(&str) -> Option<String>) -> Outcome {
        self.set_training(false);
        let mut tensors = reference.inputs();
        for stage in self.model.stages() {
            tensors = tch::no_grad(|| self.model.run_stage(&stage.name, tensors)).map_err(|error| error.to_string())?;
            if let Some(module) = module_of(&stage.name) {
                reference.check_activation(&module, tensors.first().map_err(|error| error.to_string())?)?;
            }
        }
        Ok(())
    }

    /// One training step as the reference's: loss, gradient norms, parameters without gradient, batch norms afterwards.
    ///
    /// # Errors
    /// The first value that differs.
    pub fn check_train(&self, reference: &Reference) -> Outcome {
        self.set_training(true);
        self.check_step(reference, "train")
    }

    /// A step in the present modes, compared with `key` of the reference.
    ///
    /// # Errors
    /// The first value that differs.
    pub fn check_step(&self, reference: &Reference, key: &str) -> Outcome {
        let theirs = &reference.json()[key];
        let tolerance = |what: &str| theirs["tolerance"][what].as_f64().unwrap_or(1e-4);
        let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
        let loss = self.loss(reference.inputs(), reference.labels().as_ref())?;
        close("loss", loss.double_value(&[]), number(&theirs["loss"]), tolerance("loss"))?;
        loss.f_backward().map_err(|error| error.to_string())?;
        let tensors: HashMap<String, Tensor> = self.registry.tensors().into_iter().collect();
        let norm = |name: &str| {
            let gradient = tensors.get(name)?.grad();
            gradient.defined().then(|| gradient.to_kind(Kind::Double).norm().double_value(&[]))
        };
        let names: Vec<String> = self.tree.parameters().map(|parameter| parameter.name.clone()).collect();
        let without: Vec<&String> = names.iter().filter(|name| norm(name).is_none()).collect();
        let expected: Vec<&str> = theirs["params_without_grad"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if without != expected {
            return Err(format!("parameters without gradient: {without:?}, the reference has {expected:?}"));
        }
        for (name, value) in theirs["param_grad_norms"].as_object().into_iter().flatten() {
            close(&format!("gradient of `{name}`"), norm(name).unwrap_or(0.0), number(value), tolerance("param_grad_norms"))?;
        }
        let total = names.iter().filter_map(|name| norm(name)).map(|norm| norm * norm).sum::<f64>().sqrt();
        close("norm of all gradients", total, number(&theirs["grad_norm"]), tolerance("grad_norm"))?;
        for (module, stored) in theirs["batch_norm_after"]["modules"].as_object().into_iter().flatten() {
            for statistic in ["running_mean", "running_var"] {
                let name = format!("{module}.{statistic}");
                let ours = self.tensor(&name).to_kind(Kind::Double).norm().double_value(&[]);
                close(&name, ours, number(&stored[format!("{statistic}_l2")]), tolerance("batch_norm_after"))?;
            }
        }
        Ok(())
    }

    /// Cross entropy of the first output with the labels; without labels the squared error against the flattened input.
    ///
    /// # Errors
    /// The model refuses the inputs.
    pub fn loss(&self, inputs: Tensors, labels: Option<&Tensor>) -> Result<Tensor, String> {
        let target = inputs.first().map_err(|error| error.to_string())?.shallow_clone();
        let outputs = self.model.forward(inputs).map_err(|error| error.to_string())?;
        let output = outputs.first().map_err(|error| error.to_string())?;
        Ok(match labels {
            Some(labels) => output.cross_entropy_loss(labels, None::<Tensor>, Reduction::Mean, -100, 0.0),
            None => output.mse_loss(&target.view(output.size().as_slice()), Reduction::Mean),
        })
    }
}

fn same_lists<O: std::fmt::Debug, T: std::fmt::Debug>(what: &str, ours: &[O], theirs: &[T], same: impl Fn(&O, &T) -> bool) -> Outcome {
    for (index, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        if !same(ours, theirs) {
            return Err(format!("{what}, entry {index}: {ours:?}, the reference has {theirs:?}"));
        }
    }
    if ours.len() == theirs.len() {
        return Ok(());
    }
    Err(format!("{what} has {} entries, the reference {}", ours.len(), theirs.len()))
}
