//! What all models here have in common: a backbone of stages, a head, the keys of their configuration.

mod config;
mod head;
mod options;
mod trunk;

use std::marker::PhantomData;

pub use config::ClassifierConfig;
pub use head::{InitialWeight, LastLayer};
pub use options::{Head, Layout, Options};
use thaw_plugin_api::config::Config;
use thaw_plugin_api::model::InputDefaults;
use thaw_plugin_api::prelude::*;
pub use trunk::Trunk;
use trunk::WeightNames;

/// How one architecture is built.
pub trait Architecture: Send + 'static {
    /// Name in run configs.
    const ID: &'static str;

    /// One line on what it is.
    const DESCRIPTION: &'static str;

    /// As [`Model::OTHER_NAMES`].
    const OTHER_NAMES: &'static [&'static str] = &[];

    /// Class name of the original, which its backbone goes by in the module tree.
    const KIND: &'static str;

    /// Whether the original runs its children one after the other, and the last of them is no more than what
    /// the head replaces: a dropout, a linear layer.
    const IS_SEQUENTIAL: bool = true;

    /// The model's configuration: [`Options`] and keys of its own.
    type Options: Config;

    /// Defaults of this architecture where they differ from those of [`Architecture::Options`].
    fn defaults() -> Map<String, Value> {
        Map::new()
    }

    /// The keys that all models share.
    fn options(options: &Self::Options) -> &Options;

    /// How pictures are prepared; `image_size` is filled in from the configuration.
    fn input() -> InputDefaults {
        imagenet_input(0.875, "bilinear")
    }

    /// Builds the layers under the original's names, in the original's order, and sorts them into stages.
    ///
    /// # Errors
    /// A configuration that cannot be built.
    fn build(options: &Self::Options, trunk: &mut Trunk) -> Result<()>;
}

/// Defaults by key, for [`Architecture::defaults`].
pub fn defaults(defaults: impl IntoIterator<Item = (&'static str, Value)>) -> Map<String, Value> {
    defaults.into_iter().map(|(key, default)| (key.to_owned(), default)).collect()
}

/// torchvision's preparation for ImageNet, with the share of the shorter side that is cropped.
pub fn imagenet_input(crop_pct: f64, interpolation: &str) -> InputDefaults {
    InputDefaults {
        mean: Some([0.485, 0.456, 0.406]),
        std: Some([0.229, 0.224, 0.225]),
        crop_pct: Some(crop_pct),
        interpolation: Some(interpolation.to_owned()),
        ..InputDefaults::default()
    }
}

/// A stage with its layers, in the order in which they run.
struct RunStage {
    stage: Stage,
    layers: Vec<Box<dyn nn::Module>>,
}

/// A model that takes pictures `[N, 3, H, W]` and gives `logits` `[N, classes]`, or `features` `[N, C]`
/// without a head.
pub struct Classifier<A> {
    stages: Vec<RunStage>,
    weights: WeightNames,
    image_size: usize,
    has_head: bool,
    num_classes: i64,
    architecture: PhantomData<fn() -> A>,
}

impl<A: Architecture> Model for Classifier<A> {
    const ID: &'static str = A::ID;
    const DESCRIPTION: &'static str = A::DESCRIPTION;
    const OTHER_NAMES: &'static [&'static str] = A::OTHER_NAMES;
    type Config = ClassifierConfig<A>;

    fn new(config: Self::Config, root: &nn::Path) -> Result<Self> {
        let options = A::options(&config.0);
        if options.layout == Layout::Sequential && !A::IS_SEQUENTIAL {
            let misfit = "`layout = \"sequential\"` is for models that run their children one after the \
                          other up to a last linear layer";
            return Err(Error::of(
                ErrorKind::Config,
                format_args!("{misfit}, as `{}` does not: leave `layout` out", A::ID),
            ));
        }
        let mut trunk = Trunk::new(root, options, A::KIND)?;
        A::build(&config.0, &mut trunk)?;
        let (stages, weights) = trunk.finish()?;
        Ok(Self {
            stages,
            weights,
            image_size: usize::try_from(options.image_size)?,
            has_head: !options.features_only,
            num_classes: options.num_classes,
            architecture: PhantomData,
        })
    }

    fn stages(&self) -> Vec<Stage> {
        self.stages.iter().map(|stage| stage.stage.clone()).collect()
    }

    fn run_stage(&self, stage: &str, inputs: Tensors) -> Result<Tensors> {
        let found = self.stages.iter().enumerate().find(|(_, known)| known.stage.name == stage);
        let (index, stage) =
            found.ok_or_else(|| Error::new(format_args!("model `{}` has no stage `{stage}`", A::ID)))?;
        let input = inputs.first()?;
        if index == 0 {
            ensure!(
                matches!(input.size()[..], [_, 3, _, _]),
                "model `{}` takes pictures [N, 3, H, W], found a tensor {:?}",
                A::ID,
                input.size()
            );
        }
        let output =
            stage.layers.iter().try_fold(input.shallow_clone(), |input, layer| layer.forward(&input));
        let output = output.map_err(|error| error.context(format_args!("stage `{}`", stage.stage.name)))?;
        let is_last = index + 1 == self.stages.len();
        Ok(Tensors::one(if is_last && self.has_head { "logits" } else { "features" }, output))
    }

    fn num_classes(&self) -> Option<i64> {
        self.has_head.then_some(self.num_classes)
    }

    fn input_defaults(&self) -> InputDefaults {
        InputDefaults { image_size: Some(self.image_size), ..A::input() }
    }

    fn weight_aliases(&self) -> Vec<(String, String)> {
        self.weights.aliases.clone()
    }

    fn unused_weights(&self) -> Vec<String> {
        self.weights.unused.clone()
    }

    fn position_grids(&self) -> Vec<(String, usize)> {
        self.weights.grids.clone()
    }

    fn weight_notes(&self) -> Vec<(String, String)> {
        self.weights.notes.clone()
    }
}
