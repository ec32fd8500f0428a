//! Convolutions padded as TensorFlow's `SAME`.

use tch::Tensor;
use thaw_plugin_api::prelude::*;

/// A convolution without bias whose padding, fixed when it is built for pictures of one size, is that of
/// TensorFlow's `SAME`: as much as gives `size / stride` (rounded up) windows, the odd pixel on the right and
/// at the bottom.
pub struct SamePaddingConv2d {
    convolution: nn::Conv2d,
    /// Left, right, top, bottom, where they are not alike; else the convolution pads itself.
    padding: Option<[i64; 4]>,
}

impl SamePaddingConv2d {
    /// A square window for square pictures of `size` pixels, which becomes the size of what comes out.
    ///
    /// # Errors
    /// Sizes that libtorch refuses.
    pub fn new(
        path: &nn::Path,
        input: i64,
        output: i64,
        kernel: i64,
        stride: i64,
        groups: i64,
        size: &mut i64,
    ) -> Result<Self> {
        let windows = (*size + stride - 1) / stride;
        let total = ((windows - 1) * stride + kernel - *size).max(0);
        *size = windows;
        let (before, after) = (total / 2, total - total / 2);
        let is_even = before == after;
        let options = nn::Conv2dOptions {
            stride,
            padding: if is_even { before } else { 0 },
            groups,
            ..Default::default()
        };
        let weight = nn::init::kaiming_uniform(&[output, input / groups, kernel, kernel])?;
        let convolution = nn::Conv2d::of_kind(path, "Conv2dStaticSamePadding", weight, None, options)?;
        (path / "static_padding").module(if total > 0 { "ZeroPad2d" } else { "Identity" })?;
        Ok(Self { convolution, padding: (!is_even).then_some([before, after, before, after]) })
    }
}

impl nn::Module for SamePaddingConv2d {
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        match self.padding {
            Some(padding) => self.convolution.forward(&input.f_constant_pad_nd(padding)?),
            None => self.convolution.forward(input),
        }
    }
}
