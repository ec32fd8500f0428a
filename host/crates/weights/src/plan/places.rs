//! Where each tensor of a file belongs in a model.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::part::{Part, unwrapped};
use super::{Outside, PretrainedNames, TensorSpec, Unwrapped, below, no_such_module};
use crate::config::{Ignored, Naming, WeightsConfig};
use crate::error::WeightsError;
use crate::state_dict::StateDict;

/// How the names of a file are read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// As the config says, and where it leaves them as they are, without what trainers put around them.
    Lenient,
    /// As they are.
    Exact,
}

/// A model, a file, and what is said of how their names fit.
pub(super) struct Places<'a> {
    pub model: &'a [TensorSpec],
    pub file: &'a StateDict,
    pub config: &'a WeightsConfig,
    pub pretrained: &'a PretrainedNames,
    pub ignored: Ignored,
    /// The module that the weights are for; empty for the whole model.
    pub target: String,
    reading: Reading,
    naming: Naming<'a>,
    own: HashMap<&'a str, &'a TensorSpec>,
    own_names: HashSet<&'a str>,
    /// The file's names below `module`, each with its position; whole ones without it.
    names: Vec<(String, usize)>,
    /// What names begin with where nothing better is found: the key of the file's state dict.
    usual: String,
}

/// What a file has for a model.
#[derive(Default)]
pub(super) struct Found {
    /// By the names of the model, or the ones they would have there.
    pub tensors: BTreeMap<String, Place>,
    /// Names in the file that the model has no use for.
    pub unused: Vec<String>,
    pub outside: Vec<Outside>,
    pub part: Part,
    pub left: Vec<String>,
    pub unwrapped: Unwrapped,
}

/// A tensor of the file.
pub(super) struct Place {
    /// Its position in the file.
    pub at: usize,
    /// Its name below the part, before any renaming.
    pub name: String,
    /// Whether an alias brought it here: then its shape may differ by dimensions of one element.
    pub aliased: bool,
}

/// What a name of the file is for the model.
enum Belongs {
    Here { name: String, aliased: bool },
    Outside(String),
    Unused,
    Unknown(String),
}

impl<'a> Places<'a> {
    pub fn new(
        model: &'a [TensorSpec],
        file: &'a StateDict,
        config: &'a WeightsConfig,
        pretrained: &'a PretrainedNames,
        reading: Reading,
    ) -> Result<Self, WeightsError> {
        let (names, usual) = names(file, config)?;
        Ok(Self {
            model,
            file,
            config,
            pretrained,
            ignored: config.ignored()?,
            target: target(model, config)?,
            reading: if config.leaves_names() { reading } else { Reading::Exact },
            naming: config.naming()?,
            own: model.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect(),
            own_names: model.iter().map(|tensor| tensor.name.as_str()).collect(),
            names,
            usual,
        })
    }

    /// Whether a tensor of the model is among those that the weights are for.
    pub fn is_wanted(&self, name: &str) -> bool {
        self.target.is_empty() || below(name, &self.target)
    }

    /// Chooses the part of the file, and finds the place of each of its tensors.
    pub fn find(&self) -> Result<Found, WeightsError> {
        let part = self.part();
        let mut found = Found::default();
        for (whole, at) in &self.names {
            let in_file = self.file.all()[*at].name();
            let Some(name) = whole.strip_prefix(&part.prefix) else {
                if part.prefix.starts_with(&self.usual) && whole.starts_with(&self.usual) {
                    found.left.push(in_file.to_owned());
                }
                continue;
            };
            let (belongs, wrapping) = self.belongs(name);
            found.unwrapped.add(wrapping);
            match belongs {
                Belongs::Unused => found.unused.push(in_file.to_owned()),
                Belongs::Outside(model) => {
                    let fits = fits(self.file.all()[*at].shape(), &self.own[model.as_str()].shape, true);
                    let model = fits.then_some(model);
                    found.outside.push(Outside { file: in_file.to_owned(), model });
                }
                Belongs::Here { name: model, aliased } => {
                    self.add(&mut found, model, Place { at: *at, name: name.to_owned(), aliased })?;
                }
                Belongs::Unknown(model) => {
                    self.add(&mut found, model, Place { at: *at, name: name.to_owned(), aliased: false })?;
                }
            }
        }
        found.left.sort();
        found.part = part;
        Ok(found)
    }

    fn add(&self, found: &mut Found, model: String, place: Place) -> Result<(), WeightsError> {
        let all = self.file.all();
        if let Some(first) = found.tensors.get(&model) {
            return Err(WeightsError::NameTwice {
                path: self.file.path().to_owned(),
                first: all[first.at].name().to_owned(),
                second: all[place.at].name().to_owned(),
                name: model,
            });
        }
        found.tensors.insert(model, place);
        Ok(())
    }

    /// The part of the file that is taken.
    fn part(&self) -> Part {
        let positions: HashMap<&str, usize> =
            self.names.iter().map(|(name, at)| (name.as_str(), *at)).collect();
        let names = self.names.iter().map(|(name, _)| name.as_str());
        if self.reading == Reading::Exact {
            return Part { prefix: self.usual.clone(), ..Part::default() };
        }
        Part::choose(names, &self.usual, |prefix, names| {
            let fitting = names.iter().filter_map(|name| match self.belongs(&name[prefix.len()..]).0 {
                Belongs::Here { name: model, aliased } => {
                    let shape = self.file.all()[positions[name]].shape();
                    fits(shape, &self.own[model.as_str()].shape, aliased).then_some(model)
                }
                _ => None,
            });
            fitting.collect::<HashSet<String>>().len()
        })
    }

    /// What a name below the part is for, and what wrappers put into it that it had to lose for that.
    fn belongs(&self, name: &str) -> (Belongs, BTreeSet<String>) {
        let name = self.naming.apply(name);
        let plain = self.belongs_as(&name);
        let is_known = !matches!(plain, Belongs::Unknown(_));
        let Some((bare, wrapping)) =
            unwrapped(&name).filter(|_| self.reading == Reading::Lenient && !is_known)
        else {
            return (plain, BTreeSet::new());
        };
        match self.belongs_as(&bare) {
            Belongs::Unknown(_) => (plain, BTreeSet::new()),
            found => (found, wrapping.into_iter().map(str::to_owned).collect()),
        }
    }

    fn belongs_as(&self, name: &str) -> Belongs {
        let is_own = |name: &str| self.own_names.contains(name);
        let aliased = |name: &str| self.pretrained.apply(name.to_owned(), &self.own_names);
        if self.target.is_empty() {
            return match aliased(name) {
                None => Belongs::Unused,
                Some(model) if is_own(&model) => Belongs::Here { aliased: model != name, name: model },
                Some(model) => Belongs::Unknown(model),
            };
        }
        let placed = format!("{}.{name}", self.target);
        if is_own(&placed) {
            return Belongs::Here { name: placed, aliased: false };
        }
        match aliased(name) {
            None => return Belongs::Unused,
            Some(model) if is_own(&model) && below(&model, &self.target) => {
                return Belongs::Here { name: model, aliased: true };
            }
            Some(model) if is_own(&model) => return Belongs::Outside(model),
            Some(_) => {}
        }
        match aliased(&placed) {
            None => Belongs::Unused,
            Some(model) if is_own(&model) => Belongs::Here { name: model, aliased: true },
            Some(model) => Belongs::Unknown(model),
        }
    }
}

/// The names of a file that are to be looked at, with their positions, and what they usually begin with.
fn names(file: &StateDict, config: &WeightsConfig) -> Result<(Vec<(String, usize)>, String), WeightsError> {
    let own = file.len();
    let usual = if file.part().is_empty() { String::new() } else { format!("{}.", file.part()) };
    let whole = file.all().iter().enumerate().map(|(at, entry)| match at < own {
        true => (format!("{usual}{}", entry.name()), at),
        false => (entry.name().to_owned(), at),
    });
    let whole: Vec<(String, usize)> = whole.collect();
    let Some(module) = config.module.as_deref().filter(|module| !module.is_empty()) else {
        return Ok((whole, usual));
    };
    for path in [format!("{usual}{module}."), format!("{module}.")] {
        let names = whole.iter().filter_map(|(name, at)| Some((name.strip_prefix(&path)?.to_owned(), *at)));
        let names: Vec<_> = names.collect();
        if !names.is_empty() {
            return Ok((names, String::new()));
        }
    }
    let known = file.names().chain(file.beside().iter().map(|entry| entry.name()));
    Err(no_such_module("module", module, file.path().display().to_string(), known))
}

/// The module of the model that the weights are for.
fn target(model: &[TensorSpec], config: &WeightsConfig) -> Result<String, WeightsError> {
    let is_there = |module: &str| model.iter().any(|tensor| below(&tensor.name, module));
    match (&config.to, &config.module) {
        (Some(to), _) if to.is_empty() || is_there(to) => Ok(to.clone()),
        (Some(to), _) => {
            let names = model.iter().map(|tensor| tensor.name.as_str());
            Err(no_such_module("to", to, "the model".to_owned(), names))
        }
        (None, Some(module)) if is_there(module) => Ok(module.clone()),
        (None, _) => Ok(String::new()),
    }
}

/// Whether a file's tensor can be the model's. PyTorch 0.3 had no scalars: it wrote them with one dimension
/// of one element. What an alias brings may be a convolution of one pixel where the model has a linear layer.
pub(super) fn fits(file: &[i64], model: &[i64], aliased: bool) -> bool {
    let sides = |shape: &[i64]| shape.iter().copied().filter(|&side| side != 1).collect::<Vec<_>>();
    file == model || (model.is_empty() && file == [1]) || (aliased && sides(file) == sides(model))
}
