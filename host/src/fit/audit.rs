//! What would train wrongly without a word: checked at the start and after each change of freeze state.

use tch::{Kind, Tensor};
use thaw_plugin_api::audit::{audit, messages};
use thaw_plugin_api::module_tree::ModuleTree;
use thaw_plugin_api::optimizer::ParamGroup;

use super::FitError;
use super::error::torch;
use crate::data::first_names;

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
pub struct Frozen(Vec<(String, Tensor, Digest)>);

impl Frozen {
    /// Takes the digest of every frozen parameter.
    ///
    /// # Errors
    /// libtorch cannot read one.
    pub fn of<'t>(parameters: impl IntoIterator<Item = (&'t str, &'t Tensor)>) -> Result<Self, FitError> {
        let entry = |(name, tensor): (&str, &Tensor)| {
            Ok((name.to_owned(), tensor.shallow_clone(), Digest::of(tensor)?))
        };
        parameters.into_iter().map(entry).collect::<Result<_, _>>().map(Self)
    }

    /// Takes new digests after a change that was meant, as when weights of a checkpoint are put back.
    ///
    /// # Errors
    /// As [`Frozen::of`].
    pub fn renew(&mut self) -> Result<(), FitError> {
        self.0.iter_mut().try_for_each(|(_, tensor, before)| Digest::of(tensor).map(|now| *before = now))
    }

    /// The frozen parameters that moved since.
    ///
    /// # Errors
    /// As [`Frozen::of`].
    pub fn moved(&self) -> Result<Vec<String>, FitError> {
        let mut moved = Vec::new();
        for (name, tensor, before) in &self.0 {
            if Digest::of(tensor)? != *before {
                moved.push(name.as_str());
            }
        }
        Ok(if moved.is_empty() {
            Vec::new()
        } else {
            vec![format!("frozen, but changed: {}", first_names(&moved, SHOWN))]
        })
    }
}

/// Sums over a tensor in 64 bits, of its values and of their squares: the same values in the same order give
/// the same sums, and a sign that changes is seen.
#[derive(PartialEq)]
struct Digest([u64; 2]);

impl Digest {
    fn of(tensor: &Tensor) -> Result<Self, FitError> {
        let sums = tch::no_grad(|| {
            let wide = tensor.detach().f_to_kind(Kind::Double)?;
            Ok([
                wide.f_sum(Kind::Double)?.f_double_value(&[])?,
                wide.f_square()?.f_sum(Kind::Double)?.f_double_value(&[])?,
            ])
        });
        sums.map(|sums: [f64; 2]| Self(sums.map(f64::to_bits)))
            .map_err(torch("the digest of a frozen parameter"))
    }
}
