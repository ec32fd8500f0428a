//! Tensor sets of a fake run: the host's rules, over the values that there are.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::host::Host;
use crate::error::{Error, Result};
use crate::tensor_sets::{SavedSet, SetAction, SetState, TensorSets, TensorValues};

#[cfg(feature = "torch")]
pub(super) type FakeTensor = tch::Tensor;
#[cfg(not(feature = "torch"))]
pub(super) type FakeTensor = ();

/// The values of a fake model.
type FakeValues<'v> = dyn TensorValues<Tensor = FakeTensor> + 'v;

/// What a checkpoint holds of them: the table, and the numbers of each tensor.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct SavedSets {
    table: BTreeMap<String, SavedSet>,
    tensors: BTreeMap<String, Vec<f32>>,
    weights: BTreeMap<String, Vec<f32>>,
}

impl Host {
    /// Does what a hook asks for. Where nobody has values, names and counts are all there is.
    pub fn act_on_set(&mut self, name: &str, action: &SetAction) -> Result<SetState> {
        let tree = self.tree.clone();
        self.with_sets(|sets, values| sets.act(name, action, &tree, values))
    }

    pub fn save_sets(&mut self) -> Result<SavedSets> {
        let files = self.with_sets(|sets, values| sets.in_files(values))?;
        let named = |(name, tensor)| Ok((name, numbers(&tensor)?));
        Ok(SavedSets {
            table: files.table,
            tensors: files.sets.into_iter().map(named).collect::<Result<_>>()?,
            weights: files.weights.into_iter().map(named).collect::<Result<_>>()?,
        })
    }

    /// After the values of the model were put back.
    pub fn restore_sets(&mut self, saved: &SavedSets) -> Result<()> {
        self.sets = self.with_sets(|_, values| {
            for (name, numbers) in &saved.weights {
                let of_model = values.of_model(name)?;
                values.copy(&of_model, &tensor(numbers, &of_model)?)?;
            }
            let mut shapes = BTreeMap::new();
            for set in saved.table.values() {
                for name in set.averaged.iter().chain(&set.copied) {
                    shapes.insert(name.clone(), values.of_model(name)?);
                }
            }
            let tensor_of = |key: &str| {
                let like = key.split_once('/').and_then(|(_, name)| shapes.get(name));
                match (saved.tensors.get(key), like) {
                    (Some(numbers), Some(like)) => tensor(numbers, like),
                    _ => Err(Error::new(format_args!("the saved run has no tensor `{key}`"))),
                }
            };
            TensorSets::restored(&saved.table, tensor_of, values)
        })?;
        Ok(())
    }

    #[cfg(feature = "torch")]
    fn with_sets<R>(
        &mut self,
        act: impl FnOnce(&mut TensorSets<FakeTensor>, &mut FakeValues<'_>) -> Result<R>,
    ) -> Result<R> {
        let Self { sets, tensors, values, tree, .. } = self;
        let mut values = crate::tensor_sets::TorchValues(|name: &str| {
            let raw = match tensors {
                Some(tensors) => tensors(name)?,
                None => values.tensor(tree, name)?,
            };
            Ok(crate::abi::RawTensor::from_raw(raw).into())
        });
        act(sets, &mut values)
    }

    #[cfg(not(feature = "torch"))]
    fn with_sets<R>(
        &mut self,
        act: impl FnOnce(&mut TensorSets<FakeTensor>, &mut FakeValues<'_>) -> Result<R>,
    ) -> Result<R> {
        act(&mut self.sets, &mut crate::tensor_sets::WithoutValues)
    }

    /// The sum of each tensor of the sets, by `SET/NAME`.
    #[cfg(feature = "torch")]
    pub fn sums_of_sets(&self) -> Result<Vec<(String, f64)>> {
        let sum = |tensor: &FakeTensor| tensor.f_sum(tch::Kind::Double)?.f_double_value(&[]);
        self.sets.iter().map(|(set, name, tensor)| Ok((format!("{set}/{name}"), sum(tensor)?))).collect()
    }
}

#[cfg(feature = "torch")]
fn numbers(tensor: &FakeTensor) -> Result<Vec<f32>> {
    Ok(Vec::<f32>::try_from(&tensor.f_detach()?.f_to_kind(tch::Kind::Float)?.f_reshape([-1])?)?)
}

#[cfg(feature = "torch")]
fn tensor(numbers: &[f32], like: &FakeTensor) -> Result<FakeTensor> {
    Ok(tch::Tensor::f_from_slice(numbers)?.f_view(like.size().as_slice())?)
}

#[cfg(not(feature = "torch"))]
fn numbers((): &FakeTensor) -> Result<Vec<f32>> {
    Ok(Vec::new())
}

#[cfg(not(feature = "torch"))]
fn tensor(_: &[f32], (): &FakeTensor) -> Result<FakeTensor> {
    Ok(())
}
