//! Frozen weights in half of the room, with their exact values beside (`trainer.frozen_precision`).
//!
//! Under autocast products and convolutions round their weights to bfloat16 or float16 anyway. Of one that
//! does not train, the device may as well hold what they are rounded to: outputs are the same to the last
//! bit. The values themselves stay in the machine's memory, for checkpoints, and for when the weight thaws.

use std::collections::{HashMap, HashSet};

use tch::{Device, Kind, Tensor};

use super::{HostModel, ModelError};

/// Classes of PyTorch, timm and EfficientNets whose weights meet nothing but products and convolutions.
const OF_PRODUCTS: [&str; 13] = [
    "Linear",
    "NonDynamicallyQuantizableLinear",
    "Conv1D",
    "Conv1d",
    "Conv2d",
    "Conv2dSame",
    "Conv2dStaticSamePadding",
    "Conv2dDynamicSamePadding",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "MultiheadAttention",
];

/// Exact values of the parameters that the device has rounded, by name, on the CPU.
#[derive(Default)]
pub(super) struct Narrow(HashMap<String, Tensor>);

/// What a call has narrowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Narrowed {
    /// Parameters.
    pub parameters: usize,
    /// Bytes that they take no more.
    pub bytes: u64,
}

impl HostModel {
    /// Rounds the frozen float32 weights of products and convolutions to this type, those that are not yet.
    /// Biases, norms and embeddings stay as they are, and so does a weight that several modules share.
    ///
    /// # Errors
    /// The model has no such weight, frozen or not; or libtorch refuses.
    pub fn narrow_frozen(&mut self, kind: Kind) -> Result<Narrowed, ModelError> {
        let names = self.narrowable();
        if names.is_empty() {
            return Err(ModelError::Narrow { model: self.id.clone() });
        }
        let _guard = tch::no_grad_guard();
        let mut narrowed = Narrowed::default();
        for name in names {
            let tensor = self.tensor(&name)?.shallow_clone();
            if tensor.requires_grad() || tensor.kind() != Kind::Float {
                continue;
            }
            let bytes = tensor.numel() as u64 * 2;
            let exact = tensor
                .f_detach()
                .and_then(|tensor| tensor.f_to_device_(Device::Cpu, Kind::Float, false, true));
            let exact = exact.map_err(self.torch_error(&format!("keeping the values of `{name}`")))?;
            self.replace(&name, |tensor| tensor.f_detach()?.f_to_kind(kind))?;
            self.narrow.0.insert(name, exact);
            narrowed.parameters += 1;
            narrowed.bytes += bytes;
        }
        Ok(narrowed)
    }

    /// Gives a parameter its exact values back, where it was rounded: before it trains.
    ///
    /// # Errors
    /// The device's memory is too small.
    pub(super) fn widen(&mut self, name: &str) -> Result<(), ModelError> {
        let Some(exact) = self.narrow.0.remove(name) else { return Ok(()) };
        let _guard = tch::no_grad_guard();
        let device = self.device;
        self.replace(name, |narrow| {
            // Strides may be those of channels-last.
            let mut wide = narrow.f_detach()?.f_to_device_(device, Kind::Float, false, true)?;
            wide.f_copy_(&exact)?;
            Ok(wide)
        })
    }

    /// Gives all parameters their exact values back: before others are copied into them.
    ///
    /// # Errors
    /// The device's memory is too small.
    pub fn widen_all(&mut self) -> Result<(), ModelError> {
        let names: Vec<String> = self.narrow.0.keys().cloned().collect();
        names.iter().try_for_each(|name| self.widen(name))
    }

    /// Every parameter and buffer in state_dict order with its exact values; sharing memory with the
    /// model's own where those are.
    pub fn exact_state_dict(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.tensors.iter().map(|(name, tensor)| (name.as_str(), self.narrow.0.get(name).unwrap_or(tensor)))
    }

    fn narrowable(&self) -> Vec<String> {
        let tied = self.tree.parameters().filter_map(|parameter| {
            let first = parameter.tied_to.as_deref()?;
            Some([first, parameter.name.as_str()])
        });
        let tied: HashSet<&str> = tied.flatten().collect();
        let of_products =
            self.tree.modules().iter().filter(|module| OF_PRODUCTS.contains(&module.kind.as_str()));
        let weights = of_products
            .flat_map(|module| &module.parameters)
            .filter(|parameter| parameter.shape.len() >= 2 && !tied.contains(parameter.name.as_str()));
        weights.map(|parameter| parameter.name.clone()).collect()
    }

    /// Puts other values into the place of a parameter's: whoever holds the tensor sees them.
    fn replace(
        &mut self,
        name: &str,
        with: impl FnOnce(&Tensor) -> Result<Tensor, tch::TchError>,
    ) -> Result<(), ModelError> {
        let mut tensor = self.tensor(name)?.shallow_clone();
        let replaced = with(&tensor).and_then(|values| tensor.f_set_data(&values));
        replaced.map_err(self.torch_error(&format!("the number format of `{name}`")))
    }
}
