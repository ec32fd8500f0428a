//! What would train wrongly without a word: checked at the start and after each change of freeze state.

use std::collections::HashMap;

use tch::{Kind, Tensor};
use thaw_plugin_api::audit::{audit, messages};
use thaw_plugin_api::module_tree::ModuleTree;
use thaw_plugin_api::optimizer::ParamGroup;

use crate::error::FitError;
use thaw_data::first_names;
use thaw_torch::TorchError;
use thaw_torch::reading::{Copying, Reading};

/// Names in a message: those of a whole backbone help nobody.
const SHOWN: usize = 8;

/// Trainable parameters in no group or in several, and groups that name what the model does not have.
pub fn groups(tree: &ModuleTree, groups: &[ParamGroup]) -> Vec<String> {
    messages(&audit(tree, groups))
}

/// Trainable parameters of a group that got no gradient from a backward pass.
pub fn gradients<'n>(parameters: impl IntoIterator<Item = (&'n str, bool)>) -> Vec<String> {
    let without: Vec<&str> =
        parameters.into_iter().filter(|(_, has_grad)| !has_grad).map(|(name, _)| name).collect();
    if without.is_empty() {
        return Vec::new();
    }
    vec![format!(
        "trainable and in a group, but without a gradient, so that they stay as they are: {}",
        first_names(&without, SHOWN)
    )]
}

/// Version and storage of a tensor: libtorch counts each write into one, by whichever handle. None of a
/// tensor that has no version.
pub(crate) type Seen = Option<(i64, usize)>;

/// Version and storage now.
pub(crate) fn seen(tensor: &Tensor) -> Seen {
    Some((tensor.f_internal_version().ok()?, tensor.data_ptr() as usize))
}

/// How thoroughly one looks whether tensors have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// At the values of those that were written into, or have another storage: reads nothing of the others.
    Writes,
    /// At all values: finds what was written past libtorch's count (`.data`, a raw pointer), too.
    Values,
}

impl Look {
    /// At the end of an epoch, from 0: at all values after the first, the second, the fourth, the eighth, …
    /// and the last, so that it costs nothing in the mean, and whoever writes so in each epoch is found in
    /// the first.
    pub fn after(epoch: usize, is_last: bool) -> Self {
        if is_last || (epoch + 1).is_power_of_two() { Self::Values } else { Self::Writes }
    }
}

/// Digests of tensors that must not change, to be compared later.
#[derive(Default)]
pub struct Frozen {
    tensors: Vec<(String, Tensor)>,
    seen: Vec<Seen>,
    digests: Vec<Digest>,
}

impl Clone for Frozen {
    /// The same tensors, and what their digests were.
    fn clone(&self) -> Self {
        let share = |(name, tensor): &(String, Tensor)| (name.clone(), tensor.shallow_clone());
        let tensors = self.tensors.iter().map(share).collect();
        Self { tensors, seen: self.seen.clone(), digests: self.digests.clone() }
    }
}

impl Frozen {
    /// Takes the digest of every frozen parameter.
    ///
    /// # Errors
    /// libtorch cannot read one.
    pub fn of<'t>(parameters: impl IntoIterator<Item = (&'t str, &'t Tensor)>) -> Result<Self, FitError> {
        let tensors: Vec<(String, Tensor)> =
            parameters.into_iter().map(|(name, tensor)| (name.to_owned(), tensor.shallow_clone())).collect();
        Self::default().with(tensors)
    }

    /// The same for what is frozen from here on. The digest of a tensor that nobody wrote into since its last
    /// one still holds.
    ///
    /// # Errors
    /// As [`Frozen::of`].
    pub fn followed_by<'t>(
        self,
        parameters: impl IntoIterator<Item = (&'t str, &'t Tensor)>,
    ) -> Result<Self, FitError> {
        let share = |(name, tensor): (&str, &Tensor)| (name.to_owned(), tensor.shallow_clone());
        self.with(parameters.into_iter().map(share).collect())
    }

    fn with(self, tensors: Vec<(String, Tensor)>) -> Result<Self, FitError> {
        let seen: Vec<Seen> = tensors.iter().map(|(_, tensor)| seen(tensor)).collect();
        let before = self.tensors.iter().zip(&self.seen).zip(&self.digests);
        let before: HashMap<(&str, i64, usize), Digest> = before
            .filter_map(|(((name, _), seen), digest)| {
                seen.map(|(version, storage)| ((name.as_str(), version, storage), *digest))
            })
            .collect();
        let known: Vec<Option<Digest>> = tensors
            .iter()
            .zip(&seen)
            .map(|((name, _), seen)| {
                seen.and_then(|(version, storage)| before.get(&(name.as_str(), version, storage)).copied())
            })
            .collect();
        let new: Vec<&Tensor> = tensors
            .iter()
            .zip(&known)
            .filter_map(|((_, tensor), known)| known.is_none().then_some(tensor))
            .collect();
        let mut made = digests(&new)?.into_iter();
        let digests = known.into_iter().filter_map(|known| known.or_else(|| made.next())).collect();
        Ok(Self { tensors, seen, digests })
    }

    /// Takes new digests after a change that was meant, as when weights of a checkpoint are put back.
    ///
    /// # Errors
    /// As [`Frozen::of`].
    pub fn renew(&mut self) -> Result<(), FitError> {
        self.digests = digests(&self.tensors.iter().map(|(_, tensor)| tensor).collect::<Vec<_>>())?;
        self.seen = self.tensors.iter().map(|(_, tensor)| seen(tensor)).collect();
        Ok(())
    }

    /// The frozen parameters that moved since.
    ///
    /// # Errors
    /// As [`Frozen::of`].
    pub fn moved(&self, look: Look) -> Result<Vec<String>, FitError> {
        let is_looked_at = |(((_, tensor), before), _): &((&(String, Tensor), &Seen), &Digest)| {
            let now = seen(tensor);
            look == Look::Values || now.is_none() || now != **before
        };
        let looked_at: Vec<((&str, &Tensor), &Digest)> = self
            .tensors
            .iter()
            .zip(&self.seen)
            .zip(&self.digests)
            .filter(is_looked_at)
            .map(|(((name, tensor), _), digest)| ((name.as_str(), tensor), digest))
            .collect();
        let now = digests(&looked_at.iter().map(|((_, tensor), _)| *tensor).collect::<Vec<_>>())?;
        let pairs = now.iter().zip(&looked_at);
        let moved: Vec<&str> =
            pairs.filter(|(now, (_, before))| now != before).map(|(_, ((name, _), _))| *name).collect();
        Ok(if moved.is_empty() {
            Vec::new()
        } else {
            vec![format!("frozen, but changed: {}", first_names(&moved, SHOWN))]
        })
    }
}

/// Sums over a tensor in 64 bits, of its values and of their squares: the same values in the same order give
/// the same sums, and a sign that changes is seen.
type Digest = [u64; 2];

/// The digest of each tensor; the device is waited for once, not once for each.
fn digests(tensors: &[&Tensor]) -> Result<Vec<Digest>, FitError> {
    if tensors.is_empty() {
        return Ok(Vec::new());
    }
    let sums = |tensor: &Tensor| {
        let wide = tensor.f_detach()?.f_to_kind(Kind::Double)?;
        Ok([wide.f_sum(Kind::Double)?, wide.f_square()?.f_sum(Kind::Double)?])
    };
    let values = tch::no_grad(|| {
        let sums = tensors.iter().map(|tensor| sums(tensor)).collect::<Result<Vec<_>, tch::TchError>>()?;
        let readings: Vec<Reading> =
            sums.into_iter().flatten().map(|sum| Reading::OnDevice(sum, 1.0)).collect();
        Copying::start(&readings)?.finish()
    });
    let values = values.map_err(|error: TorchError| FitError::Torch {
        what: "the digest of a frozen parameter",
        message: error.to_string(),
    })?;
    Ok(values.chunks_exact(2).map(|pair| [pair[0].to_bits(), pair[1].to_bits()]).collect())
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    #[test]
    fn a_write_is_found_by_its_count_and_one_past_it_by_the_values() {
        let [one, two] = [0.0, 1.0].map(|value| Tensor::full([3], value, (Kind::Float, Device::Cpu)));
        let frozen = Frozen::of([("one", &one), ("two", &two)]).unwrap();
        assert!(frozen.moved(Look::Values).unwrap().is_empty());
        // The same values, written again.
        let _ = two.shallow_clone().fill_(1.0);
        assert!(frozen.moved(Look::Writes).unwrap().is_empty());
        let _ = one.data().fill_(2.0);
        assert!(frozen.moved(Look::Writes).unwrap().is_empty());
        assert!(frozen.moved(Look::Values).unwrap()[0].contains("one"));
        let _ = two.shallow_clone().fill_(3.0);
        assert!(frozen.moved(Look::Writes).unwrap()[0].contains("two"));
        // Digests of tensors that nobody is known to have written into go on: what changed so is still found.
        let followed = frozen.followed_by([("one", &one), ("two", &two)]).unwrap();
        let moved = followed.moved(Look::Values).unwrap();
        assert!(moved[0].contains("one") && !moved[0].contains("two"), "{moved:?}");
    }

    #[test]
    fn all_values_are_looked_at_ever_more_seldom_and_at_the_end() {
        let thorough: Vec<usize> =
            (0..20).filter(|&epoch| Look::after(epoch, epoch == 19) == Look::Values).collect();
        assert_eq!(thorough, [0, 1, 3, 7, 15, 19]);
    }
}
