//! Tensors that are not to be written into.

use tch::Tensor;

use crate::audit::{Frozen, Look, Seen, seen};
use crate::fit::FitError;

/// Tensors with what their versions were: libtorch counts each write into one, by whichever handle.
pub struct Watch {
    tensors: Vec<Watched>,
    /// Values of those that nothing else looks at, for writes past the versions.
    values: Frozen,
}

struct Watched {
    name: String,
    tensor: Tensor,
    seen: Seen,
}

impl Watch {
    /// Watches tensors from here on.
    pub(in crate::fit) fn over<'t>(tensors: impl Iterator<Item = (&'t str, &'t Tensor)>) -> Self {
        let watched = |(name, tensor): (&str, &Tensor)| Watched {
            name: name.to_owned(),
            tensor: tensor.shallow_clone(),
            seen: seen(tensor),
        };
        Self { tensors: tensors.map(watched).collect(), values: Frozen::default() }
    }

    /// Also keeps the values of those that `is_kept` names.
    ///
    /// # Errors
    /// libtorch cannot read one.
    pub(super) fn with_values(mut self, is_kept: impl Fn(&str) -> bool) -> Result<Self, FitError> {
        let kept = self.tensors.iter().filter(|watched| is_kept(&watched.name));
        self.values = Frozen::of(kept.map(|watched| (watched.name.as_str(), &watched.tensor)))?;
        Ok(self)
    }

    /// The first that was written into since.
    pub(super) fn written(&self) -> Option<&str> {
        let is_written = |watched: &&Watched| {
            let now = seen(&watched.tensor);
            now.is_none() || now != watched.seen
        };
        self.tensors.iter().find(is_written).map(|watched| watched.name.as_str())
    }

    /// Those whose values changed, in words.
    ///
    /// # Errors
    /// libtorch cannot read one.
    pub(super) fn moved(&self, look: Look) -> Result<Option<String>, FitError> {
        Ok(self.values.moved(look)?.into_iter().next())
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    #[test]
    fn a_write_is_seen_by_whichever_handle_it_comes() {
        let frozen = Tensor::zeros([3], (Kind::Float, Device::Cpu));
        let other = Tensor::zeros([2], (Kind::Float, Device::Cpu)).set_requires_grad(true);
        let watch = || Watch::over([("frozen", &frozen), ("other", &other)].into_iter());
        let watched = watch();
        let _ = frozen.sum(Kind::Float);
        assert_eq!(watched.written(), None);
        let _ = frozen.detach().fill_(0.0);
        assert_eq!(watched.written(), Some("frozen"), "the same values, and written all the same");
        let watched = watch();
        let _ = tch::no_grad(|| other.shallow_clone().f_add_scalar_(1.0)).unwrap();
        assert_eq!(watched.written(), Some("other"));
        assert_eq!(watch().written(), None);
    }

    #[test]
    fn values_that_change_past_the_versions_are_found() {
        let frozen = Tensor::zeros([3], (Kind::Float, Device::Cpu));
        let watch = Watch::over([("frozen", &frozen)].into_iter()).with_values(|_| true).unwrap();
        assert_eq!(watch.moved(Look::Values).unwrap(), None);
        let _ = frozen.data().fill_(1.0);
        assert_eq!(watch.written(), None);
        assert_eq!(watch.moved(Look::Writes).unwrap(), None);
        assert!(watch.moved(Look::Values).unwrap().unwrap().contains("frozen"));
    }
}
