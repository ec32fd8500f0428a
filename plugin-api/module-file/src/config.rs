//! The keys in the run config.

use thaw_plugin_api::model::InputDefaults;
use thaw_plugin_api::prelude::*;

/// What a new head is made of. Its last layer gives one logit a class.
#[derive(Config, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// Dropout, linear: `head.0`, `head.1`.
    Linear,
    /// Linear, ReLU, dropout, linear: `head.0` to `head.3`.
    Mlp,
}

/// What the model is trained for.
#[derive(Config, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One label per sample: cross entropy of the first output.
    Classification,
    /// Numbers: mean squared error of the first output.
    Regression,
    /// The first input itself: mean squared error of the first output.
    Reconstruction,
}

/// How a file becomes a model: which part of it, what goes in and out, and a new head.
#[derive(Config, Clone, Debug)]
pub struct ModuleConfig {
    /// Path of a module in the file that is taken instead of the whole, such as `backbone`.
    pub module: Option<String>,
    /// Number of classes of a new head. Without it the file is the whole model, its last layer included.
    #[config(range = 1..=1_000_000)]
    pub num_classes: Option<i64>,
    /// What the new head is made of.
    #[config(default = Head::Linear)]
    pub head: Head,
    /// Features that the new head takes. Default: found out by running the module once on an input of zeros.
    #[config(range = 1..)]
    pub features: Option<i64>,
    /// Probability of the dropout before the last layer of the new head.
    #[config(default = 0.0, range = 0.0..=1.0)]
    pub dropout: f64,
    /// Width of the hidden layer of the head `mlp`.
    #[config(default = 512, range = 1..=65_536)]
    pub mlp_features: i64,
    /// Whether the file's part starts frozen and in evaluation mode: no gradients, and none computed. Only
    /// with a new head. A strategy can still thaw it.
    #[config(default = false)]
    pub freeze_features: bool,
    /// Which output counts, where there are several: a key, the name of a tuple's field, or a position such
    /// as `"1"`; of nested ones `"0.logits"`. The others are further outputs of the model. Default: the
    /// first.
    pub output: Option<String>,
    /// Which inputs of the data go to the arguments of `forward`, in order. Default: those named as the
    /// arguments are, where all that are needed are there; else the data's first ones.
    #[config(default = Vec::new())]
    pub inputs: Vec<String>,
    /// Width and height of the pictures, in pixels.
    #[config(range = 1..=4096)]
    pub image_size: Option<i64>,
    /// Mean per channel, of pictures in 0..1. Default: that of `[data]`.
    pub mean: Option<Vec<f64>>,
    /// Standard deviation per channel.
    pub std: Option<Vec<f64>>,
    /// Shape of one input without the batch, where it is no picture: used to find out `features`. Default: 3
    /// channels of `image_size`, 224 pixels where that is not given.
    #[config(default = Vec::new(), range = 1..)]
    pub input_shape: Vec<i64>,
    /// What the model is trained for.
    #[config(default = Kind::Classification)]
    pub task: Kind,
}

impl ModuleConfig {
    /// Refuses keys that need a new head where there is none.
    ///
    /// # Errors
    /// `freeze_features` without `num_classes`.
    pub fn check_head(&self) -> Result<()> {
        if self.num_classes.is_none() && self.freeze_features {
            return Err(Error::of(
                ErrorKind::Config,
                "`freeze_features` is for a file under a new head: set `num_classes` to get one",
            ));
        }
        Ok(())
    }

    /// What the data is prepared to.
    ///
    /// # Errors
    /// `mean` or `std` has not three numbers.
    pub fn input_defaults(&self) -> Result<InputDefaults> {
        let three = |key: &str, values: &Option<Vec<f64>>| {
            let Some(values) = values else { return Ok(None) };
            let expected = || {
                Error::of(
                    ErrorKind::Config,
                    format_args!("`{key}` has {} numbers, expected one for each of 3 channels", values.len()),
                )
            };
            <[f64; 3]>::try_from(values.as_slice()).map(Some).map_err(|_| expected())
        };
        let (mean, std) = (three("mean", &self.mean)?, three("std", &self.std)?);
        let image_size = self.image_size.map(usize::try_from).transpose()?;
        Ok(InputDefaults { image_size, mean, std, ..InputDefaults::default() })
    }

    /// Shape of one input, for finding out the features.
    pub fn probe_shape(&self) -> Vec<i64> {
        if !self.input_shape.is_empty() {
            return self.input_shape.clone();
        }
        let size = self.image_size.unwrap_or(224);
        vec![3, size, size]
    }

    /// As the host names it.
    pub fn task(&self) -> Task {
        match self.task {
            Kind::Classification => Task::Classification,
            Kind::Regression => Task::Regression,
            Kind::Reconstruction => Task::Reconstruction,
        }
    }
}
