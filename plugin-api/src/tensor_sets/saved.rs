//! What a checkpoint holds of the sets.
//!
//! A set that is saved as the model's weights lies in the file of the weights, and the model's own values lie
//! where the set's would be: whoever uses the checkpoint uses the average, whoever resumes it exchanges the
//! two. Which values stand in the model at the moment makes no difference to a checkpoint.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::sets::{Held, TensorSet};
use super::{TensorSets, TensorValues, Update};
use crate::error::{Error, Result};

/// What a checkpoint says of a set, besides its tensors.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SavedSet {
    /// Values of the model that were taken into it.
    pub count: u64,
    /// Whether the file of the weights has the set's values, and the set's the weights that train.
    pub saved_as_weights: bool,
    /// Names of the tensors that updates average.
    pub averaged: Vec<String>,
    /// Names of the tensors that updates copy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copied: Vec<String>,
}

/// What lies where in a checkpoint's files.
pub struct InFiles<T> {
    /// By set.
    pub table: BTreeMap<String, SavedSet>,
    /// Tensors of the sets, by `SET/NAME`.
    pub sets: Vec<(String, T)>,
    /// What the file of the weights has in the place of the model's tensors, by name.
    pub weights: BTreeMap<String, T>,
}

/// The name of a set's tensor in a file.
fn key(set: &str, name: &str) -> String {
    format!("{set}/{name}")
}

impl<T> TensorSets<T> {
    /// What a checkpoint holds. The tensors are the live ones.
    ///
    /// # Errors
    /// The model does not have a tensor any more.
    pub fn in_files(&self, values: &mut dyn TensorValues<Tensor = T>) -> Result<InFiles<T>> {
        // Of the set in the model, each tensor is the model's own value.
        let mut own: BTreeMap<&str, &T> = BTreeMap::new();
        for set in self.sets.values().filter(|set| set.in_model) {
            own.extend(set.tensors.iter().map(|held| (held.name.as_str(), &held.tensor)));
        }
        let mut files = InFiles { table: BTreeMap::new(), sets: Vec::new(), weights: BTreeMap::new() };
        files.weights.extend(own.iter().map(|(name, tensor)| ((*name).to_owned(), values.shared(tensor))));
        for (set_name, set) in &self.sets {
            for held in &set.tensors {
                let of_model = values.of_model(&held.name)?;
                let value = if set.in_model { values.shared(&of_model) } else { values.shared(&held.tensor) };
                let in_file = if set.saved_as_weights {
                    files.weights.insert(held.name.clone(), value);
                    own.get(held.name.as_str()).map_or(of_model, |tensor| values.shared(tensor))
                } else {
                    value
                };
                files.sets.push((key(set_name, &held.name), in_file));
            }
            files.table.insert(set_name.clone(), set.saved());
        }
        Ok(files)
    }

    /// The sets of a checkpoint, whose weights are in the model as the file has them; afterwards the model
    /// has the values that train. `tensor` gives those of the sets, by `SET/NAME`.
    ///
    /// # Errors
    /// A tensor is missing in the file or in the model, or has another shape.
    pub fn restored(
        table: &BTreeMap<String, SavedSet>,
        mut tensor: impl FnMut(&str) -> Result<T>,
        values: &mut dyn TensorValues<Tensor = T>,
    ) -> Result<Self> {
        let mut sets = BTreeMap::new();
        for (set_name, saved) in table {
            let averaged = saved.averaged.iter().map(|name| (name, Update::Average));
            let copied = saved.copied.iter().map(|name| (name, Update::Copy));
            let mut tensors = Vec::new();
            for (name, update) in averaged.chain(copied) {
                let key = key(set_name, name);
                let wrong = |error: Error| error.context(format_args!("the checkpoint's tensor set `{key}`"));
                let of_model = values.of_model(name).map_err(wrong)?;
                let held = values.copied(&of_model)?;
                tensor(&key).and_then(|saved| values.copy(&held, &saved)).map_err(wrong)?;
                tensors.push(Held { name: name.clone(), tensor: held, update });
            }
            let SavedSet { count, saved_as_weights, averaged: _, copied: _ } = *saved;
            let mut set = TensorSet { tensors, count, in_model: saved_as_weights, saved_as_weights };
            if saved_as_weights {
                set.exchange(values)?;
            }
            sets.insert(set_name.clone(), set);
        }
        Ok(Self { sets })
    }

    /// The same sets with tensors of their own.
    ///
    /// # Errors
    /// The memory is too small.
    pub fn copied(&self, values: &dyn TensorValues<Tensor = T>) -> Result<Self> {
        let copied = |set: &TensorSet<T>| -> Result<TensorSet<T>> {
            let tensors = set.tensors.iter().map(|held| {
                let tensor = values.copied(&held.tensor)?;
                Ok(Held { name: held.name.clone(), tensor, update: held.update })
            });
            Ok(TensorSet {
                tensors: tensors.collect::<Result<_>>()?,
                count: set.count,
                in_model: set.in_model,
                saved_as_weights: set.saved_as_weights,
            })
        };
        let sets = self.sets.iter().map(|(name, set)| Ok((name.clone(), copied(set)?)));
        Ok(Self { sets: sets.collect::<Result<_>>()? })
    }
}

impl<T> TensorSet<T> {
    fn saved(&self) -> SavedSet {
        let names = |update: Update| {
            let names = self.tensors.iter().filter(move |held| held.update == update);
            names.map(|held| held.name.clone()).collect()
        };
        SavedSet {
            count: self.count,
            saved_as_weights: self.saved_as_weights,
            averaged: names(Update::Average),
            copied: names(Update::Copy),
        }
    }
}
