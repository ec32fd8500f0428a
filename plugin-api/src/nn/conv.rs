//! `nn.Conv2d`.

use tch::Tensor;

use super::{Module, Path, init};
use crate::error::{Error, Result};

/// Options of a convolution; [`Default`] is PyTorch's.
#[derive(Clone, Copy, Debug)]
pub struct Conv2dOptions {
    /// Step between windows.
    pub stride: i64,
    /// Zeros around the picture on every side.
    pub padding: i64,
    /// Distance between the window's elements.
    pub dilation: i64,
    /// Groups of channels that are convolved apart.
    pub groups: i64,
    /// Whether there is a bias.
    pub bias: bool,
}

impl Default for Conv2dOptions {
    fn default() -> Self {
        Self { stride: 1, padding: 0, dilation: 1, groups: 1, bias: true }
    }
}

/// Two-dimensional convolution, `[N, C, H, W]`; weight `[out, in / groups, k, k]`, as PyTorch's `nn.Conv2d`.
pub struct Conv2d {
    weight: Tensor,
    bias: Option<Tensor>,
    options: Conv2dOptions,
}

impl Conv2d {
    /// A convolution with a square window.
    ///
    /// # Errors
    /// `groups` is below 1 or divides the channels into unequal parts, or sizes that libtorch refuses.
    pub fn new(
        path: &Path,
        in_channels: i64,
        out_channels: i64,
        kernel_size: i64,
        options: Conv2dOptions,
    ) -> Result<Self> {
        let groups = options.groups;
        if groups < 1 || in_channels % groups != 0 || out_channels % groups != 0 {
            return Err(Error::new(format_args!(
                "a convolution from {in_channels} to {out_channels} channels cannot be split into {groups} \
                 groups"
            )));
        }
        let shape = [out_channels, in_channels / groups, kernel_size, kernel_size];
        let bias = if options.bias { Some(init::bias_for(&shape)?) } else { None };
        Self::with_values(path, init::kaiming_uniform(&shape)?, bias, options)
    }

    /// With these initial values: weight `[out, in / groups, k, k]`, bias `[out]`; they decide on
    /// `options.bias`.
    ///
    /// # Errors
    /// There is a module at this place already.
    pub fn with_values(
        path: &Path,
        weight: Tensor,
        bias: Option<Tensor>,
        options: Conv2dOptions,
    ) -> Result<Self> {
        Self::of_kind(path, "Conv2d", weight, bias, options)
    }

    /// Under PyTorch's class name `kind`, with these initial values.
    ///
    /// # Errors
    /// There is a module at this place already.
    pub fn of_kind(
        path: &Path,
        kind: &str,
        weight: Tensor,
        bias: Option<Tensor>,
        options: Conv2dOptions,
    ) -> Result<Self> {
        let module = path.module(kind)?;
        let weight = module.parameter("weight", weight)?;
        let bias = bias.map(|bias| module.parameter("bias", bias)).transpose()?;
        let options = Conv2dOptions { bias: bias.is_some(), ..options };
        Ok(Self { weight, bias, options })
    }

    /// The weight, `[out, in / groups, k, k]`.
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// The bias, `[out]`.
    pub fn bias(&self) -> Option<&Tensor> {
        self.bias.as_ref()
    }
}

impl Module for Conv2d {
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        let Conv2dOptions { stride, padding, dilation, groups, .. } = self.options;
        let (stride, padding, dilation) = ([stride, stride], [padding, padding], [dilation, dilation]);
        Ok(input.f_conv2d(&self.weight, self.bias.as_ref(), stride, padding, dilation, groups)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_divide_the_channels() {
        let built = |from, to, groups| {
            Conv2d::new(&Path::root(), from, to, 3, Conv2dOptions { groups, ..Conv2dOptions::default() })
        };
        assert!(built(4, 6, 2).is_ok());
        for (from, to, groups) in [(5, 6, 2), (4, 5, 2), (4, 4, 0), (4, 4, -1)] {
            let error = built(from, to, groups).err().unwrap().to_string();
            assert!(error.contains(&format!("{groups} groups")), "{error}");
        }
    }
}
