//! `[loss]`: what is minimised, by PyTorch's names.

mod class_weights;
mod pos_weight;

pub use class_weights::ClassWeights;
pub use pos_weight::PosWeight;
use thaw_plugin_api::config::{Config, ConfigError, above};
use thaw_plugin_api::model::Task;

/// The loss of training and validation, for models whose loss is their task's.
#[derive(Clone, Debug, PartialEq, Config)]
#[config(default, check = Self::check)]
pub struct LossConfig {
    /// Which loss. Default: the task's, `cross-entropy` for classes, else `mse`.
    pub kind: Option<LossKind>,
    /// Share of each target that is spread over all classes, as in `torch.nn.CrossEntropyLoss`.
    #[config(default = 0.0, range = 0.0..=1.0)]
    pub label_smoothing: f64,
    /// How much each class counts: `balanced`, one number per class, or numbers by class.
    pub class_weights: Option<ClassWeights>,
    /// How much the presence of each label counts in `bce`, its absence counting 1: `balanced`, one number
    /// per class, or numbers by class.
    pub pos_weight: Option<PosWeight>,
    /// Where `smooth-l1` goes from squares to lines. Default: 1, PyTorch's.
    #[config(range = 0.0..)]
    pub beta: Option<f64>,
    /// Where `huber` goes from squares to lines. Default: 1, PyTorch's.
    #[config(range = above(0.0))]
    pub delta: Option<f64>,
}

/// A loss by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Config)]
pub enum LossKind {
    /// `torch.nn.CrossEntropyLoss`, of one label per sample.
    CrossEntropy,
    /// `torch.nn.BCEWithLogitsLoss`, of any number of labels per sample.
    Bce,
    /// `torch.nn.MSELoss`.
    Mse,
    /// `torch.nn.L1Loss`.
    L1,
    /// `torch.nn.SmoothL1Loss`.
    SmoothL1,
    /// `torch.nn.HuberLoss`.
    Huber,
}

impl LossKind {
    /// As the run config writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::CrossEntropy => "cross-entropy",
            Self::Bce => "bce",
            Self::Mse => "mse",
            Self::L1 => "l1",
            Self::SmoothL1 => "smooth-l1",
            Self::Huber => "huber",
        }
    }

    /// The loss of a task where the run config does not say.
    pub fn of_task(task: Task) -> Self {
        match task {
            Task::Classification => Self::CrossEntropy,
            Task::Regression | Task::Reconstruction => Self::Mse,
        }
    }
}

impl LossConfig {
    /// Refuses keys that the kind of loss does not have.
    fn check(&mut self) -> Result<(), ConfigError> {
        let keys = [
            ("label_smoothing", LossKind::CrossEntropy, self.label_smoothing != 0.0),
            ("class_weights", LossKind::CrossEntropy, self.class_weights.is_some()),
            ("pos_weight", LossKind::Bce, self.pos_weight.is_some()),
            ("beta", LossKind::SmoothL1, self.beta.is_some()),
            ("delta", LossKind::Huber, self.delta.is_some()),
        ];
        for (key, of, _) in keys.into_iter().filter(|(_, _, is_given)| *is_given) {
            let found = match self.kind {
                Some(kind) if kind != of => format!("given with `kind = \"{}\"`", kind.name()),
                None if of != LossKind::CrossEntropy => "given without `kind`".to_owned(),
                _ => continue,
            };
            return Err(ConfigError::value(key, found, format!("beside `kind = \"{}\"` alone", of.name())));
        }
        Ok(())
    }

    /// The same with everything filled in that was left out, for a model of this task.
    #[must_use]
    pub fn settled(&self, task: Task) -> Self {
        let kind = self.kind.unwrap_or(LossKind::of_task(task));
        let threshold = |of: LossKind, given: Option<f64>| given.or((kind == of).then_some(1.0));
        Self {
            kind: Some(kind),
            beta: threshold(LossKind::SmoothL1, self.beta),
            delta: threshold(LossKind::Huber, self.delta),
            ..self.clone()
        }
    }

    /// Whether a sample may have several labels, each of which the model says for itself.
    pub fn is_multi_label(&self) -> bool {
        self.kind == Some(LossKind::Bce)
    }

    /// Refuses what a model of this task cannot be trained by.
    ///
    /// # Errors
    /// The key, and which losses such a model has.
    pub fn check_task(&self, task: Task, model: &str) -> Result<(), ConfigError> {
        let is_of_classes = task == Task::Classification;
        let (what, kinds) = match is_of_classes {
            true => ("tells classes apart", "cross-entropy or bce"),
            false => ("gives numbers", "mse, l1, smooth-l1 or huber"),
        };
        let expected = || format!("{kinds}: model `{model}` {what}");
        let has_classes = |kind| matches!(kind, LossKind::CrossEntropy | LossKind::Bce);
        if let Some(kind) = self.kind.filter(|kind| has_classes(*kind) != is_of_classes) {
            return Err(ConfigError::value("loss.kind", format!("\"{}\"", kind.name()), expected()));
        }
        let of_classes = [
            ("loss.label_smoothing", self.label_smoothing != 0.0),
            ("loss.class_weights", self.class_weights.is_some()),
        ];
        match of_classes.iter().find(|(_, is_given)| *is_given && !is_of_classes) {
            Some((key, _)) => {
                let expected = format!("left out: model `{model}` {what}, and has no classes");
                Err(ConfigError::value(key, "given", expected))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
