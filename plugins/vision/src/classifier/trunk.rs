//! Building a model in its layout.

use tch::Tensor;
use thaw_plugin_api::prelude::*;

use super::head::{LastLayer, head_at, last_layer_in_place};
use super::{Head, Layout, Options, RunStage};

/// What files of weights call the model's parts.
#[derive(Default)]
pub(super) struct WeightNames {
    /// Names of modules there, and where the model has them.
    pub aliases: Vec<(String, String)>,
    /// The original's last layer, where the model has no head.
    pub unused: Vec<String>,
    /// Position embeddings, each with the number of tokens before its grid.
    pub grids: Vec<(String, usize)>,
    /// Names in files, and what a user should know who loads one that has them.
    pub notes: Vec<(String, String)>,
}

/// A model being built: it puts the original's layers where the layout has them and sorts them into stages.
pub struct Trunk {
    options: Options,
    root: nn::Path,
    /// The root in the original's layout, else `backbone`.
    top: nn::Path,
    module: nn::ModuleBuilder,
    stages: Vec<RunStage>,
    /// The original's children, and where they stand.
    children: Vec<(String, String)>,
    weights: WeightNames,
    last: Option<LastLayer>,
    /// Other names of the last layer.
    last_aliases: Vec<String>,
}

impl Trunk {
    pub(super) fn new(root: &nn::Path, options: &Options, kind: &str) -> Result<Self> {
        let is_original = options.layout == Layout::Original;
        let misfit = match options.head {
            _ if !is_original => None,
            _ if options.freeze_features => {
                Some("`freeze_features` needs a backbone: choose another `layout` than `original`")
            }
            Head::Mlp => {
                Some("`head = \"mlp\"` needs another `layout` than `original`, which has a head of its own")
            }
            Head::Linear => None,
        };
        if let Some(misfit) = misfit {
            return Err(Error::of(ErrorKind::Config, misfit));
        }
        let top = if is_original { root.clone() } else { root / "backbone" };
        let module = top.module(if options.layout == Layout::Sequential { "Sequential" } else { kind })?;
        Ok(Self {
            options: options.clone(),
            root: root.clone(),
            top,
            module,
            stages: Vec::new(),
            children: Vec::new(),
            weights: WeightNames::default(),
            last: None,
            last_aliases: Vec::new(),
        })
    }

    /// The original itself, for parameters of its own.
    pub fn module(&self) -> &nn::ModuleBuilder {
        &self.module
    }

    /// Where the layout has what the original calls `name`.
    pub fn place(&mut self, name: &str) -> nn::Path {
        let (child, rest) = name.split_once('.').map_or((name, None), |(child, rest)| (child, Some(rest)));
        let index = self.children.iter().position(|(known, _)| known == child);
        let index = index.unwrap_or_else(|| {
            let place = match self.options.layout {
                Layout::Sequential => &self.top / self.children.len(),
                Layout::BackboneHead | Layout::Original => &self.top / child,
            };
            self.children.push((child.to_owned(), place.as_str().to_owned()));
            self.children.len() - 1
        });
        let place = self.root.child(&self.children[index].1);
        rest.map_or_else(|| place.clone(), |rest| place.child(rest))
    }

    /// Whether this child of the original has its place.
    fn is_placed(&self, child: &str) -> bool {
        self.children.iter().any(|(known, _)| known == child)
    }

    /// Starts the next stage; layers are added to it from now on.
    pub fn stage(&mut self, name: impl Into<String>) {
        self.stages.push(RunStage { stage: Stage::new(name, Vec::<String>::new()), layers: Vec::new() });
    }

    /// Builds what the original calls `name`, as the next layer to run.
    ///
    /// # Errors
    /// The layer cannot be built.
    pub fn layer<M: nn::Module + 'static>(
        &mut self,
        name: &str,
        build: impl FnOnce(&nn::Path) -> Result<M>,
    ) -> Result<()> {
        let place = self.place(name);
        let layer = build(&place)?;
        self.run([name], layer);
        Ok(())
    }

    /// Adds a layer that uses the modules and parameters of these names, which are built already.
    pub fn run<'n, M: nn::Module + 'static>(&mut self, names: impl IntoIterator<Item = &'n str>, layer: M) {
        let modules: Vec<String> =
            names.into_iter().map(|name| self.place(name).as_str().to_owned()).collect();
        if self.stages.is_empty() {
            self.stage("stem");
        }
        if let Some(stage) = self.stages.last_mut() {
            stage.stage.modules.extend(modules);
            stage.layers.push(Box::new(layer));
        }
    }

    /// Adds a step without modules.
    pub fn function(&mut self, function: impl Fn(&Tensor) -> Result<Tensor> + Send + 'static) {
        self.run([], Function(function));
    }

    /// A stage of its own that averages over the picture, `[N, C, H, W]` to `[N, C]`: what the original calls
    /// `name`.
    ///
    /// # Errors
    /// There is a module at this place already.
    pub fn pool(&mut self, name: &str) -> Result<()> {
        self.stage("pool");
        self.layer(name, |path| nn::AdaptiveAvgPool2d::new(path, 1))?;
        self.function(|features| Ok(features.f_flatten(1, -1)?));
        Ok(())
    }

    /// Ends the features, `[N, last.features]`: registers the original's last layers in its own layout, and
    /// has the head take their place in the others.
    ///
    /// # Errors
    /// The layers cannot be built.
    pub fn classify(&mut self, last: LastLayer) -> Result<()> {
        if self.options.layout == Layout::Original && !self.options.features_only {
            // The original has its last layers in a sequence, which stands there already if features come out
            // of it too.
            if let Some((sequence, _)) =
                last.layer.rsplit_once('.').filter(|(sequence, _)| !self.is_placed(sequence))
            {
                self.place(sequence).module("Sequential")?;
            }
            let mut modules = Vec::new();
            for name in last.dropout.iter().chain([&last.layer]) {
                modules.push(self.place(name));
            }
            let paths = modules.iter().map(|path| path.as_str().to_owned()).collect::<Vec<_>>();
            let layers = last_layer_in_place(&last, &modules, &self.options)?;
            self.stages.push(RunStage { stage: Stage::new("head", paths), layers });
        }
        self.last = Some(last);
        Ok(())
    }

    /// Tells of another name, `from`, that files have for what the original calls `name`.
    pub fn alias(&mut self, from: impl Into<String>, name: &str) {
        let place = self.place(name);
        self.weights.aliases.push((from.into(), place.as_str().to_owned()));
    }

    /// Tells of another name that files have for the original's last layer.
    pub fn alias_last(&mut self, from: impl Into<String>) {
        self.last_aliases.push(from.into());
    }

    /// Tells what a user should know of files with a tensor of this name.
    pub fn note(&mut self, name: impl Into<String>, note: impl Into<String>) {
        self.weights.notes.push((name.into(), note.into()));
    }

    /// Tells that what the original calls `name` is a position embedding of a grid after so many other
    /// tokens.
    pub fn position_grid(&mut self, name: &str, tokens: usize) {
        let place = self.place(name);
        self.weights.grids.push((place.as_str().to_owned(), tokens));
    }

    pub(super) fn finish(mut self) -> Result<(Vec<RunStage>, WeightNames)> {
        let last =
            self.last.take().ok_or_else(|| Error::new("the architecture says nothing of its last layer"))?;
        if self.options.features_only {
            self.weights.unused.push(last.layer.clone());
            self.weights.unused.append(&mut self.last_aliases);
        }
        if self.options.layout == Layout::Original {
            let place = self.place(&last.layer);
            self.rename_last(place.as_str());
            return Ok((self.stages, self.weights));
        }
        if self.options.freeze_features {
            self.top.freeze()?;
        }
        self.weights.aliases.append(&mut self.children);
        if !self.options.features_only {
            let layers = head_at(&(&self.root / "head"), last.features, &self.options)?;
            self.stages.push(RunStage { stage: Stage::new("head", ["head"]), layers });
            // The original's last layer has the shape of the linear head's; of another head it has no part.
            let to = if self.options.head == Head::Linear { "head.1" } else { "head" };
            self.weights.aliases.push((last.layer, to.to_owned()));
            self.rename_last(to);
        }
        Ok((self.stages, self.weights))
    }

    /// Has the other names of the last layer lead to its place. They are whole names: modules of the same
    /// name may hold other layers.
    fn rename_last(&mut self, to: &str) {
        for from in self.last_aliases.drain(..) {
            let names = ["weight", "bias"].map(|name| (format!("{from}.{name}"), format!("{to}.{name}")));
            self.weights.aliases.extend(names);
        }
    }
}

/// A step without modules.
struct Function<F>(F);

impl<F: Fn(&Tensor) -> Result<Tensor> + Send> nn::Module for Function<F> {
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        (self.0)(input)
    }
}
