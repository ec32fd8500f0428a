//! The `weights` key of a model in the run config.

use super::corners::Interpolation;
use super::error::WeightsError;
use globset::{Glob, GlobSet, GlobSetBuilder};
use regex::Regex;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use thaw_plugin_api::config::Config;

/// Where a model's weights come from and how their names fit: `weights = "file"`, or a table.
///
/// A name in the file becomes a name in the model in this order: `module` keeps a part of the file,
/// `strip_prefix` is taken off, each `rename` is applied, `map` replaces whole names, `prefix` is put before,
/// and `to` puts the result under a module.
///
/// ```toml
/// weights = { path = "autoencoder.ckpt", module = "encoder", to = "feature_extractor" }
/// ```
#[derive(Debug, Clone, PartialEq, Config)]
#[config(short = path)]
pub struct WeightsConfig {
    /// A file, a run or checkpoint directory, or `hf://organisation/name[@revision][/file]`.
    pub path: PathBuf,
    /// Names of the model that keep their own values, as globs (`*` also crosses dots), or the file's names
    /// for them. A pattern that names a module stands for all below it: `head` and `head.*` are the same.
    /// Entries of the file under these names are not asked for either.
    #[config(default = Vec::new())]
    pub ignore: Vec<String>,
    /// Put before every name. Default: nothing.
    #[config(default = "")]
    pub prefix: String,
    /// Taken off every name that starts with it. Default: what trainers commonly put there, as `module.` or
    /// `_orig_mod.`, unless another key here says how names differ.
    #[config(default = "")]
    pub strip_prefix: String,
    /// Regular expressions and what replaces each match of theirs; `$1` is the first group. In the order
    /// given.
    #[config(default = Vec::new())]
    pub rename: Vec<Rename>,
    /// Whole names, after `rename`: name in the file = name in the model.
    #[config(default = BTreeMap::new())]
    pub map: BTreeMap<String, String>,
    /// Only this part of the file is read, a module or a dict of a checkpoint such as `model_ema`; its path
    /// is taken off. Default: the part that fits the model best, which the run names.
    pub module: Option<String>,
    /// The module of the model that the weights are for; the rest of the model keeps its values and is not
    /// missed, and what the file has for the rest is left out. Default: `module` where the model has such a
    /// module, else the whole model, which the empty text names, too.
    pub to: Option<String>,
    /// Whether position embeddings for another picture size are interpolated (vision transformers), the class
    /// token as it is: `true` or `torchvision` as torchvision's `interpolate_embeddings` does, bicubically
    /// between aligned corners; `transformers` as its `interpolate_pos_encoding`, between the patches'
    /// centres. Default: another size is an error.
    #[config(default = Interpolation::Refused)]
    pub interpolate_embeddings: Interpolation,
    /// Whether missing and unexpected names are errors. A wrong shape always is. Default: true.
    #[config(default = true)]
    pub strict: bool,
}

/// One renaming.
#[derive(Debug, Clone, PartialEq, Eq, Config)]
pub struct Rename {
    /// A regular expression, matched anywhere in a name.
    pub pattern: String,
    /// What each match becomes.
    pub with: String,
}

impl WeightsConfig {
    /// The weights at `path`, strictly and under their own names.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            ignore: Vec::new(),
            prefix: String::new(),
            strip_prefix: String::new(),
            rename: Vec::new(),
            map: BTreeMap::new(),
            module: None,
            to: None,
            interpolate_embeddings: Interpolation::Refused,
            strict: true,
        }
    }

    /// Whether the names are to fit as they are in the file: nothing says how they differ.
    pub(super) fn leaves_names(&self) -> bool {
        self.prefix.is_empty()
            && self.strip_prefix.is_empty()
            && self.rename.is_empty()
            && self.map.is_empty()
    }

    /// The renaming, its patterns compiled.
    pub(super) fn naming(&self) -> Result<Naming<'_>, WeightsError> {
        let rename = self.rename.iter().map(|rename| {
            let pattern = Regex::new(&rename.pattern).map_err(|error| WeightsError::Pattern {
                key: "rename.pattern",
                pattern: rename.pattern.clone(),
                expected: "regular expression",
                reason: last_line(&error),
            })?;
            Ok((pattern, rename.with.as_str()))
        });
        Ok(Naming { config: self, rename: rename.collect::<Result<_, _>>()? })
    }

    /// What keeps its own values.
    pub(super) fn ignored(&self) -> Result<Ignored, WeightsError> {
        let fault = |pattern: &str, reason: String| WeightsError::Pattern {
            key: "ignore",
            pattern: pattern.to_owned(),
            expected: "glob",
            reason,
        };
        let mut globs = GlobSetBuilder::new();
        for pattern in &self.ignore {
            let glob = Glob::new(pattern).map_err(|error| fault(pattern, error.kind().to_string()))?;
            globs.add(glob);
        }
        globs.build().map(Ignored).map_err(|error| fault(&self.ignore.join(", "), error.to_string()))
    }
}

/// A regular expression's error repeats the pattern first; its last line says what is wrong.
fn last_line(error: &impl fmt::Display) -> String {
    let text = error.to_string();
    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

/// From names in the file to names in the model.
pub(super) struct Naming<'c> {
    config: &'c WeightsConfig,
    rename: Vec<(Regex, &'c str)>,
}

impl Naming<'_> {
    /// What a name below the chosen part of the file becomes, without `to`.
    pub fn apply(&self, name: &str) -> String {
        let config = self.config;
        let mut name = name.strip_prefix(&config.strip_prefix).unwrap_or(name).to_owned();
        for (pattern, with) in &self.rename {
            name = pattern.replace_all(&name, *with).into_owned();
        }
        if let Some(mapped) = config.map.get(&name) {
            name.clone_from(mapped);
        }
        name.insert_str(0, &config.prefix);
        name
    }
}

/// The names of a model that keep their own values.
pub(super) struct Ignored(GlobSet);

impl Ignored {
    /// Whether the name, or a module it lies in, matches a pattern.
    pub fn matches(&self, name: &str) -> bool {
        let ends = name.match_indices('.').map(|(at, _)| at).chain([name.len()]);
        !self.0.is_empty() && ends.into_iter().any(|end| self.0.is_match(&name[..end]))
    }
}
