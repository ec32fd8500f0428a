//! What would train wrongly without a word: checked at the start and after each change of freeze state.

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

/// Digests of tensors that must not change, to be compared later.
#[derive(Default)]
pub struct Frozen {
    tensors: Vec<(String, Tensor)>,
    digests: Vec<Digest>,
}

impl Clone for Frozen {
    /// The same tensors, and what their digests were.
    fn clone(&self) -> Self {
        let share = |(name, tensor): &(String, Tensor)| (name.clone(), tensor.shallow_clone());
        Self { tensors: self.tensors.iter().map(share).collect(), digests: self.digests.clone() }
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
        Ok(Self { digests: digests(&tensors)?, tensors })
    }

    /// Takes new digests after a change that was meant, as when weights of a checkpoint are put back.
    ///
    /// # Errors
    /// As [`Frozen::of`].
    pub fn renew(&mut self) -> Result<(), FitError> {
        self.digests = digests(&self.tensors)?;
        Ok(())
    }

    /// The frozen parameters that moved since.
    ///
    /// # Errors
    /// As [`Frozen::of`].
    pub fn moved(&self) -> Result<Vec<String>, FitError> {
        let now = digests(&self.tensors)?;
        let pairs = now.iter().zip(&self.digests).zip(&self.tensors);
        let moved: Vec<&str> =
            pairs.filter(|((now, before), _)| now != before).map(|(_, (name, _))| name.as_str()).collect();
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
fn digests(tensors: &[(String, Tensor)]) -> Result<Vec<Digest>, FitError> {
    let sums = |tensor: &Tensor| {
        let wide = tensor.f_detach()?.f_to_kind(Kind::Double)?;
        Ok([wide.f_sum(Kind::Double)?, wide.f_square()?.f_sum(Kind::Double)?])
    };
    let values = tch::no_grad(|| {
        let sums =
            tensors.iter().map(|(_, tensor)| sums(tensor)).collect::<Result<Vec<_>, tch::TchError>>()?;
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
