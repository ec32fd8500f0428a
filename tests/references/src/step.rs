//! One training step against a recorded one.

use serde_json::Value;
use thaw_plugin_api::model::Tensors;
use thaw_plugin_api::tch::{Kind, Reduction, Tensor};

use crate::{Built, Deviation, Outcome, Reference};

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

fn norm(tensor: &Tensor) -> f64 {
    tensor.detach().to_kind(Kind::Double).norm().double_value(&[])
}

impl Built {
    /// One training step as the reference's `train`: loss, gradient norms, parameters without gradient, batch
    /// norms afterwards. Every module trains.
    ///
    /// # Errors
    /// The first value that differs.
    pub fn check_train(&mut self, reference: &Reference) -> Outcome {
        self.set_training(true);
        self.check_step(reference, "train")
    }

    /// A step in the present modes, compared with `key` of the reference. No gradient stays behind.
    ///
    /// It runs in float64, whatever the reference was recorded in: what a float32 gradient is depends on the
    /// machine (see the references' README).
    ///
    /// # Errors
    /// The first value that differs.
    pub fn check_step(&mut self, reference: &Reference, key: &str) -> Outcome {
        self.convert(Kind::Double)?;
        let outcome = self.check_converted_step(reference, key);
        self.convert(Kind::Float)?;
        outcome
    }

    fn check_converted_step(&mut self, reference: &Reference, key: &str) -> Outcome {
        let theirs = &reference.json()[key];
        let tolerance = |what: &str| theirs["tolerance"][what].as_f64().unwrap_or(1e-4);
        let mut deviation = Deviation::default();
        let loss = self.loss(reference.inputs(), reference.labels().as_ref())?;
        deviation.close("loss", loss.double_value(&[]), number(&theirs["loss"]), tolerance("loss"))?;
        let gradients = self.gradients(&loss)?;
        let without: Vec<&str> =
            gradients.iter().filter(|(_, norm)| norm.is_none()).map(|(name, _)| name.as_str()).collect();
        let expected: Vec<&str> = theirs["params_without_grad"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        if without != expected {
            return Err(format!("parameters without gradient: {without:?}, the reference has {expected:?}"));
        }
        for (name, value) in reference.recorded(theirs, "param_grad_norms")?.as_object().into_iter().flatten()
        {
            let ours = gradients.iter().find(|(known, _)| known == name).and_then(|(_, norm)| *norm);
            let what = format!("gradient of `{name}`");
            deviation.close(&what, ours.unwrap_or(f64::NAN), number(value), tolerance("param_grad_norms"))?;
        }
        let total =
            gradients.iter().filter_map(|(_, norm)| *norm).map(|norm| norm * norm).sum::<f64>().sqrt();
        deviation.close(
            "norm of all gradients",
            total,
            number(&theirs["grad_norm"]),
            tolerance("grad_norm"),
        )?;
        if !theirs["batch_norm_after"].is_null() {
            self.check_batch_norms(
                &theirs["batch_norm_after"],
                tolerance("batch_norm_after"),
                &mut deviation,
            )?;
        }
        Ok(deviation)
    }

    /// What each parameter's gradient measures, tied ones once; none where it has none.
    fn gradients(&self, loss: &Tensor) -> Result<Vec<(String, Option<f64>)>, String> {
        let parameters = self.tree().parameters().filter(|parameter| parameter.tied_to.is_none());
        let names: Vec<String> = parameters.map(|parameter| parameter.name.clone()).collect();
        let trained: Vec<&Tensor> =
            names.iter().map(|name| self.tensor(name)).filter(|tensor| tensor.requires_grad()).collect();
        let found =
            Tensor::f_run_backward(&[loss], &trained, false, false).map_err(|error| error.to_string())?;
        let mut found = found.iter();
        let gradients = names.into_iter().map(|name| {
            let gradient = if self.tensor(&name).requires_grad() { found.next() } else { None };
            let measured = gradient.filter(|gradient| gradient.defined()).map(norm);
            (name, measured)
        });
        Ok(gradients.collect())
    }

    fn check_batch_norms(
        &self,
        theirs: &Value,
        tolerance: f64,
        deviation: &mut Deviation,
    ) -> Result<(), String> {
        let modules = self.tree().modules().iter().filter(|module| module.is_batch_norm());
        let paths: Vec<&str> = modules.map(|module| module.path.as_str()).collect();
        for statistic in ["running_mean", "running_var"] {
            for (module, stored) in theirs["modules"].as_object().into_iter().flatten() {
                let name = format!("{module}.{statistic}");
                deviation.close(
                    &name,
                    norm(self.tensor(&name)),
                    number(&stored[format!("{statistic}_l2")]),
                    tolerance,
                )?;
            }
            let total = paths
                .iter()
                .map(|path| norm(self.tensor(&format!("{path}.{statistic}"))).powi(2))
                .sum::<f64>()
                .sqrt();
            let what = format!("all of {statistic}");
            deviation.close(&what, total, number(&theirs[format!("all_{statistic}_l2")]), tolerance)?;
        }
        for path in paths {
            let name = format!("{path}.num_batches_tracked");
            deviation.close(
                &name,
                self.tensor(&name).double_value(&[]),
                number(&theirs["num_batches_tracked"]),
                1e-9,
            )?;
        }
        Ok(())
    }

    /// Cross entropy of the first output with the labels; without labels the squared error against the
    /// flattened input.
    ///
    /// # Errors
    /// The model refuses the inputs.
    pub fn loss(&mut self, inputs: Tensors, labels: Option<&Tensor>) -> Result<Tensor, String> {
        let target = self.input(inputs.first().map_err(|error| error.to_string())?);
        let outputs = self.forward(inputs)?;
        let output = outputs.first().map_err(|error| error.to_string())?;
        let loss = match labels {
            Some(labels) => {
                let labels = labels.to_device(self.device());
                output.f_cross_entropy_loss(&labels, None::<Tensor>, Reduction::Mean, -100, 0.0)
            }
            None => target
                .f_view(output.size().as_slice())
                .and_then(|target| output.f_mse_loss(&target, Reduction::Mean)),
        };
        loss.map_err(|error| error.to_string())
    }
}
