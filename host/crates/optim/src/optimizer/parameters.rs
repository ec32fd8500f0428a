//! The tensors that an optimizer updates, by name.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use tch::Tensor;

use super::{OptimizerError, Result};

/// A model's parameters by name, in the model's order.
///
/// Make it once per run (and again when the tensors are replaced, as by moving the model to another device):
/// optimizers remember by its identity what they have looked up.
#[derive(Debug)]
pub struct Parameters {
    entries: Vec<(String, Tensor)>,
    index: HashMap<String, usize>,
    id: u64,
}

impl Parameters {
    /// Parameters in the given order.
    ///
    /// # Errors
    /// Two of one name.
    pub fn new(entries: impl IntoIterator<Item = (String, Tensor)>) -> Result<Parameters> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let entries: Vec<_> = entries.into_iter().collect();
        let mut index = HashMap::with_capacity(entries.len());
        for (i, (name, _)) in entries.iter().enumerate() {
            if index.insert(name.clone(), i).is_some() {
                return Err(OptimizerError::DuplicateName(name.clone()));
            }
        }
        Ok(Parameters { entries, index, id: NEXT.fetch_add(1, Ordering::Relaxed) })
    }

    /// The parameter of this name.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.index.get(name).map(|&i| &self.entries[i].1)
    }

    /// All names and tensors, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.entries.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Differs for every set ever made.
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// `"; did you mean …"` for a name that is not there, or nothing where no name is near.
    pub(super) fn hint(&self, name: &str) -> String {
        thaw_plugin_api::hint(name, self.entries.iter().map(|(name, _)| name.as_str()))
    }
}
