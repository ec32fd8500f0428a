//! Values of a fake model's tensors: different for every name and element, and moved by every step.
//!
//! What a hook does with values shows in them: an average that starts anew after a resumption is another one.

use std::collections::BTreeMap;
use std::ffi::c_void;

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor, no_grad};

use crate::context::Numbers;
use crate::error::Result;
use crate::module_tree::ModuleTree;

/// How far a step moves a value at most.
const STEP: f64 = 0.01;

/// Tensors that hooks asked for, and how far training has moved each parameter.
#[derive(Default)]
pub(super) struct Values {
    tensors: BTreeMap<String, Tensor>,
    moved: BTreeMap<String, f64>,
}

/// What a checkpoint holds of them.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct SavedValues {
    tensors: BTreeMap<String, Vec<f32>>,
    moved: BTreeMap<String, f64>,
}

impl Values {
    /// The tensor of a name, of the shape that the tree says; the same one at every call, for tied
    /// parameters, too.
    pub fn tensor(&mut self, tree: &ModuleTree, name: &str) -> Result<*mut c_void> {
        let mut buffers = tree.modules().iter().flat_map(|module| &module.buffers);
        let (storage, shape, lowest) = match buffers.find(|buffer| buffer.name == name) {
            // Of statistics some are variances.
            Some(buffer) => (name, &buffer.shape, 0.5),
            None => {
                let parameter = tree.parameter(name)?;
                (parameter.storage(), &parameter.shape, -0.5)
            }
        };
        if !self.tensors.contains_key(storage) {
            let moved = self.moved.get(storage).copied().unwrap_or_default();
            let count = usize::try_from(shape.iter().product::<i64>()).unwrap_or_default();
            let values: Vec<f32> =
                (0..count).map(|index| (lowest + share(storage, index as u64) + moved) as f32).collect();
            let tensor = Tensor::f_from_slice(&values)?.f_view(shape.as_slice())?;
            self.tensors.insert(storage.to_owned(), tensor);
        }
        Ok(crate::abi::RawTensor::from(self.tensors[storage].shallow_clone()).into_raw())
    }

    /// An optimizer step moves what trains.
    pub fn step(&mut self, tree: &ModuleTree, step: usize) -> Result<()> {
        let trained =
            tree.parameters().filter(|parameter| parameter.requires_grad && parameter.tied_to.is_none());
        for parameter in trained {
            let by = STEP * share(&parameter.name, step as u64);
            *self.moved.entry(parameter.name.clone()).or_default() += by;
            if let Some(tensor) = self.tensors.get_mut(&parameter.name) {
                no_grad(|| tensor.f_add_scalar_(by).map(drop))?;
            }
        }
        Ok(())
    }

    /// The sum of each tensor that hooks asked for.
    pub fn sums(&self) -> Result<Vec<(String, f64)>> {
        let sum = |(name, tensor): (&String, &Tensor)| {
            Ok((name.clone(), tensor.f_sum(Kind::Double)?.f_double_value(&[])?))
        };
        self.tensors.iter().map(sum).collect()
    }

    pub fn save(&self) -> Result<SavedValues> {
        let values = |(name, tensor): (&String, &Tensor)| {
            Ok((name.clone(), Vec::<f32>::try_from(&tensor.f_detach()?.f_reshape([-1])?)?))
        };
        let tensors = self.tensors.iter().map(values).collect::<Result<_>>()?;
        Ok(SavedValues { tensors, moved: self.moved.clone() })
    }

    /// Puts the values back into the tensors that hooks have.
    pub fn restore(&mut self, tree: &ModuleTree, saved: SavedValues) -> Result<()> {
        self.moved = saved.moved;
        let asked: Vec<String> = self.tensors.keys().cloned().collect();
        for name in asked.iter().filter(|name| !saved.tensors.contains_key(*name)) {
            if let (Some(tensor), Some(moved)) = (self.tensors.get_mut(name), self.moved.get(name)) {
                no_grad(|| tensor.f_add_scalar_(*moved).map(drop))?;
            }
        }
        for (name, values) in saved.tensors {
            // Makes the tensor where nobody has asked for it yet.
            let raw = self.tensor(tree, &name)?;
            drop(Tensor::from(crate::abi::RawTensor::from_raw(raw)));
            if let Some(tensor) = self.tensors.get_mut(&name) {
                let shape = tensor.size();
                let values = Tensor::f_from_slice(&values)?.f_view(shape.as_slice())?;
                no_grad(|| tensor.f_copy_(&values))?;
            }
        }
        Ok(())
    }
}

/// The handle of a tensor of these numbers; targets of one dimension are labels.
pub(super) fn tensor_of(numbers: &Numbers, is_target: bool) -> Result<*mut c_void> {
    let shape: Vec<i64> = numbers.shape().iter().map(|size| *size as i64).collect();
    crate::ensure!(!shape.is_empty(), "the batch has no targets");
    let tensor = Tensor::f_from_slice(numbers.values())?.f_view(shape.as_slice())?;
    let is_labels = is_target && shape.len() == 1;
    let tensor = if is_labels { tensor.f_to_kind(Kind::Int64)? } else { tensor };
    Ok(crate::abi::RawTensor::from(tensor).into_raw())
}

/// A number from 0 to 1 that follows from a name and a number: FNV-1a over both, mixed as in SplitMix64.
fn share(name: &str, number: u64) -> f64 {
    let bytes = name.bytes().chain(number.to_le_bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mixed = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}
