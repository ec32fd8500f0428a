//! The sets of a run: what each holds, and whose values stand in the model.

use std::collections::BTreeMap;

use super::{SetAction, SetContents, SetState, TensorValues, Update};
use crate::error::{Error, Result};
use crate::module_tree::ModuleTree;

/// A tensor of a set.
pub(super) struct Held<T> {
    pub name: String,
    /// The set's value; while the set is in the model, the model's own.
    pub tensor: T,
    pub update: Update,
}

/// Tensors of the model, kept.
pub(super) struct TensorSet<T> {
    pub tensors: Vec<Held<T>>,
    /// Values of the model that were taken into it.
    pub count: u64,
    pub in_model: bool,
    pub saved_as_weights: bool,
}

/// The tensor sets of a run, by name. At most one is in the model, and at most one is what checkpoints have
/// as weights.
pub struct TensorSets<T> {
    pub(super) sets: BTreeMap<String, TensorSet<T>>,
}

impl<T> Default for TensorSets<T> {
    fn default() -> Self {
        Self { sets: BTreeMap::new() }
    }
}

impl<T> TensorSets<T> {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.sets.is_empty()
    }

    /// The set whose values stand in the model.
    pub fn in_model(&self) -> Option<&str> {
        self.sets.iter().find(|(_, set)| set.in_model).map(|(name, _)| name.as_str())
    }

    /// Refuses to train on what is not the model's own.
    ///
    /// # Errors
    /// A set is in the model.
    pub fn check_out(&self) -> Result<()> {
        self.in_model().map_or(Ok(()), |name| {
            let error = Error::new(format_args!(
                "training goes on while the values of tensor set `{name}` stand in the model"
            ));
            Err(error.help("call `swap_out` before, or `load_into_model` to train on them"))
        })
    }

    /// The tensors of all sets, by set and name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, &T)> {
        let tensors = self.sets.iter().flat_map(|(set, of)| of.tensors.iter().map(move |held| (set, held)));
        tensors.map(|(set, held)| (set.as_str(), held.name.as_str(), &held.tensor))
    }

    /// Does what a hook asks for.
    ///
    /// # Errors
    /// There is no such set, a share that is none, or another set is in the model.
    pub fn act(
        &mut self,
        name: &str,
        action: &SetAction,
        tree: &ModuleTree,
        values: &mut dyn TensorValues<Tensor = T>,
    ) -> Result<SetState> {
        let mut distance = None;
        match action {
            SetAction::Describe => {}
            SetAction::CopyFromModel { contents } => self.copy_from_model(name, contents, tree, values)?,
            SetAction::LerpToModel { weight } => {
                crate::ensure!(
                    (0.0..=1.0).contains(weight),
                    "tensor set `{name}`: the weight is {weight}, expected a number from 0 to 1"
                );
                self.update(name, |_| *weight, values)?;
            }
            SetAction::UpdateMean => self.update(name, |count| 1.0 / (count as f64 + 1.0), values)?,
            SetAction::SwapIn => self.swap_in(name, values)?,
            SetAction::SwapOut => self.swap_out(name, values)?,
            SetAction::LoadIntoModel => self.load_into_model(name, values)?,
            SetAction::SaveAsWeights { on } => self.save_as_weights(name, *on)?,
            SetAction::Distance => distance = Some(self.distance(name, values)?),
            SetAction::Clear => {
                if self.sets.contains_key(name) {
                    self.swap_out(name, values)?;
                }
                self.sets.remove(name);
            }
        }
        Ok(self.sets.get(name).map_or_else(SetState::default, |set| SetState {
            tensors: set.tensors.len(),
            count: set.count,
            in_model: set.in_model,
            distance,
        }))
    }

    fn copy_from_model(
        &mut self,
        name: &str,
        contents: &SetContents,
        tree: &ModuleTree,
        values: &mut dyn TensorValues<Tensor = T>,
    ) -> Result<()> {
        self.check_none_in_model("copied from the model", name)?;
        let names = contents.names(tree)?;
        crate::ensure!(!names.is_empty(), "tensor set `{name}` would hold nothing: no parameter is chosen");
        let mut tensors = Vec::with_capacity(names.len());
        for (name, update) in names {
            let of_model = values.of_model(&name)?;
            let tensor = values.copied(&of_model)?;
            tensors.push(Held { name, tensor, update });
        }
        let saved_as_weights = self.sets.get(name).is_some_and(|set| set.saved_as_weights);
        let set = TensorSet { tensors, count: 1, in_model: false, saved_as_weights };
        self.sets.insert(name.to_owned(), set);
        Ok(())
    }

    fn update(
        &mut self,
        name: &str,
        weight: impl Fn(u64) -> f64,
        values: &mut dyn TensorValues<Tensor = T>,
    ) -> Result<()> {
        self.check_none_in_model("updated", name)?;
        let set = self.set(name)?;
        let weight = weight(set.count);
        for held in &set.tensors {
            let of_model = values.of_model(&held.name)?;
            match held.update {
                Update::Average => values.lerp(&held.tensor, &of_model, weight),
                Update::Copy => values.copy(&held.tensor, &of_model),
            }
            .map_err(|error| error.context(format_args!("tensor set `{name}`, `{}`", held.name)))?;
        }
        set.count += 1;
        Ok(())
    }

    fn swap_in(&mut self, name: &str, values: &mut dyn TensorValues<Tensor = T>) -> Result<()> {
        if self.in_model() != Some(name) {
            self.check_none_in_model("swapped in", name)?;
            self.set(name)?.exchange(values)?;
        }
        Ok(())
    }

    fn swap_out(&mut self, name: &str, values: &mut dyn TensorValues<Tensor = T>) -> Result<()> {
        let set = self.set(name)?;
        if set.in_model { set.exchange(values) } else { Ok(()) }
    }

    fn load_into_model(&mut self, name: &str, values: &mut dyn TensorValues<Tensor = T>) -> Result<()> {
        if self.in_model() != Some(name) {
            self.check_none_in_model("loaded into the model", name)?;
        }
        let set = self.set(name)?;
        for held in &set.tensors {
            let of_model = values.of_model(&held.name)?;
            let (to, from) = if set.in_model { (&held.tensor, &of_model) } else { (&of_model, &held.tensor) };
            values.copy(to, from)?;
        }
        set.in_model = false;
        Ok(())
    }

    fn save_as_weights(&mut self, name: &str, on: bool) -> Result<()> {
        let other = self.sets.iter().find(|(other, set)| set.saved_as_weights && *other != name);
        if let Some((other, _)) = other.filter(|_| on) {
            return Err(Error::new(format_args!(
                "checkpoints have the values of tensor set `{other}` as the model's weights, and cannot have \
                 those of `{name}` as well"
            )));
        }
        self.set(name)?.saved_as_weights = on;
        Ok(())
    }

    fn distance(&mut self, name: &str, values: &mut dyn TensorValues<Tensor = T>) -> Result<f64> {
        let mut sum = 0.0;
        for held in &self.set(name)?.tensors {
            let of_model = values.of_model(&held.name)?;
            sum += values.squared_distance(&held.tensor, &of_model)?;
        }
        Ok(sum.sqrt())
    }

    fn set(&mut self, name: &str) -> Result<&mut TensorSet<T>> {
        self.sets.get_mut(name).ok_or_else(|| {
            Error::new(format_args!("there is no tensor set `{name}`")).help("`copy_from_model` makes it")
        })
    }

    /// What stands in the model is to be the model's own.
    fn check_none_in_model(&self, what: &str, name: &str) -> Result<()> {
        self.in_model().map_or(Ok(()), |other| {
            let error = Error::new(format_args!(
                "tensor set `{name}` cannot be {what} while the values of `{other}` stand in the model"
            ));
            Err(error.help(format_args!("call `swap_out` of `{other}` before")))
        })
    }
}

impl<T> TensorSet<T> {
    /// Exchanges the set's values and the model's.
    pub fn exchange(&mut self, values: &mut dyn TensorValues<Tensor = T>) -> Result<()> {
        for held in &self.tensors {
            let of_model = values.of_model(&held.name)?;
            values.swap(&of_model, &held.tensor)?;
        }
        self.in_model = !self.in_model;
        Ok(())
    }
}
