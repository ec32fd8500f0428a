//! Memory layout of images and convolution weights.

use tch::Tensor;

use super::Result;

/// The tensor in the channels-last layout (NHWC in memory, NCHW in its sizes), which convolutions run faster
/// on. Tensors of other than four dimensions are given back as they are, sharing storage.
pub fn channels_last(tensor: &Tensor) -> Result<Tensor> {
    if tensor.dim() != 4 {
        return Ok(tensor.shallow_clone());
    }
    Ok(tensor.f_permute([0, 2, 3, 1])?.f_contiguous()?.f_permute([0, 3, 1, 2])?)
}

/// Puts a parameter into the channels-last layout where it stands: whoever holds the tensor sees the new
/// layout.
pub fn make_channels_last(tensor: &mut Tensor) -> Result<()> {
    if tensor.dim() == 4 && !is_channels_last(tensor) {
        let converted = tch::no_grad(|| channels_last(&tensor.detach()))?;
        tensor.f_set_data(&converted)?;
    }
    Ok(())
}

/// Whether a four-dimensional tensor's memory is ordered by sample, row, column, channel.
pub fn is_channels_last(tensor: &Tensor) -> bool {
    let (Ok([_, c, h, w]), Ok(strides)) =
        (<[i64; 4]>::try_from(tensor.size()), <[i64; 4]>::try_from(tensor.stride()))
    else {
        return false;
    };
    strides == [h * w * c, 1, w * c, c]
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind};

    #[test]
    fn channels_last_changes_strides_and_no_value() {
        let x = Tensor::arange(2 * 3 * 4 * 5, (Kind::Float, Device::Cpu)).view([2, 3, 4, 5]);
        let y = channels_last(&x).unwrap();
        assert_eq!((y.size(), y.stride()), (x.size(), vec![60, 1, 15, 3]));
        assert!(is_channels_last(&y) && !is_channels_last(&x));
        assert_eq!(x, y);
    }

    #[test]
    fn a_parameter_converted_in_place_stays_a_leaf_that_trains() {
        let weight = Tensor::ones([2, 3, 3, 3], (Kind::Float, Device::Cpu)).set_requires_grad(true);
        let mut handle = weight.shallow_clone();
        make_channels_last(&mut handle).unwrap();
        assert!(is_channels_last(&weight) && weight.requires_grad() && weight.is_leaf());
    }

    #[test]
    fn vectors_are_left_alone() {
        let bias = Tensor::ones([3], (Kind::Float, Device::Cpu));
        assert_eq!(channels_last(&bias).unwrap().stride(), [1]);
    }
}
