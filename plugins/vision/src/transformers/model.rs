//! What the models here have in common: base, head, stages, keys.

use std::marker::PhantomData;
use std::path::PathBuf;

use tch::Tensor;
use thaw_plugin_api::config::Config;
use thaw_plugin_api::model::InputDefaults;
use thaw_plugin_api::prelude::*;

use super::file::HubFile;

/// The keys that all models here share.
#[derive(Config, Clone, Debug)]
pub struct HubOptions {
    /// A `config.json` of Hugging Face, or its folder; it gives the sizes that the keys below do not.
    /// Default: the one in the folder that `weights` names, if it has one.
    pub config: Option<PathBuf>,
    /// Number of classes; 1 is regression. Default: as many as the data has; without data that of `config`,
    /// else 1000.
    #[config(range = 1..)]
    pub num_classes: Option<i64>,
    /// Width and height of the pictures, in pixels. Default: that of `config`, else 224.
    #[config(range = 16..=4096)]
    pub image_size: Option<i64>,
    /// Whether all but the head starts frozen and in evaluation mode: no gradients, and none computed. A
    /// strategy can still thaw it.
    #[config(default = false)]
    pub freeze_features: bool,
}

/// How one architecture is built.
pub trait HubArchitecture: Send + 'static {
    /// Name in run configs.
    const ID: &'static str;
    /// One line on what it is.
    const DESCRIPTION: &'static str;
    /// `model_type` of its `config.json`.
    const TYPES: &'static [&'static str];
    /// transformers' class.
    const CLASS: &'static str;
    /// What that class calls its base.
    const BASE: &'static str;
    /// What stands before the head's linear layer.
    const HEAD: HeadKind = HeadKind::Linear;
    /// The keys of the model.
    type Options: Config;

    /// The keys that all models share.
    fn options(options: &Self::Options) -> &HubOptions;

    /// Builds the base in stages; gives the number of features that go into the head.
    ///
    /// # Errors
    /// Sizes that do not go together, or that libtorch refuses.
    fn build(options: &Self::Options, file: &HubFile, parts: &mut Parts) -> Result<i64>;
}

/// What the head is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadKind {
    /// `classifier`, a linear layer.
    Linear,
    /// `classifier.0`, which flattens, and `classifier.1`.
    AfterFlatten,
}

/// A stage with its layers, in the order in which they run.
struct RunStage {
    stage: Stage,
    layers: Vec<Box<dyn nn::Module>>,
}

/// A base being built.
pub struct Parts {
    base: nn::Path,
    stages: Vec<RunStage>,
    children: Vec<String>,
    /// Names of files below the base, and what the base has for them.
    aliases: Vec<(String, String)>,
    unused: Vec<String>,
    grids: Vec<(String, usize)>,
}

impl Parts {
    /// Where the base is.
    pub fn base(&self) -> &nn::Path {
        &self.base
    }

    /// The next stage, of these modules of the base and these layers.
    pub fn stage(&mut self, name: impl Into<String>, modules: &[&str], layers: Vec<Box<dyn nn::Module>>) {
        let places = modules.iter().map(|module| self.base.child(module).as_str().to_owned());
        let stage = Stage::new(name, places.collect::<Vec<_>>());
        for module in modules {
            let child = module.split('.').next().unwrap_or_default().to_owned();
            if !self.children.contains(&child) {
                self.children.push(child);
            }
        }
        self.stages.push(RunStage { stage, layers });
    }

    /// What version 5 of transformers calls the parts of a layer in memory, and so in files that `torch.save`
    /// wrote of a state_dict; `attention` is the module of the projections.
    pub fn newer_names(&mut self, theirs: &str, ours: &str, attention: &str) {
        for (from, to) in [
            ("attention.q_proj", format!("{attention}.query")),
            ("attention.k_proj", format!("{attention}.key")),
            ("attention.v_proj", format!("{attention}.value")),
            ("attention.o_proj", "attention.output.dense".to_owned()),
            ("attention.relative_position_bias", attention.to_owned()),
            ("mlp.fc1", "intermediate.dense".to_owned()),
            ("mlp.fc2", "output.dense".to_owned()),
        ] {
            self.aliases.push((format!("{theirs}.{from}"), format!("{ours}.{to}")));
        }
        if theirs != ours {
            self.aliases.push((theirs.to_owned(), ours.to_owned()));
        }
    }

    /// Files may have this in the base, and the model has no use for it.
    pub fn unused(&mut self, name: &str) {
        self.unused.push(name.to_owned());
    }

    /// A parameter of the base that is a position embedding of a grid after so many other tokens.
    pub fn position_grid(&mut self, name: &str, tokens: usize) {
        self.grids.push((self.base.child(name).as_str().to_owned(), tokens));
    }
}

/// A model that takes pictures `[N, 3, H, W]` and gives `logits` `[N, classes]`.
pub struct HubClassifier<A> {
    stages: Vec<RunStage>,
    aliases: Vec<(String, String)>,
    unused: Vec<String>,
    grids: Vec<(String, usize)>,
    image_size: usize,
    num_classes: i64,
    class_names: Vec<String>,
    architecture: PhantomData<fn() -> A>,
}

impl<A: HubArchitecture> Model for HubClassifier<A> {
    const ID: &'static str = A::ID;
    const DESCRIPTION: &'static str = A::DESCRIPTION;
    const OTHER_NAMES: &'static [&'static str] = A::TYPES;
    type Config = A::Options;

    fn new(config: Self::Config, root: &nn::Path) -> Result<Self> {
        let options = A::options(&config);
        let file = HubFile::read(options.config.as_deref(), A::TYPES)?;
        file.require("num_channels", &Value::from(3))?;
        let image_size = file.side("image_size", options.image_size, 224)?;
        root.module(A::CLASS)?;
        let mut parts = Parts {
            base: root / A::BASE,
            stages: Vec::new(),
            children: Vec::new(),
            aliases: Vec::new(),
            unused: vec!["pooler".to_owned()],
            grids: Vec::new(),
        };
        let features = A::build(&config, &file, &mut parts)?;
        if options.freeze_features {
            parts.base.freeze()?;
        }
        let num_classes = options.num_classes.or(file.num_labels()).unwrap_or(1000);
        let std = file.number("initializer_range", None, 0.02)?;
        let head = head::<A>(root, features, num_classes, std)?;
        parts.stages.push(RunStage { stage: Stage::new("head", ["classifier"]), layers: head });
        let own = |child: &String| (child.clone(), format!("{}.{child}", A::BASE));
        let newer = parts.aliases.iter().flat_map(|(from, to)| {
            let to = format!("{}.{to}", A::BASE);
            [(from.clone(), to.clone()), (format!("{}.{from}", A::BASE), to)]
        });
        let unused = parts.unused.iter().flat_map(|name| [name.clone(), format!("{}.{name}", A::BASE)]);
        Ok(Self {
            aliases: parts.children.iter().map(own).chain(newer).collect(),
            unused: unused.collect(),
            stages: parts.stages,
            grids: parts.grids,
            image_size: usize::try_from(image_size)?,
            num_classes,
            class_names: file.class_names(),
            architecture: PhantomData,
        })
    }

    fn stages(&self) -> Vec<Stage> {
        self.stages.iter().map(|stage| stage.stage.clone()).collect()
    }

    fn run_stage(&self, stage: &str, inputs: Tensors) -> Result<Tensors> {
        let found = self.stages.iter().position(|known| known.stage.name == stage);
        let Some(index) = found else { bail!("model `{}` has no stage `{stage}`", A::ID) };
        let input = inputs.first()?;
        if index == 0 {
            ensure!(
                matches!(input.size()[..], [_, 3, _, _]),
                "model `{}` takes pictures [N, 3, H, W], found a tensor {:?}",
                A::ID,
                input.size()
            );
        }
        let mut layers = self.stages[index].layers.iter();
        let output: Result<Tensor> =
            layers.try_fold(input.shallow_clone(), |input, layer| layer.forward(&input));
        let output = output.map_err(|error| error.context(format_args!("stage `{stage}`")))?;
        let is_last = index + 1 == self.stages.len();
        Ok(Tensors::one(if is_last { "logits" } else { "features" }, output))
    }

    fn task(&self) -> Task {
        if self.num_classes == 1 { Task::Regression } else { Task::Classification }
    }

    fn num_classes(&self) -> Option<i64> {
        (self.num_classes > 1).then_some(self.num_classes)
    }

    fn class_names(&self) -> Vec<String> {
        let fits = i64::try_from(self.class_names.len()) == Ok(self.num_classes) && self.num_classes > 1;
        if fits { self.class_names.clone() } else { Vec::new() }
    }

    fn input_defaults(&self) -> InputDefaults {
        InputDefaults {
            image_size: Some(self.image_size),
            ..crate::classifier::imagenet_input(0.875, "bicubic")
        }
    }

    fn weight_aliases(&self) -> Vec<(String, String)> {
        self.aliases.clone()
    }

    fn unused_weights(&self) -> Vec<String> {
        self.unused.clone()
    }

    fn position_grids(&self) -> Vec<(String, usize)> {
        self.grids.clone()
    }
}

fn head<A: HubArchitecture>(
    root: &nn::Path,
    features: i64,
    classes: i64,
    std: f64,
) -> Result<Vec<Box<dyn nn::Module>>> {
    let path = root / "classifier";
    Ok(match A::HEAD {
        HeadKind::Linear => vec![Box::new(linear(&path, features, classes, std)?)],
        HeadKind::AfterFlatten => {
            path.module("Sequential")?;
            vec![
                Box::new(nn::Flatten::new(&(&path / 0))?),
                Box::new(nn::Linear::new(&(&path / 1), features, classes)?),
            ]
        }
    })
}

/// A linear layer with transformers' initial values: normal weights, a bias of zeros.
pub(super) fn linear(path: &nn::Path, input: i64, output: i64, std: f64) -> Result<nn::Linear> {
    nn::Linear::with_values(path, nn::init::normal(&[output, input], std)?, Some(nn::init::zeros(&[output])?))
}

/// A convolution whose square windows lie side by side, with transformers' initial values.
pub(super) fn patches(path: &nn::Path, input: i64, output: i64, side: i64, std: f64) -> Result<nn::Conv2d> {
    let options = nn::Conv2dOptions { stride: side, ..Default::default() };
    let weight = nn::init::normal(&[output, input, side, side], std)?;
    nn::Conv2d::with_values(path, weight, Some(nn::init::zeros(&[output])?), options)
}

/// Drops branches with this probability, under transformers' name; an identity where that is 0.
pub(super) fn drop_path(path: &nn::Path, probability: f64) -> Result<Box<dyn nn::Module>> {
    if probability > 0.0 {
        return Ok(Box::new(nn::StochasticDepth::new(path, probability)?));
    }
    Ok(Box::new(nn::Identity::new(path)?))
}

/// A step without modules.
pub(super) struct Step<F>(pub F);

impl<F: Fn(&Tensor) -> Result<Tensor> + Send> nn::Module for Step<F> {
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        (self.0)(input)
    }
}
