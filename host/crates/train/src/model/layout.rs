//! In which layout of memory the model's convolutions compute.

use tch::Device;

use super::HostModel;

/// A convolution has at least so many outputs to count: with fewer, now one layout is faster, now the other.
const WIDE: i64 = 64;
/// So many wide convolutions over more than single points make a convolutional model.
const CONVOLUTIONS: usize = 8;

impl HostModel {
    /// Puts four-dimensional weights into the channels-last layout.
    ///
    /// # Errors
    /// libtorch refuses one.
    pub fn channels_last(&mut self) -> Result<(), thaw_torch::TorchError> {
        let _guard = tch::no_grad_guard();
        for (_, tensor) in self.tensors.iter_mut().filter(|(_, tensor)| tensor.dim() == 4) {
            thaw_torch::layout::make_channels_last(tensor)?;
        }
        self.is_channels_last = true;
        Ok(())
    }

    /// Whether four-dimensional weights are in the channels-last layout.
    pub fn is_channels_last(&self) -> bool {
        self.is_channels_last
    }

    /// Whether models of this kind train faster with the channels last: by what they are, so that the answer
    /// is the same in each run. On a GPU all do. On the CPU it is a rule from what `xtask/bench/layouts.py`
    /// measures:
    ///
    /// | | a step of training, times as fast |
    /// |---|---|
    /// | ResNet-18, ResNet-50 | 1.5, 1.7 |
    /// | EfficientNet-lite0, MobileNetV3, MobileNetV2 | 1.6, 1.4, 1.4 |
    /// | VGG-11 with batch norms | 1.2 |
    /// | DenseNet-121: narrow convolutions | 1.0 |
    /// | ConvNeXt-pico: layer norms, wide kernels | 0.9 |
    /// | ViT-tiny: one convolution | 1.0 |
    /// | two or four convolutions of 8 to 64 outputs | 0.4 to 1.2 |
    ///
    /// Models with batch norms and many wide convolutions gain. Those with layer norms, small ones,
    /// perceptrons and models of texts keep PyTorch's own layout.
    pub fn gains_from_channels_last(&self, device: Device) -> bool {
        if device.is_cuda() {
            return true;
        }
        let shapes = self.tree.parameters().map(|parameter| parameter.shape.as_slice());
        let is_wide = |shape: &&[i64]| match shape {
            [outputs, _, height, width] => *outputs >= WIDE && height * width > 1,
            _ => false,
        };
        let has_batch_norms = self.tensors.iter().any(|(name, _)| name.ends_with("running_mean"));
        has_batch_norms && shapes.filter(is_wide).count() >= CONVOLUTIONS
    }
}
