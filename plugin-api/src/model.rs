//! Models: what is trained (feature `torch`).

mod batch;
mod precision;

pub use batch::{Batch, StepOutput, Tensors};
pub use precision::Precision;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::Config;
use crate::error::{Error, Result};
pub use crate::module_tree::Stage;
use crate::nn;

/// What the model is trained for: the loss and the metrics where the model has no step of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// One label per sample: cross entropy of the first output, accuracy.
    #[default]
    Classification,
    /// Numbers: mean squared error of the first output, mean absolute error.
    Regression,
    /// The first input itself: mean squared error of the first output.
    Reconstruction,
}

/// What the model expects of its data, where the run config does not say.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InputDefaults {
    /// Width and height of pictures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_size: Option<usize>,
    /// Mean per channel, of pictures in 0..1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<[f64; 3]>,
    /// Standard deviation per channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub std: Option<[f64; 3]>,
    /// Shorter side before the centre crop, as a share: 0.875 resizes to 256 and crops 224.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crop_pct: Option<f64>,
    /// `bilinear` or `bicubic`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interpolation: Option<String>,
    /// Longest text in tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<usize>,
}

/// A model: named inputs to named outputs.
///
/// The author builds layers of [`nn`] under paths with PyTorch's names; module tree, modes, weights loading,
/// freezing and checkpoints follow from that. A model declares its stages, an ordered split of its forward,
/// or writes `forward` itself.
///
/// ```no_run
/// use thaw_plugin_api::prelude::*;
///
/// #[derive(Config)]
/// struct PerceptronConfig {
///     /// Number of classes.
///     #[config(default = 10, range = 1..)]
///     num_classes: i64,
/// }
///
/// struct Perceptron {
///     backbone: nn::Linear,
///     head: nn::Linear,
/// }
///
/// impl Model for Perceptron {
///     const ID: &'static str = "perceptron";
///     type Config = PerceptronConfig;
///
///     fn new(config: PerceptronConfig, root: &nn::Path) -> Result<Self> {
///         Ok(Self {
///             backbone: nn::Linear::new(&(root / "backbone"), 784, 128)?,
///             head: nn::Linear::new(&(root / "head"), 128, config.num_classes)?,
///         })
///     }
///
///     fn stages(&self) -> Vec<Stage> {
///         vec![Stage::new("backbone", ["backbone"]), Stage::new("head", ["head"])]
///     }
///
///     fn run_stage(&self, stage: &str, inputs: Tensors) -> Result<Tensors> {
///         inputs.map_first(|x| match stage {
///             "backbone" => Ok(nn::Module::forward(&self.backbone, x)?.f_relu()?),
///             _ => nn::Module::forward(&self.head, x),
///         })
///     }
/// }
/// ```
pub trait Model: Sized + Send + 'static {
    /// Name in run configs, unique among all loaded plugins: `[a-z0-9-]+`.
    const ID: &'static str;

    /// One line on what it is.
    const DESCRIPTION: &'static str = "";

    /// What other libraries call the same architecture, as `vit_tiny_patch16_224`: run configs may, too.
    /// Their prefixes (`timm/`), tags (`.a1_in1k`), capitals and `_` for `-` need not be listed.
    const OTHER_NAMES: &'static [&'static str] = &[];

    /// The rest of the run config's table `[model]`.
    type Config: Config;

    /// Builds the layers under `root`, with PyTorch's initial values from libtorch's seeded generator.
    ///
    /// # Errors
    /// A configuration that cannot be built.
    fn new(config: Self::Config, root: &nn::Path) -> Result<Self>;

    /// The forward as an ordered split. Empty for a model that writes [`Model::forward`].
    fn stages(&self) -> Vec<Stage> {
        Vec::new()
    }

    /// Runs one stage alone.
    ///
    /// # Errors
    /// Inputs that the stage cannot take.
    fn run_stage(&self, stage: &str, inputs: Tensors) -> Result<Tensors> {
        let _ = inputs;
        Err(Error::new(format_args!("model `{}` has no stage `{stage}`", Self::ID)))
    }

    /// Inputs to outputs: all stages in order, unless the model says otherwise.
    ///
    /// # Errors
    /// Inputs that the model cannot take.
    fn forward(&self, inputs: Tensors) -> Result<Tensors> {
        let stages = self.stages();
        if stages.is_empty() {
            return Err(Error::new(format_args!("model `{}` has neither stages nor a forward", Self::ID)));
        }
        stages.iter().try_fold(inputs, |inputs, stage| self.run_stage(&stage.name, inputs))
    }

    /// What the model is trained for.
    fn task(&self) -> Task {
        Task::Classification
    }

    /// The number formats that the model computes in; a run with another one is refused. All, unless the
    /// model says otherwise: one that loses too much in bfloat16 leaves `bf16-mixed` out.
    fn precisions(&self) -> Vec<Precision> {
        Precision::all()
    }

    /// What the model expects of its data.
    fn input_defaults(&self) -> InputDefaults {
        InputDefaults::default()
    }

    /// What the model's pretrained files call its modules, where the names differ: from and to, both module
    /// paths.
    ///
    /// When weights are loaded, a name that is not the model's own and lies at or below `from` moves to `to`;
    /// the longest `from` counts. So `("fc", "head.1")` takes `fc.weight` as `head.1.weight`, and a
    /// checkpoint under the model's own names loads all the same.
    fn weight_aliases(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// What the model's pretrained files hold besides, by module path or whole name: heads of other tasks,
    /// tables that are computed. It is left alone when weights are loaded; everything else that does not fit
    /// is an error.
    fn unused_weights(&self) -> Vec<String> {
        Vec::new()
    }

    /// Position embeddings of a square grid of patches, `[1, tokens + n², features]`: their names, and how
    /// many tokens (such as a class token) stand before the grid. Weights for another picture size then load
    /// where the run config's `weights` table has `interpolate_embeddings = true`.
    fn position_grids(&self) -> Vec<(String, usize)> {
        Vec::new()
    }

    /// What a user should know who loads a file with a certain name in it: the name, after whatever trainers
    /// put around it, and a sentence. For files that fit in shapes but come from a variant with other
    /// constants. A module path instead of a name: the sentence is a hint where weights are refused for what
    /// lies there, missing or left over.
    fn weight_notes(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// Number of classes of the head, for a model whose config has the key `num_classes`: where a run config
    /// does not give the key, the run takes the number of classes that the data has. `None` (the default)
    /// leaves both as they are.
    fn num_classes(&self) -> Option<i64> {
        None
    }

    /// What the outputs of the pretrained head mean, in their order, as the model's own files say (Hugging
    /// Face's `id2label`). A run then orders the classes of its data by these names. Default: not known.
    fn class_names(&self) -> Vec<String> {
        Vec::new()
    }

    /// The run config's table `[optimizer]` where there is none.
    fn default_optimizer(&self) -> Option<Value> {
        None
    }

    /// A batch of training, where it differs from the task's: `None` means the task's own step.
    ///
    /// # Errors
    /// A batch that the model cannot take.
    fn training_step(&self, batch: &Batch) -> Result<Option<StepOutput>> {
        let _ = batch;
        Ok(None)
    }

    /// A batch of validation, where it differs from the task's: `None` means the task's own step.
    ///
    /// # Errors
    /// A batch that the model cannot take.
    fn validation_step(&self, batch: &Batch) -> Result<Option<StepOutput>> {
        let _ = batch;
        Ok(None)
    }
}

/// What the host is told of a model, as JSON.
#[doc(hidden)]
#[derive(Debug, Serialize, Deserialize)]
pub struct Description {
    pub tree: crate::module_tree::ModuleTree,
    #[serde(default)]
    pub stages: Vec<Stage>,
    #[serde(default)]
    pub task: Task,
    /// As [`Model::precisions`].
    #[serde(default = "Precision::all")]
    pub precisions: Vec<Precision>,
    #[serde(default)]
    pub input: InputDefaults,
    #[serde(default)]
    pub optimizer: Option<Value>,
    /// As [`Model::weight_aliases`].
    #[serde(default)]
    pub weight_aliases: Vec<(String, String)>,
    /// As [`Model::unused_weights`].
    #[serde(default)]
    pub unused_weights: Vec<String>,
    /// As [`Model::position_grids`].
    #[serde(default)]
    pub position_grids: Vec<(String, usize)>,
    /// As [`Model::weight_notes`].
    #[serde(default)]
    pub weight_notes: Vec<(String, String)>,
    /// As [`Model::num_classes`].
    #[serde(default)]
    pub num_classes: Option<i64>,
    /// As [`Model::class_names`].
    #[serde(default)]
    pub class_names: Vec<String>,
    /// The resolved configuration; none from plugins that do not say it.
    #[serde(default)]
    pub config: Option<Value>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_that_says_nothing_of_precisions_computes_in_all() {
        let tree = serde_json::to_value(nn::Path::root().into_registry().tree().unwrap()).unwrap();
        let description: Description = serde_json::from_value(serde_json::json!({ "tree": tree })).unwrap();
        assert_eq!(description.precisions, Precision::ALL);
    }

    #[test]
    fn a_precision_is_written_as_run_configs_have_it() {
        for precision in Precision::ALL {
            assert_eq!(precision.to_value(), precision.to_string());
            assert_eq!(serde_json::to_value(precision).unwrap(), precision.to_string());
        }
    }
}
